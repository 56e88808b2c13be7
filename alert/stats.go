package alert

import "time"

// Stats summarizes the firing alerts accepted from From until before Until.
type Stats struct {
	From       time.Time          `json:"from"`
	Until      time.Time          `json:"until"`
	Alerts     int64              `json:"alerts"`
	Incidents  int64              `json:"incidents"`
	BySeverity map[Severity]int64 `json:"by_severity"`
	// Noisiest are the keys with the most alerts, at most ten.
	Noisiest []KeyCount `json:"noisiest"`
	// ToAck and ToResolve are the median times until incidents that opened in this
	// time were acknowledged and resolved; zero if none was. They count from when the
	// incident began (Incident.Began) or, if it was shown again later, from OpenedAt;
	// one that an alert resolved ends when that alert says.
	ToAck     time.Duration `json:"to_ack"`
	ToResolve time.Duration `json:"to_resolve"`
	// Latency and LatencyMost are the median and the 99th percentile of the time from
	// acceptance to delivery; zero if none was delivered.
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

// Bucket counts the alerts of each severity in one part of the time, from At.
type Bucket struct {
	At         time.Time          `json:"at"`
	BySeverity map[Severity]int64 `json:"by_severity"`
}
