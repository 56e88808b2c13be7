package alert_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// prepared is the alert as it is accepted.
func prepared(t *testing.T, a alert.Alert) alert.Alert {
	t.Helper()
	if err := a.Prepare(noon); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTitlesAndLabelsThatAreTooLongContinueInTheText(t *testing.T) {
	title, value := strings.Repeat("é", alert.MaxTitle+10), strings.Repeat("v", alert.MaxLabel+1)
	a := prepared(t, alert.Alert{Title: title, Text: "body", Labels: map[string]string{"trace": value}})
	if got := utf8.RuneCountInString(a.Title); got != alert.MaxTitle || !strings.HasSuffix(a.Title, "…") {
		t.Errorf("the title has %d characters: %s", got, a.Title)
	}
	if whole := strings.TrimSuffix(a.Title, "…") + strings.TrimPrefix(strings.SplitN(a.Text, "\n", 2)[0], "…"); whole != title {
		t.Errorf("title and text together lost something of the title")
	}
	if !strings.Contains(a.Text, "\n\nbody\n\ntrace="+value) {
		t.Errorf("the text is %s", a.Text)
	}
	if got := a.Labels["trace"]; utf8.RuneCountInString(got) != alert.MaxLabel || !strings.HasSuffix(got, "…") {
		t.Errorf("the label is %s", got)
	}
	if notes := strings.Join(a.Notes, "; "); !strings.Contains(notes, "title shortened") || !strings.Contains(notes, "label trace shortened") {
		t.Errorf("noted: %s", notes)
	}
}

func TestALabelThatACardHasNoRoomForStandsWholeInTheText(t *testing.T) {
	long, name, quotes, lines := strings.Repeat("v ", 110)+"end", strings.Repeat("n", 300), strings.Repeat(`"`, 190), strings.Repeat("<\n", 70)+"end"
	address := "https://e.example/" + strings.Repeat("p", 400)
	labels := map[string]string{"cmd": long, name: "x", "quotes": quotes, "lines": lines, "url": address, "page": address + address, "short": "db-3", "said": "in " + long, "title": strings.Repeat("full ", 50) + "."}
	a := prepared(t, alert.Alert{Title: labels["title"], Text: "body in " + long, Labels: maps.Clone(labels), Strict: true})
	for k, v := range labels {
		if a.Labels[k] != v {
			t.Errorf("the label %.20s is %s", k, a.Labels[k])
		}
		if k == "url" || k == "short" || k == "said" || k == "title" || k == "cmd" {
			if strings.Contains(a.Text, k+"="+v) {
				t.Errorf("the text repeats %s=%s", k, v)
			}
			continue
		}
		if !strings.Contains(a.Text, "\n"+k+"="+v) {
			t.Errorf("the text has not the whole label %.20s: %s", k, a.Text)
		}
	}
	if len(a.Notes) > 0 {
		t.Errorf("strict, it notes %q", a.Notes)
	}
	a = prepared(t, alert.Alert{Title: "x", Labels: map[string]string{"cmd": long}})
	if notes := strings.Join(a.Notes, "; "); a.Text != "cmd="+long || notes != "label cmd is too long for the card and is in the text in full" {
		t.Errorf("the text is %s, noted: %s", a.Text, notes)
	}
}

func TestATimeAtWhichItCannotHaveHappenedIsDropped(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		kept bool
	}{
		{noon.Add(-9 * time.Hour), true},
		{noon.AddDate(-9, 0, 0), true},
		{noon.Add(30 * time.Second), true}, // clocks differ
		{noon.Add(2 * time.Hour), false},
		{time.Unix(1, 0), false},
		{time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), false},
	} {
		a := prepared(t, alert.Alert{Title: "x", At: c.at})
		if want := map[bool]time.Time{true: c.at, false: noon}[c.kept]; !a.At.Equal(want) || len(a.Notes) > 0 == c.kept {
			t.Errorf("%s becomes %s, noted %q", c.at, a.At, a.Notes)
		}
	}
}

