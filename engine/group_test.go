package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// grouped is a route whose alerts form groups by their name and cluster.
func grouped() alert.Route {
	return alert.Route{Name: "all", GroupBy: []string{"alertname", "cluster"}, Mention: []string{"U1"}}
}

// diskFull says that the disk of a host is full.
func diskFull(host string, severity alert.Severity) alert.Alert {
	return alert.Alert{
		Key: host, Title: "disk full on " + host, Severity: severity,
		Labels: map[string]string{"alertname": "DiskFull", "cluster": "eu", "host": host},
	}
}

func over(host string) alert.Alert {
	a := diskFull(host, alert.Error)
	a.Status = alert.Resolved
	return a
}

func wantGroup(t *testing.T, w *world, title string, state alert.State, severity alert.Severity) alert.Incident {
	t.Helper()
	i := w.incidents[len(w.incidents)-1]
	if i.Headline() != title || i.State != state || i.Severity != severity {
		t.Errorf("the incident is %q, %s, %s, want %q, %s, %s", i.Headline(), i.State, i.Severity, title, state, severity)
	}
	return i
}

func TestAGroupIsOneIncidentThatWaitsForItsFirstMembers(t *testing.T) {
	w := newWorld(t, grouped())
	first := w.push(diskFull("db-1", alert.Error))
	wantDeliveries(t, first)
	wantStanding(t, first, alert.StandPending)
	i := wantGroup(t, w, "disk full on db-1", alert.Open, alert.Error)
	if i.Key != `{alertname="DiskFull", cluster="eu"}` || !i.HeldUntil.Equal(noon.Add(30*time.Second)) {
		t.Errorf("it is %s, held until %s", i.Key, i.HeldUntil)
	}
	w.now = noon.Add(10 * time.Second)
	second := w.push(diskFull("db-2", alert.Critical), diskFull("db-3", alert.Warning))
	if !slices.Equal(effects(second), []alert.Effect{alert.EffectFolded, alert.EffectFolded}) {
		t.Errorf("the second and third have %v", effects(second))
	}
	wantDeliveries(t, second)
	wantDeliveries(t, w.until(noon.Add(29*time.Second)))
	wantDeliveries(t, w.until(noon.Add(30*time.Second)), "#alerts post")
	i = wantGroup(t, w, "DiskFull (eu): 3 firing", alert.Open, alert.Critical)
	if len(i.Labels) != 2 || i.Labels["cluster"] != "eu" || i.Count != 3 || len(w.incidents) != 1 {
		t.Errorf("it has %v, fired %d times, of %d incidents", i.Labels, i.Count, len(w.incidents))
	}
	if len(w.history) != 0 {
		t.Errorf("its history says %v", w.history)
	}
}

func TestANewMemberEditsTheCardAndIsSaidInTheThreadOnceInAnInterval(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error))
	w.after(30 * time.Second)
	w.now = w.now.Add(time.Minute)
	wantDeliveries(t, w.push(diskFull("db-2", alert.Error)), "#alerts update")
	w.now = w.now.Add(time.Minute)
	wantDeliveries(t, w.push(diskFull("db-3", alert.Warning), over("db-1")), "#alerts update", "#alerts update")
	wantDeliveries(t, w.until(noon.Add(5*time.Minute+29*time.Second)))
	d := w.until(noon.Add(5*time.Minute + 30*time.Second))
	wantDeliveries(t, d, "#alerts reply members")
	if n := d.change.Deliveries[0].Note; n.From != 1 || n.Count != 2 || n.Over != 1 {
		t.Errorf("the thread says %+v", n)
	}
	wantDeliveries(t, w.after(time.Hour))
	wantDeliveries(t, w.push(diskFull("db-4", alert.Warning)), "#alerts update", "#alerts reply members")
}

func TestAWorseMemberPingsAtOnce(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error))
	w.after(30 * time.Second)
	d := w.push(diskFull("db-2", alert.Critical))
	wantDeliveries(t, d, "#alerts update", "#alerts reply escalated @U1")
	if n := d.change.Deliveries[1].Note; n.Title != "disk full on db-2" {
		t.Errorf("the thread says %+v", n)
	}
	w.push(over("db-2"))
	wantGroup(t, w, "DiskFull (eu): 1 firing, 1 resolved", alert.Open, alert.Error)
}

