package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/config"
	"tocsin/engine"
	"tocsin/handlers"
	"tocsin/outbox"
	"tocsin/store"
)

// front is the API by one configuration. A request is answered by one of them from its
// beginning to its end.
type front struct {
	api       *api.API
	unix, tcp http.Handler
}

// newFront builds the API; before is the one that it replaces, or nil.
func (d *daemon) newFront(cfg *config.Config, before *front) (*front, error) {
	o, err := d.apiOptions(cfg)
	if err != nil {
		return nil, err
	}
	o.Engine, o.Store, o.Person, o.Wake, o.Health, o.Doctor, o.Unreachable, o.Reload, o.Metrics = d.acceptor(), d.store, d.bot.Person, d.outbox.Wake, d.health, d.doctor, d.people.Unreachable, d.reload, d.metrics
	if before != nil {
		o.Before = before.api
	}
	return frontOf(o), nil
}

func frontOf(o api.Options) *front {
	a := api.New(o)
	return &front{api: a, unix: a.Handler(), tcp: a.TCPHandler()}
}

// apiOptions are what the configuration says of the API.
func (d *daemon) apiOptions(cfg *config.Config) (api.Options, error) {
	hooks, err := webhooks(cfg.Ingest, d.failedExpressions)
	return api.Options{
		Routing: cfg.Routing, Token: cfg.Listen.Token, Tokens: cfg.Listen.Tokens, TrustLoopback: cfg.Listen.TrustLoopback,
		Webhooks: hooks, Services: cfg.Ingest.Services, Recognize: recognize, Version: versionName(), Log: d.log.Named("api"),
	}, err
}

// unixHandler and tcpHandler answer by the configuration as it is when a request comes.
func (d *daemon) unixHandler() http.Handler {
	return d.tracer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.front.Load().unix.ServeHTTP(w, r) }))
}

func (d *daemon) tcpHandler() http.Handler {
	return d.tracer.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.front.Load().tcp.ServeHTTP(w, r) }))
}

func (d *daemon) engineOptions(cfg *config.Config) engine.Options {
	o := engineRules(cfg, d.store)
	o.Committed, o.Arrived, o.Wake, o.Log, o.Metrics = d.tracer.Committed, d.store.Arrived(), d.outbox.Wake, d.log.Named("engine"), d.registry
	return o
}

// engineRules are what the configuration and what the store knows say of decisions.
func engineRules(cfg *config.Config, db *store.DB) engine.Options {
	return engine.Options{
		Routing: cfg.Routing, Heartbeats: cfg.Ingest.Heartbeats, ImageHosts: cfg.Ingest.ImageHosts, MaxPending: cfg.Delivery.MaxPending, Pending: db.Pending,
		Flapping: engine.Flapping{Times: cfg.Delivery.FlappingTimes, Within: cfg.Delivery.FlappingWithin},
		Aliases:  db.Aliases, TraceURL: cfg.Slack.TraceURL,
	}
}

func (d *daemon) outboxOptions(cfg *config.Config) outbox.Options {
	return outbox.Options{
		DigestAbove: cfg.Delivery.DigestAbove, GiveUpAfter: cfg.Delivery.GiveUpAfter, HoldUnsure: d.holdUnsure,
		Fallback: cfg.FallbackChannel, ReachEvery: cfg.Delivery.ProbeEvery, LastResort: lastResort(cfg.LastResort, d.log.Named("last-resort")),
		ProbeEvery: introduceAgain, Grace: stopOutbox - time.Second/2, Attempt: d.tracer.Attempt, Log: d.log.Named("outbox"), Metrics: d.registry,
	}
}

func (d *daemon) handlerOptions(cfg *config.Config) handlers.Options {
	return handlers.Options{
		Engine: d.acceptor(), Store: d.store, Wake: d.outbox.Wake,
		Slack: d.bot, Health: d.health, Doctor: d.doctor, Permissions: handlers.Permissions(cfg.Permissions), Routing: cfg.Routing, Server: d.serverURL(),
		ServerToken: cfg.Listen.Token != "" || len(cfg.Listen.Tokens) > 0, DefaultChannel: cfg.DefaultChannel, Version: versionName(), Log: d.log.Named("handlers"),
	}
}

// reload reads the configuration again and applies it.
func (d *daemon) reload(ctx context.Context) (api.Reloaded, error) {
	return d.reloadBy(ctx, d.apply, func() string { return statusLine(d.health()) })
}

// reloadBy reads the configuration again and applies all of it, except for what needs a
// restart, or nothing if there is a mistake in it. The error is an *alert.InputError.
func (d *daemon) reloadBy(ctx context.Context, apply func(context.Context, *config.Config) error, status func() string) (api.Reloaded, error) {
	d.reloading.Lock()
	defer d.reloading.Unlock()
	d.logNotify(d.notifier.Reloading())
	cfg, err := config.Load(d.in)
	if err == nil {
		err = apply(ctx, cfg)
	}
	var done api.Reloaded
	if err == nil {
		done = d.applied(cfg)
	} else {
		err = d.reject(err)
	}
	d.logNotify(d.notifier.Ready(status()))
	return done, err
}

// apply lets every part follow cfg. What can fail comes first.
func (d *daemon) apply(ctx context.Context, cfg *config.Config) error {
	next, err := d.newFront(cfg, d.front.Load())
	if err != nil {
		return err
	}
	if err := d.changeTokens(ctx, cfg); err != nil {
		return err
	}
	d.store.Keep(cfg.Delivery.Retention, cfg.Delivery.DeadRetention)
	d.outbox.Reload(d.outboxOptions(cfg))
	d.engine.Reload(d.engineOptions(cfg))
	d.people.Reload(d.handlerOptions(cfg))
	d.bot.SetImageHosts(cfg.Ingest.ImageHosts)
	return d.answerBy(cfg, next)
}

