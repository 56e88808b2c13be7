package engine

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
)

func undo(verb alert.Verb, id string, by alert.Person) alert.Act {
	return alert.Act{Verb: verb, Incident: id, By: by}
}

func TestAnAcknowledgementThatIsUndoneDoesNotDelayEscalation(t *testing.T) {
	w := newWorld(t, climbing())
	id := w.push(alert.Alert{Key: "db", Title: "disk full", Severity: alert.Critical}).receipts[0].Incident
	first := w.incidents[0].DueAt
	if !first.After(w.now) {
		t.Fatalf("the first step is due at %v", first)
	}
	w.after(time.Minute)
	w.act(undo(alert.VerbAck, id, ann))
	w.after(30 * time.Second)
	d := w.act(undo(alert.VerbUnack, id, ann))
	if i := w.incidents[0]; i.State != alert.Open || i.AckedBy != (alert.Person{}) || i.Assignee != (alert.Person{}) || !i.AckedAt.IsZero() || !i.RemindAt.IsZero() {
		t.Errorf("undoing left %+v", i)
	}
	if got, want := w.incidents[0].DueAt, first.Add(30*time.Second); !got.Equal(want) {
		t.Errorf("the next step is due at %v, want %v", got, want)
	}
	if kinds(d); d.acted[0].Effect != alert.ActDone || !slices.Equal(w.verbs(), []alert.Verb{alert.VerbAck, alert.VerbUnack}) {
		t.Errorf("it was %+v, and the history is %v", d.acted, w.verbs())
	}
	again := w.act(undo(alert.VerbUnack, id, bob))
	if wantDeliveries(t, again); again.acted[0].Effect != alert.ActAlready {
		t.Errorf("undoing it twice is %+v", again.acted)
	}
}

func TestWhoHadAcknowledgedIsToldThatSomebodyElseUndidIt(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: ann})
	wantDeliveries(t, w.act(undo(alert.VerbUnack, id, bob)), "#alerts update", "#alerts reply unacked @U0ANN")
	w.act(undo(alert.VerbAck, id, bob))
	w.act(alert.Act{Verb: alert.VerbAssign, Incident: id, By: bob, To: ann})
	wantDeliveries(t, w.act(undo(alert.VerbUnack, id, bob)), "#alerts update", "#alerts reply unacked")
	if i := w.incidents[0]; i.Assignee != ann {
		t.Errorf("who it was given to is %v", i.Assignee)
	}
}

func TestAResolutionThatIsUndoneAtOnceLeavesEverythingAsItWas(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	w.act(undo(alert.VerbAck, id, ann))
	w.act(undo(alert.VerbResolve, id, bob))
	w.after(alert.UndoWithin)
	wantDeliveries(t, w.act(undo(alert.VerbReopen, id, bob)), "#alerts update", "#alerts reply unresolved")
	if i := w.incidents[0]; i.State != alert.Acked || i.AckedBy != ann || i.Assignee != ann || !i.ResolvedAt.IsZero() || i.ResolvedBy != (alert.Person{}) {
		t.Errorf("undoing left %+v", i)
	}
	w.act(undo(alert.VerbResolve, id, bob))
	w.after(alert.UndoWithin + time.Second)
	wantDeliveries(t, w.act(undo(alert.VerbReopen, id, bob)), "#alerts update", "#alerts reply unresolved @U0ANN")
	if i := w.incidents[0]; i.State != alert.Open || i.AckedBy != (alert.Person{}) || i.Assignee != (alert.Person{}) || !i.OpenedAt.Equal(w.now) {
		t.Errorf("undoing it later left %+v", i)
	}
}

func TestWhatHasFiredAgainIsNotReopened(t *testing.T) {
	w := newWorld(t)
	old := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	w.act(undo(alert.VerbResolve, old, ann))
	w.after(time.Minute)
	w.push(alert.Alert{Key: "db", Title: "disk full"})
	if d := w.act(undo(alert.VerbReopen, old, ann)); len(d.change.Incidents) != 0 || d.acted[0].Effect != alert.ActAlready {
		t.Errorf("what fires again anyway was reopened: %+v", d.acted)
	}
	w.act(undo(alert.VerbResolve, old, ann))
	w.after(w.rules.routing.ReopenWithin + time.Second)
	newer := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	d := w.decide(input{acts: []alert.Act{undo(alert.VerbReopen, old, ann)}, keys: []string{"db"}})
	if d.acted[0].Effect != alert.ActNewer || d.acted[0].Incident.ID != newer || d.acted[0].Incident.Title == "" || !empty(d.change) {
		t.Errorf("beside %s it was %+v", newer, d.acted)
	}
}

func TestAReopenedIncidentIsSilencedByWhatMatchesIt(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "disk full", Labels: map[string]string{"service": "db"}}).receipts[0].Incident
	w.act(undo(alert.VerbResolve, id, ann))
	s := w.silence("service=db", time.Hour)
	w.act(undo(alert.VerbReopen, id, ann))
	if i := w.incidents[0]; i.Silence != s.ID || i.State != alert.Open || !i.DueAt.Equal(s.EndsAt) {
		t.Errorf("it is %+v", i)
	}
}

func TestWhatWasResolvedBeforeItWasShownIsShownWhenItIsReopened(t *testing.T) {
	w := newWorld(t)
	s := w.silence("service=db", time.Minute)
	id := w.push(alert.Alert{Key: "db", Title: "disk full", Labels: map[string]string{"service": "db"}}).receipts[0].Incident
	w.act(undo(alert.VerbResolve, id, ann))
	w.until(s.EndsAt.Add(time.Second))
	if d := w.act(undo(alert.VerbReopen, id, ann)); !slices.Contains(kinds(d), "post") {
		t.Errorf("it was shown by %v", kinds(d))
	}
}

func TestReopeningThroughTheEngineKnowsTheNewerIncident(t *testing.T) {
	m := newMemory()
	var passed atomic.Int64 // the engine reads its clock while the test turns it
	e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#alerts"}, Now: func() time.Time { return noon.Add(time.Duration(passed.Load())) }})
	defer stop()
	push := func() string {
		t.Helper()
		got, err := e.Push(t.Context(), []alert.Alert{{Key: "db", Title: "disk full"}})
		if err != nil {
			t.Fatal(err)
		}
		return got[0].Incident
	}
	act := func(verb alert.Verb, id string) alert.Acted {
		t.Helper()
		got, err := e.Act(t.Context(), []alert.Act{undo(verb, id, ann)})
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	old := push()
	act(alert.VerbResolve, old)
	passed.Add(int64(time.Hour))
	newer := push()
	if got := act(alert.VerbReopen, old); got.Effect != alert.ActNewer || got.Incident.ID != newer {
		t.Errorf("the older one is %+v", got)
	}
	act(alert.VerbResolve, newer)
	if got := act(alert.VerbReopen, newer); got.Effect != alert.ActDone || got.Incident.State != alert.Open {
		t.Errorf("the newer one is %+v", got)
	}
	if got := act(alert.VerbReopen, "zzzz"); got.Effect != alert.ActUnknown {
		t.Errorf("an unknown one is %+v", got)
	}
}
