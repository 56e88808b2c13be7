package main

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/store"
)

// openAgain is the time between two attempts to open a store on a full disk.
const openAgain = 2 * time.Second

// openStore opens the store. While its disk is full, it waits, and clients are
// answered 503: a daemon that ended would refuse them without a reason.
func (d *daemon) openStore(ctx context.Context) (*store.DB, error) {
	db, err := d.tryStore(ctx)
	if !errors.Is(err, store.ErrFull) {
		return db, err
	}
	d.log.Error("nothing is accepted", zap.Error(err))
	if err := d.listen(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	reason := err
	parts := newStages(d.log)
	refuse := api.New(api.Options{Token: d.cfg.Listen.Token, Log: d.log.Named("api"), Health: func() alert.Health {
		return alert.Health{Problems: []alert.Problem{{Code: alert.ProblemStore, What: "nothing is accepted: " + reason.Error(), Fix: "Tocsin continues by itself once there is room"}}}
	}})
	parts.start("watchdog", time.Second, func(ctx context.Context) error { return d.notifier.Watch(ctx, func() error { return nil }) })
	d.serve(parts, d.unix, refuse.RefusingHandler(reason))
	d.serve(parts, d.tcp, refuse.RefusingTCPHandler(reason))
	failed := d.notifier.Ready("nothing is accepted: " + reason.Error())
	for failed == nil && errors.Is(err, store.ErrFull) && pause(ctx, openAgain) {
		db, err = d.tryStore(ctx)
	}
	d.unix, d.tcp = nil, nil // stopping closes them
	err = errors.Join(failed, err, parts.stop())
	if err != nil && db != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, err
}

func (d *daemon) tryStore(ctx context.Context) (*store.DB, error) {
	return store.Open(ctx, d.cfg.Store.Reveal(), store.Options{
		Retention: d.cfg.Delivery.Retention, DeadRetention: d.cfg.Delivery.DeadRetention, AnswerWithin: d.cfg.Health.Store, Log: d.log.Named("store"),
	})
}
