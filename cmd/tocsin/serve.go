package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"tocsin/config"
	"tocsin/store"
)

func newServe(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: `Run the daemon. These three variables are enough:

    SLACK_APP_TOKEN=xapp-…  SLACK_BOT_TOKEN=xoxb-…  SLACK_CHANNEL_ID=C0123ABCD  tocsin serve

With a token missing or wrong it starts anyway: it accepts and keeps alerts, and delivers
them as soon as Slack accepts the token, without a restart.

SIGTERM or Ctrl-C stops it within 10 s. What is not delivered by then is kept. SIGHUP has it
read its configuration again, as tocsin config reload does.`,
		Args: noArgs,
	}
	flags := daemonFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), w, flags()) }
	return cmd
}

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, w world, flags map[string]string) error {
	reload := make(chan os.Signal, 1) // one that comes meanwhile is enough
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	in := w.input(flags)
	var err error
	if in.Bound, err = boundSockets(); err != nil {
		return err
	}
	cfg, err := config.Load(in)
	if err != nil {
		return err
	}
	in.ReadFile = fromFiles(readWhole) // a pipe has been read; one reader of a file that does not answer is enough
	log, level, err := newLog(w, cfg.Log)
	if err != nil {
		return err
	}
	if w.getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	o := origin{in: in, log: log, level: level, reloads: reload, doors: &doors{}}
	defer o.doors.close()
	d, err := newDaemon(ctx, cfg, o)
	for err == nil {
		err = d.run(ctx)
		if !errors.Is(err, store.ErrSuperseded) {
			return err
		}
		if ctx.Err() == nil {
			d, err = d.again(ctx)
		}
	}
	if ctx.Err() != nil && (store.Passes(err) || errors.Is(err, ctx.Err())) { // it was stopped while it waited, or before
		return nil
	}
	return err
}

// gcPercent lets a small heap grow to three times what lives in it: up to
// a sixth more alerts per second, measured, for one and a half megabytes when idle.
const gcPercent = 200

// daemonFlags adds the settings that can be given as flags, and returns what
// reads them once they are parsed, by the names that config knows.
func daemonFlags(cmd *cobra.Command) func() map[string]string {
	f := cmd.Flags()
	given := configFlag(cmd)
	f.String("listen", "", "accept alerts at this TCP `ADDRESS`, or off (default: 127.0.0.1:8126)")
	f.String("socket", "", "accept alerts at the Unix socket with this `PATH`, or off")
	f.String("store", "", "database `URL`: sqlite:PATH or postgres://…")
	f.String("default-channel", "", "conversation for alerts without one, by `NAME`: C…, #name, @user, user@mail")
	f.String("slack-api-url", "", "base `URL` of Slack's Web API, for playgrounds and GovSlack")
	f.String("digest-above", "", "send a digest when more than `NUMBER` alerts wait for one conversation (default: 5)")
	f.String("give-up-after", "", "give up a delivery after this `DURATION` (default: 24h)")
	f.String("log-level", "", "`LEVEL` of the log: debug, info, warn or error")
	f.String("log-format", "", "`FORMAT` of the log: auto, json or console")
	completeFlag(cmd, "socket", completeFile)
	completeFlag(cmd, "log-level", oneOf("debug", "info", "warn", "error"))
	completeFlag(cmd, "log-format", oneOf("auto", "json", "console"))
	return given
}

// configFlag adds the flag for the configuration file, and returns what reads this and
// all other settings that have flags in cmd.
func configFlag(cmd *cobra.Command) func() map[string]string {
	f := cmd.Flags()
	f.String("config", "", "read this YAML `FILE` (default: /etc/tocsin/tocsin.yaml, else ~/.config/tocsin/tocsin.yaml)")
	completeFlag(cmd, "config", completeFile)
	return func() map[string]string {
		given := map[string]string{}
		for _, name := range config.FlagNames() {
			if flag := f.Lookup(name); flag != nil && flag.Changed {
				given[name] = flag.Value.String()
			}
		}
		return given
	}
}
