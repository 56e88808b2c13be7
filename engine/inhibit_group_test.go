package engine

import (
	"slices"
	"testing"
	"time"

	"tocsin/alert"
)

// clusterGroups has what is slow form a group, and what is down another one.
func clusterGroups(t testing.TB) *world {
	return inhibitWorld(t,
		alert.Route{Name: "slow", Matchers: matchers(t, `title="slow"`), GroupBy: []string{"team"}},
		alert.Route{Name: "down", Matchers: matchers(t, `title="cluster is down"`), GroupBy: []string{"team"}})
}

// settled decides what is hidden by incidents that inhibit less than before, and what is due.
func (w *world) settled() decided {
	w.t.Helper()
	w.revealed()
	return w.until(w.now)
}

func (w *world) incident(id string) alert.Incident {
	return w.incidents[w.places[id]]
}

func TestEachFiringMemberOfAGroupInhibitsByItsOwnLabels(t *testing.T) {
	w := clusterGroups(t)
	first := w.push(down("x"), down("y")).receipts[0].Incident
	db, web := slow("db", "x"), slow("web", "y")
	db.Title, web.Title = "latency", "latency" // no group
	d := w.push(db, web)
	wantStanding(t, d, alert.StandSilenced, alert.StandSilenced)
	if got := d.change.Alerts[1].Reason; got != "inhibited by "+first+" (cluster is down)" {
		t.Errorf("it is hidden because %q", got)
	}
	w.push(ended(down("x")))
	wantDeliveries(t, w.revealed(), "#alerts post")
	if i := w.incidents[1]; i.Key != "db" || i.Hidden() {
		t.Errorf("after the end of x it is %+v", i)
	}
	w.act(alert.Act{Verb: alert.VerbResolve, Incident: first, By: ann})
	wantDeliveries(t, w.revealed(), "#alerts post")
}

func TestWhatTheOnlyAlertOfAGroupSaysWhileItIsInhibitedIsInTheThreadAfterIt(t *testing.T) {
	w := clusterGroups(t)
	says := func(text string) decided {
		a := slow("db", "x")
		a.Text = text
		return w.push(a)
	}
	says("one")
	w.after(30 * time.Second)
	w.push(down("x"))
	w.settled()
	if got := threadTexts(says("two")); len(got) > 0 {
		t.Errorf("while it is inhibited, the thread says %q", got)
	}
	w.push(ended(down("x")))
	if got, want := threadTexts(w.settled()), []string{"former one", "refired two"}; !slices.Equal(got, want) {
		t.Errorf("the thread says %q, want %q", got, want)
	}
}

func TestAnInhibitedMemberIsLeftOutOfItsGroupUntilTheOtherEnds(t *testing.T) {
	w := clusterGroups(t)
	source := w.push(down("x")).receipts[0].Incident
	d := w.push(slow("web", "y"), slow("db", "x"))
	wantStanding(t, d, alert.StandPending, alert.StandSilenced)
	group := d.receipts[0].Incident
	if i := w.incident(group); i.Headline() != "slow" || i.Group.Total != 1 || i.Group.All() != 2 || i.Labels["cluster"] != "y" {
		t.Errorf("it is shown as %q with %v of %+v", i.Headline(), i.Labels, i.Group)
	}
	if m := w.members[memberRef{group, "db"}]; m.InhibitedBy != source {
		t.Errorf("the member is %+v", m)
	}
	wantDeliveries(t, w.after(30*time.Second), "#alerts post", "#alerts post")
	again := w.push(slow("db", "x"))
	wantStanding(t, again, alert.StandSilenced)
	wantDeliveries(t, again) // the card says nothing of it
	w.push(ended(down("x")))
	wantDeliveries(t, w.settled(), "#alerts update")
	if i := w.incident(group); i.Headline() != "slow: 2 firing" || i.Labels["cluster"] != "" {
		t.Errorf("then it is shown as %q with %v", i.Headline(), i.Labels)
	}
	later := w.after(5 * time.Minute)
	wantDeliveries(t, later, "#alerts reply members")
	if n := later.change.Deliveries[0].Note; n.From != 1 || n.Count != 1 {
		t.Errorf("the thread says %+v", n)
	}
}

