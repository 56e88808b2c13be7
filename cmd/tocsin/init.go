package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/config"
)

// initCmd sets up a daemon: it asks or takes flags, checks with Slack, and writes everything
// at the end.
type initCmd struct {
	world
	ask console

	appFile, botFile             string
	channel, config, apiURL      string
	credentials                  string
	noStart, yes                 bool
	recovered                    bool // an interrupted setup was undone
	uid                          int
	root, systemctl, systemCreds string // the system's folder and programs; tests have their own
}

// The values of --credentials.
const (
	credentialsAuto      = "auto"
	credentialsEncrypted = "encrypted"
	credentialsPlain     = "plain"
)

func newInit(w world) *cobra.Command {
	c := thisHost(w)
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Set up Tocsin: the Slack app, its tokens, the channel, the service, the first alert",
		Long: `Set up Tocsin. It prints the link that creates the Slack app, asks for the two tokens and
checks each with Slack, offers the channels that the bot is in, writes everything down, starts
the service, and sends the first alert.

As root, where systemd has the unit of the package, it sets up this service: the tokens are
systemd's credentials in /etc/tocsin, encrypted where systemd-creds can do that, and the rest
is in /etc/tocsin/tocsin.yaml. Elsewhere everything is in the configuration file, with mode
0600, and it says how to start the daemon.

Without a terminal, or with --yes, it asks nothing: the tokens come from files or from
SLACK_APP_TOKEN and SLACK_BOT_TOKEN, the channel from --channel or SLACK_CHANNEL_ID.

Run again, it changes what is asked and keeps the rest, also comments. It writes nothing
before everything is known and accepted, and puts everything back if the daemon does not start
with it.`,
		Example: `  sudo tocsin init
  sudo tocsin init --channel '#ops'
  sudo tocsin init --yes --bot-token-file new-token
  tocsin init --config ~/.config/tocsin/tocsin.yaml`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&c.appFile, "app-token-file", "", "read the app-level token from this `FILE`")
	f.StringVar(&c.botFile, "bot-token-file", "", "read the bot token from this `FILE`")
	f.StringVar(&c.channel, "channel", "", "send alerts without a conversation to this one, by `NAME`: C…, #name, @user, user@mail")
	f.StringVar(&c.config, "config", "", "write this YAML `FILE`, for a daemon that is not the service")
	f.StringVar(&c.apiURL, "slack-api-url", "", "base `URL` of Slack's Web API, for playgrounds and GovSlack")
	f.StringVar(&c.credentials, "credentials", credentialsAuto, "how the service's tokens are kept, as `KIND`: encrypted, plain, or auto\n(encrypted where systemd-creds can do that)")
	f.BoolVar(&c.noStart, "no-start", false, "only write; start and restart nothing, and send no alert")
	f.BoolVarP(&c.yes, "yes", "y", false, "ask nothing")
	completeFlag(cmd, "app-token-file", completeFile)
	completeFlag(cmd, "bot-token-file", completeFile)
	completeFlag(cmd, "config", completeFile)
	completeFlag(cmd, "credentials", oneOf(credentialsAuto, credentialsEncrypted, credentialsPlain))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) }
	return cmd
}

// wanted is what a daemon is set up with. A token that stays as it is, where it is, is not new.
type wanted struct {
	app, bot               alert.Secret
	newApp, newBot         bool
	channel, apiURL        string
	newChannel, newAddress bool
	authorities            *x509.CertPool // that are trusted for Slack's address
}

func (w wanted) changes() bool { return w.newApp || w.newBot || w.newChannel || w.newAddress }

// run sets up a daemon. Until everything is known nothing is written.
func (c *initCmd) run(ctx context.Context) error {
	// A terminal that is closed must not leave half of it, nor Ctrl-\ a terminal that shows
	// nothing.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	return c.setUp(ctx)
}

// asBefore is an error before anything was written.
func (c *initCmd) asBefore(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return fmt.Errorf("%w; %s", err, c.unchanged())
}

func (c *initCmd) unchanged() string {
	if c.recovered {
		return "nothing else was changed"
	}
	return "nothing was changed"
}

