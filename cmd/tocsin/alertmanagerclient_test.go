package main

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-openapi/strfmt"
	am "github.com/prometheus/alertmanager/api/v2/client"
	amalert "github.com/prometheus/alertmanager/api/v2/client/alert"
	"github.com/prometheus/alertmanager/api/v2/client/alertgroup"
	"github.com/prometheus/alertmanager/api/v2/client/general"
	"github.com/prometheus/alertmanager/api/v2/client/receiver"
	"github.com/prometheus/alertmanager/api/v2/client/silence"
	"github.com/prometheus/alertmanager/api/v2/models"

	"tocsin/playground"
)

// alertmanagerClient is Alertmanager's own generated client, for a daemon that has
// TOCSIN_LISTEN.
func (p *process) alertmanagerClient() *am.AlertmanagerAPI {
	return am.NewHTTPClientWithConfig(strfmt.Default, am.DefaultTransportConfig().WithHost(p.env["TOCSIN_LISTEN"]))
}

// valid fails the test if an answer isn't what Alertmanager's OpenAPI description says.
func valid(t *testing.T, answer interface{ Validate(strfmt.Registry) error }) {
	t.Helper()
	if err := answer.Validate(strfmt.Default); err != nil {
		t.Errorf("%s is not valid: %v", asJSON(answer), err)
	}
}

// postable is an alert with labels of these names and values, and a summary.
func postable(starts, ends time.Time, summary string, labels ...string) *models.PostableAlert {
	a := &models.PostableAlert{StartsAt: strfmt.DateTime(starts), EndsAt: strfmt.DateTime(ends), Alert: models.Alert{Labels: models.LabelSet{}}}
	for pair := range slices.Chunk(labels, 2) {
		a.Labels[pair[0]] = pair[1]
	}
	if summary != "" {
		a.Annotations = models.LabelSet{"summary": summary}
	}
	return a
}

