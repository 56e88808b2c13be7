package render

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// hostile are the texts that have broken other people's cards.
var hostile = []string{
	"<!channel>", "<!here|x>", "<@U0ANN>", "<http://evil.example|bank.com>", "&lt;!channel&gt;", "&amp;", "&", "<", ">", "> quoted",
	"*bold* _it_ ~no~ `code` ```block```", "@channel", "#general", "\u202Egnp.exe", "\u2066x\u2069", "\u200B", "\u200F", "\x00", "\x1b[31m",
	"👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "e\u0301\u0301\u0301", "한글", "a\u0300" + strings.Repeat("\u0301", 200), "\xff\xfe", "", " ", "\n\n", "\r\n\t", "\u2028", "\u3164",
	strings.Repeat("&", 900), strings.Repeat("<>", 1500), strings.Repeat("x", 3000), strings.Repeat("long words ", 800), "https://x.example/?a=1&b=2",
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
			State:    rapid.SampledFrom(states).Draw(t, "state"),
			Severity: severities().Draw(t, "severity"),
			Source:   texts().Draw(t, "source"), Title: texts().Draw(t, "title"), Text: texts().Draw(t, "text"),
			Labels:  rapid.MapOfN(texts(), texts(), 0, 40).Draw(t, "labels"),
			Mention: texts().Draw(t, "mention"), Count: rapid.Int().Draw(t, "count"),
			FirstAt: instants().Draw(t, "first"), LastAt: instants().Draw(t, "last"), ResolvedAt: instants().Draw(t, "resolved"),
			AckedBy: alert.Person{Name: texts().Draw(t, "acked by")},
			Lanes:   rapid.SliceOfN(texts(), 0, 5).Draw(t, "lanes"),
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
	wantValid(t, "card", checkMessage(Card(i, "#ops", aside...)))
	wantValid(t, "plain card", checkMessage(PlainCard(i, "#ops", aside...)))
	n := alert.Note{
		Topic: rapid.SampledFrom([]alert.Topic{alert.TopicMore, alert.TopicResolved, alert.TopicReopened, alert.TopicEscalated, "strange"}).Draw(t, "topic"),
		Text:  texts().Draw(t, "note"), Severity: severities().Draw(t, "note severity"), Count: rapid.Int().Draw(t, "note count"),
		After: time.Duration(rapid.Int64().Draw(t, "after")), By: alert.Person{Name: texts().Draw(t, "by")},
	}
	wantValid(t, "note", checkMessage(Note(i, n)))
}

func checkOthers(t *rapid.T) {
	health := healths().Draw(t, "health")
	open := slices.Repeat(rapid.SliceOfN(incidents(), 0, 2).Draw(t, "open"), rapid.IntRange(0, 15).Draw(t, "times"))
	more := rapid.Bool().Draw(t, "more")
	shell := Shell{Server: texts().Draw(t, "server"), Token: rapid.Bool().Draw(t, "token")}
	version := texts().Draw(t, "version")
	wantValid(t, "home", checkView(Home(HomeView{Open: open, More: more, Health: health, Shell: shell, Version: version, DrawnAt: instants().Draw(t, "drawn")})))
	wantValid(t, "modal", checkView(TestModal(texts().Draw(t, "default channel"))))
	wantValid(t, "status", checkMessage(Status(StatusView{Open: open, More: more, Health: health, Version: version})))
	wantValid(t, "help", checkMessage(Help(HelpView{Direct: more, Shell: shell, Version: version})))
	record := alert.Record{
		Standing: rapid.SampledFrom([]alert.Standing{alert.StandPending, alert.StandDelivered, alert.StandFolded, alert.StandSilenced, alert.StandDead, ""}).Draw(t, "standing"),
		Reason:   texts().Draw(t, "reason"), Lane: texts().Draw(t, "lane"), Conversation: texts().Draw(t, "conversation"),
		StartedAt: instants().Draw(t, "started"), DeliveredAt: instants().Draw(t, "delivered"),
	}
	report := TestReport{Record: record, Asked: instants().Draw(t, "asked"), Kept: instants().Draw(t, "kept"), Permalink: addresses().Draw(t, "permalink"), Health: health}
	wantValid(t, "test result", checkMessage(TestResult(report)))
	wantValid(t, "unknown", checkMessage(Unknown(texts().Draw(t, "said"), texts().Draw(t, "nearest"), "help")))
	wantValid(t, "refused", checkMessage(Refused(texts().Draw(t, "what"), texts().Draw(t, "hint"))))
}

func TestNoIncidentMakesACardOverSlacksLimits(t *testing.T) { rapid.Check(t, checkIncident) }

func TestNoOtherViewIsOverSlacksLimits(t *testing.T) { rapid.Check(t, checkOthers) }

func FuzzCard(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkIncident)) }

func TestACutNeverTearsACharacterApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := clean(texts().Draw(t, "text"))
		budget := rapid.IntRange(maxCluster*5+1, 400).Draw(t, "budget")
		got := fit(s, budget)
		if n := len([]rune(got)); n > budget {
			t.Fatalf("%d characters, more than %d", n, budget)
		}
		unescaped := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(got)
		kept, cut := strings.CutSuffix(unescaped, ellipsis)
		if !cut || unescaped == s {
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
