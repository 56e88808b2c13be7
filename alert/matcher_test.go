package alert_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tocsin/alert"
)

func TestMatchersAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"  ":                                  "",
		"{}":                                  "",
		`severity="critical"`:                 `severity="critical"`,
		`{severity="critical",host!="a b"}`:   `severity="critical", host!="a b"`,
		`severity=critical service=~db-.*`:    `severity="critical", service=~"db-.*"`,
		`severity = critical, a =b, c= "d e"`: `severity="critical", a="b", c="d e"`,
		`title=“disk full” host=‘db-1’`:       `title="disk full", host="db-1"`,
		`title=„voll“`:                        `title="voll"`,
		"title=\u00a0“voll”\u00a0a=b":         `title="voll", a="b"`,
		`title="it’s “down”"`:                 `title="it’s “down”"`,
		`title=it’s`:                          `title="it’s"`,
		`title='say "hi"'`:                    `title="say \"hi\""`,
		`path=~"C:\\.*|\d+"`:                  `path=~"C:\\.*|\\d+"`,
		`text="a\nb"`:                         `text="a\nb"`,
		`"my label"="x",ünï!~"ç.*"`:           `"my label"="x", ünï!~"ç.*"`,
		`severity=crit, severity!=P3`:         `severity="critical", severity!="warning"`,
		`severity>=err severity<crit`:         `severity>="error", severity<"critical"`,
		`severity > "warn"`:                   `severity>"warning"`,
		`channel=Ops channel!="<#C0123ABCD>"`: `channel="#ops", channel!="C0123ABCD"`,
		`path="a=b" x=~"a{2}"`:                `path="a=b", x=~"a{2}"`,
		`a="C:\x64\users\u0041"`:              `a="C:\\x64\\users\\u0041"`,
		`a="\x07\u202e" b=~"\x1b\.c"`:         `a="\x07\u202e", b=~"\x1b\\.c"`,
		`labels.severity=none labels.key=x`:   `labels.severity="none", labels.key="x"`,
		`host=""`:                             `host=""`,
		`severity=~"error|crit"`:              `severity=~"error|critical"`,
		`severity!~(P1|fatal|WARN)`:           `severity!~"critical|warning"`,
		`severity=~"P[12]"`:                   `severity=~"critical|error"`,
		`severity!~"sev[3-5]" a=b`:            `severity!~"warning|info", a="b"`,
		`severity=~"(?i)crit"`:                `severity=~"critical"`,
		`severity=~"crit|err.*"`:              `severity=~"critical|err.*"`,
		`severity=~"(crit|err).*"`:            `severity=~"(crit|err).*"`,
		`service=~(db|web)`:                   `service=~"(db|web)"`,
		`service=db(1)x`:                      `service="db(1)x"`,
		`service="(db)" "a~"="~b"`:            `service="(db)", "a~"="~b"`,
		`"Severity"=x Severity2=y`:            `"Severity"="x", Severity2="y"`,
		`severity!~"crit.*" service!~".+"`:    `severity!~"crit.*", service!~".+"`,
	} {
		got, err := alert.ParseMatchers(text)
		if err != nil || got.String() != want {
			t.Errorf("%s is read as %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestWhatIsNoMatcherIsRefusedWithARemedy(t *testing.T) {
	for text, want := range map[string]string{
		"severity":                          "is not a matcher",
		"service=!db":                       `"service=!db" is not a matcher`,
		"https://x.example/a?b=1":           `"https://x.example/a?b=1" is not a matcher`,
		"<https://x.example/a?b=1>":         `is not a matcher`,
		"service=>db":                       `"service=>db" is not a matcher`,
		"service>=db":                       "service can't be compared with >=",
		"{foo=}}":                           `"foo=}" is not a matcher`,
		"foo=":                              `"foo=" is not a matcher`,
		"foo= , a=b":                        `"foo=" is not a matcher`,
		`foo=b"a"r`:                         `is not a matcher`,
		`fo"o=bar`:                          `is not a matcher`,
		"team= for":                         `"team=" is not a matcher: its value is missing`,
		"a=b, team=~ host":                  `"team=~" is not a matcher: its value is missing`,
		"team= , for":                       `"team=" is not a matcher`,
		"team = , for":                      `"team=" is not a matcher`,
		"severity= for":                     `no alert has the severity ""`,
		"a==b":                              `"a==b" is not a matcher`,
		`a == "b"`:                          `"a==b" is not a matcher`,
		"a=b=c":                             `"a=b=c" is not a matcher`,
		"severity==banana":                  `no alert has the severity "banana"`,
		"path=a=b":                          `"path=a=b" is not a matcher`,
		"severity=banana":                   `no alert has the severity "banana"`,
		`severity="critical,error"`:         `no alert has several severities`,
		`severity!="error or critical"`:     `no alert has the severity "error or critical"`,
		`severity!="crit|warn"`:             `no alert has several severities`,
		`severity>="error critical"`:        `no alert has several severities`,
		`severity=crit,err`:                 `no alert has several severities`,
		`severity!=critical error`:          `no alert has several severities`,
		`severity=critical, severity=error`: `no alert has several severities`,
		`a=b, error`:                        `"error" is not a matcher`,
		`severity=""`:                       `no alert has the severity ""`,
		`severity=~"crit|banana"`:           `no alert has the severity "banana"`,
		`severity=~"critical|"`:             `no alert has the severity ""`,
		`severity=~"(?i)cri"`:               `no alert has the severity "(?i)cri"`,
		`severity=~"X[12]"`:                 `no alert has the severity "X[12]"`,
		`severity=`:                         `no alert has the severity ""`,
		`severity>=`:                        `no alert has the severity ""`,
		`severity=~`:                        `no alert has the severity ""`,
		`title=`:                            `every alert has a title`,
		`service>=`:                         `service can't be compared with >=`,
		`service~=db`:                       `"service~=db" is not a matcher`,
		`service=!~db`:                      `"service=!~db" is not a matcher`,
		`service!=~db`:                      `"service!=~db" is not a matcher`,
		`not(service=db)`:                   `"not(service=db)" is not a matcher`,
		`(service=db)`:                      `"(service=db)" is not a matcher`,
		`service=db)`:                       `"service=db)" is not a matcher`,
		`!service=db`:                       `"!service=db" is not a matcher`,
		`Severity=crit`:                     "the field is written severity, not Severity",
		`CHANNEL=ops`:                       "the field is written channel, not CHANNEL",
		`service!~".*"`:                     "matches no alert",
		`title!~".+"`:                       "matches no alert",
		`severity!~".*"`:                    "matches no alert",
		`severity!~"crit|err|warn|info"`:    "matches no alert",
		"severity>critical":                 "matches no alert",
		"severity<info":                     "matches no alert",
		"severity>fatal":                    "matches no alert",
		`severity>=banana`:                  `no alert has the severity "banana"`,
		`channel="two words"`:               "is not a conversation",
		`title=""`:                          "every alert has a title",
		`="x"`:                              "is not a matcher",
		`{severity="x"`:                     "brace",
		`severity="x`:                       "never closed",
		`a="b" and c="d"`:                   "is not a matcher",
		`a=~"("`:                            "not a regular expression",
		`a=~"b)|(c"`:                        "not a regular expression",
		`a=~"*"`:                            "not a regular expression",
		"a=\"\xff\"":                        "not valid text",
		"a=" + strings.Repeat("x", 1000):    "longer than 1000",
		strings.Repeat("a=b ", 21):          "more than 20",
		`a=~"` + strings.Repeat("(", 900):   "never closed",
		`a=~"(x{900}){900}"`:                "not a regular expression",
		`{severity="critical"} host="db-1"`: "brace",
		`a=~"` + strings.Repeat(`x{1000}`, 9) + `"`: "repeats too much",
	} {
		_, err := alert.ParseMatchers(text)
		var bad *alert.InputError
		if !errors.As(err, &bad) || !strings.Contains(bad.Message, want) || bad.Hint == "" {
			t.Errorf("%.60s got %v, want one that says %q", text, err, want)
		}
	}
}

func TestTheMatcherThatARefusalSuggestsIsTaken(t *testing.T) {
	for _, text := range []string{"a<b=x", "a>b=x", "service=>db", "service=!db", `foo=b"a"r`, "foo=", "severity=>error", "severity~=banana", "severity=!=banana", "severity= host=db", "team= for", "severity= error", "title= full", "a==b", "severity == error", "title=", "path=a=b", "service~=[", "service!=~(", "channel=<#x", "a=(b", "service=~a{", "Severity=banana", "Severity>=error", "TITLE=", "Key>x", "Title<=x", `severity="critical,error"`, `severity!="crit/warn"`, "severity=crit,err", "severity!~crit, err", "a=b*", "a=b|c", "a!=*", "a=b,c", `"a=b"`} {
		_, err := alert.ParseMatchers(text)
		var bad *alert.InputError
		if !errors.As(err, &bad) {
			t.Errorf("%s got %v", text, err)
			continue
		}
		suggested, found := strings.CutPrefix(bad.Hint, "write ")
		suggested, _, _ = strings.Cut(strings.NewReplacer(" if you", ";", " for a label", ";", ", or ", ";").Replace(suggested), ";")
		if !found || !strings.ContainsAny(suggested, "=<>") || strings.Contains(suggested, "for example") || strings.Contains(suggested, "…") {
			continue
		}
		if again, err := alert.ParseMatchers(suggested); err != nil || len(again) != 1 {
			t.Errorf("%s: %q, which gives %v, %v", text, bad.Hint, again, err)
		}
	}
}

func TestAMatcherCopiedFromWhereItIsCutMatches(t *testing.T) {
	for text, c := range map[string]struct{ fits, fails string }{
		`a="(b.c…"`: {"(b.c and more\nlines", "(bxc"}, `a=b…`: {"b…", "c"}, `a="b……"`: {"b……", "b"}, `title="disk…"`: {"disk full", "a disk"},
		`a="…"`: {"…", "x"}, `a="b…c"`: {"b…c", "bc"}, `a!="b…"`: {"bc", "b…"}, `a=~"b…"`: {"b…", "bc"}, `a!~"b…"`: {"bc", "b…"},
	} {
		ms, err := alert.ParseMatchers(text)
		subject := func(v string) alert.Subject { return alert.Subject{Title: v, Labels: map[string]string{"a": v}} }
		if err != nil || !ms.Match(subject(c.fits)) || ms.Match(subject(c.fails)) {
			t.Errorf("%s gives %v, %v", text, ms, err)
		}
	}
}

func TestALabelNearAFieldIsNoticed(t *testing.T) {
	for text, want := range map[string]string{
		"sev=crit": "severity", "sevrity=crit": "severity", "titel=x": "title", "chan=ops": "channel", "level=warn": "severity", "level=3rd": "", "service=db": "", "resource=x": "", "severity=crit": "", "env=prod": "", "se=x": "",
	} {
		if ms, err := alert.ParseMatchers(text); err != nil || ms[0].NearField() != want {
			t.Errorf("%s: %v, %v", text, ms, err)
		}
	}
}

func TestTheRefusalSaysWhatIsMeant(t *testing.T) {
	for text, want := range map[string]string{
		"service=<db>": `write service="<db>"`, "host=<@U0BOB>": `write host="<@U0BOB>"`, "url=https://x.example/a?b=1": `write url="https://x.example/a?b=1"`, "http://x/y?z=1": `url="https://…"`,
		"service=!db": `write service!="db"`, "foo=": `write foo=""`, `foo=b"a"r`: `write foo="b\"a\"r"`, "service=>db": "severity>=error", "service>=db": "severity>=error",
		"severity=banana": "critical, error, warning, info",
		"severity=":       "critical, error, warning, info", "severity>=": "critical, error, warning, info", `severity=~"crit|banana"`: "critical, error, warning, info",
		"service=!~db": `write service!~"db"`, `service=!~"db"`: `write service!~"db"`, "service!=~db": `write service!~"db"`, "service= ~db": `write service=~"db"`,
		"service~=db": `write service=~"db"`, "service~db": `write service=~"db"`, `service~="db"`: `write service=~"db"`,
		"service=> db": `write service=">"`, "service=>web": `write service="web"`, "severity=>error": `write severity>="error"`, "severity=<P2": `write severity<="P2"`,
		"team= web": `write team="web", or team="" if you mean`, "severity= error": `write severity="error"`, "a==b": `write a="b"`, "severity == crit": `write severity="crit"`,
		"host=db-*": `write host=~"db-.*", or host="db-*" if you mean that very value`, "host!=db-*.example": `write host!~"db-.*\\.example"`, "host=db-.*": `write host=~"db-.*"`, "host=*": `write host=~".+"`,
		"host=db-1|db-2": `write host=~"db-1|db-2"`, "host=db-1,db-2": `write host=~"db-1|db-2"`, "host!=db-1, db-2": `write host!~"db-1|db-2"`, "severity=crit|err": `write severity=~"crit|err"`,
		`DiskFull{host="db-1", a=~"b"}`: `write alertname="DiskFull", host="db-1", a=~"b", or host="db-1", a=~"b" if DiskFull is a metric`, `up{}`: "the operators are",
		`"host=db-1"`: `write host="db-1"`, `'host=db-1 a="b"'`: `write host="db-1", a="b"`, `"host"`: "the operators are",
		"service=(db)": `write service="(db)"`, "SEVERITY=critical": `write severity="critical", or "SEVERITY"="critical"`, `service!~".*"`: "leave it out",
	} {
		_, err := alert.ParseMatchers(text)
		if bad, ok := errors.AsType[*alert.InputError](err); !ok || !strings.Contains(bad.Hint, want) {
			t.Errorf("%s: got %v, want the hint %s", text, err, want)
		}
	}
}

func TestMatchersLookAtFieldsAndLabels(t *testing.T) {
	s := alert.Subject{
		Severity: alert.Critical, Source: "grafana", Key: "db", Title: "disk full\non db-1", Channel: "#db",
		Labels: map[string]string{"host": "db-1", "severity": "low"},
	}
	for text, want := range map[string]bool{
		``: true, `severity=critical`: true, `severity=low`: false, `source=grafana key=db channel="#db"`: true,
		`host=~"db-.*"`: true, `host=~"b-1"`: false, `host!~"web.*"`: true, `host!="db-1"`: false,
		`missing=""`: true, `missing!=""`: false, `missing=~".*"`: true, `title=~"disk.*db-1"`: true,
		`severity>=error`: true, `severity>=critical`: true, `severity<=error`: false, `severity<=critical`: true, `severity<critical`: false,
		`host=~"db-1|web"`: true, `host=db-1 severity=warning`: false,
	} {
		ms, err := alert.ParseMatchers(text)
		if err != nil || ms.Match(s) != want {
			t.Errorf("%s matches: %v, %v", text, ms.Match(s), err)
		}
	}
	if (alert.Matcher{Name: "host", Op: "=~", Value: ".*"}).Match(s) || (alert.Matcher{Name: "host", Op: "~", Value: ".*"}).Match(s) {
		t.Error("a matcher that nobody has checked matches")
	}
}

func TestMatchersThatAskForNothingAreKnown(t *testing.T) {
	for text, want := range map[string]bool{
		``: true, `host=~".*"`: true, `missing=""`: true, `severity=~".+"`: true, `severity>=info`: true, `title=~".+" key=~".*"`: true,
		`host!="a"`: false, `service!~"db-.*"`: false, `severity!="info"`: false, `severity>=error`: false, `title=~"disk.*"`: false, `host="a"`: false, `host=~".+"`: false, `host!="" a=~".*"`: false,
	} {
		if ms, err := alert.ParseMatchers(text); err != nil || ms.Everything() != want {
			t.Errorf("%s asks for everything: %v, %v", text, ms.Everything(), err)
		}
	}
}

func TestMatchersThatLeaveOutNextToNothingAreKnown(t *testing.T) {
	for text, want := range map[string]bool{
		``: true, `host=~".*"`: true, `severity=~".+"`: true, `alertname=~".+"`: true, `alertname!=""`: true, `labels.alertname!=""`: true, `labels.severity!=""`: true, `source!=""`: true, `title=~".+"`: true, `zzz!="yyy"`: true, `env!~"test|dev" a=""`: true, `alertname!="Down"`: true,
		`severity!="critical"`: false, `env!=""`: false, `host=~".+"`: false, `alertname=~"Disk.*"`: false, `alertname="x"`: false, `env!="test" team="a"`: false, `title=~"disk.*"`: false,
		`labels.severity="page"`: false, `labels.severity!="critical"`: false, `source="cron"`: false,
	} {
		if ms, err := alert.ParseMatchers(text); err != nil || ms.Broad() != want {
			t.Errorf("%s leaves out next to nothing: %v, %v", text, ms.Broad(), err)
		}
	}
}

func TestAnIncidentMatchesAsItsAlertDid(t *testing.T) {
	routing := alert.Routing{Default: "#alerts", Routes: []alert.Route{{Name: "db", Matchers: matchers(t, `host="db-1"`)}}}
	for _, channel := range []string{"", "#ops", "#alerts"} {
		a := alert.Alert{Key: "k", Severity: alert.Error, Source: "s", Title: "t", Channel: channel, Labels: map[string]string{"host": "db-1"}}
		i := alert.Incident{Key: a.Key, Severity: a.Severity, Source: a.Source, Title: a.Title, Labels: a.Labels, Route: routing.Plan(a.Subject()).Route}
		if got := i.Subject().Channel; got != channel && channel != "#alerts" {
			t.Errorf("an alert for %q became an incident for %q", channel, got)
		}
	}
}

func TestMatchersGoThroughJSON(t *testing.T) {
	s := alert.Silence{Matchers: matchers(t, `a="b", c=~"d\\.e"`)}
	text, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(text), `"matchers":"a=\"b\", c=~\"d\\\\.e\""`) {
		t.Errorf("wrote %s, %v", text, err)
	}
	var back alert.Silence
	if err := json.Unmarshal(text, &back); err != nil || back.Matchers.String() != s.Matchers.String() {
		t.Errorf("read %+v, %v", back.Matchers, err)
	}
	if err := json.Unmarshal([]byte(`{"matchers":"a"}`), &back); err == nil {
		t.Error("what is not a matcher was read")
	}
}

func TestMatchersInJSONMayBeAList(t *testing.T) {
	var s struct{ Matchers alert.Matchers }
	if err := json.Unmarshal([]byte(`{"matchers":["severity=critical","{a=b}","c=\"d, e\",f=g"]}`), &s); err != nil || s.Matchers.String() != `severity="critical", a="b", c="d, e", f="g"` {
		t.Errorf("read %s, %v", s.Matchers, err)
	}
	many := `"` + strings.Repeat("a=b,", 15) + `"`
	for written, want := range map[string]string{`["a"]`: `"a" is not a matcher`, "[" + many + "," + many + "]": "more than 20 matchers"} {
		if err := json.Unmarshal([]byte(`{"matchers":`+written+`}`), &s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", written, err, want)
		}
	}
}

func matchers(t testing.TB, s string) alert.Matchers {
	t.Helper()
	ms, err := alert.ParseMatchers(s)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// Whatever names and values are: what String writes is read as the same.
func TestMatchersAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ms alert.Matchers
		for range rapid.IntRange(0, 5).Draw(t, "matchers") {
			m, err := alert.NewMatcher(rapid.StringN(1, 20, -1).Draw(t, "name"), rapid.SampledFrom([]string{"=", "!="}).Draw(t, "op"), rapid.String().Draw(t, "value"))
			if err != nil || strings.ContainsRune(m.Name+m.Value, 0) {
				continue // it is refused, or holds what acceptance refuses
			}
			ms = append(ms, m)
		}
		back, err := alert.ParseMatchers(ms.String())
		if err != nil || len(back) != len(ms) {
			t.Fatalf("%s is read as %s, %v", ms, back, err)
		}
		for n := range ms {
			if back[n].Name != ms[n].Name || back[n].Op != ms[n].Op || back[n].Value != ms[n].Value {
				t.Fatalf("%s is read as %s", ms[n], back[n])
			}
		}
	})
}