func TestAnnotationsComeBackAsTheyWereSent(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.configure("routes:\n  - name: db\n    match: team=\"db\"\n    group_by: [alertname]\n    group_wait: 1s\n  - name: web\n    match: team=\"web\"\n    title: 'web: {{ .Title }}'\n")
	p.start()
	api, now := p.alertmanagerClient(), time.Now()
	sent := map[string]models.LabelSet{
		"one":  {"summary": "The disk is  full", "description": "of db-1\r\n", "runbook_url": "https://example.com/disk", "dashboard": "none", "odd": "\x1b[1mbold"},
		"two":  {"description": "of db-2"},
		"page": {"summary": "Latency", "ticket": "7"},
		"bare": {},
	}
	var posted models.PostableAlerts
	for name, team := range map[string]string{"one": "db", "two": "db", "page": "web", "bare": "web"} {
		a := postable(now, time.Time{}, "", "alertname", "DiskFull", "host", name, "team", team)
		a.Annotations = sent[name]
		posted = append(posted, a)
	}
	if _, err := api.Alert.PostAlerts(amalert.NewPostAlertsParams().WithContext(t.Context()).WithAlerts(posted)); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.start()
	got, err := api.Alert.GetAlerts(amalert.NewGetAlertsParams().WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	groups, err := api.Alertgroup.GetAlertGroups(alertgroup.NewGetAlertGroupsParams().WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	all := got.Payload
	for _, g := range groups.Payload {
		all = append(all, g.Alerts...)
	}
	if len(all) != 2*len(sent) {
		t.Errorf("%d alerts come back, not each of %d twice", len(all), len(sent))
	}
	for _, a := range all {
		if want := sent[a.Labels["host"]]; !maps.Equal(a.Annotations, want) {
			t.Errorf("the annotations of %s are %q, not %q", a.Labels["host"], a.Annotations, want)
		}
	}
}

func TestAlertmanagersOwnClientManagesAlertsAndSilences(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"TOCSIN_LISTEN": freeAddress(t.Context(), "127.0.0.1:0")})
	p.configure("listen:\n  trust_loopback: true\nroutes:\n  - name: web\n    match: team=\"web\"\n    to: ['#ops']\n")
	p.start()
	api, now, never := p.alertmanagerClient(), time.Now(), time.Time{}
	post := func(alerts ...*models.PostableAlert) {
		t.Helper()
		if _, err := api.Alert.PostAlerts(amalert.NewPostAlertsParams().WithContext(t.Context()).WithAlerts(alerts)); err != nil {
			t.Fatal(err)
		}
	}
	names := func(params *amalert.GetAlertsParams) []string {
		t.Helper()
		got, err := api.Alert.GetAlerts(params.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		valid(t, got.Payload)
		shown := []string{}
		for _, a := range got.Payload {
			shown = append(shown, a.Labels["alertname"]+" "+*a.Status.State)
		}
		slices.Sort(shown)
		return shown
	}
	all := amalert.NewGetAlertsParams
	no := false

	post(
		postable(now.Add(-time.Minute), never, "Latency is high", "alertname", "HighLatency", "team", "web", "severity", "warning"),
		postable(now.Add(-time.Minute), now.Add(time.Hour), "The disk is full", "alertname", "DiskFull", "instance", "db-3"),
		postable(now.Add(-time.Hour), now.Add(-time.Minute), "", "alertname", "Over", "instance", "db-3"),
	)
	until(t, s, "both cards", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Messages("#ops"), "Latency is high")) == 1 && len(saying(sn.Messages("#alerts"), "The disk is full")) == 1
	})
	if got, want := names(all()), []string{"DiskFull active", "HighLatency active"}; !slices.Equal(got, want) {
		t.Errorf("the alerts are %q, not %q", got, want)
	}
	if got, want := names(all().WithFilter([]string{"severity=warning"})), []string{"HighLatency active"}; !slices.Equal(got, want) {
		t.Errorf("the warnings are %q, not %q", got, want)
	}
	if got, want := names(all().WithFilter([]string{`instance=~"db-.*"`, `alertname!="HighLatency"`})), []string{"DiskFull active"}; !slices.Equal(got, want) {
		t.Errorf("those of db are %q, not %q", got, want)
	}
	web := "#ops"
	if got, want := names(all().WithReceiver(&web)), []string{"HighLatency active"}; !slices.Equal(got, want) {
		t.Errorf("those for #ops are %q, not %q", got, want)
	}

	text, who, name, value := "deploy", "ann", "team", "web"
	begins, ends := strfmt.DateTime(now), strfmt.DateTime(now.Add(time.Hour))
	made, err := api.Silence.PostSilences(silence.NewPostSilencesParams().WithContext(t.Context()).WithSilence(&models.PostableSilence{Silence: models.Silence{
		Comment: &text, CreatedBy: &who, StartsAt: &begins, EndsAt: &ends, Matchers: models.Matchers{{Name: &name, Value: &value, IsRegex: &no}},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	valid(t, made.Payload)
	if got, want := names(all().WithFilter([]string{"team=web"})), []string{"HighLatency suppressed"}; !slices.Equal(got, want) {
		t.Errorf("the silenced one is %q, not %q", got, want)
	}
	if got, want := names(all().WithSilenced(&no)), []string{"DiskFull active"}; !slices.Equal(got, want) {
		t.Errorf("those that are not silenced are %q, not %q", got, want)
	}
	// The API does not say that the id is a UUID, but its path does.
	id := strfmt.UUID(made.Payload.SilenceID)
	one, err := api.Silence.GetSilence(silence.NewGetSilenceParams().WithContext(t.Context()).WithSilenceID(id))
	if err != nil {
		t.Fatal(err)
	}
	valid(t, one.Payload)
	if *one.Payload.Status.State != "active" || *one.Payload.Comment != text || *one.Payload.CreatedBy != who {
		t.Errorf("the silence is %s", asJSON(one.Payload))
	}
	if _, err := api.Silence.DeleteSilence(silence.NewDeleteSilenceParams().WithContext(t.Context()).WithSilenceID(id)); err != nil {
		t.Fatal(err)
	}
	listed, err := api.Silence.GetSilences(silence.NewGetSilencesParams().WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	valid(t, listed.Payload)
	for _, s := range listed.Payload {
		if *s.Status.State != "expired" {
			t.Errorf("after its end the silence is %s", asJSON(s))
		}
	}

	groups, err := api.Alertgroup.GetAlertGroups(alertgroup.NewGetAlertGroupsParams().WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	valid(t, groups.Payload)
	receivers, err := api.Receiver.GetReceivers(receiver.NewGetReceiversParams().WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, r := range receivers.Payload {
		valid(t, r)
		found[*r.Name] = true
	}
	if got, want := slices.Sorted(maps.Keys(found)), []string{"#alerts", "#ops"}; !slices.Equal(got, want) {
		t.Errorf("the receivers are %q, not %q", got, want)
	}
	status, err := api.General.GetStatus(general.NewGetStatusParams().WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	valid(t, status.Payload)
	if !strings.Contains(p.metrics(), `alertmanager_build_info{version="`+*status.Payload.VersionInfo.Version+`"} 1`) {
		t.Error("karma finds no version of Alertmanager among the metrics")
	}

	post(postable(now.Add(-time.Minute), time.Now(), "", "alertname", "DiskFull", "instance", "db-3"))
	until(t, s, "its end", func(sn *playground.Snapshot) bool {
		return len(saying(sn.Messages("#alerts"), "Resolved: The disk is full")) == 1
	})
	if got, want := names(all()), []string{"HighLatency active"}; !slices.Equal(got, want) {
		t.Errorf("at the end the alerts are %q, not %q", got, want)
	}
	_, err = api.Alert.PostAlerts(amalert.NewPostAlertsParams().WithContext(t.Context()).WithAlerts(models.PostableAlerts{
		postable(now, now.Add(-time.Hour), "", "alertname", "EndsBeforeItStarts"), postable(never, never, "", "a", "b"), postable(never, never, ""),
	}))
	var bad *amalert.PostAlertsBadRequest
	if !errors.As(err, &bad) || bad.Payload != "alert 1: start time must be before end time; alert 3: at least one label pair required" {
		t.Errorf("the bad alerts of a batch are answered with %v", err)
	}
	good, err := api.Alert.GetAlerts(all().WithContext(t.Context()).WithFilter([]string{"a=b"}))
	if err != nil {
		t.Fatal(err)
	}
	if len(good.Payload) != 1 || !maps.Equal(good.Payload[0].Labels, models.LabelSet{"a": "b"}) {
		t.Errorf("the good alert of a batch is %s", asJSON(good.Payload))
	}
}
