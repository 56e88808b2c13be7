package alert_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestPrepareFillsInWhatWasLeftOut(t *testing.T) {
	a := alert.Alert{Text: "disk full on db-3"}
	if err := a.Prepare(noon); err != nil {
		t.Fatal(err)
	}
	if a.Title != "disk full on db-3" || a.Text != "" {
		t.Errorf("title %q, text %q: the one line of text should have become the title", a.Title, a.Text)
	}
	if a.Severity != alert.Error || a.Status != alert.Firing || a.Key == "" || a.ID == "" || !a.At.Equal(noon) {
		t.Errorf("defaults are missing: %+v", a)
	}
}

func TestWhatCannotBeSeenIsNoTitle(t *testing.T) {
	for text, want := range map[string]string{
		"disk full": "disk full", "\u200b\n  disk full": "disk full", "```\ndisk full\n```": "disk full", "Query: ```\nselect 1\n```": "Query:", "```sql\nselect 1\n```\nfailed": "select 1",
	} {
		for _, title := range []string{"", "\u00ad", " \ufeff\u2060 ", "\u2800\ufe0f"} {
			if a := prepared(t, alert.Alert{Title: title, Text: text}); a.Title != want || a.Text == "" && text != want {
				t.Errorf("%q with the text %q has the title %q and the text %q", title, text, a.Title, a.Text)
			}
		}
	}
}

func TestPrepareKeepsTheWholeTextWhenItIsLongerThanATitle(t *testing.T) {
	for _, text := range []string{"first line\nsecond line", strings.Repeat("long ", 100)} {
		a := alert.Alert{Text: text}
		if err := a.Prepare(noon); err != nil {
			t.Fatal(err)
		}
		if a.Text != strings.TrimRight(text, " ") {
			t.Errorf("text became %q", a.Text)
		}
	}
}

func TestOneAlertSentTwiceHasOneKey(t *testing.T) {
	key := func(a alert.Alert) string {
		if err := a.Prepare(noon); err != nil {
			t.Fatal(err)
		}
		return a.Key
	}
	base := alert.Alert{Title: "disk full", Source: "db", Labels: map[string]string{"a": "1", "b": "2"}}
	if first, second := key(base), key(base); first != second {
		t.Error("the same alert got two keys")
	}
	other := alert.Alert{Title: "disk full", Source: "db", Labels: map[string]string{"a": "1", "b": "3"}}
	if key(base) == key(other) {
		t.Error("another label value got the same key")
	}
	shifted := alert.Alert{Title: "disk full", Source: "db", Labels: map[string]string{"a": "1b", "": "2"}}
	if key(base) == key(shifted) {
		t.Error("labels whose letters run together got the same key")
	}
}

func TestWithoutATitleTheWholeTextIsTheFingerprint(t *testing.T) {
	const trace = "Traceback (most recent call last):\n  File \"a.py\", line %d"
	one, again, other := prepared(t, alert.Alert{Text: fmt.Sprintf(trace, 1)}), prepared(t, alert.Alert{Text: fmt.Sprintf(trace, 1)}), prepared(t, alert.Alert{Text: fmt.Sprintf(trace, 2)})
	if one.Key != again.Key || one.Key == other.Key || one.Title != other.Title {
		t.Errorf("the keys are %s, %s and %s", one.Key, again.Key, other.Key)
	}
	if line := prepared(t, alert.Alert{Text: "disk full"}); line.Key != prepared(t, alert.Alert{Title: "disk full"}).Key {
		t.Error("a line has another key as text than as a title")
	}
}

