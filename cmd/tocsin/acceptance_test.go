package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	am "github.com/prometheus/alertmanager/api/v2/client"
	amalert "github.com/prometheus/alertmanager/api/v2/client/alert"
	"github.com/prometheus/alertmanager/api/v2/client/alertgroup"
	"github.com/prometheus/alertmanager/api/v2/client/silence"
	"github.com/prometheus/alertmanager/api/v2/models"

	"tocsin/alert"
	"tocsin/playground"
)

// acceptance is a daemon that one of Alertmanager's acceptance cases is told to.
type acceptance struct {
	*process
	s   *playground.Server
	api *am.AlertmanagerAPI
	// begun is when its alerts began.
	begun time.Time
}

// Configurations of the cases: one group of all alerts, one for each name, and rules that hide
// alerts.
const (
	oneGroup    = "listen: {trust_loopback: true}\nroutes:\n  - {name: all, group_by: [none], group_wait: 1s, group_interval: 1s}\n"
	groupsOfTwo = "listen: {trust_loopback: true}\nroutes:\n  - {name: web, match: 'team=\"web\"', to: ['#ops'], group_by: [alertname]}\n  - {name: all, group_by: [alertname, team]}\n"
	byName      = "listen: {trust_loopback: true}\nroutes:\n  - {name: all, group_by: [alertname], group_wait: 1s, group_interval: 1s}\n"
	jobDown     = oneGroup + "inhibit:\n  - {source: 'alertname=\"JobDown\"', target: 'alertname=\"InstanceDown\"', equal: [job, zone]}\n"
	worseOne    = oneGroup + "inhibit:\n  - {source: 'severity=\"critical\"', target: 'severity=\"warning\"', equal: [alertname]}\n"
)

// Alertmanager's own acceptance cases, told by what people see in Slack: one card that is edited
// where Alertmanager notifies again, and replies for what is new.
func TestAlertmanagersAcceptanceCasesEndInTheirCards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, config string
		tell         func(*acceptance)
	}{
		{"merged alerts", byName, (*acceptance).mergesAlerts},
		{"repeat", byName, (*acceptance).repeats},
		{"retry", "listen: {trust_loopback: true}\nroutes:\n  - {name: all, to: ['#alerts', '#ops'], group_by: [alertname], group_wait: 1s}\n", (*acceptance).retries},
		{"batching", oneGroup, (*acceptance).batches},
		{"resolved by time", byName, (*acceptance).resolvesByTime},
		{"resolved and new", byName, (*acceptance).resolvesOneOfMany},
		{"reload", oneGroup, (*acceptance).reloads},
		{"silencing", oneGroup, (*acceptance).silences},
		{"silence deleted", oneGroup, (*acceptance).endsSilence},
		{"inhibiting", jobDown, (*acceptance).inhibits},
		{"always inhibiting", jobDown, (*acceptance).inhibitsToTheEnd},
		{"status", worseOne, (*acceptance).tellsStatus},
		{"filter", worseOne, (*acceptance).filters},
		{"groups", groupsOfTwo, (*acceptance).ordersGroups},
		{"UTF-8", "listen: {trust_loopback: true}\nroutes:\n  - {name: all, match: '\"foo🙂\"=\"bar\"', group_by: ['foo🙂'], group_wait: 1s}\n", (*acceptance).knowsUTF8},
		{"amtool's alerts", byName, (*acceptance).answersAmtool},
		{"amtool's silences", byName, (*acceptance).importsSilences},
		{"route prefix", byName, (*acceptance).servesNoPrefix},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := slack(t, playground.Options{})
			p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
			p.configure(c.config)
			p.start()
			c.tell(&acceptance{process: p, s: s, api: p.alertmanagerClient(), begun: time.Now().Add(-time.Minute)})
		})
	}
}

// named is an alert that fires, with further labels.
func (a *acceptance) named(name string, labels ...string) *models.PostableAlert {
	return postable(a.begun, time.Time{}, "", append([]string{"alertname", name}, labels...)...)
}

// over is the end of an alert.
func (a *acceptance) over(one *models.PostableAlert) *models.PostableAlert {
	ended := *one
	ended.EndsAt = strfmt.DateTime(time.Now())
	return &ended
}

func (a *acceptance) post(alerts ...*models.PostableAlert) {
	a.t.Helper()
	if _, err := a.api.Alert.PostAlerts(amalert.NewPostAlertsParams().WithContext(a.t.Context()).WithAlerts(alerts)); err != nil {
		a.t.Fatal(err)
	}
}

