package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

func TestASilenceIsPlannedAndRepeatedInTheDialog(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	connected(t, s)
	p.settle(p.mustPush(labelled("disk full", "error", "db"))...)
	card := cardOf(t, s, "disk full")
	begins := time.Now().Add(2 * time.Hour).Truncate(time.Minute)
	submit := func(begins time.Time, repeat string) *playground.SubmitResult {
		t.Helper()
		p.eventually("the dialog", func() bool { _, open := s.User("ann").Modal(); return open })
		one := func(name string, value any) map[string]any { return map[string]any{name: value} }
		got, err := s.User("ann").Submit(t.Context(), map[string]map[string]any{
			"matchers": one("matchers", "team=db"), "begins": one("begins", fmt.Sprint(begins.Unix())), "duration": one("duration", "1h"), "repeat": one("repeat", repeat),
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	press(t, s, "ann", card.TS, "silence")
	if got := submit(time.Now().Add(-time.Hour), "weekly"); !strings.Contains(got.Errors["begins"], "in the past") {
		t.Errorf("a beginning in the past has the errors %v", got.Errors)
	}
	if got := submit(begins, "weekly"); len(got.Errors) != 0 {
		t.Errorf("the errors are %v", got.Errors)
	}
	privately(t, s, "ann", "silences alerts with")
	press(t, s, "ann", card.TS, "silence")
	submit(begins, "never")
	var page struct{ Silences []alert.Silence }
	p.eventually("two silences", func() bool {
		page.Silences = nil
		return p.ask("/v1/silences", &page) == nil && len(page.Silences) == 2
	})
	once, weekly := page.Silences[0], page.Silences[1]
	if !once.StartsAt.Equal(begins) || once.EndsAt.Sub(begins) != time.Hour || once.Every != nil || !once.NextAt.Equal(begins) {
		t.Errorf("the planned one is %+v", once)
	}
	if weekly.Every == nil || len(weekly.Every.Days) != 1 || !weekly.NextAt.Equal(begins) || !weekly.Next(begins).After(begins.AddDate(0, 0, 6)) {
		t.Errorf("the repeated one is %+v", weekly)
	}
	if l := p.ledger().Total; l.Silenced != 0 {
		t.Errorf("the ledger is %+v", l)
	}
	if said := p.command("silence", "list", "--json"); strings.Count(said, `"next_at"`) != 2 {
		t.Errorf("they are listed as %s", said)
	}
	types(t, s, "ann", "silences")
	privately(t, s, "ann", "next ")
}
