package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"tocsin/config"
	"tocsin/playground"
)

type demoCmd struct {
	Listen    string `default:"127.0.0.1:8127" placeholder:"ADDR" help:"Address of the page; another port is taken if it is in use."`
	API       string `default:"127.0.0.1:8126" placeholder:"ADDR" help:"Address alerts are taken at; another port is taken if it is in use."`
	NoBrowser bool   `help:"Do not open the page in a browser."`
	Quiet     bool   `help:"Push no sample alerts."`
}

// Help shows examples under the command's help.
func (demoCmd) Help() string {
	return `It is the daemon of tocsin serve, with a small Slack in this process in place of the real
one and a store that is thrown away at the end. Nothing leaves this machine.

Examples:
  tocsin demo
  tocsin demo --no-browser --listen 127.0.0.1:9000`
}

// demoAlerts are a few seconds of an ordinary bad morning.
//
//go:embed demo.json
var demoAlerts []byte

// Run runs the demonstration until ctx ends.
func (c demoCmd) Run(ctx context.Context, w world) (err error) {
	dir, err := os.MkdirTemp("", "tocsin-demo-")
	if err != nil {
		return fmt.Errorf("make a place for the demo's store: %w", err)
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
	d, err := newDaemon(ctx, cfg, in, buildLog(w.stderr, zapcore.WarnLevel, true, w.colour()))
	if err != nil {
		return err
	}
	if err := c.greet(w, slack.URL(), d.serverURL()); err != nil {
		return errors.Join(err, d.close())
	}
	if !c.NoBrowser && isTerminal(w.stdout) {
		openBrowser(ctx, slack.URL())
	}
	parts := newStages(d.log)
	parts.start("demo", time.Second, func(ctx context.Context) error { return c.play(ctx, socketClient(socket)) })
	return errors.Join(d.run(ctx), parts.stop())
}

// slack starts the playground; its page pushes alerts through daemon.
func (c demoCmd) slack(ctx context.Context, daemon *client) (*playground.Server, error) {
	commands, err := manifestCommands()
	if err != nil {
		return nil, err
	}
	return playground.New(playground.Options{
		Listen: freeAddress(ctx, c.Listen), Commands: commands,
		Push: func(ctx context.Context, alert []byte) error {
			return daemon.call(ctx, http.MethodPost, "/v1/alerts", json.RawMessage(alert), &struct{}{})
		},
	})
}

// config is that of a daemon which knows the playground alone; nothing of the
// user's own settings gets in.
func (c demoCmd) config(ctx context.Context, slack *playground.Server, dir, socket string) (*config.Config, config.Input, error) {
	env := map[string]string{
		"SLACK_APP_TOKEN": slack.AppToken(), "SLACK_BOT_TOKEN": slack.BotToken(), "SLACK_CHANNEL_ID": "#alerts",
		"SLACK_API_URL": slack.APIURL(), "TOCSIN_STORE": "sqlite:" + filepath.Join(dir, "tocsin.db"),
		"TOCSIN_SOCKET": socket, "TOCSIN_LISTEN": freeAddress(ctx, c.API),
	}
	in := config.Input{Getenv: func(name string) string { return env[name] }, UID: os.Getuid()}
	cfg, err := config.Load(in)
	return cfg, in, err
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
	defer func() { _ = l.Close() }() // it was only to find out
	return l.Addr().String()
}

func (c demoCmd) greet(w world, page, server string) error {
	_, err := fmt.Fprintf(w.stdout, `Tocsin is running against a small Slack in this process; nothing leaves this machine.

  The page:    %s
  Try this:    curl -d 'disk full on db-3' %s/v1/alerts
  And this:    type /notify-test in the page, or write "help" to Tocsin under Apps

Stop it with Ctrl-C.
`, page, server)
	return err
}

// openBrowser shows the page to a person who has a browser; without one the
// address is on the screen.
func openBrowser(ctx context.Context, page string) {
	for _, name := range []string{"xdg-open", "open"} {
		if path, err := exec.LookPath(name); err == nil {
			cmd := exec.CommandContext(ctx, path, page)
			if cmd.Start() == nil {
				go func() { _ = cmd.Wait() }() // a browser that fails is no failure of the demo
			}
			return
		}
	}
}

// play pushes the sample alerts, each after its pause.
func (c demoCmd) play(ctx context.Context, daemon *client) error {
	if c.Quiet {
		return nil
	}
	var scenes []struct {
		After string          `json:"after"`
		Alert json.RawMessage `json:"alert"`
	}
	if err := json.Unmarshal(demoAlerts, &scenes); err != nil {
		return fmt.Errorf("read sample alerts: %w", err)
	}
	for _, s := range scenes {
		after, err := time.ParseDuration(s.After)
		if err != nil {
			return fmt.Errorf("read sample alerts: %w", err)
		}
		if !pause(ctx, after) {
			return nil
		}
		err = daemon.call(ctx, http.MethodPost, "/v1/alerts", s.Alert, &struct{}{})
		if err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "shutting down") {
			return fmt.Errorf("push sample alert: %w", err)
		}
	}
	return nil
}