// says waits until a conversation has one card, which says all of this. What begins with a
// minus it does not say.
func (a *acceptance) says(lane string, words ...string) (card playground.Message) {
	a.t.Helper()
	var top []playground.Message
	defer func() {
		if a.t.Failed() {
			a.t.Logf("%s has the cards %s", lane, asJSON(top))
		}
	}()
	until(a.t, a.s, fmt.Sprintf("one card in %s that says %q", lane, words), func(v *playground.Snapshot) bool {
		top, _ = cards(v.Messages(lane))
		if len(top) != 1 {
			return false
		}
		card = top[0]
		return !slices.ContainsFunc(words, func(w string) bool {
			without, no := strings.CutPrefix(w, "-")
			return strings.Contains(card.Text, without) == no
		})
	})
	return card
}

// hears waits for a reply to the one card of #alerts that says this, and fails if there are
// others than so many.
func (a *acceptance) hears(n int, word string) {
	a.t.Helper()
	var replies []playground.Message
	until(a.t, a.s, "a reply that says "+word, func(v *playground.Snapshot) bool {
		_, replies = cards(v.Messages("#alerts"))
		return len(saying(replies, word)) > 0
	})
	if len(replies) != n {
		a.t.Errorf("there are %d replies, not %d: %s", len(replies), n, asJSON(replies))
	}
}

// listed are the alerts that fire, by alertname or summary, and their states.
func (a *acceptance) listed(filter ...string) map[string]*models.GettableAlert {
	a.t.Helper()
	got, err := a.api.Alert.GetAlerts(amalert.NewGetAlertsParams().WithContext(a.t.Context()).WithFilter(filter))
	if err != nil {
		a.t.Fatal(err)
	}
	all := map[string]*models.GettableAlert{}
	for _, one := range got.Payload {
		all[strings.TrimSpace(one.Labels["alertname"]+" "+one.Labels["severity"])] = one
	}
	return all
}

func (a *acceptance) silence(from, to time.Time, regex bool, name, value string) string {
	a.t.Helper()
	text, begins, ends := "deploy", strfmt.DateTime(from), strfmt.DateTime(to)
	made, err := a.api.Silence.PostSilences(silence.NewPostSilencesParams().WithContext(a.t.Context()).WithSilence(&models.PostableSilence{Silence: models.Silence{
		Comment: &text, CreatedBy: &text, StartsAt: &begins, EndsAt: &ends, Matchers: models.Matchers{{Name: &name, Value: &value, IsRegex: &regex}},
	}}))
	if err != nil {
		a.t.Fatal(err)
	}
	return made.Payload.SilenceID
}

func (a *acceptance) deleteSilence(id string) {
	a.t.Helper()
	if _, err := a.api.Silence.DeleteSilence(silence.NewDeleteSilenceParams().WithContext(a.t.Context()).WithSilenceID(strfmt.UUID(id))); err != nil {
		a.t.Fatal(err)
	}
}

// Two servers may send one alert: it is one. What differs is that a repeat edits nothing, not
// even annotations, because Prometheus changes values in these each minute; and that the first
// end counts, because the thread has told it.
func (a *acceptance) mergesAlerts() {
	first, earlier := a.named("test"), a.named("test")
	first.Annotations, earlier.Annotations = models.LabelSet{"summary": "at 1 %"}, models.LabelSet{"summary": "at 2 %"}
	earlier.StartsAt = strfmt.DateTime(a.begun.Add(-time.Minute))
	a.post(first)
	a.post(earlier)
	a.says("#alerts", "at 1 %", "-fired 2 times")
	a.post(a.over(first))
	a.says("#alerts", "Resolved")
	a.post(a.over(first))
	a.hears(1, "Resolved")
	again := a.named("test")
	again.StartsAt, again.Annotations = strfmt.DateTime(time.Now()), models.LabelSet{"summary": "at 3 %"}
	a.post(again)
	a.says("#alerts", "at 3 %", "-Resolved")
	a.hears(2, "Firing again")
}

// Alertmanager notifies again after repeat_interval. The card stays, and whoever is to be
// reminded is by the route's escalation.
func (a *acceptance) repeats() {
	one := a.named("test")
	for range 3 {
		a.post(one)
	}
	a.says("#alerts", "test")
	a.post(one)
	a.post(a.over(one))
	a.says("#alerts", "Resolved")
	a.hears(1, "Resolved")
}