func TestAMemberThatIsHeardOfWhenItIsOverIsNamedLikeTheOthers(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error), over("db-2"))
	i := wantGroup(t, w, "DiskFull (eu): 1 firing, 1 resolved", alert.Open, alert.Error)
	if len(i.Labels) != 2 || i.Count != 1 || !i.Group.Titles {
		t.Errorf("it has %v in common, and fired %d times", i.Labels, i.Count)
	}
}

func TestAPlannedSilenceHidesTheMembersThatItMatchesFromItsBeginToItsEnd(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error))
	w.after(30 * time.Second)
	planned := alert.Silence{Matchers: matchers(t, `host=~"db-[13]"`), StartsAt: noon.Add(time.Hour), EndsAt: noon.Add(2 * time.Hour), By: ann}
	w.decide(input{silence: &planned})
	w.until(noon.Add(10 * time.Minute))
	w.push(diskFull("db-3", alert.Error))
	wantGroup(t, w, "DiskFull (eu): 3 firing", alert.Open, alert.Error)
	wantDeliveries(t, w.until(noon.Add(time.Hour)), "#alerts update")
	wantGroup(t, w, "DiskFull (eu): 1 firing, 2 silenced", alert.Open, alert.Error)
	w.until(noon.Add(2 * time.Hour))
	wantGroup(t, w, "DiskFull (eu): 3 firing", alert.Open, alert.Error)
}

func TestAGroupResolvesWithItsLastMember(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error))
	w.after(30 * time.Second)
	wantDeliveries(t, w.push(over("db-1")), "#alerts update")
	d := w.push(over("db-2"))
	wantDeliveries(t, d, "#alerts update", "#alerts reply resolved")
	if d.receipts[0].Effect != alert.EffectResolved {
		t.Errorf("the last has %v", d.receipts)
	}
	wantGroup(t, w, "DiskFull (eu): 2 resolved", alert.StateResolved, alert.Error)
	wantDeliveries(t, w.push(diskFull("db-1", alert.Error)), "#alerts update", "#alerts reply reopened @U1")
	wantGroup(t, w, "DiskFull (eu): 1 firing, 1 resolved", alert.Open, alert.Error)
}

func TestGroupsAreFormedByTheValuesOfTheirLabels(t *testing.T) {
	w := newWorld(t, grouped())
	other := diskFull("db-2", alert.Error)
	other.Labels = map[string]string{"alertname": "DiskFull", "cluster": "us"}
	w.push(diskFull("db-1", alert.Error), other, alert.Alert{Key: "web-1", Title: "slow"}, alert.Alert{Key: "web-2", Title: "down"})
	var keys []string
	for _, i := range w.incidents {
		keys = append(keys, i.Key)
	}
	if want := []string{`{alertname="DiskFull", cluster="eu"}`, `{alertname="DiskFull", cluster="us"}`, `{alertname="", cluster=""}`}; !slices.Equal(keys, want) {
		t.Errorf("the groups are %q, want %q", keys, want)
	}
	w.rules.routing.Routes[0].GroupBy = []string{alert.AllLabels}
	w.push(diskFull("db-8", alert.Error), diskFull("db-9", alert.Error))
	if len(w.incidents) != 5 || w.incidents[4].Group != nil {
		t.Errorf("by all labels there are %d incidents", len(w.incidents))
	}
}

func TestARefreshChangesNothingButWhenTheMemberExpires(t *testing.T) {
	w := newWorld(t, grouped())
	repeated := func(host string, ends time.Duration) alert.Alert {
		a := diskFull(host, alert.Error)
		a.Refreshes, a.EndsAt = true, w.now.Add(ends)
		return a
	}
	w.push(repeated("db-1", 4*time.Minute), repeated("db-2", 4*time.Minute))
	w.after(30 * time.Second)
	w.now = noon.Add(time.Minute)
	version := w.incidents[0].Version
	d := w.push(repeated("db-1", 4*time.Minute))
	if d.receipts[0].Effect != alert.EffectRefreshed || len(d.change.Deliveries)+len(d.change.Incidents)+len(d.change.Alerts) != 0 || w.incidents[0].Version != version {
		t.Errorf("a refresh changes %+v", d.change)
	}
	wantDeliveries(t, w.until(noon.Add(4*time.Minute)), "#alerts update")
	wantGroup(t, w, "DiskFull (eu): 1 firing, 1 resolved", alert.Open, alert.Error)
	wantDeliveries(t, w.until(noon.Add(5*time.Minute)), "#alerts update", "#alerts reply resolved")
	if i := wantGroup(t, w, "DiskFull (eu): 2 resolved", alert.StateResolved, alert.Error); !i.Expired || !i.DueAt.IsZero() {
		t.Errorf("it ended as %+v", i)
	}
}

