package render

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

var update = flag.Bool("update", false, "write the golden files again")

func at(clock string) time.Time {
	t, err := time.Parse(time.TimeOnly, clock)
	if err != nil {
		panic(err)
	}
	return t.AddDate(2026, 10, 22)
}

func diskFull() alert.Incident {
	return alert.Incident{
		ID: "k7f2", Key: "db-3/disk", Route: alert.DefaultRoute, Version: 1, State: alert.Open, Severity: alert.Critical, Source: "prometheus",
		Title: "disk full on db-3", Text: "/var/lib/postgresql has 0 bytes left.\nWrites fail since 14:05.",
		Labels: map[string]string{"severity": "critical", "host": "db-3", "service": "postgres", "env": "prod", "mountpoint": "/var/lib/postgresql"},
		Links:  []alert.Link{{Label: "Runbook", URL: "https://wiki.example/disk-full"}, {Label: "Dashboard", URL: "https://grafana.example/d/disk?var-host=db-3&from=now-1h"}},
		Count:  1, FirstAt: at("14:05:10"), LastAt: at("14:05:10"), Lanes: []string{"#ops"},
	}
}

func with(i alert.Incident, change func(*alert.Incident)) alert.Incident {
	change(&i)
	return i
}

func cards() map[string]alert.Incident {
	manyLabels := map[string]string{}
	for _, name := range strings.Fields("app b c d e f g h i j k l m n o p q r s t u v w x y z") {
		manyLabels[name] = strings.Repeat(name, 20)
	}
	return map[string]alert.Incident{
		"open": diskFull(),
		"refired": with(diskFull(), func(i *alert.Incident) {
			i.Count, i.LastAt, i.Severity, i.TokenName = 7, at("14:40:00"), alert.Error, "ci"
		}),
		"acked": with(diskFull(), func(i *alert.Incident) {
			i.State, i.AckedBy, i.AckedAt, i.Severity = alert.Acked, alert.Person{ID: "U0ANN", Name: "ann"}, at("14:07:00"), alert.Warning
		}),
		"resolved": with(diskFull(), func(i *alert.Incident) {
			i.State, i.ResolvedAt, i.Count, i.Mention = alert.StateResolved, at("16:10:10"), 7, "@db-oncall"
		}),
		"only its end": with(diskFull(), func(i *alert.Incident) { i.State, i.ResolvedAt, i.Count = alert.StateResolved, i.FirstAt, 0 }),
		"bare":         {ID: "b2b2", State: alert.Open, Severity: alert.Info, Title: "backup finished", Count: 1, FirstAt: at("03:00:00"), LastAt: at("03:00:00")},
		"long text":    with(diskFull(), func(i *alert.Incident) { i.Text = strings.Repeat("a line of the log\n", 300) }),
		"fields": with(diskFull(), func(i *alert.Incident) {
			i.Fields = []alert.Field{{Name: "Host", Value: "db-3"}, {Name: "Runbook", Value: "https://wiki.example/disk-full"}, {Name: "a *b*", Value: "<!channel> `x`"},
				{Name: "Why", Value: "a value that is too long for the line, as it goes on and on\nand has a second line"}}
		}),
		"long labels": with(diskFull(), func(i *alert.Incident) {
			i.Labels = map[string]string{"host": "db-3", "image": "registry.example/shop/checkout:2026.11.28-0f3c2a1", "pod": "checkout-7d9c5f8b6d-x2x9k-in-the-second-zone"}
		}),
		"long title": with(diskFull(), func(i *alert.Incident) {
			i.Title, i.Text = strings.Repeat("the same words over and over ", 12), ""
		}),
		"many labels": with(diskFull(), func(i *alert.Incident) { i.Labels = manyLabels }),
		"image": with(diskFull(), func(i *alert.Incident) {
			i.Images = []alert.Image{{URL: "https://grafana.example/img/1.png", Alt: "disk of db-3"}, {URL: "https://grafana.example/img/2.png"}, {URL: "javascript:alert(1)"}}
		}),
		"injection": with(diskFull(), func(i *alert.Incident) {
			i.Title = "<!channel> *bold* <http://x.example|bank.com> & \u202Egnp.exe disk_usage_high"
			i.Text = "<!here> <@U0ANN> ``` *b* &lt;"
			i.Labels = map[string]string{"host": "<#C1|x>", "a*b": "_it_"}
			i.Links = []alert.Link{{Label: "<!channel>", URL: "https://x.example/a|b>c"}, {Label: "script", URL: "javascript:alert(1)"}}
			i.Source, i.Mention = "`x`", "<!subteam^S1>"
		}),
		"group": diskGroup(member("critical", "db-3", ""), member("warning", "db-1", ""), member("warning", "db-7", "14:20:00")),
		"group of many": diskGroup(
			member("critical", "db-3", ""), member("error", "db-1", ""), member("error", "db-2", ""), member("warning", "db-4", ""),
			member("warning", "db-5", ""), member("info", "db-6", ""), member("critical", "db-7", "14:20:00"), member("error", "db-8", "14:21:00"),
			member("warning", "db-9", "14:22:00"), member("info", "db-10", "14:23:00"), member("info", "db-11", "14:24:00"), member("info", "db-12", "14:25:00")),
		"group resolved": with(diskGroup(member("critical", "db-3", "15:00:00"), member("warning", "db-1", "14:20:00")), func(i *alert.Incident) {
			i.State, i.ResolvedAt = alert.StateResolved, at("15:00:00")
		}),
		"group silenced in part": diskGroup(member("warning", "db-1", ""), silencedMember("critical", "db-3"), member("warning", "db-7", "14:20:00")),
		"group inhibited": with(diskGroup(inhibitedMember("critical", "db-3"), inhibitedMember("warning", "db-1"), member("warning", "db-7", "14:20:00")), func(i *alert.Incident) {
			i.InhibitedBy = "m2m2"
		}),
		"group that templates word": with(diskGroup(member("critical", "db-3", ""), member("warning", "db-1", ""), member("warning", "db-7", "14:20:00")), func(i *alert.Incident) {
			i.Title, i.SentTitle, i.Text = "[FIRING:2] DiskFull eu", "DiskFull (eu)", "Two disks are full."
			i.Group.Plain = &alert.Wording{Title: i.SentTitle}
		}),
		"group of titles": with(diskGroup(member("critical", "db-3", ""), member("warning", "db-1", "")), func(i *alert.Incident) {
			i.Title, i.Group.Titles = i.Group.Name(i.Labels), true
			for n, m := range i.Group.Top {
				i.Group.Top[n].Title += " on " + m.Labels["host"]
			}
		}),
	}
}