func (c *initCmd) setUp(ctx context.Context) error {
	if c.credentials != credentialsAuto && c.credentials != credentialsEncrypted && c.credentials != credentialsPlain {
		return &usageError{fmt.Errorf("--credentials %s is not one of auto, encrypted, plain", flat(c.credentials))}
	}
	if !c.yes && isTerminal(c.stdin) {
		c.ask = console{in: c.stdin.(*os.File), out: c.stdout} //nolint:forcetypeassert // a terminal is a file
	}
	t, err := c.target(ctx)
	if err != nil {
		return err
	}
	if err := t.lock(); err != nil {
		return c.asBefore(ctx, err)
	}
	defer t.unlock()
	was, err := c.before(ctx, t)
	if err != nil {
		return err
	}
	want, err := c.gather(ctx, t, was)
	switch {
	case err != nil:
		return c.asBefore(ctx, err)
	case !want.changes():
		c.print("Nothing is new, so %s. \"tocsin test\" sends a test alert.\n", c.unchanged())
		return nil
	}
	return c.apply(ctx, t, was, want)
}

// print says something; where nobody listens any more, that is no reason to stop.
func (c *initCmd) print(format string, args ...any) {
	_ = c.world.print(false, nil, fmt.Sprintf(format, args...))
}

// before is what the daemon is set up with now, after an earlier setup that was killed is
// undone.
func (c *initCmd) before(ctx context.Context, t *target) (*config.Setup, error) {
	undone, err := t.recover()
	if err != nil {
		return nil, fmt.Errorf("undo what an interrupted tocsin init has left: %w", err)
	}
	if undone != nil {
		c.recovered = true
		c.print("An earlier tocsin init was interrupted while it wrote; what was there before is back%s.\n", undone.except())
		for _, path := range undone.back {
			c.print("  %s\n", path)
		}
		t.useRecovered(ctx, undone)
	}
	if err := t.decrypt(ctx); err != nil {
		return nil, err
	}
	was, err := config.LoadSetup(t.input(nil))
	if err == nil && was.Mode != config.SocketMode {
		err = &usageError{fmt.Errorf("%s has slack.mode: %s, and tocsin init sets up Socket Mode: change that there by hand (tocsin config example), then use tocsin doctor", t.file, was.Mode)}
	}
	return was, err
}

// client is Slack with these tokens.
func (c *initCmd) client(want wanted) *bot.Bot {
	return bot.New(bot.Options{APIURL: want.apiURL, Authorities: want.authorities, Tokens: func() (app, bot alert.Secret) { return want.app, want.bot }, Log: zap.NewNop()})
}

// gather asks for everything, and has Slack check it.
func (c *initCmd) gather(ctx context.Context, t *target, was *config.Setup) (want wanted, err error) {
	if err := c.address(was, &want); err != nil {
		return want, err
	}
	if c.ask.asks() {
		if err := c.explain(t); err != nil {
			return want, err
		}
	}
	c.step("2. The app-level token: Basic Information > App-Level Tokens > Generate, with the scope connections:write")
	if want.app, err = c.token(ctx, tokenAsked{"SLACK_APP_TOKEN", "app-level token", "--app-token-file", c.appFile, was.App}, want); err != nil {
		return want, err
	}
	c.step("3. The bot token: Install App > Install to Workspace > Bot User OAuth Token")
	if want.bot, err = c.token(ctx, tokenAsked{"SLACK_BOT_TOKEN", "bot token", "--bot-token-file", c.botFile, was.Bot}, want); err != nil {
		return want, err
	}
	want.newApp, want.newBot = want.app != was.App || t.movesCredential(appCredential), want.bot != was.Bot || t.movesCredential(botCredential)
	if err := c.examine(ctx, want); err != nil {
		return want, err
	}
	c.step("4. The channel of alerts that name none")
	// Without the app-level token no connection is opened once more.
	slack := c.client(wanted{bot: want.bot, apiURL: want.apiURL, authorities: want.authorities})
	if want.channel, err = c.chooseChannel(ctx, slack, was.DefaultChannel); err != nil {
		return want, err
	}
	want.newChannel = want.channel != was.DefaultChannel
	return want, nil
}

// step begins a part of what is asked.
func (c *initCmd) step(format string, args ...any) {
	if c.ask.asks() {
		c.print("\n"+format+"\n", args...)
	}
}

// address is where Slack's API is.
func (c *initCmd) address(was *config.Setup, want *wanted) error {
	want.apiURL, want.authorities = was.APIURL, was.Authorities
	given := cmp.Or(c.apiURL, c.getenv("SLACK_API_URL"))
	if given == "" {
		return nil
	}
	asked, err := config.LoadSetup(config.Input{Getenv: func(string) string { return "" }, ReadFile: none, Flags: map[string]string{"slack-api-url": given}})
	if err == nil {
		want.apiURL, want.newAddress = asked.APIURL, asked.APIURL != was.APIURL
	}
	return err
}