// FuzzParseMatchers: whatever people write, it is refused with words for a
// person, or it is the same when it is written and read again.
func FuzzParseMatchers(f *testing.F) {
	for _, seed := range []string{
		`severity="critical", service=~"db-.*"`, `{a!="b",c!~'d'}`, `“x”=„y“`, `a=~"\\d+\"" b='\''`, `a = b`, `{`, `=~`, "a=\"\n\"", `"`, `a=b\`, "\u00a0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ms, err := alert.ParseMatchers(text)
		if err != nil {
			var bad *alert.InputError
			if !errors.As(err, &bad) || bad.Hint == "" {
				t.Fatalf("%q got %v", text, err)
			}
			return
		}
		again, err := alert.ParseMatchers(ms.String())
		if err != nil || again.String() != ms.String() || len(again) != len(ms) {
			t.Fatalf("%q is %s, and that is %s, %v", text, ms, again, err)
		}
		for n, m := range ms {
			if again[n].Name != m.Name || again[n].Op != m.Op || again[n].Value != m.Value {
				t.Fatalf("%q is %q, and that is %q", text, m, again[n])
			}
		}
		ms.Match(alert.Subject{Severity: alert.Error, Title: text})
	})
}

func TestAMatcherIsReadAsItIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab\\\"'nxu07\n\t\r\x07\u202e\u2028“~=<>{}(),. ")), 0, 12, -1)
		m := alert.LabelMatcher("l"+text.Draw(t, "name"), text.Draw(t, "value"))
		got, err := alert.ParseMatchers("a=b, " + m.String())
		if m.Value != "" && (err != nil || len(got) != 2 || got[1].Name != m.Name || got[1].Value != m.Value) {
			t.Fatalf("%q=%q is written %s and read as %q, %v", m.Name, m.Value, m, got, err)
		}
	})
}

func TestALabelWithTheNameOfAFieldCanBeMatched(t *testing.T) {
	labels := map[string]string{"severity": "page", "channel": "c5-eu", "labels.odd": "x"}
	s := alert.Subject{Severity: alert.Error, Channel: "#c5-eu", Labels: labels}
	for text, want := range map[string]bool{
		"labels.severity=page": true, `labels.severity=~"error|warning"`: false, `labels.severity=~"error|page"`: true, "labels.severity=error": false, `labels.severity!="page"`: false, "labels.odd=x": true, "labels.labels.odd=x": true,
		"labels.source=x": false, `labels.source=""`: true, "severity=page": false, `labels.channel=~"c5.*"`: true,
		`channel=~"c5.*"`: true, `channel=~"#c5.*"`: true, `channel!~"c5.*"`: false, "channel=c5-eu": true, `channel="#c5-eu"`: true, `channel=~"c6.*"`: false,
	} {
		if m, err := alert.ParseMatchers(text); err != nil || m.Match(s) != want {
			t.Errorf("%s: %v, %v", text, !want, err)
		}
	}
}

func TestTheWordThatWasSentAsTheSeverityCanBeMatched(t *testing.T) {
	s := alert.Subject{Severity: alert.Critical}
	for text, want := range map[string]bool{
		"labels.severity=critical": true, `labels.severity=~"page|critical"`: true, `labels.severity=~"page|error"`: false,
		"labels.severity!=critical": false, `labels.severity!~"page|error"`: true,
	} {
		if m, err := alert.ParseMatchers(text); err != nil || m.Match(s) != want {
			t.Errorf("%s: %v, %v", text, !want, err)
		}
	}
	for text, want := range map[string]bool{
		`labels.severity=~".+"`: true, `labels.severity=~"critical|error|warning|info"`: true, `labels.severity=~"critical|page"`: false, "labels.severity!=page": false,
	} {
		if m, err := alert.ParseMatchers(text); err != nil || m.Everything() != want {
			t.Errorf("%s leaves something out: %v, %v", text, want, err)
		}
	}
}

func TestASilenceOfAnOlderVersionIsReadAsItWasWritten(t *testing.T) {
	for _, text := range []string{`x!~".*"`, `severity="crit"`, `service="=db"`, `channel="no such"`, `team>="web"`, `a="", b=~"x(?:y|z)\\."`} {
		var s alert.Silence
		body, err := json.Marshal(map[string]any{"id": "s-b22c", "matchers": text, "why": "old"})
		if err == nil {
			err = json.Unmarshal(body, &s)
		}
		if err != nil || s.Matchers.String() != text || s.ID != "s-b22c" || s.Why != "old" {
			t.Errorf("%s is read as %s: %+v, %v", text, s.Matchers, s, err)
		}
	}
}
