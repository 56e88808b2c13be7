package engine

import (
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// worded is a route with templates.
func worded(t *testing.T, title, text, host string) alert.Route {
	return alert.Route{
		Name: "worded", Matchers: matchers(t, `title="disk full"`), To: []string{"#db"},
		Templates: alert.Templates{Title: template(t, title), Text: template(t, text), Fields: []alert.FieldTemplate{{Name: "Host", Value: template(t, host)}}},
	}
}

func template(t *testing.T, source string) *alert.Template {
	t.Helper()
	parsed, err := alert.ParseTemplate(source)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func full(host string) alert.Alert {
	return alert.Alert{Title: "disk full", Text: "97 %", Labels: map[string]string{"host": host}}
}

func TestACardSaysWhatTheTemplatesOfItsRouteMakeOfTheAlert(t *testing.T) {
	w := newWorld(t, worded(t, "{{ .Title | toUpper }}, {{ .Count }}×", "On {{ .Labels.host }}: {{ .Text }}", "{{ .Labels.host }}.example.com"))
	sent := full("db-3")
	if err := sent.Prepare(w.now); err != nil {
		t.Fatal(err)
	}
	w.push(full("db-3"))
	w.push(full("db-3"))
	i := w.incidents[0]
	if len(w.incidents) != 1 || i.Title != "DISK FULL, 2×" || i.Text != "On db-3: 97 %" || len(i.Fields) != 1 || i.Fields[0] != (alert.Field{Name: "Host", Value: "db-3.example.com"}) {
		t.Errorf("it is %+v", i)
	}
	if i.Key != sent.Key || w.alerts[0].Title != "disk full" {
		t.Errorf("its key is %s, want %s; the alert is kept as %+v", i.Key, sent.Key, w.alerts[0])
	}
	// The route and silences go by what was sent, words also by what is shown.
	if s := i.Subject(); s.Title != "disk full" || !s.Contains("full, 2") || !matchers(t, `title="disk full"`).Match(s) || matchers(t, `Host="db-3.example.com"`).Match(s) {
		t.Errorf("matchers see %+v", s)
	}
	over := full("db-3")
	over.Status, over.Text = alert.Resolved, "fine again"
	d := w.push(over)
	if last := d.change.Deliveries[len(d.change.Deliveries)-1]; last.Note == nil || last.Note.Text != "On db-3: fine again" {
		t.Errorf("its end says %+v", last.Note)
	}
}

func TestATemplateThatFailsLeavesTheDefaultCardWithANoteInTheThread(t *testing.T) {
	w := newWorld(t, worded(t, "about {{ .Title }}", "{{ humanize .Labels.load }}", "{{ .Labels.host }}"))
	d := w.push(full("db-3"))
	i := w.incidents[0]
	if i.Title != "disk full" || i.Text != "97 %" || i.Fields != nil || i.SentTitle != "" || d.failures != 1 {
		t.Errorf("it is %+v, %d failures", i, d.failures)
	}
	wantDeliveries(t, d, "#db post", "#db reply template")
	if n := d.change.Deliveries[1].Note; !strings.Contains(n.Text, `the template of text fails: error calling humanize: "" is not a number at 1:4`) {
		t.Errorf("the thread says %q", n.Text)
	}
	again := w.push(full("db-3"))
	wantDeliveries(t, again, "#db update")
	if again.failures != 1 {
		t.Errorf("the second time counts %d failures", again.failures)
	}
	w.now = w.now.Add(time.Minute)
	good := full("db-3")
	good.Key, good.Labels = i.Key, map[string]string{"host": "db-3", "load": "12345"}
	if d := w.push(good); w.incidents[0].Text != "12.35k" || d.failures != 0 {
		t.Errorf("then it says %q, %d failures", w.incidents[0].Text, d.failures)
	}
}

// amTitle is the title of a card of Alertmanager for Slack, as many configurations have it.
const amTitle = `[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] {{ .GroupLabels.SortedPairs.Values | join " " }}`

// wordedGroups is a route whose groups have templates.
func wordedGroups(t *testing.T, title, text string) alert.Route {
	r := grouped()
	r.Templates = alert.Templates{
		Title: template(t, title), Text: template(t, text),
		Fields: []alert.FieldTemplate{{Name: "Host", Value: template(t, "{{ .CommonLabels.host }}")}},
	}
	return r
}

func TestTemplatesSeeAGroupAndWordItAnewWhenItsMembersChange(t *testing.T) {
	w := newWorld(t, wordedGroups(t, amTitle, `{{ .CommonAnnotations }}; {{ .CommonLabels }};{{ range .Alerts }} {{ .Labels.host }} {{ .Status }} {{ .Annotations.value }},{{ end }}`))
	says := func(title, text, host string) {
		t.Helper()
		i := w.incidents[0]
		shown := ""
		for _, f := range i.Fields {
			shown += f.Name + "=" + f.Value
		}
		if i.Headline() != title || i.Text != text || shown != host {
			t.Errorf("it is %q with %q and %q, want %q with %q and %q", i.Headline(), i.Text, shown, title, text, host)
		}
	}
	of := func(host, value string, severity alert.Severity) alert.Alert {
		a := diskFull(host, severity)
		a.Annotations = map[string]string{"runbook": "r", "value": value}
		return a
	}
	w.push(of("db-1", "91", alert.Error))
	says("[FIRING:1] DiskFull eu", "runbook=r, value=91; alertname=DiskFull, cluster=eu, host=db-1, severity=error; db-1 firing 91,", "Host=db-1")
	wantDeliveries(t, w.after(30*time.Second), "#alerts post")
	wantDeliveries(t, w.push(of("db-2", "92", alert.Error), of("db-3", "93", alert.Critical)), "#alerts update", "#alerts update", "#alerts reply escalated @U1")
	says("[FIRING:3] DiskFull eu", "runbook=r; alertname=DiskFull, cluster=eu; db-3 firing 93, db-1 firing 91, db-2 firing 92,", "")
	i := w.incidents[0]
	if i.SentTitle != "DiskFull (eu)" || i.Subject().Title != i.SentTitle || !i.Subject().Contains("firing:3") {
		t.Errorf("matchers see %+v", i.Subject())
	}
	if m := w.members[memberRef{i.ID, "db-1"}]; m.Title != "disk full on db-1" {
		t.Errorf("a member is called %q", m.Title)
	}
	w.now = w.now.Add(time.Minute)
	w.push(over("db-1"))
	says("[FIRING:2] DiskFull eu", "runbook=r; alertname=DiskFull, cluster=eu; db-3 firing 93, db-2 firing 92, db-1 resolved 91,", "")
	w.act(alert.Act{Verb: alert.VerbResolve, Incident: i.ID, By: ann})
	if got := w.incidents[0].Headline(); got != "[RESOLVED] DiskFull eu" {
		t.Errorf("resolved by a person it is %q", got)
	}
	w.act(alert.Act{Verb: alert.VerbReopen, Incident: i.ID, By: ann})
	if got := w.incidents[0].Headline(); got != "[FIRING:2] DiskFull eu" {
		t.Errorf("reopened it is %q", got)
	}
	w.silence(`host="db-3"`, time.Hour)
	w.push(of("db-3", "94", alert.Critical))
	says("[FIRING:1] DiskFull eu", "runbook=r; alertname=DiskFull, cluster=eu, severity=error; db-2 firing 92, db-1 resolved 91,", "")

	w.rules.routing.Routes[0].Templates = alert.Templates{}
	w.push(of("db-4", "95", alert.Error))
	says("DiskFull (eu): 2 firing, 1 silenced, 1 resolved", "", "")
}

func TestATemplateThatFailsForAGroupLeavesANoteUnderItsFirstCard(t *testing.T) {
	w := newWorld(t, wordedGroups(t, "{{ .Title }}", "{{ humanize .CommonLabels.load }}"))
	if d := w.push(diskFull("db-1", alert.Error), diskFull("db-2", alert.Error)); d.failures != 1 {
		t.Errorf("%d failures", d.failures)
	}
	d := w.after(30 * time.Second)
	wantDeliveries(t, d, "#alerts post", "#alerts reply template")
	if n := d.change.Deliveries[1].Note; !strings.Contains(n.Text, `the template of text fails: error calling humanize: "" is not a number at 1:4`) {
		t.Errorf("the thread says %q", n.Text)
	}
	wantGroup(t, w, "DiskFull (eu): 2 firing", alert.Open, alert.Error)
	wantDeliveries(t, w.push(diskFull("db-3", alert.Error)), "#alerts update")
	w.rules.routing.Routes[0].Templates.Text = template(t, "{{ len .Alerts }}")
	w.push(diskFull("db-4", alert.Error))
	w.rules.routing.Routes[0].Templates.Text = template(t, "{{ humanize .Title }}")
	wantDeliveries(t, w.push(diskFull("db-5", alert.Error)), "#alerts update", "#alerts reply template")
}

func TestACardThatWasHeldSaysThatItsTemplateFails(t *testing.T) {
	w := newWorld(t, worded(t, "about {{ .Title }}", "{{ humanize .Labels.load }}", "{{ .Labels.host }}"))
	w.silence(`title="disk full"`, time.Hour)
	wantDeliveries(t, w.push(full("db-3")))
	wantDeliveries(t, w.after(time.Hour), "#db post", "#db reply template")
}
