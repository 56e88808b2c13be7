package handlers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/alert"
	"tocsin/render"
)

func TestATimeIsReadAsPeopleSayIt(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2027, 1, 27, 15, 30, 0, 0, zone) // a Wednesday
	for said, want := range map[string]string{
		"2h": "27 17:30", "2h30m": "27 18:00", "for 90m": "27 17:00", "1d": "28 15:30", "for 2 hours": "27 17:30", "for an hour,": "27 16:30",
		"for half an hour": "27 16:00", "for 1 hour and 15 minutes": "27 16:45", "1.5h": "27 17:00", "for the next": "", "1w": "34 15:30",
		"until 18:00": "27 18:00", "until 9:30": "28 09:30", "until 6pm": "27 18:00", "until 6 p.m.": "27 18:00", "until 18.45": "27 18:45",
		"until tomorrow": "28 09:00", "until tomorrow 9am": "28 09:00", "until tomorrow at 18:15": "28 18:15", "until 7am tomorrow": "28 07:00",
		"until monday": "32 09:00", "until Mon 8:00": "32 08:00", "until next friday noon": "29 12:00", "until wednesday": "34 09:00", "until wed 18:00": "27 18:00",
		"until midnight": "28 00:00", "until 24:00": "28 00:00", "until 2027-01-30": "30 09:00", "until 30 jan": "30 09:00", "until January 30th 8am": "30 08:00", "until 18:00 on 1st feb": "32 18:00", "until 2 jan": "2 09:00", "until 2027-01-30 08:00": "30 08:00", "until 2027-01-30T07:15": "30 07:15",
		"until 18:00 UTC": "27 19:00", "until 18:00 EST": "28 00:00", "until 18:00 gmt": "27 19:00", "until tomorrow 9am CEST": "28 08:00", "until 2027-01-30T12:00Z": "30 13:00", "until 2h": "27 17:30", "till 12am": "28 00:00", "until 12 pm": "28 12:00",
	} {
		w, n, bad := timing(read(said).words)
		if want == "" {
			if bad == nil {
				t.Errorf("%q: understood", said)
			}
			continue
		}
		if bad != nil || n != len(read(said).words) {
			t.Errorf("%q: %v, read %d words", said, bad, n)
			continue
		}
		got, bad := w.end(now)
		// The day of the year and the time on the wall there.
		if have := fmt.Sprint(got.In(zone).YearDay(), got.In(zone).Format(" 15:04")); bad != nil || have != want {
			t.Errorf("%q: %s, %v; want %s", said, have, bad, want)
		}
	}
}

func TestATimeThatCannotBeMeantIsAnsweredWithWhatToWrite(t *testing.T) {
	now := time.Date(2027, 1, 27, 15, 30, 0, 0, time.UTC)
	for said, want := range map[string]string{
		"for": "how long", "for 90": "90m", "for ever": "not a duration", "for 0h": "is zero", "until": "until 18:00", "until later": "called later", "until 6": "`until 6:00`", "until 32 jan": "called 32", "until 30 feb": "called 30", "until 25:00": "no 25:00 on a clock",
		"until today 9am": "in the past", "until 2020-01-01": "in the past", "for 400d": "a year", "for 99999999d": "a year", "for 999999d": "a year", "until 18:00 CAT": "time zone",
	} {
		w, _, bad := timing(read(said).words)
		if bad == nil {
			_, bad = w.end(now)
		}
		if bad == nil || !strings.Contains(bad.Message+" "+bad.Hint, want) {
			t.Errorf("%q: %+v, want %q", said, bad, want)
		}
	}
}