// diskGroup is the group of these members, which are worst first.
func diskGroup(members ...alert.GroupMember) alert.Incident {
	return with(diskFull(), func(i *alert.Incident) {
		i.Title, i.Text, i.Links = "DiskFull", "A disk is full.", nil
		i.Labels = map[string]string{"alertname": "DiskFull", "cluster": "eu", "mountpoint": "/var/lib/postgresql"}
		i.Key, i.Count = `{alertname="DiskFull", cluster="eu"}`, len(members)
		i.Group = &alert.Group{Labels: map[string]string{"alertname": "DiskFull", "cluster": "eu"}, Total: len(members), Top: members[:min(len(members), alert.CardMembers)]}
		for _, m := range members {
			i.Group.Count(m, 1)
		}
		if worst := i.Group.Worst(); worst != "" {
			i.Severity = worst
		}
	})
}

// member is a member of diskGroup on a host, resolved at a time unless that is empty.
func member(severity alert.Severity, host, ended string) alert.GroupMember {
	m := alert.GroupMember{Key: host + "/disk", Status: alert.Firing, Severity: severity, Title: "DiskFull", Count: 1, BeganAt: at("14:05:10"),
		Labels: map[string]string{"alertname": "DiskFull", "cluster": "eu", "severity": string(severity), "host": host, "mountpoint": "/var/lib/postgresql"}}
	if ended != "" {
		m.Status, m.EndedAt = alert.Resolved, at(ended)
	}
	return m
}

func silencedMember(severity alert.Severity, host string) alert.GroupMember {
	m := member(severity, host, "")
	m.Silence, m.SilencedUntil = "s-b2b2", at("18:00:00")
	return m
}

// inhibitedMember is one that was shown before.
func inhibitedMember(severity alert.Severity, host string) alert.GroupMember {
	m := member(severity, host, "")
	m.InhibitedBy, m.N = "m2m2", 1
	return m
}