func TestAnAlertThatSaysNothingIsRefusedWithARemedy(t *testing.T) {
	for name, empty := range map[string]alert.Alert{
		"empty": {}, "blank": {Title: " \n", Text: "\t"}, "only a key": {Key: "k"}, "invisible": {Title: "\u200b", Text: "\u2060\u00ad\ufeff\n\u200d"}, "resolved without a key": {Status: alert.Resolved},
	} {
		var bad *alert.InputError
		if err := empty.Prepare(noon); !errors.As(err, &bad) || !strings.Contains(bad.Message, "neither title nor text") || bad.Hint == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOneConversationHasOneSpelling(t *testing.T) {
	for in, want := range map[string]string{
		"C0123ABCD": "C0123ABCD", "#C0123ABCD": "C0123ABCD", "<#C0123ABCD|ops>": "C0123ABCD", "<#C0123ABCD|>": "C0123ABCD",
		"<@U01AB|ann>": "U01AB", "ops": "#ops", "#Ops": "#ops", " #db-alerts ": "#db-alerts", "@Ann": "@ann",
		"Ann@Example.com": "ann@example.com", "DEPLOYS": "#deploys", "CABCDEFGH": "CABCDEFGH", "#größe": "#größe",
	} {
		got, err := alert.ParseConversation(in)
		if err != nil || got != want {
			t.Errorf("%q became %q (%v), want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", "#", "two words", "<!channel>", "@", "a@b", "#a\x00"} {
		if got, err := alert.ParseConversation(in); err == nil {
			t.Errorf("%q was taken as %q", in, got)
		}
	}
}

func TestPagesLoseNothingAndFitWhenEscaped(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]string{"a", "&", "<b>", " ", "\n", "é", "🚨", "word "})
		text := strings.Join(rapid.SliceOfN(unit, 0, 4000).Draw(t, "units"), "")
		pages := alert.Pages(text, math.MaxInt)
		if strings.Join(pages, "") != text {
			t.Fatal("the pages joined are not the text")
		}
		for i, p := range pages {
			if alert.EscapedLen(p) > alert.PageSize {
				t.Fatalf("page %d has %d escaped characters", i, alert.EscapedLen(p))
			}
			if p == "" && text != "" {
				t.Fatalf("page %d is empty", i)
			}
		}
	})
}

