package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tocsin/alert"
	"tocsin/config"
	"tocsin/playground"
)

type demoCmd struct {
	listen string
	api    string
	// requestsTo is where the small Slack sends its requests; empty for Socket Mode.
	requestsTo string
	noBrowser  bool
	quiet      bool
	// shown are alerts that are pushed in place of the story, and routing is where they go.
	shown   []alert.Alert
	routing alert.Routing
}

// demoAddress is the usual address of the page.
const demoAddress = "127.0.0.1:8127"

func newDemo(w world) *cobra.Command {
	var c demoCmd
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the daemon with a small Slack in the same process, and a web page",
		Long: `Run the daemon of tocsin serve with a small Slack in the same process instead of the real
one, and a store that is deleted at the end. Nothing leaves this machine. It ignores
your configuration and environment (TOCSIN_SOCKET, TOCSIN_API_TOKEN and so on), so that it
can't disturb a real daemon; commands reach it at the address that it prints.`,
		Example: `  tocsin demo
  tocsin demo --no-browser --listen 127.0.0.1:9000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), w) },
	}
	cmd.Flags().StringVar(&c.listen, "listen", demoAddress, "serve the page at this `ADDRESS`, or at another port if it is in use")
	cmd.Flags().StringVar(&c.api, "api", "127.0.0.1:8126", "accept alerts at this `ADDRESS`, or at another port if it is in use")
	cmd.Flags().BoolVar(&c.noBrowser, "no-browser", false, "do not open the page in a browser")
	cmd.Flags().BoolVar(&c.quiet, "quiet", false, "push no sample alerts")
	return cmd
}

// demoStory is what happens in the first two minutes of the demo, demoConfig its
// routes.
var (
	//go:embed demo.json
	demoStory []byte
	//go:embed demo.yaml
	demoConfig []byte
)

// scene is one event of the story, which happens After the one before.
type scene struct {
	After string `json:"after"`
	// Alert is pushed to the daemon.
	Alert json.RawMessage `json:"alert,omitempty"`
	// By is the person who acts in Slack: types Command into Channel, or presses
	// Click on the newest message there that contains On.
	By      string `json:"by,omitempty"`
	Channel string `json:"channel,omitempty"`
	Command string `json:"command,omitempty"`
	Click   string `json:"click,omitempty"`
	On      string `json:"on,omitempty"`
}

func (c demoCmd) run(ctx context.Context, w world) (err error) {
	dir, err := os.MkdirTemp("", "tocsin-demo-")
	if err != nil {
		return fmt.Errorf("create a folder for the demo's store: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	socket := filepath.Join(dir, "tocsin.sock")
	slack, err := c.slack(ctx, socketClient(socket))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, slack.Close()) }()
	cfg, in, err := c.config(ctx, slack, dir, socket)
	if err != nil {
		return err
	}
	if len(c.shown) > 0 {
		cfg.Routing = c.routing
		c.addConversations(slack)
	}
	d, err := newDaemon(ctx, cfg, origin{in: in, log: buildLog(w.stderr, zapcore.WarnLevel, true, w.colour()), level: zap.NewAtomicLevel(), doors: &doors{}})
	if err != nil {
		return err
	}
	if err := c.greet(w, slack.URL(), d.serverURL()); err != nil {
		return errors.Join(err, d.close())
	}
	if !c.noBrowser && isTerminal(w.stdout) {
		openBrowser(ctx, slack.URL())
	}
	parts := newStages(d.log)
	parts.start("demo", time.Second, func(ctx context.Context) error {
		if len(c.shown) > 0 {
			_, err := d.engine.Push(ctx, c.shown)
			return err
		}
		return c.play(ctx, slack, socketClient(socket))
	})
	return errors.Join(d.run(ctx), parts.stop())
}

// slack starts the playground, whose page pushes alerts to daemon.
func (c demoCmd) slack(ctx context.Context, daemon *client) (*playground.Server, error) {
	commands, err := manifestCommands()
	if err != nil {
		return nil, err
	}
	s, err := playground.New(playground.Options{
		Listen: freeAddress(ctx, c.listen), Commands: commands, RequestURL: c.requestsTo,
		Push: func(ctx context.Context, alert []byte) error {
			return daemon.call(ctx, http.MethodPost, "/v1/alerts", json.RawMessage(alert), &struct{}{})
		},
	})
	if err != nil {
		return nil, err
	}
	if err := peopleDemo(s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// peopleDemo adds the people on call, one of them in another time zone.
func peopleDemo(s *playground.Server) error {
	s.AddUser(playground.User{Name: "dora", RealName: "Dora Quist", TZ: "America/Denver", Color: "7a4f9a"})
	if _, err := s.AddUserGroup(playground.UserGroup{Handle: "oncall", Name: "On call", Users: []string{"ann", "dora"}}); err != nil {
		return fmt.Errorf("prepare the demo's people: %w", err)
	}
	return nil
}

// config is that of a daemon for the playground with the demo's own routes. It
// uses none of the user's settings.
func (c demoCmd) config(ctx context.Context, slack *playground.Server, dir, socket string) (*config.Config, config.Input, error) {
	env := map[string]string{
		"SLACK_APP_TOKEN": slack.AppToken(), "SLACK_BOT_TOKEN": slack.BotToken(), "SLACK_CHANNEL_ID": "#alerts",
		"SLACK_API_URL": slack.APIURL(), "TOCSIN_STORE": "sqlite:" + filepath.Join(dir, "tocsin.db"),
		"TOCSIN_SOCKET": socket, "TOCSIN_LISTEN": freeAddress(ctx, c.api), "TOCSIN_CONFIG": "/demo.yaml",
	}
	in := config.Input{Getenv: func(name string) string { return env[name] }, ReadFile: readDemo, UID: os.Getuid()}
	cfg, err := config.Load(in)
	return cfg, in, err
}

func readDemo(path string) ([]byte, error) {
	if path != "/demo.yaml" {
		return nil, fs.ErrNotExist
	}
	return demoConfig, nil
}

// freeAddress returns address, or one with another port if that is in use.
func freeAddress(ctx context.Context, address string) string {
	var in net.ListenConfig
	l, err := in.Listen(ctx, "tcp", address)
	if err != nil {
		host, _, splitErr := net.SplitHostPort(address)
		if splitErr != nil {
			return address
		}
		if l, err = in.Listen(ctx, "tcp", net.JoinHostPort(host, "0")); err != nil {
			return address
		}
	}
	defer func() { _ = l.Close() }() // only the address is needed
	return l.Addr().String()
}

// addConversations adds those to which the alerts go that are shown, unless the small Slack
// has them.
func (c demoCmd) addConversations(s *playground.Server) {
	known := map[string]bool{}
	for _, channel := range s.Channels() {
		known["#"+channel.Name], known[channel.ID] = true, true
	}
	for _, u := range s.Users() {
		known["@"+u.Name], known[u.Email] = true, true
	}
	for _, a := range c.shown {
		for _, lane := range c.routing.Plan(a.Subject()).Lanes() {
			if known[lane] {
				continue
			}
			known[lane] = true
			switch name := strings.TrimLeft(lane, "#@"); {
			case strings.Contains(name, "@"):
				s.AddUser(playground.User{Name: strings.Split(name, "@")[0], Email: name})
			case strings.HasPrefix(lane, "@"):
				s.AddUser(playground.User{Name: name})
			case strings.HasPrefix(lane, "#"):
				s.AddChannel(playground.Channel{Name: name, IsMember: true})
			default:
				s.AddChannel(playground.Channel{ID: lane, Name: strings.ToLower(lane), IsMember: true})
			}
		}
	}
}

func (c demoCmd) greet(w world, page, server string) error {
	if len(c.shown) > 0 {
		_, err := fmt.Fprintf(w.stdout, "The cards are on this page until Ctrl-C, in a small Slack in this process: %s\n", page)
		return err
	}
	_, err := fmt.Fprintf(w.stdout, `Tocsin is running against a small Slack in this process; nothing leaves this machine.

  The page:    %[1]s
  Try this:    press the buttons of a card; open tocsin's Home tab, under Apps
  Or type:     /notify list, /notify stats, /notify silences, /notify help
  And this:    curl -d 'disk full on db-3' %[2]s/v1/alerts
  In a shell:  export TOCSIN_SERVER=%[2]s; tocsin incidents; tocsin ack last
  Your tools:  %[2]s has examples for them, and a form for a test alert

Nobody acknowledges the checkout alert: unless you do, its route notifies @here after
40 seconds, and #ops and carol after 80. Stop the demo with Ctrl-C.
`, page, server)
	return err
}

// openBrowser opens the page in a browser if there is one. The address is on the
// screen in any case.
func openBrowser(ctx context.Context, page string) {
	for _, name := range []string{"xdg-open", "open"} {
		if path, err := exec.LookPath(name); err == nil {
			cmd := exec.CommandContext(ctx, path, page)
			if cmd.Start() == nil {
				go func() { _ = cmd.Wait() }() // the demo works without a browser
			}
			return
		}
	}
}

func (c demoCmd) play(ctx context.Context, slack *playground.Server, daemon *client) error {
	if c.quiet {
		return nil
	}
	var story []scene
	if err := json.Unmarshal(demoStory, &story); err != nil {
		return fmt.Errorf("read the demo's story: %w", err)
	}
	for _, s := range story {
		after, err := time.ParseDuration(s.After)
		if err != nil {
			return fmt.Errorf("read the demo's story: %w", err)
		}
		if !pause(ctx, after) {
			return nil
		}
		err = s.happen(ctx, slack, daemon)
		if err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "shutting down") {
			return fmt.Errorf("play the demo's story: %w", err)
		}
	}
	return nil
}

// happen plays a scene. It is not an error if somebody has already used the button
// that it presses.
func (s scene) happen(ctx context.Context, slack *playground.Server, daemon *client) error {
	switch {
	case s.Alert != nil:
		return daemon.call(ctx, http.MethodPost, "/v1/alerts", s.Alert, &struct{}{})
	case s.Command != "":
		name, text, _ := strings.Cut(s.Command, " ")
		_, err := slack.User(s.By).Command(ctx, s.Channel, name, text)
		return err
	}
	messages := slack.Messages(s.Channel)
	for _, m := range slices.Backward(messages) {
		if strings.Contains(m.Text, s.On) && m.ThreadTS == "" {
			_, _ = slack.User(s.By).Click(ctx, playground.AtMessage(s.Channel, m.TS), s.Click)
			break
		}
	}
	return nil
}