func TestACardSaysWhereItsTextContinues(t *testing.T) {
	for where, plain := range map[string]*alert.Wording{"the thread": nil, "Details": {Title: "DiskFull"}} {
		i := diskGroup(member("critical", "db-3", ""), member("warning", "db-1", ""))
		i.Text, i.Group.Plain = strings.Repeat("A disk is full.\n", 1000), plain
		if body, err := json.Marshal(Card(i, "#ops")); err != nil || !strings.Contains(string(body), "the text continues in "+where) {
			t.Errorf("it does not continue in %s: %s, %v", where, body, err)
		}
	}
}

func TestCardsLookAsTheGoldenFiles(t *testing.T) {
	for name, i := range cards() {
		t.Run(name, func(t *testing.T) {
			card := Card(i, "#ops")
			wantValid(t, "card", checkMessage(card))
			golden(t, "card "+name, card)
		})
	}
}

func TestAMessageLooksAsItsSenderWroteItWithSmallPrintAtItsEnd(t *testing.T) {
	for name, message := range map[string]alert.Message{
		"blocks": {Text: "deployed", Blocks: []json.RawMessage{json.RawMessage(
			`{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Open"},"url":"https://ci.example"},{"type":"button","action_id":"ack:","value":"k7f2","text":{"type":"plain_text","text":"Ack"}}]}`)}},
		"text":        {Text: "*deployed* <https://ci.example|v2>"},
		"attachments": {Attachments: []json.RawMessage{json.RawMessage(`{"color":"good","text":"*deployed*"}`)}},
	} {
		i := with(diskFull(), func(i *alert.Incident) { i.Message = &message })
		golden(t, "passed "+name, Card(i, "#ops", MeantFor("#ops", "is_archived"), Twice))
	}
	golden(t, "passed plain", PlainCard(with(diskFull(), func(i *alert.Incident) { i.Message = &alert.Message{} }), "#ops", Twice))
}

func TestPlainCardsLookAsTheGoldenFiles(t *testing.T) {
	for name, i := range cards() {
		t.Run(name, func(t *testing.T) {
			m := PlainCard(i, "#ops")
			wantValid(t, "plain card", checkMessage(m))
			if m.Blocks != nil || m.Attachments != nil {
				t.Error("a plain card has blocks")
			}
			golden(t, "plain "+name, m)
		})
	}
}

func TestNotesLookAsTheGoldenFiles(t *testing.T) {
	for name, n := range map[string]alert.Note{
		"more":      {Topic: alert.TopicMore, Text: "…and <so> on\nand on"},
		"resolved":  {Topic: alert.TopicResolved, After: 2*time.Hour + 5*time.Minute, Count: 7, Text: "space was freed"},
		"reopened":  {Topic: alert.TopicReopened, After: 4 * time.Minute, Severity: alert.Error},
		"worse":     {Topic: alert.TopicReopened, After: 4 * time.Minute, Severity: alert.Critical, Worse: true},
		"escalated": {Topic: alert.TopicEscalated, Severity: alert.Critical},
		"flapping":  {Topic: alert.TopicFlapping, Severity: alert.Error, Count: 12, After: 5 * time.Minute},
		"flaps":     {Topic: alert.TopicFlapping, Severity: alert.Error, Count: 5, After: 20 * time.Millisecond},
		"stable":    {Topic: alert.TopicStable, Count: 240},
		"unacked":   {Topic: alert.TopicUnacked, By: ann(), To: alert.Person{ID: "U0BOB", Name: "bob"}},
		"unworded":  {Topic: alert.TopicTemplate, Text: "the template of text fails: error calling humanize: \"*x*\" is not a number at 1:4"},
		"undone":    {Topic: alert.TopicUnresolved, By: ann(), To: alert.Person{ID: "U0BOB", Name: "bob"}, After: 20 * time.Minute, Text: "it is still <full>"},
		"unstable":  {Topic: alert.TopicStable, Severity: alert.Error, Count: 240},
	} {
		t.Run(name, func(t *testing.T) {
			m := Note(diskFull(), n)
			wantValid(t, "note", checkMessage(m))
			golden(t, "note "+name, m)
		})
	}
}

func troubled() alert.Health {
	return alert.Health{
		Connections: 1, ConnectedSince: at("09:00:30"), Held: "invalid_auth", Waiting: 3,
		LastError: "invalid_auth: the bot token is not valid", LastErrorAt: at("14:04:30"), DeadLetters: 2,
		Problems: []alert.Problem{{What: "Slack refuses the bot token (invalid_auth)", Fix: "copy the token from OAuth & Permissions into SLACK_BOT_TOKEN"}},
	}
}

