package alert

import "time"

// Stats sums up the firing alerts that were accepted from From on, before Till.
type Stats struct {
	From       time.Time          `json:"from"`
	Till       time.Time          `json:"till"`
	Alerts     int64              `json:"alerts"`
	Incidents  int64              `json:"incidents"`
	BySeverity map[Severity]int64 `json:"by_severity"`
	// Noisiest are the keys with the most alerts, at most ten.
	Noisiest []KeyCount `json:"noisiest"`
	// ToAck and ToResolve are the median times of the incidents that began in
	// this time and were acknowledged or resolved; zero if none was.
	ToAck     time.Duration `json:"to_ack"`
	ToResolve time.Duration `json:"to_resolve"`
	// Latency and LatencyMost are the median and the 99th percentile of the time
	// from accepting an alert to Slack showing it; zero if none was shown.
	Latency     time.Duration `json:"latency"`
	LatencyMost time.Duration `json:"latency_p99"`
	// Buckets divide the time into equal parts, oldest first.
	Buckets []Bucket `json:"buckets"`
}

// KeyCount is a key, the title of its latest incident, and how many alerts it had.
type KeyCount struct {
	Key      string `json:"key"`
	Title    string `json:"title"`
	Incident string `json:"incident"`
	Alerts   int64  `json:"alerts"`
}

// Bucket is how many alerts of each severity were accepted in one part of the
// time, which begins At.
type Bucket struct {
	At         time.Time          `json:"at"`
	BySeverity map[Severity]int64 `json:"by_severity"`
}
