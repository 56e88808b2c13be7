package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/config"
	"tocsin/playground"
)

// startStandbyAt runs a standby in this process, with another clock.
func startStandbyAt(t *testing.T, s *playground.Server, active *process, now func() time.Time) *process {
	t.Helper()
	p := prepare(t, s, map[string]string{"TOCSIN_STORE": active.env["TOCSIN_STORE"], "TOCSIN_CONFIG": active.env["TOCSIN_CONFIG"]})
	in := world{getenv: func(name string) string { return p.env[name] }}.input(nil)
	in.Now = now
	cfg, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		d, err := newDaemon(ctx, cfg, origin{in: in, log: zap.NewNop(), doors: &doors{}})
		if err == nil { // it became active as the test ended
			err = d.close()
		}
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)
	p.eventually("a standby", func() bool {
		h, err := p.health()
		return err == nil && h.Standby
	})
	return p
}

func TestAStandbyWhoseClockIsWrongAnswersByThatOfTheActiveOne(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	active := replicas(t, s, 1)[0]
	for name, wrong := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		standby := startStandbyAt(t, s, active, func() time.Time { return time.Now().Add(wrong) })
		in := func(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339Nano) }
		send := func(path, body string, header ...string) {
			t.Helper()
			if got := standby.webhook(path, []byte(body), header...); got.status/100 != 2 {
				t.Errorf("%s: %s is answered %d %s", name, body, got.status, got.body)
			}
		}

		send("/api/v2/alerts", `[{"labels":{"alertname":"`+name+`","severity":"critical"},"endsAt":"`+in(4*time.Minute)+`"}]`)
		cardOf(t, s, name)
		for _, a := range standby.mustPush(map[string]any{"title": "now " + name, "at": in(0)}) {
			if len(a.Notes) > 0 {
				t.Errorf("%s: what happened now gets the notes %q", name, a.Notes)
			}
		}

		send("/v1/alerts", `{"title":"waited `+name+`"}`, "X-Tocsin-Waited", "5m")
		var latest struct{ Incidents []alert.Incident }
		if err := active.ask("/v1/incidents?sort=latest&limit=1", &latest); err != nil || len(latest.Incidents) != 1 {
			t.Fatalf("%d incidents, %v", len(latest.Incidents), err)
		}
		if age := time.Since(latest.Incidents[0].Began()); age < 4*time.Minute || age > 9*time.Minute {
			t.Errorf("%s: what has waited for five minutes began %s ago", name, age)
		}

		send("/v1/silences", `{"matchers":"a=`+name+`","for":"5m"}`)
		send("/v1/silences", `{"matchers":"b=`+name+`","ends_at":"`+in(8*time.Minute)+`"}`)
		send("/api/v2/silences", `{"matchers":[{"name":"c","value":"`+name+`","isRegex":false}],"createdBy":"ann","comment":"","startsAt":"`+in(0)+`","endsAt":"`+in(8*time.Minute)+`"}`)
		var list struct{ Silences []alert.Silence }
		if err := active.ask("/v1/silences", &list); err != nil {
			t.Fatal(err)
		}
		if len(list.Silences) != 3 {
			t.Errorf("%s: %d silences are active, want 3", name, len(list.Silences))
		}
		for _, one := range list.Silences {
			if one.EndsAt.After(time.Now().Add(9 * time.Minute)) {
				t.Errorf("%s: %s ends at %s", name, one.Matchers, one.EndsAt)
			}
			if err := active.client().call(t.Context(), http.MethodDelete, "/v1/silences/"+one.ID, nil, &struct{}{}); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestADialogIsCheckedByTheClockOfTheActiveReplica(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 1)
	all[0].settle(all[0].mustPush(firing("a", "disk full"))...)
	startStandbyAt(t, s, all[0], func() time.Time { return time.Now().Add(10 * time.Minute) })
	sockets(t, s, 4)
	press(t, s, "ann", cardOf(t, s, "disk full").TS, "silence")
	all[0].eventually("the dialog", func() bool { _, open := s.User("ann").Modal(); return open })
	release := nextActive(all[0]) // the standby stays one
	defer release()
	all[0].kill()
	sockets(t, s, 2)
	got, err := s.User("ann").Submit(t.Context(), map[string]map[string]any{
		"matchers": {"matchers": "team=db"}, "begins": {"begins": fmt.Sprint(time.Now().Add(5 * time.Minute).Unix())}, "duration": {"duration": "1h"}, "repeat": {"repeat": "never"},
	})
	if err != nil || !got.Closed || len(got.Errors) != 0 {
		t.Errorf("a silence that begins in five minutes gets %+v, %v", got, err)
	}
}
