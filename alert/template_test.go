package alert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// words are an alert as Prometheus sends it, for templates.
func words() Alert {
	return Alert{
		Title: "disk full", Text: "97 % of /var", Severity: Critical, Status: Firing, Key: "k", Source: "prometheus", At: time.Date(2026, 7, 2, 22, 30, 0, 0, time.UTC),
		Labels:      map[string]string{"alertname": "DiskFull", "instance": "db-3.example.com:9100", "job": "node", "bytes": "123456789"},
		Annotations: map[string]string{"summary": "disk full", "description": "97 % of /var"},
		Links:       []Link{{"Graph", "https://p.example/graph"}, {"Silence", "https://am.example/x/#/silences/new?filter=a"}},
	}
}

func TestATemplateWritesWhatAlertmanagersAndPrometheusFunctionsDo(t *testing.T) {
	now := words().At.Add(90 * time.Minute)
	for template, want := range map[string]string{
		`{{ .Title }} {{ .Severity }} {{ .Count }}× {{ .Labels.instance }}`: "disk full critical 3× db-3.example.com:9100",
		`[{{ .Labels.nothing }}]`: "[]",
		`{{ .Status | toUpper }} {{ toLower "AbC" }} {{ title "dISK full on db-3's" }}`:                                              "FIRING abc Disk Full On Db-3's",
		`{{ .GroupLabels.SortedPairs.Values | join "|" }}`:                                                                           "DiskFull|123456789|db-3.example.com:9100|node|critical",
		`{{ with .CommonLabels.Remove (stringSlice "alertname" "bytes") }}{{ . }}{{ end }}`:                                          "instance=db-3.example.com:9100, job=node, severity=critical",
		`{{ range .Alerts.Firing }}{{ .Annotations.summary }} {{ .GeneratorURL }}{{ end }}{{ len .Alerts.Resolved }}`:                "disk full https://p.example/graph0",
		`{{ .CommonAnnotations.description }} {{ .ExternalURL }} {{ .Receiver }}`:                                                    "97 % of /var https://am.example/x db",
		`{{ .CommonLabels.severity }} {{ .CommonLabels.alertname }}`:                                                                 "critical DiskFull",
		`{{ if match "^db-" .Labels.instance }}db{{ end }}`:                                                                          "db",
		`{{ reReplaceAll "(.*):.*" "$1" .Labels.instance }}`:                                                                         "db-3.example.com",
		`{{ .At | tz "Europe/Berlin" | date "Mon 15:04 MST" }}`:                                                                      "Fri 00:30 CEST",
		`{{ since .At | humanizeDuration }} {{ humanizeDuration 93784 }} {{ humanizeDuration "0.0123" }} {{ humanizeDuration -61 }}`: "1h 30m 0s 1d 2h 3m 4s 12.3ms -1m 1s",
		`{{ humanize .Labels.bytes }} {{ humanize 0.00012 }} {{ humanize1024 2048 }} {{ humanizePercentage 0.973 }}`:                 "123.5M 120u 2ki 97.3%",
		`{{ humanizeTimestamp 1435065584.128 }}`:                                                                                     "2015-06-23 13:19:44.128 +0000 UTC",
		`{{ (toTime "1435065584").Year }} {{ parseDuration "1h" }}`:                                                                  "2015 3600",
		`{{ stripPort .Labels.instance }} {{ stripDomain .Labels.instance }}`:                                                        "db-3.example.com db-3:9100",
		`{{ trimSpace "  a " }}{{ safeHtml "<b>" }}{{ urlUnescape "a%20b" }}{{ toJson (stringSlice "a") }}`:                          `a<b>a b["a"]`,
		`{{ printf "%05.1f" 3.14159 }}{{ print "a" 1 }}{{ html "<" }}`:                                                               "003.1a1&lt;",
	} {
		parsed, err := ParseTemplate(template)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		got, err := parsed.execute(newTemplateData(words(), "db", 3), now)
		if got != want || err != nil {
			t.Errorf("%s wrote %q, want %q; %v", template, got, want, err)
		}
		if err := parsed.Check(); err != nil {
			t.Errorf("%s is refused: %v", template, err)
		}
	}
}

func TestATemplateCountsTheAlertsOfAGroupThatItDoesNotList(t *testing.T) {
	parsed, err := ParseTemplate(`{{ .Alerts | len }} {{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }}:{{ range .Alerts.Firing }} {{ .Labels.host }}{{ end }},{{ range .Alerts.Resolved }} {{ .Labels.host }}{{ end }}`)
	if err != nil {
		t.Fatal(err)
	}
	group := Incident{Title: "disk full", Group: &Group{Total: 10_000, Firing: map[Severity]int{Critical: 7000}, Silenced: map[Severity]int{Error: 100}}}
	member := func(host string, status Status) GroupMember {
		return GroupMember{Status: status, Labels: map[string]string{"host": host}}
	}
	listed := []GroupMember{member("a", Firing), member("b", Firing), member("c", Resolved)}
	if err := (Templates{Text: parsed}).WordGroup(&group, listed, time.Time{}); err != nil || group.Text != "9900 7000 2900: a b, c" {
		t.Errorf("it writes %q, %v", group.Text, err)
	}
	group.Unword()
	group.Group.Firing = nil
	if err := (Templates{Text: parsed}).WordGroup(&group, nil, time.Time{}); err != nil || group.Text != "0 0 0:," {
		t.Errorf("without any it writes %q, %v", group.Text, err)
	}
}

