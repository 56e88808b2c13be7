package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func ann() alert.Person { return alert.Person{ID: "U0ANN", Name: "ann"} }

// bob is known only by his id, as Slack's dialogs report it.
func bob() alert.Person { return alert.Person{ID: "U0BOB"} }

func must(matchers string) alert.Matchers {
	ms, err := alert.ParseMatchers(matchers)
	if err != nil {
		panic(err)
	}
	return ms
}

func acked() alert.Incident {
	return with(diskFull(), func(i *alert.Incident) {
		i.ID, i.Title, i.State, i.Severity = "m2m2", "replica lags behind", alert.Acked, alert.Error
		i.AckedBy, i.AckedAt, i.Assignee = ann(), at("14:07:00"), ann()
	})
}

func closed() alert.Incident {
	return with(diskFull(), func(i *alert.Incident) {
		i.ID, i.Title, i.State, i.Severity = "p4p4", "certificate expires soon", alert.StateResolved, alert.Warning
		i.ResolvedBy, i.ResolvedAt, i.Count = ann(), at("16:10:10"), 3
	})
}

func hushedIncident() alert.Incident {
	return with(diskFull(), func(i *alert.Incident) {
		i.ID, i.Title, i.Severity, i.Silence, i.SilencedUntil, i.Assignee = "q5q5", "queue is long", alert.Info, "s-b2b2", at("18:00:00"), bob()
	})
}

func peopleCards() map[string]alert.Incident {
	return map[string]alert.Incident{
		"mentions": with(diskFull(), func(i *alert.Incident) {
			i.Mentions = map[string][]string{"#ops": {"U0ANN", "S0DBOPS", "here", "@carol"}, "#other": {"channel"}}
		}),
		"assigned":    with(acked(), func(i *alert.Incident) { i.Assignee = bob() }),
		"resolved by": closed(),
		"silenced":    hushedIncident(),
		"inhibited":   with(hushedIncident(), func(i *alert.Incident) { i.Silence, i.SilencedUntil, i.InhibitedBy = "", time.Time{}, "k7f2" }),
		"no name":     with(acked(), func(i *alert.Incident) { i.AckedBy, i.Assignee = bob(), bob() }),
	}
}

func TestCardsShowWhatPeopleDid(t *testing.T) {
	for name, i := range peopleCards() {
		t.Run(name, func(t *testing.T) {
			wantValid(t, "card", checkMessage(Card(i, "#ops"), "<@U0ANN>", "<!subteam^S0DBOPS>", "<!here>"))
			golden(t, "card "+name, Card(i, "#ops"))
			wantValid(t, "plain card", checkMessage(PlainCard(i, "#ops"), "<@U0ANN>", "<!subteam^S0DBOPS>", "<!here>"))
			golden(t, "plain "+name, PlainCard(i, "#ops"))
		})
	}
}

func TestNotesTellWhatPeopleAndTheClockDid(t *testing.T) {
	for name, n := range map[string]alert.Note{
		"refired":       {Topic: alert.TopicRefired, Count: 7},
		"acked":         {Topic: alert.TopicAcked, By: ann(), Text: "looking at it *now*"},
		"acked no name": {Topic: alert.TopicAcked, By: bob()},
		"assigned":      {Topic: alert.TopicAssigned, By: ann(), To: alert.Person{ID: "U0BOB", Name: "bob"}, Mention: []string{"U0BOB"}},
		"taken":         {Topic: alert.TopicAssigned, By: ann(), To: ann()},
		"note":          {Topic: alert.TopicNote, By: ann(), Text: "the vacuum <!channel> was stuck\nsecond line"},
		"silenced":      {Topic: alert.TopicSilenced, By: ann(), At: at("18:00:00"), Text: "we move the disks"},
		"unanswered":    {Topic: alert.TopicUnanswered, After: 10 * time.Minute, Mention: []string{"S0DBOPS", "here"}, Broadcast: true},
		"reminder":      {Topic: alert.TopicReminder, By: ann(), After: 2 * time.Hour},
		"hidden":        {Topic: alert.TopicHidden, By: ann(), At: at("18:00:00"), Text: "s-b2b2: we move the disks"},
		"unsilenced":    {Topic: alert.TopicUnsilenced, Count: 7},
		"uninhibited":   {Topic: alert.TopicUninhibited, Count: 7},
		"resolved by":   {Topic: alert.TopicResolved, By: ann(), After: 2 * time.Hour},
		"void ack":      {Topic: alert.TopicReopened, After: 12 * time.Second, To: ann()},
		"folded": {Topic: alert.TopicResolved, After: 2 * time.Hour, Count: 7, Before: []alert.Note{
			{Topic: alert.TopicAcked, By: bob()}, {Topic: alert.TopicNote, By: ann(), Text: "the vacuum was stuck"},
			{Topic: alert.TopicEscalated, Severity: alert.Critical, Mention: []string{"S0DBOPS"}},
		}},
		"renamed": {Topic: alert.TopicRefired, Count: 2, Title: "disk nearly full"},
		"texts": {Topic: alert.TopicRefired, Count: 7, Text: "93 % used", By: alert.Person{Name: "cron"}, Before: []alert.Note{
			{Topic: alert.TopicOthers, Count: 3}, {Topic: alert.TopicFormer, Severity: alert.Warning, Title: "disk half full", Text: "50 % used", Cut: true},
			{Topic: alert.TopicRefired, Count: 6, Text: "92 % used"},
		}},
		"earlier texts": {Topic: alert.TopicOthers},
	} {
		t.Run(name, func(t *testing.T) {
			m := Note(diskFull(), n)
			wantValid(t, "note", checkMessage(m, "<@U0BOB>", "<!subteam^S0DBOPS>", "<!here>"))
			golden(t, "note "+name, m)
		})
	}
}

