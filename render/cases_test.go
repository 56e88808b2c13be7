package render

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// incidentOf is the incident of the alert in testdata/cases/NAME.json, as it is accepted.
func incidentOf(t *testing.T, name string) alert.Incident {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "cases", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var a alert.Alert
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	return accepted(t, a)
}

func accepted(t *testing.T, a alert.Alert) alert.Incident {
	t.Helper()
	if err := a.Prepare(at("14:05:10")); err != nil {
		t.Fatal(err)
	}
	return alert.Incident{
		ID: "k7f2", Key: a.Key, Route: alert.DefaultRoute, State: alert.Open, Severity: a.Severity, Title: a.Title, Text: a.Text, Format: a.Format,
		Labels: a.Labels, Links: a.Links, Images: a.Images, Count: 1, FirstAt: at("14:05:10"), LastAt: at("14:05:10"), Lanes: []string{"#ops"},
	}
}

// read is what a person reads on a message, and which addresses it links. Code is in
// brackets.
func read(t *testing.T, m Message, pings ...string) (words string, links []string) {
	t.Helper()
	wantValid(t, "message", checkMessage(m, pings...))
	var b strings.Builder
	var walk func(any)
	walk = func(part any) {
		switch part := part.(type) {
		case []any:
			for _, one := range part {
				walk(one)
			}
		case map[string]any:
			address, _ := part["url"].(string)
			text, _ := part["text"].(string)
			switch {
			case part["type"] == "link" && text == "":
				text = address
			case part["type"] == "plain_text" || part["type"] == "mrkdwn":
				text = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text) + "\n"
			}
			if address != "" {
				links = append(links, address)
			}
			for _, o := range list(part["options"]) {
				if address, ok := o.(map[string]any)["url"].(string); ok {
					links = append(links, address)
				}
			}
			if style, styled := part["style"].(map[string]any); styled && style["code"] == true {
				text = "[" + text + "]"
			}
			b.WriteString(text)
			if part["type"] == "rich_text_preformatted" {
				b.WriteString("[")
			}
			for _, name := range []string{"text", "fields", "elements", "accessory", "blocks"} {
				if _, isText := part[name].(string); !isText {
					walk(part[name])
				}
			}
			switch part["type"] {
			case "rich_text_preformatted":
				b.WriteString("]\n")
			case "rich_text_section":
				b.WriteString("\n")
			}
		}
	}
	var blocks []any
	decode(m.Blocks, &blocks)
	walk(blocks)
	var attachments []any
	decode(m.Attachments, &attachments)
	walk(attachments)
	return b.String(), links
}

func list(v any) []any {
	all, _ := v.([]any)
	return all
}

func TestWhatPeopleSendIsShownAsTheyWroteIt(t *testing.T) {
	for name, want := range map[string][]string{
		"01-log-verbatim": {"ConnectionFailed at lib/foo.rb:100:in `initialize'", "at lib/foo.rb:100:in `initialize' <<< lib/bar.rb:7:in `initialize', path: /api?m1=*&m2=hoge&m3=*", `where="foo.rb:100:in"`},
		"02-cron-text":    {"Schedule: */5 * * * * missed"},
		"03-ansi":         {"🟠 Matching /a/x.log\n", "FAIL 2 tests log done\n"},
		"11-url-in-text":  {"Query: https://redash.example.com/queries/12 Alert: https://redash.example.com/alerts/3", `dash="https://logs.example.com/_dashboards/app?_g=(a:b)&_a=(c:d)"`},
		"21-copy":         {`cron="*/5 * * * *"`, `host="*.example.com"`, `url="https://logs.example.com/_dashboards/app?_g=()"`},
	} {
		i := incidentOf(t, name)
		card := Card(i, "#ops")
		words, links := read(t, card)
		told := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(card.Text)
		thread, _ := read(t, Note(i, alert.Note{Topic: alert.TopicMore, Text: i.Text}))
		for _, w := range want {
			if !strings.Contains(words, w) {
				t.Errorf("%s: the card lacks %q: %s", name, w, words)
			}
			if w = strings.TrimPrefix(strings.TrimSpace(w), "🟠 "); !strings.Contains(told, w) && !strings.Contains(w, `="http`) {
				t.Errorf("%s: the notification lacks %q: %s", name, w, told)
			}
		}
		if i.Text != "" && !strings.Contains(thread, i.Text) {
			t.Errorf("%s: the thread lacks %q: %s", name, i.Text, thread)
		}
		if name == "11-url-in-text" {
			all := []string{"https://redash.example.com/queries/12", "https://redash.example.com/alerts/3", "https://logs.example.com/_dashboards/app?_g=(a:b)&_a=(c:d)"}
			if !slices.Equal(links, all) {
				t.Errorf("the links are %q", links)
			}
		}
	}
}