func TestASilenceIsReadInManySpellings(t *testing.T) {
	for said, want := range map[string][3]string{
		`service=db for 2h`:                 {`service="db"`, "2h0m0s", ""},
		`service=db 2h`:                     {`service="db"`, "2h0m0s", ""},
		`2h service=db`:                     {`service="db"`, "2h0m0s", ""},
		`service=db 1d because of the move`: {`service="db"`, "24h0m0s", "the move"},
		`service=db 1d because of`:          {`service="db"`, "24h0m0s", ""},
		`{service="db", severity!=info} for 1d because disks`:     {`service="db", severity!="info"`, "24h0m0s", "disks"},
		"service=“db two” for 2 hours because it’s “me”":          {`service="db two"`, "2h0m0s", "it’s “me”"},
		`title="gone for 2h" for 1h`:                              {`title="gone for 2h"`, "1h0m0s", ""},
		`title = "x" for 1h`:                                      {`title="x"`, "1h0m0s", ""},
		`a =b c = d e!~f for 1h`:                                  {`a="b", c="d", e!~"f"`, "1h0m0s", ""},
		`critical for 1h`:                                         {`severity="critical"`, "1h0m0s", ""},
		"`service=db` for 1h":                                     {`service="db"`, "1h0m0s", ""},
		"`service=db host=“a b” critical` for 1h because `x`":     {`service="db", host="a b", severity="critical"`, "1h0m0s", "`x`"},
		"`title=\"a `b`\"` host=`c` for 1h":                       {"title=\"a `b`\", host=\"c\"", "1h0m0s", ""},
		`warnings and service=db infos crit warn for 1h`:          {`severity=~"warning|info|critical", service="db"`, "1h0m0s", ""},
		`service=db for 2h severity=info reason: deploying`:       {`service="db", severity="info"`, "2h0m0s", "deploying"},
		`service=db for 2h we are deploying a=b`:                  {`service="db"`, "2h0m0s", "we are deploying a=b"},
		`host=<http://db-1.example.com|db-1.example.com> 2h`:      {`host="db-1.example.com"`, "2h0m0s", ""},
		`channel=<#C0OPS1|ops> 2h because <@U0ANN1|ann> &amp; co`: {`channel="C0OPS1"`, "2h0m0s", "@ann & co"},
		"service=db for 2h because <http://x.example|bank.com>":   {`service="db"`, "2h0m0s", "bank.com (http://x.example)"},
		"service=db for 2h because <!channel> <!subteam^S1|@g>":   {`service="db"`, "2h0m0s", "@channel @g"},
		"service=db for 2h because &lt;3":                         {`service="db"`, "2h0m0s", "<3"},
		"service=db severity &gt;= error for 2h because = hmm":    {`service="db", severity>="error", because="hmm"`, "2h0m0s", ""},
		`room="<#C0OPS|ops>" for 1h`:                              {`room="#ops"`, "1h0m0s", ""},
		`channel != "<#C0OPS|ops>" owner=<@U0BOB|bob>, room=~“see <#C0OPS|ops> &amp; <@U0BOB|bob>” 1h`: {`channel!="C0OPS", owner="@bob", room=~"see #ops & @bob"`, "1h0m0s", ""},
		`{room=<#C0OPS|ops>,channel=<#C0DEV|dev>} for 1h`:                                              {`room="#ops", channel="C0DEV"`, "1h0m0s", ""},
		"service=db for=\"2h\" for 1h":                                                                 {`service="db", for="2h"`, "1h0m0s", ""},
		`alertname=x -d 2h -c why`:                                                                     {`alertname="x"`, "2h0m0s", "why"},
		`-c "disk swap" -d 2h host=db`:                                                                 {`host="db"`, "2h0m0s", "disk swap"},
		`host=db --duration=2h --comment="disk swap, a=b"`:                                             {`host="db"`, "2h0m0s", "disk swap, a=b"},
		`host=db —duration 90m —comment disk swap`:                                                     {`host="db"`, "1h30m0s", "disk swap"},
		`host=db --comment=it is <http://x.example> -d 2h a=b`:                                         {`host="db", a="b"`, "2h0m0s", "it is http://x.example"},
		`host=db --for 2h`:                                                                             {`host="db"`, "2h0m0s", ""},
		"K7F2 for 1h":                                                                                  {"", "1h0m0s", ""},
	} {
		got, bad := parseSilence(read(said))
		if bad != nil {
			t.Errorf("%s: %v", said, bad)
			continue
		}
		if have := [3]string{got.Target.Matchers.String(), got.times.ends.after.String(), got.Text}; have != want {
			t.Errorf("%s: got %q, want %q", said, have, want)
		}
		if (len(got.Target.IDs) == 1) != (want[0] == "") {
			t.Errorf("%s: incident %q", said, got.Target.IDs)
		}
	}
}

func TestWhatNobodyTypedIntoSlackIsReadAsItIs(t *testing.T) {
	for text, want := range map[string][2]string{
		`silence tag="<x>" 2h`:                     {`tag="<x>"`, ""},
		`silence xml="a &lt; b" 2h because <x>`:    {`xml="a &lt; b"`, "<x>"},
		`resolve ch="<#C0OPS|ops>"`:                {`ch="<#C0OPS|ops>"`, ""},
		`list severity>=error`:                     {`severity>="error"`, ""},
		`list severity < error`:                    {`severity<"error"`, ""},
		`ack k7f2: because <x>`:                    {"", "because <x>"},
		`note k7f2 a <module> & &lt; <http://x|l>`: {"", "a <module> & &lt; <http://x|l>"},
	} {
		o, err := Parse(Literal(text))
		if got := [2]string{o.Target.Matchers.String(), o.Text}; err != nil || got != want {
			t.Errorf("%s is read as %q, %v", text, got, err)
		}
	}
	if o, err := Parse(Literal("silence service=<db> 1h")); err == nil || !strings.Contains(fmt.Sprintf("%+v", err), `"service=<db>" is not a matcher`) {
		t.Errorf("an unquoted <db> is read as %q, %v", o.Target.Matchers, err)
	}
	for _, text := range []string{`File "pay.py", line 10, in <module>`, "<none>:<none>", "a &lt; b & c"} {
		if a, _, err := ReadAlert(Literal(text), func(string) bool { return true }); err != nil || a.Text != text {
			t.Errorf("%s is sent as %q, %v", text, a.Text, err)
		}
	}
}

