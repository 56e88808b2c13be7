package engine

import (
	"context"
	"testing"
	"time"

	"tocsin/alert"
)

// night are quiet hours from 22:00 to 06:00 for what is less severe than error.
func night() *alert.Quiet {
	return &alert.Quiet{Hours: alert.Hours{From: 22 * time.Hour, To: 6 * time.Hour, Zone: time.UTC}, Below: alert.Error}
}

func at(hour, minute int) time.Time { return time.Date(2026, 1, 2, hour, minute, 0, 0, time.UTC) }

func TestQuietHoursHoldACardUntilMorning(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", Quiet: night()})
	w.now = at(23, 0)
	for _, a := range []alert.Alert{{Key: "db", Title: "a", Severity: alert.Warning}, {Key: "db", Title: "a", Severity: alert.Warning}, {Key: "db", Title: "a", Status: alert.Resolved}} {
		d := w.push(a)
		wantDeliveries(t, d)
		wantStanding(t, d, alert.StandPending)
	}
	wantDeliveries(t, w.push(alert.Alert{Key: "web", Title: "a", Severity: alert.Error}), "#alerts post")
	if i := w.incidents[0]; !i.HeldUntil.Equal(at(30, 0)) || !i.DueAt.Equal(at(30, 0)) || i.State != alert.StateResolved {
		t.Errorf("it is held as %+v", i)
	}
	wantDeliveries(t, w.until(at(29, 59)))
	wantDeliveries(t, w.until(at(30, 0)), "#alerts post")
	if i := w.incidents[0]; !i.HeldUntil.IsZero() || !i.DueAt.IsZero() {
		t.Errorf("shown it is %+v", i)
	}
}

func TestGettingWorseInQuietHoursIsShownAtOnce(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", Quiet: night()})
	w.now = at(23, 0)
	w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning})
	wantDeliveries(t, w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Error}), "#alerts post")
	wantDeliveries(t, w.until(at(31, 0)))
}

func TestWhatWaitsForTheMorningIsShownAlthoughItEndsUnderASilence(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", Quiet: night()})
	w.now = at(23, 0)
	w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning})
	w.silence(`key="db"`, 7*time.Hour)
	d := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	wantStanding(t, d, alert.StandPending)
	wantDeliveries(t, w.until(at(31, 0)), "#alerts post")
}

func TestASilenceMayEndWhenQuietHoursDo(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", Quiet: night()})
	w.now = at(23, 0)
	w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning})
	w.silence(`key="db"`, 7*time.Hour)
	if i := w.incidents[0]; !i.Waiting || !i.HeldUntil.Equal(at(30, 0)) || !i.SilencedUntil.Equal(at(30, 0)) {
		t.Errorf("it waits as %+v", i)
	}
	wantDeliveries(t, w.until(at(30, 0)), "#alerts post")
}

func TestWhatWaitsForTheMorningWaitsForASilenceToo(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", Quiet: night()})
	w.now = at(23, 0)
	w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning})
	w.silence(`key="db"`, 9*time.Hour)
	wantDeliveries(t, w.until(at(30, 0)))
	wantDeliveries(t, w.until(at(32, 0)), "#alerts post")
}

func TestASilenceThatEndsInQuietHoursLeavesACardToThem(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", Quiet: night()})
	w.now = at(21, 0)
	w.silence(`key="db"`, 2*time.Hour)
	w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning})
	wantDeliveries(t, w.until(at(23, 0)))
	wantDeliveries(t, w.until(at(30, 0)), "#alerts post")
}

// climbing is a route with three steps of escalation, in disorder.
func climbing() alert.Route {
	return alert.Route{Name: "all", To: []string{"#a"}, Escalate: []alert.Step{
		{After: 20 * time.Minute, To: []string{"#b", "#a"}, Mention: []string{"U2"}},
		{After: 10 * time.Minute, Mention: []string{"U1"}},
		{After: 30 * time.Minute, To: []string{"#b"}, Mention: []string{"here"}},
	}}
}