func TestALongAddressIsNeverALinkThatLeadsElsewhere(t *testing.T) {
	for name, address := range map[string]string{
		"long":                   "https://x.example/" + strings.Repeat("a", 4042),
		"with another in it":     "https://x.example/" + strings.Repeat("https://other.example/&", 400),
		"just too long":          "https://x.example/" + strings.Repeat("b", 2800),
		"as long as a link":      "https://x.example/" + strings.Repeat("c", 2600),
		"ends where a page does": "https://x.example/" + strings.Repeat("d", alert.PageSize-18),
	} {
		for _, before := range []string{"", "see ", strings.Repeat("word ", 540), strings.Repeat("word ", 400) + "\n" + strings.Repeat("x", 790) + " ", strings.Repeat("é", 2000) + "\n"} {
			i := accepted(t, alert.Alert{Title: "a long address", Text: before + address + " and the end"})
			var all string
			_, links := read(t, Card(i, "#ops"))
			for n, page := range alert.Pages(i.Text, math.MaxInt) {
				if all += page; n == 0 {
					continue
				}
				_, more := read(t, Note(i, alert.Note{Topic: alert.TopicMore, Text: page}))
				links = append(links, more...)
			}
			for _, to := range links {
				if to != address {
					t.Errorf("%s behind %d bytes: a link leads to %.60s… of %d bytes", name, len(before), to, len(to))
				}
			}
			if all != i.Text || name == "as long as a link" && len(links) != 1 {
				t.Errorf("%s behind %d bytes: %d links; the pages have %d of %d bytes", name, len(before), len(links), len(all), len(i.Text))
			}
		}
	}
}

// linked finds what Slack makes a link of in a page: in mrkdwn, which is verbatim, what is
// between < and >, and in Markdown every address that is not code.
func linked(t *testing.T, m Message) (addresses []string) {
	t.Helper()
	for _, b := range m.Blocks {
		switch b := b.(type) {
		case *slack.MarkdownBlock:
			text := b.Text
			for _, code := range slices.Backward(codeIn(text)) {
				text = text[:code.from] + text[code.to:]
			}
			addresses = append(addresses, regexp.MustCompile(`https?://[^\s)`+"`"+`]+`).FindAllString(text, -1)...)
		case *slack.SectionBlock:
			for _, found := range regexp.MustCompile(`<(https?://[^|>]+)`).FindAllStringSubmatch(b.Text.Text, -1) {
				addresses = append(addresses, found[1])
			}
		}
	}
	return addresses
}