// answerBy lets what is the same on a standby follow cfg.
func (d *daemon) answerBy(cfg *config.Config, next *front) error {
	d.front.Store(next)
	if files := cfg.Listen.TLS; d.certificates != nil && files.Certificate != nil {
		d.certificates.use(files)
	}
	return d.level.UnmarshalText([]byte(cfg.Log.Level)) // which config has checked
}

// changeTokens uses the tokens of cfg once Slack has accepted those that are new.
func (d *daemon) changeTokens(ctx context.Context, cfg *config.Config) error {
	app, bot := d.tokens.changed(cfg.Slack)
	slack := d.identity.Load()
	if err := slack.Try(ctx, app, bot); err != nil {
		d.tokens.refuse(app, bot)
		return err
	}
	d.tokens.take(cfg)
	if bot != "" {
		if err := slack.Probe(ctx); err != nil { // it is repeated at the next failure
			d.log.Warn("slack authentication failed", zap.Error(err))
		}
	}
	if receiver := d.receiver.Load(); app != "" && receiver != nil {
		(*receiver).Replace()
	}
	return nil
}

// applied returns what cfg has changed, and logs it.
func (d *daemon) applied(cfg *config.Config) api.Reloaded {
	file := cfg.File
	if abs, err := filepath.Abs(file); err == nil && file != "" { // who asks may be elsewhere
		file = abs
	}
	done := api.Reloaded{File: file, Changed: []api.ChangedOption{}, Restart: []api.ChangedOption{}}
	for _, c := range d.latest.Load().Changes(cfg) {
		if !c.Restart {
			done.Changed = append(done.Changed, api.ChangedOption{Option: c.Key, What: c.What})
		}
	}
	for _, c := range d.cfg.Changes(cfg) { // what the daemon was started with is what still applies
		if c.Restart {
			done.Restart = append(done.Restart, api.ChangedOption{Option: c.Key, What: c.What})
		}
	}
	for _, p := range cfg.Warnings {
		done.Warnings = append(done.Warnings, p.String())
	}
	d.latest.Store(cfg)
	d.rejected.Store(nil)
	d.log.Info("configuration reloaded", zap.String("file", cfg.File), zap.Strings("changed", optionLines(done.Changed)))
	if len(done.Restart) > 0 {
		d.log.Warn("these options change at the next start", zap.Strings("options", optionLines(done.Restart)))
	}
	return done
}

func optionLines(all []api.ChangedOption) []string {
	texts := make([]string, len(all))
	for n, c := range all {
		texts[n] = c.Option + ": " + c.What
	}
	return texts
}

// unchanged says what a mistake in the configuration means for the daemon.
const unchanged = "nothing has changed: the daemon goes on with the configuration that it read before"

// reject logs why the configuration was not applied, and has health say it until one is. It
// returns the answer to who asked.
func (d *daemon) reject(err error) error {
	problem := alert.Problem{Code: alert.ProblemConfig, Since: time.Now(), What: "the configuration was not reloaded: " + err.Error(), Fix: "tocsin config reload, once that is mended; until then " + unchanged}
	if wrong, ok := errors.AsType[*config.Errors](err); ok {
		for _, p := range wrong.Problems {
			d.log.Error("configuration not reloaded", zap.String("where", p.Where), zap.String("what", p.Message), zap.String("hint", p.Fix))
		}
		first := wrong.Problems[0]
		problem.What = "the configuration was not reloaded: " + first.Where + ": " + first.Message
		if more := len(wrong.Problems) - 1; more > 0 {
			problem.What += " (and " + counted(more, "more mistake") + ")"
		}
		problem.Fix = first.Fix + "; then: tocsin config reload. Until then " + unchanged
	} else {
		d.log.Error("configuration not reloaded", zap.Error(err))
	}
	if before := d.rejected.Load(); before != nil {
		problem.Since = before.Since
	}
	d.rejected.Store(&problem)
	return &alert.InputError{Message: err.Error(), Hint: unchanged}
}

// reloadOn calls reload for each signal, until ctx ends.
func (d *daemon) reloadOn(reload func(context.Context) (api.Reloaded, error)) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-d.reloads:
				_, _ = reload(ctx) // it is logged
			}
		}
	}
}

func newConfigReload(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the daemon read its configuration again, and say what has changed",
		Long: `Have the daemon read its configuration again, as systemctl reload and SIGHUP do, and say what
has changed. It is applied as a whole. With a mistake in it nothing changes, every mistake
is printed with its place, and the exit status is 2. What needs a restart is named.`,
		Example: "  tocsin config reload",
		Args:    noArgs,
	}
	c := newClientCmd(w, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var done api.Reloaded
		if err := c.call(cmd.Context(), http.MethodPost, "/v1/config/reload", nil, &done); err != nil {
			return err
		}
		return c.print(done, reloadedText(done))
	}
	return cmd
}

func reloadedText(done api.Reloaded) string {
	var b strings.Builder
	for _, warning := range done.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", warning)
	}
	b.WriteString("The configuration is reloaded; ")
	for n, list := range []struct {
		what string
		all  []api.ChangedOption
	}{{"changed:", done.Changed}, {"These options change when the daemon is restarted:", done.Restart}} {
		if len(list.all) == 0 {
			if n == 0 {
				b.WriteString("nothing has changed.\n")
			}
			continue
		}
		b.WriteString(list.what + "\n")
		for _, line := range slices.Sorted(slices.Values(optionLines(list.all))) {
			b.WriteString("  " + line + "\n")
		}
	}
	return b.String()
}
