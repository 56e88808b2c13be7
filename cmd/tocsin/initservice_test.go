package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tocsin/config"
	"tocsin/playground"
)

// systemctlScript does with the real daemon what systemd does, as far as init asks for it.
const systemctlScript = `#!/bin/sh
[ "$1" = show ] || echo "$*" >>ROOT/systemctl.log
start() {
	rm -rf ROOT/credentials; mkdir ROOT/credentials
	for name in slack_app_token slack_bot_token; do
		if grep -q "LoadCredentialEncrypted=$name:" ROOT/etc/systemd/system/tocsin.service.d/init-credentials.conf 2>/dev/null; then
			ROOT/systemd-creds decrypt --name=$name ROOT/etc/tocsin/$name.cred - >ROOT/credentials/$name || return 1
		elif [ -f ROOT/etc/tocsin/$name ]; then
			cp ROOT/etc/tocsin/$name ROOT/credentials/$name
		fi
	done
	env -i TOCSIN_TEST_BE_TOCSIN=1 CREDENTIALS_DIRECTORY=ROOT/credentials CONFIGURATION_DIRECTORY=ROOT/etc/tocsin RUNTIME_DIRECTORY=ROOT/run/tocsin STATE_DIRECTORY=ROOT/state \
		TOCSIN_LISTEN=off EXTRA TOCSIN serve --config ROOT/etc/tocsin/tocsin.yaml >>ROOT/daemon.log 2>&1 &
	pid=$!
	while ! TOCSIN_TEST_BE_TOCSIN=1 TOCSIN status --json --socket ROOT/run/tocsin/tocsin.sock >/dev/null 2>&1; do
		kill -0 $pid 2>/dev/null || { wait $pid; tail -n 3 ROOT/daemon.log >&2; return 1; }
		[ -S ROOT/run/tocsin/tocsin.sock ] && break # it is not ready, but it answers
		sleep 0.1
	done
	echo $pid >ROOT/pid
}
stop() {
	[ -f ROOT/pid ] || return 0
	kill "$(cat ROOT/pid)"
	while kill -0 "$(cat ROOT/pid)" 2>/dev/null; do sleep 0.1; done
	rm ROOT/pid
}
case $1 in
show) [ -f ROOT/environment ] && cat ROOT/environment ;;
is-active) [ -f ROOT/pid ] ;;
is-enabled) [ -f ROOT/enabled ] ;;
enable) touch ROOT/enabled; [ "$2" != --now ] || start ;;
restart) stop; start ;;
try-restart) [ ! -f ROOT/pid ] || { stop; start; } ;;
reload) TOCSIN_TEST_BE_TOCSIN=1 TOCSIN config reload --socket ROOT/run/tocsin/tocsin.sock ;;
stop) stop ;;
disable) rm -f ROOT/enabled; [ "$2" != --now ] || stop ;;
esac
`

// credsScript encrypts in a way, unless ROOT/no-key is there.
const credsScript = `#!/bin/sh
[ ! -e ROOT/no-key ] || { echo 'no key' >&2; exit 1; }
if [ "$1" = encrypt ]; then
	echo "sealed $2"; base64
else
	[ "$3" = - ] || exec <"$3"
	read -r head; [ "$head" = "sealed $2" ] || exit 1; base64 -d
fi
`

// packaged is a machine with the package on it, below a folder; its systemd is a script.
type packaged struct {
	t     *testing.T
	slack *playground.Server
	root  string
}

