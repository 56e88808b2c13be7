package ingest

import (
	"strings"

	"tocsin/alert"
)

// uptimeKuma is Uptime Kuma's webhook, as JSON or as a form.
func uptimeKuma() Format {
	return Format{
		Name: "uptime-kuma", Tool: "Uptime Kuma", Path: webhooks + "uptime-kuma",
		Docs:   "https://github.com/louislam/uptime-kuma/wiki/Notification-Methods",
		Sample: "uptime-kuma.json",
		Marks:  [][]string{{"heartbeat", "monitor", "msg"}},
		Read:   readUptimeKuma,
	}
}

type uptimeKumaBody struct {
	Heartbeat struct {
		MonitorID                               text
		Status, Time, Msg, Ping                 text
		Timezone, TimezoneOffset, LocalDateTime text
	}
	Monitor struct {
		ID, Name, PathName, Description, URL, Hostname, Port, Type text
		Tags                                                       labels
	}
	Msg text
}

func readUptimeKuma(r Request) (alert.Intake, error) {
	var b uptimeKumaBody
	notes, err := readJSON(r, &b)
	if err != nil {
		return alert.Intake{}, err
	}
	beat, monitor := b.Heartbeat, b.Monitor
	name := or(monitor.PathName, monitor.Name)
	if name == "" && or(b.Msg, beat.Msg) == "" {
		return alert.Intake{}, errNothing
	}
	a := alert.Alert{
		Source: "uptime-kuma", Key: keyOf("uptime-kuma", or(monitor.ID, beat.MonitorID, text(name))),
		Title: or(text(name), b.Msg, beat.Msg), Text: paragraphs(or(beat.Msg, b.Msg), string(monitor.Description)),
	}
	happened(&a, "heartbeat.time", beat.Time)
	a.Status, a.Severity = b.state(&a)
	a.OnlyIfOpen = a.Status == alert.Resolved
	if a.Text == a.Title {
		a.Text = ""
	}
	own := said("type", or(monitor.Type), "host", strings.TrimSuffix(or(monitor.Hostname)+":"+or(monitor.Port), ":"), "ping", or(beat.Ping),
		"local time", strings.Join(strings.Fields(or(beat.LocalDateTime)+" "+or(beat.TimezoneOffset)+" "+or(beat.Timezone)), " "))
	for tag, value := range monitor.Tags {
		own.add(tag, value)
	}
	a.Labels = own
	link(&a, "Open", string(monitor.URL))
	return alert.Intake{Alerts: []alert.Alert{a}, Notes: notes}, nil
}

// state says what the status of a heartbeat means, and puts it into the title.
func (b uptimeKumaBody) state(a *alert.Alert) (alert.Status, alert.Severity) {
	switch or(b.Heartbeat.Status) {
	case "0":
		a.Title += " is down"
		return alert.Firing, alert.Error
	case "1":
		a.Title += " is up"
		return alert.Resolved, alert.Error
	case "2":
		a.Title += " is pending"
		return alert.Firing, alert.Warning
	case "3":
		a.Title += " is under maintenance"
		return alert.Firing, alert.Info
	case "": // a test, or a certificate that expires
		if strings.Contains(string(b.Msg), "Testing") {
			return alert.Firing, alert.Info
		}
	}
	return alert.Firing, alert.Warning
}
