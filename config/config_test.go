package config_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// environment is a Getenv and ReadFile of a user "u" whose only setting is the
// default channel, unless a test says otherwise.
type environment struct {
	vars  map[string]string
	files map[string]string
	flags map[string]string
}

func (e environment) input() config.Input {
	vars := map[string]string{"HOME": "/home/u", "SLACK_CHANNEL_ID": "C0123456789", "SLACK_APP_TOKEN": goodApp, "SLACK_BOT_TOKEN": goodBot}
	for name, value := range e.vars {
		vars[name] = value
	}
	return config.Input{
		Getenv: func(name string) string { return vars[name] },
		ReadFile: func(path string) ([]byte, error) {
			if content, ok := e.files[path]; ok {
				if content == "DENIED" {
					return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
				}
				return []byte(content), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
		Flags: e.flags,
		UID:   1000,
		Expressions: config.Expressions{Taken: []string{"github"}, Check: func(e config.Expression) (line, column int, message string) {
			before, _, wrong := strings.Cut(e.Source, "!!")
			if !wrong {
				return 0, 0, ""
			}
			return strings.Count(before, "\n") + 1, len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1, "unexpected !!"
		}},
	}
}

const (
	goodApp = "xapp-1-A0123-456-abc"
	goodBot = "xoxb-123-456-abc"
	etc     = "/etc/tocsin/tocsin.yaml"
)

func load(t *testing.T, e environment) *config.Config {
	t.Helper()
	c, err := config.Load(e.input())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func problems(t *testing.T, e environment) []config.Problem {
	t.Helper()
	_, err := config.Load(e.input())
	list, ok := errors.AsType[*config.Errors](err)
	if !ok {
		t.Fatalf("got %v, want mistakes", err)
	}
	return list.Problems
}

func origin(t *testing.T, c *config.Config, key string) string {
	t.Helper()
	for _, s := range c.Settings() {
		if s.Key == key {
			return s.Origin.String()
		}
	}
	t.Fatalf("no setting %s", key)
	return ""
}

func TestThreeSlackVariablesAreEnough(t *testing.T) {
	c := load(t, environment{vars: map[string]string{"SLACK_SIGNING_SECRET": "0123456789abcdef0123456789abcdef"}})
	app, bot := c.Slack.AppToken, c.Slack.BotToken
	if app.Reveal() != goodApp || bot.Reveal() != goodBot || len(c.Warnings) != 0 {
		t.Errorf("tokens %q and %q with warnings %v", app.Reveal(), bot.Reveal(), c.Warnings)
	}
	got := fmt.Sprint(c.DefaultChannel, " ", c.Listen.TCP, " ", c.Listen.Socket, " ", c.Store, " ", c.Slack.APIURL, " ", c.Delivery, " ", c.Log)
	want := "C0123456789 127.0.0.1:8126 /tmp/tocsin-1000/tocsin.sock sqlite:/home/u/.local/state/tocsin/tocsin.db https://slack.com/api/ {5 5 5m0s 24h0m0s 5m0s 1000000 720h0m0s 0s} {info auto}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLoopbackIsTrustedOnlyIfConfigured(t *testing.T) {
	if load(t, environment{}).Listen.TrustLoopback {
		t.Error("it is trusted by default")
	}
	if !load(t, environment{files: map[string]string{etc: "listen:\n  trust_loopback: true\n"}}).Listen.TrustLoopback {
		t.Error("the option has no effect")
	}
}

func TestADurationMayBeWrittenAsPeopleDo(t *testing.T) {
	in := environment{vars: map[string]string{"SLACK_CHANNEL_ID": "C0123456789", "SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": ""}}.input()
	in.Flags = map[string]string{"config": "x.yaml"}
	in.ReadFile = func(string) ([]byte, error) {
		return []byte("delivery: {retention: 45d, give_up_after: 1 week, probe_every: 2h30m}\n"), nil
	}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Delivery; d.Retention != 45*24*time.Hour || d.GiveUpAfter != 7*24*time.Hour || d.ProbeEvery != 150*time.Minute {
		t.Errorf("read as %+v", d)
	}
}

func TestMistakesAreReportedWithPlaceAndRemedy(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yml"), func(t *testing.T) {
			compareGolden(t, file, said(t, file))
		})
	}
}