func newPackaged(t *testing.T, encrypts bool) *packaged {
	t.Helper()
	s := &packaged{t: t, slack: slack(t, playground.Options{})}
	var err error
	if s.root, err = os.MkdirTemp("", "tocsin-test-"); err != nil { // short enough for a socket
		t.Fatal(err)
	}
	for _, folder := range []string{"etc/tocsin", "run/systemd/system", "run/tocsin", "state", "usr/lib/systemd/system"} {
		if err := os.MkdirAll(filepath.Join(s.root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.write("usr/lib/systemd/system/tocsin.service", read(t, "../../systemd/tocsin.service"), 0o644)
	s.write("etc/tocsin/tocsin.yaml", strings.ReplaceAll(read(t, "../../config/example.yaml"), "default_channel: \"#alerts\"", "default_channel: \"#example\""), 0o644)
	s.script("")
	s.write("systemd-creds", strings.ReplaceAll(credsScript, "ROOT", s.root), 0o755)
	if !encrypts {
		s.write("no-key", "", 0o644)
	}
	t.Cleanup(func() {
		if _, err := s.systemctl("disable", "--now"); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", s.content("daemon.log"))
		}
		if err := os.RemoveAll(s.root); err != nil {
			t.Error(err)
		}
	})
	return s
}

// script writes systemctl, whose daemon has more in its environment.
func (s *packaged) script(extra string) {
	s.write("systemctl", strings.NewReplacer("ROOT", s.root, " TOCSIN ", " "+os.Args[0]+" ", "EXTRA", extra).Replace(systemctlScript), 0o755)
}

func (s *packaged) write(name, content string, mode os.FileMode) {
	s.t.Helper()
	path := filepath.Join(s.root, name)
	if err := writeProgram(path, []byte(content), mode); err != nil {
		s.t.Fatal(err)
	}
}

func (s *packaged) content(name string) string {
	content, _ := os.ReadFile(filepath.Join(s.root, name)) // empty if there is none
	return string(content)
}

func (s *packaged) systemctl(args ...string) ([]byte, error) {
	t := &target{initCmd: &initCmd{}}
	return t.command(context.Background(), nil, filepath.Join(s.root, "systemctl"), args...)
}

// init sets up the service as root does, and returns the error and what it says.
func (s *packaged) init(env map[string]string, change func(*initCmd)) (string, error) {
	s.t.Helper()
	var out bytes.Buffer
	c := &initCmd{
		world:       world{stdin: strings.NewReader(""), stdout: &out, stderr: &out, getenv: func(name string) string { return env[name] }},
		credentials: credentialsAuto, root: s.root, systemctl: filepath.Join(s.root, "systemctl"), systemCreds: filepath.Join(s.root, "systemd-creds"),
	}
	if change != nil {
		change(c)
	}
	err := c.run(s.t.Context())
	return out.String(), err
}

func (s *packaged) tokens() map[string]string {
	return map[string]string{"SLACK_APP_TOKEN": s.slack.AppToken(), "SLACK_BOT_TOKEN": s.slack.BotToken(), "SLACK_API_URL": s.slack.APIURL(), "SLACK_CHANNEL_ID": "#alerts"}
}

// etc is what is in /etc, by name.
func (s *packaged) etc() map[string]string {
	all := map[string]string{}
	for _, path := range walk(s.t, filepath.Join(s.root, "etc"), "") {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			all[strings.TrimPrefix(path, s.root)] = info.Mode().String() + "\n" + read(s.t, path)
		}
	}
	return all
}

func TestInitSetsUpTheServiceAndRotatesATokenEncryptedOrNot(t *testing.T) {
	t.Parallel()
	for name, encrypts := range map[string]bool{"encrypted": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPackaged(t, encrypts)
			said, err := s.init(s.tokens(), nil)
			if err != nil || !strings.Contains(said, "The first alert arrived in #alerts: "+s.slack.URL()) {
				t.Fatalf("%v; it says %s", err, said)
			}
			wantFiles := []string{"/etc/tocsin/slack_app_token", "/etc/tocsin/slack_bot_token", "/etc/tocsin/tocsin.yaml"}
			if encrypts {
				wantFiles = []string{"/etc/systemd/system/tocsin.service.d/init-credentials.conf", "/etc/tocsin/slack_app_token.cred", "/etc/tocsin/slack_bot_token.cred", "/etc/tocsin/tocsin.yaml"}
			}
			etc := s.etc()
			if files := slices.Sorted(maps.Keys(etc)); !slices.Equal(files, wantFiles) {
				t.Errorf("there are %v, want %v", files, wantFiles)
			}
			for file, content := range etc {
				if strings.Contains(file, "_token") && !strings.HasPrefix(content, "-rw-------") && !strings.HasPrefix(content, "-rw-r-----") {
					t.Errorf("others can read %s: %s", file, content[:10])
				}
				if hidden := strings.Contains(content, "xoxb-"+"1-1"); encrypts && hidden {
					t.Errorf("%s has the token", file)
				}
			}
			if yaml := etc["/etc/tocsin/tocsin.yaml"]; !strings.HasPrefix(yaml, "-rw-r--r--") || !strings.Contains(yaml, "default_channel: \"#alerts\"") || strings.Contains(yaml, s.slack.BotToken()) {
				t.Errorf("tocsin.yaml: %s", yaml)
			}

			next := "xoxb-1-1-next"
			s.slack.Accept(next)
			said, err = s.init(map[string]string{"SLACK_BOT_TOKEN": next}, nil)
			if err != nil || !strings.Contains(said, "The first alert arrived in #alerts") {
				t.Fatalf("%v; it says %s", err, said)
			}
			s.slack.Revoke(s.slack.BotToken())
			if _, err := s.init(nil, nil); err != nil {
				t.Errorf("the new token is not the one in use: %v", err)
			}
			changed := map[string]bool{}
			for file, content := range s.etc() {
				if etc[file] != content {
					changed[file] = true
				}
			}
			if len(changed) != 1 {
				t.Errorf("these files are others: %v", changed)
			}
			verb := "restart"
			if strings.HasPrefix(etc["/etc/tocsin/slack_bot_token"], "-rw-r-----") {
				verb = "reload"
			}
			if calls := s.content("systemctl.log"); !strings.Contains(calls, "enable --now tocsin.service") || !strings.Contains(calls, verb+" tocsin.service") {
				t.Errorf("systemctl was called so: %s", calls)
			}
		})
	}
}