func well() alert.Health { return alert.Health{Connections: 2, ConnectedSince: at("09:00:30")} }

func TestHomesLookAsTheGoldenFiles(t *testing.T) {
	shell := Shell{Server: "http://127.0.0.1:8126"}
	shown := with(diskFull(), func(i *alert.Incident) {
		i.Cards = []alert.Card{{Lane: "#ops", Conversation: "C0OPS", TS: "1.2"}}
		i.Lanes = []string{"#ops", "@ann"}
	})
	for name, v := range map[string]HomeView{
		"quiet": {Health: well(), Shell: shell, Version: "1.0.0", DrawnAt: at("14:06:07")},
		"busy": {
			Counts: map[alert.Severity]int{alert.Critical: 1, alert.Warning: 1},
			Open:   []alert.Incident{shown, with(diskFull(), func(i *alert.Incident) { i.ID, i.Title, i.Severity, i.Count = "m2m2", "swap & more", alert.Warning, 12 })},
			Health: troubled(), Shell: Shell{Server: "http://10.0.0.1:8126/", Token: true}, Version: "1.0.0",
		},
		"full": {Open: []alert.Incident{shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown, shown}, Counts: map[alert.Severity]int{alert.Critical: 1234}, Health: well(), Heartbeats: slices.Repeat(heartbeats(), 2500), Now: at("14:30:00")},
	} {
		t.Run(name, func(t *testing.T) {
			view := Home(v)
			wantValid(t, "home", checkView(view))
			golden(t, "home "+name, view)
		})
	}
}

func TestModalLooksAsTheGoldenFile(t *testing.T) {
	view := TestModal("#ops")
	wantValid(t, "modal", checkView(view))
	golden(t, "modal test", view)
}

func TestAnswersLookAsTheGoldenFiles(t *testing.T) {
	shell := Shell{Server: "http://127.0.0.1:8126"}
	record := alert.Record{Standing: alert.StandPending, Lane: "#ops"}
	record.AcceptedAt = at("14:00:00")
	delivered := record
	delivered.Standing, delivered.Conversation, delivered.TS = alert.StandDelivered, "C0OPS", "1.2"
	delivered.StartedAt, delivered.DeliveredAt = at("14:00:00").Add(4*time.Millisecond), at("14:00:00").Add(130*time.Millisecond)
	throttled, dead := record, record
	throttled.Reason, throttled.StartedAt = "throttled", at("14:00:01")
	dead.Standing, dead.Reason = alert.StandDead, "channel_not_found (invite me to the channel)"
	report := func(r alert.Record, h alert.Health) TestReport {
		return TestReport{What: "test alert", Record: r, Asked: at("14:00:00"), Kept: at("14:00:00").Add(2500 * time.Microsecond), Permalink: "https://acme.slack.com/archives/C0OPS/p12", Health: h}
	}
	two := []alert.Incident{diskFull(), acked()}
	done := func(n int, effect alert.ActEffect) []alert.Acted {
		return slices.Repeat([]alert.Acted{{Incident: acked(), Effect: effect}}, n)
	}
	for name, m := range map[string]Message{
		"choice":         Choice(ChoiceView{Verb: alert.VerbAck, Incidents: two, One: []string{"1", "2"}, All: "all", Total: 37}),
		"choice assign":  Choice(ChoiceView{Verb: alert.VerbAssign, To: ann(), Incidents: two, One: []string{"1", "2"}, All: "all", Total: 2}),
		"choice show":    Choice(ChoiceView{Verb: "show", Incidents: two, One: []string{"1", "2"}, All: "all", Total: 2}),
		"choice silence": SilenceChoice(SilenceChoiceView{Until: at("18:00:00"), Options: []SilenceOption{{must(`host="db-3"`), 3, "1"}, {must(`instance="db-3"`), 1000, "2"}}}),
		"acted":          WithUndo(Acted(done(1, alert.ActDone), alert.VerbAck), "undo"),
		"acted many":     WithUndo(Acted(append(append(done(300, alert.ActDone), done(7, alert.ActAlready)...), done(1, alert.ActUnknown)...), alert.VerbResolve), "undo"),
		"reopened":       Acted(append(append(done(1, alert.ActDone), done(1, alert.ActAlready)...), done(1, alert.ActNewer)...), alert.VerbReopen),
		"unacked":        Acted(append(done(1, alert.ActDone), alert.Acted{Incident: diskFull(), Effect: alert.ActAlready}), alert.VerbUnack),
		"help":           Help(HelpView{Shell: shell, Version: "1.0.0"}),
		"help direct":    Help(HelpView{Direct: true, Shell: shell, Version: "1.0.0"}),
		"doctor well":    Doctor(alert.NewCheckup([]alert.Check{{Name: "clock", Result: alert.CheckOK, Found: "agrees with Slack's"}})),
		"doctor trouble": Doctor(alert.NewCheckup([]alert.Check{
			{Name: "clock", Result: alert.CheckOK, Found: "agrees with Slack's"},
			{Name: "store content", Result: alert.CheckSkipped, Found: "can't be read in 20s"},
			{Name: "conversation", About: "#ops", Result: alert.CheckError, Found: "the bot is not a member (not_in_channel)", Fix: "in #ops, type: /invite @tocsin"},
			{Name: "scopes", About: "im:write", Result: alert.CheckWarning, Found: "is not granted; it is needed for direct messages to people", Fix: "add the scope im:write under OAuth & Permissions, then reinstall the app"},
		})),
		"status well":    Status(StatusView{Health: well(), Version: "1.0.0", Heartbeats: heartbeats(), Now: at("14:30:00"), Total: alert.Counts{Accepted: 12, Delivered: 9, Folded: 3}}),
		"status trouble": Status(StatusView{Counts: map[alert.Severity]int{alert.Error: 1}, Health: troubled(), Version: "1.0.0", Total: alert.Counts{Accepted: 12, Delivered: 9, Pending: 3}}),
		"test delivered": TestResult(report(delivered, well())),
		"test held":      TestResult(report(record, troubled())),
		"test throttled": TestResult(report(throttled, well())),
		"test dead":      TestResult(report(dead, well())),
		"unknown":        Unknown("stauts", "status", "help"),
		"refused":        Refused(`unknown severity "fatal"`, "write one of critical, error, warning, info (critical?)"),
		"greeting":       Greeting(),
		"gone":           Gone(),
	} {
		t.Run(name, func(t *testing.T) {
			wantValid(t, name, checkMessage(m))
			golden(t, "answer "+name, m)
		})
	}
}

