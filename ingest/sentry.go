package ingest

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// sentry is the webhook of a Sentry integration: issues, issue alerts and metric alerts;
// and that of Sentry's older webhook plugin.
func sentry() Format {
	return Format{
		Name: "sentry", Tool: "Sentry", Path: webhooks + "sentry",
		Docs:   "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
		Sample: "sentry-event_alert.json",
		Marks:  [][]string{{"data", "actor", "action"}, {"project_name", "culprit", "event"}},
		Read:   readSentry,
		Signed: func(secret string, r Request) bool {
			return signedWith(secret, r.Body, r.Header.Get("Sentry-Hook-Signature"))
		},
	}
}

// sentryResources are the resources whose events are alerts.
var sentryResources = [...]string{"event_alert", "error", "issue", "metric_alert"}

type sentryBody struct {
	Action text
	Actor  struct{ Name text }
	Data   struct {
		Event         sentryEvent
		Error         sentryEvent
		Issue         sentryEvent
		TriggeredRule text `json:"triggered_rule"`
		MetricAlert   struct {
			ID          text
			Title       text
			DateStarted text                                                   `json:"date_started"`
			DateClosed  text                                                   `json:"date_closed"`
			AlertRule   struct{ ID, Name, Aggregate, Query, Environment text } `json:"alert_rule"`
		} `json:"metric_alert"`
		DescriptionTitle text `json:"description_title"`
		DescriptionText  text `json:"description_text"`
		WebURL           text `json:"web_url"`
	}
	// The older plugin's.
	sentryEvent
	ProjectName text        `json:"project_name"`
	PluginEvent sentryEvent `json:"event"`
}

// sentryEvent is an event or an issue.
type sentryEvent struct {
	ID, Title, Culprit, Level, Platform, Message text
	ShortID                                      text
	IssueID                                      text `json:"issue_id"`
	WebURL                                       text `json:"web_url"`
	Permalink, URL                               text
	Datetime, LastSeen                           text
	Release, Environment, Logger                 text
	Count, UserCount                             text
	Project                                      sentryProject
	Tags                                         labels
	Metadata                                     struct{ Type, Value, Title text }
	Exception                                    struct {
		Values []struct {
			Type, Value text
			Stacktrace  sentryTrace
		}
	}
	Stacktrace sentryTrace
}

// sentryProject is a project's id, or an object.
type sentryProject struct{ Slug, Name text }

// UnmarshalJSON accepts every value.
func (p *sentryProject) UnmarshalJSON(value []byte) error {
	type object sentryProject
	_, _ = readJSON(Request{Body: value}, (*object)(p)) // a number is an id that says nothing to people
	return nil
}

// sentryTrace lists the frames of a stack, the failing one last.
type sentryTrace struct {
	Frames []struct {
		Filename, Function, Lineno text
		AbsPath                    text `json:"abs_path"`
		Module                     text
		ContextLine                text `json:"context_line"`
	}
}

func readSentry(r Request) (alert.Intake, error) {
	var b sentryBody
	notes, err := readJSON(r, &b)
	if err != nil {
		return alert.Intake{}, err
	}
	in := alert.Intake{Notes: notes}
	a, ok := b.alertOf()
	resource := r.Header.Get("Sentry-Hook-Resource")
	switch {
	case ok && or(b.Action) == "assigned":
		in.Notes = append(in.Notes, ignored("action", "assigned"))
		return in, nil
	case !ok && or(b.Action) != "" && resource != "" && !slices.Contains(sentryResources[:], resource):
		in.Notes = append(in.Notes, ignored("resource", resource))
		return in, nil
	case !ok:
		return alert.Intake{}, errNothing
	}
	a.Source = "sentry"
	if id := r.Header.Get("Request-ID"); id != "" {
		a.IdempotencyKey = "sentry/" + id
	}
	in.Alerts = []alert.Alert{a}
	return in, nil
}

// alertOf is the alert that a body is about, if there is one.
func (b sentryBody) alertOf() (a alert.Alert, ok bool) {
	switch {
	case b.Data.Event.says():
		return b.event(b.Data.Event), true
	case b.Data.Error.says():
		return b.event(b.Data.Error), true
	case or(b.Data.MetricAlert.ID, b.Data.DescriptionTitle, b.Data.MetricAlert.Title) != "":
		return b.metric(), true
	case b.Data.Issue.says():
		return b.issue(), true
	case or(b.Culprit, b.Message, b.ProjectName) != "":
		return b.plugin(), true
	}
	return alert.Alert{}, false
}

func (e sentryEvent) says() bool {
	return or(e.ID, e.Title, e.IssueID, e.Culprit, e.Message, e.WebURL) != ""
}

// event is an event that a rule has found, or an error.
func (b sentryBody) event(e sentryEvent) alert.Alert {
	a := e.alert()
	a.Key = keyOf("sentry", or(e.IssueID))
	labels(a.Labels).addSaid("rule", or(b.Data.TriggeredRule))
	return a
}