func TestInitKeepsThePresentTokensInAnotherWay(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, true)
	for _, kind := range []string{credentialsPlain, credentialsEncrypted, credentialsPlain} {
		env := map[string]string(nil)
		if s.content("systemctl.log") == "" {
			env = s.tokens()
		}
		if said, err := s.init(env, func(c *initCmd) { c.credentials = kind }); err != nil {
			t.Fatalf("%s: %v; it says %s", kind, err, said)
		}
		etc := s.etc()
		for _, name := range []string{appCredential, botCredential} {
			_, plain := etc["/etc/tocsin/"+name]
			_, sealed := etc["/etc/tocsin/"+name+".cred"]
			if plain != (kind == credentialsPlain) || sealed == plain {
				t.Errorf("%s: there are %v", kind, slices.Sorted(maps.Keys(etc)))
			}
		}
		if said, err := s.init(nil, func(c *initCmd) { c.credentials = kind }); err != nil || !strings.Contains(said, "nothing was changed") {
			t.Errorf("%s once more: %v; it says %s", kind, err, said)
		}
	}
}

func TestInitEnablesAServiceThatOnlyRuns(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, false)
	if said, err := s.init(s.tokens(), nil); err != nil {
		t.Fatalf("%v; it says %s", err, said)
	}
	if err := os.Remove(filepath.Join(s.root, "enabled")); err != nil {
		t.Fatal(err)
	}
	if said, err := s.init(map[string]string{"SLACK_CHANNEL_ID": "#ops"}, nil); err != nil {
		t.Fatalf("%v; it says %s", err, said)
	}
	if _, err := s.systemctl("is-enabled"); err != nil {
		t.Errorf("it does not start with the machine: %v; systemctl was called so: %s", err, s.content("systemctl.log"))
	}
}