func TestALongAddressInMarkupIsNeverALinkThatLeadsElsewhere(t *testing.T) {
	const short = "https://short.example/x"
	long := "https://x.example/" + strings.Repeat("a", 4042)
	nested := "https://x.example/?to=" + strings.Repeat("https://other.example/&", 400)
	for format, texts := range map[alert.Format][]string{
		alert.FormatMarkdown: {"[run](" + long + ") and [more](" + short + ")", "**bold** " + nested + " and " + short, "```\n" + long + "\n```\n" + short},
		alert.FormatMrkdwn:   {"<" + long + "|run> and <" + short + "|more>", "*bold* " + nested + " and " + short},
	} {
		for _, text := range texts {
			for _, before := range []string{"", "see ", strings.Repeat("word ", 540)} {
				i := accepted(t, alert.Alert{Title: "a long address", Text: before + text, Format: format})
				links := linked(t, Card(i, "#ops"))
				var shown string
				for n, page := range alert.Pages(i.Text, math.MaxInt) {
					if n > 0 {
						links = append(links, linked(t, Note(i, alert.Note{Topic: alert.TopicMore, Text: page}))...)
					}
					shown += page
				}
				if !slices.Equal(links, []string{short}) || !strings.Contains(text, "```") && shown != i.Text {
					t.Errorf("%s behind %d bytes, %.30q…: the links are %.200q", format, len(before), text, links)
				}
			}
		}
	}
}

func TestEveryLinkIsOnTheCardInDetailsOrInTheText(t *testing.T) {
	for name, c := range map[string]struct{ links, images, size, text int }{
		"six long": {6, 0, 2900, 50}, "six of middle size": {6, 0, 800, 50}, "twelve short": {12, 0, 20, 50}, "forty": {40, 0, 60, 5000}, "seven, long text": {7, 0, 150, 9000},
		"one long, long text": {1, 0, 2900, 4000}, "images": {3, 5, 700, 100}, "long images": {1, 5, 2900, 2000},
	} {
		a := alert.Alert{Title: "many links", Text: strings.Repeat("text ", c.text/5)}
		var all []string
		for n := range c.links {
			all = append(all, fmt.Sprintf("https://x.example/%d/%s", n, strings.Repeat("y", c.size)))
			a.Links = append(a.Links, alert.Link{Label: fmt.Sprint("Link ", n), URL: all[n]})
		}
		for n := range c.images {
			all = append(all, fmt.Sprintf("https://i.example/%d/%s", n, strings.Repeat("z", c.size)))
			a.Images = append(a.Images, alert.Image{URL: all[c.links+n]})
		}
		i := accepted(t, a)
		messages := []Message{Card(i, "#ops")}
		for _, n := range alert.AfterFirstPage(i.Text) {
			if n.Topic == alert.TopicText {
				messages = append(messages, Message{Text: n.Text})
			} else {
				messages = append(messages, Note(i, n))
			}
		}
		details := Details(i, nil)
		wantValid(t, name+", details", checkView(details))
		shown, err := json.Marshal([]any{messages, details})
		if err != nil {
			t.Fatal(err)
		}
		for _, address := range all {
			if !strings.Contains(string(shown), address) && !strings.Contains(i.Text, address) {
				t.Errorf("%s: %.30s… is nowhere", name, address)
			}
		}
		if len(i.Links) > 0 && !strings.Contains(string(shown), i.Links[len(i.Links)-1].URL) {
			t.Errorf("%s: the details lack a link", name)
		}
		wantValid(t, name, checkMessage(messages[0]))
	}
}

func TestEveryPageOfAFencedTextIsCode(t *testing.T) {
	i := incidentOf(t, "13-long-fence")
	pages := alert.Pages(i.Text, math.MaxInt)
	if len(pages) < 3 {
		t.Fatalf("the text has %d pages", len(pages))
	}
	for n, page := range pages {
		m := Note(i, alert.Note{Topic: alert.TopicMore, Text: page})
		words, _ := read(t, m)
		_, code, _ := strings.Cut(words, "[")
		if before, _, _ := strings.Cut(words, "["); strings.Contains(before, "select") || !strings.Contains(code, "select") || strings.Contains(words, "```") {
			t.Errorf("page %d: %s", n, words)
		}
	}
}

