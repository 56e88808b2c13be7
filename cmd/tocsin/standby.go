package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/bot"
	"tocsin/config"
	"tocsin/engine"
	"tocsin/handlers"
	"tocsin/store"
)

// standBy accepts for the active replica while that one has the lock of a PostgreSQL store,
// however long, and opens the store then.
func (d *daemon) standBy(ctx context.Context, metrics prometheus.Gatherer) (_ *store.DB, err error) {
	s, err := store.Join(d.cfg.Store.Reveal(), d.storeOptions())
	if err != nil {
		return nil, err
	}
	own := prometheus.NewRegistry()
	slack := bot.New(bot.Options{Metrics: own, APIURL: d.cfg.Slack.APIURL, Authorities: d.cfg.Slack.Authorities, Tokens: d.tokens.read, Log: d.log.Named("bot"), Connections: func() (own, others int) {
		return standbySockets(s.Cluster().Replicas), slackConnections
	}})
	d.identity.Store(slack)
	shared, err := store.OpenFront(d.cfg.Store.Reveal(), d.storeOptions())
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	intro := &introduction{probe: slack.Probe, log: d.log.Named("bot")}
	health := func() alert.Health { return d.standbyHealth(s, intro) }
	parts, err := d.acceptForOthers(ctx, standbyStore{shared, s.Cluster}, slack, waiting{health: health, metrics: prometheus.Gatherers{metrics, own}})
	if err != nil {
		return nil, errors.Join(err, shared.Close(), s.Close())
	}
	receiver := d.receive(parts, shared, slack)
	parts.start("introduction", time.Second, intro.run)
	parts.start("status", time.Second, func(ctx context.Context) error { return d.follow(ctx, health, func(context.Context) {}) })
	d.log.Info("standby")
	d.logNotify(d.notifier.Ready(standbyStatus))
	db, err := d.takeOver(ctx, s)
	if err != nil {
		s.Leave()
	}
	shared.Hurry() // who could answer is this one
	if err = errors.Join(err, d.stopAnswering(parts, db != nil), s.Close()); err == nil {
		d.before = receiver
		return db, nil
	}
	if err = errors.Join(err, receiver.close()); db != nil {
		err = errors.Join(err, db.Close())
	}
	return nil, err
}

// standbySockets is how many connections a standby keeps: none until it knows the others.
func standbySockets(all []alert.Replica) int {
	if len(all) == 0 {
		return 0
	}
	return alert.Sockets(all)
}

// standbyHealth is the state of a standby, without what only the active replica knows.
func (d *daemon) standbyHealth(s *store.Standby, intro *introduction) alert.Health {
	now := time.Now()
	h := alert.Health{Standby: true, Spooled: d.intake.waiting(), RequestsAt: d.requestsAt(), Notes: slices.Concat(d.intake.notes(), s.Notes(), d.certificates.problems())}
	h.Share(s.Cluster(), now)
	if rejected := d.rejected.Load(); rejected != nil {
		h.Notes = append(h.Notes, *rejected)
	}
	wrong, odd := d.tokens.problems()
	p := alert.Progress{Connected: now, Reported: slices.Concat(s.Problems(), wrong, intro.problems())}
	if slack := d.receiver.Load(); slack != nil {
		status := (*slack).Status()
		h.Connections, h.ConnectedSince = status.Connections, status.Since
		p.Reported, odd = append(p.Reported, status.Problems...), append(odd, status.Notes...)
		if since := d.hears.note(standbySockets(h.Replicas) > 0, now); !since.IsZero() {
			p.Connected, p.ConnectionError = status.Usable, status.LastError
			if since.After(p.Connected) {
				p.Connected = since
			}
		}
	}
	h.Notes = append(h.Notes, odd...)
	// What is wrong here alone takes this replica out of service. If nobody has a connection,
	// standbys go on with what needs none: to accept.
	heard := slices.ContainsFunc(h.Replicas, func(r alert.Replica) bool { return !r.Self && r.State != alert.ReplicaLost && r.Connections > 0 })
	for _, problem := range p.Problems(now, d.latest.Load().Health) {
		if heard || problem.Code == alert.ProblemStore {
			h.Problems = append(h.Problems, problem)
		} else {
			h.Notes = append(h.Notes, problem)
		}
	}
	h.Checks = h.Judged()
	return h
}

