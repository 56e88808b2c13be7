package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"time"

	"tocsin/alert"
)

// prometheus is what Prometheus, vmalert, Loki's ruler and amtool post to Alertmanager's
// API: a list of alerts, which is repeated as long as they fire.
func prometheus() Format {
	return Format{
		Name: "prometheus", Tool: "Prometheus", Path: "/api/v2/alerts",
		Docs:   "https://prometheus.io/docs/alerting/latest/alerts_api/",
		Sample: "prometheus.json",
		Marks:  [][]string{{"labels", "annotations", "startsAt"}, {"labels", "annotations", "generatorURL"}},
		Read:   readPrometheus,
		Answer: answerAlertmanager,
	}
}

// resolveTimeout is how long an alert without an end lasts, as in Alertmanager.
const resolveTimeout = 5 * time.Minute

func readPrometheus(r Request) (alert.Intake, error) {
	var posted []member
	notes, err := readJSON(r, &posted)
	if err != nil {
		return alert.Intake{}, err
	}
	in := alert.Intake{Notes: notes}
	for n, m := range posted {
		a, err := m.repeated()
		if err != nil {
			in.Refused = append(in.Refused, fmt.Sprintf("alert %d: %s", n+1, err))
			continue
		}
		in.Alerts = append(in.Alerts, a)
	}
	return in, nil
}

// repeated is an alert of a sender that repeats it. The error is in Alertmanager's words.
func (m member) repeated() (alert.Alert, error) {
	for name, value := range m.Labels {
		if strings.TrimSpace(value) == "" {
			delete(m.Labels, name)
		}
	}
	begins, ends := timeOf(m.StartsAt), timeOf(m.EndsAt)
	switch {
	case len(m.Labels) == 0:
		return alert.Alert{}, fmt.Errorf("at least one label pair required")
	case or(m.StartsAt) != "" && begins.IsZero() && !zeroTime(m.StartsAt):
		return alert.Alert{}, fmt.Errorf("startsAt %q is not a time", or(m.StartsAt))
	case or(m.EndsAt) != "" && ends.IsZero() && !zeroTime(m.EndsAt):
		return alert.Alert{}, fmt.Errorf("endsAt %q is not a time", or(m.EndsAt))
	case !ends.IsZero() && ends.Before(begins):
		return alert.Alert{}, fmt.Errorf("start time must be before end time")
	}
	key := Fingerprint(m.Labels)
	a := group{}.prometheus(m)
	a.Source, a.Key, a.Status, a.At = "prometheus", key, alert.Firing, begins
	a.Refreshes, a.EndsAt = true, ends
	if ends.IsZero() {
		a.ExpiresIn = resolveTimeout
	}
	return a, nil
}

// zeroTime reports whether a time is Go's zero, which means none.
func zeroTime(t text) bool { return strings.HasPrefix(or(t), "0001-01-01T00:00:00") }

// Fingerprint identifies labels as Prometheus and Alertmanager do: the FNV-1a hash of the
// names and values in the order of the names, as 16 hexadecimal digits.
func Fingerprint(of map[string]string) string {
	h := fnv.New64a()
	for _, name := range labels(of).names() {
		_, _ = h.Write([]byte(name + "\xff" + of[name] + "\xff")) // a hash never fails
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// answerAlertmanager answers as Alertmanager's API does: nothing, or what is wrong as a
// JSON string.
func answerAlertmanager(status int, _ []string, problem string) (code int, contentType, body string) {
	if status == http.StatusAccepted {
		return http.StatusOK, "application/json", ""
	}
	var said bytes.Buffer
	enc := json.NewEncoder(&said)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(problem) // a string can be encoded
	return status, "application/json", said.String()
}