// said returns what a person sees who starts Tocsin with this file and nothing else.
func said(t *testing.T, file string) string {
	t.Helper()
	in := environment{vars: map[string]string{"SLACK_CHANNEL_ID": "", "SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": ""}}.input()
	in.ReadFile = os.ReadFile
	in.Flags = map[string]string{"config": file}
	c, err := config.Load(in)
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	for _, p := range c.Warnings {
		fmt.Fprintf(&b, "warning: %s: %s\n      %s\n", p.Where, p.Message, p.Fix)
	}
	return b.String()
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	golden := file + ".want"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if strings.Contains(filepath.Base(file), "invalid") && !strings.HasPrefix(got, "read configuration: ") {
		t.Errorf("an invalid file was loaded")
	}
}

func TestHigherSourcesWin(t *testing.T) {
	yaml := "default_channel: '#yaml'\nlisten:\n  tcp: 127.0.0.1:1\n  token: from-yaml-token\nslack:\n  bot_token: xoxb-yaml\n"
	e := environment{
		files: map[string]string{etc: yaml},
		vars:  map[string]string{"SLACK_CHANNEL_ID": "", "SLACK_BOT_TOKEN": ""},
	}
	c := load(t, e)
	if c.Listen.TCP != "127.0.0.1:1" || origin(t, c, "listen.tcp") != "config "+etc+":3:8" || c.DefaultChannel != "#yaml" {
		t.Errorf("YAML: %s from %s", c.Listen.TCP, origin(t, c, "listen.tcp"))
	}

	e.vars["CREDENTIALS_DIRECTORY"] = "/creds"
	e.files["/creds/slack_bot_token"] = "xoxb-credential\n"
	e.files["/creds/tocsin_api_token"] = "from-credential\n"
	c = load(t, e)
	if c.Slack.BotToken.Reveal() != "xoxb-credential" || c.Listen.Token.Reveal() != "from-credential" || origin(t, c, "slack.bot_token") != "credential /creds/slack_bot_token" {
		t.Errorf("credential: %q from %s", c.Slack.BotToken.Reveal(), origin(t, c, "slack.bot_token"))
	}

	e.vars["SLACK_BOT_TOKEN"], e.vars["TOCSIN_LISTEN"] = "xoxb-environment", "127.0.0.1:2"
	c = load(t, e)
	if c.Slack.BotToken.Reveal() != "xoxb-environment" || c.Listen.TCP != "127.0.0.1:2" || origin(t, c, "listen.tcp") != "environment TOCSIN_LISTEN" {
		t.Errorf("environment: %q, %s", c.Slack.BotToken.Reveal(), c.Listen.TCP)
	}

	e.flags = map[string]string{"listen": "127.0.0.1:3", "store": ""}
	c = load(t, e)
	if c.Listen.TCP != "127.0.0.1:3" || origin(t, c, "listen.tcp") != "flag --listen" || origin(t, c, "store") != "default" {
		t.Errorf("flag: %s from %s", c.Listen.TCP, origin(t, c, "listen.tcp"))
	}
}

func TestAMistakeThatIsOverriddenIsStillReported(t *testing.T) {
	got := problems(t, environment{
		files: map[string]string{etc: "log: {level: loud}\n"},
		flags: map[string]string{"log-level": "debug"},
	})
	if len(got) != 1 || got[0].Where != etc+":1:14" {
		t.Errorf("got %v", got)
	}
}

func TestMistakesInFileEnvironmentAndFlagsAreReportedTogether(t *testing.T) {
	got := problems(t, environment{
		files: map[string]string{etc: "listen:\n  tpc: off\nlog:\n  level: warning\n"},
		vars:  map[string]string{"TOCSIN_STORE": "mysql://root:hunter2@db/x", "SLACK_CHANNEL_ID": "two words"},
		flags: map[string]string{"listen": "8126", "shout": "yes"},
	})
	var where []string
	for _, p := range got {
		where = append(where, p.Where)
		if p.Message == "" || p.Fix == "" || strings.Contains(p.String(), "hunter2") {
			t.Errorf("bad problem %q", p)
		}
	}
	want := etc + ":2:3 " + etc + ":4:10 --listen TOCSIN_STORE SLACK_CHANNEL_ID --shout"
	if strings.Join(where, " ") != want {
		t.Errorf("got  %v\nwant %s", where, want)
	}
	if !strings.Contains(got[2].Fix, "--listen 127.0.0.1:8126") {
		t.Errorf("the flag's remedy is %q", got[2].Fix)
	}
}