// standbyReceiver receives what people do, for the active replica.
type standbyReceiver struct {
	end func() error
}

// receive receives what people do. Requests end with answering, and who connects then waits for
// the active replica; Socket Mode goes on until that one has connections of its own.
func (d *daemon) receive(answering *stages, shared *store.DB, slack *bot.Bot) *standbyReceiver {
	parts := newStages(d.log)
	dialogs := handlers.New(handlers.Options{Now: shared.Now, Log: d.log.Named("handlers")})
	var slackSide fromSlack
	if d.requests != nil {
		slackSide = bot.NewFrontRequests(slack, shared, dialogs, d.requests, d.tokens.signing)
		answering.start("slack", stopSocket, slackSide.Run)
	} else {
		slackSide = bot.NewFrontSocket(slack, shared, dialogs)
		parts.start("slack", stopSocket, slackSide.Run)
	}
	d.receiver.Store(&slackSide)
	return &standbyReceiver{sync.OnceValue(func() error { return errors.Join(parts.stop(), shared.Close()) })}
}

func (r *standbyReceiver) close() error {
	if r == nil {
		return nil
	}
	return r.end()
}

// relieve ends what has received while this replica was a standby, once its own connections
// do, so that people are heard all the time.
func (d *daemon) relieve(ctx context.Context) error {
	for d.before != nil && d.slack.Status().Connections == 0 && pause(ctx, relieveEvery) {
	}
	return d.before.close()
}

const (
	// relieveEvery is how often it is looked whether the new connections are up.
	relieveEvery = 50 * time.Millisecond
	// slackConnections is how many connections Slack allows an app.
	slackConnections = 10
)

// connections are how many connections the active replica keeps, and how many others may have.
// Where there are replicas, or were, those that Slack counts can't be told from unknown ones.
func (d *daemon) connections() (own, others int) {
	all := d.store.Cluster().Replicas
	if len(all) > 1 || d.before != nil {
		others = slackConnections
	}
	return alert.Sockets(all), others
}

// standbyStatus is the status line of a standby.
const standbyStatus = "standby: another replica is active"

