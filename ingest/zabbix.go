package ingest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"tocsin/alert"
)

// zabbix is a webhook media type of Zabbix that posts its parameters as JSON. Their names
// are up to its author: event_id, EventID and EVENT.ID are the same.
func zabbix() Format {
	return Format{
		Name: "zabbix", Tool: "Zabbix", Path: webhooks + "zabbix",
		Docs:   "https://www.zabbix.com/documentation/current/en/manual/config/notifications/media/webhook",
		Sample: "zabbix.json",
		Marks:  [][]string{{"event_id", "event_value"}, {"event_id", "trigger_id"}, {"EVENT.ID", "EVENT.NAME"}, {"eventid", "eventname"}, {"EventID", "EventName"}},
		Read:   readZabbix,
	}
}

// zabbixParameters are the parameters by their name in small letters and without
// punctuation.
type zabbixParameters map[string]string

func readZabbix(r Request) (alert.Intake, error) {
	var members map[string]text
	notes, err := readJSON(r, &members)
	if err != nil {
		return alert.Intake{}, err
	}
	p := zabbixParameters{}
	punctuation := strings.NewReplacer("_", "", ".", "", "-", "", " ", "", "{", "", "}", "")
	for name, value := range members {
		if said := or(value); !unresolved(said) {
			p[punctuation.Replace(strings.ToLower(name))] = said
		}
	}
	title := p.first("eventname", "triggername", "alertsubject", "subject")
	if title == "" {
		return alert.Intake{}, errNothing
	}
	a := alert.Alert{
		Source: "zabbix", Title: title, Key: keyOf("zabbix", p.first("eventid", "problemid", "triggerid")), Severity: p.severity(),
		Text: paragraphs(p.first("eventopdata", "opdata"), p.first("triggerdescription", "description"), p.first("alertmessage", "message"), p.first("eventupdatemessage", "ackmessage")),
	}
	happened(&a, "event_timestamp", text(p.first("eventtimestamp", "timestamp")))
	switch strings.ToLower(p.first("eventvalue", "triggervalue", "status", "eventstatus", "triggerstatus")) {
	case "0", "ok", "resolved":
		a.Status, a.OnlyIfOpen = alert.Resolved, true
	}
	own := said("host", p.first("hostname", "host", "hosthost"), "ip", p.first("hostip", "hostconn"), "item", p.first("itemname"), "value", p.first("itemvalue", "itemlastvalue"))
	for tag, value := range p.tags() {
		own.add(tag, value)
	}
	a.Labels = own
	link(&a, "Event", p.page())
	link(&a, "Trigger", p.first("triggerurl"))
	return alert.Intake{Alerts: []alert.Alert{a}, Notes: notes}, nil
}

// unresolved reports whether Zabbix had no value for a macro.
func unresolved(value string) bool {
	return value == "*UNKNOWN*" || strings.HasPrefix(value, "{") && strings.HasSuffix(value, "}") && strings.Contains(value, ".") && !strings.ContainsAny(value, "\" :")
}

// first is the first parameter of these names that says something.
func (p zabbixParameters) first(names ...string) string {
	for _, name := range names {
		if p[name] != "" {
			return p[name]
		}
	}
	return ""
}

// severity reads Zabbix' severity. As a number, higher is worse.
func (p zabbixParameters) severity() alert.Severity {
	word := p.first("eventseverity", "triggerseverity", "severity", "eventnseverity", "nseverity")
	numbers := []alert.Severity{alert.Info, alert.Info, alert.Warning, alert.Error, alert.Critical, alert.Critical}
	if len(word) == 1 && word[0] >= '0' && int(word[0]-'0') < len(numbers) {
		return numbers[word[0]-'0']
	}
	return alert.Severity(word)
}

// tags are a JSON list of tags and values, or name:value separated by commas.
func (p zabbixParameters) tags() labels {
	var l labels
	written := p.first("eventtagsjson", "eventtags", "tags")
	if json.Unmarshal([]byte(written), &l) == nil && strings.HasPrefix(written, "[") {
		return l
	}
	l = labels{}
	for tag := range strings.SplitSeq(written, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(tag), ":")
		l.add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return l
}

// page is the event's page in Zabbix.
func (p zabbixParameters) page() string {
	base, event, trigger := p.first("zabbixurl", "url"), p.first("eventid"), p.first("triggerid")
	if base == "" || event == "" || trigger == "" {
		return ""
	}
	return fmt.Sprintf("%s/tr_events.php?triggerid=%s&eventid=%s", strings.TrimSuffix(base, "/"), url.QueryEscape(trigger), url.QueryEscape(event))
}
