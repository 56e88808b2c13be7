package alert_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"tocsin/alert"
)

func testRouting(t *testing.T) alert.Routing {
	yes, no := true, false
	return alert.Routing{
		Default: "#alerts", Broadcast: true, Thread: alert.ThreadAll,
		Routes: []alert.Route{
			{Name: "log", Matchers: matchers(t, `log="yes"`), To: []string{"#log"}, Continue: true, Remind: time.Hour, Broadcast: &no, HoldUnsure: &yes, Thread: alert.ThreadNone},
			{
				Name: "db", Matchers: matchers(t, `service=~"db-.*"`), To: []string{"#db", "#log"}, Mention: []string{"here"}, Remind: 2 * time.Hour,
				Escalate: []alert.Step{{After: 20 * time.Minute, To: []string{"#oncall"}}, {After: 10 * time.Minute, Mention: []string{"U1"}}},
			},
			{Name: "critical", Matchers: matchers(t, `severity="critical"`), Mention: []string{"channel"}},
		},
	}
}

func TestThePlanIsThatOfTheFirstRouteAndOfThoseItGoesOnTo(t *testing.T) {
	r := testRouting(t)
	for name, c := range map[string]struct {
		subject alert.Subject
		route   string
		stops   []alert.Stop
		taken   []int
	}{
		"none matches":                {alert.Subject{}, "default", []alert.Stop{{Lane: "#alerts"}}, nil},
		"the default channel by name": {alert.Subject{Channel: "#alerts"}, "default", []alert.Stop{{Lane: "#alerts"}}, nil},
		"a channel by name":           {alert.Subject{Channel: "#ops"}, "channel:#ops", []alert.Stop{{Lane: "#ops"}}, nil},
		"one without conversations":   {alert.Subject{Severity: alert.Critical}, "critical", []alert.Stop{{Lane: "#alerts", Mention: []string{"channel"}}}, []int{2}},
		"the first of two": {
			alert.Subject{Severity: alert.Critical, Labels: map[string]string{"service": "db-1"}}, "db",
			[]alert.Stop{{Lane: "#db", Mention: []string{"here"}}, {Lane: "#log", Mention: []string{"here"}}}, []int{1},
		},
		"one that goes on": {
			alert.Subject{Labels: map[string]string{"service": "db-1", "log": "yes"}}, "log",
			[]alert.Stop{{Lane: "#log", Mention: []string{"here"}}, {Lane: "#db", Mention: []string{"here"}}}, []int{0, 1},
		},
		"one that goes on to none": {
			alert.Subject{Labels: map[string]string{"log": "yes"}}, "log", []alert.Stop{{Lane: "#log"}}, []int{0},
		},
		"a channel by name and a route": {
			alert.Subject{Channel: "#ops", Labels: map[string]string{"service": "db-1"}}, "channel:#ops",
			[]alert.Stop{{Lane: "#ops", Mention: []string{"here"}}}, []int{1},
		},
	} {
		p := r.Plan(c.subject)
		if p.Route != c.route || !reflect.DeepEqual(p.Stops, c.stops) || !slices.Equal(p.Matched, c.taken) {
			t.Errorf("%s: the plan is %+v", name, p)
		}
	}
}

func TestTheFirstRouteSaysWhatOnlyOneCan(t *testing.T) {
	r := testRouting(t)
	p := r.Plan(alert.Subject{Labels: map[string]string{"service": "db-1", "log": "yes"}})
	if p.Remind != time.Hour || p.Broadcast || !p.HoldUnsure || p.Thread != alert.ThreadNone {
		t.Errorf("the plan is %+v", p)
	}
	if len(p.Steps) != 2 || p.Steps[0].After != 10*time.Minute || r.Routes[1].Escalate[0].After != 20*time.Minute {
		t.Errorf("the steps are %+v, and the route's own %+v", p.Steps, r.Routes[1].Escalate)
	}
	if p := r.Plan(alert.Subject{}); p.Thread != alert.ThreadAll || !p.Broadcast || p.HoldUnsure {
		t.Errorf("without a route the plan is %+v", p)
	}
	if p := (alert.Routing{Default: "#a"}).Plan(alert.Subject{}); p.Thread != alert.ThreadImportant {
		t.Errorf("without anything the thread is told %q", p.Thread)
	}
}