func TestStepsAreTakenInOrderAtTheirTime(t *testing.T) {
	w := newWorld(t, climbing())
	w.push(alert.Alert{Key: "db", Title: "a"})
	wantDeliveries(t, w.after(10*time.Minute-time.Microsecond))
	wantDeliveries(t, w.after(time.Microsecond), "#a reply unanswered @U1 broadcast")
	wantDeliveries(t, w.after(9*time.Minute))
	d := w.after(time.Minute)
	wantDeliveries(t, d, "#a reply unanswered @U2 broadcast", "#b post")
	if note := d.change.Deliveries[0].Note; note.After != 20*time.Minute {
		t.Errorf("nobody has answered for %s", note.After)
	}
	if who := w.incidents[0].Mentions["#b"]; len(who) != 1 || who[0] != "U2" {
		t.Errorf("the new card pings %v", who)
	}
	wantDeliveries(t, w.after(10*time.Minute), "#a reply unanswered", "#b reply unanswered @here broadcast")
	wantDeliveries(t, w.after(100*time.Hour))
	if w.incidents[0].Escalated != 3 || !w.incidents[0].DueAt.IsZero() {
		t.Errorf("at the end it is %+v", w.incidents[0])
	}
}

func TestLateStepsAreTakenAtOnceInOrder(t *testing.T) {
	w := newWorld(t, climbing())
	w.push(alert.Alert{Key: "db", Title: "a"})
	wantDeliveries(t, w.after(time.Hour),
		"#a reply unanswered @U1 broadcast", "#a reply unanswered @U2 broadcast", "#b post", "#a reply unanswered", "#b reply unanswered @here broadcast")
}

func TestNoStepIsTakenAfterSomebodyTookIt(t *testing.T) {
	for _, verb := range []alert.Verb{alert.VerbAck, alert.VerbAssign, alert.VerbResolve} {
		w := newWorld(t, climbing())
		id := w.push(alert.Alert{Key: "db", Title: "a"}).receipts[0].Incident
		// The step was due, but whoever minds the clock comes second.
		w.now = noon.Add(15 * time.Minute)
		w.act(alert.Act{Verb: verb, Incident: id, By: ann, To: bob})
		wantDeliveries(t, w.after(time.Hour))
	}
}

func TestASilenceStopsStepsWhichThenBeginAtItsEnd(t *testing.T) {
	w := newWorld(t, climbing())
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.after(10 * time.Minute)
	w.silence(`key="db"`, time.Hour)
	wantDeliveries(t, w.after(59*time.Minute))
	wantDeliveries(t, w.after(time.Minute), "#a update", "#a reply unsilenced")
	wantDeliveries(t, w.after(19*time.Minute))
	wantDeliveries(t, w.after(time.Minute), "#a reply unanswered @U2 broadcast", "#b post")
}

func TestAReturnBeginsTheStepsAnew(t *testing.T) {
	w := newWorld(t, climbing())
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.after(20 * time.Minute)
	w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	wantDeliveries(t, w.after(9*time.Minute))
	w.push(alert.Alert{Key: "db", Title: "a"})
	wantDeliveries(t, w.after(9*time.Minute))
	wantDeliveries(t, w.after(time.Minute), "#a reply unanswered @U1 broadcast", "#b reply unanswered @U1 broadcast")
}

func TestStepsWaitForTheEndOfQuietHours(t *testing.T) {
	route := climbing()
	route.Quiet = night()
	w := newWorld(t, route)
	w.now = at(21, 45)
	w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning})
	wantDeliveries(t, w.until(at(21, 55)), "#a reply unanswered @U1 broadcast")
	wantDeliveries(t, w.until(at(29, 59)))
	wantDeliveries(t, w.until(at(30, 0)), "#a reply unanswered @U2 broadcast", "#b post", "#a reply unanswered", "#b reply unanswered @here broadcast")
}

func TestWhoAcknowledgedIsRemindedAgainAndAgain(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", To: []string{"#a"}, Remind: time.Hour})
	id := w.push(alert.Alert{Key: "db", Title: "a"}).receipts[0].Incident
	w.now = noon.Add(time.Minute)
	w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: ann})
	wantDeliveries(t, w.after(59*time.Minute))
	d := w.after(time.Minute)
	wantDeliveries(t, d, "#a reply reminder @U0ANN")
	if note := d.change.Deliveries[0].Note; note.After != time.Hour || note.By != ann {
		t.Errorf("the reminder says %+v", note)
	}
	// One that is late comes once, also when something else happened meanwhile.
	w.now = w.now.Add(2*time.Hour + time.Minute)
	w.push(alert.Alert{Key: "db", Title: "a"})
	wantDeliveries(t, w.after(0), "#a reply reminder @U0ANN")
	wantDeliveries(t, w.after(58*time.Minute))
	wantDeliveries(t, w.after(time.Minute), "#a reply reminder @U0ANN")
	w.act(alert.Act{Verb: alert.VerbResolve, Incident: id, By: ann})
	wantDeliveries(t, w.after(10*time.Hour))
}

