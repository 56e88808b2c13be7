package handlers_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/handlers"
	"tocsin/render"
)

// inputs are what was filled into a dialog: names and values by turns.
func inputs(pairs ...string) map[string]map[string]string {
	all := map[string]map[string]string{}
	for n := 0; n < len(pairs); n += 2 {
		all[pairs[n]] = map[string]string{pairs[n]: pairs[n+1]}
	}
	return all
}

func TestTheSilenceDialogShowsErrorsAtTheirFields(t *testing.T) {
	d := &desk{}
	h := d.handlers()
	now := time.Unix(1795442000, 0)
	for _, c := range []struct{ matchers, duration, until, reason, block, want string }{
		{"", "1h", "", "", "matchers", "which alerts"},
		{"service", "1h", "", "", "matchers", "not a matcher"},
		{`service=~"("`, "1h", "", "", "matchers", "not a regular expression"},
		{`service=~".*"`, "1h", "", "", "matchers", "perhaps all"},
		{"service=db", "", "", "", "duration", "how long"},
		{"service=db", "a while", "", "", "duration", "how long"},
		{"service=db", "until", "", "", "until", "the time here"},
		{"service=db", "until", "1795441999", "", "until", "in the past"},
		{"service=db", "until", fmt.Sprint(now.AddDate(2, 0, 0).Unix()), "", "until", "a year"},
		{"service=db", "until", "x", "", "until", "again"},
		{"service=db", "1h", "", strings.Repeat("é", 301), "reason", "301 characters"},
	} {
		errs, work := h.Submit(bot.Submission{User: "U0ANN", CallbackID: render.CallbackSilence, Inputs: inputs("matchers", c.matchers, "duration", c.duration, "until", c.until, "reason", c.reason)})
		if len(errs) != 1 || work != nil || !strings.Contains(errs[c.block], c.want) {
			t.Errorf("%+v: errors %q", c, errs)
		}
	}
	for _, c := range []struct{ begins, duration, until, repeat, block, want string }{
		{"1795442000", "1h", "", "never", "begins", "in the past"},
		{"x", "1h", "", "never", "begins", "again"},
		{fmt.Sprint(now.AddDate(2, 0, 0).Unix()), "1h", "", "never", "begins", "a year"},
		{fmt.Sprint(now.AddDate(0, 0, 364).Unix()), "7d", "", "never", "duration", "a year"},
		{"1795450000", "1h", "1795450000", "never", "until", "after the beginning"},
		{"1795450000", "until", "", "never", "until", "the time here"},
		{"", "24h", "", "daily", "duration", "less than a day"},
		{"1795450000", "1h", "1796054800", "weekly", "until", "less than a week"},
		{"1795450000", "1h", "1795450030", "daily", "until", "at least a minute"},
	} {
		errs, work := h.Submit(bot.Submission{User: "U0ANN", CallbackID: render.CallbackSilence, Inputs: inputs("matchers", "service=db", "begins", c.begins, "duration", c.duration, "until", c.until, "repeat", c.repeat)})
		if len(errs) != 1 || work != nil || !strings.Contains(errs[c.block], c.want) {
			t.Errorf("%+v: errors %q", c, errs)
		}
	}
	if errs, _ := h.Submit(bot.Submission{CallbackID: render.CallbackSilence}); len(errs) != 2 {
		t.Errorf("an empty dialog: %q", errs)
	}
}