func history() []alert.Event {
	return []alert.Event{
		{At: at("14:05:10"), Verb: alert.VerbOpen},
		{At: at("14:06:00"), Verb: alert.VerbSilence, Silence: "s-b2b2", By: ann(), Text: "we move the disks"},
		{At: at("14:16:00"), Verb: alert.VerbUnsilence, Silence: "s-b2b2", By: ann()},
		{At: at("14:20:00"), Verb: alert.VerbEscalate, Text: "#managers"},
		{At: at("14:21:00"), Verb: alert.VerbAssign, By: ann(), To: bob()},
		{At: at("14:30:00"), Verb: alert.VerbNote, By: bob(), Text: "the <!channel> vacuum was stuck"},
		{At: at("16:10:10"), Verb: alert.VerbResolve, By: alert.Person{Name: "root"}},
	}
}

func TestDialogsLookAsTheGoldenFiles(t *testing.T) {
	for name, view := range map[string]Modal{
		"silence":      SilenceModal(SilenceView{Matchers: `key="db-3/disk"`, Matching: 3, Private: `{"incident":"k7f2"}`}),
		"silence all":  SilenceModal(SilenceView{Matchers: `service="db"`, Matching: 12, OfDigest: true}),
		"silence some": SilenceModal(SilenceView{Matchers: `service="db"`, Matching: 16, OfDigest: true, Others: 4}),
		"silence none": SilenceModal(SilenceView{Matchers: `service="web"`}),
		"silence more": SilenceModal(SilenceView{Matchers: `service="db"`, Left: 2, Matching: 100}),
		"assign":       AssignModal(diskFull(), "k7f2"),
		"note":         NoteModal(acked(), "k7f2"),
		"copy":         CopyModal("k7f2"),
		"details":      Details(diskFull(), history()),
		"details long": Details(cards()["many labels"], longHistory()),
	} {
		t.Run(name, func(t *testing.T) {
			wantValid(t, "modal", checkView(view))
			golden(t, "modal "+name, view)
		})
	}
}

func longHistory() []alert.Event {
	var all []alert.Event
	for n := range 200 {
		all = append(all, alert.Event{At: at("14:00:00").Add(time.Duration(n) * time.Minute), Verb: alert.VerbNote, By: ann(), Text: fmt.Sprintf("note %d", n)})
	}
	return all
}

// heartbeats are one of each status, by name.
func heartbeats() []alert.Heartbeat {
	hourly := alert.Terms{Every: time.Hour}
	return []alert.Heartbeat{
		{Name: "a-cron", Terms: hourly, BeganAt: at("10:00:00"), LastAt: at("14:00:00"), DueAt: at("15:30:00")},
		{Name: "b-late", Terms: hourly, BeganAt: at("10:00:00"), LastAt: at("13:15:00"), DueAt: at("14:45:00")},
		{Name: "c-backup", Terms: hourly, BeganAt: at("10:00:00"), LastAt: at("12:00:00"), MissingAt: at("13:30:00")},
		{Name: "d-new", Terms: hourly, BeganAt: at("14:10:00"), DueAt: at("15:40:00")},
	}
}