func TestTextOfManyKindsIsShownAsItIsWritten(t *testing.T) {
	for _, text := range []string{
		":100: :fire:", "&amp; &lt;!here&gt; &", "a lone ` and *one* _two_ ~three~", "> quoted", "* item", "zero\u200bwidth \u200dx\u2060",
		"<!here> <@U0ANN> <!subteam^S0ALL>", "@here @channel #general", "<https://x.example|label>", "\u200fעברית", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
		"\ue0b0 powerline", "a|b¦c", "snake_case_name **/*.go", "1 * 2 * 3",
	} {
		i := accepted(t, alert.Alert{Title: text, Text: "text " + text, Labels: map[string]string{"label": text}, Links: []alert.Link{{Label: text, URL: "https://x.example/"}}})
		views := map[string]Message{
			"card": Card(i, "#ops"), "list": List(ListView{Title: text, Incidents: []alert.Incident{i}, Total: 1}), "note": Note(i, alert.Note{Topic: alert.TopicNote, Text: text}),
			"digest": Digest(alert.Summary{Total: 1, Top: []alert.Line{{ID: "k7f2", Title: text}}}, ""), "stats": Stats(alert.Stats{Noisiest: []alert.KeyCount{{Key: text, Title: text}}}, Chart{}),
			"show": Show(i, []alert.Event{{Verb: alert.VerbNote, Text: text}}, ""), "acted": Acted([]alert.Acted{{Incident: i, Effect: alert.ActDone}}, alert.VerbAck),
		}
		for name, m := range views {
			if words, _ := read(t, m); !strings.Contains(words, strings.TrimSpace(text)) {
				t.Errorf("%s of %q: %q", name, text, words)
			}
			if !strings.Contains(m.Text, escaper.Replace(text)) && name != "list" {
				t.Errorf("text of %s of %q: %q", name, text, m.Text)
			}
		}
		home := Message{Text: "home", Blocks: Home(HomeView{Open: []alert.Incident{i}}).Blocks.BlockSet}
		if words, _ := read(t, home); !strings.Contains(words, title(text)) {
			t.Errorf("home of %q: %s", text, words)
		}
	}
}

