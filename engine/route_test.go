package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

func matchers(t testing.TB, s string) alert.Matchers {
	t.Helper()
	ms, err := alert.ParseMatchers(s)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

func TestACardGoesToAllConversationsOfItsRoutesAndToWhoSubscribed(t *testing.T) {
	w := newWorld(t,
		alert.Route{Name: "log", To: []string{"#log"}, Continue: true},
		alert.Route{Name: "db", Matchers: matchers(t, `service="db"`), To: []string{"#db", "#log"}, Mention: []string{"here"}},
	)
	w.subscriptions = []alert.Subscription{{Person: "U1", Matchers: matchers(t, `severity="error"`)}, {Person: "U2", Matchers: matchers(t, `severity="info"`)}}
	d := w.push(alert.Alert{Key: "a", Title: "t", Labels: map[string]string{"service": "db"}, Mention: "@channel"})
	wantDeliveries(t, d, "#log post", "#db post", "U1 post")
	i := w.incidents[0]
	if i.Route != "log" || !slices.Equal(i.Mentions["#db"], []string{"here"}) || !slices.Equal(i.Mentions["#log"], []string{"here"}) || len(i.Mentions["U1"]) != 0 {
		t.Errorf("it became %+v", i)
	}
	again := w.push(alert.Alert{Key: "a", Title: "t", Labels: map[string]string{"service": "db"}})
	wantDeliveries(t, again, "#log update", "#db update", "U1 update")
}

func TestAnEndEndsTheKeyInEveryConfiguredRoute(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "critical", Matchers: matchers(t, `severity="critical"`), To: []string{"#oncall"}})
	w.push(alert.Alert{Key: "db", Title: "t", Severity: alert.Warning})
	w.push(alert.Alert{Key: "db", Title: "t", Severity: alert.Critical})
	w.push(alert.Alert{Key: "db", Title: "t", Severity: alert.Critical, Channel: "#db"})
	w.push(alert.Alert{Key: "db", Title: "t", Severity: alert.Error, Status: alert.Resolved})
	var states []string
	for _, i := range w.incidents {
		states = append(states, i.Route+" "+string(i.State))
	}
	if want := []string{"default resolved", "critical resolved", "channel:#db open"}; !slices.Equal(states, want) {
		t.Errorf("states are %v, want %v", states, want)
	}
	again := w.push(alert.Alert{Key: "db", Title: "t", Severity: alert.Critical, Status: alert.Resolved})
	if len(w.incidents) != 3 || strings.Join(kinds(again), " ") == "post" {
		t.Errorf("an end that names no channel, with one going elsewhere, owes %v", kinds(again))
	}
}

func TestAnEndThatComesTwiceByAnotherRouteShowsNoNewCard(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "critical", Matchers: matchers(t, `severity="critical"`), To: []string{"#oncall"}})
	w.push(alert.Alert{Key: "db", Title: "t", Severity: alert.Critical})
	for range 2 {
		w.push(alert.Alert{Key: "db", Title: "t", Status: alert.Resolved})
	}
	if len(w.incidents) != 1 {
		t.Errorf("incidents are %+v", w.incidents)
	}
}

func TestGettingWorseReachesWhomItsRoutesNameThen(t *testing.T) {
	w := newWorld(t,
		alert.Route{Name: "db", Matchers: matchers(t, `service="db"`), To: []string{"#db"}, Continue: true},
		alert.Route{Name: "critical", Matchers: matchers(t, `severity="critical"`), To: []string{"#oncall", "#db"}, Mention: []string{"S012"}},
	)
	labels := map[string]string{"service": "db"}
	w.push(alert.Alert{Key: "a", Title: "t", Severity: alert.Warning, Labels: labels})
	d := w.push(alert.Alert{Key: "a", Title: "t", Severity: alert.Critical, Labels: labels})
	wantDeliveries(t, d, "#db update", "#db reply escalated @S012", "#oncall post")
	again := w.push(alert.Alert{Key: "a", Title: "t", Severity: alert.Critical, Labels: labels})
	wantDeliveries(t, again, "#db update", "#oncall update")
}

