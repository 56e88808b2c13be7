package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
)

// standings lists where the alerts stand when they are recorded.
func standings(d decided) []alert.Standing {
	var out []alert.Standing
	for _, a := range d.change.Alerts {
		out = append(out, a.Standing)
	}
	return out
}

func wantStanding(t *testing.T, d decided, want ...alert.Standing) {
	t.Helper()
	if got := standings(d); !slices.Equal(got, want) {
		t.Errorf("the alerts stand %v, want %v", got, want)
	}
}

func TestASilencedAlertIsKeptAndShownWhenTheSilenceEnds(t *testing.T) {
	w := newWorld(t)
	s := w.silence(`key="db"`, time.Hour)
	d := w.push(alert.Alert{Key: "db", Title: "a"}, alert.Alert{Key: "db", Title: "b"})
	wantDeliveries(t, d)
	wantStanding(t, d, alert.StandSilenced, alert.StandSilenced)
	if a := d.change.Alerts[0]; a.Silence != s.ID || a.Reason != "silence "+s.ID+" by ann: planned work" {
		t.Errorf("it is silenced by %q because of %q", a.Silence, a.Reason)
	}
	if i := w.incidents[0]; i.Silence != s.ID || !i.SilencedUntil.Equal(s.EndsAt) || !i.HeldUntil.Equal(s.EndsAt) || !i.DueAt.Equal(s.EndsAt) || i.Count != 2 {
		t.Errorf("hidden it is %+v", i)
	}
	wantDeliveries(t, w.after(time.Hour-time.Microsecond))
	wantDeliveries(t, w.after(time.Microsecond), "#alerts post", "#alerts reply others")
	if i := w.incidents[0]; i.Silence != "" || !i.HeldUntil.IsZero() || !i.DueAt.IsZero() || !i.OpenedAt.Equal(w.now) {
		t.Errorf("shown it is %+v", i)
	}
}

func TestWhatEndsWhileItIsHiddenEndsWithoutAWord(t *testing.T) {
	w := newWorld(t)
	w.silence(`key="db"`, time.Hour)
	w.push(alert.Alert{Key: "db", Title: "a"})
	for range 2 {
		d := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
		wantDeliveries(t, d)
		wantStanding(t, d, alert.StandSilenced)
	}
	wantDeliveries(t, w.after(2*time.Hour))
	d := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	wantDeliveries(t, d)
	wantStanding(t, d, alert.StandSilenced)
}

func TestAnEndThatComesAfterTheSilenceIsShownHoweverLateTheClockIs(t *testing.T) {
	w := newWorld(t)
	w.silence(`key="db"`, time.Hour)
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.now = noon.Add(time.Hour)
	d := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	wantDeliveries(t, d, "#alerts post", "#alerts update", "#alerts reply resolved")
	wantStanding(t, d, alert.StandPending)
}

func TestASilenceMarksWhatIsOpenAndItsEndSaysThatItStillIs(t *testing.T) {
	w := newWorld(t)
	id := w.push(alert.Alert{Key: "db", Title: "a"}).receipts[0].Incident
	w.push(alert.Alert{Key: "web", Title: "a"})
	d := w.decide(input{silence: &alert.Silence{Matchers: matchers(t, `key="db"`), EndsAt: noon.Add(time.Hour), By: ann, Why: "w"}})
	wantDeliveries(t, d, "#alerts update", "#alerts reply silenced")
	if d.silence.ID == "" || !d.silence.CreatedAt.Equal(noon) {
		t.Errorf("it is silenced by %+v", d.silence)
	}
	hidden := w.push(alert.Alert{Key: "db", Title: "a"})
	wantDeliveries(t, hidden)
	wantStanding(t, hidden, alert.StandSilenced)
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbAck, Incident: id, By: bob}), "#alerts update", "#alerts reply acked")
	wantDeliveries(t, w.after(time.Hour), "#alerts update", "#alerts reply unsilenced")
	want := []alert.Verb{alert.VerbSilence, alert.VerbSilence, alert.VerbAck, alert.VerbShow}
	if !slices.Equal(w.verbs(), want) {
		t.Errorf("the history says %v, want %v", w.verbs(), want)
	}
}