func TestALinkLeadsWhereTheTextSays(t *testing.T) {
	for text, want := range map[string]string{
		"see https://x.example/a.":                                             "https://x.example/a",
		"(https://x.example/a_(b))":                                            "https://x.example/a_(b)",
		"(see https://x.example/a)":                                            "https://x.example/a",
		"[x](https://x.example/a), and":                                        "https://x.example/a",
		"<https://x.example/a>":                                                "https://x.example/a",
		"https://x.example/a?b=c&d=%20#e!":                                     "https://x.example/a?b=c&d=%20#e",
		"*https://x.example/a*":                                                "https://x.example/a",
		"see *this: https://x.example/a*":                                      "https://x.example/a",
		"_**https://x.example/a**_, ~https://x.example/~":                      "https://x.example/a https://x.example/",
		"https://x.example/a_ https://x.example/b*":                            "https://x.example/a_ https://x.example/b*",
		"snake_case https://x.example/q=a~.":                                   "https://x.example/q=a~",
		"*/5 * * * * https://x.example/a*":                                     "https://x.example/a*",
		"*bold* https://x.example/a*":                                          "https://x.example/a*",
		"https://x.example/cut/of…":                                            "",
		"HTTP://X.example/A;":                                                  "HTTP://X.example/A",
		"https://[::1]:8126/x":                                                 "https://[::1]:8126/x",
		"https://kibana.example/app?_g=(t:(f:now-1h))&_a":                      "https://kibana.example/app?_g=(t:(f:now-1h))&_a",
		"https:// http://":                                                     "",
		"xhttps://x.example":                                                   "",
		"mailto:a@b.example ftp://x.example":                                   "",
		"https://x.example/" + strings.Repeat("y", 3000):                       "",
		"“https://x.example/a”。":                                               "https://x.example/a",
		"<https://x.example/a|label> <https://x.example/b|two words>":          "https://x.example/a https://x.example/b",
		"|https://x.example/a|https://x.example/b| c |":                        "https://x.example/a https://x.example/b",
		"https://x.example/?q=a|b":                                             "https://x.example/?q=a|b",
		"https://x.example/<id>/log https://x.example/api<v>/x https://x/?<q>": "",
		"https://x.example/a<br>https://x.example/b</a>":                       "https://x.example/a https://x.example/b",
		"https://x.example/…/log (https://x.example/cut…)":                     "",
		"[a](https://x.example/a),[b](https://x.example/b(c))d":                "https://x.example/a https://x.example/b(c)",
		"https://x.example/sum(rate(a[5m])) {https://x.example/a}b":            "https://x.example/sum(rate(a[5m])) https://x.example/a",
		"['https://x.example/a','https://x.example/b'] it's":                   "https://x.example/a https://x.example/b",
		"‘https://x.example/a’s «https://x.example/b»c":                        "https://x.example/a https://x.example/b",
		"https://x.example/L’Équipe’s":                                         "https://x.example/L’Équipe’s",
		"https://x.example/a,https://x.example/b;c=https://x.example/c":        "https://x.example/a https://x.example/b https://x.example/c",
		"https://x.example/?u=a,https://x.example/b":                           "https://x.example/?u=a,https://x.example/b",
		"https://x.example/web/https://y.example/":                             "https://x.example/web/https://y.example/",
		`{\"url\":\"https://x.example/a\"} https://x.example/b\nnext`:          "https://x.example/a https://x.example/b",
		"&lt;https://x.example/a&gt; https://x.example/?a=1&amp;lt=2":          "https://x.example/a https://x.example/?a=1&amp;lt=2",
		"详情https://x.example/a。请看（https://x.example/b）、https://x.example/c":    "https://x.example/a https://x.example/b https://x.example/c",
		"https://x.example/a\u00a0b https://x.example/b\u200bc\u3000d":         "https://x.example/a https://x.example/b",
	} {
		var found []string
		for _, span := range addressesIn(text) {
			found = append(found, text[span[0]:span[1]])
		}
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%.60q: got %.60q, want %q", text, got, want)
		}
	}
}

func TestALabelCopiedFromACardSilencesIt(t *testing.T) {
	for _, value := range []string{
		"*/5 * * * *", "*.example.com", "db-3", "a,b", "{x}", "a=b", "<none>", "100%", "µ", "`x`", "it's", "(a|b)", "zero\u200bwidth", " padded ", "https://e.example/_a?_g=(b:c)&d=*", "see https://e.example/p",
		`a "quoted" word`, `"`, `C:\temp\new`, `\`, `a\`, "two\nlines", "a\r\nb", "tab\there", "bell\x07", "\u202eright", "“typographic”", "critical", "none", strings.Repeat("long ", 20) + `\"`,
	} {
		for _, name := range []string{"cron", "severity", "source", "key", "title", "channel", "Severity", "labels.key", `back\slash`, "a b", "größe", "x=y", `"q"`, "(a)", "a~b", "{a}", "a,b", "'", "https://x.example"} {
			l := newLabel(name, value)
			shown := l.field()
			if budget := maxLabelValue; l.short() || l.linked() {
				shown = l.pair(budget)
			}
			// What is said is escaped, which Slack undoes when it shows it.
			matchers, err := alert.ParseMatchers(strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(said(shown)))
			other := alert.Subject{Severity: alert.Critical, Source: value, Key: value, Title: value, Channel: value, Labels: map[string]string{name: value + "x"}}
			if err != nil || !matchers.Match(alert.Subject{Labels: map[string]string{name: value}}) || matchers.Match(other) {
				t.Errorf("%s %q is drawn as %s, which gives %v, %v", name, value, shown, matchers, err)
			}
		}
	}
}

