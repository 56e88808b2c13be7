package ingest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tocsin/alert"
)

// alertmanager is the webhook of Prometheus' Alertmanager, version 4.
func alertmanager() Format {
	return Format{
		Name: "alertmanager", Tool: "Alertmanager", Path: webhooks + "alertmanager",
		Docs:   "https://prometheus.io/docs/alerting/latest/configuration/#webhook_config",
		Sample: "alertmanager-0.34.0-grouped.json",
		Marks:  [][]string{{"groupKey", "alerts", "version"}, {"receiver", "alerts", "groupLabels"}},
		Read:   readAlertmanager,
	}
}

// group is the body of Alertmanager's webhook. Grafana's has the same members and some
// more.
type group struct {
	Status          text
	Alerts          []member
	ExternalURL     text
	TruncatedAlerts text
}

// member is one alert of a group.
type member struct {
	Status                                       text
	Labels, Annotations                          labels
	StartsAt, EndsAt, GeneratorURL, Fingerprint  text
	Values                                       labels
	ValueString                                  text
	SilenceURL, DashboardURL, PanelURL, ImageURL text
}

func readAlertmanager(r Request) (alert.Intake, error) {
	var body group
	notes, err := readJSON(r, &body)
	if err != nil {
		return alert.Intake{}, err
	}
	in := alert.Intake{Notes: notes}
	for _, m := range body.saying(&in) {
		if m.isWatchdog() {
			in.Beats = append(in.Beats, body.beat("Alertmanager", m))
			continue
		}
		in.Alerts = append(in.Alerts, body.prometheus(m))
	}
	if len(in.Alerts)+len(in.Beats) == 0 {
		return alert.Intake{}, errNothing
	}
	return in, nil
}

// saying are the alerts that say something. A note counts the others.
func (g group) saying(in *alert.Intake) []member {
	says := slices.DeleteFunc(slices.Clone(g.Alerts), func(m member) bool { return len(m.Labels)+len(m.Annotations) == 0 })
	if empty := len(g.Alerts) - len(says); empty > 0 {
		in.Notes = append(in.Notes, fmt.Sprintf("%d alerts without labels and annotations are left out", empty))
	}
	return says
}

// prometheus is an alert as Prometheus' rules make them.
func (g group) prometheus(m member) alert.Alert {
	a := alert.Alert{
		Source: "alertmanager", Key: m.key(), Status: alert.Status(or(m.Status, g.Status)),
		Annotations: maps.Clone(m.Annotations),
	}
	if a.Annotations == nil {
		a.Annotations = map[string]string{}
	}
	a.Title = titleOf(m)
	happened(&a, "startsAt", m.StartsAt)
	if a.Status == alert.Resolved && or(m.EndsAt) != "" {
		a.BeganAt = a.At
		happened(&a, "endsAt", m.EndsAt)
	}
	link(&a, "Graph", string(m.GeneratorURL))
	a.Links = append(a.Links, annotationLinks(m.Annotations)...)
	if address := silenceForm(string(g.ExternalURL), m.Labels); address != "" {
		a.Links = append(a.Links, alert.Link{Label: "Silence", URL: address})
	}
	// Whatever else the annotations say is kept, under its name.
	said := []string{m.Annotations.take("description", "message")}
	for _, name := range m.Annotations.names() {
		if value := m.Annotations[name]; strings.TrimSpace(value) != "" {
			said = append(said, name+": "+value)
		}
	}
	a.Text = paragraphs(append(said, truncated(g.TruncatedAlerts))...)
	a.Severity = alert.Severity(m.Labels.take("severity"))
	a.Labels = m.Labels
	return a
}

// key is the alert's fingerprint, which some senders leave out. It is of the labels alone.
func (m member) key() string {
	if sent := or(m.Fingerprint); sent != "" || len(m.Labels) == 0 {
		return sent
	}
	return alert.LabelFingerprint(m.Labels)
}

// titleOf takes the title from the annotations, else from the labels.
func titleOf(m member) string {
	if title := m.Annotations.take("summary", "title"); title != "" {
		return title
	}
	if name := m.Labels["alertname"]; name != "" {
		return strings.TrimSpace(name + " " + m.Labels["instance"])
	}
	if title := m.Annotations.take("description", "message"); title != "" {
		return title
	}
	return "An alert without a name"
}

// annotationLinks takes the addresses from the annotations.
func annotationLinks(annotations labels) (links []alert.Link) {
	for _, known := range []struct {
		label string
		names []string
	}{{"Runbook", []string{"runbook", "runbook_url", "runbookURL"}}, {"Dashboard", []string{"dashboard", "dashboard_url", "dashboardURL"}}} {
		for _, name := range known.names {
			if more := addLink(links, known.label, annotations[name]); len(more) > len(links) {
				delete(annotations, name)
				links = more
				break
			}
		}
	}
	for _, name := range annotations.names() {
		if more := addLink(links, name, annotations[name]); len(more) > len(links) && !strings.ContainsAny(annotations[name], " \n") {
			delete(annotations, name)
			links = more
		}
	}
	return links
}

// silenceForm is the page of Alertmanager that makes a silence with these labels, or
// empty if its address would be too long.
func silenceForm(externalURL string, of labels) string {
	if externalURL = strings.TrimSpace(externalURL); !isAddress(externalURL) || len(of) == 0 || len(of) > alert.MaxLabels {
		return ""
	}
	matchers := make([]byte, 0, len("a=b")*len(of)*8)
	for n, name := range of.names() {
		if n > 0 {
			matchers = append(matchers, ", "...)
		}
		matchers = strconv.AppendQuote(append(append(matchers, name...), '='), of[name])
	}
	address := strings.TrimSuffix(externalURL, "/") + "/#/silences/new?filter=%7B" + strings.ReplaceAll(url.QueryEscape(string(matchers)), "+", "%20") + "%7D"
	if len(address) > alert.MaxURL {
		return ""
	}
	return address
}

// truncated says that the sender has left out alerts.
func truncated(count text) string {
	n, err := strconv.Atoi(string(count))
	switch {
	case err != nil || n <= 0:
		return ""
	case n == 1:
		return "1 more alert of this group was left out by the sender (max_alerts)."
	}
	return fmt.Sprintf("%d more alerts of this group were left out by the sender (max_alerts).", n)
}
