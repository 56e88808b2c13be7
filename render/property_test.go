package render

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// hostile are texts that have broken cards in other tools.
var hostile = []string{
	"<!channel>", "<!here|x>", "<@U0ANN>", "<http://evil.example|bank.com>", "&lt;!channel&gt;", "&amp;", "&", "<", ">", "> quoted",
	"*bold* _it_ ~no~ `code` ```block```", "@channel", "#general", "\u202Egnp.exe", "\u2066x\u2069", "\u200B", "\u200F", "\x00", "\x1b[31m",
	"👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "e\u0301\u0301\u0301", "한글", "a\u0300" + strings.Repeat("\u0301", 200), "\xff\xfe", "", " ", "\n\n", "\r\n\t", "\u2028", "\u3164",
	strings.Repeat("&", 900), strings.Repeat("<>", 1500), strings.Repeat("x", 3000), strings.Repeat("long words ", 800), "https://x.example/?a=1&b=2", "k7f2", "U0ANN", "C0OPS", "S0OPS", "<!date^1^{ago}|now>", "<!subteam^S0OPS>", "here", "channel",
}

func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(hostile),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom(hostile), 0, 6), func(parts []string) string { return strings.Join(parts, " ") }),
	)
}

func instants() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.IntRange(0, 5).Draw(t, "zero") == 0 {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "unix"), 0)
	})
}

func incidents() *rapid.Generator[alert.Incident] {
	states := []alert.State{alert.Open, alert.Acked, alert.StateResolved, "", "strange"}
	return rapid.Custom(func(t *rapid.T) alert.Incident {
		i := alert.Incident{
			ID: texts().Draw(t, "id"), Key: texts().Draw(t, "key"),
			Format:   rapid.SampledFrom([]alert.Format{"", "", alert.FormatMarkdown, alert.FormatMrkdwn, "strange"}).Draw(t, "format"),
			State:    rapid.SampledFrom(states).Draw(t, "state"),
			Severity: severities().Draw(t, "severity"),
			Source:   texts().Draw(t, "source"), Title: texts().Draw(t, "title"), Text: texts().Draw(t, "text"),
			Labels:  rapid.MapOfN(texts(), texts(), 0, 40).Draw(t, "labels"),
			Mention: texts().Draw(t, "mention"), Count: rapid.Int().Draw(t, "count"),
			FirstAt: instants().Draw(t, "first"), LastAt: instants().Draw(t, "last"), ResolvedAt: instants().Draw(t, "resolved"),
			AckedBy: people().Draw(t, "acked by"), Assignee: people().Draw(t, "assignee"), ResolvedBy: people().Draw(t, "resolved by"),
			Silence: texts().Draw(t, "silence"), AckedAt: instants().Draw(t, "acked"), SilencedUntil: instants().Draw(t, "silenced"), HeldUntil: instants().Draw(t, "held"),
			Mentions: map[string][]string{"#ops": mentions().Draw(t, "mentions")},
			Lanes:    rapid.SliceOfN(texts(), 0, 5).Draw(t, "lanes"),
		}
		for range rapid.IntRange(0, 30).Draw(t, "links") {
			i.Links = append(i.Links, alert.Link{Label: texts().Draw(t, "label"), URL: addresses().Draw(t, "url")})
		}
		for _, lane := range i.Lanes {
			i.Cards = append(i.Cards, alert.Card{Lane: lane, Conversation: rapid.SampledFrom([]string{"", "C0OPS", "D0ANN", "<!channel>"}).Draw(t, "card"), TS: "1.2"})
		}
		return i
	})
}

func people() *rapid.Generator[alert.Person] {
	return rapid.Custom(func(t *rapid.T) alert.Person {
		return alert.Person{ID: rapid.OneOf(rapid.SampledFrom([]string{"", "U0ANN", "W0BOB", "<!here>"}), texts()).Draw(t, "id"), Name: texts().Draw(t, "name")}
	})
}