func TestAPlannedSilenceBeginsAtItsTimeForWhatIsOpenThenAndWhatComes(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "a"})
	planned := alert.Silence{Matchers: matchers(t, `key=~"db.*"`), StartsAt: noon.Add(time.Hour), EndsAt: noon.Add(3 * time.Hour), By: ann}
	d := w.decide(input{silence: &planned})
	wantDeliveries(t, d)
	if i := w.incidents[0]; i.Silence != "" || !i.DueAt.Equal(planned.StartsAt) {
		t.Errorf("before it begins, it is %+v", i)
	}
	wantDeliveries(t, w.push(alert.Alert{Key: "db2", Title: "a"}), "#alerts post")
	wantDeliveries(t, w.until(planned.StartsAt), "#alerts update", "#alerts reply silenced", "#alerts update", "#alerts reply silenced")
	hidden := w.push(alert.Alert{Key: "db3", Title: "a"})
	wantDeliveries(t, hidden)
	wantStanding(t, hidden, alert.StandSilenced)
	wantDeliveries(t, w.until(planned.EndsAt), "#alerts post", "#alerts update", "#alerts reply unsilenced", "#alerts update", "#alerts reply unsilenced")
}

func TestAPlannedSilenceThatIsEndedBeforeItBeginsChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "a"})
	s := w.decide(input{silence: &alert.Silence{Matchers: matchers(t, `key="db"`), StartsAt: noon.Add(time.Hour), EndsAt: noon.Add(3 * time.Hour), By: ann}}).silence
	w.now = noon.Add(30 * time.Minute)
	wantDeliveries(t, w.decide(input{unsilence: &endRequest{id: s.ID, by: bob}}))
	wantDeliveries(t, w.until(noon.Add(time.Hour)))
	d := w.push(alert.Alert{Key: "db", Title: "a"}, alert.Alert{Key: "db2", Title: "a"})
	wantStanding(t, d, alert.StandPending, alert.StandPending)
	wantDeliveries(t, w.until(noon.Add(4*time.Hour)))
}

func TestASilenceHidesUntilItsEndAsItWasChanged(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "a"})
	s := w.silence(`key="db"`, time.Hour)
	w.now = noon.Add(30 * time.Minute)
	change := func(until time.Duration) {
		t.Helper()
		s.StartsAt, s.EndsAt, s.By, s.Why = s.Begins(), noon.Add(until), bob, "more of it"
		d := w.decide(input{silence: &s})
		wantDeliveries(t, d, "#alerts update")
		i := w.incidents[0]
		if d.err != nil || d.silence.ID != s.ID || i.Silence != s.ID || !i.SilencedUntil.Equal(s.EndsAt) || !i.DueAt.Equal(s.EndsAt) || !d.silence.UpdatedAt.Equal(w.now) {
			t.Errorf("%v: it is %+v, and hides %+v", d.err, d.silence, i)
		}
		if last := w.history[len(w.history)-1]; last.Verb != alert.VerbSilence || last.By != bob || last.Text != s.Why {
			t.Errorf("the history says %+v", last)
		}
	}
	change(3 * time.Hour)
	wantDeliveries(t, w.until(noon.Add(time.Hour)))
	wantStanding(t, w.push(alert.Alert{Key: "db", Title: "a"}), alert.StandSilenced)
	change(2 * time.Hour)
	wantDeliveries(t, w.until(noon.Add(2*time.Hour)), "#alerts update", "#alerts reply unsilenced")
	if d := w.decide(input{silence: &alert.Silence{ID: "s-zzzz", Matchers: s.Matchers, EndsAt: noon.Add(4 * time.Hour)}}); !errors.Is(d.err, alert.ErrNotFound) {
		t.Errorf("an unknown one: %v", d.err)
	}
}

