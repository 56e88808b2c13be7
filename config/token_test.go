package config_test

import (
	"strings"
	"testing"

	"tocsin/config"
)

func TestATokenOfTheWrongKindIsNamedAndTheRightOneLocated(t *testing.T) {
	for token, says := range map[string]string{
		"xoxb-1-2-secret":                        "a bot token, which belongs in SLACK_BOT_TOKEN",
		"xoxp-1-2-secret":                        "a user's token",
		"xoxe.xoxb-1-secret":                     "switch token rotation off",
		"xoxe-1-secret":                          "switch token rotation off",
		"xoxe.xoxp-1-secret":                     "switch token rotation off",
		"xoxc-1-secret":                          "a browser session",
		"0123456789abcdef0123456789abcdef":       "a signing or client secret",
		"123456.789012":                          "a client ID",
		"A0123ABCDEF":                            "an app ID",
		"https://hooks.slack.com/services/T/B/x": "incoming webhook",
		"hunter2":                                "not a token of Slack",
		"xapp-...":                               "placeholder",
		"xapp-1-secret xapp-1-secret":            "inside",
	} {
		c := load(t, environment{vars: map[string]string{"SLACK_APP_TOKEN": token}})
		if len(c.Warnings) != 1 {
			t.Errorf("%s: warnings %v", token, c.Warnings)
			continue
		}
		w := c.Warnings[0]
		if w.Where != "SLACK_APP_TOKEN" || !strings.Contains(w.Message, says) || !strings.Contains(w.Fix, "App-Level Tokens") || !strings.Contains(w.Fix, "connections:write") {
			t.Errorf("%s: %s", token, w)
		}
		if strings.Contains(w.String(), "secret xapp") || strings.Contains(w.String(), "hunter2") || strings.Contains(w.String(), "-secret") {
			t.Errorf("the warning shows the token: %s", w)
		}
	}
	c := load(t, environment{vars: map[string]string{"SLACK_BOT_TOKEN": "xapp-1-secret"}})
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Fix, "Bot User OAuth Token") {
		t.Errorf("got %v", c.Warnings)
	}
}

func TestWhatWasPastedAroundATokenIsLeftOutAndSaid(t *testing.T) {
	for raw, says := range map[string]string{
		goodApp + "\n":        "blanks or line ends",
		" " + goodApp:         "blanks or line ends",
		`"` + goodApp + `"`:   "quotation marks",
		"“" + goodApp + "”":   "quotation marks",
		"Bearer " + goodApp:   "the word Bearer",
		`'bearer ` + goodApp:  "quotation marks",
		goodApp + "\r\n \t\n": "blanks or line ends",
	} {
		c := load(t, environment{vars: map[string]string{"SLACK_APP_TOKEN": raw}})
		if app := c.Slack.AppToken; app.Reveal() != goodApp {
			t.Errorf("%q became %q", raw, app.Reveal())
		}
		if len(c.Warnings) == 0 || !strings.Contains(c.Warnings[0].Message, says) {
			t.Errorf("%q: warnings %v", raw, c.Warnings)
		}
	}
}

func TestMissingTokensAreWarningsThatSayWhereToFindThem(t *testing.T) {
	c := load(t, environment{vars: map[string]string{"SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": "", "CREDENTIALS_DIRECTORY": "/creds"}, files: map[string]string{"/creds/slack_app_token": "\n"}})
	if len(c.Warnings) != 2 || c.Warnings[0].Where != "SLACK_APP_TOKEN" || c.Warnings[1].Where != "SLACK_BOT_TOKEN" {
		t.Fatalf("got %v", c.Warnings)
	}
	if !strings.Contains(c.Warnings[1].String(), "set SLACK_BOT_TOKEN or slack.bot_token_file") {
		t.Errorf("got %s", c.Warnings[1])
	}
}

func TestATokenFileThatCannotBeReadIsAWarning(t *testing.T) {
	e := environment{
		vars:  map[string]string{"SLACK_APP_TOKEN": ""},
		files: map[string]string{etc: "slack:\n  app_token_file: /run/secrets/app\n"},
	}
	c := load(t, e)
	if len(c.Warnings) != 1 || c.Warnings[0].Where != etc+":2:19" || !strings.Contains(c.Warnings[0].Message, "no such file") {
		t.Errorf("got %v", c.Warnings)
	}
}