func TestOnlySeverityCanBeCompared(t *testing.T) {
	for _, said := range []string{"list host<5", "mute latency_ms>500 1h", "ack a<b"} {
		if o, err := Parse(Literal(said)); err == nil || !strings.Contains(fmt.Sprintf("%+v", err), "can't be compared with") {
			t.Errorf("%s is read as %+v, %v", said, o.Target, err)
		}
	}
	for _, said := range []string{"ack a->b", "ack <module>", "ack db-1->db-2", "ack <3"} {
		if o, err := Parse(Literal(said)); err != nil || len(o.Target.Words) != 1 {
			t.Errorf("%s is read as %+v, %v", said, o.Target, err)
		}
	}
}

func TestATextThatNamesItsChannelIsKnown(t *testing.T) {
	for text, want := range map[string]bool{
		"to #ops: rebooting now": true, "#ops critical db down": true, "rebooting to #ops": true, "to the #ops channel: rebooting": true, "in #ops: rebooting": true, "critical #ops: fire": true,
		"disk full on db-3": false, "#4711 is broken": false, "to whom it may concern": false, "to ops: rebooting": false, "fixes #12": false, "see #ops": false, "#!/bin/sh failed": false, "# Report": false, "#ops": false,
		"#include <stdio.h>\nint main": false, "moved to #4711": false, "@ann look": false, "": false,
	} {
		if got := NamesChannel(text); got != want {
			t.Errorf("%q names its channel: %v", text, got)
		}
	}
}

func TestAWrongSilenceIsAnsweredWithWhatToWrite(t *testing.T) {
	for said, want := range map[string]string{
		"": "which alerts", "for 2h": "which alerts", "service=db": "how long", `severity=~".*" for 2h`: "perhaps all", `severity>=info 1h`: "perhaps all",
		"service=db fro 2h": "Did you mean for?", "fro service=db 2h": "Did you mean for?", "all for 2h": "which alerts", `service="db for 2h`: "never closed", `service=~"(" for 2h`: "not a regular expression",
		"service=db or host=x 1h": "joined by and", "not service=db 1h": "`service!=db`", "service=db forever": "needs an end", "service=db 7200": "7200 of what?", "k7f2 15": "15 of what?",
		"service=db for 90": "90m", "k7f2 a=b for 1h": "incident and matchers", "service=db 1h " + strings.Repeat("x", 1001): "1,000",
	} {
		if _, bad := parseSilence(read(said)); bad == nil || !strings.Contains(bad.Message+" "+bad.Hint, want) || bad.Hint == "" {
			t.Errorf("%q: %+v, want %q", said, bad, want)
		}
	}
}