func TestASilenceThatCanNotBeChangedIsReplaced(t *testing.T) {
	begins := noon.Add(time.Hour)
	for name, c := range map[string]struct {
		now    time.Time
		change func(*alert.Silence)
		stays  bool
	}{
		"the end":                          {begins.Add(time.Minute), func(s *alert.Silence) { s.EndsAt = s.EndsAt.Add(time.Hour) }, true},
		"the beginning, less than seconds": {begins.Add(time.Minute), func(s *alert.Silence) { s.StartsAt = s.StartsAt.Add(time.Millisecond) }, true},
		"the beginning":                    {begins.Add(time.Minute), func(s *alert.Silence) { s.StartsAt = s.StartsAt.Add(-time.Second) }, false},
		"the matchers":                     {begins.Add(time.Minute), func(s *alert.Silence) { s.Matchers = matchers(t, `key=~"db|web"`) }, false},
		"a beginning to come":              {noon, func(s *alert.Silence) { s.StartsAt = noon.Add(time.Minute) }, true},
		"a beginning to come, to the past": {noon, func(s *alert.Silence) { s.StartsAt = noon.Add(-time.Minute) }, false},
		"what is over":                     {begins.Add(3 * time.Hour), func(s *alert.Silence) { s.EndsAt = begins.Add(4 * time.Hour) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.decide(input{silence: &alert.Silence{Matchers: matchers(t, `key="db"`), StartsAt: begins, EndsAt: begins.Add(2 * time.Hour), By: ann, Channel: "C1"}}).silence
			w.push(alert.Alert{Key: "db", Title: "a"})
			w.until(c.now)
			want := s
			c.change(&want)
			w.decide(input{silence: &want})
			old, last := w.silences[0], w.silences[len(w.silences)-1]
			if (last.ID == s.ID) != c.stays || !c.stays && !old.Over(w.now) || !last.EndsAt.Equal(want.EndsAt) || last.Channel != s.Channel {
				t.Errorf("it was %+v\nit is %+v\nand the latest %+v", s, old, last)
			}
			if begins := last.Begins(); begins.After(w.now) {
				w.now = begins
			}
			w.until(w.now)
			if i := w.incidents[0]; i.Silence != last.ID {
				t.Errorf("it hides %+v", i)
			}
		})
	}
}

func TestASilenceBeginsAgainIfTheClockIsPutBackOverItsBeginning(t *testing.T) {
	w := newWorld(t)
	s := alert.Silence{Matchers: matchers(t, `key=~"db.*"`), StartsAt: noon.Add(time.Hour), EndsAt: noon.Add(2 * time.Hour), By: ann}
	w.decide(input{silence: &s})
	w.now = noon.Add(70 * time.Minute)
	wantStanding(t, w.push(alert.Alert{Key: "db", Title: "a"}), alert.StandSilenced)
	// By the clock it has not begun: what fires is shown, and hidden once it begins.
	w.now = noon.Add(30 * time.Minute)
	d := w.push(alert.Alert{Key: "db", Title: "a"}, alert.Alert{Key: "db2", Title: "b"})
	wantStanding(t, d, alert.StandPending, alert.StandPending)
	wantDeliveries(t, d, "#alerts post", "#alerts update", "#alerts post")
	wantDeliveries(t, w.until(noon.Add(time.Hour)), "#alerts update", "#alerts reply silenced", "#alerts update", "#alerts reply silenced")
	wantDeliveries(t, w.until(noon.Add(2*time.Hour)), "#alerts update", "#alerts reply unsilenced", "#alerts update", "#alerts reply unsilenced")
}