func TestTheSilenceDialogSilences(t *testing.T) {
	now := time.Unix(1795442000, 0)
	for name, c := range map[string]struct {
		duration, until string
		want            time.Time
	}{
		"a duration": {"2h", "", now.Add(2 * time.Hour)}, "a week": {"7d", "", now.Add(7 * 24 * time.Hour)},
		"a time": {"until", "1795450000", time.Unix(1795450000, 0)}, "a time beside the duration": {"1h", "1795450000", time.Unix(1795450000, 0)},
	} {
		d := &desk{}
		errs, work := d.handlers().Submit(bot.Submission{
			User: "U0ANN", Name: "ann", CallbackID: render.CallbackSilence, Private: `{"c":"C0OPS","t":"1.1"}`,
			Inputs: inputs("matchers", "service=“db”, title=~\"<b>.*\"", "duration", c.duration, "until", c.until, "reason", " disks\u202e "),
		})
		if len(errs) > 0 || len(d.silences) > 0 {
			t.Fatalf("%s: errors %q, done %v", name, errs, d.silences)
		}
		ok(t, work(t.Context()))
		d.wantAnswer(t, "s-k7f2")
		if s := d.silences[0]; !s.EndsAt.Equal(c.want) || s.Matchers.String() != `service="db", title=~"<b>.*"` || s.Why != "disks" || s.By.Name != "ann" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestTheSilenceDialogPlansAndRepeats(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, time.November, day, hour, minute, 0, 0, berlin)
	}
	unix := func(at time.Time) string { return fmt.Sprint(at.Unix()) }
	now := time.Unix(1795442000, 0) // Monday the 23rd, 14:53 in Berlin
	for name, c := range map[string]struct {
		begins, duration, until, repeat string
		starts, ends                    time.Time
		every                           string
	}{
		"later":                     {unix(at(24, 22, 0)), "8h", "", "never", at(24, 22, 0), at(25, 6, 0), ""},
		"from one time to another":  {unix(at(24, 22, 0)), "until", unix(at(24, 23, 30)), "never", at(24, 22, 0), at(24, 23, 30), ""},
		"every day, from now on":    {"", "2h", "", "daily", time.Time{}, now.AddDate(0, 0, 365), "day 14:53 to 16:53 (Europe/Berlin)"},
		"every week over midnight":  {unix(at(28, 22, 0)), "until", unix(at(29, 5, 0)), "weekly", at(28, 22, 0), now.AddDate(0, 0, 365), "saturday 22:00 to 05:00 (Europe/Berlin)"},
		"every weekend":             {unix(at(27, 22, 0)), "until", unix(at(30, 6, 0)), "weekly", at(27, 22, 0), now.AddDate(0, 0, 365), "friday 22:00 to monday 06:00 (Europe/Berlin)"},
		"a whole day of each week":  {unix(at(28, 0, 0)), "24h", "", "weekly", at(28, 0, 0), now.AddDate(0, 0, 365), "saturday 00:00 to sunday 00:00 (Europe/Berlin)"},
		"every day, in summer time": {unix(time.Date(2027, 3, 27, 22, 0, 0, 0, berlin)), "until", unix(time.Date(2027, 3, 28, 6, 0, 0, 0, berlin)), "daily", time.Date(2027, 3, 27, 22, 0, 0, 0, berlin), now.AddDate(0, 0, 365), "day 22:00 to 06:00 (Europe/Berlin)"},
		"23 hours that end on the same minute": {unix(time.Date(2027, 3, 27, 22, 0, 0, 0, berlin)), "until", unix(time.Date(2027, 3, 28, 22, 0, 0, 0, berlin)), "daily",
			time.Date(2027, 3, 27, 22, 0, 0, 0, berlin), now.AddDate(0, 0, 365), "day 22:00 to 21:00 (Europe/Berlin)"},
	} {
		d := &desk{zone: berlin}
		errs, work := d.handlers().Submit(bot.Submission{
			User: "U0ANN", Name: "ann", CallbackID: render.CallbackSilence, Private: `{"c":"C0OPS","t":"1.1"}`,
			Inputs: inputs("matchers", "service=db", "begins", c.begins, "duration", c.duration, "until", c.until, "repeat", c.repeat),
		})
		if len(errs) > 0 {
			t.Fatalf("%s: errors %q", name, errs)
		}
		ok(t, work(t.Context()))
		every := ""
		if s := d.silences[0]; s.Every != nil {
			every = s.Every.String()
		}
		if s := d.silences[0]; !s.StartsAt.Equal(c.starts) || !s.EndsAt.Equal(c.ends) || every != c.every {
			t.Errorf("%s: from %s until %s every %q", name, s.StartsAt, s.EndsAt, every)
		}
	}
	d := &desk{zoneErr: errors.New("slack is down")}
	errs, work := d.handlers().Submit(bot.Submission{User: "U0ANN", CallbackID: render.CallbackSilence, Private: `{"c":"C0OPS"}`, Inputs: inputs("matchers", "service=db", "duration", "1h", "repeat", "daily")})
	if len(errs) > 0 {
		t.Fatalf("errors %q", errs)
	}
	ok(t, work(t.Context()))
	d.wantAnswer(t, "time zone")
}