func TestASilenceMayBeginLaterOrRecur(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, time.November, 26, 12, 0, 0, 0, berlin) // a Thursday
	for said, want := range map[string]string{
		"service=db for 2h":                                       "at once until Thu 26 14:00",
		"service=db from tomorrow 22:00 for 6h":                   "Fri 27 22:00 until Sat 28 04:00",
		"service=db from 22:00 until 06:00 because disks":         "Thu 26 22:00 until Fri 27 06:00",
		"service=db for 6h from tomorrow 22:00":                   "Fri 27 22:00 until Sat 28 04:00",
		"from saturday 2am until sunday 3am service=db":           "Sat 28 02:00 until Sun 29 03:00",
		"service=db starting in 2h for 30m":                       "Thu 26 14:00 until Thu 26 14:30",
		"service=db from now until 18:00":                         "at once until Thu 26 18:00",
		"service=db from 2026-12-01 08:00 until 2026-12-01 10:00": "Tue 01 08:00 until Tue 01 10:00",
		"service=db every saturday 02:00 for 3h":                  "every saturday 02:00 to 05:00 (Europe/Berlin)",
		"service=db every day at 22:00 until 06:00":               "every day 22:00 to 06:00 (Europe/Berlin)",
		"every weekend 00:00 for 23h service=db because quiet":    "every saturday, sunday 00:00 to 23:00 (Europe/Berlin)",
		"service=db every mon and wed 9am for 1h":                 "every monday, wednesday 09:00 to 10:00 (Europe/Berlin)",
		"service=db every night 23:30 for 1h":                     "every day 23:30 to 00:30 (Europe/Berlin)",
		"service=db every weekday 12:00 until 13:00 UTC":          "every monday, tuesday, wednesday, thursday, friday 12:00 to 13:00 (UTC)",
		"service=db from 22:00 to 23:00":                          "Thu 26 22:00 until Thu 26 23:00",
		"service=db from 22:00-23:30 because of 10:00-11:00":      "Thu 26 22:00 until Thu 26 23:30",
		"service=db 22:00–06:00":                                  "Thu 26 22:00 until Fri 27 06:00",
		"service=db from 22:00 to 23:00 UTC":                      "Thu 26 23:00 until Fri 27 00:00",
		"service=db tomorrow 22:00 for 6h":                        "Fri 27 22:00 until Sat 28 04:00",
		"tomorrow 22:00 EST for 1h service=db":                    "Sat 28 04:00 until Sat 28 05:00",
		"service=db on saturday 2am until 4am":                    "Sat 28 02:00 until Sat 28 04:00",
		"service=db every weekday 22:00 to 23:30":                 "every monday, tuesday, wednesday, thursday, friday 22:00 to 23:30 (Europe/Berlin)",
		"service=db every sat,sun 02:00-05:00":                    "every saturday, sunday 02:00 to 05:00 (Europe/Berlin)",
		"service=db every sat, sun 02:00 UTC for 3h":              "every saturday, sunday 02:00 to 05:00 (UTC)",
		"service=db every saturday 02:00 to 05:00 EST":            "Message: a silence that recurs can't be in EST",
		"service=db every saturday for 3h":                        "Message: on which days, and at what time?",
		"service=db every blue moon for 3h":                       "Message: on which days, and at what time?",
		"service=db every saturday 02:00 for 30h":                 "every saturday 02:00 to sunday 08:00 (Europe/Berlin)",
		"service=db every friday 22:00 until monday 06:00":        "every friday 22:00 to monday 06:00 (Europe/Berlin)",
		"service=db every fri 22:00 to mon 06:00 UTC":             "every friday 22:00 to monday 06:00 (UTC)",
		"service=db every monday 06:00 until monday 05:00":        "every monday 06:00 to monday 05:00 (Europe/Berlin)",
		"service=db every weekend":                                "every saturday 00:00 to monday 00:00 (Europe/Berlin)",
		"every weekend service=db because quiet":                  "every saturday 00:00 to monday 00:00 (Europe/Berlin)",
		"service=db every weekend for 3h":                         "Message: on which days, and at what time?",
		"service=db every saturday 02:00 for 200h":                "Message: a silence that recurs hides less than a day at a time",
		"service=db every sat, sun 02:00 until monday 06:00":      "Message: until what time of the day?",
		"service=db every saturday 25:00 for 3h":                  "Message: there is no 25:00 on a clock",
		"service=db until 25:00":                                  "Message: there is no 25:00 on a clock",
		"service=db from 22:60 for 2h":                            "Message: there is no 22:60 on a clock",
		"service=db every day 22:00 for 26h":                      "Message: a silence that recurs hides less than a day at a time",
		"service=db from 22:00 for 26h every day":                 "Message: on which days, and at what time, does it recur?",
		"service=db from 22:00 for 2h every host is moved":        "Thu 26 22:00 until Fri 27 00:00",
		"service=db for 2h every sunday 22:00":                    "every sunday 22:00 to 00:00 (Europe/Berlin)",
		"service=db every day from 22:00 for 24h":                 "Message: a silence that recurs hides less than a day at a time",
		"service=db every day 23:00 for 2h until 2027-12-24":      "Message: that is a second end",
		"service=db for 2h until 5pm":                             "Message: that is a second end",
		"service=db every sat 02:00 for 3h starting tomorrow":     "Message: that is a second beginning",
		"service=db for 2h for the upgrade until it is done":      "at once until Thu 26 14:00",
		"service=db every day 22:00 until 22:00":                  "Message: a silence that recurs hides less than a day at a time",
		"service=db every saturday 02:00 until monday 03:00":      "every saturday 02:00 to monday 03:00 (Europe/Berlin)",
		"service=db from for 2h":                                  "Message: from when?",
		"service=db from tomorrow 22:00":                          "Message: for how long?",
		"service=db from tomorrow for 400d":                       "Message: that is more than a year",
		"service=db from 2020-01-01 for 1h":                       "Message: 09:00 on Wednesday, 1 January 2020 is in the past",
	} {
		got, bad := parseSilence(read(said))
		var s alert.Silence
		if bad == nil {
			s, bad = got.times.silence(now)
		}
		var have string
		written := func(at time.Time) string { return at.In(berlin).Format("Mon 02 15:04") }
		switch {
		case bad != nil:
			have = "Message: " + bad.Message
		case s.Every != nil:
			have = "every " + s.Every.String()
		case s.StartsAt.IsZero():
			have = "at once until " + written(s.EndsAt)
		default:
			have = written(s.StartsAt) + " until " + written(s.EndsAt)
		}
		if have != want || bad == nil && got.Target.Matchers.String() != `service="db"` {
			t.Errorf("%s: %s of %s, want %s", said, have, got.Target.Matchers, want)
		}
	}
}

