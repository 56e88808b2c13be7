package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tocsin/alert"
)

func TestFiveHundredClicksAtOnceShareFewCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, gate := newMemory(), make(chan struct{})
		e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#alerts"}})
		receipts, err := e.Push(t.Context(), []alert.Alert{{Key: "a", Title: "t"}})
		if err != nil {
			t.Fatal(err)
		}
		m.before(func(alert.Change) error { <-gate; return nil })
		effects := make([]alert.ActEffect, 500)
		var group sync.WaitGroup
		for n := range effects {
			group.Go(func() {
				acted, err := e.Act(context.Background(), []alert.Act{{
					Verb: alert.VerbAck, Incident: receipts[0].Incident, By: alert.Person{ID: fmt.Sprintf("U%d", n)}, RequestID: fmt.Sprint(n),
				}})
				if err != nil || acted[0].Incident.State != alert.Acked {
					t.Errorf("click %d got %+v, %v", n, acted, err)
					return
				}
				effects[n] = acted[0].Effect
			})
		}
		synctest.Wait()
		earlier := m.commits
		close(gate)
		group.Wait()
		stop()
		done := 0
		for _, effect := range effects {
			if effect == alert.ActDone {
				done++
			}
		}
		if done != 1 || m.commits-earlier > 2 {
			t.Errorf("%d of 500 were first, in %d commits", done, m.commits-earlier)
		}
	})
}

func TestWhatIsDueIsTriedAgainWhenItCouldNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, begin := newMemory(), time.Now()
		core, logged := observer.New(zap.InfoLevel)
		e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#a", Routes: []alert.Route{climbing()}}, Log: zap.New(core)})
		if _, err := e.Push(t.Context(), []alert.Alert{{Key: "a", Title: "t"}}); err != nil {
			t.Fatal(err)
		}
		tries := 0
		m.before(func(alert.Change) error {
			if tries++; tries < 3 {
				return alert.ErrUnavailable
			}
			return nil
		})
		<-time.After(12 * time.Minute)
		synctest.Wait()
		stop()
		if got := unanswered(m.deliveries, begin); len(got) != 1 || !strings.HasPrefix(got[0], "10m10s #a reply unanswered") {
			t.Errorf("after two failures in a row: %q", got)
		}
		if lines := logged.All(); len(lines) != 2 || lines[0].Level != zap.WarnLevel {
			t.Errorf("the log says %+v", lines)
		}
	})
}

func TestAClockThatIsSetForwardIsNoticedWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, begin := newMemory(), time.Now()
		var ahead atomic.Int64
		e, stop := runWith(m, Options{
			Routing: alert.Routing{Default: "#a", Routes: []alert.Route{climbing()}},
			Now:     func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		})
		if _, err := e.Push(t.Context(), []alert.Alert{{Key: "a", Title: "t"}}); err != nil {
			t.Fatal(err)
		}
		ahead.Store(int64(10 * time.Minute)) // a computer has slept
		<-time.After(time.Minute)
		synctest.Wait()
		stop()
		if got := unanswered(m.deliveries, begin); len(got) != 1 {
			t.Errorf("the deliveries are %q", got)
		}
	})
}

