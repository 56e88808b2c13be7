package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// doctorConfig names a conversation of each kind, and people, a group and a channel.
const doctorConfig = `default_channel: "#alerts"
fallback_channel: C0OPS
routes:
  - name: database
    to: ["@ann", bob@example.com]
    match: ['severity="error"']
    mention: ["@sre", U0CAROL]
permissions:
  ack: ["#ops", S0SRE]
`

// runDoctor runs doctor in this process, for a playground that setUp has changed.
func runDoctor(t *testing.T, opts playground.Options, file string, setUp func(*playground.Server, map[string]string)) (found alert.Checkup, status int, text string) {
	t.Helper()
	s := slack(t, opts)
	if _, err := s.AddUserGroup(playground.UserGroup{ID: "S0SRE", Handle: "sre", Users: []string{"U0ANN"}}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	env := map[string]string{
		"HOME": dir, "SLACK_APP_TOKEN": s.AppToken(), "SLACK_BOT_TOKEN": s.BotToken(), "SLACK_API_URL": s.APIURL(),
		"TOCSIN_CONFIG": filepath.Join(dir, "tocsin.yaml"), "TOCSIN_STORE": "sqlite:" + filepath.Join(dir, "tocsin.db"), "TOCSIN_SOCKET": filepath.Join(dir, "tocsin.sock"),
	}
	if setUp != nil {
		setUp(s, env)
	}
	if err := os.WriteFile(filepath.Join(dir, "tocsin.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	w := world{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: func(name string) string { return env[name] }}
	status = run(t.Context(), []string{"doctor", "--json"}, w)
	if err := json.Unmarshal(stdout.Bytes(), &found); err != nil {
		t.Fatalf("%v in %s%s", err, &stdout, &stderr)
	}
	for _, token := range []string{s.AppToken(), s.BotToken()} {
		if strings.Contains(stdout.String()+stderr.String(), token) {
			t.Error("a token is shown")
		}
	}
	return found, status, stdout.String()
}

// sound reports whether a checkup finds nothing, apart from how fast and how full the disk of the
// machine is that runs the test.
func sound(found alert.Checkup) bool {
	rest := slices.DeleteFunc(slices.Clone(found.Checks), func(c alert.Check) bool { return strings.HasPrefix(c.Name, "disk ") })
	return alert.NewCheckup(rest).Result == alert.CheckOK
}

func TestDoctorFindsNothingWhereNothingIsWrong(t *testing.T) {
	t.Parallel()
	var s *playground.Server
	found, _, text := runDoctor(t, playground.Options{}, doctorConfig, func(started *playground.Server, _ map[string]string) { s = started })
	if !sound(found) {
		t.Fatalf("it finds %s", text)
	}
	for _, about := range []string{"#alerts", "C0OPS", "@ann", "bob@example.com", "@sre", "U0CAROL", "#ops", "S0SRE"} {
		if !slices.ContainsFunc(found.Checks, func(c alert.Check) bool { return c.About == about && c.Result == alert.CheckOK }) {
			t.Errorf("%s is not looked at: %s", about, text)
		}
	}
	for _, call := range s.Calls() {
		if call.Method == "chat.postMessage" || call.Method == "conversations.join" {
			t.Errorf("it calls %s", call.Method)
		}
	}
	until(t, s, "the end of its connection", func(sn *playground.Snapshot) bool { return len(sn.Sockets()) == 0 })
}

func TestDoctorFindsWhatIsSetUpWrong(t *testing.T) {
	t.Parallel()
	type setup = func(*playground.Server, map[string]string)
	without := func(scopes ...string) setup {
		return func(s *playground.Server, _ map[string]string) {
			s.SetScopes(slices.DeleteFunc(playground.DefaultScopes(), func(scope string) bool { return slices.Contains(scopes, scope) }))
		}
	}
	change := func(f func(*playground.Server) error) setup {
		return func(s *playground.Server, _ map[string]string) {
			if err := f(s); err != nil {
				t.Error(err)
			}
		}
	}
	for name, c := range map[string]struct {
		setUp  setup
		opts   playground.Options
		file   string // doctorConfig if empty
		check  string
		about  string
		result alert.CheckResult
		found  string
		fix    string
	}{
		"no app token": {
			setUp: func(_ *playground.Server, env map[string]string) { delete(env, "SLACK_APP_TOKEN") },
			check: "configuration", about: "SLACK_APP_TOKEN", result: alert.CheckError, found: "there is no app-level token", fix: "App-Level Tokens",
		},
		"no bot token": {
			setUp: func(_ *playground.Server, env map[string]string) { delete(env, "SLACK_BOT_TOKEN") },
			check: "configuration", about: "SLACK_BOT_TOKEN", result: alert.CheckError, found: "there is no bot token", fix: "Bot User OAuth Token",
		},
		"no signing secret where requests come by HTTP": {
			file:  "default_channel: '#alerts'\nslack: {mode: http}\n",
			check: "configuration", about: "SLACK_SIGNING_SECRET", result: alert.CheckError, found: "there is no signing secret", fix: "Basic Information",
		},
		"an app token where requests come by HTTP": {
			setUp: func(_ *playground.Server, env map[string]string) { env["SLACK_SIGNING_SECRET"] = signingSecret },
			file:  "default_channel: '#alerts'\nslack: {mode: http}\n",
			check: "app token", result: alert.CheckOK, found: "not needed",
		},
		"a proxy that can't be parsed": {
			setUp: func(_ *playground.Server, env map[string]string) {
				env["https_proxy"] = "http://ann:secret@proxy:31 28"
			},
			check: "configuration", about: "https_proxy", result: alert.CheckError, found: "is not the address of a proxy", fix: "http://proxy.example:3128",
		},
		"the app token in the place of the bot token": {
			setUp: func(_ *playground.Server, env map[string]string) { env["SLACK_BOT_TOKEN"] = env["SLACK_APP_TOKEN"] },
			check: "configuration", about: "SLACK_BOT_TOKEN", result: alert.CheckWarning, found: "which belongs in SLACK_APP_TOKEN", fix: "OAuth & Permissions",
		},
		"Slack on that": {
			setUp: func(_ *playground.Server, env map[string]string) { env["SLACK_BOT_TOKEN"] = env["SLACK_APP_TOKEN"] },
			check: "bot token", result: alert.CheckError, found: "not a bot's", fix: "xoxb-",
		},
		"the bot token in the place of the app token": {
			setUp: func(_ *playground.Server, env map[string]string) { env["SLACK_APP_TOKEN"] = env["SLACK_BOT_TOKEN"] },
			check: "app token", result: alert.CheckError, found: "not_allowed_token_type", fix: "connections:write",
		},
		"a revoked bot token": {
			setUp: func(s *playground.Server, _ map[string]string) { s.Revoke(s.BotToken()) },
			check: "bot token", result: alert.CheckError, found: "token_revoked", fix: "reinstall the app",
		},
		"conversations after that": {
			setUp: func(s *playground.Server, _ map[string]string) { s.Revoke(s.BotToken()) },
			check: "conversation", about: "#alerts", result: alert.CheckSkipped, found: "does not accept the bot token",
		},
		"a revoked app token": {
			setUp: func(s *playground.Server, _ map[string]string) { s.Revoke(s.AppToken()) },
			check: "app token", result: alert.CheckError, found: "token_revoked", fix: "App-Level Token",
		},
		"the app token of another workspace's app": {
			setUp: func(s *playground.Server, _ map[string]string) { s.SetBotApp("A0OTHER") },
			check: "same app", result: alert.CheckError, found: "the bot token of A0OTHER", fix: "pages of one app",
		},
		"token rotation": {
			setUp: func(s *playground.Server, _ map[string]string) { s.SetRotation(11 * time.Hour) },
			check: "token rotation", result: alert.CheckError, found: "ends in 11h", fix: "switch it off",
		},
		"Socket Mode switched off": {
			setUp: func(s *playground.Server, _ map[string]string) { s.SetConnectFault(playground.ConnectDisabled) },
			check: "socket mode", result: alert.CheckError, found: "is off", fix: "switch on Socket Mode",
		},
		"no WebSocket gets through": {
			setUp: func(s *playground.Server, _ map[string]string) { s.SetConnectFault("403") },
			check: "socket mode", result: alert.CheckError, found: "403", fix: "HTTPS_PROXY",
		},
		"no network": {
			setUp: func(s *playground.Server, _ map[string]string) { _ = s.Close() },
			check: "slack", result: alert.CheckError, found: "can't be reached", fix: "check the network",
		},
		"something else than Slack": {
			setUp: func(_ *playground.Server, env map[string]string) {
				env["SLACK_API_URL"] = strings.TrimSuffix(env["SLACK_API_URL"], "api/")
			},
			check: "slack", result: alert.CheckError, found: "can't be reached", fix: "SLACK_API_URL",
		},
		"a clock behind": {
			opts:  playground.Options{Clock: func() time.Time { return time.Now().Add(time.Hour) }},
			check: "clock", result: alert.CheckError, found: "behind Slack", fix: "NTP",
		},
		"a clock ahead": {
			opts:  playground.Options{Clock: func() time.Time { return time.Now().Add(-time.Hour) }},
			check: "clock", result: alert.CheckError, found: "ahead of Slack", fix: "NTP",
		},
		"no permission to post": {
			setUp: without("chat:write"),
			check: "scopes", about: "chat:write", result: alert.CheckError, found: "every message", fix: "reinstall the app",
		},
		"no direct messages": {
			setUp: without("im:write"),
			check: "scopes", about: "im:write", result: alert.CheckWarning, found: "direct messages to people", fix: "im:write",
		},
		"no user groups": {
			setUp: without("usergroups:read"),
			check: "permission", about: "S0SRE", result: alert.CheckWarning, found: "missing_scope", fix: "usergroups:read",
		},
		"a scope that this configuration does not need": {
			setUp: without("usergroups:read", "users:read.email", "im:write"), file: "default_channel: '#alerts'\n",
			check: "scopes", result: alert.CheckOK, found: "not needed: im:write",
		},
		"a channel that does not exist": {
			file:  "default_channel: '#typo'\n",
			check: "conversation", about: "#typo", result: alert.CheckError, found: "does not exist", fix: "check the spelling of #typo",
		},
		"a private channel without the bot": {
			file:  "default_channel: C0SECRET\n",
			check: "conversation", about: "C0SECRET", result: alert.CheckError, found: "channel_not_found", fix: "/invite @tocsin",
		},
		"a public channel without the bot": {
			file:  "default_channel: '#random'\n",
			check: "conversation", about: "#random", result: alert.CheckWarning, found: "may be posted twice", fix: "in #random, type: /invite @tocsin",
		},
		"one that it may not post to": {
			file: "default_channel: '#random'\n", setUp: without("chat:write.public", "channels:join"),
			check: "conversation", about: "#random", result: alert.CheckError, found: "not a member", fix: "in #random, type: /invite @tocsin",
		},
		"an archived channel": {
			setUp: change(func(s *playground.Server) error { return s.Archive("#alerts") }),
			check: "conversation", about: "#alerts", result: alert.CheckError, found: "archived", fix: "unarchive it",
		},
		"a history that can't be read": {
			setUp: without("channels:history"),
			check: "conversation", about: "#alerts", result: alert.CheckWarning, found: "may be posted twice", fix: "channels:history",
		},
		"a person who has left": {
			setUp: change(func(s *playground.Server) error {
				return s.ChangeUser("carol", func(u *playground.User) { u.Deleted = true })
			}),
			check: "mention", about: "U0CAROL", result: alert.CheckError, found: "deactivated",
		},
		"a person nobody knows": {
			file:  "default_channel: '#alerts'\nroutes: [{name: r, to: '@nobody-here'}]\n",
			check: "conversation", about: "@nobody-here", result: alert.CheckError, found: "not in this workspace", fix: "check the spelling",
		},
		"a user group that is gone": {
			file:  "default_channel: '#alerts'\nroutes: [{name: r, to: '#ops', mention: S0GONE00}]\n",
			check: "mention", about: "S0GONE00", result: alert.CheckError, found: "no such user group",
		},
		"a store whose folder can't be made": {
			setUp: func(_ *playground.Server, env map[string]string) {
				env["TOCSIN_STORE"] = "sqlite:" + filepath.Join(env["TOCSIN_CONFIG"], "in", "a", "file.db")
			},
			check: "disk", result: alert.CheckError, found: "not a directory", fix: "name another path",
		},
		"a store that is none": {
			setUp: func(_ *playground.Server, env map[string]string) {
				if err := os.WriteFile(strings.TrimPrefix(env["TOCSIN_STORE"], "sqlite:"), []byte(strings.Repeat("not a database", 100)), 0o600); err != nil {
					t.Error(err)
				}
			},
			check: "store content", result: alert.CheckError, found: "tocsin.db", fix: "restore it from a backup",
		},
		"no default channel": {
			file:  "log: {level: info}\n",
			check: "configuration", about: "default_channel", result: alert.CheckError, found: "is missing", fix: "SLACK_CHANNEL_ID",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.file == "" {
				c.file = doctorConfig
			}
			found, status, text := runDoctor(t, c.opts, c.file, c.setUp)
			at := slices.IndexFunc(found.Checks, func(got alert.Check) bool { return got.Name == c.check && got.About == c.about })
			if at < 0 {
				t.Fatalf("%s is not looked at: %s", c.check, text)
			}
			if got := found.Checks[at]; got.Result != c.result || !strings.Contains(got.Found, c.found) || !strings.Contains(got.Fix, c.fix) {
				t.Errorf("finds %+v, want %s: …%s…, and …%s…", got, c.result, c.found, c.fix)
			}
			if want := map[alert.CheckResult]int{alert.CheckOK: 0, alert.CheckWarning: 1, alert.CheckError: 2}[found.Result]; status != want {
				t.Errorf("ends with %d, want %d", status, want)
			}
		})
	}
}

func TestDoctorAsksARunningDaemonAndNeedsNoTokens(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.start()
	p.eventually("two connections", func() bool {
		var h readyBody
		return p.ask("/readyz", &h) == nil && h.Connections == 2
	})
	ask := func(args ...string) (status int, found alert.Checkup) {
		t.Helper()
		var out bytes.Buffer
		w := world{stdin: strings.NewReader(""), stdout: &out, stderr: &out, getenv: func(name string) string {
			return map[string]string{"HOME": p.dir, "TOCSIN_SOCKET": p.env["TOCSIN_SOCKET"]}[name]
		}}
		status = run(t.Context(), append([]string{"doctor", "--json"}, args...), w)
		if err := json.Unmarshal(out.Bytes(), &found); err != nil {
			t.Fatalf("%v in %s", err, &out)
		}
		return status, found
	}
	_, found := ask()
	if !sound(found) {
		t.Errorf("it finds %+v", found)
	}
	for _, name := range []string{"bot token", "same app", "socket mode", "conversation", "store content", "socket", "store", "listeners", "connections", "spool"} {
		if !slices.ContainsFunc(found.Checks, func(c alert.Check) bool { return c.Name == name && c.Result == alert.CheckOK }) {
			t.Errorf("%s is not looked at: %+v", name, found)
		}
	}
	if open := s.Sockets(); len(open) != 2 {
		t.Errorf("it opens a connection beside the daemon's: %v", open)
	}

	if err := s.Archive("#alerts"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(p.env["TOCSIN_SOCKET"], 0o666); err != nil {
		t.Fatal(err)
	}
	status, found := ask()
	for _, want := range []alert.Check{{Name: "conversation", Result: alert.CheckError}, {Name: "socket", Result: alert.CheckWarning}} {
		if !slices.ContainsFunc(found.Checks, func(c alert.Check) bool { return c.Name == want.Name && c.Result == want.Result && c.Fix != "" }) {
			t.Errorf("%s is no %s: %+v", want.Name, want.Result, found)
		}
	}
	if status != exitUsage {
		t.Errorf("ends with %d", status)
	}

	if err := os.Remove(p.env["TOCSIN_SOCKET"]); err != nil {
		t.Fatal(err)
	}
	_, found = ask("--server", p.env["TOCSIN_LISTEN"])
	if !slices.ContainsFunc(found.Checks, func(c alert.Check) bool { return c.Name == "listeners" && c.Result == alert.CheckError }) {
		t.Errorf("nobody misses the socket: %+v", found)
	}
}

func TestDoctorCountsConnectionsThatAreNotOurs(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	until(t, s, "two connections", func(sn *playground.Snapshot) bool { return len(sn.Sockets()) == 2 })
	if err := s.Cut(s.Sockets()[0].ID, playground.CutFIN); err != nil {
		t.Fatal(err)
	}
	until(t, s, "a third", func(sn *playground.Snapshot) bool { return len(sn.Sockets()) == 3 })
	p.eventually("what /readyz says of a lost connection that Slack counts", func() bool {
		var h readyBody
		return p.ask("/readyz", &h) == nil &&
			slices.ContainsFunc(h.Checks, func(c alert.Check) bool { return c.Name == "connections" && c.Result == alert.CheckWarning })
	})
}

func TestDoctorJudgesTheDisk(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		disk disk
		want []alert.CheckResult
	}{
		"a good one":      {disk{free: 20 << 30, sync: time.Millisecond}, []alert.CheckResult{alert.CheckOK, alert.CheckOK}},
		"filling up":      {disk{free: 500 << 20, sync: time.Millisecond}, []alert.CheckResult{alert.CheckWarning, alert.CheckOK}},
		"nearly full":     {disk{free: 5 << 20, sync: time.Millisecond}, []alert.CheckResult{alert.CheckError, alert.CheckOK}},
		"a slow one":      {disk{free: 20 << 30, sync: 200 * time.Millisecond}, []alert.CheckResult{alert.CheckOK, alert.CheckWarning}},
		"one that sticks": {disk{free: 20 << 30, sync: 2 * time.Second}, []alert.CheckResult{alert.CheckOK, alert.CheckError}},
	} {
		for n, check := range c.disk.checks() {
			if check.Result != c.want[n] || (check.Fix == "") != (check.Result == alert.CheckOK) {
				t.Errorf("%s: %+v, want %s", name, check, c.want[n])
			}
		}
	}
	dir := t.TempDir()
	if _, err := measureDisk(dir); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v (%v)", left, err)
	}
}

func TestNotifyDoctorAnswersThoseWhomAdminNames(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"SLACK_CHANNEL_ID": ""})
	p.env["TOCSIN_CONFIG"] = filepath.Join(p.dir, "tocsin.yaml")
	if err := os.WriteFile(p.env["TOCSIN_CONFIG"], []byte("default_channel: '#old'\npermissions: {admin: '@ann'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.start()
	connected(t, s)
	for who, want := range map[string]string{"ann": "#old: is archived", "bob": "you may not see what is set up wrong"} {
		if run, err := s.User(who).Command(t.Context(), "#random", "/notify", "doctor"); err != nil || !run.Acked {
			t.Fatalf("%s: %+v, %v", who, run, err)
		}
		until(t, s, "an answer to "+who, func(sn *playground.Snapshot) bool {
			return slices.ContainsFunc(sn.Ephemerals(who, "#random"), func(m playground.Message) bool { return strings.Contains(m.Text, want) })
		})
	}
}

func TestDoctorNamesAMissingConfigurationOnce(t *testing.T) {
	t.Parallel()
	found, status, text := runDoctor(t, playground.Options{}, "", func(_ *playground.Server, env map[string]string) { env["TOCSIN_CONFIG"] += ".nope" })
	if status != exitUsage || strings.Count(text, "there is no such file") != 1 {
		t.Errorf("ends with %d and finds %+v", status, found.Checks)
	}
}