func TestASilenceThatRecursHidesAtItsHoursUntilItIsEnded(t *testing.T) {
	w := newWorld(t)
	night := &alert.Hours{From: 22 * time.Hour, To: 4 * time.Hour, Zone: time.UTC}
	s := w.decide(input{silence: &alert.Silence{Matchers: matchers(t, `key="db"`), EndsAt: noon.AddDate(0, 1, 0), Every: night}}).silence
	w.push(alert.Alert{Key: "db", Title: "a"})
	begins := time.Date(noon.Year(), noon.Month(), noon.Day(), 22, 0, 0, 0, time.UTC)
	for range 3 {
		if i := w.incidents[0]; !i.DueAt.Equal(begins) {
			t.Fatalf("it is due at %s, want %s", i.DueAt, begins)
		}
		wantDeliveries(t, w.until(begins), "#alerts update", "#alerts reply silenced")
		if i := w.incidents[0]; i.Silence != s.ID || !i.SilencedUntil.Equal(begins.Add(6*time.Hour)) {
			t.Fatalf("it is %+v", i)
		}
		wantDeliveries(t, w.until(begins.Add(6*time.Hour)), "#alerts update", "#alerts reply unsilenced")
		begins = begins.AddDate(0, 0, 1)
	}
	w.decide(input{unsilence: &endRequest{id: s.ID, by: bob}})
	wantDeliveries(t, w.until(begins))
}

func TestTheEndOfSomethingShownIsShownAlthoughItIsSilenced(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.silence(`key="db"`, time.Hour)
	d := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	wantDeliveries(t, d, "#alerts update", "#alerts reply resolved")
	wantStanding(t, d, alert.StandPending)
	wantDeliveries(t, w.after(2*time.Hour))
}

func TestASilenceThatSomebodyEndsShowsWhatItHid(t *testing.T) {
	w := newWorld(t)
	s := w.silence(`key="db"`, time.Hour)
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.now = noon.Add(time.Minute)
	d := w.decide(input{unsilence: &endRequest{s.ID, bob}})
	if d.err != nil || !d.silence.EndsAt.Equal(w.now) || !d.silence.UpdatedAt.Equal(w.now) || d.silence.EndedBy != bob {
		t.Errorf("ending it gave %+v, %v", d.silence, d.err)
	}
	wantDeliveries(t, w.after(0), "#alerts post")
	again := w.decide(input{unsilence: &endRequest{s.ID, ann}})
	if again.err != nil || again.silence.EndedBy != bob || !empty(again.change) {
		t.Errorf("ending it again gave %+v, %v", again.silence, again.err)
	}
	if d := w.decide(input{unsilence: &endRequest{"s-zzzz", ann}}); !errors.Is(d.err, alert.ErrNotFound) {
		t.Errorf("ending an unknown one gave %v", d.err)
	}
}

func TestWhatTwoSilencesHideIsShownAfterTheLastOne(t *testing.T) {
	w := newWorld(t)
	first := w.silence(`key="db"`, time.Hour)
	w.push(alert.Alert{Key: "db", Title: "a"})
	second := w.silence(`severity="error"`, 2*time.Hour)
	if i := w.incidents[0]; i.Silence != second.ID || !i.DueAt.Equal(second.EndsAt) || !i.HeldUntil.Equal(second.EndsAt) {
		t.Errorf("it is kept quiet as %+v", i)
	}
	w.decide(input{unsilence: &endRequest{second.ID, bob}})
	wantDeliveries(t, w.after(0))
	if i := w.incidents[0]; i.Silence != first.ID || !i.DueAt.Equal(first.EndsAt) {
		t.Errorf("after the second it is kept quiet as %+v", i)
	}
	wantDeliveries(t, w.after(time.Hour), "#alerts post")
}

func TestAnAlertThatASilenceDoesNotMatchShowsTheHiddenIncident(t *testing.T) {
	w := newWorld(t)
	w.silence(`host="db-1"`, time.Hour)
	w.push(alert.Alert{Key: "db", Title: "a", Labels: map[string]string{"host": "db-1"}})
	d := w.push(alert.Alert{Key: "db", Title: "a", Labels: map[string]string{"host": "db-2"}})
	wantDeliveries(t, d, "#alerts post")
	wantStanding(t, d, alert.StandPending)
	wantDeliveries(t, w.after(2*time.Hour))
}