func TestAnActThatIsDoneMeanwhileElsewhereIsNotDoneAgain(t *testing.T) {
	m := newMemory()
	e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#alerts"}})
	defer stop()
	receipts, err := e.Push(t.Context(), []alert.Alert{{Key: "a", Title: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	click := alert.Act{Verb: alert.VerbNote, Incident: receipts[0].Incident, By: ann, Text: "hm", RequestID: "trigger-1"}
	tries := 0
	m.before(func(c alert.Change) error {
		if tries++; tries > 1 {
			return nil
		}
		m.write(c) // another daemon at the same store was faster
		return alert.ErrConflict
	})
	acted, err := e.Act(t.Context(), []alert.Act{click})
	if err != nil || acted[0].Effect != alert.ActDone || len(m.history) != 1 || len(m.deliveries) != 2 {
		t.Errorf("got %+v, %v; the history is %+v", acted, err, m.history)
	}
}

func TestASilenceKnowsWhatItQuietsAndItsEndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, begin := newMemory(), time.Now()
		e, stop := runWith(m, Options{Routing: alert.Routing{Default: "#a"}})
		defer stop()
		if _, err := e.Push(t.Context(), []alert.Alert{{Key: "a", Title: "t"}, {Key: "b", Title: "t"}, {Key: "c", Title: "t"}}); err != nil {
			t.Fatal(err)
		}
		s, err := e.Silence(t.Context(), alert.Silence{Matchers: matchers(t, `key=~"a|b"`), EndsAt: begin.Add(time.Hour), By: ann, Hidden: 7})
		if err != nil || s.ID == "" || s.Hidden != 0 || !s.CreatedAt.Equal(begin) {
			t.Errorf("got %+v, %v", s, err)
		}
		<-time.After(time.Minute)
		ended, err := e.Unsilence(t.Context(), s.ID, bob)
		synctest.Wait()
		if err != nil || ended.EndedBy != bob || !ended.EndsAt.Equal(time.Now()) {
			t.Errorf("ended it is %+v, %v", ended, err)
		}
		if got := unanswered(m.deliveries, begin); len(got) != 4 || got[1] != "1m0s #a reply unsilenced" {
			t.Errorf("its end owes %q", got)
		}
		if _, err := e.Unsilence(t.Context(), "s-zzzz", bob); !errors.Is(err, alert.ErrNotFound) {
			t.Errorf("an unknown silence got %v", err)
		}
	})
}

func TestWhatPeopleCannotMeanIsRefusedWithARemedy(t *testing.T) {
	e, stop := runWith(newMemory(), Options{Routing: alert.Routing{Default: "#a"}, Now: func() time.Time { return noon }})
	defer stop()
	for name, acts := range map[string][]alert.Act{
		"nothing":          {},
		"too much":         make([]alert.Act, maxActs+1),
		"another verb":     {{Verb: alert.VerbShow, Incident: "k7f2"}},
		"given to nobody":  {{Verb: alert.VerbAssign, Incident: "k7f2"}},
		"an empty note":    {{Verb: alert.VerbNote, Incident: "k7f2", Text: " \n"}},
		"a long note":      {{Verb: alert.VerbNote, Incident: "k7f2", Text: strings.Repeat("ü", maxNote+1)}},
		"what is no text":  {{Verb: alert.VerbAck, Incident: "k7f2", Text: "\xff"}},
		"a name with NUL":  {{Verb: alert.VerbAck, Incident: "k7f2", By: alert.Person{Name: "a\x00"}}},
		"a long, long id":  {{Verb: alert.VerbAck, Incident: strings.Repeat("k", 1000)}},
		"one bad of a few": {{Verb: alert.VerbAck, Incident: "k7f2"}, {Verb: "shout", Incident: "k7f2"}},
	} {
		_, err := e.Act(t.Context(), acts)
		wantRefused(t, name, err)
	}
	ok := matchers(t, `key="a"`)
	for name, s := range map[string]alert.Silence{
		"no matcher":       {EndsAt: noon.Add(time.Hour)},
		"all that is":      {Matchers: matchers(t, `key=~".*"`), EndsAt: noon.Add(time.Hour)},
		"one that is over": {Matchers: ok, EndsAt: noon},
		"one for ever":     {Matchers: ok, EndsAt: noon.AddDate(1, 0, 1)},
		"a long reason":    {Matchers: ok, EndsAt: noon.Add(time.Hour), Why: strings.Repeat("x", maxWhy+1)},
	} {
		_, err := e.Silence(t.Context(), s)
		wantRefused(t, name, err)
	}
	if _, err := e.Silence(t.Context(), alert.Silence{Matchers: ok, EndsAt: noon.AddDate(1, 0, 0)}); err != nil {
		t.Errorf("a year got %v", err)
	}
}

func wantRefused(t *testing.T, name string, err error) {
	t.Helper()
	var bad *alert.InputError
	if !errors.As(err, &bad) || bad.Message == "" || bad.Hint == "" {
		t.Errorf("%s got %v", name, err)
	}
}