func TestInitPutsEverythingBackWhenTheServiceDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, encrypts := range map[string]bool{"encrypted": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPackaged(t, encrypts)
			before := s.etc()
			s.script("TOCSIN_STORE=nonsense")
			said, err := s.init(s.tokens(), nil)
			if err == nil || !strings.Contains(err.Error(), "does not work with this") || !strings.Contains(err.Error(), "everything is as it was before") {
				t.Fatalf("%v; it says %s", err, said)
			}
			if after := s.etc(); !maps.Equal(before, after) {
				t.Errorf("there were %v and are %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
			}
			if calls := s.content("systemctl.log"); !strings.Contains(calls, "disable --now tocsin.service tocsin.socket") {
				t.Errorf("it still starts: %s", calls)
			}

			s.script("")
			if said, err := s.init(s.tokens(), nil); err != nil {
				t.Fatalf("%v; it says %s", err, said)
			}
			before = s.etc()
			s.script("TOCSIN_STORE=nonsense") // not before it is restarted
			said, err = s.init(map[string]string{"SLACK_API_URL": strings.Replace(s.slack.APIURL(), "127.0.0.1", "localhost", 1)}, nil)
			if err == nil || !strings.Contains(err.Error(), "does not work with this") {
				t.Fatalf("%v; it says %s", err, said)
			}
			if after := s.etc(); !maps.Equal(before, after) {
				t.Errorf("there were %v and are %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
			}
		})
	}
}

func TestInitUndoesWhatAKilledOneHasWritten(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, true)
	if said, err := s.init(s.tokens(), nil); err != nil {
		t.Fatalf("%v; it says %s", err, said)
	}
	before := s.etc()
	// As a kill does between the first file and the end.
	killed := &target{initCmd: &initCmd{root: s.root}, was: &serviceState{Active: true, Enabled: true}}
	if err := killed.useService(t.Context()); err != nil {
		t.Fatal(err)
	}
	replaced := []fileChange{
		{path: killed.file, content: []byte("half"), mode: 0o644, gid: -1},
		{path: killed.encrypted(botCredential), content: []byte("half"), mode: 0o600, gid: -1},
		{path: filepath.Join(killed.dir, "new"), content: []byte("half"), mode: 0o600, gid: -1},
		{path: killed.encrypted(appCredential)},
	}
	if _, err := killed.replace(replaced); err != nil {
		t.Fatal(err)
	}
	calls := s.content("systemctl.log")
	said, err := s.init(nil, nil)
	if err != nil || !strings.Contains(said, "what was there before is back.\n  "+killed.file+"\n") || !strings.Contains(said, "nothing else was changed") {
		t.Fatalf("%v; it says %s", err, said)
	}
	if calls := strings.TrimPrefix(s.content("systemctl.log"), calls); !strings.Contains(calls, "daemon-reload\ntry-restart tocsin.service\n") {
		t.Errorf("systemctl was called so: %s", calls)
	}
	if after := s.etc(); !maps.Equal(before, after) {
		t.Errorf("there were %v and are %v", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)))
	}

	// What a person has written since is not lost.
	if _, err := killed.replace(replaced); err != nil {
		t.Fatal(err)
	}
	edited := strings.SplitN(before["/etc/tocsin/tocsin.yaml"], "\n", 2)[1] + "# by hand\n"
	s.write("etc/tocsin/tocsin.yaml", edited, 0o644)
	said, err = s.init(nil, nil)
	if err != nil || !strings.Contains(said, "changed since it was written and stays: "+killed.file) {
		t.Fatalf("%v; it says %s", err, said)
	}
	before["/etc/tocsin/tocsin.yaml"] += "# by hand\n"
	if after := s.etc(); !maps.Equal(before, after) {
		t.Errorf("with a change by hand there were %v and are %v", before, after)
	}
}

