package main

import (
	"context"
	"runtime/debug"

	"go.uber.org/zap"

	"tocsin/config"
)

type serveCmd struct {
	daemonFlags
}

// Help shows examples under the command's help.
func (serveCmd) Help() string {
	return `With these three set and nothing else, it works:
  SLACK_APP_TOKEN=xapp-…  SLACK_BOT_TOKEN=xoxb-…  SLACK_CHANNEL_ID=C0123ABCD  tocsin serve

A token that is missing or wrong does not keep it from starting: alerts are accepted and
kept, and go out as soon as Slack takes the token, without a restart.

It stops on SIGTERM or Ctrl-C within 10 s and keeps what is not delivered yet.`
}

// Run runs the daemon until ctx ends.
func (c serveCmd) Run(ctx context.Context, w world) error {
	in := w.input(c.given())
	cfg, err := config.Load(in)
	if err != nil {
		return err
	}
	log, err := newLog(w, cfg.Log)
	if err != nil {
		return err
	}
	if w.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	return runDaemon(ctx, cfg, in, log)
}

// gcPercent lets a small heap grow to three times what lives in it: up to
// a sixth more alerts per second, measured, for one and a half megabytes when idle.
const gcPercent = 200

func runDaemon(ctx context.Context, cfg *config.Config, in config.Input, log *zap.Logger) error {
	d, err := newDaemon(ctx, cfg, in, log)
	if err != nil {
		return err
	}
	return d.run(ctx)
}
