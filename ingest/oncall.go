package ingest

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"

	"tocsin/alert"
)

// oncall is an outgoing webhook of Grafana OnCall or IRM.
func oncall() Format {
	return Format{
		Name: "oncall", Tool: "Grafana OnCall", Path: webhooks + "oncall",
		Docs:   "https://grafana.com/docs/oncall/latest/configure/outgoing-webhooks/",
		Sample: "oncall.json",
		Marks:  [][]string{{"alert_group", "alert_group_id"}, {"alert_group", "alert_payload"}, {"alert_group", "integration", "event"}},
		Read:   readOnCall,
	}
}

type oncallBody struct {
	Event struct{ Type, Time text }
	User  struct{ Username, Email text }
	Group struct {
		ID, State, Title text
		AlertsCount      text `json:"alerts_count"`
		CreatedAt        text `json:"created_at"`
		ResolvedAt       text `json:"resolved_at"`
		Permalinks       struct{ Web, Slack text }
		Labels           labels
	} `json:"alert_group"`
	GroupID     text            `json:"alert_group_id"`
	Payload     json.RawMessage `json:"alert_payload"`
	Integration struct{ Name, Team text }
	Notified    []struct{ Username text } `json:"notified_users"`
}

// oncallPayload is what the integration was sent, in the members that OnCall knows itself.
type oncallPayload struct {
	Title, Message                 text
	Link                           text `json:"link_to_upstream_details"`
	ImageURL                       text `json:"image_url"`
	Labels, CommonLabels           labels
	Annotations, CommonAnnotations labels
}

func readOnCall(r Request) (alert.Intake, error) {
	var b oncallBody
	notes, err := readJSON(r, &b)
	if err != nil {
		return alert.Intake{}, err
	}
	var payload oncallPayload
	_, _ = readJSON(Request{Body: b.Payload}, &payload) // it may be anything
	group := b.Group
	id := or(group.ID, b.GroupID)
	if id == "" && or(group.Title, payload.Title, payload.Message) == "" {
		return alert.Intake{}, errNothing
	}
	in, key, event := alert.Intake{Notes: notes}, keyOf("oncall", id), b.event()
	status, ok := b.status(event)
	switch {
	case event == acknowledged && id != "":
		in.Acked, in.By = []string{key}, b.by()
		return in, nil
	case !ok:
		in.Notes = append(in.Notes, ignored("event", cmp.Or(event, or(group.State))))
		return in, nil
	case event == unacknowledged && id != "":
		in.Unacked, in.By = []string{key}, b.by()
	}
	a := alert.Alert{
		Status: status, OnlyIfOpen: status == alert.Resolved,
		Source: "oncall", Key: key, Title: or(group.Title, payload.Title, "An alert group of OnCall"),
		Text:     paragraphs(or(payload.Message), cmp.Or(payload.CommonAnnotations.take("description", "summary"), payload.Annotations.take("description", "summary"))),
		Severity: alert.Severity(cmp.Or(group.Labels.take("severity"), payload.CommonLabels.take("severity"), payload.Labels.take("severity"))),
	}
	a.Labels = b.labels(payload)
	if status == alert.Resolved {
		happened(&a, "resolved_at", text(or(group.ResolvedAt, b.Event.Time)))
	} else {
		happened(&a, "created_at", group.CreatedAt)
	}
	if event == unacknowledged { // it may also have been resolved since it began
		a.Refreshes, a.At, a.BeganAt = true, time.Time{}, a.At
	}
	link(&a, "OnCall", string(group.Permalinks.Web))
	link(&a, "Details", string(payload.Link))
	image(&a, string(payload.ImageURL), a.Title)
	in.Alerts = []alert.Alert{a}
	return in, nil
}

// The events of an alert group that a person takes, or does not take any more.
const acknowledged, unacknowledged = "acknowledge", "unacknowledge"

// event is what has happened. A change of the status is what it has become: one that fires
// again is not acknowledged.
func (b oncallBody) event() string {
	event := strings.ToLower(or(b.Event.Type))
	if event != "status change" {
		return event
	}
	switch strings.ToLower(or(b.Group.State)) {
	case "acknowledged":
		return acknowledged
	case "firing":
		return unacknowledged
	}
	return event
}

// by is who did it.
func (b oncallBody) by() alert.Person {
	return alert.Person{Name: or(b.User.Username, b.User.Email, "OnCall")}
}

// status is what an event makes of the alert group. ok is false for one that neither
// fires nor resolves, such as a silence or a note.
func (b oncallBody) status(event string) (s alert.Status, ok bool) {
	state := strings.ToLower(or(b.Group.State))
	switch {
	case event == "resolve", state == "resolved":
		return alert.Resolved, true
	case state != "" && state != "firing":
		return "", false
	case event == "", event == "escalation", event == "unresolve", event == unacknowledged, strings.HasSuffix(event, "created"):
		return alert.Firing, true
	}
	return "", false
}

// labels are those of the group, whom OnCall has notified, and the labels that the integration
// was sent. How far it is with it would stay on the card when it is over.
func (b oncallBody) labels(payload oncallPayload) labels {
	var notified []string
	for _, user := range b.Notified {
		if name := or(user.Username); name != "" {
			notified = append(notified, name)
		}
	}
	own := said("integration", or(b.Integration.Name), "notified", strings.Join(notified, ", "), "alerts", or(b.Group.AlertsCount))
	for name, value := range b.Group.Labels {
		own.add(name, value)
	}
	for _, sent := range []labels{payload.CommonLabels, payload.Labels} {
		for _, name := range sent.names() {
			own.addBeside("payload", name, sent[name])
		}
	}
	return own
}
