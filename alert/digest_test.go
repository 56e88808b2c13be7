package alert_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tocsin/alert"
)

func TestADigestIsSplitByTheLabelThatTellsMost(t *testing.T) {
	var tally alert.Tally
	for i := range 100 {
		tally.Add(alert.Line{Severity: alert.Error, Labels: map[string]string{
			"instance": fmt.Sprint("db-", i),              // one for each says nothing
			"env":      "prod",                            // the same for all says nothing
			"rack":     fmt.Sprint("r", i%20),             // too many to show
			"service":  []string{"db", "web", "q"}[i%3],   // this is it
			"rare":     map[bool]string{true: "x"}[i < 5], // hardly anybody has it
		}})
	}
	s := tally.Summary()
	if s.Label != "service" || len(s.Values) != 3 || s.Values[0] != (alert.Share{Value: "db", Count: 34}) || s.Others != 0 {
		t.Errorf("split by %s: %v, others %d", s.Label, s.Values, s.Others)
	}
}

func TestADigestNamesTheLabelWhoseValueStandsOut(t *testing.T) {
	var tally alert.Tally
	for i := range 100 {
		host := "db-3"
		if i >= 70 {
			host = fmt.Sprint("web-", i%10)
		}
		tally.Add(alert.Line{Severity: alert.Error, Labels: map[string]string{
			"zone": []string{"a", "b", "c"}[i%3],                        // splits evenly
			"env":  map[bool]string{true: "dev", false: "prod"}[i == 0], // almost the same for all
			"host": host,                                                // this is it
		}})
	}
	if s := tally.Summary(); s.Label != "host" || s.Values[0] != (alert.Share{Value: "db-3", Count: 70}) {
		t.Errorf("split by %s: %v", s.Label, s.Values)
	}
}

func TestWhatAllIncidentsOfADigestShareIsSaidOnce(t *testing.T) {
	var tally alert.Tally
	tally.Add(alert.Line{Own: true, Labels: map[string]string{"env": "test"}})
	for i := range 9 {
		tally.Add(alert.Line{Labels: map[string]string{
			"env": "prod", "cluster": "eu", "host": fmt.Sprint(i), "team": []string{"web", ""}[i%2], "long": strings.Repeat("x", 101),
			"a": "1", "b": "1", "c": "1", "d": "1",
		}})
	}
	s := tally.Summary()
	if want := []alert.Share{{Label: "a", Value: "1", Count: 9}, {Label: "b", Value: "1", Count: 9}, {Label: "c", Value: "1", Count: 9}, {Label: "cluster", Value: "eu", Count: 9}, {Label: "d", Value: "1", Count: 9}}; !slices.Equal(s.Common, want) {
		t.Errorf("all share %v", s.Common)
	}
	var one alert.Tally
	one.Add(alert.Line{Labels: map[string]string{"env": "prod"}})
	if s := one.Summary(); len(s.Common) > 0 {
		t.Errorf("one shares %v", s.Common)
	}
}

func TestNothingIsSplitWhereNoLabelSaysMore(t *testing.T) {
	var tally alert.Tally
	for i := range 10 {
		tally.Add(alert.Line{Labels: map[string]string{"host": fmt.Sprint(i), "env": "prod"}})
	}
	if s := tally.Summary(); s.Label != "" || s.Values != nil || s.Others != 0 {
		t.Errorf("split by %q: %v", s.Label, s.Values)
	}
}

func TestWhatHasACardOfItsOwnIsNotCountedByTheDigest(t *testing.T) {
	var tally alert.Tally
	for i := range 10 {
		tally.Add(alert.Line{
			Severity: alert.Critical, State: []alert.State{alert.Open, alert.StateResolved}[i%2], Count: 1 + i, FirstAt: noon, LastAt: noon,
			Own: i < 4, Labels: map[string]string{"service": []string{"db", "web"}[i/5]},
		})
	}
	s := tally.Summary()
	if s.Total != 10 || s.Own != 4 || s.Alerts != 5+6+7+8+9+10 || s.Severities[alert.Critical] != 3 || s.Resolved != 3 || len(s.Top) != 6 || s.Others != 0 {
		t.Errorf("counted %+v", s)
	}
}

func TestADigestCountsAndNamesTheWorstFirst(t *testing.T) {
	var tally alert.Tally
	for i := range 30 {
		l := alert.Line{ID: fmt.Sprint(i), Severity: alert.Warning, State: alert.Open, Count: 2, FirstAt: noon, LastAt: noon}
		switch {
		case i == 0:
			l.State, l.Severity, l.Mention = alert.StateResolved, alert.Critical, []string{"U0LATE"}
		case i == 20:
			l.State, l.Mention = alert.Acked, []string{"U0BUSY"}
		case i > 25:
			l.Severity, l.Mention = alert.Critical, []string{"S0OPS", fmt.Sprint("U0", i%2)}
		}
		tally.Add(l)
	}
	s := tally.Summary()
	if s.Total != 30 || s.Alerts != 60 || s.Resolved != 1 || s.Acked != 1 ||
		s.Severities[alert.Critical] != 4 || s.Severities[alert.Warning] != 25 {
		t.Errorf("counted %+v", s)
	}
	if got := fmt.Sprint(s.Mention); got != "[S0OPS U00 U01]" {
		t.Errorf("it pings %s, want each of the open ones' once", got)
	}
	got := ""
	for _, l := range s.Top {
		got += l.ID + " "
	}
	if want := "26 27 28 29 1 2 3 4 5 6 "; got != want {
		t.Errorf("top lines are %q, want %q", got, want)
	}
}

func TestATallyOfManyLabelsStaysSmall(t *testing.T) {
	var tally alert.Tally
	for i := range 5000 {
		tally.Add(alert.Line{Labels: map[string]string{fmt.Sprint("name", i): "v", "host": fmt.Sprint(i)}})
	}
	if s := tally.Summary(); s.Total != 5000 || len(s.Top) != alert.TopLines {
		t.Errorf("counted %d, top %d", s.Total, len(s.Top))
	}
}