func TestAnAlertThatNamesAChannelStaysThere(t *testing.T) {
	for _, channel := range []string{"#ops", "#alerts"} {
		w := newWorld(t, alert.Route{Name: "all", To: []string{"#all"}, Mention: []string{"here"}})
		w.push(alert.Alert{Key: "a", Title: "t", Severity: alert.Warning, Channel: channel})
		d := w.push(alert.Alert{Key: "a", Title: "t", Severity: alert.Critical, Channel: channel})
		wantDeliveries(t, d, channel+" update", channel+" reply escalated")
		w.push(alert.Alert{Key: "a", Title: "t", Status: alert.Resolved, Channel: channel})
		d = w.push(alert.Alert{Key: "a", Title: "t", Severity: alert.Critical, Channel: channel})
		wantDeliveries(t, d, channel+" update", channel+" reply reopened @here broadcast")
	}
}

func TestFiringAgainNotifiesPeopleAsTheFirstTimeDid(t *testing.T) {
	w := newWorld(t,
		alert.Route{Name: "soon", Matchers: matchers(t, `key="soon"`), Mention: []string{"S012"}, ReopenWithin: time.Minute},
		alert.Route{Name: "all", Mention: []string{"S012"}, Quiet: night()},
	)
	again := func(key string, severity alert.Severity, after time.Duration) decided {
		w.push(alert.Alert{Key: key, Title: "t", Severity: severity})
		w.push(alert.Alert{Key: key, Title: "t", Status: alert.Resolved})
		w.now = w.now.Add(after)
		return w.push(alert.Alert{Key: key, Title: "t", Severity: severity})
	}
	wantDeliveries(t, again("a", alert.Warning, 20*time.Minute), "#alerts update", "#alerts reply reopened @S012")
	wantDeliveries(t, again("b", alert.Critical, 20*time.Minute), "#alerts update", "#alerts reply reopened @S012 broadcast")
	wantDeliveries(t, again("c", alert.Critical, 31*time.Minute), "#alerts post")
	wantDeliveries(t, again("soon", alert.Critical, 2*time.Minute), "#alerts post")
	w.now = at(21, 50)
	wantDeliveries(t, again("d", alert.Warning, 20*time.Minute), "#alerts update", "#alerts reply reopened")
	wantDeliveries(t, w.until(at(29, 59)))
	wantDeliveries(t, w.until(at(30, 0)), "#alerts reply reopened @S012")
	wantDeliveries(t, w.until(at(31, 0)))
	for range 5 {
		again("a", alert.Warning, time.Second)
	}
	for range 3 {
		if d := again("a", alert.Warning, time.Second); len(d.change.Deliveries) != 1 {
			t.Errorf("while it flaps it owes %v", kinds(d))
		}
	}
}