// acceptForOthers answers as the active replica does, which gets what is accepted here.
func (d *daemon) acceptForOthers(ctx context.Context, shared standbyStore, slack *bot.Bot, w waiting) (*stages, error) {
	rules := func(cfg *config.Config) engine.Options {
		o := engineRules(cfg, shared.DB)
		o.Front, o.Now, o.Log = shared, shared.Now, d.log.Named("engine")
		return o
	}
	decider, metrics := engine.New(shared, rules(d.cfg)), w.handler()
	var reload func(context.Context) (api.Reloaded, error)
	newFront := func(cfg *config.Config, before *api.API) (*front, error) {
		o, err := d.apiOptions(cfg)
		o.Engine, o.Store, o.Now, o.Person, o.Health, o.Metrics, o.Reload, o.Before = decider, shared, shared.Now, slack.Person, w.health, metrics, reload, before
		o.Doctor = func(ctx context.Context) alert.Checkup { return d.checkup(ctx, w.health, nil) }
		return frontOf(o), err
	}
	apply := func(ctx context.Context, cfg *config.Config) error {
		next, err := newFront(cfg, d.front.Load().api)
		if err == nil {
			err = d.changeTokens(ctx, cfg)
		}
		if err != nil {
			return err
		}
		decider.Reload(rules(cfg))
		return d.answerBy(cfg, next)
	}
	reload = func(ctx context.Context) (api.Reloaded, error) {
		return d.reloadBy(ctx, apply, func() string { return standbyStatus })
	}
	first, err := newFront(d.cfg, nil)
	if err == nil {
		err = d.listen(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.intake = newIntake(d.in.Spools(), d.unixHandler(), d.addresses(), d.log.Named("spool"))
	parts := d.answer(first)
	parts.start("spool", stopIntake, d.intake.run)
	parts.start("reload", time.Second, d.reloadOn(reload))
	return parts, nil
}

// standbyStore is what a standby answers from. What it can't pass on it refuses.
type standbyStore struct {
	*store.DB
	cluster func() alert.Cluster
}

func (s standbyStore) Retry(context.Context, alert.DeadLetterSelector) (alert.RetryResult, error) {
	return alert.RetryResult{}, s.refusal()
}

func (s standbyStore) Drop(context.Context, alert.DeadLetterSelector) (alert.RetryResult, error) {
	return alert.RetryResult{}, s.refusal()
}

func (s standbyStore) refusal() error {
	var elsewhere alert.ElsewhereError
	for _, r := range s.cluster().Replicas {
		if r.State == alert.ReplicaActive {
			elsewhere.Host = r.Host
		}
	}
	return &elsewhere
}

// takeOver opens the store as soon as nobody else has it.
func (d *daemon) takeOver(ctx context.Context, s *store.Standby) (*store.DB, error) {
	for {
		if err := s.Wait(ctx); err != nil {
			return nil, err
		}
		began := time.Now()
		db, err := d.tryStore(ctx)
		if err == nil {
			d.log.Info("this replica takes over", zap.Duration("store_opened_in", time.Since(began)))
		}
		if !store.Passes(err) && !errors.Is(err, store.ErrNewer) || !pause(ctx, openAgain/10) {
			return db, err
		}
	}
}

// again is a new daemon after another replica has become active in place of this one.
func (d *daemon) again(ctx context.Context) (*daemon, error) {
	cfg := d.latest.Load()
	if slices.ContainsFunc(d.cfg.Changes(cfg), func(c config.Change) bool { return c.Restart }) {
		d.doors.close() // it may listen elsewhere now
	}
	return newDaemon(ctx, cfg, d.origin)
}

// newReplica is what the others know of a daemon from its start.
func newReplica() alert.Replica {
	host, _ := os.Hostname() // an empty one is none
	return alert.Replica{ID: alert.NewID(), Host: host, Version: versionName()}
}

// replica is the daemon as the others see it now.
func (d *daemon) replica() alert.Replica {
	r := d.self
	r.Config = d.latest.Load().Hash()
	if slack := d.receiver.Load(); slack != nil {
		r.Connections = (*slack).Status().Connections
	}
	if slack := d.identity.Load(); slack != nil {
		r.Workspace = slack.Identity().TeamID
	}
	return r
}

// replicaGauges count the replicas in each state.
type replicaGauges struct{ health func() alert.Health }

var (
	replicasDesc = prometheus.NewDesc("tocsin_replicas", "Daemons that share the store, by state, as they were in the last seconds; none over SQLite, and missing while the store can't be read.", []string{"state"}, nil)
	arrivalsDesc = prometheus.NewDesc("tocsin_arrivals_waiting", "Requests that standbys have accepted and no active replica has decided, as they were in the last seconds.", nil, nil)
	lagDesc      = prometheus.NewDesc("tocsin_arrivals_lag_seconds", "For how long the oldest of these has waited.", nil, nil)
	activeDesc   = prometheus.NewDesc("tocsin_active", "1 if this daemon decides and delivers, 0 if it is on standby.", nil, nil)
)

// Describe implements prometheus.Collector.
func (replicaGauges) Describe(all chan<- *prometheus.Desc) {
	all <- replicasDesc
	all <- arrivalsDesc
	all <- lagDesc
	all <- activeDesc
}

// Collect implements prometheus.Collector.
func (g replicaGauges) Collect(all chan<- prometheus.Metric) {
	h := g.health()
	active, count := 1.0, map[alert.ReplicaState]int{}
	if h.Standby {
		active = 0
	}
	for _, r := range h.Replicas {
		count[r.State]++
	}
	if !h.ReplicasAsOf.IsZero() { // it is not known who is
		all <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, 0)
		return
	}
	for _, state := range alert.ReplicaStates() {
		all <- prometheus.MustNewConstMetric(replicasDesc, prometheus.GaugeValue, float64(count[state]), string(state))
	}
	var lag alert.Lag
	if h.Lag != nil {
		lag = *h.Lag
	}
	all <- prometheus.MustNewConstMetric(arrivalsDesc, prometheus.GaugeValue, float64(lag.Arrivals))
	all <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, lag.Seconds)
	all <- prometheus.MustNewConstMetric(activeDesc, prometheus.GaugeValue, active)
}