func TestWhoAcknowledgedIsRemindedIfSlackDoesNotKnowWhoItIsAssignedTo(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", To: []string{"#a"}, Remind: time.Hour})
	id := w.push(alert.Alert{Key: "db", Title: "a"}).receipts[0].Incident
	w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: ann})
	w.act(alert.Act{Verb: alert.VerbAssign, Incident: id, By: ann, To: alert.Person{Name: "the night shift"}})
	wantDeliveries(t, w.after(time.Hour), "#a reply reminder @U0ANN")
	w.act(alert.Act{Verb: alert.VerbUnack, Incident: id, By: ann})
	wantDeliveries(t, w.after(10*time.Hour))
	if i := w.incidents[0]; i.Assignee.Name != "the night shift" {
		t.Errorf("it is assigned to %v", i.Assignee)
	}
}

func TestASilenceThatTakesOverLeavesNoTimeForAStep(t *testing.T) {
	w := newWorld(t, climbing())
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.silence(`key="db"`, time.Hour)
	longer := w.silence(`severity="error"`, 2*time.Hour)
	w.now = noon.Add(30 * time.Minute)
	w.decide(input{unsilence: &endRequest{longer.ID, bob}})
	wantDeliveries(t, w.after(0), "#a update")
	wantDeliveries(t, w.after(30*time.Minute), "#a update", "#a reply unsilenced")
}

func TestAnIncidentThatNothingRefreshesExpires(t *testing.T) {
	start := at(12, 0)
	for name, c := range map[string]struct {
		a    alert.Alert
		when time.Duration // 0 for never
	}{
		"an error":                   {alert.Alert{}, 0},
		"an info":                    {alert.Alert{Severity: alert.Info}, time.Hour},
		"an info that is kept":       {alert.Alert{Severity: alert.Info, ExpiresIn: -1}, 0},
		"an info that ends later":    {alert.Alert{Severity: alert.Info, EndsAt: start.Add(3 * time.Hour)}, 3 * time.Hour},
		"a duration":                 {alert.Alert{ExpiresIn: 10 * time.Minute}, 10 * time.Minute},
		"a time":                     {alert.Alert{EndsAt: start.Add(20 * time.Minute)}, 20 * time.Minute},
		"the earlier of both":        {alert.Alert{ExpiresIn: 30 * time.Minute, EndsAt: start.Add(20 * time.Minute)}, 20 * time.Minute},
		"a time that is over":        {alert.Alert{EndsAt: start.Add(-time.Minute)}, time.Second},
		"a route":                    {alert.Alert{Labels: map[string]string{"job": "backup"}}, 6 * time.Hour},
		"an alert's own in a route":  {alert.Alert{Labels: map[string]string{"job": "backup"}, ExpiresIn: time.Minute}, time.Minute},
		"a route for an info of its": {alert.Alert{Labels: map[string]string{"job": "backup"}, Severity: alert.Info}, 6 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, alert.Route{Name: "backup", Matchers: matchers(t, `job="backup"`), ExpiresIn: 6 * time.Hour})
			w.rules.routing.InfoExpiresIn = time.Hour
			w.now = start
			c.a.Key, c.a.Title = "a", "t"
			w.push(c.a)
			if c.when == 0 {
				wantDeliveries(t, w.after(48*time.Hour))
				return
			}
			if c.when > time.Second {
				wantDeliveries(t, w.after(c.when-time.Second))
			}
			d := w.until(start.Add(c.when))
			wantDeliveries(t, d, "#alerts update", "#alerts reply resolved")
			if i := w.incidents[0]; i.State != alert.StateResolved || !i.Expired || !d.change.Deliveries[1].Note.Expired || !i.DueAt.IsZero() {
				t.Errorf("it ended as %+v", i)
			}
		})
	}
}

func TestFiringAgainRefreshesAndAClockThatWasPutBackKeepsNothingOpen(t *testing.T) {
	w := newWorld(t)
	w.now = at(12, 0)
	once := alert.Alert{Key: "a", Title: "t", ExpiresIn: time.Hour}
	w.push(once)
	w.now = at(12, 50)
	w.push(once)
	wantDeliveries(t, w.until(at(13, 10)))
	w.now = at(9, 0)
	w.correctFutureTimes()
	if i := w.incidents[0]; !i.DueAt.Equal(at(10, 0)) || !i.ExpiresAt.Equal(at(10, 0)) {
		t.Errorf("it expires at %s and is due at %s", i.ExpiresAt, i.DueAt)
	}
	wantDeliveries(t, w.until(at(10, 0)), "#alerts update", "#alerts reply resolved")
}