func TestFiringAgainNotifiesWhomTheAlertThatFiresNames(t *testing.T) {
	for name, route := range map[string]alert.Route{
		"an incident": {Name: "all", Mention: []string{"S012"}, Escalate: []alert.Step{{After: time.Minute, To: []string{"#managers"}, Mention: []string{"@head"}}}},
		"a group":     {Name: "all", Mention: []string{"S012"}, GroupBy: []string{"host"}, Escalate: []alert.Step{{After: time.Minute, To: []string{"#managers"}, Mention: []string{"@head"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, route)
			w.push(alert.Alert{Key: "a", Title: "t", Pings: []string{"@ann"}})
			w.until(w.now.Add(time.Minute))
			w.until(w.now.Add(2 * time.Minute))
			w.push(alert.Alert{Key: "a", Title: "t", Pings: []string{"@bob"}})
			w.push(alert.Alert{Key: "a", Title: "t", Status: alert.Resolved})
			d := w.push(alert.Alert{Key: "a", Title: "t", Pings: []string{"@bob"}})
			wantDeliveries(t, d, "#alerts update", "#managers update", "#alerts reply reopened @S012 @@bob", "#managers reply reopened")
			if got := w.incidents[0].Mentions; !slices.Equal(got["#alerts"], []string{"S012", "@bob"}) || len(got) != 1 {
				t.Errorf("the card mentions %v", got)
			}
		})
	}
}

func TestASendersMentionNotifiesWhereItIsPermitted(t *testing.T) {
	for mention, c := range map[string]struct {
		permitted []string
		pings     string
		noted     bool
	}{
		"@dba":      {[]string{"@dba"}, " @@dba", false},
		"<!here>":   {[]string{alert.Everyone}, " @here", false},
		"channel":   {[]string{"here"}, "", true},
		"@ann":      {[]string{"nobody"}, "", true},
		"bob":       {[]string{"@bob"}, " @@bob", false},
		"Bob":       {[]string{"U0BOB"}, " @@bob", false},
		"bert":      {[]string{"@bob"}, "", true},
		"everybody": {[]string{alert.Everyone}, "", true},
		"two words": {[]string{alert.Everyone}, "", true},

		"<@U0123ANN1>":                         {[]string{"U0123ANN1"}, " @U0123ANN1", false},
		"<@U0123ANN1|ann>":                     {[]string{"U0123ANN1"}, " @U0123ANN1", false},
		"@here":                                {[]string{"here"}, " @here", false},
		"<!here|here>":                         {[]string{"here"}, " @here", false},
		"<!channel>":                           {[]string{"channel"}, " @channel", false},
		"@U0123ANN1":                           {[]string{"U0123ANN1"}, " @U0123ANN1", false},
		"Ann@Example.com":                      {[]string{"ann@example.com"}, " @ann@example.com", false},
		"<mailto:ann@x.example|ann@x.example>": {[]string{"ann@x.example"}, " @ann@x.example", false},
		"<!subteam^S0123OPS1|@the ops>":        {[]string{"S0123OPS1"}, " @S0123OPS1", false},
		"@ann, @bob":                           {[]string{"@ann", "@bob"}, " @@ann @@bob", false},
		"@ann @bob":                            {[]string{alert.Everyone}, " @@ann @@bob", false},
		"@ann;<!here>,@ann":                    {[]string{alert.Everyone}, " @@ann @here", false},
		"@ann,@carl":                           {[]string{"@ann"}, " @@ann", true},
		"<!subteam^S0123OPS1|@the ops> oncall": {[]string{alert.Everyone}, " @S0123OPS1", true},
		" , ":                                  {[]string{alert.Everyone}, "", false},
		"U0BOB":                                {[]string{"@bob"}, " @U0BOB", false}, // Slack has said who @bob is
		"@bob":                                 {[]string{"U0BOB"}, " @@bob", false},
		"U0CARLA":                              {[]string{"@bob", "@carla"}, "", true},
	} {
		w := newWorld(t)
		e := New(w.memory, Options{
			Routing: alert.Routing{Default: "#alerts", Mentionable: c.permitted},
			Aliases: func() *alert.Aliases { return alert.NewAliases(map[string]string{"@bob": "@bob", "U0BOB": "@bob"}) },
		})
		a := alert.Alert{Key: "a", Title: "t", Mention: mention}
		e.current.permitMention(&a)
		if noted := len(a.Notes) > 0; noted != c.noted {
			t.Errorf("%s with %q: notes are %q", mention, c.permitted, a.Notes)
		}
		first := w.push(a)
		i := first.change.Incidents[0]
		if got := i.Mentions["#alerts"]; strings.Join(append([]string{""}, got...), " @") != c.pings {
			t.Errorf("%s with %q: the card mentions %q", mention, c.permitted, got)
		}
		if shown := strings.Trim(i.Mention, " ,") != ""; shown != c.noted {
			t.Errorf("%s with %q: the card shows %q", mention, c.permitted, i.Mention)
		}
		other := newWorld(t)
		other.push(alert.Alert{Key: "a", Title: "t"})
		want := []string{"#alerts update"}
		if c.pings != "" {
			want = append(want, "#alerts reply refired"+c.pings)
		}
		wantDeliveries(t, other.push(a), want...)
	}
}
