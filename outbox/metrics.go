package outbox

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// metrics are the outbox's metrics. Label values come from fixed lists only.
type metrics struct {
	deliveries *prometheus.CounterVec
	delivery   prometheus.Histogram
	send       prometheus.Histogram
	throttled  prometheus.Counter
	lanes      prometheus.Gauge
	duplicates prometheus.Counter
	broken     prometheus.Gauge
	rescues    *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	m := &metrics{
		deliveries: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_deliveries_total",
			Help: "Recorded attempts at deliveries by kind (post, update, reply, digest, list) and outcome.",
		}, []string{"kind", "outcome"}),
		delivery: auto.NewHistogram(prometheus.HistogramOpts{
			Name:    "tocsin_delivery_seconds",
			Help:    "Time from the creation of a delivery to Slack's receipt.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 86400},

			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}),
		send: auto.NewHistogram(prometheus.HistogramOpts{
			Name:    "tocsin_send_seconds",
			Help:    "Duration of one call to Slack for a delivery.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},

			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100,
		}),
		throttled: auto.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_slack_throttled_seconds_total",
			Help: "Time for which Slack has asked to send nothing, to a conversation or as updates.",
		}),
		lanes: auto.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_lanes_active",
			Help: "Lanes that have something to send or whose pace still matters.",
		}),
		duplicates: auto.NewCounter(prometheus.CounterOpts{
			Name: "tocsin_possible_duplicates_total",
			Help: "Deliveries that were sent again after an answer was lost, and so may be shown twice.",
		}),
		broken: auto.NewGauge(prometheus.GaugeOpts{
			Name: "tocsin_broken_destinations",
			Help: "Conversations that accept no messages until somebody fixes them.",
		}),
		rescues: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "tocsin_last_resort_total",
			Help: "Runs of the last resort by result (taken, failed).",
		}, []string{"result"}),
	}
	for _, result := range []string{"taken", "failed"} { // so that the first one is an increase
		m.rescues.WithLabelValues(result)
	}
	return m
}