func TestAWrongTokenIsToldTogetherWithTheMistakes(t *testing.T) {
	_, err := config.Load(environment{vars: map[string]string{"SLACK_APP_TOKEN": goodBot, "TOCSIN_STORE": "mysql://db/x"}}.input())
	list, ok := errors.AsType[*config.Errors](err)
	if !ok || len(list.Problems) != 1 || len(list.Warnings) != 1 || list.Warnings[0].Where != "SLACK_APP_TOKEN" {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "belongs in SLACK_BOT_TOKEN") || strings.Contains(err.Error(), goodBot) {
		t.Errorf("a person sees %s", err)
	}
}

func TestDefaultPlacesFollowSystemdThenXDGThenTheTemporaryDirectory(t *testing.T) {
	for name, tt := range map[string]struct {
		vars          map[string]string
		socket, store string
	}{
		"systemd": {
			map[string]string{"RUNTIME_DIRECTORY": "/run/tocsin:/run/other", "STATE_DIRECTORY": "/var/lib/tocsin", "XDG_RUNTIME_DIR": "/run/user/1000"},
			"/run/tocsin/tocsin.sock", "sqlite:/var/lib/tocsin/tocsin.db",
		},
		"session": {
			map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000", "XDG_STATE_HOME": "/state"},
			"/run/user/1000/tocsin/tocsin.sock", "sqlite:/state/tocsin/tocsin.db",
		},
		"relative XDG paths are ignored": {
			map[string]string{"XDG_RUNTIME_DIR": "run", "XDG_STATE_HOME": "state", "TMPDIR": "/scratch"},
			"/scratch/tocsin-1000/tocsin.sock", "sqlite:/home/u/.local/state/tocsin/tocsin.db",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := load(t, environment{vars: tt.vars})
			if c.Listen.Socket != tt.socket || c.Store.Reveal() != tt.store {
				t.Errorf("got %s and %s", c.Listen.Socket, c.Store.Reveal())
			}
		})
	}
}

func TestNoHomeAtAllAsksForAStore(t *testing.T) {
	got := problems(t, environment{vars: map[string]string{"HOME": ""}})
	if len(got) != 1 || got[0].Where != "store" || !strings.Contains(got[0].Fix, "TOCSIN_STORE=") {
		t.Errorf("got %v", got)
	}
}

func TestTheFileIsTheNamedOneElseTheSystemsElseTheUsers(t *testing.T) {
	user := "/home/u/.config/tocsin/tocsin.yaml"
	e := environment{files: map[string]string{user: "log: {level: warn}"}, vars: map[string]string{}}
	if c := load(t, e); c.File != user || c.Log.Level != "warn" {
		t.Errorf("read %q", c.File)
	}
	e.files[etc] = "log: {level: error}"
	if c := load(t, e); c.File != etc || c.Log.Level != "error" {
		t.Errorf("read %q", c.File)
	}
	e.files["/my.yaml"] = "log: {level: debug}"
	e.vars["TOCSIN_CONFIG"] = "/my.yaml"
	if c := load(t, e); c.File != "/my.yaml" || c.Log.Level != "debug" {
		t.Errorf("read %q", c.File)
	}
	e.flags = map[string]string{"config": user}
	if c := load(t, e); c.File != user {
		t.Errorf("read %q", c.File)
	}
}