// mentions may be anything, because what bot can't resolve is drawn as it is.
func mentions() *rapid.Generator[[]string] {
	one := rapid.OneOf(rapid.SampledFrom([]string{"here", "channel", "U0ANN", "S0OPS", "W0BOB", "@carol", "everyone", "U0ANN>", "<!channel>"}), texts())
	return rapid.SliceOfN(one, 0, 30)
}

// pings are those mentions that may notify.
func pings(mentions []string) []string {
	spelled := map[string]string{"here": "<!here>", "channel": "<!channel>", "U0ANN": "<@U0ANN>", "W0BOB": "<@W0BOB>", "S0OPS": "<!subteam^S0OPS>"}
	var all []string
	for _, m := range mentions {
		if s := spelled[m]; s != "" {
			all = append(all, s)
		}
	}
	return all
}

func severities() *rapid.Generator[alert.Severity] {
	return rapid.SampledFrom(append(alert.Severities(), "", "strange", "<!here>"))
}

func addresses() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"https://x.example/a|b?c=<d>&e=f g", "http://h", "javascript:alert(1)", "https://x/" + strings.Repeat("a", 3200), "https://é.example/\u202E", ""}),
		texts(),
	)
}

func healths() *rapid.Generator[alert.Health] {
	return rapid.Custom(func(t *rapid.T) alert.Health {
		h := alert.Health{
			Connections: rapid.IntRange(0, 3).Draw(t, "connections"), ConnectedSince: instants().Draw(t, "since"),
			Held: texts().Draw(t, "held"), Waiting: rapid.IntRange(0, 100).Draw(t, "waiting"),
			LastError: texts().Draw(t, "error"), LastErrorAt: instants().Draw(t, "error at"),
		}
		for range rapid.IntRange(0, 15).Draw(t, "problems") {
			h.Problems = append(h.Problems, alert.Problem{What: texts().Draw(t, "what"), Fix: texts().Draw(t, "fix")})
		}
		return h
	})
}

func wantValid(t rapid.TB, view string, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Errorf("%s: %s", view, p)
	}
}

func checkIncident(t *rapid.T) {
	i := incidents().Draw(t, "incident")
	aside := rapid.SliceOfN(texts(), 0, 2).Draw(t, "small print")
	loud := pings(i.Mentions["#ops"])
	wantValid(t, "card", checkMessage(Card(i, "#ops", aside...), loud...))
	wantValid(t, "plain card", checkMessage(PlainCard(i, "#ops", aside...), loud...))
	wantValid(t, "card elsewhere", checkMessage(Card(i, "#other")))
	n := notes().Draw(t, "note")
	wantValid(t, "note", checkMessage(Note(i, n), pings(n.Mention)...))
	var mentioned []string
	for _, more := range rapid.SliceOfN(notes(), 0, 12).Draw(t, "notes") {
		if folded, ok := n.Fold(more); ok && folded != nil {
			n = *folded
		}
	}
	for _, one := range n.Notes() {
		mentioned = alert.Union(mentioned, one.Mention)
	}
	wantValid(t, "folded notes", checkMessage(Note(i, n), pings(mentioned)...))
	events := histories().Draw(t, "history")
	wantValid(t, "details", checkView(Details(i, events)))
	wantValid(t, "show", checkMessage(Show(i, events, addresses().Draw(t, "permalink"))))
	wantValid(t, "assign", checkView(AssignModal(i, "")))
	wantValid(t, "note dialog", checkView(NoteModal(i, "")))
}