// threadTexts are the topics of the replies of a decision that have a text, with its beginning.
func threadTexts(d decided) (all []string) {
	for _, n := range d.change.Deliveries {
		if n.Note != nil && n.Note.Text != "" {
			all = append(all, string(n.Note.Topic)+" "+strings.TrimSpace(n.Note.Text[:min(len(n.Note.Text), 7)]))
		}
	}
	return all
}

func TestWhatTheOnlyAlertOfAGroupSaysWhileASilenceHidesItIsInTheThreadAfterIt(t *testing.T) {
	w := newWorld(t, grouped())
	says := func(host, text string) decided {
		a := diskFull(host, alert.Error)
		a.Text = text
		return w.push(a)
	}
	says("db-1", "one")
	w.after(time.Minute)
	w.silence(`host="db-1"`, time.Hour)
	if got := threadTexts(says("db-1", "two")); len(got) > 0 {
		t.Errorf("while it is hidden, the thread says %q", got)
	}
	if got, want := threadTexts(w.after(time.Hour)), []string{"former one", "refired two"}; !slices.Equal(got, want) {
		t.Errorf("the thread says %q, want %q", got, want)
	}
	says("db-2", "three")
	w.silence(`cluster="eu"`, time.Hour)
	says("db-1", "four")
	if got := threadTexts(w.after(time.Hour)); len(got) > 0 {
		t.Errorf("the thread of a group of two says %q", got)
	}
}

func TestWhatAlertsSayWhileASilenceHidesThemIsInTheThreadAfterIt(t *testing.T) {
	long := strings.Repeat("a line of what happened\n", 400)
	for name, c := range map[string]struct {
		hidden []string
		end    func(*world) decided
		others int
		want   []string
	}{
		"the same text":  {[]string{"one", "one"}, nil, 0, nil},
		"one other":      {[]string{"two"}, nil, 0, []string{"former one", "refired two"}},
		"one that turns": {[]string{"two", "one"}, nil, 0, []string{"former one", "refired two", "refired one"}},
		"many": {[]string{"two", "three", "four", "five", "six"}, nil, 2,
			[]string{"refired three", "refired four", "refired five", "refired six"}},
		"a long one": {[]string{"two", long}, nil, 0, []string{"former one", "refired two", "refired a line", "more a line", "more a line", "more a line"}},
		"an alert that is not hidden": {[]string{"two"}, func(w *world) decided {
			return w.push(alert.Alert{Key: "db", Title: "a", Text: "three", Labels: map[string]string{"host": "db-2"}})
		}, 0, []string{"former one", "refired two", "refired three"}},
		"its end": {[]string{"two"}, func(w *world) decided {
			w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
			return w.push(alert.Alert{Key: "db", Title: "a", Text: "three", Labels: map[string]string{"host": "db-2"}})
		}, 0, []string{"reopened three"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			at := map[string]string{"host": "db-1"}
			w.push(alert.Alert{Key: "db", Title: "a", Text: "one", Labels: at})
			w.silence(`host="db-1"`, time.Hour)
			for _, text := range c.hidden {
				wantDeliveries(t, w.push(alert.Alert{Key: "db", Title: "a", Text: text, Labels: at}))
			}
			if c.end == nil {
				c.end = func(w *world) decided { return w.after(time.Hour) }
			}
			d := c.end(w)
			if got := threadTexts(d); !slices.Equal(got, c.want) {
				t.Errorf("the thread says %q, want %q", got, c.want)
			}
			others := 0
			for _, n := range d.change.Deliveries {
				if n.Note != nil && n.Note.Topic == alert.TopicOthers {
					others += n.Note.Count
				}
			}
			if others != c.others {
				t.Errorf("it says that there are %d more, want %d", others, c.others)
			}
			wantDeliveries(t, w.after(24*time.Hour))
		})
	}
}

