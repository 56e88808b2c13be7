package ingest

import (
	"tocsin/alert"
)

// healthchecks is a webhook of Healthchecks with the body that docs/webhooks.md gives, or
// with its placeholder $JSON.
func healthchecks() Format {
	return Format{
		Name: "healthchecks", Tool: "Healthchecks", Path: webhooks + "healthchecks",
		Docs:   "https://healthchecks.io/docs/configuring_notifications/",
		Sample: "healthchecks.json",
		Marks:  [][]string{{"name", "slug", "status", "tags"}, {"name", "status", "code", "now"}, {"slug", "grace", "n_pings"}},
		Read:   readHealthchecks,
	}
}

type healthchecksBody struct {
	Name, Slug, Status, Code, UUID, Now, Tags, Body, Desc, ExitStatus text
	UniqueKey                                                         text `json:"unique_key"`
	LastPing                                                          text `json:"last_ping"`
}

func readHealthchecks(r Request) (alert.Intake, error) {
	var b healthchecksBody
	notes, err := readJSON(r, &b)
	if err != nil {
		return alert.Intake{}, err
	}
	name, id := or(b.Name, b.Slug), or(b.Code, b.UUID, b.UniqueKey, b.Slug, b.Name)
	if id == "" {
		return alert.Intake{}, errNothing
	}
	status := or(b.Status, "down")
	a := alert.Alert{
		Source: "healthchecks", Key: "healthchecks/" + id, Status: alert.Status(status),
		Title: or(text(name), "A check") + " is " + status, Text: paragraphs(string(b.Desc), alert.Preformatted(string(b.Body))),
		Labels: said("tags", or(b.Tags), "exit status", or(b.ExitStatus), "last ping", or(b.LastPing)),
	}
	happened(&a, "now", b.Now)
	switch status {
	case "up":
		a.Status, a.OnlyIfOpen = alert.Resolved, true
	case "grace", "started":
		a.Status, a.Severity = alert.Firing, alert.Warning
	case "new", "paused":
		a.Status, a.Severity = alert.Firing, alert.Info
	}
	return alert.Intake{Alerts: []alert.Alert{a}, Notes: notes}, nil
}