func TestAMemberThatEndsWhileItIsInhibitedIsNeverCounted(t *testing.T) {
	w := clusterGroups(t)
	w.push(down("x"))
	group := w.push(slow("web", "y"), slow("db", "x")).receipts[0].Incident
	w.after(time.Minute)
	d := w.push(ended(slow("db", "x")))
	wantStanding(t, d, alert.StandSilenced)
	wantDeliveries(t, d)
	if i := w.incident(group); i.Headline() != "slow" || i.Group.Over() != 0 {
		t.Errorf("it is shown as %q of %+v", i.Headline(), i.Group)
	}
}

func TestAMemberThatSaysSomethingElseWhileItIsInhibitedIsShownAsItIsThen(t *testing.T) {
	w := clusterGroups(t)
	group := w.push(slow("db", "x"), slow("web", "y")).receipts[0].Incident
	w.after(time.Minute)
	w.push(down("x"))
	other := slow("db", "x")
	other.Text = "very"
	w.push(other, ended(slow("web", "y")), slow("web", "y"))
	w.push(ended(down("x")))
	w.settled()
	if i := w.incident(group); !i.Group.Texts || i.Headline() != "slow: 2 firing" {
		t.Errorf("it is shown as %q of %+v", i.Headline(), i.Group)
	}
}

func TestAGroupOfWhichAllMembersAreInhibitedIsHiddenAsAnIncidentIs(t *testing.T) {
	w := clusterGroups(t)
	source := w.push(down("x")).receipts[0].Incident
	group := w.push(slow("db", "x"), slow("web", "x")).receipts[0].Incident
	if i := w.incident(group); i.InhibitedBy != source || !i.DueAt.IsZero() {
		t.Errorf("it is %+v", i)
	}
	wantDeliveries(t, w.after(time.Hour), "#alerts post") // the source
	w.push(ended(down("x")))
	wantDeliveries(t, w.settled(), "#alerts post")
	if i := w.incident(group); i.Headline() != "slow: 2 firing" || i.Hidden() {
		t.Errorf("then it is %q, %+v", i.Headline(), i)
	}
	w.push(down("x"))
	wantDeliveries(t, w.push(slow("db", "x")), "#alerts update")
	if i := w.incident(group); i.Headline() != "slow: 1 firing" || i.Hidden() {
		t.Errorf("with one inhibited it is %q, %+v", i.Headline(), i)
	}
	wantDeliveries(t, w.push(ended(slow("web", "x"))), "#alerts update", "#alerts update")
	if i := w.incident(group); !i.Hidden() {
		t.Errorf("with nothing else that fires it is %+v", i)
	}
}

// As in Alertmanager, the order does not matter in which alerts arrive while a group waits.
func TestWhatInhibitsAMemberMayComeWhileTheGroupWaits(t *testing.T) {
	w := clusterGroups(t)
	group := w.push(slow("db", "x"), slow("web", "y"), slow("api", "x")).receipts[0].Incident
	w.now = w.now.Add(10 * time.Second)
	w.push(down("x"))
	wantDeliveries(t, w.until(noon.Add(30*time.Second)), "#alerts post")
	if i := w.incident(group); i.Headline() != "slow: 1 firing" || i.Group.Fires() != 1 || i.Group.Shown() != 1 {
		t.Errorf("it is shown as %q of %+v", i.Headline(), i.Group)
	}
	w.push(ended(down("x")))
	w.settled()
	if i := w.incident(group); i.Group.Fires() != 3 {
		t.Errorf("then it is %+v", i.Group)
	}
}

func TestManyMembersAreLookedAtBeforeTheFirstCard(t *testing.T) {
	w := clusterGroups(t)
	var all []alert.Alert
	for n := range 2*alert.MaxDueMembers + 7 {
		all = append(all, slow(string(rune('a'+n%26))+time.Duration(n).String(), "x"))
	}
	w.push(all...)
	w.push(down("x"))
	w.now = w.now.Add(time.Minute)
	for range 3 {
		if d := w.tick(); slices.ContainsFunc(d.change.Deliveries, func(one alert.Delivery) bool { return one.Incident == w.incidents[0].ID }) {
			t.Fatalf("it is shown: %v", describeAll(d))
		}
	}
	if i := w.incidents[0]; !i.Hidden() || i.Group.Fires() > 0 {
		t.Errorf("it is %+v of %+v", i, i.Group)
	}
}