func TestManyMembersExpireInBites(t *testing.T) {
	w := newWorld(t, grouped())
	const many = 2*alert.MaxDueMembers + 7
	var all []alert.Alert
	for n := range many {
		a := diskFull(fmt.Sprint("db-", n), alert.Error)
		a.EndsAt = noon.Add(time.Hour)
		all = append(all, a)
	}
	w.push(all...)
	w.until(noon.Add(time.Minute))
	w.now = noon.Add(time.Hour)
	for bites := 1; w.incidents[0].State != alert.StateResolved; bites++ {
		if bites > 3 {
			t.Fatalf("after %d bites it is %s", bites, w.incidents[0].Headline())
		}
		w.tick()
	}
	wantGroup(t, w, fmt.Sprintf("DiskFull (eu): %d resolved", many), alert.StateResolved, alert.Error)
}

func TestAPersonResolvesAllMembers(t *testing.T) {
	w := newWorld(t, grouped())
	repeated := func(host string) alert.Alert {
		a := diskFull(host, alert.Error)
		a.Refreshes, a.At = true, noon.Add(-time.Minute)
		return a
	}
	id := w.push(repeated("db-1"), repeated("db-2")).receipts[0].Incident
	w.after(30 * time.Second)
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbResolve, Incident: id, By: ann}), "#alerts update", "#alerts reply resolved")
	wantGroup(t, w, "DiskFull (eu): 2 resolved", alert.StateResolved, alert.Error)
	if d := w.push(repeated("db-1"), repeated("db-2")); !slices.Equal(effects(d), []alert.Effect{alert.EffectIgnored, alert.EffectIgnored}) {
		t.Errorf("repeats have %v", effects(d))
	}
	w.act(alert.Act{Verb: alert.VerbReopen, Incident: id, By: ann})
	wantGroup(t, w, "DiskFull (eu): 2 firing", alert.Open, alert.Error)
	w.push(over("db-1"), over("db-2"))
	wantGroup(t, w, "DiskFull (eu): 2 resolved", alert.StateResolved, alert.Error)
}

func TestAMemberThatFiresAnewReopensWhatAPersonHasResolved(t *testing.T) {
	w := newWorld(t, grouped())
	id := w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error)).receipts[0].Incident
	w.after(30 * time.Second)
	w.act(alert.Act{Verb: alert.VerbResolve, Incident: id, By: ann})
	w.now = w.now.Add(time.Minute)
	w.push(diskFull("db-2", alert.Error))
	wantGroup(t, w, "DiskFull (eu): 1 firing, 1 resolved", alert.Open, alert.Error)
	old := diskFull("db-1", alert.Error)
	old.Refreshes, old.At = true, noon
	if d := w.push(old); d.receipts[0].Effect != alert.EffectIgnored {
		t.Errorf("the repeat of the other has %v", d.receipts)
	}
}

func TestASilenceOfOneMemberHidesThatAlone(t *testing.T) {
	w := newWorld(t, grouped())
	w.silence(`host="db-2"`, time.Hour)
	w.push(diskFull("db-1", alert.Error))
	w.after(30 * time.Second)
	d := w.push(diskFull("db-2", alert.Warning))
	wantStanding(t, d, alert.StandSilenced)
	wantDeliveries(t, d, "#alerts update")
	wantGroup(t, w, "DiskFull (eu): 1 firing, 1 silenced", alert.Open, alert.Error)
	wantDeliveries(t, w.push(over("db-1")), "#alerts update")
	if i := wantGroup(t, w, "DiskFull (eu): 1 silenced, 1 resolved", alert.Open, alert.Warning); i.Silence == "" {
		t.Error("with only a silenced member left it is not silenced")
	}
	d = w.until(noon.Add(time.Hour))
	wantDeliveries(t, d, "#alerts update", "#alerts reply unsilenced", "#alerts reply members")
	if i := wantGroup(t, w, "DiskFull (eu): 1 firing, 1 resolved", alert.Open, alert.Warning); i.Silence != "" {
		t.Error("it is still silenced")
	}
}