// golden compares what Slack would get with testdata/NAME.json.
func golden(t *testing.T, name string, view any) {
	t.Helper()
	path := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".json")
	body, err := json.MarshalIndent(view, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	// What JSON writes for HTML's sake is hard to read.
	got := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(body)) + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is different (write it with -update):\n%s", path, got)
	}
}

func TestTheStatusSaysWhetherAlertsGoElsewhereOrWait(t *testing.T) {
	for code, want := range map[string]string{
		alert.ProblemDestination: "Alerts are sent, but not all of them where they were meant to go.",
		alert.ProblemThrottled:   "Alerts are sent, but some messages wait, because Slack asked for a long pause.",
		alert.ProblemDeadLetters: "Delivery works.",
	} {
		if m := Status(StatusView{Health: alert.Health{Notes: []alert.Problem{{Code: code, What: "this one"}}}}); !strings.HasPrefix(m.Text, want) {
			t.Errorf("%s: got %q, want %q", code, m.Text, want)
		}
	}
	blocked := alert.Health{Notes: []alert.Problem{{Code: alert.ProblemDestination, Lane: "#ops", Blocks: true, What: "this one"}}}
	if m := Status(StatusView{Health: blocked}); !strings.HasPrefix(m.Text, "Alerts are sent, except to conversations that can't be reached.") {
		t.Errorf("got %q", m.Text)
	}
}

func TestAChannelIsCalledByItsNameInProblems(t *testing.T) {
	m := Status(StatusView{Health: alert.Health{
		LastError: "C0OLD1234: is_archived (C0OLD1234 is archived)",
		Problems:  []alert.Problem{{Lane: "C0OLD1234", What: "C0OLD1234 can't be reached: is_archived", Fix: "C0OLD1234 is archived: unarchive it"}},
	}})
	wantValid(t, "status", checkMessage(m))
	body, err := json.Marshal(m.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	if rest := strings.ReplaceAll(string(body), `"channel_id":"C0OLD1234"`, ""); rest == string(body) || strings.Contains(rest, "C0OLD1234") {
		t.Errorf("got %s", body)
	}
}