func TestSilencesAreListedWithWhenTheyBeginNext(t *testing.T) {
	now := time.Unix(1795442000, 0).UTC() // 13:53
	hours := func(from int) *alert.Hours {
		return &alert.Hours{From: time.Duration(from) * time.Hour, To: time.Duration(from+2) * time.Hour}
	}
	d := &desk{silences: []alert.Silence{
		{ID: "s-now1", Matchers: alert.Matchers{{Name: "a", Op: "=", Value: "b"}}, EndsAt: now.AddDate(0, 0, 30), Every: hours(13)},
		{ID: "s-next", Matchers: alert.Matchers{{Name: "a", Op: "=", Value: "c"}}, EndsAt: now.AddDate(0, 0, 30), Every: hours(20)},
	}}
	got := d.types(t, d.handlers(), "silences")
	if want := fmt.Sprintf("next <!date^%d^", time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC).Unix()); strings.Count(got, "next ") != 1 || !strings.Contains(got, want) {
		t.Errorf("the list is %s", got)
	}
}

func TestTheSilenceDialogBeginsWithWhatTheIncidentHas(t *testing.T) {
	many := map[string]string{}
	for n := range 200 {
		many[fmt.Sprint("label", n)] = "x"
	}
	for name, c := range map[string]struct {
		labels map[string]string
		want   string
	}{
		"labels":          {map[string]string{"service": "db", "host": "db-3"}, `host="db-3", service="db"`},
		"no labels":       {nil, `key="disk-db-3"`},
		"200 labels":      {many, `key="disk-db-3"`},
		"a long label":    {map[string]string{"trace": strings.Repeat("x", 3000), "service": "db"}, `service="db"`},
		"only a long one": {map[string]string{"trace": strings.Repeat("x", 3000)}, `key="disk-db-3"`},
		"a field's name":  {map[string]string{"severity": "page", "service": "db"}, `service="db"`},
		"odd characters":  {map[string]string{"na me": "a\"b\n\u202e"}, "\"na me\"=\"a\\\"b\\n"},
	} {
		i := disk()
		i.Labels = c.labels
		d := &desk{open: []alert.Incident{i}, counted: 3}
		h := d.handlers()
		if got := d.clicks(t, h, bot.Action{ActionID: render.ActionSilence, Value: "k7f2", MessageTS: "1.1"}); len(got) != 0 || len(d.opened) != 1 {
			t.Fatalf("%s: answered %q", name, got)
		}
		shown := drawn(t, d.opened[0])
		if !strings.Contains(shown, quotedJSON(t, c.want)) || !strings.Contains(shown, "3 open incidents") {
			t.Errorf("%s: %s", name, shown)
		}
	}
}

func TestOtherMatchersAreCountedAnew(t *testing.T) {
	d := &desk{counted: 5}
	h := d.handlers()
	d.clicks(t, h, bot.Action{ActionID: render.InputMatchers, Value: "service=db", ViewID: "V1", ViewHash: "h", Private: "{}"})
	if d.updated != 1 {
		t.Errorf("%d updates", d.updated)
	}
	if d.clicks(t, h, bot.Action{ActionID: render.InputMatchers, Value: "service=~(", ViewID: "V1"}); d.updated != 1 || len(d.answers) != 0 {
		t.Errorf("wrong matchers: %d updates, %q", d.updated, d.answers)
	}
}