// Prometheus repeats each alert every minute.
func TestAnAlertThatIsRepeatedOnlyKeepsItsIncidentOpen(t *testing.T) {
	w := newWorld(t)
	w.now = at(12, 0)
	ends := func(hour, minute int) alert.Alert {
		return alert.Alert{Key: "a", Title: "t", At: at(12, 0), EndsAt: at(hour, minute), Refreshes: true}
	}
	w.push(ends(12, 4))
	w.now = at(12, 1)
	again := ends(12, 5)
	again.Text = "value 7" // annotations change each time
	d := w.push(again)
	if got := d.receipts[0]; got.Effect != alert.EffectRefreshed || got.Incident != w.incidents[0].ID || len(d.change.Alerts)+len(d.change.Deliveries) > 0 {
		t.Errorf("the repeated alert did %+v and changed %+v", got, d.change)
	}
	if i := w.incidents[0]; i.Count != 1 || !i.DueAt.Equal(at(12, 5)) {
		t.Errorf("it fired %d times and is due at %s", i.Count, i.DueAt)
	}
	wantDeliveries(t, w.until(at(12, 5)), "#alerts update", "#alerts reply resolved")
	if i := w.incidents[0]; !i.Expired {
		t.Errorf("it ended as %+v", i)
	}

	w.now = at(12, 10)
	if d := w.push(ends(12, 14)); d.receipts[0].Effect != alert.EffectReopened {
		t.Errorf("once its sender is back: %+v", d.receipts)
	}
	w.act(alert.Act{Verb: alert.VerbResolve, Incident: w.incidents[0].ID, By: alert.Person{ID: "U1"}})
	w.now = at(12, 11)
	if d := w.push(ends(12, 15)); d.receipts[0].Effect != alert.EffectIgnored || len(d.change.Incidents) > 0 {
		t.Errorf("once somebody has resolved it: %+v", d.receipts)
	}
	anew := ends(12, 16)
	anew.At = at(12, 12)
	w.now = at(12, 12)
	if d := w.push(anew); d.receipts[0].Effect != alert.EffectReopened {
		t.Errorf("once it has begun anew: %+v", d.receipts)
	}
	w.now = at(12, 14)
	if d := w.push(ends(12, 13)); d.receipts[0].Effect != alert.EffectResolved || !w.incidents[0].EndedAt.Equal(at(12, 13)) {
		t.Errorf("once its end has come: %+v, %+v", d.receipts, w.incidents[0])
	}
	if d := w.push(ends(12, 13)); d.receipts[0].Effect != alert.EffectIgnored {
		t.Errorf("its end again: %+v", d.receipts)
	}
}

func TestAnEventCountsFromWhenItHappened(t *testing.T) {
	w := newWorld(t)
	w.now = at(12, 0)
	w.push(alert.Alert{Key: "a", Title: "t", At: at(3, 0)})
	if i := w.incidents[0]; !i.Began().Equal(at(3, 0)) || !i.ReceivedLate().Equal(at(12, 0)) || !i.FirstAt.Equal(at(12, 0)) {
		t.Errorf("it began at %s and was received at %s", i.Began(), i.FirstAt)
	}
	w.now = at(14, 0)
	d := w.push(alert.Alert{Key: "a", Title: "t", Status: alert.Resolved, At: at(13, 0)})
	if i := w.incidents[0]; i.Lasted() != 10*time.Hour || d.change.Deliveries[1].Note.After != 10*time.Hour || !i.ResolvedAt.Equal(at(14, 0)) {
		t.Errorf("it lasted %s", i.Lasted())
	}
	w.push(alert.Alert{Key: "b", Title: "t"})
	w.now = at(15, 0)
	w.push(alert.Alert{Key: "b", Title: "t", Status: alert.Resolved, At: at(2, 0)}) // before it began
	if i := w.incidents[1]; i.Lasted() != time.Hour || !i.ReceivedLate().IsZero() {
		t.Errorf("the other lasted %s", i.Lasted())
	}
}

func TestEachEventCountsFromWhenItHappened(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ now, says, began, last, late time.Time }{
		{at(12, 0), at(11, 0), at(11, 0), at(11, 0), at(12, 0)},
		{at(12, 10), at(11, 30), at(11, 0), at(11, 30), at(12, 10)},
		{at(12, 20), at(10, 0), at(10, 0), at(10, 0), at(12, 20)}, // they came in another order
		{at(12, 30), at(12, 30), at(10, 0), at(12, 30), at(12, 0)},
	} {
		w.now = c.now
		w.push(alert.Alert{Key: "a", Title: "t", At: c.says})
		if i := w.incidents[0]; !i.Began().Equal(c.began) || !i.LastBegan().Equal(c.last) || !i.ReceivedLate().Equal(c.late) {
			t.Errorf("at %s it began at %s, last at %s, received %s", c.now, i.Began(), i.LastBegan(), i.ReceivedLate())
		}
	}
}