func dayOfStats() alert.Stats {
	s := alert.Stats{
		From: at("00:00:00"), Until: at("00:00:00").AddDate(0, 0, 1), Alerts: 130, Incidents: 12,
		BySeverity: map[alert.Severity]int64{alert.Critical: 10, alert.Warning: 120},
		Noisiest:   []alert.KeyCount{{Key: "db-3/disk", Title: "disk full on db-3", Incident: "k7f2", Alerts: 90}, {Key: "lag", Title: "replica <!here> lags", Incident: "m2m2", Alerts: 40}},
		ToAck:      4 * time.Minute, ToResolve: 65 * time.Minute, Latency: 2300 * time.Microsecond, LatencyMost: 1200 * time.Millisecond,
	}
	for n := range 24 {
		s.Buckets = append(s.Buckets, alert.Bucket{At: s.From.Add(time.Duration(n) * time.Hour), BySeverity: map[alert.Severity]int64{
			alert.Critical: int64(n % 8 / 6), alert.Warning: int64(n * 7 % 11),
		}})
	}
	return s
}

func routing() alert.Routing {
	return alert.Routing{Default: "#alerts", Routes: []alert.Route{
		{
			Name: "databases", Matchers: must(`service=~"db-.*"`), To: []string{"C0DBOPS", "#ops"}, Mention: []string{"S0DBOPS"},
			Escalate: []alert.Step{{After: 10 * time.Minute, Mention: []string{"U0ANN"}}, {After: 30 * time.Minute, To: []string{"#managers"}, Mention: []string{"here"}}},
			Quiet:    &alert.Quiet{Hours: alert.Hours{From: 22 * time.Hour, To: 7 * time.Hour, Zone: time.UTC}, Below: alert.Error},
		},
		{Name: "web", Matchers: must(`service="web"`), Mention: []string{"@carol"}},
	}}
}

func lists() map[string]Message {
	page := []alert.Incident{diskFull(), acked(), closed(), hushedIncident()}
	many := make([]alert.Incident, ListRows)
	for n := range many {
		many[n] = with(diskFull(), func(i *alert.Incident) { i.ID = fmt.Sprintf("k7f%d", n) })
	}
	silences := []alert.Silence{
		{ID: "s-b2b2", Matchers: must(`service="db", severity!="critical"`), EndsAt: at("18:00:00"), By: ann(), Why: "we move the disks", Hidden: 12},
		{ID: "s-c3c3", Matchers: must("title=~\".*`*<!channel>.*\""), EndsAt: at("19:00:00")},
	}
	planned := silences[0]
	planned.StartsAt = at("17:00:00")
	subscriptions := []alert.Subscription{{Person: "U0ANN", Matchers: must(`service="db"`)}, {Person: "U0ANN", Matchers: must(`severity="critical", env="prod"`)}}
	return map[string]Message{
		"list":            List(ListView{Title: "Open incidents", Incidents: page, Total: 4}),
		"list empty":      List(ListView{Title: "Resolved incidents"}),
		"list middle":     List(ListView{Title: "Open incidents", Incidents: many, From: 20, Total: 1000, Newer: "n", Older: "o", Here: "here"}),
		"show":            Show(acked(), history(), "https://acme.slack.com/archives/C0OPS/p12"),
		"show bare":       Show(diskFull(), nil, ""),
		"silences":        Silences(silences, true),
		"silences none":   Silences(nil, false),
		"silences meant":  SilencesMeant(silences[:1], false),
		"heartbeats":      Heartbeats(heartbeats(), at("14:30:00")),
		"heartbeats none": Heartbeats(nil, at("14:30:00")),
		"heartbeats many": Heartbeats(slices.Repeat(heartbeats(), 30), at("14:30:00")),
		"silenced":        Silenced(silences[0], 3),
		"silenced none":   Silenced(silences[1], 0),
		"unsilenced":      Unsilenced(silences[0]),
		"silence begins":  Card(planned.RemindingIncident(at("17:00:00")), "#ops"),
		"stats":           Stats(dayOfStats(), Chart{Native: true}),
		"stats picture":   Stats(dayOfStats(), Chart{Native: true, File: "F0CHART"}),
		"stats empty":     Stats(alert.Stats{From: at("00:00:00"), Until: at("12:00:00")}, Chart{Native: true}),
		"oncall":          OnCall(OnCallView{Routing: routing(), Taken: []alert.Incident{acked(), with(acked(), func(i *alert.Incident) { i.Assignee = bob() })}, Names: map[string]string{"U0ANN": "ann"}, Now: at("23:00:00")}),
		"oncall nothing":  OnCall(OnCallView{Routing: alert.Routing{Default: "#alerts"}}),
		"subscriptions":   Subscriptions(subscriptions),
		"no subscription": Subscriptions(nil),
		"queue": Queue([]alert.Delivery{
			{ID: "01a2-a", Lane: "#nosuch", Kind: alert.Post, State: alert.Pending, Incident: "k7f2", Reason: "channel_not_found", CreatedAt: at("14:00:00")},
			{ID: "01a2-b", Lane: "C0OLD1234", Kind: alert.Reply, State: alert.Dead, Incident: "k7f3", Reason: "C0OLD1234: is_archived", CreatedAt: at("13:00:00")},
		}, true),
		"queue empty":   Queue(nil, false),
		"dropped":       Dropped(alert.RetryResult{Alerts: 2}),
		"subscribed":    Subscribed(subscriptions[0]),
		"unsubscribed":  Unsubscribed(2),
		"denied":        Denied("silence alerts", []string{"U0ANN", "S0DBOPS", "C0OPS", "@carol"}),
		"denied to all": Denied("send alerts", nil),
		"sent":          TestResult(TestReport{What: "alert", Record: alert.Record{Standing: alert.StandDelivered, Lane: "#ops", Conversation: "C0OPS"}, Permalink: "https://acme.slack.com/archives/C0OPS/p12"}),
	}
}