func notes() *rapid.Generator[alert.Note] {
	topics := []alert.Topic{
		alert.TopicMore, alert.TopicResolved, alert.TopicReopened, alert.TopicEscalated, alert.TopicRefired, alert.TopicAcked, alert.TopicAssigned, alert.TopicUnacked, alert.TopicUnresolved, alert.TopicTemplate,
		alert.TopicNote, alert.TopicSilenced, alert.TopicUnanswered, alert.TopicReminder, alert.TopicHidden, alert.TopicUnsilenced, alert.TopicUninhibited,
		alert.TopicFlapping, alert.TopicStable, alert.TopicFormer, alert.TopicOthers, "strange", "<!channel>", "",
	}
	return rapid.Custom(func(t *rapid.T) alert.Note {
		return alert.Note{
			Topic: rapid.SampledFrom(topics).Draw(t, "topic"), Text: texts().Draw(t, "text"), Severity: severities().Draw(t, "severity"),
			Count: rapid.Int().Draw(t, "count"), After: time.Duration(rapid.Int64().Draw(t, "after")), By: people().Draw(t, "by"), To: people().Draw(t, "to"),
			At: instants().Draw(t, "at"), Mention: mentions().Draw(t, "mention"), Title: texts().Draw(t, "title"), Cut: rapid.Bool().Draw(t, "cut"),
		}
	})
}

func histories() *rapid.Generator[[]alert.Event] {
	verbs := []alert.Verb{
		alert.VerbOpen, alert.VerbReopen, alert.VerbAck, alert.VerbResolve, alert.VerbAssign, alert.VerbNote, alert.VerbSilence, alert.VerbUnsilence,
		alert.VerbEscalate, alert.VerbRemind, alert.VerbHold, alert.VerbShow, "strange", "<!here>", "",
	}
	one := rapid.Custom(func(t *rapid.T) alert.Event {
		return alert.Event{
			At: instants().Draw(t, "at"), Verb: rapid.SampledFrom(verbs).Draw(t, "verb"), By: people().Draw(t, "by"), To: people().Draw(t, "to"),
			Text: texts().Draw(t, "text"), Silence: texts().Draw(t, "silence"),
		}
	})
	return rapid.Custom(func(t *rapid.T) []alert.Event {
		return slices.Repeat(rapid.SliceOfN(one, 0, 8).Draw(t, "events"), rapid.IntRange(0, 12).Draw(t, "times"))
	})
}

func allMatchers() *rapid.Generator[alert.Matchers] {
	one := rapid.Custom(func(t *rapid.T) alert.Matcher {
		return alert.Matcher{Name: texts().Draw(t, "name"), Op: rapid.SampledFrom([]string{"=", "!=", "=~", "!~"}).Draw(t, "op"), Value: texts().Draw(t, "value")}
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 20), func(all []alert.Matcher) alert.Matchers { return all })
}

func silences() *rapid.Generator[alert.Silence] {
	return rapid.Custom(func(t *rapid.T) alert.Silence {
		return alert.Silence{
			ID: rapid.OneOf(rapid.Just("s-k7f2"), texts()).Draw(t, "id"), Matchers: allMatchers().Draw(t, "matchers"), EndsAt: instants().Draw(t, "ends"),
			By: people().Draw(t, "by"), Why: texts().Draw(t, "why"), Hidden: rapid.Int64().Draw(t, "hidden"),
		}
	})
}

func figures() *rapid.Generator[alert.Stats] {
	return rapid.Custom(func(t *rapid.T) alert.Stats {
		s := alert.Stats{
			From: instants().Draw(t, "from"), Alerts: rapid.Int64().Draw(t, "alerts"), Incidents: rapid.Int64().Draw(t, "incidents"),
			ToAck: time.Duration(rapid.Int64().Draw(t, "to ack")), ToResolve: time.Duration(rapid.Int64().Draw(t, "to resolve")),
			Latency: time.Duration(rapid.Int64().Draw(t, "latency")), LatencyMost: time.Duration(rapid.Int64().Draw(t, "most")),
			BySeverity: map[alert.Severity]int64{severities().Draw(t, "severity"): rapid.Int64().Draw(t, "count")},
		}
		for range rapid.IntRange(0, 12).Draw(t, "keys") {
			s.Noisiest = append(s.Noisiest, alert.KeyCount{Key: texts().Draw(t, "key"), Title: texts().Draw(t, "title"), Alerts: rapid.Int64().Draw(t, "noise")})
		}
		each := time.Duration(rapid.Int64Range(int64(time.Second), int64(48*time.Hour)).Draw(t, "each"))
		if rapid.Bool().Draw(t, "whole hours") {
			each = each.Truncate(time.Hour) + time.Hour
		}
		for n := range rapid.IntRange(0, 200).Draw(t, "buckets") {
			b := alert.Bucket{At: s.From.Add(time.Duration(n) * each)}
			if rapid.Bool().Draw(t, "busy") {
				b.BySeverity = map[alert.Severity]int64{severities().Draw(t, "severity"): rapid.Int64Range(0, 1e12).Draw(t, "count")}
			}
			s.Buckets = append(s.Buckets, b)
		}
		s.Until = s.From.Add(time.Duration(len(s.Buckets)) * each)
		return s
	})
}