func TestInitNoticesWhatComesBeforeItsFiles(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, false)
	s.write("etc/tocsin/tocsin.env", "# mine\nSLACK_BOT_TOKEN="+s.slack.BotToken()+"\n", 0o600)
	next := "xoxb-1-1-next"
	s.slack.Accept(next)
	env := s.tokens()
	env["SLACK_BOT_TOKEN"] = next
	before := s.etc()
	said, err := s.init(env, nil)
	if err == nil || !strings.Contains(err.Error(), "slack.bot_token would have no effect, because environment SLACK_BOT_TOKEN comes first") {
		t.Errorf("%v; it says %s", err, said)
	}
	if after := s.etc(); !maps.Equal(before, after) {
		t.Error("something was changed")
	}
}

func TestInitOnlyWritesIfItMayNotStart(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, true)
	said, err := s.init(s.tokens(), func(c *initCmd) { c.noStart, c.credentials = true, credentialsPlain })
	if err != nil || !strings.Contains(said, "systemctl enable --now tocsin") {
		t.Errorf("%v; it says %s", err, said)
	}
	if calls := s.content("systemctl.log"); calls != "" {
		t.Errorf("systemctl was called: %s", calls)
	}
	if etc := s.etc(); !strings.Contains(etc["/etc/tocsin/slack_bot_token"], s.slack.BotToken()) {
		t.Errorf("there are %v", slices.Sorted(maps.Keys(etc)))
	}
}

