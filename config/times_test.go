package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/config"
)

func TestTimesAreReadAsAlertmanagerWritesThem(t *testing.T) {
	c := load(t, environment{files: map[string]string{etc: `
times:
  - name: offhours
    time_intervals:
      - times:
          - start_time: 00:00
            end_time: 08:00
          - {start_time: "18:00", end_time: "24:00"}
        weekdays: ['monday:Friday', sun]
        location: Europe/Berlin
      - weekdays: saturday
  - name: closing
    time_intervals:
      - days_of_month: ['-3:-1', 1:5, 15]
        months: ['january:march', 5, 7:8, dec]
        years: [2026, '2028:2030']
routes:
  - name: a
    match: team=a
    quiet: closing
    mute: offhours
    active: [offhours, closing, offhours]
  - name: b
    quiet: [closing, offhours]
  - name: c
    match: team=c
    quiet: {times: [closing], below: error}
`}})
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	offhours := alert.Times{Name: "offhours", Intervals: []alert.Interval{
		{Minutes: []alert.Span{{First: 0, Last: 479}, {First: 1080, Last: 1439}}, Weekdays: []alert.Span{{First: 1, Last: 5}, {}}, Zone: berlin},
		{Weekdays: []alert.Span{{First: 6, Last: 6}}},
	}}
	closing := alert.Times{Name: "closing", Intervals: []alert.Interval{{
		DaysOfMonth: []alert.Span{{First: -3, Last: -1}, {First: 1, Last: 5}, {First: 15, Last: 15}},
		Months:      []alert.Span{{First: 1, Last: 3}, {First: 5, Last: 5}, {First: 7, Last: 8}, {First: 12, Last: 12}},
		Years:       []alert.Span{{First: 2026, Last: 2026}, {First: 2028, Last: 2030}},
	}}}
	a, b, last := c.Routing.Routes[0], c.Routing.Routes[1], c.Routing.Routes[2]
	for what, pair := range map[string][2]any{
		"mute":                 {a.Mute, []alert.Times{offhours}},
		"active":               {a.Active, []alert.Times{offhours, closing}},
		"quiet, a name":        {*a.Quiet, alert.Quiet{Times: []alert.Times{closing}, Below: alert.Critical}},
		"quiet, a list":        {*b.Quiet, alert.Quiet{Times: []alert.Times{closing, offhours}, Below: alert.Critical}},
		"quiet, with severity": {*last.Quiet, alert.Quiet{Times: []alert.Times{closing}, Below: alert.Error}},
	} {
		if got, want := fmt.Sprintf("%+v", pair[0]), fmt.Sprintf("%+v", pair[1]); got != want {
			t.Errorf("%s is %s, want %s", what, got, want)
		}
	}
	if got := origin(t, c, "times"); got != "config "+etc+":2:1" {
		t.Errorf("times come from %s", got)
	}
}