func TestAFileThatCannotBeReadIsOneMistake(t *testing.T) {
	named := problems(t, environment{vars: map[string]string{"TOCSIN_CONFIG": "/nowhere.yaml", "SLACK_CHANNEL_ID": ""}})
	if len(named) != 1 || named[0].Where != "TOCSIN_CONFIG" || !strings.Contains(named[0].Message, "no such file") {
		t.Errorf("missing: %v", named)
	}
	denied := problems(t, environment{files: map[string]string{etc: "DENIED"}})
	if len(denied) != 1 || denied[0].Where != etc || !strings.Contains(denied[0].Message, "permission denied") {
		t.Errorf("denied: %v", denied)
	}
	huge := problems(t, environment{files: map[string]string{etc: strings.Repeat("# x\n", 300_000)}})
	if len(huge) != 1 || !strings.Contains(huge[0].Message, "1 MiB") {
		t.Errorf("huge: %v", huge)
	}
}

func TestAListenerBeyondLoopbackNeedsAToken(t *testing.T) {
	for _, address := range []string{"0.0.0.0:8126", ":8126", "[::]:8126", "10.0.0.1:80", "alerts.example.com:80"} {
		got := problems(t, environment{vars: map[string]string{"TOCSIN_LISTEN": address}})
		if len(got) != 1 || got[0].Where != "TOCSIN_LISTEN" || !strings.Contains(got[0].Fix, "TOCSIN_API_TOKEN") {
			t.Errorf("%s: %v", address, got)
		}
		load(t, environment{vars: map[string]string{"TOCSIN_LISTEN": address, "TOCSIN_API_TOKEN": "0123456789abcdef"}})
	}
	for _, address := range []string{"127.0.0.1:0", "127.1.2.3:80", "[::1]:80", "localhost:65535", "off"} {
		load(t, environment{vars: map[string]string{"TOCSIN_LISTEN": address}})
	}
}

func TestATokenFileThatCannotBeReadKeepsTheListenerShut(t *testing.T) {
	got := problems(t, environment{files: map[string]string{
		etc: "listen: {tcp: '0.0.0.0:1', token_file: /secret}\n", "/secret": "DENIED",
	}})
	if len(got) != 1 || got[0].Where != etc+":1:40" || !strings.Contains(got[0].Message, "permission denied") {
		t.Errorf("got %v", got)
	}
}

func TestValuesAreBroughtToOneSpelling(t *testing.T) {
	c := load(t, environment{
		vars: map[string]string{
			"SLACK_API_URL": "http://127.0.0.1:9/api", "TOCSIN_STORE": "postgresql://u@h/db", "SLACK_CHANNEL_ID": " Ops ",
			"TOCSIN_SOCKET": "off", "TOCSIN_API_TOKEN": "0123456789abcdef\n",
		},
		flags: map[string]string{"give-up-after": "90m"},
	})
	got := fmt.Sprintf("%s %s %s %q %s %s", c.Slack.APIURL, c.Store.Reveal(), c.DefaultChannel, c.Listen.Socket, c.Listen.Token.Reveal(), c.Delivery.GiveUpAfter)
	if want := `http://127.0.0.1:9/api/ postgres://u@h/db #ops "" 0123456789abcdef 1h30m0s`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warned: %v", c.Warnings)
	}
}

// exampleUncommented is the example with every option in force.
func exampleUncommented() string {
	return regexp.MustCompile(`(?m)^( *)#((?:  +(?:- )?)?[a-z_]+:(?: |$))`).ReplaceAllString(config.Example(), "$1$2")
}

// withoutSecretFiles leaves out the alternatives to secrets, which would be
// given twice.
func withoutSecretFiles(file string) string {
	return regexp.MustCompile(`(?m)^ *[a-z_]+_file: .*\n`).ReplaceAllString(file, "")
}