// What one conversation refuses for a while is shown there later, and once in the other.
func (a *acceptance) retries() {
	fault(a.t, a.s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", Channel: "#ops", RetryAfter: 1, Times: 3})
	a.post(a.named("test1"))
	a.says("#ops", "test1")
	a.says("#alerts", "test1")
}

// What arrives within the first wait is one card; what comes later edits it, and is named once
// in the thread.
func (a *acceptance) batches() {
	a.post(a.named("test1"))
	a.post(a.named("test5"))
	a.says("#alerts", "2 firing", "test1", "test5")
	a.post(a.named("test2"), a.named("test3"), a.named("test4"))
	a.says("#alerts", "5 firing", "test1", "test2", "test3", "test4", "test5")
	a.hears(1, "3 more")
}

// What nobody repeats until its end is resolved then, all of a group with one card and reply.
func (a *acceptance) resolvesByTime() {
	var all []*models.PostableAlert
	for _, label := range []string{"v1", "v2", "v3"} {
		one := a.named("test", "lbl", label)
		one.EndsAt = strfmt.DateTime(time.Now().Add(3 * time.Second))
		all = append(all, one)
	}
	a.post(all...)
	a.says("#alerts", "3 firing", "v1", "v2", "v3")
	a.says("#alerts", "3 resolved", "Resolved")
	if got := a.listed(); len(got) != 0 {
		a.t.Errorf("%s fire still", asJSON(got))
	}
}

// One of a group ends while others begin. Alertmanager can leave out what is resolved
// (send_resolved); a card always counts it.
func (a *acceptance) resolvesOneOfMany() {
	a.post(a.named("test", "lbl", "v1"), a.named("test", "lbl", "v2"))
	a.says("#alerts", "2 firing")
	a.post(a.over(a.named("test", "lbl", "v1")), a.named("test", "lbl", "v3"))
	a.says("#alerts", "2 firing, 1 resolved")
	a.hears(1, "1 more")
	a.post(a.over(a.named("test", "lbl", "v2")))
	a.says("#alerts", "1 firing, 2 resolved", "-Resolved")
}

// A reload shows nothing again, and what comes later joins the same card.
func (a *acceptance) reloads() {
	a.post(a.named("test1"))
	a.says("#alerts", "test1")
	a.hangUp()
	a.post(a.named("test1"), a.named("test2"))
	a.says("#alerts", "2 firing", "test1", "test2")
}

// A silence hides one of two alerts, from its begin to its end, and says so on the card.
func (a *acceptance) silences() {
	a.post(a.named("test1"), a.named("test2"))
	a.says("#alerts", "2 firing")
	now := time.Now()
	a.silence(now.Add(time.Second), now.Add(4*time.Second), false, "alertname", "test1")
	a.says("#alerts", "1 firing", "1 silenced")
	a.says("#alerts", "2 firing", "-1 silenced")
}

// What a silence has hidden before its first card is shown once that is deleted.
func (a *acceptance) endsSilence() {
	id := a.silence(time.Now(), time.Now().Add(time.Hour), true, "alertname", ".+")
	a.post(a.named("test1"), a.named("test2"))
	a.eventually("both to be silenced", func() bool { return a.ledger().Total.Silenced == 2 })
	if n := a.s.Messages("#alerts"); len(n) != 0 {
		a.t.Errorf("silenced alerts are shown: %s", asJSON(n))
	}
	a.deleteSilence(id)
	a.says("#alerts", "2 firing", "test1", "test2")
}

// An alert hides another one in its zone until it ends. That which is shown already is left
// out of the card with its next repeat.
func (a *acceptance) inhibits() {
	other, down, elsewhere := a.named("test1", "job", "j", "zone", "aa"), a.named("InstanceDown", "job", "j", "zone", "aa"), a.named("InstanceDown", "job", "j", "zone", "ab")
	source := a.named("JobDown", "job", "j", "zone", "aa")
	a.post(other, down, elsewhere)
	a.says("#alerts", "3 firing", "test1", "InstanceDown")
	a.post(source)
	a.post(other, down, elsewhere)
	a.says("#alerts", "3 firing", "test1", "JobDown")
	if got := a.states(); got != "InstanceDown aa suppressed, InstanceDown ab active, JobDown aa active, test1 aa active" {
		a.t.Errorf("while it hides another one: %s", got)
	}
	a.post(a.over(source))
	a.says("#alerts", "3 firing, 1 resolved")
	if got := a.states(); got != "InstanceDown aa active, InstanceDown ab active, test1 aa active" {
		a.t.Errorf("after its end: %s", got)
	}
}

// states are the alerts that fire, with their zones and states.
func (a *acceptance) states() string {
	a.t.Helper()
	got, err := a.api.Alert.GetAlerts(amalert.NewGetAlertsParams().WithContext(a.t.Context()))
	if err != nil {
		a.t.Fatal(err)
	}
	all := []string{}
	for _, one := range got.Payload {
		all = append(all, one.Labels["alertname"]+" "+one.Labels["zone"]+" "+*one.Status.State)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// What was hidden until both are resolved is listed with its end.
func (a *acceptance) inhibitsToTheEnd() {
	target, source := a.named("InstanceDown", "job", "j", "zone", "aa"), a.named("JobDown", "job", "j", "zone", "aa")
	a.post(target)
	a.post(source)
	a.says("#alerts", "JobDown", "-InstanceDown")
	a.post(a.over(target), a.over(source))
	a.says("#alerts", "Resolved", "2 resolved", "JobDown", "InstanceDown")
}

// What hides an alert is told at once. A silence is told in place of what inhibits the alert
// too, because it goes before that; and what was shown before the other alert began is hidden
// from its next repeat on.
func (a *acceptance) tellsStatus() {
	state := func(name string) string {
		one := a.listed()[name]
		if one == nil {
			a.t.Fatalf("%s is not listed", name)
		}
		return strings.Join(slices.Concat([]string{*one.Status.State}, one.Status.SilencedBy, one.Status.InhibitedBy), " ")
	}
	want := func(when, name, want string) {
		a.t.Helper()
		if got := state(name); got != want {
			a.t.Errorf("%s, %s is %q, not %q", when, name, got, want)
		}
	}
	a.post(a.named("test1", "severity", "warning"))
	want("at first", "test1 warning", "active")
	a.says("#alerts", "test1")
	id := a.silence(time.Now(), time.Now().Add(time.Hour), false, "alertname", "test1")
	want("silenced", "test1 warning", "suppressed "+id)
	a.post(a.named("test1", "severity", "critical"))
	want("silenced", "test1 critical", "suppressed "+id)
	a.deleteSilence(id)
	a.eventually("the end of the silence to be decided", func() bool { return state("test1 critical") == "active" })
	a.post(a.named("test1", "severity", "warning"))
	want("after the silence", "test1 critical", "active")
	want("after the silence", "test1 warning", "suppressed "+alert.LabelFingerprint(map[string]string{"alertname": "test1", "severity": "critical"}))
}

// A filter compares labels as they were sent.
func (a *acceptance) filters() {
	other := postable(a.begun, time.Time{}, "", "system", "foo", "severity", "critical")
	a.post(a.named("test1", "severity", "warning"), other, a.named("paged", "severity", "page"), a.named("none"))
	for filter, want := range map[string]string{
		"alertname=test1 severity=warning": "test1 warning", "severity=critical": "critical", "severity=page": "paged page",
		"severity=~page|critical": "critical paged page", "severity!~.+": "none", "severity=": "none", "system=foo": "critical", "alertname!=test1": "critical none paged page",
	} {
		got := strings.Join(slices.Sorted(maps.Keys(a.listed(strings.Fields(filter)...))), " ")
		if got != want {
			a.t.Errorf("%s finds %q, not %q", filter, got, want)
		}
	}
}

// Groups are listed by their labels, fewer first, and then by receiver.
func (a *acceptance) ordersGroups() {
	a.post(a.named("b", "team", "db"), a.named("z", "team", "web"), a.named("a", "team", "ops"), a.named("a"))
	groups, err := a.api.Alertgroup.GetAlertGroups(alertgroup.NewGetAlertGroupsParams().WithContext(a.t.Context()))
	if err != nil {
		a.t.Fatal(err)
	}
	var got []string
	for _, g := range groups.Payload {
		got = append(got, *g.Receiver.Name+" "+g.Labels["alertname"]+" "+g.Labels["team"])
	}
	if want := []string{"#ops z ", "#alerts a ", "#alerts a ops", "#alerts b db"}; !slices.Equal(got, want) {
		a.t.Errorf("the groups are %q, not %q", got, want)
	}
}

// Names of labels may be any text, in alerts, groups, filters, silences and routes.
func (a *acceptance) knowsUTF8() {
	labels := []string{"foo🙂", "bar", "00", "b", "Σ", "c", "🙂", "dΘ"}
	a.post(postable(a.begun, time.Time{}, "", labels...))
	a.says("#alerts", "bar")
	filter := []string{"00=b", "Σ=c", `"\xf0\x9f\x99\x82"=dΘ`}
	if got := a.listed(filter...); len(got) != 1 {
		a.t.Errorf("the filter finds %s", asJSON(got))
	}
	groups, err := a.api.Alertgroup.GetAlertGroups(alertgroup.NewGetAlertGroupsParams().WithContext(a.t.Context()).WithFilter(filter))
	if err != nil {
		a.t.Fatal(err)
	}
	if len(groups.Payload) != 1 || groups.Payload[0].Labels["foo🙂"] != "bar" || groups.Payload[0].Alerts[0].Labels["🙂"] != "dΘ" {
		a.t.Errorf("the groups are %s", asJSON(groups.Payload))
	}
	id := a.silence(time.Now(), time.Now().Add(time.Hour), false, "fooΣ", "bar🙂")
	found, err := a.api.Silence.GetSilences(silence.NewGetSilencesParams().WithContext(a.t.Context()).WithFilter([]string{"fooΣ=bar🙂"}))
	if err != nil {
		a.t.Fatal(err)
	}
	if len(found.Payload) != 1 || *found.Payload[0].ID != id || *found.Payload[0].Matchers[0].Name != "fooΣ" {
		a.t.Errorf("the silences are %s", asJSON(found.Payload))
	}
}

// amtool finds alerts by their names, however these are written.
func (a *acceptance) answersAmtool() {
	a.amtool("alert", "add", "test1", "severity=warning", "--end="+time.Now().Add(time.Hour).Format(time.RFC3339))
	a.amtool("alert", "add", "alertname=alertname=test2", "severity=info")
	a.amtool("alert", "add", "alertname={alertname=test3}", "severity=info")
	for _, c := range []struct{ query, finds string }{{"test1", "test1"}, {"alertname=alertname=test2", "alertname=test2"}, {"alertname={alertname=test3}", "{alertname=test3}"}} {
		if got := a.amtool("alert", "query", "-o", "json", c.query); strings.Count(got, `"fingerprint"`) != 1 || !strings.Contains(got, `"alertname":"`+c.finds+`"`) {
			a.t.Errorf("amtool alert query %s prints %s", c.query, got)
		}
	}
	if got := a.amtool("config", "routes", "show"); !strings.Contains(got, "#alerts") {
		a.t.Errorf("the routes are\n%s", got)
	}
}

// Silences that amtool has exported can be imported again, and what is wrong with one does not
// keep the others out.
func (a *acceptance) importsSilences() {
	for _, name := range []string{"test1", "test2"} {
		a.amtool("silence", "add", name, "severity=warning", "--comment="+name, "--author=ann", "--duration=1h")
	}
	if got := a.amtool("silence", "query", "-o", "simple", "test1"); !strings.Contains(got, `alertname="test1"`) || strings.Contains(got, "test2") {
		a.t.Errorf("the silences of test1 are\n%s", got)
	}
	file := filepath.Join(a.dir, "silences.json")
	write := func(content string) {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	write(a.amtool("silence", "query", "-o", "json"))
	for _, id := range strings.Fields(a.amtool("silence", "query", "-q")) {
		a.amtool("silence", "expire", id)
	}
	if got := a.amtool("silence", "query", "-q"); strings.TrimSpace(got) != "" {
		a.t.Errorf("there are still %s", got)
	}
	a.amtool("silence", "import", file)
	if got := strings.Fields(a.amtool("silence", "query", "-q")); len(got) != 2 {
		a.t.Errorf("%d silences were imported, not 2", len(got))
	}
	now, later := time.Now().UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	one := func(name, from, to string) string {
		return fmt.Sprintf(`{"matchers":[{"name":"alertname","value":%q,"isRegex":false}],"startsAt":%q,"endsAt":%q,"createdBy":"ann","comment":"c"}`, name, from, to)
	}
	write("[" + strings.Join([]string{one("test3", now, later), one("test4", later, now), one("test5", now, later), one("test6", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z")}, ",") + "]")
	cmd := exec.CommandContext(a.t.Context(), debian(a.t, "amtool"), "--alertmanager.url=http://"+a.env["TOCSIN_LISTEN"], "silence", "import", file)
	if out, err := cmd.CombinedOutput(); err == nil {
		a.t.Errorf("amtool imports wrong silences: %s", out)
	}
	if got := strings.Fields(a.amtool("silence", "query", "-q")); len(got) != 4 {
		a.t.Errorf("%d silences were imported then, not 4", len(got))
	}
}

// Alertmanager can serve below a prefix (--web.route-prefix). Tocsin has fixed paths: whoever
// needs a prefix has a proxy that takes it away. It says so instead of accepting alerts.
func (a *acceptance) servesNoPrefix() {
	status, _, err := exchange(a.t, &http.Client{}, http.MethodPost, "http://"+a.env["TOCSIN_LISTEN"]+"/foo/api/v2/alerts", "[]")
	if err != nil || status != http.StatusNotFound {
		a.t.Errorf("below a prefix alerts are answered with %d, %v", status, err)
	}
}