func TestMistakesInTimesAreReportedWhereTheyAre(t *testing.T) {
	interval := func(text string) string {
		return "times:\n  - name: x\n    time_intervals:\n      - " + text + "\nroutes: [{name: r, mute: x}]\n"
	}
	for text, want := range map[string]string{
		interval(`weekdays: [monday, funday]`):                                              `4:28: times.time_intervals.weekdays "funday" is not a day of the week`,
		interval(`weekdays: [saturday:sunday]`):                                             `4:20: times.time_intervals.weekdays "saturday:sunday" ends before it starts; a week begins on sunday`,
		interval(`days_of_month: [0]`):                                                      `4:25: times.time_intervals.days_of_month "0" is not a day of the month`,
		interval(`days_of_month: ["-3:1"]`):                                                 `4:25: times.time_intervals.days_of_month "-3:1" starts at the end of a month`,
		interval(`days_of_month: ["20:10"]`):                                                `4:25: times.time_intervals.days_of_month "20:10" ends before it starts`,
		interval(`days_of_month: ["31:-5"]`):                                                `4:25: times.time_intervals.days_of_month "31:-5" ends before it starts`,
		interval(`months: [november:february]`):                                             `4:18: times.time_intervals.months "november:february" ends before it starts; write two ranges`,
		interval(`months: [13]`):                                                            `4:18: times.time_intervals.months "13" is not a month`,
		interval(`years: ["2030:2020"]`):                                                    `4:17: times.time_intervals.years "2030:2020" ends before it starts`,
		interval(`location: Mars/Olympus`):                                                  `4:19: times.time_intervals.location "Mars/Olympus" is not a time zone`,
		interval(`times: [{start_time: "22:00", end_time: "06:00"}]`):                       `4:17: times.time_intervals.times has a range that ends before it starts; a range ends on its own day: write two`,
		interval(`times: [{start_time: "22:00", end_time: "00:00"}]`):                       `write end_time: "24:00" for the end of the day`,
		interval(`times: [{start_time: "08:00", end_time: "24:01"}]`):                       `4:49: times.time_intervals.times.end_time "24:01" is not a time of day`,
		interval(`times: [{start_time: "08:00"}]`):                                          `4:17: times.time_intervals.times.end_time is missing`,
		interval(`times: "08:00"`):                                                          `4:16: times.time_intervals.times is text where a list belongs`,
		interval(`weekday: [monday]`):                                                       `4:9: there is no option "times.time_intervals.weekday"; did you mean weekdays?`,
		"times:\n  - name: x\nroutes: [{name: r, mute: x}]\n":                               `2:5: times.time_intervals is missing`,
		"times:\n  - name: x\n    time_intervals: []\nroutes: [{name: r, mute: x}]":         `2:5: times.time_intervals is empty`,
		"times:\n  - time_intervals: [{weekdays: monday}]\n":                                `2:5: times.name is missing`,
		interval(`weekdays: monday`) + "    # and\n":                                        ``,
		"routes:\n  - name: r\n    mute: [offhours]\n":                                      `3:12: routes.mute names "offhours", which is not below times; name times at the top level`,
		"routes:\n  - name: r\n    quiet: offhours\n":                                       `3:12: routes.quiet.times names "offhours"`,
		interval(`weekdays: monday`) + "  # the next\n":                                     ``,
		strings.Replace(interval(`weekdays: monday`), "mute: x", "active: [x, evening]", 1): `5:32: routes.active names "evening", which is not below times; write one of x`,
	} {
		c, err := config.Load(environment{files: map[string]string{etc: text}}.input())
		switch {
		case want == "" && (err != nil || len(c.Warnings) > 0):
			t.Errorf("%s\n%v", text, err)
		case want != "" && (err == nil || !strings.Contains(flat(err), want)):
			t.Errorf("%s\nis refused with %v\nwant %s", text, err, want)
		}
	}
}

// flat is an error of the configuration with each mistake on one line.
func flat(err error) string { return strings.ReplaceAll(err.Error(), "\n      ", "; ") }

func TestTimesThatNobodyUsesOrThatNeverEndAreWarnedOf(t *testing.T) {
	in := environment{files: map[string]string{etc: `
times:
  - {name: idle, time_intervals: [{weekdays: monday}]}
  - {name: all, time_intervals: [{weekdays: 'sunday:saturday'}]}
  - {name: past, time_intervals: [{years: 2020}]}
  - {name: month, time_intervals: [{months: 'november:december'}, {months: 'january:september'}]}
routes:
  - {name: muted, match: a=1, mute: [month, all]}
  - {name: never, match: a=2, active: past}
  - {name: hushed, match: a=3, quiet: all}
  - {name: long, match: a=4, mute: month, active: all}
`}}.input()
	in.Now = func() time.Time { return time.Date(2026, time.November, 28, 9, 0, 0, 0, time.UTC) }
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range c.Warnings {
		got = append(got, strings.TrimPrefix(w.Where, etc+":")+" "+w.Message)
	}
	want := []string{
		`3:5 no route uses the times "idle"`,
		`8:5 the route "muted" shows nothing for at least a year: muted by month, all`,
		`9:5 the route "never" shows nothing for at least a year: not active outside of past`,
		`10:5 the route "hushed" shows nothing for at least a year: quiet times all`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("warned of\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