func TestALabelThatIsCutMatchesWhereItIsPasted(t *testing.T) {
	for _, value := range []string{strings.Repeat("a.b*c ", 100), strings.Repeat("é&<", 200), strings.Repeat(`"\`, 300), "https://x.example/" + strings.Repeat("y", 4000)} {
		for _, name := range []string{"cmd", "title", "a b"} {
			l := newLabel(name, value)
			for _, shown := range []string{l.field(), l.pair(maxLabelValue)} {
				matchers, err := alert.ParseMatchers(strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(said(shown)))
				if err != nil || len(matchers) != 1 || !matchers.Match(alert.Subject{Labels: map[string]string{name: value}}) || matchers.Match(alert.Subject{Labels: map[string]string{name: "x" + value}}) {
					t.Errorf("%s %.20q is drawn as %s, which gives %v, %v", name, value, shown, matchers, err)
				}
			}
		}
	}
}

func TestALabelIsNotHiddenBehindAFieldOfItsName(t *testing.T) {
	i := accepted(t, alert.Alert{Title: "disk full", Severity: "warning", Labels: map[string]string{"severity": "critical", "source": "node", "key": "a b", "channel": "ops", "title": "other"}})
	words, _ := read(t, Card(i, "#ops"))
	for _, want := range []string{"labels.severity=critical", "labels.source=node", `labels.key="a b"`, "labels.channel=ops", "labels.title=other"} {
		if !strings.Contains(words, want) {
			t.Errorf("the card lacks %s: %s", want, words)
		}
	}
	if words, _ := read(t, Card(accepted(t, alert.Alert{Title: "disk full", Labels: map[string]string{"severity": "critical"}}), "#ops")); !strings.HasPrefix(words, "🔴") || strings.Contains(words, "severity") {
		t.Errorf("the severity is shown twice, or not taken from the label: %s", words)
	}
}

func TestATitleFromRightToLeftIsLaidOutSo(t *testing.T) {
	for name, want := range map[string]string{
		"\u05d3\u05d9\u05e1\u05e7 \u05de\u05dc\u05d0 db-3!": "\u200f\u2067🟠 \u05d3\u05d9\u05e1\u05e7 \u05de\u05dc\u05d0 db-3!\u2069",
		"disk \u05de\u05dc\u05d0":                           "🟠 disk \u05de\u05dc\u05d0",
		"123 \u0642\u0631\u0635":                            "\u200f\u2067🟠 123 \u0642\u0631\u0635\u2069",
	} {
		words, _ := read(t, Card(accepted(t, alert.Alert{Title: name}), "#ops"))
		if got, _, _ := strings.Cut(words, "\n"); got != want {
			t.Errorf("%q is drawn as %q, not %q", name, got, want)
		}
	}
	const mixed = "\u05d3\u05d9\u05e1\u05e7 db-3"
	for name, m := range map[string]Message{
		"a digest":   Digest(alert.Summary{Total: 1, Top: []alert.Line{{ID: "k7f2", Title: mixed}}}, ""),
		"on call":    OnCall(OnCallView{Taken: []alert.Incident{{ID: "k7f2", State: alert.Acked, Title: mixed}}}),
		"statistics": Stats(alert.Stats{Noisiest: []alert.KeyCount{{Key: "disk", Title: mixed}}}, Chart{}),
	} {
		if words, _ := read(t, m); !strings.Contains(words, "\u200f\u2067"+mixed+"\u2069  ·  ") {
			t.Errorf("%s says %q", name, words)
		}
	}
	if got := titleIn(strings.Repeat("\u05d3", 200), 100); size(got) != 100 || !strings.HasSuffix(got, "…\u2069") {
		t.Errorf("a long one is %q", got)
	}
}

func TestANotificationSaysWhatHappenedBeforeItsStatus(t *testing.T) {
	i := with(diskFull(), func(i *alert.Incident) { i.Mentions = map[string][]string{"#ops": {"S0OPS"}} })
	lines := strings.Split(Card(i, "#ops", Twice).Text, "\n")
	if lines[0] != "🔴 Critical: disk full on db-3" || lines[1] != "/var/lib/postgresql has 0 bytes left." {
		t.Errorf("it begins with %q", lines[:2])
	}
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "began") }); i < 3 {
		t.Errorf("its status is line %d of %q", i, lines)
	}
}

func TestACardSaysEverythingOnce(t *testing.T) {
	i := with(diskFull(), func(i *alert.Incident) {
		i.Mention, i.Mentions = "@db-oncall", map[string][]string{"#ops": {"S0OPS"}}
		i.Count, i.LastAt = 2, i.FirstAt.Add(3*time.Second)
		for _, name := range []string{"Logs", "Traces", "Deploys"} {
			i.Links = append(i.Links, alert.Link{Label: name, URL: "https://x.example/" + name})
		}
	})
	card := Card(i, "#ops")
	words, links := read(t, card, "<!subteam^S0OPS>")
	for _, bad := range []string{"Critical", "open", "once", "last", "db-oncall"} {
		if strings.Contains(words, bad) {
			t.Errorf("it says %q: %s", bad, words)
		}
	}
	body, err := json.Marshal(Card(i, "#ops"))
	if err != nil {
		t.Fatal(err)
	}
	if len(links) != 2 || strings.Count(string(body), `"overflow"`) != 1 || !strings.Contains(string(body), `"Details, 3 more links"`) {
		t.Errorf("it links %q, and is %s", links, body)
	}
	long := alert.Alert{Text: "a line that is longer than " + strings.Repeat("it looks and ", 20) + "ends here"}
	if err := long.Prepare(i.FirstAt); err != nil {
		t.Fatal(err)
	}
	if words, _ := read(t, Card(alert.Incident{Title: long.Title, Text: long.Text, Severity: alert.Error}, "#ops")); strings.Count(words, "longer than") != 2 {
		t.Errorf("a title that is the beginning of the text is in the header and in the text: %s", words)
	}
	acked, err := json.Marshal(Card(with(i, func(i *alert.Incident) { i.State = alert.Acked }), "#ops"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(acked), `"primary"`) {
		t.Error("Resolve is the primary button")
	}
}

func TestCodeInMarkdownLooksAsItIsWrittenAndNotifiesNobody(t *testing.T) {
	const j = "\u2060"
	for text, want := range map[string]string{
		"a@here.com @here":                              "a@here.com &#64;here",
		"`@here` and @here":                             "&#64;here and &#64;here",
		"`run @here now` and":                           "`run `&#64;here` now` and",
		"``a ` <!here>`` <!here>":                       "``a ` ``&lt;!here> &lt;!here>",
		"``<!here>` a``":                                "``<" + j + "!here>` a``",
		"```\n@here <!channel>\n```\n@here":             "```\n@" + j + "here <" + j + "!channel>\n```\n&#64;here",
		"~~~~ sh\n@here\n~~~\n@here\n~~~~~\n@here":      "~~~~ sh\n@" + j + "here\n~~~\n@" + j + "here\n~~~~~\n&#64;here",
		"`x` @here\n```go\n<@U0ANN>":                    "`x` &#64;here\n```go\n<" + j + "@U0ANN>",
		"a ` @here\n\nb ` @here":                        "a ` &#64;here\n\nb ` &#64;here",
		"> ```\n> @here\n> ```":                         "> ```\n> @" + j + "here\n> ```",
		"```a``` @everyone\n`` unclosed <!here> ` `` x": "```a``` &#64;everyone\n`` unclosed ``&lt;!here>`` ` `` x",
	} {
		if got := inMarkdown(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestMentionsInFencedMarkdownAreCopiedAsTheyWereSent(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // Markdown, and code after a blank
	}{
		"closed":   {"**a**\n```go\n@here <!channel>\n```\n_b_", []string{"**a**", " @here <!channel>", "_b_"}},
		"unclosed": {"**a**\n```\nx\n\n<@U0ANN>", []string{"**a**", " x\n\n<@U0ANN>"}},
		"at first": {"~~~\n\n@here\n~~~\n@here", []string{" \n@here", "&#64;here"}},
		"none":     {"```\nx\n```", []string{"```\nx\n```"}},
	} {
		var got []string
		m := Card(alert.Incident{ID: "k7f2", Title: "t", Text: c.text, Format: alert.FormatMarkdown, Severity: alert.Error}, "#ops")
		wantValid(t, name, checkMessage(m))
		for _, b := range textBlocks(c.text, alert.FormatMarkdown) {
			switch b := b.(type) {
			case *slack.MarkdownBlock:
				got = append(got, b.Text)
			case *slack.RichTextBlock:
				code := b.Elements[0].(*slack.RichTextPreformatted)
				got = append(got, " "+code.Elements[0].(*slack.RichTextSectionTextElement).Text)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestALineThatIsEmptyIsKeptWhereTheTextOrCodeBegins(t *testing.T) {
	for text, want := range map[string][]string{
		"\n\n\na":                 {"\n\n\na"},
		"```\n\na\n```":           {"\na"},
		"b\n\n```\n\na\n```\n\nc": {"b", "\na", "c"},
	} {
		var got []string
		for _, e := range passages(text) {
			switch e := e.(type) {
			case *slack.RichTextPreformatted:
				got = append(got, e.Elements[0].(*slack.RichTextSectionTextElement).Text)
			case *slack.RichTextSection:
				got = append(got, e.Elements[0].(*slack.RichTextSectionTextElement).Text)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestTheSenderChoosesHowTheTextIsRead(t *testing.T) {
	const text = "*b* **b** <https://x.example/?a=1&b=2|there> https://y.example/a_b. <!here> <@U0ANN> <!subteam^S0ALL> @channel \\<!channel> a < b &amp; &lt;!here&gt;\n> quoted\n```\ncode\n```"
	for format, want := range map[alert.Format]string{
		"markdown": "*b* **b** <https://x.example/?a=1&b=2|there> https://y.example/a_b. &lt;!here> &lt;@U0ANN> &lt;!subteam^S0ALL> &#64;channel \\&lt;!channel> a < b &amp; &lt;!here&gt;\n> quoted\n```\ncode\n```",
		"mrkdwn":   "*b* **b** <https://x.example/?a=1&b=2|there> <https://y.example/a_b>. &lt;!here&gt; &lt;@U0ANN&gt; &lt;!subteam^S0ALL&gt; @channel \\&lt;!channel&gt; a &lt; b &amp; &lt;!here&gt;\n&gt; quoted\n```\ncode\n```",
	} {
		i := accepted(t, alert.Alert{Title: "t", Text: text, Format: format})
		for name, m := range map[string]Message{"card": Card(i, "#ops"), "page": Note(i, alert.Note{Topic: alert.TopicMore, Text: text}), "end": Note(i, alert.Note{Topic: alert.TopicResolved, Text: text})} {
			body, err := json.Marshal([]any{m.Blocks, m.Attachments})
			if err != nil {
				t.Fatal(err)
			}
			quoted, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(body), string(quoted)) {
				t.Errorf("%s of %s lacks %s: %s", name, format, quoted, body)
			}
			wantValid(t, name, checkMessage(m))
		}
		if words, _ := read(t, Note(i, alert.Note{Topic: alert.TopicNote, By: alert.Person{Name: "ann"}, Text: "*mine*"})); !strings.Contains(words, "\n*mine*") {
			t.Errorf("ann's note in %s: %s", format, words)
		}
		wantValid(t, "details", checkView(Details(i, nil)))
	}
}