func TestANewSilenceHidesTheMembersThatItMatchesAtOnce(t *testing.T) {
	w := newWorld(t, grouped())
	other := diskFull("web-1", alert.Error)
	other.Labels["cluster"] = "us"
	w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Critical), diskFull("db-3", alert.Error), other)
	w.after(30 * time.Second)
	w.silence(`host=~"db-2|web-1", cluster="eu"`, time.Hour)
	wantDeliveries(t, w.until(w.now), "#alerts update")
	if got := w.incidents[0].Headline(); got != "DiskFull (eu): 2 firing, 1 silenced" || w.incidents[0].Severity != alert.Error {
		t.Errorf("it is %q, %s", got, w.incidents[0].Severity)
	}
	w.silence(`key!="db-2", severity="error", cluster="eu"`, 2*time.Hour)
	wantDeliveries(t, w.until(w.now), "#alerts update")
	if i := w.incidents[0]; i.Silence == "" || i.Headline() != "DiskFull (eu): 3 silenced" {
		t.Errorf("with nothing that fires visibly it is %q, silenced by %q", i.Headline(), i.Silence)
	}
	if i := w.incidents[1]; i.Hidden() || i.Group.Hidden() > 0 {
		t.Errorf("the other group is %+v", i.Group)
	}
	w.until(noon.Add(30*time.Second + time.Hour))
	if got := w.incidents[0].Headline(); got != "DiskFull (eu): 1 firing, 2 silenced" {
		t.Errorf("after the first silence it is %q", got)
	}
}

func TestMembersAreHiddenUntilTheEndOfASilenceAsItWasChanged(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error))
	w.after(30 * time.Second)
	s := w.silence(`host="db-2"`, time.Hour)
	w.until(w.now)
	for _, length := range []time.Duration{3 * time.Hour, 2 * time.Hour} {
		s.StartsAt, s.EndsAt = s.Begins(), noon.Add(length)
		if d := w.decide(input{silence: &s}); d.silence.ID != s.ID {
			t.Errorf("it is replaced: %+v", d.silence)
		}
		w.until(w.now)
		for _, m := range w.members {
			if m.Silence == s.ID && !m.SilencedUntil.Equal(s.EndsAt) {
				t.Errorf("a silence until %s hides %+v", s.EndsAt, m)
			}
		}
		if got := w.incidents[0].Headline(); got != "DiskFull (eu): 1 firing, 1 silenced" {
			t.Errorf("it is %q", got)
		}
	}
	w.until(s.EndsAt)
	if got := w.incidents[0].Headline(); got != "DiskFull (eu): 2 firing" {
		t.Errorf("at its end it is %q", got)
	}
}

func TestASilenceOfTheGroupsKeyCountsAllItsMembers(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error))
	w.after(30 * time.Second)
	w.silence(`key="`+strings.ReplaceAll(w.incidents[0].Key, `"`, `\"`)+`"`, time.Hour)
	w.push(diskFull("db-3", alert.Error), over("db-1"))
	if got := w.incidents[0].Headline(); got != "DiskFull (eu): 2 silenced, 1 resolved" {
		t.Errorf("it is %q", got)
	}
	w.until(noon.Add(2 * time.Hour))
	if got := w.incidents[0].Headline(); got != "DiskFull (eu): 2 firing, 1 resolved" {
		t.Errorf("at the end it is %q", got)
	}
}

func TestASilenceOfAllButOneHostLeavesThatOne(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error))
	w.silence(`host!="db-1"`, time.Hour)
	wantDeliveries(t, w.after(30*time.Second), "#alerts post")
	wantGroup(t, w, "DiskFull (eu): 1 firing, 1 silenced", alert.Open, alert.Error)
}

func TestAGroupOfWhichAllMembersAreSilencedHasNoCard(t *testing.T) {
	w := newWorld(t, grouped())
	w.silence(`host=~"db-.*"`, time.Hour)
	d := w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error))
	wantStanding(t, d, alert.StandSilenced, alert.StandSilenced)
	wantDeliveries(t, w.after(30*time.Minute))
	wantDeliveries(t, w.until(noon.Add(time.Hour)), "#alerts post")
	wantGroup(t, w, "DiskFull (eu): 2 firing", alert.Open, alert.Error)
}