func TestTheExampleLoadsAndShowsTheDefaults(t *testing.T) {
	vars := map[string]string{
		"SLACK_CHANNEL_ID": "", "SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": "",
		"RUNTIME_DIRECTORY": "/run/tocsin", "STATE_DIRECTORY": "/var/lib/tocsin",
	}
	asItStands := load(t, environment{vars: vars, files: map[string]string{etc: config.Example()}})
	if asItStands.DefaultChannel != "#alerts" {
		t.Errorf("default channel %q", asItStands.DefaultChannel)
	}
	uncommented := exampleUncommented()
	all := load(t, environment{vars: vars, files: map[string]string{etc: withoutSecretFiles(uncommented)}})
	for i, s := range all.Settings() {
		isFile := strings.HasSuffix(s.Key, "_file")
		if inFile := strings.HasPrefix(s.Origin.String(), "config "); inFile == isFile {
			t.Errorf("%s is missing from the example, or shown twice: %s", s.Key, s.Origin)
		}
		secret := strings.Contains(s.Key, "token") || strings.Contains(s.Key, "secret")
		example := s.Key == "routes" || s.Key == "times" || s.Key == "inhibit" || s.Key == "ingest.services" || s.Key == "ingest.heartbeats" || s.Key == "ingest.image_hosts" || s.Key == "ingest.webhooks" || s.Key == "listen.tokens" || s.Key == "fallback_channel" || s.Key == "slack.trace_url" || s.Key == "delivery.last_resort"
		if want := asItStands.Settings()[i].Value; !secret && !example && s.Value != want {
			t.Errorf("the example says %s: %s, the default is %s", s.Key, s.Value, want)
		}
		if name := s.Key[strings.LastIndexByte(s.Key, '.')+1:]; !strings.Contains(uncommented, name+":") {
			t.Errorf("the example has no %s", s.Key)
		}
	}
}

func TestTheExampleHasEveryOptionOfARoute(t *testing.T) {
	file := exampleUncommented()
	c := load(t, environment{files: map[string]string{etc: withoutSecretFiles(file)}})
	if len(c.Routing.Routes) != 1 || len(c.Warnings) != 0 {
		t.Fatalf("routes %+v, warnings %v", c.Routing.Routes, c.Warnings)
	}
	everyFieldSet(t, reflect.ValueOf(c.Routing.Routes[0]))
	everyFieldSet(t, reflect.ValueOf(c.Routing.Routes[0].Escalate[1]))
	everyFieldSet(t, reflect.ValueOf(*c.Routing.Routes[0].Quiet))
}

// everyFieldSet fails for each field that is as if nobody had said anything.
func everyFieldSet(t *testing.T, v reflect.Value) {
	t.Helper()
	for n := range v.NumField() {
		if v.Field(n).IsZero() {
			t.Errorf("the example sets no %s of a %s", v.Type().Field(n).Name, v.Type().Name())
		}
	}
}

func TestTheLastResortIsAProgramWithItsArguments(t *testing.T) {
	for yaml, want := range map[string]string{
		`["/usr/bin/mail", "-s", "two words", 7]`: `["/usr/bin/mail" "-s" "two words" "7"]`,
		`/usr/local/bin/page`:                     `["/usr/local/bin/page"]`,
	} {
		c := load(t, environment{files: map[string]string{etc: "default_channel: '#a'\ndelivery:\n  last_resort: " + yaml + "\n"}})
		if got := fmt.Sprintf("%q", c.LastResort); got != want {
			t.Errorf("%s is read as %s", yaml, got)
		}
	}
}

// What is an argument, everybody on the machine can read.
func TestNoSecretIsAFlag(t *testing.T) {
	for _, name := range config.FlagNames() {
		if strings.Contains(name, "token") || strings.Contains(name, "secret") {
			t.Errorf("--%s takes a secret", name)
		}
	}
}

