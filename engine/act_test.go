package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

var (
	ann = alert.Person{ID: "U0ANN", Name: "ann"}
	bob = alert.Person{ID: "U0BOB", Name: "bob"}
)

// verbs lists what an incident's history says.
func (w *world) verbs() []alert.Verb {
	var out []alert.Verb
	for _, line := range w.history {
		out = append(out, line.Verb)
	}
	return out
}

func wantDeliveries(t *testing.T, d decided, want ...string) {
	t.Helper()
	var got []string
	for _, sent := range d.change.Deliveries {
		got = append(got, describe(sent))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the deliveries are %q, want %q", got, want)
	}
}

func TestWhoAcknowledgesFirstHasIt(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	w.now = noon.Add(time.Minute)
	d := w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: ann}, alert.Act{Verb: alert.VerbAck, Incident: id, By: bob})
	wantDeliveries(t, d, "#alerts update", "#alerts reply acked")
	if d.acted[0].Effect != alert.ActDone || d.acted[1].Effect != alert.ActAlready || d.acted[1].Incident.AckedBy != ann {
		t.Errorf("the acts became %+v", d.acted)
	}
	if i := w.incidents[0]; i.State != alert.Acked || i.Assignee != ann || !i.AckedAt.Equal(w.now) {
		t.Errorf("the incident is %+v", i)
	}
	again := w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: bob, Text: "I look at the disk"})
	wantDeliveries(t, again, "#alerts reply note")
	if again.acted[0].Effect != alert.ActAlready || !slices.Equal(w.verbs(), []alert.Verb{alert.VerbAck, alert.VerbNote}) {
		t.Errorf("a late acknowledgement with a note is %+v, the history %v", again.acted, w.verbs())
	}
}

func TestAnIncidentIsAssignedResolvedAndThenLeftAlone(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbAssign, Incident: id, By: ann, To: bob}), "#alerts update", "#alerts reply assigned @U0BOB")
	if i := w.incidents[0]; i.State != alert.Acked || i.AckedBy != ann || i.Assignee != bob {
		t.Errorf("assigning left %+v", i)
	}
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbAssign, Incident: id, By: ann, To: bob}))
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbAssign, Incident: id, By: bob, To: ann}), "#alerts update", "#alerts reply assigned @U0ANN")
	if i := w.incidents[0]; i.AckedBy != ann || i.Assignee != ann {
		t.Errorf("handing on left %+v", i)
	}
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbAssign, Incident: id, By: bob, To: bob}), "#alerts update", "#alerts reply assigned")
	for _, nobody := range []alert.Person{{Name: "carol"}, {ID: "here"}, {ID: "S0DBOPS"}} {
		wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbAssign, Incident: id, By: bob, To: nobody}), "#alerts update", "#alerts reply assigned")
	}
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbResolve, Incident: id, By: ann}), "#alerts update", "#alerts reply resolved")
	if i := w.incidents[0]; i.State != alert.StateResolved || i.ResolvedBy != ann {
		t.Errorf("resolving left %+v", i)
	}
	for _, verb := range []alert.Verb{alert.VerbAck, alert.VerbResolve, alert.VerbAssign} {
		d := w.act(alert.Act{Verb: verb, Incident: id, By: bob, To: bob})
		if wantDeliveries(t, d); d.acted[0].Effect != alert.ActAlready || d.acted[0].Incident.ResolvedBy != ann {
			t.Errorf("%s of a resolved one is %+v", verb, d.acted[0])
		}
	}
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbNote, Incident: id, By: bob, Text: "it was the logs"}), "#alerts reply note")
}

func TestAnUnknownIncidentIsSaidToBeUnknown(t *testing.T) {
	w := newWorld(t)
	d := w.act(alert.Act{Verb: alert.VerbAck, Incident: "zzzz", By: ann})
	if d.acted[0].Effect != alert.ActUnknown || d.acted[0].Incident.ID != "zzzz" || !empty(d.change) {
		t.Errorf("got %+v", d.acted)
	}
}

func TestARequestThatComesTwiceIsDoneOnce(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
	click := alert.Act{Verb: alert.VerbAck, Incident: id, By: ann, Text: "mine", RequestID: "trigger-1"}
	first := w.act(click, click)
	later := w.act(click)
	for _, acted := range append(first.acted, later.acted...) {
		if acted.Effect != alert.ActDone || acted.Incident.AckedBy != ann {
			t.Errorf("a click was answered %+v", acted)
		}
	}
	wantDeliveries(t, first, "#alerts update", "#alerts reply acked")
	wantDeliveries(t, later)
	if len(w.history) != 1 {
		t.Errorf("the history is %+v", w.history)
	}
}