// issue is an issue whose state has changed.
func (b sentryBody) issue() alert.Alert {
	e := b.Data.Issue
	a := e.alert()
	a.Key = keyOf("sentry", or(e.ID))
	switch action := or(b.Action); action {
	case "created", "unresolved":
		// What an event has said of it is more: it has the stack and the release.
		a.Refreshes, a.Brief = a.Key != "", a.Key != ""
		if action == "unresolved" {
			a.At = time.Time{} // it may have been last seen before it was resolved
		}
	case "resolved":
		a.Status, a.OnlyIfOpen, a.At = alert.Resolved, true, time.Time{} // it is not when it was last seen
	case "archived", "ignored":
		a.Status, a.OnlyIfOpen, a.At, a.Labels["state"] = alert.Resolved, true, time.Time{}, action
	}
	return a
}

// plugin is the body of the older webhook plugin.
func (b sentryBody) plugin() alert.Alert {
	e := b.PluginEvent
	for _, f := range []struct{ to, from *text }{{&e.Title, &b.Title}, {&e.Culprit, &b.Culprit}, {&e.Level, &b.Level}, {&e.Message, &b.Message}} {
		*f.to = text(or(*f.to, *f.from))
	}
	e.WebURL, e.Project.Name = text(or(b.URL, e.WebURL)), text(or(b.ProjectName, e.Project.Name))
	a := e.alert()
	a.Key = keyOf("sentry", or(b.ID))
	return a
}

// alert is what an event or an issue says.
func (e sentryEvent) alert() alert.Alert {
	a := alert.Alert{Severity: alert.Severity(or(e.Level))}
	happened(&a, "datetime", text(or(e.Datetime, e.LastSeen)))
	a.Title = cmp.Or(or(e.Title), strings.Trim(or(e.Metadata.Type)+": "+or(e.Metadata.Value), ": "), or(e.Metadata.Title, e.Message, e.Culprit, "An issue in Sentry"))
	culprit, message := or(e.Culprit), or(e.Message)
	if message == a.Title {
		message = ""
	}
	a.Text = paragraphs(culprit, message, e.frames())
	own := said("project", or(e.Project.Slug, e.Project.Name), "environment", or(e.Environment), "release", or(e.Release), "platform", or(e.Platform),
		"issue", or(e.ShortID), "events", or(e.Count), "users", or(e.UserCount))
	for _, name := range e.Tags.names() {
		if name != "level" && strings.TrimSpace(e.Tags[name]) != "" {
			own.addBeside("tags", name, e.Tags[name])
		}
	}
	a.Labels = own
	link(&a, "Sentry", or(e.WebURL, e.Permalink))
	return a
}

// mostFrames is how many frames of a stack are shown.
const mostFrames = 5

// frames are the last frames of the exception's stack, the failing one first.
func (e sentryEvent) frames() string {
	trace := e.Stacktrace.Frames
	for _, exception := range e.Exception.Values {
		if len(exception.Stacktrace.Frames) > 0 {
			trace = exception.Stacktrace.Frames
		}
	}
	var lines []string
	for n := len(trace) - 1; n >= max(0, len(trace)-mostFrames); n-- {
		f := trace[n]
		line := or(f.Filename, f.AbsPath, f.Module, "?")
		if number := or(f.Lineno); number != "" {
			line += ":" + number
		}
		if function := or(f.Function); function != "" {
			line += " in " + function
		}
		lines = append(lines, line)
		if code := strings.TrimSpace(string(f.ContextLine)); code != "" {
			lines = append(lines, "    "+code)
		}
	}
	return alert.Preformatted(strings.Join(lines, "\n"))
}

// metric is a metric alert: critical, warning or resolved.
func (b sentryBody) metric() alert.Alert {
	m := b.Data.MetricAlert
	a := alert.Alert{
		Key:   keyOf("sentry/metric", or(m.ID, m.AlertRule.ID)),
		Title: or(m.Title, m.AlertRule.Name, b.Data.DescriptionTitle, "A metric alert in Sentry"), Text: strings.ReplaceAll(string(b.Data.DescriptionText), `\n`, "\n"),
		Labels: said("rule", or(m.AlertRule.Name), "environment", or(m.AlertRule.Environment), "query", or(m.AlertRule.Query), "aggregate", or(m.AlertRule.Aggregate)),
	}
	happened(&a, "date_started", m.DateStarted)
	switch action := or(b.Action); action {
	case "resolved":
		a.Status, a.OnlyIfOpen = alert.Resolved, true
		happened(&a, "date_closed", m.DateClosed)
	case "critical", "warning":
		a.Severity = alert.Severity(action)
	}
	link(&a, "Sentry", string(b.Data.WebURL))
	return a
}

// keyOf is the key of something of a tool; none if it has no id.
func keyOf(tool, id string) string {
	if id == "" {
		return ""
	}
	return tool + "/" + id
}
