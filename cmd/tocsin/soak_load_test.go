package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// load has tools and people at work until ctx ends. Requests come over connections of their
// own, and none of them may be refused: systemd holds the sockets while the daemon restarts.
func (s *service) load(ctx context.Context, work *sync.WaitGroup) {
	for n, send := range []func(ctx context.Context, c *client, n int) error{
		s.sendsOne, s.sendsLines, s.sendsGroups, s.sendsWebhooks, s.sendsAsPrometheus, s.silences,
	} {
		c := s.client([]string{"tcp", "unix"}[n%2])
		if n == 5 { // who does not trust the machine's other users lets only the Unix socket act
			c = s.client("unix")
		}
		work.Go(func() { s.repeat(ctx, 250*time.Millisecond, func(n int) error { return send(ctx, c, n) }) })
	}
	for _, user := range []string{"ann", "bob"} {
		work.Go(func() { s.repeat(ctx, time.Second, func(n int) error { return s.asks(ctx, user, n) }) })
		work.Go(func() { s.repeat(ctx, 8*time.Second, func(n int) error { return s.presses(ctx, user, n) }) })
	}
}

// repeat does something again and again until ctx ends or it fails.
func (s *service) repeat(ctx context.Context, every time.Duration, do func(n int) error) {
	for n := 0; ; n++ {
		err := do(n)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.t.Error(err)
			return
		}
		if !pause(ctx, every) {
			return
		}
	}
}

// send makes one request about some alerts and counts what was accepted.
func (s *service) send(ctx context.Context, c *client, r request, alerts int) ([]alert.Accepted, error) {
	var answer struct{ Alerts []alert.Accepted }
	s.tried.Add(int64(alerts))
	if err := c.do(ctx, r, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	s.requests.Add(1)
	counted := int64(0)
	for _, a := range answer.Alerts {
		switch a.Effect {
		case alert.EffectDuplicate, alert.EffectIgnored, alert.EffectRefreshed:
		default:
			counted++
		}
	}
	s.sure.Add(counted)
	s.tried.Add(counted - int64(alerts)) // the ledger has no more of them
	return answer.Alerts, nil
}

// nth is the nth alert of a tool with few keys, which fire and resolve in turn.
func (s *service) nth(key string, n int) map[string]any {
	which := n % s.keys
	a := map[string]any{
		"key": fmt.Sprint(key, which), "title": fmt.Sprintf("%s %d is down", key, which), "text": strings.Repeat("as it was before ", n%40),
		"severity": []string{"critical", "error", "warning", "info"}[n%4], "labels": map[string]string{"team": "db", "host": fmt.Sprint("h", which)},
	}
	if n/s.keys%2 == 1 {
		a["status"] = "resolved"
	}
	return a
}

func (s *service) sendsOne(ctx context.Context, c *client, n int) error {
	a := s.nth("single", n/2)
	a["idempotency_key"] = fmt.Sprint("once", n/2) // every second one is a duplicate
	_, err := s.send(ctx, c, request{method: http.MethodPost, path: "/v1/alerts", body: []byte(asJSON(a))}, 1)
	return err
}

func (s *service) sendsLines(ctx context.Context, c *client, n int) error {
	const lines = 20
	var body bytes.Buffer
	for line := range lines {
		body.WriteString(asJSON(inChannel(s.nth("line", n*lines/s.keys*s.keys+line), fmt.Sprintf("#lane-%d", 3+n%3))) + "\n")
	}
	_, err := s.send(ctx, c, request{
		method: http.MethodPost, path: "/v1/alerts", body: body.Bytes(), header: http.Header{"Content-Type": {"application/x-ndjson"}},
	}, lines)
	return err
}

func (s *service) sendsGroups(ctx context.Context, c *client, n int) error {
	a := s.nth("member", n)
	a["labels"] = map[string]string{"team": "web", "cluster": fmt.Sprint("c", n%2)}
	_, err := s.send(ctx, c, request{method: http.MethodPost, path: "/v1/alerts", body: []byte(asJSON([]any{a}))}, 1)
	return err
}

// sendsWebhooks sends what other tools do; each of the samples has no more than ten alerts.
func (s *service) sendsWebhooks(ctx context.Context, c *client, n int) error {
	samples := [][2]string{
		{"alertmanager", "alertmanager-0.34.0-grouped.json"},
		{"grafana", "grafana-12.json"},
		{"zabbix", "zabbix.json"},
		{"uptime-kuma", "uptime-kuma.json"},
		{"alertmanager", "alertmanager-0.34.0-grouped-resolved.json"},
		{"zabbix", "zabbix-resolved.json"},
		{"uptime-kuma", "uptime-kuma-up.json"},
	}
	of := samples[n%len(samples)]
	_, err := s.send(ctx, c, request{method: http.MethodPost, path: "/v1/webhooks/" + of[0], body: sampleBody(s.t, of[1])}, 10)
	return err
}

func (s *service) sendsAsPrometheus(ctx context.Context, c *client, n int) error {
	now := time.Now()
	a := map[string]any{
		"labels":   map[string]string{"alertname": fmt.Sprint("Prometheus", n%4), "team": "db"},
		"startsAt": now.Add(-time.Minute), "endsAt": now.Add(time.Minute), "annotations": map[string]string{"summary": fmt.Sprint("round ", n/4)},
	}
	if n/4%2 == 1 {
		a["endsAt"] = now
	}
	s.tried.Add(1)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/api/v2/alerts", strings.NewReader(asJSON([]any{a})))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("as Prometheus: %w", err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("as Prometheus: %s, %w", resp.Status, err)
	}
	s.requests.Add(1)
	return nil
}