func TestAListIsReadInAnyOrder(t *testing.T) {
	for said, want := range map[string]string{
		"": "|", "open": "open|", "db-3": "||db-3", "the disk alerts on db-3": "||disk db-3", "service Disk": "||service disk", "all": "open acked resolved|", "RESOLVED service=db": `resolved|service="db"`, "service=db acked": `acked|service="db"`,
		"critical": `|severity="critical"`, "<#C0OPS|ops>": `|channel="C0OPS"`, "open in #alerts": `open|channel="#alerts"`, "#4711": "||#4711", "<https://pay.example/x?y=1>": "||https://pay.example/x?y=1", "https://pay.example/x?y=1 open": "open||https://pay.example/x?y=1", "url = <https://pay.example/x>": `|url="https://pay.example/x"`, "critical alerts mine": `|severity="critical"|mine`, "critical error": `|severity=~"critical|error"`, "errors or warnings on db-3": `|severity=~"error|warning"|db-3`, "critical crit": `|severity="critical"`, "warnings service=~“db-.*”": `|severity="warning", service=~"db-.*"`,
	} {
		got, bad := parseList(read(said))
		var states []string
		for _, s := range got.Target.States {
			states = append(states, string(s))
		}
		have := strings.Join(states, " ") + "|" + got.Target.Matchers.String()
		if len(got.Target.Words) > 0 {
			have += "|" + strings.Join(got.Target.Words, " ")
		}
		if got.Target.Mine {
			have += "|mine"
		}
		if bad != nil || have != want {
			t.Errorf("%q: got %q, %v; want %q", said, have, bad, want)
		}
	}
	for said, want := range map[string]string{"a=~(": "not a regular", "a b c d e f g h i j k l m": "too many words"} {
		if _, bad := parseList(read(said)); bad == nil || !strings.Contains(bad.Message+bad.Hint, want) {
			t.Errorf("%q: %+v", said, bad)
		}
	}
}

func TestIdsAreReadWithWhatPeoplePutAround(t *testing.T) {
	for said, want := range map[string]string{
		"k7f2": "k7f2|", "K7F2,": "k7f2|", "`k7f2` #k7f3": "k7f2 k7f3|", "k7f2,k7f3 I am on it": "k7f2 k7f3|I am on it", "k7f2, bcdf and k7f4": "k7f2 bcdf k7f4|",
		"k7f2 bcdf": "k7f2 bcdf?|", "k7f2 hmmm let me see": "k7f2 hmmm?|let me see", "nonsense": "nonsense|", "k7f2 & k7f3": "k7f2 k7f3|", "k7f2: looking": "k7f2|looking",
	} {
		p := read(said)
		ids, behind, bad := parseIDs(p)
		var got []string
		for _, c := range ids {
			if !c.sure {
				c.id += "?"
			}
			got = append(got, c.id)
		}
		if have := strings.Join(got, " ") + "|" + p.from(behind).prose(); bad != nil || have != want {
			t.Errorf("%q: got %q, %v; want %q", said, have, bad, want)
		}
	}
	if _, _, bad := parseIDs(read("")); bad == nil {
		t.Error("no id is an id")
	}
	if _, _, bad := parseIDs(read(strings.Repeat("k7f2 ", 51))); bad == nil {
		t.Error("51 ids at once")
	}
}

func TestAnAssignmentIsReadInAnyOrder(t *testing.T) {
	for said, want := range map[string]string{
		"k7f2 <@U0ANN1|ann>": "k7f2 <@U0ANN1|ann> ", "k7f2 to @ann": "k7f2 @ann ", "@ann k7f2": "k7f2 @ann ", "k7f2 me": "k7f2 me ", "k7f2 U0ANN1 look at it": "k7f2 U0ANN1 look at it",
		"k7f2, k7f3 @ann@example.com": "k7f2,k7f3 @ann@example.com ", "k7f2 ann": "k7f2 ann ", "k7f2 bob: look": "k7f2 bob look", "k7f2 to bob please look": "k7f2 bob please look",
	} {
		p := read(said)
		got, bad := parseAssign(p)
		if have := strings.Join(got.Target.IDs, ",") + " " + got.To + " " + got.Text; bad != nil || have != want {
			t.Errorf("%q: got %q, %v; want %q", said, have, bad, want)
		}
	}
	for said, want := range map[string]string{"": "which incident", "@ann": "which incident", "k7f2": "to whom", "disk": "to whom", "all": "to whom", "last": "to whom", "service=db": "to whom"} {
		if _, bad := parseAssign(read(said)); bad == nil || !strings.Contains(bad.Message, want) {
			t.Errorf("%q: %+v", said, bad)
		}
	}
}

