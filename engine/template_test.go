package engine

import (
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// worded is a route with templates.
func worded(t *testing.T, title, text, host string) alert.Route {
	read := func(source string) *alert.Template {
		if source == "" {
			return nil
		}
		parsed, err := alert.ParseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	return alert.Route{
		Name: "worded", Matchers: matchers(t, `title="disk full"`), To: []string{"#db"},
		Templates: alert.Templates{Title: read(title), Text: read(text), Fields: []alert.FieldTemplate{{Name: "Host", Value: read(host)}}},
	}
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