func TestEachRouteWithGroupsHasAPlanOfItsOwn(t *testing.T) {
	route := func(name string, by []string, to ...string) alert.Route {
		return alert.Route{Name: name, GroupBy: by, To: to, Continue: true, Mention: []string{"@" + name}, Matchers: matchers(t, name+`!="no"`)}
	}
	one, two, all := []string{"cluster"}, []string{"cluster", "alertname"}, []string{alert.AllLabels}
	for name, c := range map[string]struct {
		routes  []alert.Route
		subject alert.Subject
		want    string
	}{
		"no groups":                       {[]alert.Route{route("a", nil, "#a"), route("b", nil, "#b")}, alert.Subject{}, "a: #a #b"},
		"all labels are no group":         {[]alert.Route{route("a", nil, "#a"), route("b", all, "#b")}, alert.Subject{}, "a: #a #b"},
		"the same group":                  {[]alert.Route{route("a", one, "#a"), route("b", one, "#b")}, alert.Subject{}, "a: #a; b: #b"},
		"the same in another order":       {[]alert.Route{route("a", two, "#a"), route("b", []string{"alertname", "cluster", "cluster"}, "#b")}, alert.Subject{}, "a: #a; b: #b"},
		"different groups":                {[]alert.Route{route("a", one, "#a"), route("b", two, "#b")}, alert.Subject{}, "a: #a; b: #b"},
		"different in one channel":        {[]alert.Route{route("a", one, "#a"), route("b", two, "#a")}, alert.Subject{}, "a: #a; b: #a"},
		"one of three":                    {[]alert.Route{route("a", one, "#a"), route("b", two, "#b"), route("c", one, "#c")}, alert.Subject{}, "a: #a; b: #b; c: #c"},
		"a group and none":                {[]alert.Route{route("a", one, "#a"), route("b", nil, "#b")}, alert.Subject{}, "a: #a; b: #b"},
		"none and a group":                {[]alert.Route{route("a", nil, "#a"), route("b", one, "#b"), route("c", all, "#c")}, alert.Subject{}, "a: #a #c; b: #b"},
		"only who else is mentioned":      {[]alert.Route{route("a", one, "#a"), route("b", two, "#b"), route("c", nil, "#b")}, alert.Subject{}, "a: #a; b: #b"},
		"the default channel":             {[]alert.Route{route("a", one), route("b", two, "#b"), route("c", nil)}, alert.Subject{}, "a: #alerts; b: #b"},
		"one that does not match":         {[]alert.Route{route("a", one, "#a"), route("b", two, "#b")}, alert.Subject{Labels: map[string]string{"a": "no"}}, "b: #b"},
		"none that matches":               {nil, alert.Subject{}, "default: #alerts"},
		"a channel by name":               {[]alert.Route{route("a", one, "#a"), route("b", two, "#b")}, alert.Subject{Channel: "#ops"}, "channel:#ops: #ops"},
		"the default channel by name":     {[]alert.Route{route("a", one, "#a"), route("b", two, "#b")}, alert.Subject{Channel: "#alerts"}, "default: #alerts"},
		"a heartbeat belongs to no group": {[]alert.Route{route("a", one, "#a"), route("b", nil, "#b")}, alert.Subject{Key: alert.HeartbeatKey("backup")}, "a: #a #b"},
	} {
		r := alert.Routing{Default: "#alerts", Routes: c.routes}
		var got []string
		for n, p := range r.Plans(c.subject) {
			got = append(got, p.Route+": "+strings.Join(p.Lanes(), " "))
			if p.Further != (n > 0) {
				t.Errorf("%s: further is %t in plan %d", name, p.Further, n)
			}
			if c.subject.Channel == r.Default {
				continue // its incident does not say so
			}
			if of := r.PlanOf(alert.Incident{Key: c.subject.Key, Route: p.Route, Labels: c.subject.Labels}, nil); !reflect.DeepEqual(of, p) {
				t.Errorf("%s: the incident of %s has the plan %+v", name, p.Route, of)
			}
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%s: the plans are %q, want %s", name, got, c.want)
		}
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestQuietHoursEndWhenTheClocksOfTheirZoneSayIt(t *testing.T) {
	berlin, saoPaulo := zone(t, "Europe/Berlin"), zone(t, "America/Sao_Paulo")
	night := alert.Quiet{Hours: alert.Hours{From: 22 * time.Hour, To: 6*time.Hour + 30*time.Minute, Zone: berlin}, Below: alert.Error}
	lunch := alert.Quiet{Hours: alert.Hours{From: 12 * time.Hour, To: 13 * time.Hour, Zone: berlin}, Below: alert.Critical}
	weekend := alert.Quiet{Hours: alert.Hours{Zone: berlin, Days: []time.Weekday{time.Saturday, time.Sunday}}, Below: alert.Critical}
	friday := alert.Quiet{Hours: alert.Hours{From: 18 * time.Hour, To: 8 * time.Hour, Zone: berlin, Days: []time.Weekday{time.Friday}}, Below: alert.Critical}
	brazil := alert.Quiet{Hours: alert.Hours{From: 23 * time.Hour, To: 5 * time.Hour, Zone: saoPaulo}, Below: alert.Critical}
	midnight := alert.Quiet{Hours: alert.Hours{From: 20 * time.Hour, To: 24 * time.Hour, Zone: berlin}, Below: alert.Critical}
	for name, c := range map[string]struct {
		quiet     alert.Quiet
		now, want string // want is empty for none
	}{
		"before the night":                 {night, "2026-01-02T21:59:59+01:00", ""},
		"the night begins":                 {night, "2026-01-02T22:00:00+01:00", "2026-01-03T06:30:00+01:00"},
		"after midnight":                   {night, "2026-01-03T03:00:00+01:00", "2026-01-03T06:30:00+01:00"},
		"the last second":                  {night, "2026-01-03T06:29:59+01:00", "2026-01-03T06:30:00+01:00"},
		"the night is over":                {night, "2026-01-03T06:30:00+01:00", ""},
		"asked in another zone":            {night, "2026-01-02T22:30:00Z", "2026-01-03T05:30:00Z"},
		"clocks go forward in the night":   {night, "2026-03-28T23:00:00+01:00", "2026-03-29T06:30:00+02:00"},
		"clocks go back in the night":      {night, "2026-10-24T23:00:00+02:00", "2026-10-25T06:30:00+01:00"},
		"within the hour that comes twice": {night, "2026-10-25T02:30:00+01:00", "2026-10-25T06:30:00+01:00"},
		"at noon":                          {lunch, "2026-01-02T12:30:00+01:00", "2026-01-02T13:00:00+01:00"},
		"after lunch":                      {lunch, "2026-01-02T13:00:00+01:00", ""},
		"two whole days on end":            {weekend, "2026-01-03T15:00:00+01:00", "2026-01-05T00:00:00+01:00"},
		"no weekend":                       {weekend, "2026-01-02T15:00:00+01:00", ""},
		"a night that begins on its day":   {friday, "2026-01-03T07:00:00+01:00", "2026-01-03T08:00:00+01:00"},
		"a night that begins on another":   {friday, "2026-01-04T07:00:00+01:00", ""},
		"a day without a midnight":         {brazil, "2018-11-04T01:30:00-02:00", "2018-11-04T05:00:00-02:00"},
		"the eve of such a day":            {brazil, "2018-11-03T23:30:00-03:00", "2018-11-04T05:00:00-02:00"},
		"until midnight":                   {midnight, "2026-01-02T23:59:00+01:00", "2026-01-03T00:00:00+01:00"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		held, quiet := alert.Hold{Quiet: &c.quiet}.At(now, alert.Warning)
		got := held.Until
		want, _ := time.Parse(time.RFC3339, c.want)
		if quiet != (c.want != "") || quiet && !got.Equal(want) {
			t.Errorf("%s: it is quiet until %s (%v), want %s", name, got, quiet, c.want)
		}
	}
}

func TestQuietHoursHoldBackOnlyWhatIsLessSevere(t *testing.T) {
	q := &alert.Quiet{Hours: alert.Hours{To: 24 * time.Hour}, Below: alert.Error}
	for severity, want := range map[alert.Severity]bool{alert.Critical: false, alert.Error: false, alert.Warning: true, alert.Info: true} {
		if _, quiet := (alert.Hold{Quiet: q}).At(noon, severity); quiet != want {
			t.Errorf("%s waits: %v", severity, quiet)
		}
	}
	if _, quiet := (alert.Hold{}).At(noon, alert.Info); quiet {
		t.Error("no quiet hours are quiet")
	}
}

// Whenever it is, in whatever zone: a quiet that holds ends later, within days,
// and when it has ended it is over, but where it never ends.
func TestQuietHoursAlwaysEnd(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut"}
	rapid.Check(t, func(rt *rapid.T) {
		q := alert.Quiet{Hours: alert.Hours{
			From: time.Duration(rapid.IntRange(0, 1439).Draw(rt, "from")) * time.Minute,
			To:   time.Duration(rapid.IntRange(0, 1440).Draw(rt, "until")) * time.Minute,
			Zone: zone(t, rapid.SampledFrom(zones).Draw(rt, "zone"))}, Below: alert.Critical,
		}
		for range rapid.IntRange(0, 3).Draw(rt, "days") {
			q.Days = append(q.Days, time.Weekday(rapid.IntRange(0, 6).Draw(rt, "day")))
		}
		now := time.Unix(rapid.Int64Range(1_500_000_000, 1_900_000_000).Draw(rt, "now"), 0)
		hold := alert.Hold{Quiet: &q}
		held, quiet := hold.At(now, alert.Info)
		end := held.Until
		never := len(q.Days) == 0 && (q.From == q.To || q.From == 0 && q.To == 24*time.Hour)
		if !quiet || never {
			return
		}
		if !end.After(now) || end.Sub(now) > 8*24*time.Hour {
			rt.Fatalf("quiet from %s until %s", now, end)
		}
		if _, still := hold.At(end, alert.Info); still {
			rt.Fatalf("still quiet at the end %s", end)
		}
	})
}

func TestAMentionHasOneSpelling(t *testing.T) {
	for text, want := range map[string]string{
		"here": "here", "@here": "here", "<!here>": "here", "@Channel": "channel", "U0ANN": "U0ANN", "@U0ANN": "U0ANN", "<@U0ANN|ann>": "U0ANN", "<@U0ANN>": "U0ANN",
		"S0123ABC": "S0123ABC", "<!subteam^S0123ABC|@db>": "S0123ABC", "@Ann.B": "@ann.b", "@SRE": "@sre", "@ops-oncall": "@ops-oncall", " Ann@Example.com ": "ann@example.com",
	} {
		if got, err := alert.ParseMention(text); err != nil || got != want {
			t.Errorf("%q is read as %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "ann", "everyone", "<#C123|x>", "@", "@two words", "<!subteam^>", "C0123ABCD"} {
		if got, err := alert.ParseMention(text); err == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func TestADigestIsHeldWhereARouteThatSendsThereWantsIt(t *testing.T) {
	yes, no := true, false
	careful := alert.Routing{Default: "#alerts", Routes: []alert.Route{
		{Name: "db", To: []string{"#db"}, HoldUnsure: &yes, Escalate: []alert.Step{{To: []string{"#boss"}}}},
		{Name: "web", To: []string{"#web"}},
	}}
	reckless := alert.Routing{Default: "#alerts", HoldUnsure: true, Routes: []alert.Route{{Name: "web", To: []string{"#web"}, HoldUnsure: &no}, {Name: "rest", HoldUnsure: &no}}}
	for _, c := range []struct {
		routing alert.Routing
		lane    string
		want    bool
	}{
		{careful, "#db", true}, {careful, "#boss", true}, {careful, "#web", false}, {careful, "#alerts", false},
		{careful, "#named", true}, // by an alert of any route
		{reckless, "#web", false}, {reckless, "#alerts", true}, {reckless, "#named", true},
		{alert.Routing{Default: "#alerts"}, "#alerts", false}, {alert.Routing{Default: "#alerts"}, "#named", false},
	} {
		if got := c.routing.HoldsIn(c.lane); got != c.want {
			t.Errorf("of %d routes a digest in %s is held: %t", len(c.routing.Routes), c.lane, got)
		}
	}
}