func TestLabelsAndLinksAboveTheirNumberMoveIntoTheText(t *testing.T) {
	a := alert.Alert{Title: "x", Labels: map[string]string{}}
	for n := range alert.MaxLabels + 2 {
		a.Labels[fmt.Sprintf("l%03d", n)] = "v"
	}
	for n := range alert.MaxLinks + 1 {
		a.Links = append(a.Links, alert.Link{Label: fmt.Sprint("n", n), URL: fmt.Sprint("https://example.com/", n)})
	}
	a = prepared(t, a)
	if len(a.Labels) != alert.MaxLabels || len(a.Links) != alert.MaxLinks || !strings.Contains(a.Text, "l200=v\nl201=v") || !strings.Contains(a.Text, fmt.Sprintf("n%[1]d: https://example.com/%[1]d", alert.MaxLinks)) {
		t.Errorf("%d labels, %d links, text %q", len(a.Labels), len(a.Links), a.Text)
	}
}

func TestTheShortestAnnotationsAreKeptWhereThereAreTooMany(t *testing.T) {
	long := strings.Repeat("x", alert.MaxAnnotations)
	a := prepared(t, alert.Alert{Title: "x", Text: long, Annotations: map[string]string{"description": long, "summary": "x"}})
	if want := map[string]string{"summary": "x"}; !maps.Equal(a.Annotations, want) || a.Text != long {
		t.Errorf("of the annotations %d are kept, and %d bytes of the text", len(a.Annotations), len(a.Text))
	}
}

func TestStrictAllowsLinksThatAreLinesOfTheText(t *testing.T) {
	for name, c := range map[string]struct{ count, size int }{"many": {alert.MaxLinks + 3, 10}, "long": {3, 2500}} {
		a := alert.Alert{Title: "x", Text: "what happened", Strict: true}
		for n := range c.count {
			a.Links = append(a.Links, alert.Link{Label: fmt.Sprint("n", n), URL: fmt.Sprintf("https://example.com/%d/%s", n, strings.Repeat("y", c.size))})
		}
		all := slices.Clone(a.Links)
		a = prepared(t, a)
		if len(a.Links) == c.count || len(a.Notes) > 0 {
			t.Errorf("%s: %d of %d links are left, noted %q", name, len(a.Links), c.count, a.Notes)
		}
		for _, l := range all {
			if !slices.Contains(a.Links, l) && !strings.Contains(a.Text, l.Label+": "+l.URL) {
				t.Errorf("%s: %s is nowhere", name, l.Label)
			}
		}
	}
}

func TestALinkThatNoButtonCanOpenIsDroppedOrBecomesText(t *testing.T) {
	long := "https://example.com/?q=" + strings.Repeat("x", alert.MaxURL)
	for url, c := range map[string]struct{ text, note string }{
		"":                         {"", "link 1 dropped: it has no address"},
		"https://":                 {"", "link 1 dropped: https:// has no host"},
		"javascript:alert(1)":      {"", "link 1 dropped: javascript: is not a web address"},
		"JavaScript:alert(1)":      {"", "link 1 dropped: javascript: is not a web address"},
		"data:text/html,x":         {"", "link 1 dropped: data: is not a web address"},
		"example.com/x":            {"Run: example.com/x", "link 1 moved into the text: example.com/x is not a complete web address"},
		"mailto:ann@example.com":   {"Run: mailto:ann@example.com", "link 1 moved into the text: mailto: is not a web address"},
		"https://exa mple.com/%zz": {"Run: https://exa mple.com/%zz", "link 1 moved into the text: https://exa mple.com/%zz is not a web address"},
		long:                       {"Run: " + long, "link 1 moved into the text: its address is longer than 3000 bytes"},
	} {
		a := prepared(t, alert.Alert{Title: "x", Links: []alert.Link{{Label: "Run", URL: url}, {Label: "Kuma", URL: "https://kuma.example.com/29"}}})
		if len(a.Links) != 1 || a.Links[0].Label != "Kuma" || a.Text != c.text || strings.Join(a.Notes, "; ") != c.note {
			t.Errorf("%.40s: links %v, text %.60q, notes %v", url, a.Links, a.Text, a.Notes)
		}
	}
}