func TestTokensPutRightOnDiskAreReadAgain(t *testing.T) {
	e := environment{
		vars:  map[string]string{"SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": "", "CREDENTIALS_DIRECTORY": "/creds"},
		files: map[string]string{etc: "slack: {app_token_file: /app}\nlog: {level: nonsense}\n", "/app": "xoxb-wrong\n", "/creds/slack_bot_token": goodBot},
	}
	before := e.input().Tokens()
	if before.App.Reveal() != "xoxb-wrong" || before.Bot.Reveal() != goodBot || len(before.Warnings) != 1 || before.Warnings[0].Where != "/app" {
		t.Errorf("got %q, %q, %v", before.App.Reveal(), before.Bot.Reveal(), before.Warnings)
	}
	e.files["/app"] = goodApp + "\n"
	after := e.input().Tokens()
	if after.App.Reveal() != goodApp || len(after.Warnings) != 0 {
		t.Errorf("got %q, %v", after.App.Reveal(), after.Warnings)
	}
	e.files[etc] = "slack: {app_token: [}\n"
	if broken := e.input().Tokens(); broken.App != "" || len(broken.Warnings) != 1 || broken.Warnings[0].Where != etc+":1:21" {
		t.Errorf("got %q, %v", broken.App.Reveal(), broken.Warnings)
	}
}

func TestARunningDaemonNeedsTheTokensOfTheModeInUse(t *testing.T) {
	e := environment{
		vars:  map[string]string{"SLACK_APP_TOKEN": goodApp, "SLACK_BOT_TOKEN": goodBot},
		files: map[string]string{etc: "slack: {mode: http}\n"},
	}
	in := e.input()
	in.Mode = config.SocketMode
	if now := in.Tokens(); now.App.Reveal() != goodApp || len(now.Warnings) != 0 {
		t.Errorf("got %q, %v", now.App.Reveal(), now.Warnings)
	}
}

func TestATokenThatIsNewerThanSystemdsCopyIsUsedIfItsFileCanBeRead(t *testing.T) {
	e := environment{
		vars:  map[string]string{"SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": "", "CREDENTIALS_DIRECTORY": "/creds", "CONFIGURATION_DIRECTORY": "/etc/tocsin"},
		files: map[string]string{"/creds/slack_app_token": goodApp, "/creds/slack_bot_token": goodBot},
	}
	for file, want := range map[string]string{"": goodBot, "DENIED": goodBot, "\n": goodBot, "xoxb-newer\n": "xoxb-newer"} {
		e.files["/etc/tocsin/slack_bot_token"] = file
		if file == "" {
			delete(e.files, "/etc/tocsin/slack_bot_token")
		}
		if now := e.input().Tokens(); now.Bot.Reveal() != want || now.App.Reveal() != goodApp || len(now.Warnings) != 0 {
			t.Errorf("with %q the tokens are %q and %q, %v", file, now.Bot.Reveal(), now.App.Reveal(), now.Warnings)
		}
	}
}

func TestTokensOverPlainHTTPAreWarnedOf(t *testing.T) {
	c := load(t, environment{vars: map[string]string{"SLACK_API_URL": "http://playground:8080/api/"}})
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Message, "unencrypted") {
		t.Errorf("got %v", c.Warnings)
	}
	for _, local := range []string{"http://localhost/api/", "http://127.0.0.1:80/api/", "http://[::1]:80/api/"} {
		if c := load(t, environment{vars: map[string]string{"SLACK_API_URL": local}}); len(c.Warnings) != 0 {
			t.Errorf("%s: %v", local, c.Warnings)
		}
	}
}

