package alert

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// templateData is what a template sees: the alert as Tocsin knows it, and under
// Alertmanager's names, so that its templates can be used.
type templateData struct {
	Title, Text      string
	Severity, Status string
	Key, Source      string
	Labels           templateKV
	Annotations      templateKV
	Links            []Link
	At               time.Time
	Count            int

	Receiver, ExternalURL                        string
	Alerts                                       templateAlerts
	GroupLabels, CommonLabels, CommonAnnotations templateKV
}

// templateAlert is an alert under Alertmanager's names.
type templateAlert struct {
	Status              string
	Labels, Annotations templateKV
	StartsAt, EndsAt    time.Time
	GeneratorURL        string
	Fingerprint         string
	// all is how many alerts its list stands for, alike how many of them have its status.
	all, alike int
}

// templateAlerts are a group of alerts, of which only some are listed if there are many.
type templateAlerts []templateAlert

// Firing are those that fire.
func (as templateAlerts) Firing() templateAlerts { return as.with(Firing) }

// Resolved are those that do not.
func (as templateAlerts) Resolved() templateAlerts { return as.with(Resolved) }

func (as templateAlerts) with(status Status) templateAlerts {
	var some templateAlerts
	for _, a := range as {
		if a.Status == string(status) {
			a.all = a.alike
			some = append(some, a)
		}
	}
	return some
}

// count is how many there are, listed or not.
func (as templateAlerts) count() int {
	if len(as) == 0 {
		return 0
	}
	return as[0].all
}

// templateKV are labels or annotations.
type templateKV map[string]string

// SortedPairs are all by name, alertname first.
func (kv templateKV) SortedPairs() templatePairs {
	all := make(templatePairs, 0, len(kv))
	for _, name := range slices.Sorted(maps.Keys(kv)) {
		all = append(all, templatePair{name, kv[name]})
	}
	slices.SortStableFunc(all, func(a, b templatePair) int { return a.rank() - b.rank() })
	return all
}

// Remove are those that are not in names.
func (kv templateKV) Remove(names []string) templateKV {
	rest := maps.Clone(kv)
	maps.DeleteFunc(rest, func(name, _ string) bool { return slices.Contains(names, name) })
	return rest
}

// Names are the names in the order of SortedPairs.
func (kv templateKV) Names() []string { return kv.SortedPairs().Names() }

// Values are the values in the order of SortedPairs.
func (kv templateKV) Values() []string { return kv.SortedPairs().Values() }

func (kv templateKV) String() string { return kv.SortedPairs().String() }

// templatePair is a label or an annotation.
type templatePair struct{ Name, Value string }

func (p templatePair) rank() int {
	if p.Name == alertName {
		return 0
	}
	return 1
}

type templatePairs []templatePair

// Names are the names in order.
func (ps templatePairs) Names() []string {
	return ps.each(func(p templatePair) string { return p.Name })
}

// Values are the values in order.
func (ps templatePairs) Values() []string {
	return ps.each(func(p templatePair) string { return p.Value })
}

func (ps templatePairs) String() string {
	return strings.Join(ps.each(func(p templatePair) string { return p.Name + "=" + p.Value }), ", ")
}

func (ps templatePairs) each(part func(templatePair) string) []string {
	all := make([]string, len(ps))
	for n, p := range ps {
		all[n] = part(p)
	}
	return all
}

// newTemplateData is the data of an alert in a route.
func newTemplateData(a Alert, route string, count int) templateData {
	one := newTemplateAlert(a)
	one.all, one.alike = 1, 1
	d := templateData{
		Title: a.Title, Text: a.Text, Severity: string(a.Severity), Status: string(a.Status), Key: a.Key, Source: a.Source,
		Labels: a.Labels, Annotations: one.Annotations, Links: a.Links, At: a.At, Count: count,
		Receiver: route, Alerts: templateAlerts{one}, GroupLabels: one.Labels, CommonLabels: one.Labels, CommonAnnotations: one.Annotations,
	}
	d.ExternalURL, _, _ = strings.Cut(linkOf(a.Links, "Silence"), "/#/")
	return d
}

