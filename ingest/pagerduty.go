package ingest

import (
	"encoding/json"
	"net/http"
	"strings"

	"tocsin/alert"
)

// pagerduty is PagerDuty's Events API v2, under its own path and with its own answers.
func pagerduty() Format {
	return Format{
		Name: "pagerduty", Tool: "PagerDuty's Events API", Path: "/v2/enqueue",
		Docs:   "https://developer.pagerduty.com/docs/events-api-v2-overview",
		Sample: "pagerduty-trigger.json",
		Marks:  [][]string{{"event_action", "routing_key"}, {"event_action", "dedup_key"}, {"event_action", "payload"}},
		Read:   readPagerDuty,
		Answer: answerPagerDuty,
	}
}

type pagerdutyBody struct {
	Action   text `json:"event_action"`
	DedupKey text `json:"dedup_key"`
	Payload  struct {
		Summary, Source, Severity, Timestamp, Component, Group, Class text
		Details                                                       pagerdutyDetails `json:"custom_details"`
	}
	Images    []struct{ Src, Href, Alt text }
	Links     addresses
	Client    text
	ClientURL text `json:"client_url"`
}

// pagerdutyDetails are labels, or a text alone.
type pagerdutyDetails struct {
	labels labels
	text   string
}

// UnmarshalJSON accepts every value.
func (d *pagerdutyDetails) UnmarshalJSON(value []byte) error {
	if value[0] == '{' || value[0] == '[' {
		return json.Unmarshal(value, &d.labels)
	}
	d.text = alert.JSONText(value)
	return nil
}

// pagerdutyError is a mistake in PagerDuty's words.
type pagerdutyError string

func (e pagerdutyError) Error() string { return string(e) }

func readPagerDuty(r Request) (alert.Intake, error) {
	var b pagerdutyBody
	notes, err := readJSON(r, &b)
	if err != nil {
		return alert.Intake{}, err
	}
	key := or(b.DedupKey)
	switch action := strings.ToLower(or(b.Action)); {
	case action == "":
		return alert.Intake{}, pagerdutyError("'event_action' is missing or blank")
	case action != "trigger" && action != "acknowledge" && action != "resolve":
		return alert.Intake{}, pagerdutyError("'event_action' is invalid (must be one of the following: trigger, acknowledge, resolve)")
	case key == "" && action != "trigger":
		return alert.Intake{}, pagerdutyError("'dedup_key' is missing or blank")
	case action == "trigger" && b.summary() == "":
		return alert.Intake{}, pagerdutyError("'payload.summary' is missing or blank")
	case action == "acknowledge":
		return alert.Intake{Acked: []string{key}, By: alert.Person{Name: or(b.Client, "PagerDuty event")}, Notes: notes}, nil
	case action == "resolve":
		a := b.alert()
		a.Status, a.OnlyIfOpen = alert.Resolved, true
		return alert.Intake{Alerts: []alert.Alert{a}, Notes: notes}, nil
	}
	return alert.Intake{Alerts: []alert.Alert{b.alert()}, Notes: notes}, nil
}

func (b pagerdutyBody) summary() string { return or(b.Payload.Summary, b.Payload.Source) }

func (b pagerdutyBody) alert() alert.Alert {
	p := b.Payload
	a := alert.Alert{
		Source: "pagerduty", Key: or(b.DedupKey), Title: b.summary(), Text: p.Details.text, Severity: alert.Severity(or(p.Severity)),
	}
	happened(&a, "timestamp", p.Timestamp)
	own := said("source", or(p.Source), "component", or(p.Component), "group", or(p.Group), "class", or(p.Class))
	for _, l := range b.Links {
		link(&a, l.Label, l.URL)
	}
	for _, i := range b.Images {
		link(&a, or(i.Alt, "Image"), string(i.Href))
		image(&a, string(i.Src), or(i.Alt))
	}
	before := len(a.Links)
	if link(&a, or(b.Client, "Client"), string(b.ClientURL)); len(a.Links) == before {
		own.addSaid("client", or(b.Client))
	}
	for _, name := range p.Details.labels.names() {
		value := strings.TrimSpace(p.Details.labels[name])
		if strings.Contains(value, "\n") { // nobody could match it, and a card would show it twice
			a.Text = paragraphs(a.Text, name+":\n"+value)
			continue
		}
		own.addBeside("custom_details", name, value)
	}
	a.Labels = own
	return a
}

// answerPagerDuty answers as PagerDuty does.
func answerPagerDuty(status int, keys []string, problem string) (code int, contentType, body string) {
	said := map[string]any{"status": "success", "message": "Event processed"}
	switch status {
	case http.StatusAccepted:
		if len(keys) > 0 {
			said["dedup_key"] = keys[0]
		}
	case http.StatusBadRequest:
		said = map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": []string{problem}}
	case http.StatusTooManyRequests:
		said = map[string]any{"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly. Please retry later.", "errors": []string{problem}}
	default:
		said = map[string]any{"status": strings.ToLower(http.StatusText(status)), "message": http.StatusText(status), "errors": []string{problem}}
	}
	written, err := json.Marshal(said)
	if err != nil { // texts are always written
		return http.StatusInternalServerError, "application/json", "{}"
	}
	return status, "application/json", string(written) + "\n"
}