// none is a file system without files.
func none(string) ([]byte, error) { return nil, os.ErrNotExist }

// explain says what is set up, and where the app comes from.
func (c *initCmd) explain(t *target) error {
	manifest, err := manifestJSON(manifestYAML)
	if err != nil {
		return err
	}
	c.print("This sets up %s. Nothing is written before the end; Ctrl-C leaves everything as it is.\n\n"+
		"1. The Slack app. If you have none yet, open this link, choose the workspace, press Create:\n\n%s\n", t.what(), manifestLink(manifest))
	return nil
}

// tokenAsked is one of the tokens: the variable and the flag that may have it, and the
// present one.
type tokenAsked struct {
	variable, what, flag, file string
	was                        alert.Secret
}

// given is a token from a file or the environment; empty if there is none.
func (c *initCmd) given(asked tokenAsked) (string, error) {
	if asked.file == "" {
		return c.getenv(asked.variable), nil
	}
	content, err := readFile(asked.file)
	if err != nil {
		return "", &usageError{fmt.Errorf("read the token: %w", err)}
	}
	if strings.TrimSpace(string(content)) == "" {
		return "", &usageError{fmt.Errorf("there is no token in %s", asked.file)}
	}
	return string(content), nil
}

// token is the one that is given, or that a person pastes, or the present one. Slack has
// accepted it.
func (c *initCmd) token(ctx context.Context, asked tokenAsked, want wanted) (alert.Secret, error) {
	given, err := c.given(asked)
	if err != nil {
		return "", err
	}
	if given != "" || !c.ask.asks() {
		return c.checkedToken(ctx, asked, given, want)
	}
	prompt := "   Paste it (it is not shown): "
	if asked.was != "" {
		prompt = "   Paste it (it is not shown), or press Enter to keep the present one: "
	}
	for {
		pasted, err := c.ask.secret(ctx, prompt)
		if err != nil {
			return "", err
		}
		token, err := c.checkedToken(ctx, asked, pasted, want)
		if err == nil || ctx.Err() != nil {
			return token, err
		}
		c.print("   %s\n", err)
	}
}

// checkedToken checks a token that was given, or else the present one.
func (c *initCmd) checkedToken(ctx context.Context, asked tokenAsked, given string, want wanted) (alert.Secret, error) {
	token := asked.was
	switch {
	case strings.TrimSpace(given) != "":
		var err error
		if token, err = config.CheckToken(asked.variable, given); err != nil {
			return "", &usageError{err}
		}
	case token == "" && c.ask.asks():
		return "", fmt.Errorf("there is no %s yet: paste one", asked.what)
	case token == "":
		return "", &usageError{fmt.Errorf("there is no %s: give it in a file (%s) or as %s", asked.what, asked.flag, asked.variable)}
	}
	return token, c.tryToken(ctx, asked, token, want)
}

// tryToken asks Slack about one token.
func (c *initCmd) tryToken(ctx context.Context, asked tokenAsked, token alert.Secret, want wanted) error {
	app, bot := token, alert.Secret("")
	if asked.variable == "SLACK_BOT_TOKEN" {
		app, bot = "", token
	}
	if err := c.client(want).Try(ctx, app, bot); err != nil {
		return err
	}
	if c.ask.asks() {
		c.print("   Slack accepts it.\n")
	}
	return nil
}

// examine looks at both tokens together as doctor does. What does not work is an error, what
// could be better is said.
func (c *initCmd) examine(ctx context.Context, want wanted) error {
	if !want.newApp && !want.newBot && !want.newAddress {
		return nil
	}
	var wrong []string
	for _, check := range c.client(want).Examine(ctx, bot.Needs{}, nil) {
		switch {
		case check.Name == "other connections" || check.Name == "clock": // of a daemon that runs, and no matter of Slack's
		case check.Result == alert.CheckError:
			wrong = append(wrong, fmt.Sprintf("%s: %s; %s", strings.TrimSpace(check.Name+" "+check.About), check.Found, check.Fix))
		case check.Result == alert.CheckWarning:
			c.print("Warning: %s: %s; %s\n", strings.TrimSpace(check.Name+" "+check.About), check.Found, check.Fix)
		case check.Name == "bot token":
			c.print("Slack knows the bot as %s.\n", check.Found)
		}
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	return ctx.Err()
}