func anyCharts() *rapid.Generator[Chart] {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	zones := []*time.Location{nil, time.UTC, berlin, time.FixedZone("<!channel> and a very long name of a zone", 5400)}
	return rapid.Custom(func(t *rapid.T) Chart {
		return Chart{Native: rapid.Bool().Draw(t, "native"), File: rapid.SampledFrom([]string{"", "F0CHART", "<!here>"}).Draw(t, "file"), Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
	})
}

func checkLists(t *rapid.T) {
	few := slices.Repeat(rapid.SliceOfN(incidents(), 0, 2).Draw(t, "incidents"), rapid.IntRange(0, 8).Draw(t, "times"))
	text, more := texts(), rapid.Bool().Draw(t, "more")
	counts := map[alert.Severity]int{severities().Draw(t, "severity"): rapid.IntRange(0, 1<<40).Draw(t, "count")}
	verb := rapid.SampledFrom([]alert.Verb{alert.VerbAck, alert.VerbUnack, alert.VerbResolve, alert.VerbReopen, alert.VerbAssign, alert.VerbNote, "show"}).Draw(t, "verb")
	first := few[:min(len(few), ChoiceRows)]
	choice := ChoiceView{Verb: verb, To: alert.Person{Name: text.Draw(t, "to")}, Incidents: first, Total: rapid.Int().Draw(t, "of"), All: text.Draw(t, "all")}
	for range first {
		choice.One = append(choice.One, text.Draw(t, "one"))
	}
	wantValid(t, "choice", checkMessage(Choice(choice)))
	wantValid(t, "undo", checkMessage(WithUndo(Unchanged(), text.Draw(t, "undo"))))
	wantValid(t, "too late to undo", checkMessage(TooLateToUndo(verb, []string{text.Draw(t, "undone id"), "k7f2"})))
	option := SilenceOption{Matchers: allMatchers().Draw(t, "option"), Matching: rapid.Int().Draw(t, "matched"), Value: text.Draw(t, "value")}
	wantValid(t, "silence choice", checkMessage(SilenceChoice(SilenceChoiceView{Options: []SilenceOption{option}, Until: instants().Draw(t, "until")})))
	list := List(ListView{
		Title: text.Draw(t, "title"), Incidents: few, From: rapid.Int().Draw(t, "from"), Total: rapid.Int().Draw(t, "total"),
		Newer: text.Draw(t, "newer"), Older: text.Draw(t, "older"), Here: text.Draw(t, "here"), Hint: text.Draw(t, "hint"),
	})
	wantValid(t, "list", checkMessage(list))
	wantValid(t, "list below an answer", checkMessage(Above(WithUndo(Acted([]alert.Acted{{Incident: acked(), Effect: alert.ActDone}}, alert.VerbAck), text.Draw(t, "undone")), list)))
	quiet := slices.Repeat(rapid.SliceOfN(silences(), 0, 3).Draw(t, "silences"), rapid.IntRange(0, 10).Draw(t, "silence times"))
	wantValid(t, "silences", checkMessage(Silences(quiet, more)))
	for _, s := range quiet[:min(len(quiet), 1)] {
		wantValid(t, "silenced", checkMessage(Silenced(s, rapid.Int().Draw(t, "n"))))
		wantValid(t, "unsilenced", checkMessage(Unsilenced(s)))
		wantValid(t, "silence begins", checkMessage(Card(s.RemindingIncident(s.EndsAt), "#ops", text.Draw(t, "small print"))))
	}
	wantValid(t, "silence dialog", checkView(SilenceModal(SilenceView{Matchers: text.Draw(t, "matchers"), Matching: rapid.Int().Draw(t, "matching")})))
	chart := anyCharts().Draw(t, "chart")
	stats := figures().Draw(t, "stats")
	wantValid(t, "stats", checkMessage(Stats(stats, chart)))
	chart.Native = false
	var mine []alert.Subscription
	for range rapid.IntRange(0, 20).Draw(t, "subscriptions") {
		mine = append(mine, alert.Subscription{Matchers: allMatchers().Draw(t, "subscribed")})
	}
	wantValid(t, "subscriptions", checkMessage(Subscriptions(mine)))
	wantValid(t, "home", checkView(Home(HomeView{
		Mine: few, Open: slices.Repeat(few, 2), Counts: counts, Silences: quiet, Heartbeats: slices.Repeat(heartbeats(), rapid.IntRange(0, 20).Draw(t, "heartbeats")), Now: instants().Draw(t, "now"), Health: healths().Draw(t, "health"), Subscriptions: mine, Stats: stats, Chart: chart,
	})))
}

func checkWords(t *rapid.T) {
	text := texts()
	acts := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) alert.Acted {
		effect := rapid.SampledFrom([]alert.ActEffect{alert.ActDone, alert.ActAlready, alert.ActUnknown, alert.ActNewer, ""}).Draw(t, "effect")
		return alert.Acted{Incident: incidents().Draw(t, "incident"), Effect: effect}
	}), 0, 3).Draw(t, "acts")
	acts = slices.Repeat(acts, rapid.IntRange(0, 30).Draw(t, "times"))
	verb := rapid.SampledFrom([]alert.Verb{alert.VerbAck, alert.VerbUnack, alert.VerbResolve, alert.VerbReopen, alert.VerbAssign, alert.VerbNote, ""}).Draw(t, "verb")
	wantValid(t, "acted", checkMessage(Acted(acts, verb)))
	wantValid(t, "denied", checkMessage(Denied(text.Draw(t, "what"), mentions().Draw(t, "may"))))
	wantValid(t, "id", checkView(CopyModal(text.Draw(t, "id"))))
	subscription := alert.Subscription{Matchers: allMatchers().Draw(t, "matchers")}
	wantValid(t, "subscribed", checkMessage(Subscribed(subscription)))
	wantValid(t, "unsubscribed", checkMessage(Unsubscribed(rapid.Int().Draw(t, "n"))))
	route := rapid.Custom(func(t *rapid.T) alert.Route {
		return alert.Route{
			Name: text.Draw(t, "name"), Matchers: allMatchers().Draw(t, "matchers"), To: rapid.SliceOfN(text, 0, 8).Draw(t, "to"), Mention: mentions().Draw(t, "mention"),
			Escalate: []alert.Step{{After: time.Duration(rapid.Int64().Draw(t, "after")), To: rapid.SliceOfN(text, 0, 8).Draw(t, "step"), Mention: mentions().Draw(t, "step mention")}},
			Quiet:    &alert.Quiet{Hours: alert.Hours{To: 7 * time.Hour, Zone: time.UTC}, Below: severities().Draw(t, "below")},
		}
	})
	routes := slices.Repeat(rapid.SliceOfN(route, 0, 3).Draw(t, "routes"), rapid.IntRange(0, 20).Draw(t, "route times"))
	wantValid(t, "on call", checkMessage(OnCall(OnCallView{
		Routing: alert.Routing{Default: text.Draw(t, "default"), Routes: routes}, Taken: slices.Repeat(rapid.SliceOfN(incidents(), 0, 2).Draw(t, "taken"), 8),
		Names: map[string]string{"U0ANN": text.Draw(t, "ann"), "S0OPS": text.Draw(t, "ops"), "here": text.Draw(t, "here")}, Now: instants().Draw(t, "now"),
	})))
}

