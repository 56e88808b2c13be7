package ingest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

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
	in, a := alert.Intake{Notes: notes}, p.alert(title)
	if a.Status != alert.Resolved && a.Key != "" {
		p.acknowledge(&in, a.Key)
	}
	if len(in.Unacked) > 0 {
		a.Refreshes, a.At, a.BeganAt = true, time.Time{}, a.At // it may also have been resolved since it began
	}
	if len(in.Acked) == 0 || strings.Contains(p.action(), "severity") {
		in.Alerts = []alert.Alert{a}
	}
	return in, nil
}

func (p zabbixParameters) alert(title string) alert.Alert {
	a := alert.Alert{
		Source: "zabbix", Title: title, Key: keyOf("zabbix", p.first("eventid", "problemid", "triggerid")), Severity: p.severity(),
		Text: paragraphs(p.first("eventopdata", "opdata"), p.first("triggerdescription", "description"), p.first("alertmessage", "message"), p.message()),
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
	return a
}

// acknowledge takes over what an update of the event says about who takes care of it. Zabbix
// lists all that a person has done at once, as in "acknowledged and commented".
func (p zabbixParameters) acknowledge(in *alert.Intake, key string) {
	action, updated := p.action(), p.first("eventupdatestatus", "eventupdate", "updatestatus") == "1"
	switch {
	case strings.Contains(action, "unacknowledged"):
		in.Unacked = []string{key}
	case strings.Contains(action, "acknowledged"), action == "" && updated && strings.EqualFold(p.first("eventackstatus", "eventack", "ackstatus"), "yes"):
		in.Acked = []string{key}
	default:
		return
	}
	in.By, in.Note = alert.Person{Name: cmp.Or(p.first("eventupdateuser", "userfullname", "updateuser"), "Zabbix")}, p.message()
}

// action is what people have done with the event, empty for a problem and its recovery.
func (p zabbixParameters) action() string {
	return strings.ToLower(p.first("eventupdateaction", "updateaction"))
}

func (p zabbixParameters) message() string { return p.first("eventupdatemessage", "ackmessage") }

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