func TestWhatIsSentBeginsBehindChannelAndSeverity(t *testing.T) {
	known := func(conversation string) bool { return conversation == "#ops" }
	for said, want := range map[string]sendOrder{
		"disk full":                          {text: "disk full"},
		"#ops critical disk full":            {channel: "#ops", severity: alert.Critical, text: "disk full"},
		"Warning: #ops look at #dev":         {channel: "#ops", severity: alert.Warning, text: "look at #dev"},
		"<#C0OPS1|ops> <!channel> come":      {channel: "<#C0OPS1|ops>", text: "@channel come"},
		"to #ops: rebooting":                 {channel: "#ops", text: "rebooting"},
		"to <#C0OPS1|ops>: error it burns":   {channel: "<#C0OPS1|ops>", severity: alert.Error, text: "it burns"},
		"to do":                              {text: "to do"},
		"to ops: critical disk full":         {channel: "ops", severity: alert.Critical, text: "disk full"},
		"crit to db-team: disk full":         {channel: "db-team", severity: alert.Critical, text: "disk full"},
		"in short: disk full":                {text: "in short: disk full"},
		"critical to #ops: fire":             {channel: "#ops", severity: alert.Critical, text: "fire"},
		"in #ops: rebooting":                 {channel: "#ops", text: "rebooting"},
		"#ops crit disk full":                {channel: "#ops", severity: alert.Critical, text: "disk full"},
		"P3: disk full":                      {severity: alert.Warning, text: "disk full"},
		"DATABASES down":                     {text: "DATABASES down"},
		"info two lines\nand the second":     {severity: alert.Info, text: "two lines\nand the second"},
		"page the owner":                     {text: "page the owner"},
		"error <http://x.example|bank.com>":  {severity: alert.Error, text: "bank.com (http://x.example)"},
		"@ann info \u202egnp.exe":            {channel: "@ann", severity: alert.Info, text: "gnp.exe"},
		"to ops rebooting now":               {channel: "ops", text: "rebooting now"},
		"to OPS critical rebooting now":      {channel: "OPS", severity: alert.Critical, text: "rebooting now"},
		"warn to ops rebooting now":          {channel: "ops", severity: alert.Warning, text: "rebooting now"},
		"to whom it may concern":             {text: "to whom it may concern", unknown: "whom"},
		"error to do a backup is impossible": {severity: alert.Error, text: "to do a backup is impossible", unknown: "do"},
		"“to ops rebooting now”":             {text: "“to ops rebooting now”"},
		"to ops : rebooting now":             {channel: "ops", text: "rebooting now"},
		"to dev: rebooting now":              {channel: "dev", text: "rebooting now"},
		"to the #ops channel: rebooting":     {channel: "#ops", text: "rebooting"},
		"to the ops channel rebooting now":   {channel: "ops", text: "rebooting now"},
		"to channel ops rebooting now":       {channel: "ops", text: "rebooting now"},
		"to the moon and back":               {text: "to the moon and back"},
		"to #ops rebooting now":              {channel: "#ops", text: "rebooting now"},
		"#ops: rebooting now":                {channel: "#ops", text: "rebooting now"},
		"rebooting now to #ops":              {channel: "#ops", text: "rebooting now"},
		"crit fire to <#C0OPS1|ops>.":        {channel: "<#C0OPS1|ops>", severity: alert.Critical, text: "fire"},
		"#dev moved to #ops":                 {channel: "#dev", text: "moved to #ops"},
		"see #ops":                           {text: "see #ops"},
	} {
		if got, bad := parseSend(read(said), known); bad != nil || got != want {
			t.Errorf("%q: got %+v, %v", said, got, bad)
		}
	}
	for _, said := range []string{"", "#ops", "critical", "#ops info", "to #ops", "to #ops:", "to the #ops channel"} {
		if _, bad := parseSend(read(said), known); bad == nil {
			t.Errorf("%q is something to send", said)
		}
	}
}

