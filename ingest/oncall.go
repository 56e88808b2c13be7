package ingest

import (
	"cmp"
	"encoding/json"
	"strings"

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
	Title, Message                  text
	Link                            text `json:"link_to_upstream_details"`
	ImageURL                        text `json:"image_url"`
	CommonLabels, CommonAnnotations labels
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
	in := alert.Intake{Notes: notes}
	status, ok := b.status()
	switch event := or(b.Event.Type); {
	case event == "acknowledge" && id != "":
		in.Acked, in.By = []string{keyOf("oncall", id)}, alert.Person{Name: or(b.User.Username, b.User.Email, "OnCall")}
		return in, nil
	case !ok:
		in.Notes = append(in.Notes, ignored("event", cmp.Or(event, or(group.State))))
		return in, nil
	}
	a := alert.Alert{
		Status: status, OnlyIfOpen: status == alert.Resolved,
		Source: "oncall", Key: keyOf("oncall", id), Title: or(group.Title, payload.Title, "An alert group of OnCall"),
		Text:     paragraphs(or(payload.Message), payload.CommonAnnotations.take("description", "summary")),
		Severity: alert.Severity(cmp.Or(group.Labels.take("severity"), payload.CommonLabels.take("severity"))), Labels: b.labels(),
	}
	if status == alert.Resolved {
		happened(&a, "resolved_at", text(or(group.ResolvedAt, b.Event.Time)))
	} else {
		happened(&a, "created_at", group.CreatedAt)
	}
	link(&a, "OnCall", string(group.Permalinks.Web))
	link(&a, "Details", string(payload.Link))
	image(&a, string(payload.ImageURL), a.Title)
	in.Alerts = []alert.Alert{a}
	return in, nil
}

// status is what the event makes of the alert group. ok is false for one that neither
// fires nor resolves, such as a silence or a note.
func (b oncallBody) status() (s alert.Status, ok bool) {
	event, state := strings.ToLower(or(b.Event.Type)), strings.ToLower(or(b.Group.State))
	switch {
	case event == "resolve", state == "resolved":
		return alert.Resolved, true
	case state != "" && state != "firing", event != "" && event != "escalation" && event != "unresolve" && !strings.HasSuffix(event, "created"):
		return "", false
	}
	return alert.Firing, true
}

// labels are those of the group, and whom OnCall has notified. How far it is with it would stay
// on the card when it is over.
func (b oncallBody) labels() labels {
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
	return own
}
