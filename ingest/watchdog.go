package ingest

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"tocsin/alert"
)

// watchdog is the alert that kube-prometheus lets fire always, so that its end shows
// that alerts do not arrive any more.
const watchdog = "Watchdog"

// isWatchdog reports whether an alert is that one.
func (m member) isWatchdog() bool { return m.Labels["alertname"] == watchdog }

// beat is what a Watchdog says. Until somebody has said how often it is sent, it is late
// after the longest repeat_interval that is usual, that of kube-prometheus.
func (g group) beat(tool string, m member) alert.Beat {
	from := host(string(g.ExternalURL))
	about := "It is the alert Watchdog of " + tool
	if from != "" {
		about += " (" + string(g.ExternalURL) + ")"
	}
	b := m.watched(from, about)
	b.Default = alert.Terms{Every: 12 * time.Hour, Grace: time.Hour}
	b.Stopped = strings.EqualFold(or(m.Status, g.Status), string(alert.Resolved))
	return b
}

// watched is what a Watchdog from a host says, whoever sends it.
func (m member) watched(from, about string) alert.Beat {
	labels := map[string]string{}
	for name, value := range m.Labels {
		if name != "severity" && !strings.HasPrefix(name, "__") { // none, for an alert that is none
			labels[name] = value
		}
	}
	return alert.Beat{Name: watchdogName(labels, from), Terms: alert.Terms{Labels: labels, About: about + ": while it is missing, alerts may not arrive from there."}}
}

var (
	unfit = regexp.MustCompile(`[^a-z0-9._]+`)
	// replica is the end of the name of a pod. Only one of the replicas of an Alertmanager
	// sends each notification.
	replica = regexp.MustCompile(`-\d+$`)
)

// repeatedBeat is what a Watchdog of a sender that repeats it says. One that is resolved is
// repeated too, with an end in the past.
func (m member) repeatedBeat(ends time.Time) alert.Beat {
	from := host(string(m.GeneratorURL))
	about := "It is the alert Watchdog of Prometheus"
	if from != "" {
		about += " (" + from + ")"
	}
	b := m.watched(from, about)
	b.Default = alert.Terms{Every: resolveTimeout, Grace: resolveTimeout}
	b.EndsAt = ends
	return b
}

// watchdogName tells the Watchdogs of clusters apart: by the label cluster or else by the
// Alertmanager, and by the Prometheus.
func watchdogName(labels map[string]string, from string) string {
	parts := []string{"watchdog"}
	if cluster := labels["cluster"]; cluster != "" {
		from = cluster
	}
	for _, part := range []string{from, labels["prometheus"]} {
		if part = strings.Trim(unfit.ReplaceAllString(strings.ToLower(part), "-"), "-._"); part != "" {
			parts = append(parts, part)
		}
	}
	name := strings.Join(parts, "-")
	return strings.TrimRight(name[:min(len(name), 100)], "-._")
}

// host is the host of an address, without the number of a pod.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	if name := u.Hostname(); strings.Contains(name, ".") {
		return name
	}
	return replica.ReplaceAllString(u.Hostname(), "")
}
