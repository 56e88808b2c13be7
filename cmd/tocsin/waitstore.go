package main

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/store"
)

const (
	// openAgain is the time between two attempts to open a store that may become free.
	openAgain = 2 * time.Second
	// heldLimit is how long a start waits for the lock of a PostgreSQL store. PostgreSQL
	// needs about ten seconds to end the session of a daemon whose host is gone.
	heldLimit = 30 * time.Second
)

// openStore opens the store. While its disk is full or, for a while, another session
// has its lock, it waits, and clients are answered 503: a daemon that ended would
// refuse them without a reason. metrics are those that need no store.
func (d *daemon) openStore(ctx context.Context, metrics prometheus.Gatherer) (*store.DB, error) {
	began := time.Now()
	db, err := d.tryStore(ctx)
	if !worthWaiting(err, began) {
		return db, err
	}
	d.log.Error("nothing is accepted", zap.Error(err))
	if err := d.listen(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	reason, fix, announce := err, "Tocsin continues by itself once there is room", d.notifier.Ready
	if errors.Is(err, store.ErrHeld) {
		fix, announce = "Tocsin continues by itself once the other one has stopped", d.notifier.Status // it may still end
	}
	parts := newStages(d.log)
	health := func() alert.Health {
		h := alert.Health{Problems: []alert.Problem{{Code: alert.ProblemStore, Since: began, What: "nothing is accepted: " + reason.Error(), Fix: fix}}}
		h.Checks = h.Judged()
		return h
	}
	problems := prometheus.NewRegistry()
	problems.MustRegister(problemGauges{health})
	refuse := api.New(api.Options{
		Token: d.cfg.Listen.Token, Tokens: d.cfg.Listen.Tokens, Log: d.log.Named("api"), Health: health,
		Metrics: promhttp.HandlerFor(prometheus.Gatherers{metrics, problems}, promhttp.HandlerOpts{}),
	})
	parts.start("watchdog", time.Second, func(ctx context.Context) error { return d.notifier.Watch(ctx, func() error { return nil }) })
	d.serve(parts, d.unix, refuse.RefusingHandler(reason))
	d.serve(parts, d.encrypted(d.tcp), refuse.RefusingTCPHandler(reason))
	d.answerBeforeStopping(parts)
	failed := announce("nothing is accepted: " + reason.Error())
	for failed == nil && worthWaiting(err, began) && pause(ctx, openAgain) {
		if db, err = d.tryStore(ctx); errors.Is(err, store.ErrHeld) {
			d.log.Info("waiting for the store", zap.Duration("for", time.Since(began).Round(time.Second)), zap.Duration("at_most", heldLimit))
		}
	}
	err = errors.Join(failed, err, parts.stop())
	d.unix, d.tcp, d.servers = nil, nil, nil // they are closed
	if err != nil && db != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, err
}

// worthWaiting reports whether the store may become free: the disk at any time, the
// lock for a while after began.
func worthWaiting(err error, began time.Time) bool {
	return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrHeld) && time.Since(began) < heldLimit
}

func (d *daemon) tryStore(ctx context.Context) (*store.DB, error) {
	return store.Open(ctx, d.cfg.Store.Reveal(), store.Options{
		Retention: d.cfg.Delivery.Retention, DeadRetention: d.cfg.Delivery.DeadRetention, AnswerWithin: d.cfg.Health.Store, Log: d.log.Named("store"),
	})
}
