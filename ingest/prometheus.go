package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	switch {
	case len(r.Body) == 0:
		return alert.Intake{}, errors.New(noAlerts)
	case err != nil:
		return alert.Intake{}, fmt.Errorf("%s%w", unreadableAlerts, err)
	}
	in := alert.Intake{Notes: notes}
	var refused alert.Notes
	for n, m := range posted {
		a, err := m.repeated()
		if err != nil {
			refused.Add("alert %d: %s", n+1, err)
			continue
		}
		if posted[n].isWatchdog() {
			in.Beats = append(in.Beats, posted[n].repeatedBeat(a.EndsAt))
			continue
		}
		in.Alerts = append(in.Alerts, a)
	}
	in.Refused = refused.All()
	return in, nil
}

// repeated is an alert of a sender that repeats it. The error is in Alertmanager's words.
func (m member) repeated() (alert.Alert, error) {
	for name, value := range m.Labels {
		if strings.TrimSpace(value) == "" {
			delete(m.Labels, name)
		}
	}
	if len(m.Labels) == 0 {
		return alert.Alert{}, errors.New("at least one label pair required")
	}
	begins, err := timeIfSaid("startsAt", m.StartsAt)
	if err != nil {
		return alert.Alert{}, err
	}
	ends, err := timeIfSaid("endsAt", m.EndsAt)
	if err != nil {
		return alert.Alert{}, err
	}
	if !ends.IsZero() && ends.Before(begins) {
		return alert.Alert{}, errors.New("start time must be before end time")
	}
	key := alert.LabelFingerprint(m.Labels)
	a := group{}.prometheus(m)
	a.Source, a.Key, a.Status, a.At = "prometheus", key, alert.Firing, begins
	a.Refreshes, a.EndsAt = true, ends
	if ends.IsZero() {
		a.ExpiresIn = resolveTimeout
	}
	return a, nil
}

// timeIfSaid reads a time; Go's zero means none.
func timeIfSaid(name string, t text) (time.Time, error) {
	at := timeOf(t)
	if said := or(t); at.IsZero() && said != "" && !strings.HasPrefix(said, zeroTime) {
		return at, fmt.Errorf("%s %q is not a time", name, said)
	}
	return at, nil
}

// What Alertmanager says about a body that is missing, and, with the reason, about one that it
// can't read.
const (
	noAlerts         = "alerts in body is required"
	unreadableAlerts = `parsing alerts body from "" failed, because `
)

// answerAlertmanager answers as Alertmanager's API does: nothing, or what is wrong as a JSON
// string, and about a body that holds no list as an object.
func answerAlertmanager(status int, _ []string, problem string) (code int, contentType, body string) {
	if status == http.StatusAccepted {
		return http.StatusOK, "application/json", ""
	}
	var answer any = problem
	switch {
	case problem == noAlerts:
		const required = 602
		status, answer = http.StatusUnprocessableEntity, refusal{required, problem}
	case strings.HasPrefix(problem, unreadableAlerts):
		answer = refusal{status, problem}
	}
	var said bytes.Buffer
	enc := json.NewEncoder(&said)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(answer) // texts and numbers can be encoded
	return status, "application/json", said.String()
}

// refusal is what Alertmanager answers to a request that is not as its API says. Code is the
// status, or the number of a rule.
type refusal struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}
