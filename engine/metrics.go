package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/alert"
)

type metrics struct {
	accepted *prometheus.CounterVec
	batch    prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_alerts_accepted_total", Help: "Alerts that were answered with 202, by what they did.",
		}, []string{"effect"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_commit_alerts", Help: "Alerts in one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7),
		}),
	}
	if reg != nil {
		reg.MustRegister(m.accepted, m.batch)
	}
	return m
}

func (m metrics) committed(receipts []alert.Accepted) {
	m.batch.Observe(float64(len(receipts)))
	for _, r := range receipts {
		m.accepted.WithLabelValues(string(r.Effect)).Inc()
	}
}
