package main

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"tocsin/alert"
	"tocsin/store"
)

// registerTally exports how many alerts are pending and how many dead letters
// there are.
func registerTally(reg prometheus.Registerer, db *store.DB) {
	auto := promauto.With(reg)
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_alerts_pending", Help: "Accepted alerts that are not delivered yet.",
	}, func() float64 { return float64(db.Pending()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "tocsin_dead_letters", Help: "Deliveries that were given up, until a person retries or drops them.",
	}, func() float64 { return float64(db.DeadLetters()) })
}

// deadNote is the note about dead letters. It is not a problem, because they delay
// nothing else.
func deadNote(n int64) alert.Problem {
	what := "1 dead letter waits for a person"
	if n != 1 {
		what = fmt.Sprintf("%d dead letters wait for a person", n)
	}
	return alert.Problem{What: what, Fix: "tocsin queue list --state dead shows why; then retry or drop them with tocsin queue"}
}