func TestThatASilenceHidesACriticalAlertIsToldOnce(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", To: []string{"#a", "#b"}, Mention: []string{"here"}})
	s := w.silence(`key="db"`, time.Hour)
	wantDeliveries(t, w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning}))
	d := w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Critical})
	wantDeliveries(t, d, "#a reply hidden", "#b reply hidden")
	if added := d.change.Deliveries[0]; !added.TopLevel || added.Note.Text != s.ID+": planned work" || added.Note.By != ann || !added.Note.At.Equal(s.EndsAt) {
		t.Errorf("it is told as %+v", added.Note)
	}
	wantDeliveries(t, w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Critical}))
	w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	wantDeliveries(t, w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Critical}))
	wantDeliveries(t, w.after(time.Hour), "#a post", "#b post")
}

func TestWhatASilenceHidesDoesNotMakeACriticalAlertWait(t *testing.T) {
	w := newWorld(t)
	w.silence(`key=~"db-.*"`, time.Hour)
	d := w.push(alert.Alert{Key: "db-1", Title: "a", Severity: alert.Critical}, alert.Alert{Key: "web", Title: "a", Severity: alert.Critical})
	wantDeliveries(t, d, "#alerts reply hidden", "#alerts post")
	if hidden, shown := d.change.Deliveries[0], d.change.Deliveries[1]; shown.Priority >= hidden.Priority {
		t.Errorf("what is hidden goes with priority %d, what is not with %d", hidden.Priority, shown.Priority)
	}
}

func TestAnEndWithoutABeginningIsSilencedAsWell(t *testing.T) {
	w := newWorld(t)
	w.silence(`key="db"`, time.Hour)
	d := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	wantDeliveries(t, d)
	wantStanding(t, d, alert.StandSilenced)
	wantDeliveries(t, w.after(2*time.Hour))
}

func TestAFloodOfHiddenCriticalsIsToldOnceInEachConversation(t *testing.T) {
	w := newWorld(t)
	w.silence(`source="mover"`, time.Hour)
	critical := func(key, channel string) alert.Alert {
		return alert.Alert{Key: key, Title: key, Source: "mover", Severity: alert.Critical, Channel: channel}
	}
	wantDeliveries(t, w.push(critical("a", ""), critical("b", "")), "#alerts reply hidden")
	wantDeliveries(t, w.push(critical("c", ""), critical("d", "#ops")), "#ops reply hidden")
	wantDeliveries(t, w.push(critical("a", ""), critical("e", "#ops")))
	w.silence(`source="mover"`, 2*time.Hour)
	wantDeliveries(t, w.push(critical("f", "")), "#alerts reply hidden")
}

// reminders lists the beginnings of which a decision reminds people, with where.
func reminders(d decided) (all []string) {
	for _, i := range d.change.Incidents {
		if i.Message != nil && i.Message.Begins != nil {
			all = append(all, i.Lanes[0]+" "+i.Message.Begins.At.Sub(noon).String())
		}
	}
	return all
}