// silences makes a silence, sends what it hides, and ends it.
func (s *service) silences(ctx context.Context, c *client, n int) error {
	var made struct{ Silence alert.Silence }
	if err := c.call(ctx, http.MethodPost, "/v1/silences", map[string]any{"matchers": `team="quiet"`, "for": "1m", "why": "a test"}, &made); err != nil {
		return fmt.Errorf("silence: %w", err)
	}
	a := s.nth("hidden", n)
	a["labels"] = map[string]string{"team": "quiet"}
	if _, err := s.send(ctx, c, request{method: http.MethodPost, path: "/v1/alerts", body: []byte(asJSON(a))}, 1); err != nil {
		return err
	}
	if err := c.call(ctx, http.MethodDelete, "/v1/silences/"+made.Silence.ID, nil, &struct{}{}); err != nil {
		return fmt.Errorf("end a silence: %w", err)
	}
	s.requests.Add(2)
	return nil
}

// asks has somebody type a command, and waits for the answer that only they see.
func (s *service) asks(ctx context.Context, user string, n int) error {
	commands := []string{"list", "status", "help", "oncall", "stats", "silences", "queue", "heartbeats", "no such command", "show nothing", "silence team=nobody for 1m because of a test", "test"}
	text := commands[n%len(commands)]
	if text == "test" {
		s.tried.Add(1) // which says that it was delivered, and not always at once
	}
	if n%5 == 0 {
		if err := s.slack.User(user).OpenHome(); err != nil {
			return err
		}
	}
	before := s.answers(user)
	acked, err := s.reaches(func() (*playground.Interaction, error) {
		run, err := s.slack.User(user).Command(ctx, soakLane, "/notify", text)
		if err != nil {
			return nil, err
		}
		return &run.Interaction, nil
	})
	if err != nil || !acked {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for s.answers(user) <= before {
		if !pause(waiting, 50*time.Millisecond) {
			return fmt.Errorf("%s typed %q and got no answer", user, text)
		}
	}
	s.asked.Add(1)
	return nil
}

// answers is how many messages of the app only this person has seen.
func (s *service) answers(user string) (n int) {
	for _, m := range s.slack.Ephemerals(user, soakLane) {
		if m.User != "USLACKBOT" {
			n++
		}
	}
	return n
}

// reaches does what Slack asks the daemon about. It is false if the daemon did not answer
// because Slack could not reach it, which is an error at any other time.
func (s *service) reaches(ask func() (*playground.Interaction, error)) (acked bool, err error) {
	before := s.unrest.Load()
	got, err := ask()
	switch {
	case err != nil:
		return false, err
	case got.Acked:
		s.acked(got.AckAfter)
		return true, nil
	case before%2 == 1 || before != s.unrest.Load():
		s.excused.Add(1)
		return false, nil
	}
	return false, fmt.Errorf("the daemon did not answer: %+v", got)
}

// acked notes how long the daemon took to take a command or a click.
func (s *service) acked(after time.Duration) {
	for slowest := s.slowest.Load(); int64(after) > slowest && !s.slowest.CompareAndSwap(slowest, int64(after)); {
		slowest = s.slowest.Load()
	}
}

// presses opens an incident, has somebody acknowledge and resolve it on its card, and waits
// until the daemon knows.
func (s *service) presses(ctx context.Context, user string, n int) error {
	c := s.client("unix")
	body := asJSON(map[string]any{"key": fmt.Sprint(user, n), "title": fmt.Sprintf("a case for %s: %d", user, n), "severity": "critical", "channel": soakLane})
	got, err := s.send(ctx, c, request{method: http.MethodPost, path: "/v1/alerts", body: []byte(body)}, 1)
	if err != nil {
		return err
	}
	var rec alert.Record
	for rec.TS == "" && pause(ctx, 50*time.Millisecond) {
		if err := c.call(ctx, http.MethodGet, "/v1/alerts/"+got[0].ID, nil, &rec); err != nil {
			return err
		}
	}
	for _, act := range []struct {
		button string
		state  alert.State
	}{{"ack", alert.Acked}, {"resolve", alert.StateResolved}} {
		for acked := false; !acked && pause(ctx, time.Second); {
			acked, err = s.reaches(func() (*playground.Interaction, error) {
				return s.slack.User(user).Click(ctx, playground.AtMessage(rec.Conversation, rec.TS), act.button)
			})
			if err != nil {
				return fmt.Errorf("%s pressed %s: %w", user, act.button, err)
			}
		}
		if err := s.becomes(ctx, c, got[0].Incident, act.state); err != nil {
			return fmt.Errorf("%s pressed %s: %w", user, act.button, err)
		}
		s.pressed.Add(1)
	}
	return nil
}

// becomes waits for the state of an incident.
func (s *service) becomes(ctx context.Context, c *client, incident string, want alert.State) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	for {
		var i alert.Incident
		if err := c.call(ctx, http.MethodGet, incidentPath(incident), nil, &i); err != nil {
			return err
		}
		if i.State == want {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("incident %s is %s", incident, i.State)
		}
	}
}
