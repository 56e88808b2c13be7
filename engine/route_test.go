package engine

import (
	"slices"
	"strings"
	"testing"

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
		wantDeliveries(t, d, channel+" update", channel+" reply reopened")
	}
}