func checkOthers(t *rapid.T) {
	health := healths().Draw(t, "health")
	open := slices.Repeat(rapid.SliceOfN(incidents(), 0, 2).Draw(t, "open"), rapid.IntRange(0, 15).Draw(t, "times"))
	more := rapid.Bool().Draw(t, "more")
	counts := map[alert.Severity]int{severities().Draw(t, "severity"): rapid.IntRange(0, 1<<40).Draw(t, "count")}
	shell := Shell{Server: texts().Draw(t, "server"), Token: rapid.Bool().Draw(t, "token")}
	version := texts().Draw(t, "version")
	wantValid(t, "home", checkView(Home(HomeView{Open: open, Counts: counts, Health: health, Shell: shell, Version: version, DrawnAt: instants().Draw(t, "drawn")})))
	wantValid(t, "modal", checkView(TestModal(texts().Draw(t, "default channel"))))
	wantValid(t, "status", checkMessage(Status(StatusView{Counts: counts, Health: health, Version: version})))
	wantValid(t, "help", checkMessage(Help(HelpView{Direct: more, Shell: shell, Version: version})))
	record := alert.Record{
		Standing: rapid.SampledFrom([]alert.Standing{alert.StandPending, alert.StandDelivered, alert.StandFolded, alert.StandSilenced, alert.StandDead, ""}).Draw(t, "standing"),
		Reason:   texts().Draw(t, "reason"), Lane: texts().Draw(t, "lane"), Conversation: texts().Draw(t, "conversation"),
		StartedAt: instants().Draw(t, "started"), DeliveredAt: instants().Draw(t, "delivered"),
	}
	report := TestReport{What: "test alert", Record: record, Asked: instants().Draw(t, "asked"), Kept: instants().Draw(t, "kept"), Permalink: addresses().Draw(t, "permalink"), Health: health}
	wantValid(t, "test result", checkMessage(TestResult(report)))
	wantValid(t, "unknown", checkMessage(Unknown(texts().Draw(t, "said"), texts().Draw(t, "nearest"), "help")))
	wantValid(t, "refused", checkMessage(Refused(texts().Draw(t, "what"), texts().Draw(t, "hint"))))
}

