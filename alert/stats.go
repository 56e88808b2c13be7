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
	// Buckets are the parts of the time, oldest first (see Parts).
	Buckets []Bucket `json:"buckets"`
}

// Parts returns when each part of the time up to now begins, and now. A week and more is
// divided into days by the clocks of now's zone, the last of which is today; less than
// that, into parts of ten minutes or some hours that end now.
func Parts(back time.Duration, now time.Time) []time.Time {
	const day = 24 * time.Hour
	part := time.Hour
	switch {
	case back >= 7*day:
		return append(daysUntil(now, int((back+day-1)/day)), now)
	case back > 2*day:
		part = 6 * time.Hour
	case back > day:
		part = 2 * time.Hour
	case back <= 4*time.Hour:
		part = 10 * time.Minute
	}
	begins := []time.Time{now.Add(-back)}
	for left := (back - 1).Truncate(part); left >= 0; left -= part {
		begins = append(begins, now.Add(-left))
	}
	return begins
}

// daysUntil returns when so many days begin, the last of which is now's.
func daysUntil(now time.Time, days int) []time.Time {
	begins := make([]time.Time, 0, days+1)
	for n := range days {
		begins = append(begins, time.Date(now.Year(), now.Month(), now.Day()-days+1+n, 0, 0, 0, 0, now.Location()))
	}
	return begins
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
