package engine

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// flap resolves the incident of key db and fires it again some times, a second apart,
// and returns what was decided at last.
func (w *world) flap(times int, firing alert.Alert) (last decided) {
	w.t.Helper()
	firing.Key, firing.Title = "db", "disk full"
	for range times {
		w.now = w.now.Add(time.Second)
		w.push(alert.Alert{Key: "db", Title: "disk full", Status: alert.Resolved})
		w.now = w.now.Add(time.Second)
		last = w.push(firing)
	}
	return last
}

// said lists the topics of all replies so far.
func (w *world) said() (all []string) {
	for _, d := range w.deliveries {
		if d.Note != nil {
			all = append(all, string(d.Note.Topic))
		}
	}
	return all
}

func TestAFlappingIncidentSaysSoOnceAndThenHowItEnded(t *testing.T) {
	for name, c := range map[string]struct {
		end  []alert.Alert
		want alert.Severity
	}{
		"firing":   {nil, alert.Error},
		"resolved": {[]alert.Alert{{Key: "db", Title: "disk full", Status: alert.Resolved}}, ""},
	} {
		w := newWorld(t)
		w.push(alert.Alert{Key: "db", Title: "disk full"})
		w.flap(4, alert.Alert{})
		before := len(w.said())
		begun := w.flap(1, alert.Alert{}).change.Deliveries
		if n := begun[len(begun)-1].Note; n == nil || n.Topic != alert.TopicFlapping || n.Count != 5 || n.After != 8*time.Second {
			t.Errorf("%s: the fifth time says %+v", name, n)
		}
		for range 50 {
			if d := w.flap(1, alert.Alert{}); !slices.Equal(kinds(d), []string{"update"}) {
				t.Fatalf("%s: while it flaps %v", name, kinds(d))
			}
		}
		w.push(c.end...)
		if w.after(5*time.Minute - 10*time.Second); len(w.said()) != before+2 {
			t.Errorf("%s: too early it said %q", name, w.said())
		}
		stable := w.after(20 * time.Second)
		if !slices.Equal(kinds(stable), []string{"reply stable"}) || stable.change.Deliveries[0].Note.Severity != c.want {
			t.Errorf("%s: when it is stable %v", name, kinds(stable))
		}
		if d := w.after(time.Hour); len(d.change.Deliveries) != 0 {
			t.Errorf("%s: later %v", name, kinds(d))
		}
	}
}

func TestAFlappingIncidentThatGetsWorseSaysSo(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "disk full", Severity: alert.Warning})
	w.flap(10, alert.Alert{Severity: alert.Warning})
	w.now = w.now.Add(time.Second)
	worse := w.push(alert.Alert{Key: "db", Title: "disk full", Severity: alert.Error})
	if !slices.Equal(kinds(worse), []string{"update", "reply escalated"}) {
		t.Errorf("worse: %v", kinds(worse))
	}
	critical := w.flap(1, alert.Alert{Severity: alert.Critical})
	if !slices.Equal(kinds(critical), []string{"update", "reply reopened"}) || critical.change.Deliveries[1].Priority != alert.PriorityCritical {
		t.Errorf("critical: %v", kinds(critical))
	}
	if again := w.flap(1, alert.Alert{Severity: alert.Critical}); !slices.Equal(kinds(again), []string{"update"}) {
		t.Errorf("as critical as before: %v", kinds(again))
	}
}

func TestWhatPeopleDoToAFlappingIncidentIsSaid(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	w.flap(5, alert.Alert{})
	for _, verb := range []alert.Verb{alert.VerbAck, alert.VerbNote, alert.VerbResolve} {
		d := w.act(alert.Act{Verb: verb, Incident: id, By: ann, Text: "on it"})
		if k := kinds(d); len(k) == 0 || k[len(k)-1] == "update" {
			t.Errorf("%s: %v", verb, k)
		}
	}
}

func TestAFlappingIncidentThatNobodyAcknowledgesEscalates(t *testing.T) {
	steps := alert.Route{Name: "all", Escalate: []alert.Step{{After: time.Minute, To: []string{"#leads"}}}}
	w := newWorld(t, steps)
	w.push(alert.Alert{Key: "db", Title: "disk full"})
	w.flap(20, alert.Alert{})
	escalated := func() (n int) {
		for _, d := range w.deliveries {
			if d.Lane == "#leads" && d.Kind == alert.Post {
				n++
			}
		}
		return n
	}
	for range 40 {
		w.flap(1, alert.Alert{})
		w.until(w.now)
	}
	if escalated() != 1 {
		t.Errorf("escalated %d times", escalated())
	}
}

func TestAnIncidentThatFiresAgainNowAndThenDoesNotFlap(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "disk full"})
	for range 20 {
		w.flap(1, alert.Alert{})
		w.after(2 * time.Minute)
	}
	if n := len(w.said()); n != 40 || slices.Contains(w.said(), "flapping") {
		t.Errorf("said %d things: %q", n, w.said())
	}
}

func TestAFlappingIncidentIsStableInTimeAlsoAfterTheClockWasPutBack(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "disk full"})
	w.flap(10, alert.Alert{})
	w.now = w.now.Add(-time.Hour)
	snapshot, _ := w.Load(context.Background(), alert.Query{Now: w.now, Ahead: true})
	w.commit(decideAhead(w.rules, w.now, snapshot))
	if stable := w.after(5 * time.Minute); !slices.Equal(kinds(stable), []string{"reply stable"}) {
		t.Errorf("after five minutes %v", kinds(stable))
	}
}

func TestASilencedIncidentDoesNotSayThatItFlaps(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "disk full"})
	w.flap(5, alert.Alert{})
	w.silence(`key="db"`, time.Hour)
	before := len(w.said())
	w.flap(20, alert.Alert{})
	w.after(30 * time.Minute)
	if n := len(w.said()); n != before {
		t.Errorf("said %q", w.said()[before:])
	}
}

func TestWhoseAcknowledgementIsVoidIsSaidAlsoWhileItFlaps(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	w.flap(10, alert.Alert{})
	w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: ann})
	again := w.flap(1, alert.Alert{})
	if !slices.Equal(kinds(again), []string{"update", "reply reopened"}) || again.change.Deliveries[1].Note.To != ann {
		t.Errorf("the first time: %v", kinds(again))
	}
	if again := w.flap(1, alert.Alert{}); !slices.Equal(kinds(again), []string{"update"}) {
		t.Errorf("the second time: %v", kinds(again))
	}
}

func TestAFlappingIncidentSaysItsLastWordsAndPagesWhenItIsStable(t *testing.T) {
	page := func(n int) string { return strings.Repeat(string(rune('a'+n))+" ", alert.PageSize) + "end" }
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "disk full", Text: page(0)})
	w.flap(5, alert.Alert{Text: page(0)})
	before := len(w.deliveries)
	for n := range 20 {
		w.flap(1, alert.Alert{Text: page(n)})
		w.push(alert.Alert{Key: "db", Title: "disk full", Text: "mended " + page(n), Status: alert.Resolved})
	}
	for _, d := range w.deliveries[before:] {
		if d.Kind == alert.Reply {
			t.Fatalf("while it flaps it says %+v", d.Note)
		}
	}
	var said string
	for _, d := range w.after(6 * time.Minute).change.Deliveries {
		said += d.Note.Text
	}
	if want := strings.Join(alert.Pages(page(19), math.MaxInt)[1:], "") + strings.Join(alert.Pages("mended "+page(19), math.MaxInt), ""); said != want {
		t.Errorf("it says %d characters, want the further pages of the card's text and the last words, which are %d", len(said), len(want))
	}
}
