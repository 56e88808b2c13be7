package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/api"
	"tocsin/engine"
	"tocsin/trace"
)

// newTracer returns what records traces, or nil: mistakes in OpenTelemetry's variables cost
// the traces and no alert.
func (d *daemon) newTracer() *trace.Tracer {
	log := d.log.Named("trace")
	t, err := trace.New(trace.Options{Getenv: d.in.Getenv, ReadFile: d.in.ReadFile, Store: d.store, Version: versionName(), Log: log, Metrics: d.registry})
	if err != nil {
		log.Error("there are no traces", zap.Error(err))
	}
	return t
}

// acceptor is the engine for those who pass alerts on.
func (d *daemon) acceptor() api.Engine {
	if d.tracer == nil {
		return d.engine
	}
	return tracedEngine{d.engine, d.tracer}
}

// tracedEngine records what is pushed.
type tracedEngine struct {
	*engine.Engine
	tracer *trace.Tracer
}

func (e tracedEngine) Push(ctx context.Context, alerts []alert.Alert) ([]alert.Accepted, error) {
	began := time.Now()
	receipts, err := e.Engine.Push(ctx, alerts)
	if err == nil {
		e.tracer.Pushed(ctx, began, alerts, receipts)
	}
	return receipts, err
}
