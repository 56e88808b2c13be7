package render

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// evil has what attackers put into alerts, in every text of an incident.
func evil() alert.Incident {
	const text = "<!channel> <!here|x> <@U0VICTIM> <#C0OPS|general> <!subteam^S0ALL> *b* _i_ ~s~ `c` ```x``` <http://evil.example|bank.com> \u202Egpj.exe\u2069 &lt;!everyone&gt; @channel > q\n> q"
	i := alert.Incident{
		ID: text, Key: text, Route: text, State: alert.Acked, Severity: "critical", Source: text, Title: text, Text: strings.Repeat(text+"\n", 100), Mention: text,
		Labels: map[string]string{text: text, "long": strings.Repeat(text, 20)[:3000]},
		Links:  []alert.Link{{Label: text, URL: "https://x.example/?q=" + text}, {Label: text, URL: text}},
		Images: []alert.Image{{Alt: text, URL: "https://x.example/?q=" + text}, {Alt: text, URL: text}},
		Count:  3, FirstAt: at("14:05:10"), LastAt: at("14:06:00"), Silence: text, SilencedUntil: at("18:00:00"),
		AckedBy: alert.Person{Name: text}, Assignee: alert.Person{ID: text}, ResolvedBy: alert.Person{Name: text}, Lanes: []string{text},
		Mentions: map[string][]string{"#ops": {text, "<!channel>", "channel>"}},
	}
	for n := range 198 {
		i.Labels[fmt.Sprint(n, text)] = text
	}
	return i
}

// evilViews are all views, filled with untrusted text only.
func evilViews() map[string]any {
	i := evil()
	silence := alert.Silence{ID: i.ID, Matchers: alert.Matchers{{Name: i.Key, Op: "=", Value: i.Text[:500]}}, By: i.AckedBy, Why: i.Text}
	note := alert.Note{Topic: alert.TopicNote, Text: i.Text, By: i.AckedBy, To: i.AckedBy, Mention: i.Mentions["#ops"]}
	event := alert.Event{Verb: alert.Verb(i.Key), By: i.AckedBy, To: i.Assignee, Text: i.Text, Silence: i.Key}
	problem := alert.Problem{What: i.Key, Fix: i.Key, Lane: i.Key}
	health := alert.Health{Held: i.Key, LastError: i.Key, Problems: []alert.Problem{problem}}
	stats := alert.Stats{Noisiest: []alert.KeyCount{{Key: i.Key, Title: i.Title}}}
	one := []alert.Incident{i}
	route := alert.Route{Name: i.Key, Matchers: silence.Matchers, To: i.Lanes, Mention: note.Mention, Escalate: []alert.Step{{To: i.Lanes, Mention: note.Mention}}}
	return map[string]any{
		"card": Card(i, "#ops", i.Key), "plain": PlainCard(i, "#ops", i.Key), "note": Note(i, note), "show": Show(i, []alert.Event{event}, i.Key),
		"details": Details(i, []alert.Event{event}), "assign": AssignModal(i, ""), "write note": NoteModal(i, ""),
		"list": List(ListView{Title: i.Title, Incidents: one, Total: 1}), "silences": Silences([]alert.Silence{silence}, false),
		"silenced": Silenced(silence, 1), "begins": Card(silence.RemindingIncident(time.Unix(1, 0)), "#ops", i.Key), "unsilenced": Unsilenced(silence), "acted": Acted([]alert.Acted{{Incident: i, Effect: alert.ActAlready}}, alert.VerbAck),
		"denied": Denied(i.Key, note.Mention), "id": CopyModal(i.ID), "queue": Queue([]alert.Delivery{{ID: alert.NewID(), Lane: i.Key, Incident: i.ID, State: alert.Pending, Reason: i.Key}}, false), "unknown": Unknown(i.Key, i.Key, "help"), "refused": Refused(i.Key, i.Key),
		"stats": Stats(stats, Chart{}), "subscribed": Subscribed(alert.Subscription{Matchers: silence.Matchers}),
		"on call": OnCall(OnCallView{Routing: alert.Routing{Default: i.Key, Routes: []alert.Route{route}}, Taken: one, Names: map[string]string{i.Key: i.Key}, Now: time.Time{}}),
		"status":  Status(StatusView{Counts: map[alert.Severity]int{i.Severity: 1}, Health: health, Version: i.Key}),
		"home":    Home(HomeView{Mine: one, Open: one, Counts: map[alert.Severity]int{i.Severity: 1}, Silences: []alert.Silence{silence}, Heartbeats: []alert.Heartbeat{{Name: i.Key, MissingAt: time.Unix(1, 0)}}, Health: health, Version: i.Key}),
		"beats":   Heartbeats([]alert.Heartbeat{{Name: i.Key}}, time.Time{}),
	}
}

// control matches what Slack does not read as plain text: mentions, links, dates.
var control = regexp.MustCompile(`<([^<> ][^<>]*)>`)

// readForMarkup is all that Slack reads for <…> in a view: its strings, except in rich text.
func readForMarkup(part any) string {
	var b strings.Builder
	switch part := part.(type) {
	case string:
		return part + "\n"
	case []any:
		for _, one := range part {
			b.WriteString(readForMarkup(one))
		}
	case map[string]any:
		if part["type"] == "rich_text" {
			return ""
		}
		for _, one := range part {
			b.WriteString(readForMarkup(one))
		}
	}
	return b.String()
}

func TestHostileTextsPingNobodyAndForgeNothing(t *testing.T) {
	own := []string{"!date^", "https://x.example/", "#C"}
	for name, view := range evilViews() {
		body, err := json.Marshal(view)
		if err != nil {
			t.Fatal(err)
		}
		var decoded any
		if err := json.Unmarshal(body, &decoded); err != nil {
			t.Fatal(err)
		}
		drawn := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(body))
		for _, found := range control.FindAllStringSubmatch(readForMarkup(decoded), -1) {
			if !slices.ContainsFunc(own, func(prefix string) bool { return strings.HasPrefix(found[1], prefix) }) {
				t.Errorf("%s: %s", name, found[0])
			}
		}
		for _, hidden := range []string{"\u202E", "\u2069"} {
			if strings.Contains(drawn, hidden) {
				t.Errorf("%s holds %q", name, hidden)
			}
		}
		if m, ok := view.(Message); ok {
			wantValid(t, name, checkMessage(m))
		} else {
			wantValid(t, name, checkView(view))
		}
	}
}

func TestLabelsThatHideOrReorderTextShowIt(t *testing.T) {
	i := alert.Incident{
		ID: "k7f2", State: alert.Open, Severity: alert.Error, Title: "disk full", Count: 1, FirstAt: at("14:05:10"), LastAt: at("14:06:00"),
		Labels: map[string]string{"host": "db\u202Egpj\u2066x\u2069\u061C", "team": "web\x1b[31m"},
	}
	for name, view := range map[string]any{"card": Card(i, "#ops", "U0BOT"), "plain": PlainCard(i, "#ops", "U0BOT"), "details": Details(i, nil)} {
		body, err := json.Marshal(view)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`db\\u202egpj\\u2066x\\u2069\\u061c`, `web\\x1b[31m`} {
			if !strings.Contains(string(body), want) {
				t.Errorf("%s lacks %s: %s", name, want, body)
			}
		}
	}
}