func TestAnAddressInTheLabelOfALinkIsKept(t *testing.T) {
	a := prepared(t, alert.Alert{Title: "x", Links: []alert.Link{{Label: "https://grafana.example/d/1", URL: "https://"}}})
	if want := []alert.Link{{URL: "https://grafana.example/d/1"}}; !slices.Equal(a.Links, want) || strings.Join(a.Notes, "; ") != "link 1: https:// has no host, so it leads to its label" {
		t.Errorf("links %v, notes %v", a.Links, a.Notes)
	}
}

func TestSeveritiesOfOtherToolsAreUnderstood(t *testing.T) {
	for word, c := range map[string]struct {
		want  alert.Severity
		label string
	}{
		"🔥 critical": {alert.Critical, ""}, "⚠️ Warning": {alert.Warning, ""}, "Very High": {alert.Critical, "Very High"}, "red": {alert.Critical, "red"}, "yellow": {alert.Warning, "yellow"}, "60": {alert.Critical, "60"},
		"": {alert.Error, ""}, "CRITICAL": {alert.Critical, ""}, "crit": {alert.Critical, ""}, "Warn": {alert.Warning, ""}, "[crit]": {alert.Critical, ""}, "WARNING:": {alert.Warning, ""}, "<P2>": {alert.Error, "<P2>"}, "fatal": {alert.Critical, "fatal"},
		"SEV-1": {alert.Critical, "SEV-1"}, "Priority 2": {alert.Error, "Priority 2"}, "not_classified": {alert.Info, "not_classified"}, "3.0": {alert.Warning, "3.0"},
		"5 - Disaster": {alert.Critical, "5 - Disaster"}, "4 - Error": {alert.Error, "4 - Error"},
		"P1 - Critical": {alert.Critical, "P1 - Critical"}, "P1-Critical": {alert.Critical, "P1-Critical"}, "Critical - P1": {alert.Critical, ""}, "LOG_CRIT": {alert.Critical, "LOG_CRIT"},
		"SEVERITY_HIGH": {alert.Critical, "SEVERITY_HIGH"}, "P3 (minor)": {alert.Warning, "P3 (minor)"}, "level: warning": {alert.Warning, "level: warning"}, "P4/high": {alert.Critical, "P4/high"},
		"high": {alert.Critical, "high"}, "page": {alert.Critical, "page"}, "Disaster": {alert.Critical, "Disaster"}, "P1": {alert.Critical, "P1"},
		"P2": {alert.Error, "P2"}, "P3": {alert.Warning, "P3"}, "P4": {alert.Info, "P4"}, "P5": {alert.Info, "P5"},
		"none": {alert.Info, "none"}, "ok": {alert.Info, "ok"}, "3": {alert.Warning, "3"}, "40": {alert.Error, "40"}, "banana": {alert.Error, "banana"}, "-1": {alert.Error, "-1"}, "not critical": {alert.Error, "not critical"}, "non-critical": {alert.Error, "non-critical"}, "severity": {alert.Error, "severity"},
	} {
		a := prepared(t, alert.Alert{Title: "x", Severity: alert.Severity(word)})
		if a.Severity != c.want || a.Labels["severity"] != c.label {
			t.Errorf("%q is %s with the label %q", word, a.Severity, a.Labels["severity"])
		}
		if noted := len(a.Notes) > 0; noted != (word == "banana" || word == "-1" || word == "not critical" || word == "severity" || word == "non-critical") {
			t.Errorf("%q is noted as %v", word, a.Notes)
		}
	}
}