func TestWithoutAnnotationsATemplateSeesWhatTheAlertSaysUnderTheirNames(t *testing.T) {
	a := Alert{Title: "t", Text: "x", Links: []Link{{"Runbook", "https://r.example"}}}
	parsed, err := ParseTemplate("{{ .CommonAnnotations }}; {{ .CommonLabels }}; {{ .Labels }}")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parsed.execute(newTemplateData(a, "r", 1), a.At)
	if want := "description=x, runbook_url=https://r.example, summary=t; alertname=t; "; got != want || err != nil {
		t.Errorf("it wrote %q, want %q; %v", got, want, err)
	}
}

func TestAMistakeInATemplateIsFoundWhereItIs(t *testing.T) {
	for template, want := range map[string]string{
		"a {{ .Titel }}":                  "1:6 there is no .Titel",
		"one\n  ä {{ foo .Title }}":       `2:8 function "foo" not defined`,
		"{{ if .Title }}\nx":              "1:1 an {{ if }}, {{ range }}, {{ with }} or {{ define }} has no {{ end }}",
		"x\n{{ .Title":                    "2:1 unclosed action",
		"{{ (index .Alerts 0).Foo }}":     "1:19 there is no .Foo; an alert has .Status",
		`{{ template "slack.x" . }}`:      `1:13 template "slack.x" not defined`,
		`{{ match "(" .Title }}`:          "1:4 error calling match",
		`{{ tz "Mars" .At }}`:             `1:4 error calling tz: "Mars" is not a time zone`,
		"{{ join }}":                      "1:4 wrong number of args",
		`{{ printf "%1000000d" 1 }}`:      "a verb is too wide",
		`{{ printf "%*d" 1000000 1 }}`:    "a verb is too wide",
		"{{ range 1000000000 }}{{ end }}": "its loops turn more than 10000 times",
		`{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`:                              "its loops turn more than 10000 times",
		`{{ $x := "x" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}`:                                   "it writes more than",
		`{{ $x := "\\" }}{{ range 60 }}{{ $x = js $x }}{{ end }}`:                                        "it writes more than",
		`{{ range 9000 }}` + strings.Repeat("x", 200) + `{{ end }}`:                                      "it writes more than",
		`{{ reReplaceAll "" "` + strings.Repeat("x", 999) + `" (printf "%999s%999s" "" "") }}{{ nope }}`: `function "nope" not defined`,
		strings.Repeat("x", maxTemplate+1):                                                               "longer than",
	} {
		parsed, err := ParseTemplate(template)
		if err == nil {
			err = parsed.Check()
		}
		bad, ok := errors.AsType[*TemplateError](err)
		if !ok || !strings.Contains(fmt.Sprintf("%d:%d %s", bad.Line, bad.Column, bad.Message), want) {
			t.Errorf("%.80s: %v, want %s", template, err, want)
		}
	}
}

func TestATemplateThatOnlyFailsForSomeAlertsIsNoMistake(t *testing.T) {
	parsed, err := ParseTemplate(`{{ humanize .Labels.no_such_number }}`)
	if err == nil {
		err = parsed.Check()
	}
	if err != nil {
		t.Error(err)
	}
}

func TestWhatATemplateWritesIsRepairedAsAnAlertIs(t *testing.T) {
	read := func(source string) *Template {
		parsed, err := ParseTemplate(source)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	a := words()
	fields, err := Templates{
		Title: read("  a\n{{ .Title }} " + "\x1b[31m" + strings.Repeat("é", MaxTitle)), Text: read("{{ .Text }}\x00\n\n"),
		Fields: []FieldTemplate{{"Host", read("{{ .Labels.instance }}\n")}, {"None", read(" {{ .Labels.none }}")}, {"Long", read(strings.Repeat("x", MaxLabel+1))}},
	}.Word(&a, "db", 1, a.At)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Field{{"Host", "db-3.example.com:9100"}, {"Long", strings.Repeat("x", MaxLabel-1) + "…"}}; !slices.Equal(fields, want) {
		t.Errorf("the fields are %v", fields)
	}
	if !strings.HasPrefix(a.Title, "a disk full éé") || len([]rune(a.Title)) != MaxTitle || !strings.Contains(a.Text, "…é") || !strings.HasSuffix(a.Text, "97 % of /var") {
		t.Errorf("the title is %.40q, the text %.40q", a.Title, a.Text)
	}
	a = words()
	if _, err = (Templates{Title: read(" ")}).Word(&a, "db", 1, a.At); err != nil || a.Title != "disk full" {
		t.Errorf("a title that says nothing became %q, %v", a.Title, err)
	}
	before := fmt.Sprintf("%+v", a)
	if _, err = (Templates{Title: read("x"), Text: read("{{ humanize .Title }}")}).Word(&a, "db", 1, a.At); err == nil || fmt.Sprintf("%+v", a) != before {
		t.Errorf("one that fails left %+v, %v", a, err)
	}
}