// What only the service's environment says counts for store and doctor too: that of the unit
// with its drop-ins, and of its files.
func TestRootSeesTheStoreAsTheServiceDoes(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, false)
	store := func(env, flags map[string]string) string {
		t.Helper()
		c := &initCmd{root: s.root, systemctl: filepath.Join(s.root, "systemctl"), systemCreds: filepath.Join(s.root, "systemd-creds")}
		c.getenv = func(name string) string { return env[name] }
		url, err := config.LoadStore(c.asService(t.Context(), config.Input{Getenv: c.getenv, ReadFile: os.ReadFile, Flags: flags}))
		if err != nil {
			t.Fatal(err)
		}
		return url.Reveal()
	}
	if err := os.Mkdir(filepath.Join(s.root, "srv"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("srv/other.yaml", "store: sqlite:/srv/file.db\n", 0o600)
	backup := map[string]string{"STATE_DIRECTORY": "/var/lib/nightly", "HOME": "/root"}
	for _, c := range []struct{ unit, env, want string }{
		{"", "", "sqlite:/var/lib/tocsin/tocsin.db"},
		{"", "TOCSIN_STORE=sqlite:/srv/env.db", "sqlite:/srv/env.db"},
		{"Environment=A=b \"C=d e\" TOCSIN_STORE=sqlite:/srv/drop-in.db", "", "sqlite:/srv/drop-in.db"},
		{"Environment=\"TOCSIN_STORE=sqlite:/srv/drop in.db\"", "", "sqlite:/srv/drop in.db"},
		{"Environment=TOCSIN_STORE=sqlite:/srv/drop-in.db\nEnvironmentFiles=/etc/tocsin/tocsin.env (ignore_errors=yes)", "TOCSIN_STORE=sqlite:/srv/env.db", "sqlite:/srv/env.db"},
		{"ExecStart={ path=/usr/bin/tocsin ; argv[]=/usr/bin/tocsin serve --store sqlite:/srv/flag.db --log-level=debug ; ignore_errors=no ; pid=0 }", "", "sqlite:/srv/flag.db"},
		{"ExecStart={ path=/usr/bin/tocsin ; argv[]=/usr/bin/tocsin serve --config=/srv/other.yaml ; ignore_errors=no }", "", "sqlite:/srv/file.db"},
		{"Environment=TOCSIN_CONFIG=/srv/other.yaml", "", "sqlite:/srv/file.db"},
		{"EnvironmentFiles=/etc/tocsin/other.env (ignore_errors=yes)", "TOCSIN_STORE=sqlite:/srv/env.db", "sqlite:/var/lib/tocsin/tocsin.db"},
	} {
		if c.unit == "" {
			_ = os.Remove(filepath.Join(s.root, "environment"))
		} else {
			s.write("environment", c.unit+"\n", 0o644)
		}
		s.write("etc/tocsin/tocsin.env", c.env+"\n", 0o600)
		if got := store(backup, map[string]string{}); got != c.want {
			t.Errorf("with %q and %q in tocsin.env: %s", c.unit, c.env, got)
		}
	}
	if got := store(map[string]string{"TOCSIN_STORE": "sqlite:/tmp/asked.db"}, nil); got != "sqlite:/tmp/asked.db" {
		t.Errorf("with TOCSIN_STORE in root's own environment: %s", got)
	}
	if got := store(nil, map[string]string{"store": "sqlite:/tmp/flag.db"}); got != "sqlite:/tmp/flag.db" {
		t.Errorf("with --store: %s", got)
	}
}

// Tokens that LoadCredential= of a drop-in takes from elsewhere count for doctor too, and init
// asks for none of them.
func TestRootSeesTheTokensAsTheServiceDoes(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, false)
	if err := os.Mkdir(filepath.Join(s.root, "srv"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.write("srv/app", s.slack.AppToken(), 0o600)
	s.write("environment", "LoadCredential=slack_app_token:/etc/tocsin/slack_app_token\nLoadCredential=slack_app_token:/srv/app slack_bot_token:/etc/tocsin/slack_bot_token\n", 0o644)
	s.write("etc/tocsin/slack_bot_token", s.slack.BotToken(), 0o600)
	c := &initCmd{root: s.root, systemctl: filepath.Join(s.root, "systemctl"), systemCreds: filepath.Join(s.root, "systemd-creds"), world: world{getenv: func(string) string { return "" }}}
	tokens := c.asService(t.Context(), config.Input{Getenv: c.getenv, ReadFile: os.ReadFile}).Tokens()
	if tokens.App.Reveal() != s.slack.AppToken() || tokens.Bot.Reveal() != s.slack.BotToken() {
		t.Errorf("the service's tokens are not found: %v", tokens.Warnings)
	}
}

func TestInitDisablesTheServiceThatAKilledOneHasEnabled(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, false)
	killed := &target{initCmd: &initCmd{root: s.root}, was: &serviceState{}}
	if err := killed.useService(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := killed.replace([]fileChange{{path: killed.file, content: []byte("default_channel: \"#ops\"\n"), mode: 0o644, gid: -1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.systemctl("enable", "tocsin.service"); err != nil {
		t.Fatal(err)
	}
	said, err := s.init(nil, nil)
	if err == nil || !strings.Contains(said, "what was there before is back") {
		t.Errorf("%v; it says %s", err, said)
	}
	if _, err := s.systemctl("is-enabled"); err == nil {
		t.Errorf("it still starts with the machine; systemctl was called so: %s", s.content("systemctl.log"))
	}
}

func TestInitKeepsLinksAndTheFilesOfOthers(t *testing.T) {
	t.Parallel()
	s := newPackaged(t, false)
	if err := os.Mkdir(filepath.Join(s.root, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("secrets/bot", "xoxb-1-1-old\n", 0o600)
	link := filepath.Join(s.root, "etc/tocsin", botCredential)
	if err := os.Symlink("../../secrets/bot", link); err != nil {
		t.Fatal(err)
	}
	others := []string{"etc/tocsin/.tocsin.yaml.before", "etc/tocsin/.tocsin.yaml.new"}
	for _, name := range others {
		s.write(name, "mine", 0o600)
	}
	if said, err := s.init(s.tokens(), nil); err != nil {
		t.Fatalf("%v; it says %s", err, said)
	}
	if to, err := os.Readlink(link); err != nil || s.content("secrets/bot") != s.slack.BotToken()+"\n" {
		t.Errorf("the link leads to %q, %v; behind it is %s", to, err, s.content("secrets/bot"))
	}
	for _, name := range others {
		if s.content(name) != "mine" {
			t.Errorf("%s is gone", name)
		}
	}
}