func TestNoIncidentMakesACardOverSlacksLimits(t *testing.T) { rapid.Check(t, checkIncident) }

func TestNoOtherViewIsOverSlacksLimits(t *testing.T) { rapid.Check(t, checkOthers) }

func TestNoListIsOverSlacksLimits(t *testing.T) { rapid.Check(t, checkLists) }

func TestNoAnswerIsOverSlacksLimits(t *testing.T) { rapid.Check(t, checkWords) }

func FuzzCard(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkIncident)) }

func FuzzLists(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkLists)) }

func FuzzAnswers(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkWords)) }

func TestACutNeverTearsACharacterApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := clean(texts().Draw(t, "text"))
		budget := rapid.IntRange(maxCluster*5+1, 400).Draw(t, "budget")
		got := shorter(s, budget)
		if n := alert.EscapedLen(got); n > budget {
			t.Fatalf("%d characters, more than %d", n, budget)
		}
		kept, cut := strings.CutSuffix(got, ellipsis)
		if !cut || got == s {
			return
		}
		rest, ok := strings.CutPrefix(s, kept)
		if !ok {
			t.Fatalf("%q does not begin with %q", s, kept)
		}
		if first := []rune(rest); len(first) > 0 && kept != "" && extends(first[0]) && len(kept) > maxCluster*4 && !strings.Contains(kept, strings.Repeat("\u0301", 10)) {
			t.Fatalf("cut before %U", first[0])
		}
	})
}

func TestALongNoteBehindAnotherFitsInOneMessage(t *testing.T) {
	n := alert.Note{Topic: alert.TopicAcked, Text: strings.Repeat("long words ", 800), Before: []alert.Note{{Topic: alert.TopicOthers, Count: 1}}}
	wantValid(t, "folded notes", checkMessage(Note(alert.Incident{ID: "k7f2", Title: strings.Repeat("disk full ", 200)}, n)))
}