func TestWhatIsNotShownOfATitleIsNoted(t *testing.T) {
	a := prepared(t, alert.Alert{Title: "\u202egpj.exe", Text: "a\u2066b"})
	const without = " is shown without its characters that change the direction of writing"
	if got := strings.Join(a.Notes, "; "); got != "title"+without+"; text"+without {
		t.Errorf("noted: %s", got)
	}
}

func TestLineEndsOfWindowsMakeNoOtherIncident(t *testing.T) {
	one, other := prepared(t, alert.Alert{Text: "disk full\r\non db-3\r\n"}), prepared(t, alert.Alert{Text: "disk full\non db-3"})
	if one.Key != other.Key || one.Text != other.Text {
		t.Errorf("%s %q is not %s %q", one.Key, one.Text, other.Key, other.Text)
	}
}

func TestStatusesOfOtherToolsAreUnderstood(t *testing.T) {
	for word, want := range map[string]alert.Status{"": alert.Firing, "OK": alert.Resolved, "recovered": alert.Resolved, "triggered": alert.Firing, "broken": alert.Firing} {
		a := prepared(t, alert.Alert{Title: "x", Status: alert.Status(word)})
		if a.Status != want || (len(a.Notes) > 0) != (word == "broken") {
			t.Errorf("%q is %s, noted %v", word, a.Status, a.Notes)
		}
	}
}

func TestBytesThatCannotBeShownAreRemovedOrReplaced(t *testing.T) {
	for in, want := range map[string]string{
		"a\x00b": "ab", "a\xffb": "a\ufffdb", "\ufeffab": "ab",
		"Matching \x1b[33m/a/x.log\x1b[0m": "Matching /a/x.log",
		"\x1b[1;31mFAIL\x1b[m 2 tests \x1b]8;;https://ci.example/1\x07log\x1b]8;;\x07 \x1b[2K\x1b[1Gdone": "FAIL 2 tests log done",
		"\x1b]8;;https://ci.example/1\x1b\\log\x1b]8;;\x1b\\":                                             "log", "\x1b]0;never closed\nnext": "next", "a\x1b(Bb\x1b7c": "abc", "a\u009b31mb": "ab",
		"a\u009d8;;https://ci.example/1\u009cb": "ab", "a\x1bPq#0\x1b\\b": "ab", "a\x1b_Gf=100\x07b": "ab", "a\u0090q\u009cb\u009fG\u009cc": "abc", "café\u009c": "café",
		"cut \x1b[": "cut", "cut \x1b": "cut",
	} {
		a := prepared(t, alert.Alert{Title: in, Text: in + ".", Labels: map[string]string{"l": in}})
		if strings.TrimSpace(want) != a.Title && strings.ReplaceAll(want, "\n", " ") != a.Title {
			t.Errorf("%q became the title %q", in, a.Title)
		}
		if len(a.Notes) == 0 || strings.ContainsAny(a.Text, "\x1b\x00\u009b\ufeff") || strings.TrimSpace(a.Labels["l"]) != want {
			t.Errorf("%q became %q, noted %v", in, a.Text, a.Notes)
		}
	}
}

func TestResolvingNeedsAKeyOrATitle(t *testing.T) {
	if a := prepared(t, alert.Alert{Key: "k", Status: alert.Resolved}); a.Key != "k" {
		t.Errorf("the key is %s", a.Key)
	}
	fired, resolved := prepared(t, alert.Alert{Title: "disk full"}), prepared(t, alert.Alert{Title: "disk full", Status: alert.Resolved})
	if fired.Key != resolved.Key {
		t.Error("the title alone did not find its incident")
	}
}