func TestARequestThatChangedNothingChangesNothingWhenItComesAgain(t *testing.T) {
	for _, text := range []string{"", "me too"} {
		w := newWorld(t)
		id := w.push(alert.Alert{Key: "db", Title: "disk full"}).receipts[0].Incident
		w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: bob})
		late := alert.Act{Verb: alert.VerbAck, Incident: id, By: ann, Text: text, RequestID: "trigger-1"}
		w.act(late)
		w.act(alert.Act{Verb: alert.VerbUnack, Incident: id, By: bob})
		again := w.act(late)
		if acted := again.acted[0]; acted.Effect != alert.ActAlready || acted.Incident.State != alert.Open || !empty(again.change) {
			t.Errorf("with the text %q it was answered %+v and changed %+v", text, acted, again.change)
		}
	}
}

func TestAReturnBeginsAnew(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "a"}).receipts[0].Incident
	w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: ann})
	w.act(alert.Act{Verb: alert.VerbResolve, Incident: id, By: ann})
	w.now = noon.Add(time.Minute)
	d := w.push(alert.Alert{Key: "db", Title: "a", Source: "grafana"})
	wantDeliveries(t, d, "#alerts update", "#alerts reply reopened")
	i := w.incidents[0]
	if i.State != alert.Open || i.AckedBy != (alert.Person{}) || i.Assignee != (alert.Person{}) || i.ResolvedBy != (alert.Person{}) || !i.OpenedAt.Equal(w.now) || !i.FirstAt.Equal(noon) {
		t.Errorf("after its return it is %+v", i)
	}
	if line := w.history[len(w.history)-1]; line.Verb != alert.VerbReopen || line.By.Name != "grafana" || line.Incident != id {
		t.Errorf("the history ends with %+v", line)
	}
}

func TestAThreadTellsWhatItsPolicyWants(t *testing.T) {
	yes := true
	for _, c := range []struct {
		policy alert.ThreadPolicy
		want   []string
	}{
		{alert.ThreadAll, []string{"refired", "escalated", "acked", "note", "resolved", "reopened", "resolved"}},
		{alert.ThreadImportant, []string{"escalated", "acked", "note", "resolved", "reopened", "resolved"}},
		{alert.ThreadNone, []string{"note", "resolved"}},
	} {
		w := newWorld(t, alert.Route{Name: "all", Thread: c.policy, Broadcast: &yes})
		id := w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning}).receipts[0].Incident
		w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning})
		w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Error})
		w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: ann}, alert.Act{Verb: alert.VerbNote, Incident: id, By: ann, Text: "hm"})
		w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
		w.push(alert.Alert{Key: "db", Title: "a"})
		w.push(alert.Alert{Key: "db", Title: "a", Text: "what it says has no other place", Status: alert.Resolved})
		var told []string
		for _, d := range w.deliveries {
			if d.Note == nil {
				continue
			}
			told = append(told, string(d.Note.Topic))
			if matter := slices.Contains([]string{"escalated", "resolved", "reopened"}, told[len(told)-1]); d.Note.Broadcast != matter {
				t.Errorf("%s: a note of %s is broadcast: %v", c.policy, d.Note.Topic, d.Note.Broadcast)
			}
		}
		if !slices.Equal(told, c.want) {
			t.Errorf("%s tells %v, want %v", c.policy, told, c.want)
		}
	}
}

func TestThatSomethingCriticalIsOverMakesNothingWait(t *testing.T) {
	w := newWorld(t)
	critical := alert.Alert{Key: "db", Title: "disk full", Severity: alert.Critical}
	for _, sent := range w.push(critical).change.Deliveries {
		if sent.Priority != 0 {
			t.Errorf("%s has priority %d", describe(sent), sent.Priority)
		}
	}
	critical.Status, critical.Text = alert.Resolved, strings.Repeat("it is over ", 500)
	d := w.push(critical)
	wantDeliveries(t, d, "#alerts update", "#alerts reply resolved", "#alerts reply more")
	for _, sent := range d.change.Deliveries[1:] {
		if sent.Priority != alert.PriorityQuiet {
			t.Errorf("%s has priority %d", describe(sent), sent.Priority)
		}
	}
}