func TestPassagesAreFencedBlocksAndWhatIsAroundThem(t *testing.T) {
	for text, want := range map[string]string{
		"plain `x` ``y``":                               "plain `x` ``y``",
		"a\n```\nb\n```\nc":                             "a\n|[b\n]|c",
		"a\n```sql\nb\n```":                             "a\n|[b\n]",
		"```\n# a\n~~~\nb\n~~~\n```\n":                  "[# a\n~~~\nb\n~~~\n]",
		"~~~\n```\nb\n```\n~~~\nc":                      "[```\nb\n```\n]|c",
		"````\n```\nb\n```\n````":                       "[```\nb\n```\n]",
		"```one line```":                                "[one line]",
		"```first\nlast```\nafter":                      "[first\nlast]|after",
		"cut off\n```\nb":                               "cut off\n|[b]",
		"```it is not closed\nb":                        "```it is not closed\nb",
		"Title\n~~~~~\ntext\nother\n~~~~~\n":            "Title\n~~~~~\ntext\nother\n~~~~~\n",
		"x ~~~ y\n~~~\nnever closed":                    "x ~~~ y\n~~~\nnever closed",
		"a ``` b ``` c":                                 "a ``` b ``` c",
		"  ```json\r\n{}\r\n  ```\r\nend":               "[{}\r\n]|end",
		"```\n```":                                      "",
		"Query: ```\nselect 1\n```\nmore":               "Query: |[select 1\n]|more",
		"Query: ```kql\nT | take 5\n```\nmore":          "Query: |[T | take 5\n]|more",
		"Query: ```select 1\nfrom x``` took 3 s\nmore":  "Query: |[select 1\nfrom x]| took 3 s\nmore",
		"- `x` and ```one``` but ```\nb\n```":           "- `x` and ```one``` but |[b\n]",
		"```\na\n``` took 3 s\n```\nb\n```":             "[a\n]| took 3 s\n|[b\n]",
		"Query: ```\nselect 1\nnever closed":            "Query: ```\nselect 1\nnever closed",
		"a lone ``` in prose\nand more":                 "a lone ``` in prose\nand more",
		"open with ``` here\nclose with ``` here\nmore": "open with ``` here\nclose with ``` here\nmore",
		"write ` ``` ` or `` ``` ``\nmore":              "write ` ``` ` or `` ``` ``\nmore",
		"it ends in\n```":                               "it ends in\n```",
		"    ```\nindented, never closed":               "    ```\nindented, never closed",
		"```kql\nT | take 5\n```\n":                     "[T | take 5\n]",
		"```promql\nup == 0":                            "[up == 0]",
		"```C++\nint x;\n```\nend":                      "[int x;\n]|end",
		"```objective-c\nx\n```":                        "[x\n]",
		"```js {1,3}\nx\n```":                           "[x\n]",
		"~~~kusto\nx\n~~~":                              "[x\n]",
		"```ERROR\nfoo\n```":                            "[ERROR\nfoo\n]",
		"```OOMKilled\nfoo\n```\nend":                   "[OOMKilled\nfoo\n]|end",
		"```LogQL\nx\n```":                              "[x\n]",
		"```{.python}\nx\n```":                          "[x\n]",
		"```OOMKilled\n```":                             "[OOMKilled\n]",
		"```level=error msg=failed\nx\n```":             "[level=error msg=failed\nx\n]",
		"```md\n```sql\nx\n```\nend":                    "[```sql\nx\n]|end",
		"":                                              "",
	} {
		var parts []string
		for _, p := range alert.Passages(text) {
			if p.Code {
				p.Text = "[" + p.Text + "]"
			}
			parts = append(parts, p.Text)
		}
		if got := strings.Join(parts, "|"); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestAFenceThatSpansPagesIsClosedAndOpenedAgain(t *testing.T) {
	row := "select col, sum(amount) from very_long_table group by 1\n"
	content := func(text string) (code, prose string) {
		for _, p := range alert.Passages(text) {
			if p.Code {
				code += strings.TrimSpace(p.Text)
			} else {
				prose += strings.TrimSpace(p.Text)
			}
		}
		return strings.ReplaceAll(code, "\n", ""), strings.ReplaceAll(prose, "\n", "")
	}
	for name, text := range map[string]string{
		"one":       "Here is the query:\n```\n" + strings.Repeat(row, 150) + "```\nafter",
		"named":     "```sql\n" + strings.Repeat(row, 150) + "```",
		"tildes":    "~~~\n" + strings.Repeat(row, 150) + "~~~\nafter",
		"nested":    "````\n" + strings.Repeat("```\n"+row+"```\n", 150) + "````\nafter",
		"unclosed":  "before\n```\n" + strings.Repeat(row, 150),
		"long line": "```\n" + strings.Repeat("x", 9000) + "\n```\nafter",
		"inline":    "Here is the query: ```\n" + strings.Repeat(row, 150) + "```\nafter",
		"unlisted":  "Here is the query: ```kql\n" + strings.Repeat(row, 150) + "```\nafter",
		"in slack":  strings.Repeat("prose ```"+row+row+"``` prose\n", 75),
		"many":      strings.Repeat("prose\n```\n"+row+"```\n", 150),
		"in a line": "Output of the deploy: ```" + strings.Repeat(row, 100) + "``` on db-3, please *look*.\nThen retry https://ci.example/1",
		"moved":     strings.Repeat("prose\n", 450) + "prose ```word\n" + strings.Repeat(row, 10) + "end``` and more",
	} {
		pages := alert.Pages(text, math.MaxInt)
		var code, prose string
		for at, page := range pages {
			if alert.EscapedLen(page) > alert.PageSize {
				t.Errorf("%s: page %d has %d characters", name, at, alert.EscapedLen(page))
			}
			c, p := content(page)
			code, prose = code+c, prose+p
			if marks := strings.Count(page, "```") + strings.Count(page, "~~~"); marks%2 != 0 && name != "nested" || strings.Contains(prose, "select") {
				t.Errorf("%s: the fences of page %d are not closed: …%q", name, at, page[max(0, len(page)-60):])
			}
		}
		if c, p := content(text); code != c || prose != p {
			t.Errorf("%s: the pages have %d characters of code and %d of prose, the text %d and %d", name, len(code), len(prose), len(c), len(p))
		}
	}
}

// readAs is what texts have as code and as prose, without blanks.
func readAs(texts ...string) string {
	var code, prose strings.Builder
	for _, text := range texts {
		for _, p := range alert.Passages(text) {
			if p.Code {
				code.WriteString(p.Text)
			} else {
				prose.WriteString(p.Text)
			}
		}
	}
	plain := func(s string) string { return strings.Join(strings.Fields(s), "") }
	return "code " + plain(code.String()) + "\nprose " + plain(prose.String())
}

func TestALineThatIsLongerThanAPageIsNotCutIntoFences(t *testing.T) {
	for n := alert.PageSize - 60; n < alert.PageSize+10; n++ {
		for _, text := range []string{
			"```\n" + strings.Repeat("x", n) + " `````\nmore\n```\nafter",
			"````\n" + strings.Repeat("x", n) + "``````````````\nmore\n````\nafter",
			strings.Repeat("x", n) + " ```` and\nmore\n",
			strings.Repeat("word ", n/5) + "    ``````````\nmore\n\nand more",
			"```" + strings.Repeat("see `a` ok ", n/11) + "```\n```\n``````\n```\nword\n",
			"\n~~~\n" + strings.Repeat("see `a` ", n/8) + strings.Repeat("`", 32) + "\nmore " + strings.Repeat("`", 32),
		} {
			pages := alert.Pages(text, math.MaxInt)
			if got, want := readAs(pages...), readAs(text); got != want {
				t.Fatalf("the %d pages of %.10q…%q say\n%q\nthe last of them is %q", len(pages), text, text[n-20:], got[max(0, len(got)-90):], pages[len(pages)-1])
			}
		}
	}
}

func TestPagesSayWhatTheTextSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{
			"```", "```\n", "\n```\n", "\n```go\n", "\n```ERROR\n", "\n~~~\n", "\n````\n", "word", "word ", "\n", " ", "x = 1;\n",
			"see `a` ok ", "https://a.example/x ", "{}", "&&&&",
		})
		filler := rapid.SampledFrom([]string{"word\n", "x = 1;\n", "see `a` ok\n", "https://a.example/x\n", "&&&& {}\n", "word", "see `a` ok ", "`"})
		var b strings.Builder
		for range rapid.IntRange(1, 8).Draw(t, "parts") {
			b.WriteString(part.Draw(t, "part"))
			b.WriteString(strings.Repeat(filler.Draw(t, "filler"), rapid.IntRange(0, 400).Draw(t, "times")))
		}
		text := b.String()
		pages := alert.Pages(text, math.MaxInt)
		for _, page := range pages {
			if alert.EscapedLen(page) > alert.PageSize {
				t.Fatalf("a page has %d characters", alert.EscapedLen(page))
			}
		}
		if got, want := readAs(pages...), readAs(text); got != want {
			t.Fatalf("the pages say\n%s\nthe text says\n%s", got, want)
		}
	})
}