func TestAnEndOfAnUnknownMemberIsAMemberThatIsOver(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(over("db-1"))
	wantGroup(t, w, "disk full on db-1", alert.StateResolved, alert.Error)
	wantDeliveries(t, w.after(30*time.Second), "#alerts post")
	w.push(diskFull("db-2", alert.Error), over("db-3"))
	wantGroup(t, w, "DiskFull (eu): 1 firing, 2 resolved", alert.Open, alert.Error)
}

func TestMembersAreFoundWhenTheirRouteNoLongerFormsGroups(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error))
	w.rules.routing.Routes[0].GroupBy = nil
	w.push(over("db-1"))
	if len(w.incidents) != 1 || w.incidents[0].State != alert.StateResolved {
		t.Errorf("incidents are %+v", w.incidents)
	}
}

// moved is diskFull of a host that is in another cluster now.
func moved(host string) alert.Alert {
	a := diskFull(host, alert.Error)
	a.Labels["cluster"] = "us"
	return a
}

func TestAMemberWhoseLabelsPutItIntoAnotherGroupLeavesTheFirst(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Critical), diskFull("db-2", alert.Error))
	w.after(30 * time.Second)
	first := func(title string, state alert.State, severity alert.Severity) {
		t.Helper()
		if i := w.incidents[0]; i.Headline() != title || i.State != state || i.Severity != severity {
			t.Errorf("the first is %q, %s, %s, want %q, %s, %s", i.Headline(), i.State, i.Severity, title, state, severity)
		}
	}
	d := w.push(moved("db-1"))
	wantDeliveries(t, d, "#alerts update")
	first("DiskFull (eu): 1 firing, 1 resolved", alert.Open, alert.Error)
	wantGroup(t, w, "disk full on db-1", alert.Open, alert.Error)
	if got := effects(d); !slices.Equal(got, []alert.Effect{alert.EffectOpened}) {
		t.Errorf("it has %v", got)
	}
	w.after(30 * time.Second)
	again := moved("db-2")
	again.Refreshes = true
	d = w.push(again)
	wantDeliveries(t, d, "#alerts update", "#alerts reply resolved", "#alerts update")
	first("DiskFull (eu): 2 resolved", alert.StateResolved, alert.Error)
	second := wantGroup(t, w, "DiskFull (us): 2 firing", alert.Open, alert.Error)
	if n := d.change.Deliveries[1].Note; n.Text != "moved to "+second.ID {
		t.Errorf("the first thread says %+v", n)
	}
	if w.push(again); w.incidents[0].State != alert.StateResolved {
		t.Errorf("after a refresh the first is %s", w.incidents[0].State)
	}
	w.push(over("db-1"), over("db-2"))
	wantGroup(t, w, "DiskFull (us): 2 resolved", alert.StateResolved, alert.Error)
}

func TestTheThreadListsAllMembersIfTheCardCannot(t *testing.T) {
	w := newWorld(t, grouped())
	for n := range alert.CardMembers + alert.MembersPage {
		w.push(diskFull(fmt.Sprint("db-", n), alert.Error))
	}
	d := w.after(30 * time.Second)
	wantDeliveries(t, d, "#alerts post", "#alerts reply members", "#alerts reply members")
	if n := d.change.Deliveries[2].Note; n.From != alert.MembersPage || n.Count != alert.CardMembers {
		t.Errorf("the second part is %+v", n)
	}
}

func TestTheThreadCountsMembersThatNoListNames(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-0", alert.Error))
	w.after(30 * time.Second)
	push := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			w.push(diskFull(fmt.Sprint("db-", n), alert.Error))
		}
	}
	w.incidents[0].Group.Total, w.incidents[0].Group.Said = alert.MostListed-1, alert.MostListed-1
	push(1, 4)
	named := w.after(5 * time.Minute)
	push(4, 6)
	for _, got := range []struct {
		d    decided
		want alert.Note
	}{
		{named, alert.Note{From: alert.MostListed - 1, Count: 1, More: 2}},
		{w.after(5 * time.Minute), alert.Note{From: alert.MostListed + 2, More: 2}},
	} {
		wantDeliveries(t, got.d, "#alerts reply members")
		if n := got.d.change.Deliveries[0].Note; n.From != got.want.From || n.Count != got.want.Count || n.More != got.want.More {
			t.Errorf("the thread says %+v, want %+v", n, got.want)
		}
	}
}

