package handlers

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/alert"
)

func TestATestOrderIsReadInAnyOrderAndSpelling(t *testing.T) {
	for text, want := range map[string]testOrder{
		"":                                   {"", alert.Info, ""},
		"   \u00a0 ":                         {"", alert.Info, ""},
		"#ops":                               {"#ops", alert.Info, ""},
		"critical":                           {"", alert.Critical, ""},
		"#ops critical":                      {"#ops", alert.Critical, ""},
		"Critical #ops":                      {"#ops", alert.Critical, ""},
		"#Ops\u00a0WARNING":                  {"#ops", alert.Warning, ""},
		"<#C0OPS1|ops> error":                {"C0OPS1", alert.Error, ""},
		"<#C0OPS1|>":                         {"C0OPS1", alert.Info, ""},
		"<#C0OPS1>critical":                  {"C0OPS1", alert.Critical, ""},
		"C0OPS1 warning":                     {"C0OPS1", alert.Warning, ""},
		"@ann":                               {"@ann", alert.Info, ""},
		"<@U0ANN1> info":                     {"U0ANN1", alert.Info, ""},
		"<@U0ANN1|ann smith> info":           {"U0ANN1", alert.Info, ""},
		"\u201c#ops\u201d \u2018error\u2019": {"#ops", alert.Error, ""},
		"`#ops`, *critical*!":                {"#ops", alert.Critical, ""},
		"ann@example.com":                    {"ann@example.com", alert.Info, ""},
		"<mailto:ann@example.com|ann@example.com> error": {"ann@example.com", alert.Error, ""},
		"\u200b#ops\u200b critical\ufeff":                {"#ops", alert.Critical, ""},
		"#größe":                                         {"#größe", alert.Info, ""},
	} {
		got, err := parseTest(read(text).words)
		want.title = "Test alert"
		if got.channel != "" {
			got.channel, _ = alert.ParseConversation(got.channel)
		}
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestAWrongTestOrderIsAnsweredWithWhatToWrite(t *testing.T) {
	for text, want := range map[string][2]string{
		"warnign":                     {"severity warnign", "Did you mean warning?"},
		"citical #ops":                {"severity citical", "Did you mean critical?"},
		"ops":                         {"severity ops", "write #ops"},
		"&lt;b&gt;":                   {"conversation <b>", "#name"},
		"#ops #dev":                   {"second channel", "[channel] [severity]"},
		"info error":                  {"second severity", "[channel] [severity]"},
		"#":                           {"conversation #", "#name"},
		"<!channel>":                  {"conversation <!channel>", "#name"},
		"<http://x|#ops>":             {"conversation <http://x|#ops>", "#name"},
		"#two&amp;words":              {"conversation #two&words", "#name"},
		"#" + strings.Repeat("x", 90): {"conversation #xxx", "#name"},
	} {
		_, err := parseTest(read(text).words)
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		if !strings.Contains(err.Message, want[0]) || !strings.Contains(err.Hint, want[1]) {
			t.Errorf("%q: %q, %q; want %q, %q", text, err.Message, err.Hint, want[0], want[1])
		}
	}
}

func TestNearMissesAreRecognised(t *testing.T) {
	words := []string{"help", "status", "test"}
	for said, want := range map[string]string{
		"stauts": "status", "statu": "status", "hlep": "help", "hepl": "help", "tset": "test", "tests": "test",
		"x": "", "": "", "silence": "", "state": "status", strings.Repeat("help", 1000): "",
	} {
		if got := nearest(said, words); got != want {
			t.Errorf("%q: got %q, want %q", said, got, want)
		}
	}
}

func FuzzParseTest(f *testing.F) {
	for _, seed := range []string{"", "#ops critical", "<#C0OPS1|ops>", "<@U1|x y> \u201cinfo\u201d", "<", "\xff", "&lt;&gt;", "<mailto:a@b.c|"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		order, err := parseTest(read(text).words)
		if err != nil {
			if err.Message == "" || err.Hint == "" || !utf8.ValidString(err.Message) {
				t.Errorf("%q: answer %+v", text, err)
			}
			return
		}
		if !slices.Contains(alert.Severities(), order.severity) {
			t.Errorf("%q: severity %q", text, order.severity)
		}
		if order.channel == "" {
			return
		}
		if _, err := alert.ParseConversation(order.channel); err != nil {
			t.Errorf("%q: channel %q: %v", text, order.channel, err)
		}
	})
}