func TestTheOtherDialogsActOnTheirIncident(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}}
	h := d.handlers()
	submit := func(callback, private string, in map[string]map[string]string) (map[string]string, []string) {
		t.Helper()
		d.answers, d.acts = nil, nil
		errs, work := h.Submit(bot.Submission{User: "U0ANN", Name: "ann", CallbackID: callback, ViewID: "V1", Private: private, TriggerID: "t9", Inputs: in})
		if work != nil {
			ok(t, work(t.Context()))
		}
		return errs, d.answers
	}
	onCard := `{"i":"k7f2","c":"C0OPS","m":"1.1"}`
	if errs, _ := submit(render.CallbackAssign, onCard, inputs("person", "", "text", strings.Repeat("x", 3001))); errs["person"] == "" || errs["text"] == "" || len(d.acts) != 0 {
		t.Errorf("errors %q", errs)
	}
	if errs, got := submit(render.CallbackAssign, onCard, inputs("person", "U0BOB1", "text", "yours")); len(errs)+len(got) != 0 || d.acts[0].To.ID != "U0BOB1" || d.acts[0].RequestID != "t9" || d.acts[0].Text != "yours" {
		t.Errorf("assign: %q, %q, %+v", errs, got, d.acts)
	}
	if errs, _ := submit(render.CallbackNote, onCard, inputs("text", " \n ")); errs["text"] == "" {
		t.Errorf("an empty note: %q", errs)
	}
	if errs, got := submit(render.CallbackNote, onCard, inputs("text", "two\nlines")); len(errs)+len(got) != 0 || d.acts[0].Text != "two\nlines" || d.acts[0].Verb != alert.VerbNote {
		t.Errorf("note: %q, %q, %+v", errs, got, d.acts)
	}
	if _, got := submit(render.CallbackNote, `{"i":"k7f2","h":true}`, inputs("text", "x")); len(got) != 1 || !strings.Contains(got[0], "Your note") {
		t.Errorf("a note from the home: %q", got)
	}
	if _, got := submit(render.CallbackAssign, `{"i":"k7f2","h":true}`, inputs("person", "U0BOB1")); len(got) != 0 {
		t.Errorf("assigned at home: %q", got)
	}
	if _, got := submit(render.CallbackNote, `{"i":"zzzz"}`, inputs("text", "x")); len(got) != 1 || !strings.Contains(got[0], "no incident") {
		t.Errorf("a forgotten incident: %q", got)
	}
	if _, got := submit(render.CallbackNote, "older than this", inputs("text", "x")); len(got) != 1 {
		t.Errorf("unreadable: %q", got)
	}
}

func TestSubmittingNeedsNothingButTheDialog(t *testing.T) {
	h := handlers.New(handlers.Options{})
	for _, callback := range []string{render.CallbackTest, render.CallbackSilence, render.CallbackAssign, render.CallbackNote, "older"} {
		h.Submit(bot.Submission{CallbackID: callback})
		h.Submit(bot.Submission{CallbackID: callback, Inputs: inputs("matchers", "a=b", "duration", "1h", "person", "U0BOB1", "text", "x", "title", "x", "severity", "info")})
	}
}

func drawn(t *testing.T, view render.Modal) string {
	t.Helper()
	body, err := json.Marshal(view)
	ok(t, err)
	return string(body)
}

// quotedJSON is s as it stands within a JSON text.
func quotedJSON(t *testing.T, s string) string {
	t.Helper()
	body, err := json.Marshal(s)
	ok(t, err)
	return strings.Trim(string(body), `"`)
}