func TestARepeatOfAMemberHidesItOnceAnotherInhibitsIt(t *testing.T) {
	w := clusterGroups(t)
	repeat := func(key, cluster string) alert.Alert {
		a := slow(key, cluster)
		a.Refreshes, a.EndsAt = true, w.now.Add(4*time.Minute)
		return a
	}
	w.push(repeat("db", "x"), repeat("web", "y"))
	w.after(time.Minute)
	w.push(down("x"))
	wantDeliveries(t, w.push(repeat("db", "x")), "#alerts update")
	if i := w.incidents[0]; i.Group.Fires() != 1 || i.Group.Shown() != 1 {
		t.Errorf("it is %+v", i.Group)
	}
	wantDeliveries(t, w.push(repeat("db", "x")))
}

func TestReopeningAGroupHidesTheMembersThatAreInhibited(t *testing.T) {
	w := clusterGroups(t)
	w.push(down("x"))
	group := w.push(slow("db", "x"), slow("web", "y")).receipts[0].Incident
	w.after(time.Minute)
	w.act(alert.Act{Verb: alert.VerbResolve, Incident: group, By: ann})
	w.act(alert.Act{Verb: alert.VerbReopen, Incident: group, By: ann})
	w.settled()
	if i := w.incident(group); i.Group.Fires() != 1 || i.Group.Shown() != 1 || i.Group.All() != 2 {
		t.Errorf("it is %+v", i.Group)
	}
}

// One member hides another of its group, as in Alertmanager.
func TestAMemberMayInhibitAnotherOfItsGroup(t *testing.T) {
	w := inhibitWorld(t, alert.Route{Name: "all", GroupBy: []string{"cluster"}})
	group := w.push(slow("db", "x"), down("x")).receipts[0].Incident
	wantDeliveries(t, w.after(time.Minute), "#alerts post")
	if i := w.incident(group); i.Headline() != "x: 1 firing" || i.Severity != alert.Critical {
		t.Errorf("it is %q of %+v", i.Headline(), i.Group)
	}
}

func TestWhatIsOverWhenItIsFirstHeardOfIsHiddenByWhatInhibitsIt(t *testing.T) {
	w := clusterGroups(t)
	source := w.push(down("x")).receipts[0].Incident
	d := w.push(ended(slow("db", "x")))
	wantStanding(t, d, alert.StandSilenced)
	if got := d.change.Alerts[0].Reason; got != "inhibited by "+source+" (cluster is down)" {
		t.Errorf("it is hidden because %q", got)
	}
	wantDeliveries(t, w.after(time.Hour), "#alerts post") // the source

	other := slow("api", "y")
	other.Labels["team"] = "other"
	same := slow("web", "x")
	same.Labels["team"] = "other"
	group := w.push(other).receipts[0].Incident
	w.after(time.Minute)
	d = w.push(ended(same))
	wantStanding(t, d, alert.StandSilenced)
	wantDeliveries(t, d)
	if i := w.incident(group); d.receipts[0].Incident != group || i.Group.Total != 1 || i.Group.Over() != 0 {
		t.Errorf("the group counts it: %+v", i.Group)
	}
	w.push(same)
	w.push(ended(down("x")))
	w.settled()
	if i := w.incident(group); i.Group.Total != 2 || i.Group.Fires() != 2 {
		t.Errorf("the group does not count it once it is shown: %+v", i.Group)
	}
}

func TestAfterASilenceOverAGroupWhatAnotherInhibitsByThenIsNotShown(t *testing.T) {
	w := clusterGroups(t)
	repeat := func(key, cluster string) alert.Alert {
		a := slow(key, cluster)
		a.Refreshes, a.EndsAt = true, w.now.Add(4*time.Minute)
		return a
	}
	group := w.push(repeat("db", "x"), repeat("web", "y")).receipts[0].Incident
	w.after(time.Minute)
	w.silence(`key=~"{.+"`, 2*time.Minute)
	if i := w.incident(group); i.Silence == "" {
		t.Fatalf("it is %+v", i)
	}
	w.push(down("x"))
	wantDeliveries(t, w.push(repeat("db", "x"), repeat("web", "y"))) // hidden either way
	w.after(3 * time.Minute)
	w.settled()
	if i := w.incident(group); i.Hidden() || i.Group.Fires() != 1 || i.Group.Shown() != 1 {
		t.Errorf("after the silence it is %+v of %+v", i, i.Group)
	}
}