func TestAWorseMemberPingsOnceNoSilenceHidesIt(t *testing.T) {
	w := newWorld(t, grouped())
	w.silence(`host="db-2"`, time.Hour)
	w.push(diskFull("db-1", alert.Warning))
	w.after(30 * time.Second)
	w.push(diskFull("db-2", alert.Critical))
	wantGroup(t, w, "DiskFull (eu): 1 firing, 1 silenced", alert.Open, alert.Warning)
	d := w.until(noon.Add(time.Hour))
	if got := describeAll(d); !slices.Contains(got, "#alerts reply escalated @U1") {
		t.Errorf("at its end: %v", got)
	}
	wantGroup(t, w, "DiskFull (eu): 2 firing", alert.Open, alert.Critical)
}

func describeAll(d decided) (all []string) {
	for _, one := range d.change.Deliveries {
		all = append(all, describe(one))
	}
	return all
}

// twoRoutes form different groups: one for each cluster in #eu, and each host alone in #hosts.
func twoRoutes() []alert.Route {
	clusters := alert.Route{Name: "clusters", GroupBy: []string{"cluster"}, GroupWait: -1, To: []string{"#eu"}, Continue: true}
	hosts := alert.Route{Name: "hosts", To: []string{"#hosts"}, Remind: time.Hour, Escalate: []alert.Step{{After: time.Hour, Mention: []string{"U9"}}}}
	return []alert.Route{clusters, hosts}
}

func TestAnAlertIsAnIncidentOfEachRouteThatFormsOtherGroups(t *testing.T) {
	w := newWorld(t, twoRoutes()...)
	w.subscriptions = []alert.Subscription{{Person: "U1"}}
	d := w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error))
	wantDeliveries(t, d, "#eu post", "U1 post", "#hosts post", "#eu update", "U1 update", "#hosts post")
	wantStanding(t, d, alert.StandPending, alert.StandPending)
	if d.receipts[0].Incident != d.receipts[1].Incident || !slices.Equal(effects(d), []alert.Effect{alert.EffectOpened, alert.EffectFolded}) {
		t.Errorf("the receipts are %+v", d.receipts)
	}
	if first, second := d.change.Alerts[0], d.change.Alerts[1]; first.Delivery != d.change.Deliveries[0].ID || second.Delivery != "" {
		t.Errorf("they are shown by %q and %q", first.Delivery, second.Delivery)
	}
	if got := routesOf(w); got != "clusters open, hosts open, hosts open" {
		t.Errorf("the incidents are %s", got)
	}
	w.after(5 * time.Minute) // the group's thread says what is new
	wantDeliveries(t, w.after(time.Hour), "#hosts reply unanswered @U9 broadcast", "#hosts reply unanswered @U9 broadcast")
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbAck, Incident: w.incidents[1].ID, By: ann}), "#hosts update", "#hosts reply acked")

	wantDeliveries(t, w.push(over("db-1")), "#eu update", "U1 update", "#hosts update", "#hosts reply resolved", "#eu reply members", "U1 reply members")
	d = w.push(over("db-2"))
	wantStanding(t, d, alert.StandPending)
	if got := routesOf(w); got != "clusters resolved, hosts resolved, hosts resolved" || len(d.change.Alerts) != 1 {
		t.Errorf("at the end they are %s, with %d records", got, len(d.change.Alerts))
	}
	w.push(diskFull("db-2", alert.Error))
	if got := routesOf(w); got != "clusters open, hosts resolved, hosts open" || len(w.incidents) != 3 {
		t.Errorf("when one fires again they are %s", got)
	}
}

// routesOf lists the incidents by route.
func routesOf(w *world) string {
	var all []string
	for _, i := range w.incidents {
		all = append(all, i.Route+" "+string(i.State))
	}
	return strings.Join(all, ", ")
}

