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
	// openAgain is the time between two attempts to open a store whose disk is full.
	openAgain = 2 * time.Second
	// endingFor is how long PostgreSQL may take to end the session of a daemon that has ended,
	// so that one that is restarted does not become a standby for a moment.
	endingFor = time.Second / 2
)

// openStore opens the store. While another replica has it this one is a standby, and while
// its disk is full it waits. Clients are answered 503: a daemon that ended would refuse them
// without a reason. metrics are those that need no store.
func (d *daemon) openStore(ctx context.Context, metrics prometheus.Gatherer) (*store.DB, error) {
	db, err := d.tryStore(ctx)
	for began := time.Now(); errors.Is(err, store.ErrHeld) && time.Since(began) < endingFor && pause(ctx, endingFor/10); {
		db, err = d.tryStore(ctx)
	}
	switch {
	case errors.Is(err, store.ErrHeld):
		return d.standBy(ctx, metrics)
	case errors.Is(err, store.ErrFull):
		return d.awaitRoom(ctx, metrics, err)
	}
	return db, err
}

// awaitRoom opens the store once its disk is not full, which is why it can't be opened now.
func (d *daemon) awaitRoom(ctx context.Context, metrics prometheus.Gatherer, full error) (db *store.DB, err error) {
	d.log.Error("nothing is accepted", zap.Error(full))
	h := alert.Health{Problems: []alert.Problem{{
		Code: alert.ProblemStore, Since: time.Now(), What: "nothing is accepted: " + full.Error(), Fix: "Tocsin continues by itself once there is room",
	}}}
	h.Checks = h.Judged()
	parts, err := d.refuse(ctx, waiting{reason: full, health: func() alert.Health { return h }, metrics: metrics})
	if err != nil {
		return nil, err
	}
	d.logNotify(d.notifier.Ready("nothing is accepted: " + full.Error()))
	for err = full; errors.Is(err, store.ErrFull) && pause(ctx, openAgain); {
		db, err = d.tryStore(ctx)
	}
	if err = errors.Join(err, d.stopAnswering(parts, db != nil)); err != nil && db != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, err
}

// waiting is why there is no store yet, and what is known meanwhile.
type waiting struct {
	reason  error
	health  func() alert.Health
	metrics prometheus.Gatherer
}

// refuse answers everything but questions about health with 503, until stopAnswering.
func (d *daemon) refuse(ctx context.Context, w waiting) (*stages, error) {
	if err := d.listen(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	refuse := api.New(api.Options{
		Token: d.cfg.Listen.Token, Tokens: d.cfg.Listen.Tokens, Log: d.log.Named("api"), Health: w.health, Metrics: w.handler(),
	})
	return d.answer(&front{api: refuse, unix: refuse.RefusingHandler(w.reason), tcp: refuse.RefusingTCPHandler(w.reason)}), nil
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
		Replica: d.replica,
	}
}