func TestASecretNeverShowsItself(t *testing.T) {
	s := alert.Secret("xoxb-very-secret")
	j, err := json.Marshal(map[string]any{"token": s})
	if err != nil {
		t.Fatal(err)
	}
	all := string(j) + fmt.Sprint(s) + fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s)
	if strings.Contains(all, "very-secret") || strings.Contains(all, fmt.Sprintf("%x", "very")) {
		t.Errorf("it shows in %s", all)
	}
	if s.Reveal() != "xoxb-very-secret" {
		t.Error("Reveal does not give the value")
	}
}

func TestShortIDsCanBeTypedAndAscend(t *testing.T) {
	last, seen := "", map[string]bool{}
	for n := range 200_000 {
		id := alert.NextShortID(last, 1+n%7)
		if strings.ContainsAny(id, "0o1liaeu") || strings.ContainsAny(id[:1], "23456789") {
			t.Fatalf("%q can't be typed easily", id)
		}
		if seen[id] || len(id) < len(last) || len(id) == len(last) && id <= last {
			t.Fatalf("%q comes behind %q", id, last)
		}
		seen[id], last = true, id
	}
	if len(last) != 5 {
		t.Errorf("the last of 200,000 is %q, want five characters", last)
	}
}

func TestTheFirstShortIDFollowsNothing(t *testing.T) {
	for _, last := range []string{"", "inc1", "K7F2", "zzzzzzzzzzzzzzzz"} {
		if id := alert.NextShortID(last, 1); id != "b222" {
			t.Errorf("behind %q comes %q, want b222", last, id)
		}
	}
	if id := alert.NextShortID("zzzz", 1); id != "b2222" {
		t.Errorf("behind zzzz comes %q, want b2222", id)
	}
}

func TestPreformattedTextIsFencedByMoreBackquotesThanItHas(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " \n": "", "a": "```\na\n```", "\n a`b``\n": "```\n a`b``\n```", "a```` b``": "`````\na```` b``\n`````",
	} {
		if got := alert.Preformatted(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

// BenchmarkFirstPage is the time for what a card shows of a log of nearly 1 MiB.
func BenchmarkFirstPage(b *testing.B) {
	text := alert.Preformatted(strings.Repeat("a line of a log\n", 1<<16))
	for b.Loop() {
		alert.Pages(text, 2)
	}
}