func TestPeopleAreRemindedOnceBeforeEachBeginningOfASilence(t *testing.T) {
	const day = 24 * time.Hour
	planned := func(in, length time.Duration) alert.Silence {
		return alert.Silence{Matchers: matchers(t, `key="db"`), StartsAt: noon.Add(in), EndsAt: noon.Add(in + length), By: ann}
	}
	nightly := alert.Silence{Matchers: matchers(t, `key="db"`), EndsAt: noon.AddDate(0, 1, 0), Every: &alert.Hours{From: 22 * time.Hour, To: 4 * time.Hour, Zone: time.UTC}}
	evening := 22*time.Hour - noon.Sub(time.Date(noon.Year(), noon.Month(), noon.Day(), 0, 0, 0, 0, time.UTC))
	inChannel := planned(time.Hour, time.Hour)
	inChannel.Channel = "C0123OPS1"
	elsewhere := inChannel
	elsewhere.Channel = "C0123DEF1"
	for name, c := range map[string]struct {
		silence alert.Silence
		at      []time.Duration // the clock, after noon
		want    []string
	}{
		"planned":                      {planned(time.Hour, time.Hour), []time.Duration{44 * time.Minute, 45 * time.Minute, 46 * time.Minute, time.Hour, 2 * time.Hour}, []string{"#alerts 1h0m0s"}},
		"where it was made":            {inChannel, []time.Duration{45 * time.Minute}, []string{"#ops 1h0m0s"}},
		"made in the default":          {elsewhere, []time.Duration{45 * time.Minute}, []string{"#alerts 1h0m0s"}},
		"late":                         {planned(time.Hour, time.Hour), []time.Duration{59 * time.Minute}, []string{"#alerts 1h0m0s"}},
		"down over its beginning":      {planned(time.Hour, time.Hour), []time.Duration{time.Hour, 61 * time.Minute}, nil},
		"the clock is put back":        {planned(time.Hour, time.Hour), []time.Duration{50 * time.Minute, 10 * time.Minute, 45 * time.Minute}, []string{"#alerts 1h0m0s"}},
		"put back after its beginning": {planned(time.Hour, time.Hour), []time.Duration{50 * time.Minute, 70 * time.Minute, 50 * time.Minute}, []string{"#alerts 1h0m0s"}},
		"made just before":             {planned(14*time.Minute, time.Hour), []time.Duration{time.Minute, 10 * time.Minute}, nil},
		"made in time":                 {planned(15*time.Minute, time.Hour), []time.Duration{0}, []string{"#alerts 15m0s"}},
		"at once":                      {planned(0, time.Hour), []time.Duration{0, time.Minute, time.Hour}, nil},
		"each night": {nightly, []time.Duration{evening - 15*time.Minute, evening - time.Minute, evening, day + evening - 16*time.Minute, day + evening - 15*time.Minute, 2*day + evening, 3*day + evening - 5*time.Minute},
			[]string{"#alerts " + evening.String(), "#alerts " + (day + evening).String(), "#alerts " + (3*day + evening).String()}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.learn("#ops", "C0123OPS1")
			if c.silence.Channel == "C0123DEF1" {
				w.learn("#alerts", "C0123DEF1")
			}
			w.decide(input{silence: &c.silence})
			var got []string
			for _, at := range c.at {
				got = append(got, reminders(w.until(noon.Add(at)))...)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("reminded of %q, want %q", got, c.want)
			}
		})
	}
}

func TestASilenceThatIsEndedBeforeItBeginsRemindsNobody(t *testing.T) {
	w := newWorld(t)
	s := w.decide(input{silence: &alert.Silence{Matchers: matchers(t, `key="db"`), StartsAt: noon.Add(time.Hour), EndsAt: noon.Add(2 * time.Hour)}}).silence
	w.decide(input{unsilence: &endRequest{id: s.ID, by: bob}})
	wantDeliveries(t, w.until(noon.Add(45*time.Minute)))
}

func TestAReminderIsOnePostThatNothingHoldsBack(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", To: []string{"#ops"}, Escalate: climbing().Escalate})
	w.decide(input{silence: &alert.Silence{EndsAt: noon.Add(9 * time.Hour)}}) // of everything
	w.decide(input{silence: &alert.Silence{Matchers: matchers(t, `key="db"`), StartsAt: noon.Add(time.Hour), EndsAt: noon.Add(2 * time.Hour)}})
	wantDeliveries(t, w.until(noon.Add(45*time.Minute)), "#alerts post")
	if i := w.incidents[0]; i.State != alert.StateNotice || !i.DueAt.IsZero() {
		t.Errorf("it is %+v", i)
	}
	wantDeliveries(t, w.until(noon.Add(9*time.Hour)))
}