func TestALongKeyStaysItsOwn(t *testing.T) {
	long := strings.Repeat("k", alert.MaxKey)
	one, same, other := prepared(t, alert.Alert{Title: "x", Key: long + "1"}), prepared(t, alert.Alert{Title: "x", Key: long + "1"}), prepared(t, alert.Alert{Title: "x", Key: long + "2"})
	if one.Key != same.Key || one.Key == other.Key || utf8.RuneCountInString(one.Key) > alert.MaxKey {
		t.Errorf("%s, %s and %s", one.Key, same.Key, other.Key)
	}
}

func TestStrictListsAllThatWouldBeRepaired(t *testing.T) {
	a := alert.Alert{Title: "x\x00", Severity: "banana", Channel: "two words", Links: []alert.Link{{URL: "javascript:x"}}, Strict: true}
	var bad *alert.InputError
	if !errors.As(a.Prepare(noon), &bad) || bad.Hint == "" {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{"title repaired", "banana", "two words", "javascript:"} {
		if !strings.Contains(bad.Message, want) {
			t.Errorf("%q does not say %s", bad.Message, want)
		}
	}
	if fine := (alert.Alert{Title: "x", Severity: "crit", Strict: true}); fine.Prepare(noon) != nil {
		t.Error("an alert that needs no repair was refused")
	}
}

func TestTimesAreReadAsToolsWriteThem(t *testing.T) {
	want := time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC)
	for _, text := range []string{
		"2026-11-27T03:00:00Z", "2026-11-27 03:00:00Z", "2026-11-27T03:00:00+0000", "2026-11-27 03:00:00 +0000", "2026-11-27T04:00:00+01:00",
		"2026-11-27t03:00:00.000z", "2026-11-27 03:00:00 UTC", "2026-11-27 03:00:00", "2026-11-27T03:00", "1795748400", "1795748400000", "1795748400.0", "1795748400000000", "1795748400000000000",
		"2026.11.27 03:00:00", "27.11.2026 03:00:00", "27.11.2026 03:00", "11/27/2026, 3:00:00 AM", "11/27/2026 03:00 AM", "Nov 27 2026 03:00:00", "Nov 27, 2026 3:00:00 AM", "/Date(1795748400000)/",
		"Fri, 27 Nov 2026 03:00:00 GMT", "Fri, 27 Nov 2026 04:00:00 +0100", "27 Nov 2026 03:00:00 +0000", "27 Nov 26 03:00 UTC", "Thu, 26 Nov 2026 22:00:00 EST",
		"Friday, 27-Nov-26 03:00:00 UTC", "Fri Nov 27 03:00:00 2026", "Fri Nov 27 03:00:00 UTC 2026", "Fri Nov 27 04:00:00 CET 2026", "Fri Nov 27 03:00:00 +0000 2026", "Fri Nov 27 03:00:00 AM UTC 2026",
		"2026-11-27 03:00:00 +0000 UTC", "2026-11-27 04:00:00.000 +0100 CET m=+0.012", "2026-11-27 08:30:00 +0530 +0530", "2026-11-27T04:00:00+01:00[Europe/Berlin]",
		"Fri Nov 27 2026 04:00:00 GMT+0100 (Central European Standard Time)", "27/Nov/2026:03:00:00 +0000", "2026/11/27 03:00:00", "2026-11-27 03:00:00,000",
		"20261127T030000Z", "20261127T030000", "20261127T040000+0100", "20261127T030000.000Z", "20261127030000", "2026-11-27T03:00:00 +0000", "2026-11-27T03:00:00.0 +0000", "2026-11-27T03:00:00 Z", "2026-11-27T04:00:00 +01:00", "@1795748400", "1795748400.000",
	} {
		if got, err := alert.ParseTime(text); err != nil || !got.Equal(want) {
			t.Errorf("%s is %s (%v)", text, got, err)
		}
	}
	for text, want := range map[string]int{
		"1795748400.25": 250_000_000, "1795748400250": 250_000_000, "1795748400250001": 250_001_000, "1795748400250001000": 250_001_000, "Fri, 27 Nov 2026 03:00:00.25 GMT": 250_000_000,
	} {
		if got, err := alert.ParseTime(text); err != nil || !got.Truncate(time.Second).Equal(time.Unix(1795748400, 0)) || got.Round(time.Microsecond).Nanosecond() != want {
			t.Errorf("%s is %s (%v)", text, got, err)
		}
	}
	for _, text := range []string{"0", "0001-01-01T00:00:00Z"} {
		if got, err := alert.ParseTime(text); err != nil || !got.IsZero() {
			t.Errorf("%s is %s (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "yesterday", "-1", "NaN", "1e300", "2026-13-01", "2026-11-27 03:00:00 XYZ", "Fri Nov 27 03:00:00 IST 2026", "20261332T030000Z", "Fri", "03:00", "@", "@2026-11-27", "@yesterday"} {
		if got, err := alert.ParseTime(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

// Whatever is written, an alert that says something is accepted, and what is accepted
// can be stored.
func TestFormattingNeverCostsAnAlert(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab: \x00\x1b[]\ufeff\u009b\n#@<>")), 0, 40, -1)
		long := rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat(text.Draw(t, "unit"), rapid.SampledFrom([]int{1, 1, 1, 300}).Draw(t, "times"))
		})
		a := alert.Alert{
			Title: "x" + long.Draw(t, "title"), Text: long.Draw(t, "text"), Key: long.Draw(t, "key"), Source: long.Draw(t, "source"), Channel: long.Draw(t, "channel"),
			Severity: alert.Severity(text.Draw(t, "severity")), Status: alert.Status(text.Draw(t, "status")), Mention: long.Draw(t, "mention"),
			Labels: rapid.MapOfN(text, long, 0, 3).Draw(t, "labels"),
			Links:  []alert.Link{{Label: text.Draw(t, "label"), URL: rapid.SampledFrom([]string{"", "https://", "javascript:1", "https://example.com/"}).Draw(t, "scheme") + long.Draw(t, "url")}},
		}
		if err := a.Prepare(noon); err != nil {
			t.Fatal(err)
		}
		again := a
		again.Notes, again.Strict = nil, true
		if err := again.Prepare(noon); err != nil {
			t.Fatalf("the repaired alert needs a repair: %v", err)
		}
	})
}

func TestAnImageThatSlackCannotFetchBecomesALink(t *testing.T) {
	for url, want := range map[string]string{
		"https://grafana.example.com/img/1.png": "image", " https://192.0.2.1/x ": "image",
		"http://grafana.example.com/img/1.png": "link", "https://grafana/img.png": "link", "https://10.1.2.3/x.png": "link", "https://[fd00::1]/x.png": "link",
		"https://grafana.local/x.png": "link", "https://me:secret@example.com/x.png": "link", "https://127.0.0.1/x.png": "link",
		"": "nothing", "img/1.png": "nothing", "https://": "nothing", "javascript:alert(1)": "nothing",
	} {
		a := prepared(t, alert.Alert{Title: "x", Images: []alert.Image{{URL: url, Alt: "graph"}}})
		got := "nothing"
		switch {
		case len(a.Images) == 1 && len(a.Links) == 0:
			got = "image"
		case len(a.Links) == 1 && len(a.Images) == 0:
			got = "link"
		}
		if got != want || got != "image" && len(a.Notes) == 0 {
			t.Errorf("%q became %s: %v %v, noted %v; want %s", url, got, a.Images, a.Links, a.Notes, want)
		}
	}
	many := alert.Alert{Title: "x"}
	for n := range alert.MaxImages + 1 {
		many.Images = append(many.Images, alert.Image{URL: fmt.Sprint("https://example.com/", n)})
	}
	if many = prepared(t, many); len(many.Images) != alert.MaxImages || len(many.Links) != 1 {
		t.Errorf("%d images and %d links are left", len(many.Images), len(many.Links))
	}
}

func TestTheFormatOfATextIsTheSendersChoice(t *testing.T) {
	for word, want := range map[string]alert.Format{"": "", "text": "", "Plain": "", "markdown": alert.FormatMarkdown, " MD ": alert.FormatMarkdown, "mrkdwn": alert.FormatMrkdwn, "html": ""} {
		a := prepared(t, alert.Alert{Title: "x", Format: alert.Format(word)})
		if a.Format != want || (len(a.Notes) > 0) != (word == "html") {
			t.Errorf("%q is %q, noted %v", word, a.Format, a.Notes)
		}
	}
}

func TestAWordThatIsUnknownIsKeptAsItWasSent(t *testing.T) {
	const kept = ", and kept as the label "
	for _, c := range []struct{ severity, status, label, want, notes string }{
		{"BananaSplit", "", "none", "map[severity:BananaSplit]", `severity "BananaSplit" is unknown: taken as error` + kept + "severity"},
		{"Sev-Odd ", "", "x", "map[sent_severity:Sev-Odd severity:x]", `severity "Sev-Odd" is unknown: taken as error` + kept + "sent_severity"},
		{"Banana", "", "banana", "map[severity:banana]", `severity "Banana" is unknown: taken as error` + kept + "severity"},
		{"P1", "", "critical", "map[sent_severity:P1 severity:critical]", `severity "P1" is kept as the label sent_severity`},
		{"ÄRGER", "", "", "map[sent_severity:ÄRGER severity:]", `severity "ÄRGER" is unknown: taken as error` + kept + "sent_severity"},
		{"", "Half-Open", "none", "map[status:Half-Open]", `status "Half-Open" is unknown: taken as firing` + kept + "status"},
		{"", "Alerting", "none", "map[]", ""},
	} {
		a := alert.Alert{Title: "x", Severity: alert.Severity(c.severity), Status: alert.Status(c.status), Labels: map[string]string{"severity": c.label}}
		if c.label == "none" {
			a.Labels = nil
		}
		a = prepared(t, a)
		if fmt.Sprint(a.Labels) != c.want || strings.Join(a.Notes, "; ") != c.notes {
			t.Errorf("%s %s: the labels are %v, noted %q", c.severity, c.status, a.Labels, a.Notes)
		}
	}
}

func TestAResolveInOtherWordsEndsWhatHasFired(t *testing.T) {
	fired := prepared(t, alert.Alert{Title: "x", Severity: "P1", Labels: map[string]string{"host": "db-3"}})
	for _, severity := range []alert.Severity{"", "P2", "ok", "critical", "banana"} {
		if ended := prepared(t, alert.Alert{Title: "x", Severity: severity, Status: "recovered", Labels: map[string]string{"host": "db-3"}}); ended.Key != fired.Key {
			t.Errorf("resolved with the severity %q, its key is %s, not %s", severity, ended.Key, fired.Key)
		}
	}
	if other := prepared(t, alert.Alert{Title: "x", Severity: "P1", Labels: map[string]string{"host": "db-4"}}); other.Key == fired.Key {
		t.Error("the label does not count")
	}
}

func TestALabelFillsAnAbsentSeverity(t *testing.T) {
	for _, c := range []struct{ field, label, want string }{
		{"", "critical", "critical"}, {"", "Page", "critical"}, {"", "warn", "warning"}, {"", "none", "info"}, {"", "", "error"}, {"", "banana", "error"}, {"info", "critical", "info"},
	} {
		a := prepared(t, alert.Alert{Title: "x", Severity: alert.Severity(c.field), Labels: map[string]string{"severity": c.label}})
		if string(a.Severity) != c.want || a.Labels["severity"] != c.label || (len(a.Notes) > 0) != (c.label == "banana") {
			t.Errorf("%q with the label %q is %s, labels %v, noted %v", c.field, c.label, a.Severity, a.Labels, a.Notes)
		}
	}
}
