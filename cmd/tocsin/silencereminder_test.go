package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// planned waits until as many silences are planned or active, and returns them, latest first.
func (p *process) planned(n int) []alert.Silence {
	p.t.Helper()
	var page struct{ Silences []alert.Silence }
	p.eventually("the silences", func() bool {
		page.Silences = nil
		return p.ask("/v1/silences", &page) == nil && len(page.Silences) == n
	})
	return page.Silences
}

func TestAChannelIsRemindedOnceOfASilenceThatWasPlannedThereAlsoOverAKill(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	connected(t, s)
	typed := func(text string) {
		t.Helper()
		if run, err := s.User("ann").Command(t.Context(), "#ops", "/notify", text); err != nil || !run.Acked {
			t.Fatalf("ann typed %s: %+v, %v", text, run, err)
		}
	}
	typed("silence team=db from tomorrow 22:00 for 1h because we move the disks")
	moved := p.planned(1)[0]
	typed("silence team=web from in 905s for 1h")
	p.planned(2)
	begins := time.Now().Add(15*time.Minute + 5*time.Second)
	edited := map[string]any{
		"id": moved.ID, "startsAt": begins, "endsAt": begins.Add(time.Hour), "createdBy": "ann", "comment": "we move the disks",
		"matchers": []any{map[string]any{"name": "team", "value": "db", "isRegex": false}},
	}
	var made struct {
		ID string `json:"silenceID"`
	}
	if err := p.client().call(t.Context(), http.MethodPost, "/api/v2/silences", edited, &made); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.start()
	const words = "A silence begins"
	reminded := func(v *playground.Snapshot, channel string) []playground.Message {
		return saying(v.Messages(channel), words)
	}
	until(t, s, "two reminders", func(v *playground.Snapshot) bool { return len(reminded(v, "#ops")) == 2 })
	p.kill()
	p.start()
	connected(t, s)
	p.settle(p.mustPush(inChannel(firing("x", "disk full"), "#ops"))...)
	until(t, s, "two reminders after a restart", func(v *playground.Snapshot) bool {
		return len(reminded(v, "#ops")) == 2 && len(reminded(v, "#alerts")) == 0
	})
	var over struct{ Incidents []alert.Incident }
	var sums alert.Stats
	for path, into := range map[string]any{"/v1/incidents?state=resolved": &over, "/v1/stats": &sums} {
		if err := p.ask(path, into); err != nil {
			t.Fatal(err)
		}
	}
	if len(over.Incidents) > 0 || sums.Incidents != 1 {
		t.Errorf("reminders count as incidents: %d, listed %+v", sums.Incidents, over.Incidents)
	}
	for _, m := range saying(s.Messages("#ops"), made.ID) {
		if !strings.Contains(shown(m), "we move the disks") || !strings.Contains(shown(m), "ann") {
			t.Errorf("it says %s", shown(m))
		}
		if got, err := s.User("ann").Click(t.Context(), playground.AtMessage("#ops", m.TS), "expire"); err != nil || !got.Acked {
			t.Fatalf("ending it: %+v, %v", got, err)
		}
	}
	if left := p.planned(1)[0]; left.ID == made.ID {
		t.Errorf("the one that was ended is left: %+v", left)
	}
	if l := p.ledger().Total; l.Delivered != 1 || l.Dead != 0 || l.Pending != 0 {
		t.Errorf("the ledger is %+v", l)
	}
}