func TestAnAlertOfSeveralIncidentsCountsByOneThatIsShown(t *testing.T) {
	routes := twoRoutes()
	routes[0].Mute = []alert.Times{{Name: "always", Intervals: []alert.Interval{{}}}}
	w := newWorld(t, routes...)
	d := w.push(diskFull("db-1", alert.Error))
	wantDeliveries(t, d, "#hosts post")
	wantStanding(t, d, alert.StandPending)
	if d.change.Alerts[0].Incident != w.incidents[1].ID || d.change.Alerts[0].Delivery != d.change.Deliveries[0].ID {
		t.Errorf("it counts as %+v", d.change.Alerts[0])
	}
	wantStanding(t, w.push(over("db-1")), alert.StandPending)
	w.silence("host=db-2", time.Hour)
	wantStanding(t, w.push(diskFull("db-2", alert.Error)), alert.StandSilenced)
}

func TestWhatIsNeverHeardOfBeforeItIsOverIsShownByEachRoute(t *testing.T) {
	w := newWorld(t, twoRoutes()...)
	d := w.push(over("db-1"))
	wantDeliveries(t, d, "#eu post", "#hosts post")
	wantStanding(t, d, alert.StandPending)
	wantDeliveries(t, w.push(over("db-1")), "#eu update", "#hosts update") // the posts are not known to be sent
	if got := routesOf(w); got != "clusters resolved, hosts resolved" {
		t.Errorf("the incidents are %s", got)
	}
}

func TestAMessageIsOneIncidentHoweverItsRoutesGroup(t *testing.T) {
	w := newWorld(t, twoRoutes()...)
	a := diskFull("db-1", alert.Error)
	a.Message = &alert.Message{Text: "as it is"}
	wantDeliveries(t, w.push(a), "#eu post", "#hosts post")
	if got := routesOf(w); got != "clusters open" {
		t.Errorf("the incidents are %s", got)
	}
}

func TestAGroupThatEndsHiddenWhileItWaitsIsNeverShown(t *testing.T) {
	for name, end := range map[string]func(w *world) decided{
		"an alert ends it": func(w *world) decided { return w.push(over("db-1")) },
		"after its wait": func(w *world) decided {
			w.after(time.Minute)
			return w.push(over("db-1"))
		},
		"a person resolves it": func(w *world) decided {
			return w.act(alert.Act{Verb: alert.VerbResolve, Incident: w.incidents[0].ID, By: ann})
		},
	} {
		w := newWorld(t, grouped())
		w.push(diskFull("db-1", alert.Error))
		s := w.silence(`cluster="eu"`, time.Hour)
		d := end(w)
		for _, a := range d.change.Alerts {
			if a.Standing != alert.StandSilenced || a.Silence != s.ID {
				t.Errorf("%s: its end counts as %+v", name, a)
			}
		}
		wantDeliveries(t, d)
		wantDeliveries(t, w.after(2*time.Hour))
		for _, a := range w.alerts {
			if a.Standing != alert.StandSilenced || a.Reason != "silence "+s.ID+" by ann: planned work" {
				t.Errorf("%s: an alert counts as %s, %s", name, a.Standing, a.Reason)
			}
		}
	}
}

func TestAGroupThatEndsHiddenInTheSameMomentIsNeverShown(t *testing.T) {
	w := newWorld(t, grouped())
	w.push(diskFull("db-1", alert.Error))
	w.silence(`host="db-2"`, time.Hour)
	d := w.push(diskFull("db-2", alert.Error), over("db-1"), over("db-2"))
	wantStanding(t, d, alert.StandSilenced, alert.StandSilenced, alert.StandSilenced)
	wantDeliveries(t, w.after(2*time.Hour))
}

func TestACardNamesTheSilenceThatTakesOver(t *testing.T) {
	for name, a := range map[string]alert.Alert{"a group": diskFull("db-1", alert.Error), "one alert": {Key: "web", Title: "down", Labels: map[string]string{"cluster": "eu", "team": "web"}}} {
		w := newWorld(t, alert.Route{Name: "web", Matchers: matchers(t, `team="web"`)}, grouped())
		w.push(a)
		w.after(time.Minute)
		w.silence(`cluster="eu"`, 2*time.Hour)
		w.now = w.now.Add(time.Minute)
		s := w.silence(`key=~".+"`, time.Hour+30*time.Minute)
		w.decide(input{unsilence: &endRequest{id: w.incidents[0].Silence, by: ann}})
		d := w.until(w.now)
		wantDeliveries(t, d, "#alerts update")
		if i := w.incidents[0]; i.Silence != s.ID {
			t.Errorf("%s is hidden by %q, want %s", name, i.Silence, s.ID)
		}
	}
}
