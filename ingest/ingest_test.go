package ingest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// samples are the files of testdata by the format that reads them: the one whose name
// they begin with.
func samples(t testing.TB) map[string]Format {
	t.Helper()
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Format{}
	for _, file := range files {
		for _, f := range Formats() {
			if rest, ok := strings.CutPrefix(filepath.Base(file), f.Name); ok && (rest[0] == '-' || rest[0] == '.') {
				found[file] = f
			}
		}
	}
	return found
}

func content(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// request is a file's content as its tool sends it.
func request(body []byte) Request { return Request{Body: body, Header: http.Header{}} }

// result is what a golden file shows of an intake.
type result struct {
	Alerts []prepared `json:"alerts,omitempty"`
	Acked  []string   `json:"acked,omitempty"`
	By     string     `json:"by,omitempty"`
	Notes  []string   `json:"notes,omitempty"`
}

type prepared struct {
	alert.Alert
	AcceptedAt string   `json:"accepted_at,omitempty"`
	ID         string   `json:"id,omitempty"`
	Notes      []string `json:"notes,omitempty"`
}

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// resultOf reads a request and completes its alerts as the engine does.
func resultOf(t testing.TB, f Format, r Request) (result, error) {
	t.Helper()
	in, err := f.Read(r)
	if err != nil {
		return result{}, err
	}
	got := result{Acked: in.Acked, By: in.By.Name, Notes: in.Notes}
	for _, a := range in.Alerts {
		if err := a.Prepare(noon); err != nil {
			t.Fatalf("%s gave an alert that is refused: %v", f.Name, err)
		}
		got.Alerts = append(got.Alerts, prepared{Alert: a, Notes: a.Notes})
	}
	return got, nil
}

func TestEachToolsBodiesBecomeTheAlertsOfTheGoldenFiles(t *testing.T) {
	for file, f := range samples(t) {
		got, err := resultOf(t, f, request(content(t, file)))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var shown bytes.Buffer
		enc := json.NewEncoder(&shown)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		if err := enc.Encode(got); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "golden", filepath.Base(file))
		if *update {
			if err := os.WriteFile(golden, shown.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want := content(t, golden); !bytes.Equal(shown.Bytes(), want) {
			t.Errorf("%s became\n%s, want\n%s", file, shown.Bytes(), want)
		}
	}
}

func TestEveryFormatHasDocumentationAndASampleThatIsRecognized(t *testing.T) {
	for _, f := range Formats() {
		if f.Docs == "" || f.Tool == "" || f.Path == "" {
			t.Errorf("%s is incomplete: %+v", f.Name, f)
		}
		body := content(t, filepath.Join("testdata", f.Sample))
		if got := Recognize(request(body)); got != f.Name {
			t.Errorf("%s is recognized as %q, want %q", f.Sample, got, f.Name)
		}
	}
}

func TestAFingerprintIsAlertmanagers(t *testing.T) {
	for _, file := range []string{"alertmanager-0.34.0-firing.json", "alertmanager-0.34.0-grouped.json"} {
		var sent group
		if err := json.Unmarshal(content(t, filepath.Join("testdata", file)), &sent); err != nil {
			t.Fatal(err)
		}
		for _, m := range sent.Alerts {
			if got := alert.LabelFingerprint(m.Labels); got != string(m.Fingerprint) {
				t.Errorf("%v have the fingerprint %s, want %s", m.Labels, got, m.Fingerprint)
			}
		}
	}
}

func TestOneBadAlertCostsTheOthersNothing(t *testing.T) {
	for _, c := range []struct {
		body, refused string
		taken         int
	}{
		{`[{"labels":{"alertname":"a"}},{"labels":{}},{"labels":{"x":""}},{"annotations":{"summary":"s"}}]`,
			"alert 2: at least one label pair required; alert 3: at least one label pair required; alert 4: at least one label pair required", 1},
		{`[{"labels":{"x":"y"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]`, "alert 1: start time must be before end time", 0},
		{`[{"labels":{"x":"y"},"startsAt":"soon"}]`, `alert 1: startsAt "soon" is not a time`, 0},
		{`[{"labels":{"x":"y"},"startsAt":"0001-01-01T00:00:00Z","endsAt":"0001-01-01T00:00:00.000Z"}]`, "", 1},
		{`[]`, "", 0},
	} {
		in, err := prometheus().Read(request([]byte(c.body)))
		if err != nil || strings.Join(in.Refused, "; ") != c.refused || len(in.Alerts) != c.taken {
			t.Errorf("%s: %v, %+v", c.body, err, in)
		}
	}
}

func TestABodyThatIsNotTheToolsIsNotUnderstood(t *testing.T) {
	for _, body := range []string{"", "disk full", "7", `"x"`, "null", "[]", "[1]", "{}", `{"a":1}`, "{", `{"alerts":[]}`, `{"alerts":7}`, "\xff", "payload=", "data=%zz"} {
		for _, f := range Formats() {
			if in, err := f.Read(request([]byte(body))); err == nil && len(in.Alerts) > 0 {
				t.Errorf("%s read %q as %+v", f.Name, body, in)
			}
		}
	}
}

func TestWhatASlackMessageSaysIsKept(t *testing.T) {
	for _, c := range []struct{ body, status, severity, title, text string }{
		{`{"attachments":[{"title":"[RESOLVED] A","color":"good"},{"title":"[FIRING:1] B","color":"danger"}]}`, "firing", "error", "B", "[RESOLVED] A"},
		{`{"attachments":[{"title":"[OK] A","color":"good"},{"title":"B","color":"danger"}]}`, "firing", "error", "B", "[OK] A"},
		{`{"attachments":[{"title":"[RESOLVED] A","color":"danger"},{"title":"[RESOLVED] B","color":"good"}]}`, "resolved", "error", "A", "[RESOLVED] B"},
		{`{"attachments":[{"title":"A","color":"good"},{"title":"B","color":"warning"},{"title":"C","color":"#d00000"}]}`, "firing", "error", "A", "B\n\nC"},
		{`{"text":"x","attachments":"[{\"title\":\"A\",\"text\":\"encoded twice\",\"color\":\"danger\"}]"}`, "firing", "error", "A", "x\n\nencoded twice"},
		{`{"blocks":[{"type":"header","text":"A"},{"type":"rich_text","elements":[{"type":"rich_text_list","style":"ordered","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"one"}]},{"type":"rich_text_section","elements":[{"type":"text","text":"two"}]}]},{"type":"rich_text_list","style":"bullet","indent":1,"elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"b"}]}]}]}]}`,
			"firing", "error", "A", "1. one\n2. two\n\n  • b"},
		{`{"text":"[PROD] A"}`, "firing", "error", "[PROD] A", ""},
		{`{"attachments":[{"title":"A","author_name":"ann","footer":"host db-3","fields":[{"value":"no title"},{"title":"x","value":"y"}]}]}`, "firing", "error", "A", "ann\n\nno title\n\nhost db-3"},
		{`{"text":"x","blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"A"},{"type":"text","text":"\n"},{"type":"user","user_id":"U1"},{"type":"usergroup","usergroup_id":"S1"},{"type":"channel","channel_id":"C1"},{"type":"broadcast","range":"here"},{"type":"color","value":"#fff"},{"type":"date","timestamp":1720710212,"fallback":"today"}]}]}]}`,
			"firing", "error", "A", "@U1@S1#C1@here#ffftoday"},
		{`{"blocks":[{"type":"header","text":"A"},{"type":"video","title":{"type":"plain_text","text":"a film"},"alt_text":"a room","description":"long","video_url":"https://v.example.com/1"},{"type":"image","title":"a graph","alt_text":"a line","slack_file":{"id":"F1"}}]}`,
			"firing", "error", "A", "a film\n\nlong\n\na room\n\na graph\n\na line"},
		{`{"attachments":[{"fields":[{"title":"host","value":"db-3"},{"title":"disk","value":"full"}]}]}`, "firing", "error", "disk=full, host=db-3", ""},
		{`{"blocks":[{"type":"section","fields":[{"type":"mrkdwn","text":"*host*\ndb-3"}]}]}`, "firing", "error", "host=db-3", ""},
		{`{"blocks":[{"type":"section","fields":[{"type":"mrkdwn","text":"*Status:* failed"},{"type":"mrkdwn","text":"*Host*: db-3"},{"type":"mrkdwn","text":"*R&amp;D:*\n<https://example.com|x>"}]}]}`,
			"firing", "error", "Host=db-3, R&D=x (https://example.com), Status=failed", ""},
		{`{"blocks":[{"type":"section","fields":[{"type":"mrkdwn","text":"*3 hosts* are down"}]}]}`, "firing", "error", "3 hosts are down", ""},
		{`{"blocks":[{"type":"header","text":{"type":"plain_text","text":"A &amp; B"}},{"type":"section","text":{"type":"plain_text","text":"1 &lt; 2"}},{"type":"context","elements":[{"type":"plain_text","text":"by R&amp;D"}]}]}`,
			"firing", "error", "A & B", "1 < 2\n\nby R&D"},
		{`{"blocks":[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Graph &amp; log"},"url":"https://example.com/g"}]}]}`, "firing", "error", "Graph & log", ""},
		{`{"blocks":[{"type":"image","image_url":"https://example.com/a.png","alt_text":"a graph"}]}`, "firing", "error", "a graph", ""},
		{`{"attachments":[{"image_url":"https://example.com/a.png"}]}`, "firing", "error", "A message of Slack", ""},
		{`{"attachments":[{"thumb_url":"https://example.com/a.png"}]}`, "firing", "error", "A message of Slack", ""},
		{`{"blocks":[{"type":"divider"}]}`, "firing", "error", "A message of Slack", ""},
		{`{"blocks":[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Runbook"},"url":"https://example.com/r"}]}]}`, "firing", "error", "Runbook", ""},
		{`{"blocks":[{"type":"actions","elements":[{"type":"overflow","options":[{"text":{"type":"plain_text","text":"Graph"},"url":"https://example.com/g"}]}]}]}`, "firing", "error", "Graph", ""},
		{`{"blocks":[{"type":"table","rows":[[{"type":"raw_text","text":"host"},{"type":"raw_text","text":"disk"}],[{"type":"raw_text","text":"db-3"},{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"95 %"}]}]}]]}]}`,
			"firing", "error", "host | disk", "db-3 | 95 %"},
		{"{\"text\":\"A\\nsince <!date^1720710212^{time}|3 pm> <!here>, run `a *b* <c>` or\\n```\\nx *y* &lt;z&gt;\\n``` *now*\"}", "firing", "error", "A", "since 3 pm @here, run `a *b* <c>` or\n```\nx *y* <z>\n``` now"},
		{`{"text":"A\nsince <!date^1720710212^{time}> or <!date^soon^{time}> *of late* <x>"}`, "firing", "error", "A", "since 2024-07-11 15:03 UTC or date^soon^{time} of late <x>"},
	} {
		got, err := resultOf(t, slack(), request([]byte(c.body)))
		if err != nil || len(got.Alerts) != 1 {
			t.Errorf("%s: %v, %d alerts", c.body, err, len(got.Alerts))
			continue
		}
		a := got.Alerts[0]
		if string(a.Status) != c.status || string(a.Severity) != c.severity || a.Title != c.title || a.Text != c.text {
			t.Errorf("%s became %s, %s, %q, %q", c.body, a.Status, a.Severity, a.Title, a.Text)
		}
	}
}

func TestMessagesOfSlackAreOneIncidentIfTheySayAStateOrTheSameFields(t *testing.T) {
	key := func(title, field string) string {
		got, err := resultOf(t, slack(), request([]byte(`{"username":"ci","attachments":[{"title":"`+title+`","fields":[{"title":"Workspace","value":"`+field+`"}]}]}`)))
		if err != nil || len(got.Alerts) != 1 {
			t.Fatal(err, got)
		}
		return got.Alerts[0].Key
	}
	first, again := key("Run errored", "a"), key("Run errored", "a")
	if key("[FIRING:1] Run", "a") != key("[RESOLVED] Run", "b") || first != again {
		t.Error("the same thing is another incident")
	}
	if first == key("Run errored", "b") {
		t.Error("what has one title only is one incident, of which the card shows the last alone")
	}
}

func TestTheNamesOfLinksAndFieldsOfSlackAreWithoutMarks(t *testing.T) {
	const body = `{"attachments":[{"title":"A","text":"<https://example.com/1|*Job:* build &amp; test> *<https://example.com/2|log>*","author_name":"R&amp;D","author_link":"https://example.com/3","fields":[{"title":"*Job:*","value":"*build*"},{"title":"a*b","value":"c"}]}]}`
	got, err := resultOf(t, slack(), request([]byte(body)))
	if err != nil || len(got.Alerts) != 1 {
		t.Fatal(err, got)
	}
	a := got.Alerts[0]
	if want := []string{"R&D", "Job: build & test", "log"}; !slices.Equal(names(a.Links), want) {
		t.Errorf("the links are %q, want %q", names(a.Links), want)
	}
	if want := map[string]string{"Job": "build", "a*b": "c"}; !maps.Equal(a.Labels, want) {
		t.Errorf("the labels are %v, want %v", a.Labels, want)
	}
}

func names(links []alert.Link) (all []string) {
	for _, l := range links {
		all = append(all, l.Label)
	}
	return all
}

func TestARelativeAddressInAnAnnotationIsTextAndNoLink(t *testing.T) {
	body := `{"receiver":"x","version":"4","groupKey":"{}","alerts":[{"labels":{"alertname":"A"},"annotations":{"summary":"s","runbook_url":"/wiki/a","dashboard":"d/1","docs":"//host/x","empty_url":""},"generatorURL":"/graph","panelURL":"?viewPanel=2","silenceURL":""}]}`
	for _, f := range []Format{alertmanager(), grafana()} {
		got, err := resultOf(t, f, request([]byte(body)))
		if err != nil || len(got.Alerts) != 1 {
			t.Fatalf("%s: %v, %d alerts", f.Name, err, len(got.Alerts))
		}
		if a := got.Alerts[0]; len(a.Links) > 0 || a.Text != "dashboard: d/1\n\ndocs: //host/x\n\nrunbook_url: /wiki/a" {
			t.Errorf("%s has the links %v and the text %q", f.Name, a.Links, a.Text)
		}
	}
}

func TestAColourIsASeverityByItsHue(t *testing.T) {
	for want, colours := range map[alert.Severity][]string{
		alert.Error:   {"danger", "#d00000", "D00000", "#f00", "#c00", "#E53", "#FF0000FF", "#f00c", "crimson", " Red ", "#700000", "#e01e5a", "#a30200", "#D63232"},
		alert.Warning: {"warning", "orange", "#f90", "#daa038", "#ff0", "#F2C744", "#ECB22E", "#ff8c00"},
		alert.Info:    {"good", "#36a64f", "#439FE0", "#888", "#000000", "#fff", "#2eb886", "#ffe5e5", "#800080"},
		"":            {"", "bad", "fade", "#f0", "#12345", "#zzz", "+f0000", "#+ff000", "rgb(255,0,0)", "#d000000000", "ä00"},
	} {
		for _, colour := range colours {
			if got := colourSeverity(colour); got != want {
				t.Errorf("%q is %q, want %q", colour, got, want)
			}
		}
	}
}

func TestWhoAMessageOfSlackMentionsIsMentioned(t *testing.T) {
	for body, want := range map[string]string{
		`{"text":"disk full <!here>"}`:                                                        "here",
		`{"text":"<!channel> <@U0123ABCD|ann> <!subteam^S0123ABCD> <!channel>"}`:              "channel, U0123ABCD, S0123ABCD",
		`{"attachments":[{"title":"A","fields":[{"title":"owner","value":"<@U0123ABCD>"}]}]}`: "U0123ABCD",
		`{"blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"A"},{"type":"user","user_id":"U0123ABCD"},{"type":"usergroup","usergroup_id":"S0123ABCD"},{"type":"broadcast","range":"here"}]}]}]}`: "U0123ABCD, S0123ABCD, here",
		`{"text":"@here ` + "`<!here>`" + ` <#C0123ABCD> <!date^1720710212^{time}|3 pm> <!nobody> <https://example.com|@here> <mailto:a@b.c>"}`:                                                                                                         "",
	} {
		in, err := readSlack(request([]byte(body)))
		if err != nil || in.Alerts[0].Mention != want {
			t.Errorf("%s mentions %q (%v), want %q", body, in.Alerts[0].Mention, err, want)
		}
		if in, err := readSlackMessage(request([]byte(body))); err != nil || in.Alerts[0].Mention != "" {
			t.Errorf("%s as a message, which says it itself, mentions %q (%v)", body, in.Alerts[0].Mention, err)
		}
	}
}

// An event of a tool is an alert, or an acknowledgement, or nothing that concerns anybody,
// or it is not understood; only the third is answered without an alert.
func TestWhatBecomesOfAnEvent(t *testing.T) {
	group := func(event, state string) string {
		return `{"event":{"type":"` + event + `"},"alert_group_id":"I1","alert_group":{"id":"I1","title":"Latency","state":"` + state + `"}}`
	}
	update := func(action string) string {
		return `{"event_id":"1","event_value":"1","event_name":"x","event_update_status":"1","event_ack_status":"Yes","event_update_action":"` + action + `"}`
	}
	const repository = `,"repository":{"full_name":"acme/shop"},"sender":{"login":"ann"}}`
	formats := map[string]Format{}
	for _, f := range Formats() {
		formats[f.Name] = f
	}
	for _, c := range []struct{ format, event, body, want string }{
		{"oncall", "", group("alert group created", "firing"), "firing"},
		{"oncall", "", group("escalation", "firing"), "firing"},
		{"oncall", "", group("unresolve", "firing"), "firing"},
		{"oncall", "", group("", "firing"), "firing"},
		{"oncall", "", group("resolve", "resolved"), "resolved if open"},
		{"oncall", "", group("resolution note added", "resolved"), "resolved if open"},
		{"oncall", "", group("status change", "resolved"), "resolved if open"},
		{"oncall", "", group("acknowledge", "acknowledged"), "acknowledged"},
		{"oncall", "", group("status change", "acknowledged"), "acknowledged"},
		{"oncall", "", group("Acknowledge", ""), "acknowledged"},
		{"oncall", "", group("unacknowledge", "firing"), "unacknowledged, firing"},
		{"oncall", "", group("status change", "firing"), "unacknowledged, firing"},
		{"oncall", "", group("unsilence", "firing"), "nothing"},
		{"oncall", "", group("status change", "silenced"), "nothing"},
		{"oncall", "", group("escalation", "acknowledged"), "nothing"},
		{"oncall", "", group("silence", "silenced"), "nothing"},
		{"oncall", "", group("resolution note added", "firing"), "nothing"},

		{"github", "push", `{"ref":"refs/heads/main"` + repository, "nothing"},
		{"github", "ping", `{"zen":"Design for failure.","hook_id":1}`, "nothing"},
		{"github", "", `{"zen":"Design for failure.","hook_id":1}`, "nothing"},
		{"github", "workflow_run", `{"action":"requested","workflow_run":{"status":"queued","conclusion":null}` + repository, "nothing"},
		{"github", "deployment", `{"action":"created","deployment":{},"workflow_run":{"status":"in_progress"}` + repository, "nothing"},
		{"github", "deployment_status", `{"deployment_status":{"state":"failure"},"workflow_run":{"status":"in_progress"}` + repository, "firing"},
		{"github", "workflow_run", `{"action":"completed","workflow_run":"failure"` + repository, "error"},
		{"github", "workflow_run", `{"action":"completed","workflow_run":{"status":"completed"}` + repository, "error"},
		{"github", "", `{"action":"completed","workflow_run":[7]` + repository, "error"},
		{"github", "", `{"action":"completed","check_suite":{"id":7}` + repository, "error"},
		{"github", "deployment_status", `{"deployment_status":{"environment":"prod"}` + repository, "error"},

		{"grafana", "", `{"ruleId":7,"ruleName":"CPU","state":"paused"}`, "resolved if open"},

		{"gitlab", "", `{"object_kind":"push","project":{"name":"shop"}}`, "nothing"},
		{"gitlab", "", `{"object_kind":"pipeline","object_attributes":{"status":"running"},"builds":[{"status":"failed"}]}`, "nothing"},
		{"gitlab", "", `{"object_kind":"pipeline","object_attributes":{"status":"success"}}`, "resolved if open"},
		{"gitlab", "", `{"object_kind":"pipeline","builds":[{"name":"test","status":"failed"}]}`, "firing"},
		{"gitlab", "", `{"object_kind":"pipeline","object_attributes":"bad","builds":[{"name":"test","status":"failed"}]}`, "firing"},
		{"gitlab", "", `{"object_kind":"pipeline","object_attributes":"bad"}`, "error"},
		{"gitlab", "", `{"object_kind":"pipeline","builds":[{"status":"failed","allow_failure":true}]}`, "error"},
		{"gitlab", "", `{"object_kind":"build","build_name":"test"}`, "error"},

		{"sentry", "installation", `{"action":"created","data":{"installation":{}}}`, "nothing"},
		{"sentry", "event_alert", `{"action":"triggered","data":{"event":"str"}}`, "error"},
		{"sentry", "metric_alert", `{"action":"critical","data":{"metric_alert":7}}`, "error"},

		{"pagerduty", "", `{"event_action":"resolve","dedup_key":"x"}`, "resolved if open"},
		{"pagerduty", "", `{"event_action":"acknowledge","dedup_key":"x"}`, "acknowledged"},
		{"uptime-kuma", "", `{"heartbeat":{"status":1},"monitor":{"name":"x"},"msg":"up"}`, "resolved if open"},
		{"healthchecks", "", `{"name":"x","slug":"x","status":"up"}`, "resolved if open"},
		{"zabbix", "", `{"event_id":"1","event_value":"0","event_name":"x"}`, "resolved if open"},
		{"zabbix", "", update("acknowledged"), "acknowledged"},
		{"zabbix", "", update("acknowledged and commented"), "acknowledged"},
		{"zabbix", "", update("unacknowledged, commented"), "unacknowledged, firing"},
		{"zabbix", "", update("commented"), "firing"},
		{"zabbix", "", update("acknowledged and changed severity from Average to High"), "acknowledged, firing"},
		{"zabbix", "", `{"EventID":"1","EventName":"x","EventValue":"1","EventUpdate":"1","EventAck":"Yes"}`, "acknowledged"},
		{"zabbix", "", `{"EventID":"1","EventName":"x","EventValue":"1","EventUpdate":"0","EventAck":"No"}`, "firing"},
		{"zabbix", "", `{"EventID":"1","EventName":"x","EventValue":"0","EventUpdate":"1","EventAck":"Yes"}`, "resolved if open"},
		{"zabbix", "", `{"event_id":"1","event_name":"x","event_update_action":"{EVENT.UPDATE.ACTION}"}`, "firing"},
		{"sentry", "issue", `{"action":"resolved","data":{"issue":{"id":"1","title":"x"}}}`, "resolved if open"},
		{"sentry", "issue", `{"action":"archived","data":{"issue":{"id":"1","title":"x"}}}`, "resolved if open"},
		{"sentry", "metric_alert", `{"action":"resolved","data":{"metric_alert":{"id":"1","title":"x"}}}`, "resolved if open"},
	} {
		r := request([]byte(c.body))
		r.Header.Set("X-GitHub-Event", c.event)
		r.Header.Set("Sentry-Hook-Resource", c.event)
		in, err := formats[c.format].Read(r)
		got := "nothing"
		switch {
		case err != nil:
			got = "error"
		case len(in.Acked) > 0 && len(in.Alerts) > 0:
			got = "acknowledged, firing"
		case len(in.Acked) > 0:
			got = "acknowledged"
		case len(in.Unacked) > 0 && len(in.Alerts) > 0 && in.Alerts[0].Refreshes:
			got = "unacknowledged, firing"
		case len(in.Alerts) > 0 && in.Alerts[0].Status == alert.Resolved && in.Alerts[0].OnlyIfOpen:
			got = "resolved if open"
		case len(in.Alerts) > 0:
			got = cmp.Or(string(in.Alerts[0].Status), "firing")
		case !strings.Contains(strings.Join(in.Notes, ""), "is not an alert: nothing was done"):
			t.Errorf("%s %s %s: nothing was done, and the notes are %q", c.format, c.event, c.body, in.Notes)
		}
		if got != c.want {
			t.Errorf("%s %s %s: %s, want %s", c.format, c.event, c.body, got, c.want)
		}
	}
}

func TestWhatIsWrittenInZabbixWithAnAcknowledgementIsItsNote(t *testing.T) {
	in, err := readZabbix(request([]byte(`{"event_id":"1","event_value":"1","event_name":"x","event_update_status":"1","event_update_action":"acknowledged and commented","event_update_message":"a disk is on its way","event_update_user":"Ann Lee (ann)"}`)))
	if err != nil || !slices.Equal(in.Acked, []string{"zabbix/1"}) || in.By.Name != "Ann Lee (ann)" || in.Note != "a disk is on its way" {
		t.Error(err, in)
	}
}

func TestABodyOfCountlessValuesIsNotUnderstood(t *testing.T) {
	zeros := strings.Repeat("0,", mostValues+1) + "0]"
	var names strings.Builder
	for n := range mostNames {
		fmt.Fprintf(&names, `"%d":1,`, n)
	}
	few := strings.Repeat("0,", mostItems+1) + "0]"
	for _, body := range []string{
		`{"alerts":[` + zeros + "}", "[" + zeros, `{"name":"x","slug":"\\","blocks":[` + zeros + "}",
		`{"alerts":[` + few + "}", `{"alerts":[{"labels":{` + names.String() + `"alertname":"x"}}]}`, `{"name":"x","tags":{` + names.String() + `"a":1}}`,
	} {
		for _, f := range Formats() {
			if in, err := f.Read(request([]byte(body))); err == nil {
				t.Errorf("%s read %d alerts", f.Name, len(in.Alerts))
			}
		}
	}
	log := `{"name":"x","slug":"y","status":"down","body":"\"` + strings.Repeat("1,", mostValues+1) + `"}`
	if in, err := healthchecks().Read(request([]byte(log))); err != nil || len(in.Alerts) != 1 {
		t.Errorf("a text with as many commas: %v", err)
	}
}

// Whatever a member is, the rest is read all the same.
func TestAMemberOfAnyOtherTypeCostsOnlyItself(t *testing.T) {
	for file, f := range samples(t) {
		if !strings.HasSuffix(file, ".json") {
			continue
		}
		var whole any
		if err := json.Unmarshal(content(t, file), &whole); err != nil {
			t.Fatal(err)
		}
		for _, place := range places(whole, nil) {
			for _, other := range []any{nil, "", "x", 7, -1.5, true, []any{}, []any{"x", 1, nil}, map[string]any{}, map[string]any{"x": []any{map[string]any{}}}} {
				body, err := json.Marshal(with(whole, place, other))
				if err != nil {
					t.Fatal(err)
				}
				// Without the first levels there may be nothing left that says what happened.
				if _, err := resultOf(t, f, request(body)); err != nil && len(place) > 2 {
					t.Errorf("%s with %v = %v: %v", file, place, other, err)
				}
			}
		}
	}
}

// places are the paths of all values in a JSON value.
func places(v any, at []any) (all [][]any) {
	next := func(key, value any) {
		place := append(append([]any{}, at...), key)
		all = append(append(all, place), places(value, place)...)
	}
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			next(key, value)
		}
	case []any:
		for n, value := range v {
			next(n, value)
		}
	}
	return all
}