func TestClientsLookWhereADaemonOfTheUserOrTheSystemListens(t *testing.T) {
	vars := map[string]string{"XDG_RUNTIME_DIR": "/run/user/1000", "SLACK_CHANNEL_ID": ""}
	client, err := config.LoadClient(environment{vars: vars, files: map[string]string{etc: "DENIED"}}.input())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(client.Sockets, " "); got != "/run/user/1000/tocsin/tocsin.sock /tmp/tocsin-1000/tocsin.sock /run/tocsin/tocsin.sock" || client.TCP != "127.0.0.1:8126" {
		t.Errorf("got %s and %s", got, client.TCP)
	}
	client, err = config.LoadClient(environment{vars: vars, files: map[string]string{
		etc: "nonsense: 1\nlisten: {socket: /srv/t.sock, token_file: /secret, tcp: off}", "/secret": "DENIED",
	}}.input())
	if err != nil || len(client.Sockets) != 1 || client.Sockets[0] != "/srv/t.sock" || client.TCP != "" || client.Token != "" {
		t.Errorf("got %+v, %v", client, err)
	}
	client, err = config.LoadClient(environment{vars: map[string]string{"TOCSIN_SOCKET": "off", "TOCSIN_API_TOKEN": "abc"}}.input())
	if err != nil || len(client.Sockets) != 0 || client.Token.Reveal() != "abc" {
		t.Errorf("got %+v, %v", client, err)
	}
	if _, err = config.LoadClient(environment{vars: map[string]string{"TOCSIN_SOCKET": "here"}}.input()); err == nil || !strings.Contains(err.Error(), "TOCSIN_SOCKET: ") {
		t.Errorf("got %v", err)
	}
}

func TestTheStoreIsFoundInAConfigurationWithOtherMistakes(t *testing.T) {
	in := func(content string, vars map[string]string) config.Input {
		return environment{vars: vars, files: map[string]string{etc: content}}.input()
	}
	for want, given := range map[string]config.Input{
		"sqlite:/srv/a.db":                         in("nonsense: 1\nstore: sqlite:/srv/a.db\nroutes: [{too: x}]", map[string]string{"SLACK_CHANNEL_ID": ""}),
		"sqlite:/srv/b.db":                         in("store: sqlite:/srv/a.db", map[string]string{"TOCSIN_STORE": "sqlite:/srv/b.db"}),
		"sqlite:/var/lib/private/tocsin/tocsin.db": in("", map[string]string{"STATE_DIRECTORY": "/var/lib/private/tocsin"}),
	} {
		if got, err := config.LoadStore(given); err != nil || got.Reveal() != want {
			t.Errorf("%s: found %s, %v", want, got.Reveal(), err)
		}
	}
	for _, given := range []config.Input{in("store: [", nil), in("store: mysql:x", nil)} {
		if got, err := config.LoadStore(given); err == nil {
			t.Errorf("found %s", got.Reveal())
		}
	}
}

func TestAnAPIAddressWithoutAPIIsWarnedOf(t *testing.T) {
	c := load(t, environment{vars: map[string]string{"SLACK_API_URL": "https://slack-gov.com"}})
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].String(), "https://slack-gov.com/api/") {
		t.Errorf("warned: %v", c.Warnings)
	}
}

func TestQuotationMarksAroundAVariableAreIgnored(t *testing.T) {
	c := load(t, environment{vars: map[string]string{"SLACK_CHANNEL_ID": `"C0123456789"`, "TOCSIN_LISTEN": ` 'off' `, "SLACK_API_URL": `"https://slack.com/api/"`, "TOCSIN_API_TOKEN": `"s3cret"`}})
	if c.DefaultChannel != "C0123456789" || c.Listen.TCP != "" || c.Slack.APIURL != "https://slack.com/api/" || c.Listen.Token.Reveal() != "s3cret" {
		t.Errorf("read %q %q %q %q", c.DefaultChannel, c.Listen.TCP, c.Slack.APIURL, c.Listen.Token.Reveal())
	}
}

func TestTypographicQuotationMarksAroundAVariableAreToleratedToo(t *testing.T) {
	for _, marks := range []string{`""`, "''", "“”", "‘’", "„“", "””", "«»", "``"} {
		marks := []rune(marks)
		quote := func(s string) string { return " " + string(marks[0]) + s + string(marks[1]) + "\n" }
		c := load(t, environment{vars: map[string]string{"SLACK_CHANNEL_ID": quote("C0123456789"), "TOCSIN_LISTEN": quote("127.0.0.1:2"), "TOCSIN_STORE": quote("sqlite:/x/t.db")}})
		if c.DefaultChannel != "C0123456789" || c.Listen.TCP != "127.0.0.1:2" || c.Store.Reveal() != "sqlite:/x/t.db" {
			t.Errorf("%c…%c: %s, %s, %s", marks[0], marks[1], c.DefaultChannel, c.Listen.TCP, c.Store.Reveal())
		}
	}
}
