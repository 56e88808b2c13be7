package main

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"tocsin/alert"
	"tocsin/store"
)

// registerTally shows what waits and what was given up, as the store counts it.
func registerTally(reg prometheus.Registerer, db *store.DB) {
	auto := promauto.With(reg)
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_alerts_pending", Help: "Alerts that are accepted and wait for Slack.",
	}, func() float64 { return float64(db.Pending()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_dead_letters", Help: "Deliveries that were given up and wait for a person to retry or drop them.",
	}, func() float64 { return float64(db.DeadLetters()) })
}

// deadNote tells a person about dead letters, which keep nothing else waiting.
func deadNote(n int64) alert.Problem {
	what := "1 dead letter waits for a person"
	if n != 1 {
		what = fmt.Sprintf("%d dead letters wait for a person", n)
	}
	return alert.Problem{What: what, Fix: "tocsin queue list --state dead says why; then tocsin queue retry or drop"}
}