// with is a copy of v that has other at a place.
func with(v any, place []any, other any) any {
	if len(place) == 0 {
		return other
	}
	switch v := v.(type) {
	case map[string]any:
		c := map[string]any{}
		for key, value := range v {
			if c[key] = value; key == place[0] {
				c[key] = with(value, place[1:], other)
			}
		}
		return c
	case []any:
		c := append([]any{}, v...)
		c[place[0].(int)] = with(c[place[0].(int)], place[1:], other)
		return c
	}
	return v
}

// FuzzFormats holds that no body makes a format panic, or give an alert that is refused.
func FuzzFormats(f *testing.F) {
	for file := range samples(f) {
		f.Add(content(f, file), "application/json")
	}
	f.Add([]byte("payload=%7B%22text%22%3A%22x%22%7D"), "application/x-www-form-urlencoded")
	f.Add([]byte("--b\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{\"msg\":\"x\"}\r\n--b--\r\n"), "multipart/form-data; boundary=b")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		r := Request{Body: bytes.ToValidUTF8(body, nil), Header: http.Header{"Content-Type": {contentType}}}
		Recognize(r)
		for _, format := range Formats() {
			_, _ = resultOf(t, format, r) // an error is an answer too
		}
	})
}

func BenchmarkFormats(b *testing.B) {
	for _, f := range Formats() {
		r := request(content(b, filepath.Join("testdata", f.Sample)))
		b.Run(f.Name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(r.Body)))
			alerts := 0
			for b.Loop() {
				in, err := f.Read(r)
				if err != nil {
					b.Fatal(err)
				}
				alerts += len(in.Alerts)
			}
			b.ReportMetric(float64(alerts)/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}

func TestWhatAToolSaysAndHasNoPlaceIsNoted(t *testing.T) {
	read := func(name string) func(Request) (alert.Intake, error) {
		for _, f := range Formats() {
			if f.Name == name {
				return f.Read
			}
		}
		return nil
	}
	for _, c := range []struct{ tool, body, note string }{
		{"alertmanager", `{"alerts":[{"labels":{"alertname":"A"},"startsAt":"yesterday"}]}`, `startsAt: "yesterday" is not a time: left out`},
		{"alertmanager", `{"alerts":[{"status":"resolved","labels":{"alertname":"A"},"endsAt":"soon"}]}`, `endsAt: "soon" is not a time: left out`},
		{"alertmanager", `{"alerts":[{"labels":{"alertname":"A"},"generatorURL":"/graph?x"}]}`, `Graph: "/graph?x" is not a web address: left out`},
		{"alertmanager", `{"alerts":[{"labels":{"alertname":"A"},"startsAt":"0001-01-01T00:00:00Z","generatorURL":"","annotations":null}]}`, ""},
		{"grafana", `{"orgId":1,"alerts":[{"labels":{"alertname":"A"},"startsAt":[1],"panelURL":7}]}`, `startsAt: "[1]" is not a time: left out; Panel: "7" is not a web address: left out`},
		{"grafana", `{"ruleName":"A","state":"alerting","imageUrl":"img.png"}`, `image: "img.png" is not a web address: left out`},
		{"uptime-kuma", `{"msg":"x","monitor":{"url":"https://"},"heartbeat":{"time":"then"}}`, `heartbeat.time: "then" is not a time: left out`},
		{"pagerduty", `{"event_action":"trigger","payload":{"summary":"x","timestamp":"then"},"client_url":"my page"}`, `timestamp: "then" is not a time: left out; Client: "my page" is not a web address: left out`},
		{"healthchecks", `{"name":"x","now":"then"}`, `now: "then" is not a time: left out`},
		{"github", `{"workflow_run":{"conclusion":"failure","updated_at":"then"}}`, `updated_at: "then" is not a time: left out`},
		{"gitlab", `{"object_kind":"build","build_status":"failed","build_finished_at":"then"}`, `build_finished_at: "then" is not a time: left out`},
		{"oncall", `{"alert_group_id":"x","alert_group":{"created_at":"then"}}`, `created_at: "then" is not a time: left out`},
		{"zabbix", `{"event_name":"x","event_timestamp":"then"}`, `event_timestamp: "then" is not a time: left out`},
	} {
		in, err := read(c.tool)(request([]byte(c.body)))
		if err != nil || len(in.Alerts) != 1 || !in.Alerts[0].At.IsZero() {
			t.Errorf("%s of %s: %v, %+v", c.body, c.tool, err, in)
			continue
		}
		if notes := strings.Join(append(in.Notes, in.Alerts[0].Notes...), "; "); notes != c.note {
			t.Errorf("%s of %s has the notes %q, want %q", c.body, c.tool, notes, c.note)
		}
	}
}

// A card that is green keeps its labels: they say why an alert fired, not what is the case now.
func TestWhyAnAlertOfGrafanaFiredIsTrueAlsoWhenItIsOver(t *testing.T) {
	for body, want := range map[string]map[string]string{
		`{"ruleId":7,"state":"no_data"}`:  {"reason": "no_data"},
		`{"ruleId":7,"state":"alerting"}`: {},
		`{"orgId":1,"alerts":[{"status":"firing","labels":{"host":"a"},"annotations":{"grafana_state_reason":"NoData, KeepLast"}}]}`: {"host": "a", "reason": "no_data"},
		`{"orgId":1,"alerts":[{"status":"resolved","labels":{"host":"a"},"annotations":{"grafana_state_reason":"MissingSeries"}}]}`:  {"host": "a", "reason": "MissingSeries"},
	} {
		in, err := readGrafana(request([]byte(body)))
		if err != nil || len(in.Alerts) != 1 || !maps.Equal(in.Alerts[0].Labels, want) {
			t.Errorf("%s became %v, %+v, want %v", body, err, in.Alerts, want)
		}
	}
}

func TestLabelsOfAnotherTypeAreKept(t *testing.T) {
	for written, want := range map[string]map[string]string{
		`{"alertname":"A","n":1.50,"t":true,"z":null,"l":[1,2],"o":{"a":"b"}}`:                  {"alertname": "A", "n": "1.50", "t": "true", "z": "", "l": "[1,2]", "o": `{"a":"b"}`},
		`[["a","b"],{"name":"c","value":1},{"d":"e"},"f",2,null,["g"],{"name":"h","value":""}]`: {"a": "b", "c": "1", "d": "e", "tags": `f, 2, ["g"], h`},
		`"web, prod"`: {"tags": "web, prod"},
		`7`:           {"tags": "7"},
	} {
		in, err := alertmanager().Read(request([]byte(`{"alerts":[{"labels":` + written + `,"annotations":{"summary":5}}]}`)))
		if err != nil || len(in.Alerts) != 1 || !maps.Equal(in.Alerts[0].Labels, want) || in.Alerts[0].Title != "5" {
			t.Errorf("%s became %v, %+v", written, err, in)
		}
	}
}

func TestGitLabsRetryHasTheKeyOfTheFirstTryAndAnotherEventHasNot(t *testing.T) {
	key := func(sample, uuid string) string {
		body, err := os.ReadFile(filepath.Join("testdata", sample))
		if err != nil {
			t.Fatal(err)
		}
		in, err := gitlab().Read(Request{Body: body, Header: http.Header{"X-Gitlab-Event-Uuid": {uuid}}})
		if err != nil || len(in.Alerts) != 1 {
			t.Fatalf("%+v (%v)", in, err)
		}
		return in.Alerts[0].IdempotencyKey
	}
	first := key("gitlab-pipeline.json", "13792a34")
	if first == "" || first != key("gitlab-pipeline.json", "13792a34") {
		t.Errorf("the key of a retry is not %q", first)
	}
	for _, other := range []string{key("gitlab-pipeline.json", "08cb7c2a"), key("gitlab-job.json", "13792a34")} {
		if other == first {
			t.Errorf("another event has the key %q, too", other)
		}
	}
}

func TestAnEndSaysWhenItBegan(t *testing.T) {
	in, err := alertmanager().Read(request([]byte(`{"alerts":[{"status":"resolved","labels":{"alertname":"A"},"startsAt":"2026-11-28T10:00:00Z","endsAt":"2026-11-28T11:00:00Z"}]}`)))
	if err != nil || !in.Alerts[0].BeganAt.Equal(noon.Add(-2*time.Hour)) || !in.Alerts[0].At.Equal(noon.Add(-time.Hour)) {
		t.Errorf("%v, %+v", err, in)
	}
}

func TestALabelWhoseNameIsTakenIsKeptUnderAnother(t *testing.T) {
	for _, c := range []struct {
		read       func(Request) (alert.Intake, error)
		body, want string
	}{
		{readPagerDuty, `{"event_action":"trigger","payload":{"summary":"x","source":"db-3","group":"shop","custom_details":{"source":"cron","group":"shop","a":"b"}}}`,
			"a=b, custom_details.source=cron, group=shop, source=db-3"},
		{readPagerDuty, `{"event_action":"trigger","client":"Monitor","payload":{"summary":"x","custom_details":{"client":"y"}}}`, "client=Monitor, custom_details.client=y"},
		{readPagerDuty, `{"event_action":"trigger","payload":{"summary":"x","source":"db-3","custom_details":"a text"}}`, "source=db-3"},
		{readSentry, `{"action":"triggered","data":{"event":{"title":"x","platform":"python","environment":"prod","tags":[["environment","prod"],["platform","linux"],["level","error"]]}}}`,
			"environment=prod, platform=python, tags.platform=linux"},
	} {
		in, err := c.read(request([]byte(c.body)))
		if err != nil || pairs(in.Alerts[0].Labels) != c.want {
			t.Errorf("%s: %v, %+v, want the labels %s", c.body, err, in, c.want)
		}
	}
}

func TestAMessageOfSlackWithoutAParagraphIsPassedOn(t *testing.T) {
	in, err := readSlackMessage(request([]byte(`{"blocks":[{"type":"divider"}]}`)))
	if err != nil || in.Alerts[0].Message == nil || len(in.Alerts[0].Message.Blocks) != 1 {
		t.Errorf("%v, %+v", err, in)
	}
	for _, body := range []string{`{"attachments":[{}]}`, `{"blocks":[{}]}`, `{"text":" "}`} {
		if in, err := readSlack(request([]byte(body))); err == nil {
			t.Errorf("%s says nothing and became %+v", body, in)
		}
	}
}

func TestDetailsOfPagerDutyThatAreATextAreTheText(t *testing.T) {
	for details, want := range map[string]string{
		`"a text"`:                  "a text",
		`{"n":1,"firing":"a\nb\n"}`: "firing:\na\nb", // as Alertmanager sends it
		`{"n":1,"resolved":"\n"}`:   "",
	} {
		in, err := readPagerDuty(request([]byte(`{"event_action":"trigger","payload":{"summary":"x","custom_details":` + details + `}}`)))
		if err != nil || in.Alerts[0].Text != want || in.Alerts[0].Labels["firing"]+in.Alerts[0].Labels["resolved"] != "" {
			t.Errorf("%s: %v, %+v", details, err, in)
		}
	}
}

func TestLinksOfPagerDutyMayBeAddressesAlone(t *testing.T) {
	in, err := readPagerDuty(request([]byte(`{"event_action":"trigger","payload":{"summary":"x"},"links":["https://e.example/1",{"href":"https://e.example/2","text":"two"}]}`)))
	want := []alert.Link{{URL: "https://e.example/1"}, {Label: "two", URL: "https://e.example/2"}}
	if err != nil || !slices.Equal(in.Alerts[0].Links, want) || len(in.Notes) > 0 {
		t.Errorf("%v: %+v", err, in)
	}
}

func TestAGroupSaysHowManyAlertsItsSenderHasLeftOut(t *testing.T) {
	for n, want := range map[text]string{"0": "", "": "", "x": "", "1": "1 more alert of this group was left out", "12": "12 more alerts of this group were left out"} {
		if got := truncated(n); (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s", n, got)
		}
	}
}

func TestAnAlertWithoutAFingerprintIsTheSameWhateverItsAnnotationsSay(t *testing.T) {
	const alerts = `"alerts":[{"labels":{"alertname":"A","host":"db-3"},"annotations":{"summary":"at 5 %"},"values":{"B":5}}]}`
	for body, f := range map[string]Format{`{"version":"4",` + alerts: alertmanager(), `{"orgId":1,` + alerts: grafana()} {
		in, err := f.Read(request([]byte(body)))
		if want := alert.LabelFingerprint(map[string]string{"alertname": "A", "host": "db-3"}); err != nil || in.Alerts[0].Key != want {
			t.Errorf("%s: the key is %q (%v), want %s", f.Name, in.Alerts[0].Key, err, want)
		}
	}
}

func TestAnIssueOfSentryLeavesWhatItsEventsSay(t *testing.T) {
	for action, want := range map[string]bool{"created": true, "unresolved": true, "resolved": false} {
		in, err := readSentry(request([]byte(`{"action":"` + action + `","data":{"issue":{"id":"1","title":"x","lastSeen":"2026-11-27T10:09:51Z"}}}`)))
		if err != nil || in.Alerts[0].Refreshes != want || in.Alerts[0].Brief != want || in.Alerts[0].At.IsZero() != (action != "created") {
			t.Errorf("%s: %v, %+v", action, err, in)
		}
	}
	if in, err := readSentry(request(content(t, "testdata/sentry-event_alert.json"))); err != nil || in.Alerts[0].Refreshes {
		t.Errorf("an event: %v, %+v", err, in)
	}
}

func TestABranchOfAForkIsAnIncidentOfItsOwn(t *testing.T) {
	key := func(from string) string {
		in, err := readGitHub(request([]byte(`{"workflow_run":{"name":"test","conclusion":"success","head_branch":"main"` + from + `},"repository":{"full_name":"acme/shop"}}`)))
		if err != nil || len(in.Alerts) != 1 {
			t.Fatalf("%s: %v, %+v", from, err, in)
		}
		return in.Alerts[0].Key
	}
	own := key("")
	if got := key(`,"head_repository":{"full_name":"acme/shop"}`); got != own {
		t.Errorf("its own branch has the key %s, want %s", got, own)
	}
	if got := key(`,"head_repository":{"full_name":"eve/shop"}`); got == own {
		t.Errorf("a fork's branch has the key %s, too", got)
	}
}

func TestAFormThatNobodyHasEncodedIsRead(t *testing.T) {
	for body, want := range map[string]string{
		`payload={"text":"disk 100% full & more"}`:                "disk 100% full & more",
		`payload={"text":"a+b"}`:                                  "a b",
		`payload=%7B%22text%22%3A%22a%2Bb%22%7D&x=1`:              "a+b",
		`payload={"text":"<https://example.com/?a=1&amp;b=2|x>"}`: "x (https://example.com/?a=1&b=2)",
	} {
		r := request([]byte(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		in, err := readSlack(r)
		if err != nil || in.Alerts[0].Title != want {
			t.Errorf("%s became %v, %+v, want %q", body, err, in.Alerts, want)
		}
	}
}

func TestAnAlertGroupOfOnCallSaysWhatItsIntegrationWasSent(t *testing.T) {
	in, err := readOnCall(request([]byte(`{"event":{"type":"escalation"},"alert_group_id":"I1","alert_group":{"id":"I1","title":"Incident","state":"firing","labels":{"team":"web"}},
		"alert_payload":{"status":"firing","labels":{"alertname":"Load","severity":"warning","team":"db"},"annotations":{"description":"it is 9"}},"integration":{"name":"Prod"}}`)))
	if err != nil {
		t.Fatal(err)
	}
	a := in.Alerts[0]
	if want := map[string]string{"integration": "Prod", "team": "web", "alertname": "Load", "payload.team": "db"}; a.Text != "it is 9" || a.Severity != alert.Warning || !maps.Equal(a.Labels, want) {
		t.Errorf("it became %q, %s, %v, want %v", a.Text, a.Severity, a.Labels, want)
	}
}

func TestAPipelineOfAMergeRequestLinksToIt(t *testing.T) {
	in, err := readGitLab(request([]byte(`{"object_kind":"pipeline","object_attributes":{"status":"failed","ref":"fix"},"merge_request":{"title":"Fix it","url":"https://gitlab.example.com/shop/-/merge_requests/1"}}`)))
	if err != nil || !slices.Equal(names(in.Alerts[0].Links), []string{"Merge request"}) {
		t.Errorf("%v, %+v", err, in.Alerts)
	}
}