// newGroupData is the data of a group: a is what its members have in common, listed are some
// of them.
func newGroupData(a Alert, i Incident, listed []GroupMember) templateData {
	d := newTemplateData(a, i.Route, i.Count)
	d.GroupLabels = i.Group.LabelNames()
	if i.Group.Titles {
		delete(d.CommonLabels, alertName)
		delete(d.CommonAnnotations, "summary")
	}
	if len(i.Group.Firing) > 1 {
		delete(d.CommonLabels, "severity")
	}
	for _, name := range []string{alertName, "severity"} {
		setUnless(d.CommonLabels, name, i.Labels[name])
	}
	setUnless(d.CommonAnnotations, "summary", i.Annotations["summary"])
	d.Alerts = nil
	for _, m := range listed {
		one := newTemplateAlert(Alert{
			Key: m.Key, Status: m.Status, Severity: m.Severity, Title: m.Title, Text: m.Text, Labels: m.Labels, Annotations: m.Annotations,
			Links: m.Links, At: m.BeganAt, EndsAt: m.EndedAt,
		})
		if one.all, one.alike = i.Group.Fires()+i.Group.Over(), i.Group.Over(); m.Status == Firing {
			one.alike = i.Group.Fires()
		}
		d.Alerts = append(d.Alerts, one)
		if d.ExternalURL == "" {
			d.ExternalURL, _, _ = strings.Cut(linkOf(m.Links, "Silence"), "/#/")
		}
	}
	return d
}

// newTemplateAlert is an alert under Alertmanager's names.
func newTemplateAlert(a Alert) templateAlert {
	labels := maps.Clone(templateKV(a.Labels))
	if labels == nil {
		labels = templateKV{}
	}
	setUnless(labels, alertName, a.Title)
	setUnless(labels, "severity", string(a.Severity))
	return templateAlert{
		Status: string(a.Status), Labels: labels, Annotations: annotationsOf(a), StartsAt: a.At, EndsAt: a.EndsAt,
		GeneratorURL: linkOf(a.Links, "Graph"), Fingerprint: a.Key,
	}
}

// linkOf is where the last link with this label leads; empty if there is none.
func linkOf(links []Link, label string) (address string) {
	for _, l := range links {
		if l.Label == label {
			address = l.URL
		}
	}
	return address
}

func setUnless(kv templateKV, name, value string) {
	if _, has := kv[name]; !has && value != "" {
		kv[name] = value
	}
}

// annotationsOf are the annotations that an alert came with, or what they became.
func annotationsOf(a Alert) templateKV {
	all := maps.Clone(templateKV(a.Annotations))
	if len(all) > 0 {
		return all
	}
	all = templateKV{}
	setUnless(all, "summary", a.Title)
	setUnless(all, "description", a.Text)
	for _, l := range a.Links {
		switch l.Label {
		case "Runbook":
			setUnless(all, "runbook_url", l.URL)
		case "Dashboard":
			setUnless(all, "dashboard_url", l.URL)
		}
	}
	return all
}

// templateSamples are alerts over which a template is tried: with everything and with
// little, firing and resolved.
func templateSamples() []templateData {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	full := Alert{
		Title: "disk full on db-3", Text: "The disk is 97 % full.", Severity: Critical, Status: Firing, Key: "disk-db-3", Source: "prometheus", At: at,
		Labels: map[string]string{alertName: "DiskFull", "instance": "db-3:9100", "job": "node", "value": "97.5"},
		Links:  []Link{{"Graph", "https://prometheus.example.com/graph"}, {"Runbook", "https://example.com/runbook"}},
	}
	bare := Alert{Title: "a message", Severity: Error, Status: Firing, Key: "a-message", At: at}
	resolved := full
	resolved.Status = Resolved
	all := []templateData{newTemplateData(full, "sample", 3), newTemplateData(bare, "sample", 1), newTemplateData(resolved, "sample", 3)}
	group := Incident{Route: "sample", Count: 2, Group: &Group{Labels: map[string]string{alertName: "DiskFull"}, Total: 2, Firing: map[Severity]int{Critical: 1}, Titles: true}}
	return append(all, newGroupData(full, group, []GroupMember{
		{Key: full.Key, Status: Firing, Severity: Critical, Title: full.Title, Text: full.Text, Labels: full.Labels, Links: full.Links, BeganAt: at},
		{Key: bare.Key, Status: Resolved, Severity: Error, Title: bare.Title, BeganAt: at, EndedAt: at},
	}))
}

// namesOf are the names of the fields of a struct.
func namesOf(v any) []string {
	var all []string
	for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
		if f.IsExported() {
			all = append(all, f.Name)
		}
	}
	return all
}