// correctFutureTimes does once what the engine does now and then after a clock was put back.
func (w *world) correctFutureTimes() {
	w.t.Helper()
	snapshot, _ := w.Load(context.Background(), alert.Query{Now: w.now, Ahead: true})
	w.commit(decideAhead(w.rules, w.now, snapshot))
}

func TestAClockThatIsPutBackDelaysEscalationNoLongerThanFromTheBeginning(t *testing.T) {
	w := newWorld(t, climbing())
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.after(9 * time.Minute)
	w.now = w.now.Add(-time.Hour)
	w.correctFutureTimes()
	wantDeliveries(t, w.after(9*time.Minute))
	wantDeliveries(t, w.after(time.Minute), "#a reply unanswered @U1 broadcast")
	wantDeliveries(t, w.after(10*time.Minute), "#a reply unanswered @U2 broadcast", "#b post")
	if w.correctFutureTimes(); w.incidents[0].Escalated != 2 {
		t.Errorf("looking again changed it: %+v", w.incidents[0])
	}
}

func TestAClockThatIsPutForwardTakesEachStepOnceInOrder(t *testing.T) {
	w := newWorld(t, climbing())
	w.push(alert.Alert{Key: "db", Title: "a"})
	wantDeliveries(t, w.after(time.Hour),
		"#a reply unanswered @U1 broadcast", "#a reply unanswered @U2 broadcast", "#b post", "#a reply unanswered", "#b reply unanswered @here broadcast")
	w.now = w.now.Add(-time.Hour) // and right again
	w.correctFutureTimes()
	wantDeliveries(t, w.after(100*time.Hour))
}

func TestAClockThatIsPutBackDelaysAReminderNoLongerThanFromTheBeginning(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", To: []string{"#a"}, Remind: time.Hour})
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.act(alert.Act{Verb: alert.VerbAck, Incident: w.incidents[0].ID, By: ann})
	w.after(50 * time.Minute)
	w.now = w.now.Add(-5 * time.Hour)
	w.correctFutureTimes()
	wantDeliveries(t, w.after(59*time.Minute))
	if d := w.after(time.Minute); len(d.change.Deliveries) != 1 || d.change.Deliveries[0].Note.Topic != alert.TopicReminder {
		t.Errorf("after the hour it is reminded by %v", kinds(d))
	}
}

func TestASilenceEndsAtItsTimeWhicheverWayTheClockIsTurned(t *testing.T) {
	for name, turned := range map[string]time.Duration{"back": -time.Hour, "forward": 50 * time.Minute, "forward beyond the end": 5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, alert.Route{Name: "all"})
			w.silence(`key="db"`, time.Hour)
			ends := w.now.Add(time.Hour)
			w.push(alert.Alert{Key: "db", Title: "a"})
			w.now = w.now.Add(turned)
			w.correctFutureTimes()
			if w.now.Before(ends) {
				wantDeliveries(t, w.until(ends.Add(-time.Microsecond)))
				w.now = ends
			}
			wantDeliveries(t, w.until(w.now), "#alerts post")
		})
	}
}

func TestARepeatKeepsItsAnnotationsAndTheEarliestBeginning(t *testing.T) {
	for name, w := range map[string]*world{"alone": newWorld(t), "in a group": newWorld(t, grouped())} {
		repeat := func(ago time.Duration, value string) decided {
			a := diskFull("db-1", alert.Error)
			a.Refreshes, a.EndsAt, a.At = true, w.now.Add(4*time.Minute), noon.Add(-ago)
			a.Annotations = map[string]string{"value": value}
			return w.push(a)
		}
		repeat(time.Hour, "1")
		w.after(time.Minute)
		wantDeliveries(t, repeat(2*time.Hour, "2"))
		wantDeliveries(t, repeat(0, "3"))
		i := w.incidents[0]
		if i.Group != nil {
			i = i.Member(w.members[memberRef{i.ID, "db-1"}])
		}
		if i.Annotations["value"] != "3" || !i.Began().Equal(noon.Add(-2*time.Hour)) || i.Count != 1 {
			t.Errorf("%s it is %+v", name, i)
		}
	}
}