func TestFiguresAreOfTheTimeThatWasSaid(t *testing.T) {
	for said, want := range map[string]time.Duration{"": 24 * time.Hour, "7d": 168 * time.Hour, "last 2 days": 48 * time.Hour, "week": 168 * time.Hour, "24h": 24 * time.Hour} {
		if got, bad := parseStats(read(said)); bad != nil || got != want {
			t.Errorf("%q: %v, %v", said, got, bad)
		}
	}
	for _, said := range []string{"7", "yesterday", "1m", "400d", "7d please now"} {
		if got, bad := parseStats(read(said)); bad == nil {
			t.Errorf("%q: %v", said, got)
		}
	}
}

// spelled is an order in one line.
func spelled(o Order) string {
	target := o.Target
	parts := append([]string{o.Do}, target.IDs...)
	for _, w := range target.Words {
		parts = append(parts, "~"+w)
	}
	for word, set := range map[string]bool{"LAST": target.Last, "ALL": target.All, "MINE": target.Mine} {
		if set {
			parts = append(parts, word)
		}
	}
	if len(target.Matchers) > 0 {
		parts = append(parts, target.Matchers.String())
	}
	for _, s := range target.States {
		parts = append(parts, "in "+string(s))
	}
	if o.To != "" {
		parts = append(parts, "to "+o.To)
	}
	if o.Timed {
		parts = append(parts, "for "+o.times.ends.after.String())
	}
	if o.Text != "" {
		parts = append(parts, ": "+o.Text)
	}
	return strings.Join(parts, " ")
}

func TestPeopleWriteWordsInsteadOfSyntax(t *testing.T) {
	for said, want := range map[string]string{
		"list db-3": "list ~db-3", "show disk": "show ~disk", "mute db-3 for 1h": "mute ~db-3 for 1h0m0s", "silence postgres 2h": "silence ~postgres for 2h0m0s",
		"ack last": "ack LAST", "ack the last one I look": "ack LAST : I look", "assign b22c bob": "assign b22c to bob", "what is open": "list in open", "show me what is open": "list in open", "show what's open on db-3": "list ~db-3 in open", "What's open on db-3?": "list ~db-3 in open",
		"snooze b22c": "mute b22c for 1h0m0s", "mute b22c 30m": "mute b22c for 30m0s", "show open": "list in open", "show me my critical alerts": `list MINE severity="critical"`,
		"show all": "list in open in acked in resolved", "ack all": "ack ALL", "ack all critical": `ack ALL severity="critical"`, "ack all critical and error": `ack ALL severity=~"critical|error"`, "resolve service=db": `resolve service="db"`,
		"ack disk on db-3": "ack ~disk ~db-3", "ack disk: looking into it": "ack ~disk : looking into it", "ack service=db because of the move": `ack service="db" : of the move`,
		"ack all - planned": "ack ALL : planned", "assign last bob": "assign LAST to bob", "assign all critical to bob": `assign ALL severity="critical" to bob`, "assign disk bob can you look": "assign ~disk to bob : can you look",
		"assign service=db bob": `assign service="db" to bob`, "give k7f2 to me": "assign k7f2 to me", "assign bob k7f2": "assign k7f2 to bob", "assign bob k7f2 k7f3": "assign k7f2 k7f3 to bob", "unack k7f2": "unack k7f2", "reopen last": "reopen LAST", "/ack K7F2 on it": "ack k7f2 : on it",
		"ack failed backup": "ack ~failed ~backup", "mute page": "mute ~page for 1h0m0s", "list high urgent": "list ~high ~urgent", "ack fatal p2": `ack severity=~"critical|error"`, "ack grpc": "ack ~grpc", "ack grpc checkout": "ack ~grpc ~checkout", "ack k7f2 hmmm let me see": "ack k7f2 : hmmm let me see", "ack zzzz": "ack ~zzzz", "silence grpc 1h": "silence ~grpc for 1h0m0s",
		"please list acked": "list in acked", "open critical": `list severity="critical" in open`, "take k7f2": "ack k7f2", "note disk: it is the backup": "note ~disk : it is the backup", "silence last 2h": "silence LAST for 2h0m0s",
		"k7f2 ack": "ack k7f2", "K7F2: ack on it": "ack k7f2 : on it", "#k7f2, k7f3 resolve fixed": "resolve k7f2 k7f3 : fixed", "k7f2 note raid is rebuilding": "note k7f2 : raid is rebuilding", "k7f2 silence 2h": "silence k7f2 for 2h0m0s",
		"can you ack k7f2": "ack k7f2", "pd incident ack k7f2": "ack k7f2", "incident list critical": `list severity="critical"`, "amtool alert query service=db": `list service="db"`, "status k7f2": "show k7f2", "ack last 2 disks are new": "ack LAST : 2 disks are new",
		"amtool silence add service=db 2h": `silence service="db" for 2h0m0s`, "silence add db-3 2h": "silence ~db-3 for 2h0m0s",
		"ack <http://db-1.example.com|db-1.example.com>": "ack ~db-1.example.com", "ack “disk full”": "ack ~disk full", "silence db-3 until 18:00 because disks": "silence ~db-3 for 0s : disks",
	} {
		o, err := Parse(said)
		if err == nil {
			o, err = o.Settled(func(id string) (bool, error) { return id == "k7f2" || id == "b22c", nil })
		}
		if len(o.Target.Words) > 0 {
			o.Target.IDs = nil
		}
		if have := spelled(o); err != nil || have != want {
			t.Errorf("%q: got %q, %v; want %q", said, have, err, want)
		}
	}
	for said, want := range map[string]string{
		"ack it": "which incident?", "ack this one": "which incident?", "ack last 2": "`last` is one incident", "resolve last two incidents": "`last` is one incident",
		"list silences": "`tocsin silences`", "silence query": "`tocsin silences`", "silence expire s-k7f2": "`tocsin unsilence s-k7f2`", "delete silence s-k7f2": "`tocsin unsilence s-k7f2`", "silences rm s-k7f2": "`tocsin unsilence s-k7f2`", "get heartbeats": "`tocsin heartbeats`",
	} {
		if o, err := Parse(said); err == nil || !strings.Contains(err.Error()+inputError(err).Hint, want) {
			t.Errorf("%q: %+v, %v; want %q", said, o, err, want)
		}
	}
	for said, want := range map[string]string{"dance": "", "aknowledge": "ack", "wake k7f2": "unsilence", "stauts": "status", "what is this": "", "": ""} {
		if o, err := Parse(said); err != nil || o.Near != want || said != "" && o.Do != "" {
			t.Errorf("%q: %+v, %v", said, o, err)
		}
	}
}

