package engine

import (
	"github.com/prometheus/client_golang/prometheus"

	"tocsin/alert"
)

type metrics struct {
	accepted *prometheus.CounterVec
	acted    *prometheus.CounterVec
	batch    prometheus.Histogram
	commit   prometheus.Histogram
	failures prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_alerts_accepted_total", Help: "Alerts that were answered with 202, by what they did.",
		}, []string{"effect"}),
		acted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_acts_total", Help: "Acts of people on incidents, by verb and by effect.",
		}, []string{"verb", "effect"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_commit_alerts", Help: "Alerts in one commit.",
			Buckets: prometheus.ExponentialBuckets(1, 4, 7), NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tocsin_commit_seconds", Help: "Duration of one commit of alerts or of what people and the clock change, until it is on disk.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 12), NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_template_failures_total", Help: "Alerts that are shown without the templates of their route, because one failed.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.accepted, m.acted, m.batch, m.commit, m.failures)
	}
	return m
}

// committed counts the results of one commit.
func (m metrics) committed(inputs []input, results []result) {
	alerts := 0
	for n, r := range results {
		alerts += len(r.accepted)
		for _, receipt := range r.accepted {
			m.accepted.WithLabelValues(string(receipt.Effect)).Inc()
		}
		m.failures.Add(float64(r.failures))
		for k, acted := range r.acted {
			m.act(inputs[n].acts[k].Verb, acted.Effect)
		}
	}
	if alerts > 0 {
		m.batch.Observe(float64(alerts))
	}
}

func (m metrics) act(v alert.Verb, e alert.ActEffect) {
	m.acted.WithLabelValues(string(v), string(e)).Inc()
}
