package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/store"
)

const (
	// openAgain is the time between two attempts to open a store that can't be opened now.
	openAgain = 2 * time.Second
	// endingFor is how long PostgreSQL may take to end the session of a daemon that has ended,
	// so that one that is restarted does not become a standby for a moment.
	endingFor = time.Second / 2
)

// openStore opens the store. While another replica has it this one is a standby, and while
// its disk is full or its server is away it waits. Clients are answered 503: a daemon that
// ended would refuse them without a reason. metrics are those that need no store.
func (d *daemon) openStore(ctx context.Context, metrics prometheus.Gatherer) (*store.DB, error) {
	db, err := d.tryStore(ctx)
	for began := time.Now(); errors.Is(err, store.ErrHeld) && time.Since(began) < endingFor && pause(ctx, endingFor/10); {
		db, err = d.tryStore(ctx)
	}
	if waits(err) {
		db, err = d.awaitStore(ctx, metrics, err)
	}
	if errors.Is(err, store.ErrHeld) {
		return d.standBy(ctx, metrics)
	}
	return db, err
}

// waits reports whether the store can't be opened now, and perhaps later without a restart.
func waits(err error) bool { return store.Passes(err) && !errors.Is(err, store.ErrHeld) }

// awaitStore opens the store as soon as it can be, or another replica has it, and refuses
// everything until then. why is the first reason.
func (d *daemon) awaitStore(ctx context.Context, metrics prometheus.Gatherer, why error) (db *store.DB, err error) {
	if err := d.listen(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	since, hint := time.Now(), ""
	refuse := func() *front {
		hint = store.Remedy(why)
		d.log.Error("nothing is accepted", zap.Error(why), zap.String("hint", hint))
		return d.refusing(why, waiting{metrics: metrics, health: unopened(since, why)})
	}
	parts := d.answer(refuse())
	d.logNotify(d.notifier.Ready("nothing is accepted: " + why.Error()))
	for waits(why) && pause(ctx, openAgain) {
		if db, why = d.tryStore(ctx); waits(why) && store.Remedy(why) != hint {
			d.front.Store(refuse())
			d.logNotify(d.notifier.Status("nothing is accepted: " + why.Error()))
		}
	}
	if err = errors.Join(why, d.stopAnswering(parts, db != nil || errors.Is(why, store.ErrHeld))); err != nil && db != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, err
}

// unopened is the health of a daemon without a store.
func unopened(since time.Time, why error) func() alert.Health {
	h := alert.Health{Problems: []alert.Problem{{
		Code: alert.ProblemStore, Since: since, What: "nothing is accepted: " + why.Error(), Fix: store.Remedy(why),
	}}}
	h.Checks = h.Judged()
	return func() alert.Health { return h }
}

// waiting is what is known while there is no store.
type waiting struct {
	health  func() alert.Health
	metrics prometheus.Gatherer
}

// refusing answers everything but questions about health with 503.
func (d *daemon) refusing(why error, w waiting) *front {
	refuse := api.New(api.Options{
		Token: d.cfg.Listen.Token, Tokens: d.cfg.Listen.Tokens, Log: d.log.Named("api"), Health: w.health, Metrics: w.handler(),
	})
	return &front{api: refuse, unix: refuse.RefusingHandler(why), tcp: refuse.RefusingTCPHandler(why)}
}

// handler serves the metrics while there is no store.
func (w waiting) handler() http.Handler {
	state := prometheus.NewRegistry()
	state.MustRegister(problemGauges{w.health}, replicaGauges{w.health})
	return promhttp.HandlerFor(prometheus.Gatherers{w.metrics, state}, promhttp.HandlerOpts{})
}

// answer answers by f, until stopAnswering.
func (d *daemon) answer(f *front) *stages {
	d.front.Store(f)
	parts := newStages(d.log)
	parts.start("watchdog", time.Second, func(ctx context.Context) error { return d.notifier.Watch(ctx, func() error { return nil }) })
	d.serveClients(parts)
	return parts
}

// stopAnswering stops what answer has begun, and closes the listeners unless the store is
// open: then the daemon goes on with them.
func (d *daemon) stopAnswering(parts *stages, opened bool) error {
	d.doors.kept.Store(opened)
	err := parts.stop()
	if d.requests != nil { // whose receiver may have closed it
		if e := d.requests.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	d.unix, d.tcp, d.requests, d.servers = nil, nil, nil, nil
	return err
}

func (d *daemon) tryStore(ctx context.Context) (*store.DB, error) {
	return store.Open(ctx, d.cfg.Store.Reveal(), d.storeOptions())
}

func (d *daemon) storeOptions() store.Options {
	cfg := d.latest.Load()
	return store.Options{
		Retention: cfg.Delivery.Retention, DeadRetention: cfg.Delivery.DeadRetention, AnswerWithin: cfg.Health.Store, Log: d.log.Named("store"),
		Now: d.in.Now, Replica: d.replica,
	}
}