func FuzzGrammar(f *testing.F) {
	for _, seed := range []string{
		"", "service=db for 2h because x", "k7f2, k7f3 on it", "{a=\"b\"} until tomorrow 9am", "critical all", "k7f2 <@U0ANN1|ann>", "#ops critical <http://x|bank.com>",
		"until 2027-01-30T12:00Z", "a='b \\' for", "<", "<@U1|x y", "\xff", "&lt;!channel&gt;", "for half an", "1.5h30m", "s-k7f2,and", "=", "“", "\u202e",
	} {
		f.Add(seed)
	}
	now := time.Date(2027, 1, 27, 15, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, said string) {
		p := read(said)
		answered := func(what string, bad *alert.InputError) {
			if bad != nil && (bad.Message == "" || !utf8.ValidString(bad.Message+bad.Hint)) {
				t.Errorf("%s %q: answer %+v", what, said, bad)
			}
		}
		silence, bad := parseSilence(p)
		answered("silence", bad)
		if bad == nil {
			if meant := silence.Target; len(meant.IDs)+len(meant.Words) == 0 && !meant.Last && (len(meant.Matchers) == 0 || meant.Matchers.Everything()) {
				t.Errorf("%q silences everything", said)
			}
			if at, bad := silence.times.ends.end(now); bad == nil && (!at.After(now) || at.Sub(now) > maxSilence) {
				t.Errorf("%q ends at %v", said, at)
			}
		}
		_, bad = parseList(p)
		answered("list", bad)
		ids, behind, bad := parseIDs(p)
		answered("ids", bad)
		if bad == nil && (len(ids) == 0 || !ids[0].sure || behind < 1 || behind > len(p.words)) {
			t.Errorf("%q: ids %+v up to %d", said, ids, behind)
		}
		_, bad = parseAssign(p)
		answered("assign", bad)
		act, bad := parseAct(p)
		answered("act", bad)
		if bad == nil && act.Target.Empty() {
			t.Errorf("%q: acts on nothing", said)
		}
		order, err := Parse(said)
		if err == nil {
			_, err = order.Settled(func(id string) (bool, error) { return len(id)%2 == 0, nil })
		}
		bad, _ = errors.AsType[*alert.InputError](err)
		answered("parse", bad)
		_, bad = parseSilenceIDs(p)
		answered("unsilence", bad)
		sent, bad := parseSend(p, func(string) bool { return len(said)%2 == 0 })
		answered("send", bad)
		if strings.Contains(sent.text, "\u202e") {
			t.Errorf("%q: sends marks of direction", said)
		}
		_, bad = parseStats(p)
		answered("stats", bad)
		_, bad = parseWish(p)
		answered("subscribe", bad)
	})
}

func TestTheHelpExplainsEveryCommand(t *testing.T) {
	general := render.Help(render.HelpView{}).Text
	for _, c := range commands() {
		if help := render.Help(render.HelpView{Word: c.name}).Text; help == general || !strings.Contains(help, "/notify "+c.name) {
			t.Errorf("the help of %s is\n%s", c.name, help)
		}
	}
}
