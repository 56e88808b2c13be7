package ingest

import (
	"cmp"
	"maps"
	"strings"

	"tocsin/alert"
)

// grafana is the webhook contact point of Grafana's unified alerting, and the webhook
// channel of its legacy alerting.
func grafana() Format {
	return Format{
		Name: "grafana", Tool: "Grafana", Path: webhooks + "grafana",
		Docs:   "https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/",
		Sample: "grafana-12.json",
		Marks:  [][]string{{"orgId", "alerts"}, {"ruleId", "state"}, {"evalMatches", "ruleName"}},
		Read:   readGrafana,
	}
}

// grafanaBody is a body of either kind: a group with alerts, or the state of one rule.
type grafanaBody struct {
	group
	Title, Message, State            text
	RuleID, RuleName, RuleURL, OrgID text
	ImageURL                         text
	EvalMatches                      []struct{ Metric, Value text }
	Tags                             labels
}

func readGrafana(r Request) (alert.Intake, error) {
	var body grafanaBody
	notes, err := readJSON(r, &body)
	if err != nil {
		return alert.Intake{}, err
	}
	in := alert.Intake{Notes: notes}
	for _, m := range body.saying(&in) {
		if m.isWatchdog() {
			in.Beats = append(in.Beats, body.beat("Grafana", m))
			continue
		}
		in.Alerts = append(in.Alerts, body.unified(m))
	}
	switch {
	case len(in.Alerts)+len(in.Beats) > 0:
	case or(body.RuleName, body.RuleID, body.RuleURL) != "":
		in.Alerts = append(in.Alerts, body.legacy())
	default:
		return alert.Intake{}, errNothing
	}
	return in, nil
}

// unified is an alert of unified alerting: that of a Prometheus rule, with the values
// that fired and Grafana's own pages.
func (b grafanaBody) unified(m member) alert.Alert {
	reason := stateReason(m)
	m.Fingerprint = text(m.key()) // before its labels become fewer
	hidden(m.Labels)
	hidden(m.Annotations)
	maps.DeleteFunc(m.Values, func(_, value string) bool { return value == "" }) // null: there was none
	values := pairs(m.Values)
	if values == "" {
		values = string(m.ValueString)
	}
	generator := m.GeneratorURL
	m.GeneratorURL = ""
	g := b.group
	g.ExternalURL = "" // its silences are made at the address that the alert has
	a := g.prometheus(m)
	a.Source = "grafana"
	if name := a.Labels["rulename"]; reason != "" && name != "" && a.Title == a.Labels["alertname"] {
		a.Title = name + ": " + strings.ReplaceAll(reason, "_", " ")
	}
	own := labels(a.Labels)
	if own == nil {
		own = labels{}
	}
	own.addSaid("values", values)
	own.addSaid("reason", reason)
	a.Labels = own
	annotated := a.Links
	a.Links = nil
	link(&a, "Panel", string(m.PanelURL))
	link(&a, "Dashboard", string(m.DashboardURL))
	link(&a, "Rule", string(generator))
	a.Links = append(a.Links, annotated...)
	link(&a, "Silence", string(m.SilenceURL))
	image(&a, string(m.ImageURL), a.Title)
	return a
}

// stateReason is no_data or error for an alert that says so, not what its rule watches, and
// else what Grafana says of how the alert came to be as it is, such as MissingSeries.
func stateReason(m member) string {
	switch reason := m.Annotations.take("grafana_state_reason"); {
	case strings.Contains(reason, "NoData"), m.Labels["alertname"] == "DatasourceNoData":
		return "no_data"
	case strings.Contains(reason, "Error"), m.Labels["alertname"] == "DatasourceError":
		return "error"
	default:
		return reason
	}
}

// hidden removes what Grafana notes for itself, such as __panelId__.
func hidden(l labels) {
	for name := range l {
		if strings.HasPrefix(name, "__") {
			delete(l, name)
		}
	}
}

// legacy is the state of a rule before Grafana 9.
func (b grafanaBody) legacy() alert.Alert {
	a := alert.Alert{
		Source: "grafana", Key: cmp.Or(strings.Trim("grafana/"+or(b.OrgID)+"/"+or(b.RuleID, b.RuleName, b.RuleURL), "/")),
		Title: or(b.RuleName, b.Title, "A rule of Grafana"), Text: string(b.Message),
	}
	state := or(b.State)
	switch state {
	case "ok":
		a.Status = alert.Resolved
	case "paused":
		a.Status, a.OnlyIfOpen, a.Text = alert.Resolved, true, paragraphs("The rule is paused.", a.Text)
	case "no_data", "pending":
		a.Severity = alert.Warning
	}
	own := labels{}
	for name, value := range b.Tags {
		own.add(name, value)
	}
	if severity := own.take("severity"); severity != "" {
		a.Severity = alert.Severity(severity)
	}
	for _, match := range b.EvalMatches {
		own.addSaid(cmp.Or(or(match.Metric), "value"), string(match.Value))
	}
	if state != "alerting" && a.Status != alert.Resolved {
		own.addSaid("reason", state)
	}
	a.Labels = own
	link(&a, "Rule", string(b.RuleURL))
	image(&a, string(b.ImageURL), a.Title)
	return a
}