func TestListsAndFiguresLookAsTheGoldenFiles(t *testing.T) {
	for name, m := range lists() {
		t.Run(name, func(t *testing.T) {
			wantValid(t, name, checkMessage(m))
			golden(t, "answer "+name, m)
		})
	}
}

func TestActsAreAnswered(t *testing.T) {
	strange := alert.Incident{ID: "zzzz"}
	for name, m := range map[string]Message{
		"ack":     Acted([]alert.Acted{{Incident: acked(), Effect: alert.ActDone}, {Incident: strange, Effect: alert.ActUnknown}, {Incident: closed(), Effect: alert.ActAlready}}, alert.VerbAck),
		"resolve": Acted([]alert.Acted{{Incident: closed(), Effect: alert.ActDone}}, alert.VerbResolve),
		"assign":  Acted([]alert.Acted{{Incident: acked(), Effect: alert.ActDone}}, alert.VerbAssign),
		"note":    Acted([]alert.Acted{{Incident: diskFull(), Effect: alert.ActDone}}, alert.VerbNote),
		"already": Acted([]alert.Acted{{Incident: acked(), Effect: alert.ActAlready}}, alert.VerbAck),
		"given":   Acted([]alert.Acted{{Incident: with(acked(), func(i *alert.Incident) { i.Assignee = alert.Person{ID: "U0BOB", Name: "bob"} }), Effect: alert.ActAlready}}, alert.VerbAssign),
		"nothing": Acted(nil, alert.VerbAck),
	} {
		t.Run(name, func(t *testing.T) {
			wantValid(t, name, checkMessage(m))
			golden(t, "acted "+name, m)
		})
	}
}

func TestTheHomeHasEverythingInItsPlace(t *testing.T) {
	view := Home(fullHome())
	wantValid(t, "home", checkView(view))
	golden(t, "home everything", view)
}

func fullHome() HomeView {
	return HomeView{
		Mine: []alert.Incident{acked()}, Open: []alert.Incident{diskFull(), acked(), hushedIncident()},
		Counts:     map[alert.Severity]int{alert.Critical: 1, alert.Error: 1, alert.Info: 1},
		Heartbeats: heartbeats(), Now: at("14:30:00"),
		Silences: []alert.Silence{{ID: "s-b2b2", Matchers: must(`service="db"`), EndsAt: at("18:00:00"), By: ann(), Why: "we move the disks", Hidden: 12}},
		Health: alert.Health{
			Connections: 2, ConnectedSince: at("09:00:30"), Waiting: 2, LastError: "C0OLD1234: is_archived", LastErrorAt: at("14:04:30"),
			Problems: []alert.Problem{{What: "C0OLD1234 can't be reached: is_archived", Fix: "unarchive C0OLD1234 or send its alerts elsewhere", Lane: "C0OLD1234"}},
		},
		Subscriptions: []alert.Subscription{{Person: "U0ANN", Matchers: must(`service="db"`)}},
		Stats:         dayOfStats(), Chart: Chart{File: "F0CHART"},
		Shell: Shell{Server: "http://127.0.0.1:8126"}, Version: "1.0.0", DrawnAt: at("14:06:07"),
	}
}

func TestMembersThatNoListNamesAreCounted(t *testing.T) {
	got, _ := read(t, Members(diskFull(), alert.Note{Topic: alert.TopicMembers, From: alert.MostListed + 2, More: 250, Over: 3}, nil))
	if want := "250 more, 3 resolved"; !strings.Contains(got, want) || strings.Contains(got, "Details") {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestAReminderNamesNobodyAsAssigned(t *testing.T) {
	if got := eventWords(alert.Event{Verb: alert.VerbRemind, To: ann()}, called); got != "⏰ reminded" {
		t.Errorf("a reminder of the assigned person: %q", got)
	}
}