func TestShowMasksSecretsAndSaysWhereValuesCameFrom(t *testing.T) {
	c := load(t, environment{vars: map[string]string{
		"TOCSIN_STORE": "postgres://tocsin:hunter@2@db/tocsin?sslpassword=hunter3&sslmode=require", "TOCSIN_API_TOKEN": "hunter4-hunter4-hunter4",
	}})
	var shown strings.Builder
	for _, s := range c.Settings() {
		fmt.Fprintln(&shown, s.Key, s.Value, s.Origin)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	everything := shown.String() + string(asJSON) + fmt.Sprintf("%v %+v %#v %v %v %q %q", c.Store, *c, c.Store, c.Listen, c.Slack, c.Slack.AppToken, c.Slack.BotToken)
	for _, secret := range []string{"hunter", "2@db", goodApp, goodBot} {
		if strings.Contains(everything, secret) {
			t.Errorf("%q is shown in\n%s", secret, everything)
		}
	}
	for _, line := range []string{
		`slack.app_token +\*\*\* +environment SLACK_APP_TOKEN`,
		`slack.app_token_file +default`,
		`store +postgres://tocsin:\*\*\*@db/tocsin\?sslpassword=\*\*\*&sslmode=require +environment TOCSIN_STORE`,
		`delivery.digest_above +5 +default`,
		`delivery.give_up_after +24h +default`,
	} {
		if !regexp.MustCompile(`(?m)^` + line + `$`).MatchString(shown.String()) {
			t.Errorf("no line %s in\n%s", line, shown.String())
		}
	}
	var decoded struct {
		Settings []struct{ Key, Value, Origin string }
		Warnings []config.Problem
	}
	if err := json.Unmarshal(asJSON, &decoded); err != nil || len(decoded.Settings) != len(c.Settings()) || decoded.Warnings == nil {
		t.Errorf("JSON %s: %v", asJSON, err)
	}
}

func TestHowMuchIsKeptCanBeChosen(t *testing.T) {
	vars := map[string]string{"SLACK_CHANNEL_ID": "#a"}
	plain := load(t, environment{vars: vars}).Delivery
	if want := (config.Delivery{DigestAbove: 5, FlappingTimes: 5, FlappingWithin: 5 * time.Minute, GiveUpAfter: 24 * time.Hour, ProbeEvery: 5 * time.Minute, MaxPending: 1_000_000, Retention: 30 * 24 * time.Hour}); plain != want {
		t.Errorf("by default %+v, want %+v", plain, want)
	}
	const file = "delivery:\n  max_pending: 5_000\n  retention: 1h\n  dead_retention: 90m\n"
	chosen := load(t, environment{vars: vars, files: map[string]string{etc: file}}).Delivery
	if want := (config.Delivery{DigestAbove: 5, FlappingTimes: 5, FlappingWithin: 5 * time.Minute, GiveUpAfter: 24 * time.Hour, ProbeEvery: 5 * time.Minute, MaxPending: 5000, Retention: time.Hour, DeadRetention: 90 * time.Minute}); chosen != want {
		t.Errorf("chosen %+v, want %+v", chosen, want)
	}
}

func TestEveryFlagIsUnderstood(t *testing.T) {
	values := map[string]string{
		"config": "/c.yaml", "default-channel": "#a", "digest-above": "7", "give-up-after": "1h", "listen": "off", "log-format": "json", "log-level": "error",
		"slack-api-url": "https://slack-gov.com/api/", "socket": "/s", "store": "sqlite:x.db",
	}
	if names := config.FlagNames(); len(names) != len(values) {
		t.Fatalf("flags %v", names)
	}
	c := load(t, environment{flags: values, files: map[string]string{"/c.yaml": ""}})
	got := fmt.Sprint(c.File, c.DefaultChannel, c.Delivery.DigestAbove, c.Delivery.GiveUpAfter == time.Hour, c.Listen.TCP, c.Log, c.Slack.APIURL, c.Listen.Socket, c.Store)
	if want := `/c.yaml#a7true{error json}https://slack-gov.com/api//ssqlite:x.db`; strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAProxyThatCannotBeParsedIsRefused(t *testing.T) {
	for address, good := range map[string]bool{
		"": true, "proxy:3128": true, "proxy": true, "http://ann:p%40ss@proxy:3128": true, "socks5://[::1]:1080": true,
		"proxy:31 28": false, "http://proxy:port": false, "http://": false, "http://ann:50%@proxy": false, "http://ann:secret:@proxy\x01": false,
	} {
		for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
			env := map[string]string{name: address, "SLACK_APP_TOKEN": "xapp-1-A1-1-a", "SLACK_BOT_TOKEN": "xoxb-1-1-a", "SLACK_CHANNEL_ID": "C0OPS1", "HOME": "/home/ann"}
			_, err := config.Load(config.Input{Getenv: func(key string) string { return env[key] }, ReadFile: os.ReadFile})
			if (err == nil) != good || !good && (!strings.Contains(err.Error(), name+": is not the address of a proxy") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("%s=%s: %v", name, address, err)
			}
		}
	}
}
