package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// storyRouting sends critical alerts to one conversation and the rest to
// another, where nights are quiet for what is less severe than an error.
func storyRouting(t testing.TB) alert.Routing {
	return alert.Routing{Default: "#alerts", Routes: []alert.Route{
		{Name: "critical", Matchers: matchers(t, `severity="critical"`), To: []string{"#oncall", "#all"}, Escalate: []alert.Step{
			{After: 5 * time.Minute, To: []string{"#boss"}, Mention: []string{"U9"}}, {After: 15 * time.Minute, Mention: []string{"here"}},
		}},
		{Name: "team", To: []string{"#team"}, Quiet: night(), Remind: 45 * time.Minute, Escalate: []alert.Step{
			{After: 10 * time.Minute, To: []string{"#lead"}}, {After: 20 * time.Minute, To: []string{"#boss"}}, {After: 90 * time.Minute},
		}},
	}}
}

// happening is what can happen, as a test draws it.
type happening struct {
	what   string // push, act, silence, unsilence, wait, restart
	alerts []alert.Alert
	act    alert.Act
	match  string
	nth    int // of the incidents or silences there are
	length time.Duration
}

func happenings(t *rapid.T) happening {
	h := happening{
		what:   rapid.SampledFrom([]string{"push", "push", "push", "act", "act", "silence", "unsilence", "wait", "wait", "wait", "restart"}).Draw(t, "what"),
		nth:    rapid.IntRange(0, 30).Draw(t, "nth"),
		length: time.Duration(rapid.SampledFrom([]int{0, 1, 5, 10, 15, 29, 31, 50, 400}).Draw(t, "minutes")) * time.Minute,
	}
	h.length += time.Duration(rapid.SampledFrom([]int{0, 0, 7}).Draw(t, "seconds")) * time.Second
	switch h.what {
	case "push":
		for range rapid.IntRange(1, 3).Draw(t, "alerts") {
			h.alerts = append(h.alerts, storyAlert(t))
		}
	case "act":
		h.act.Verb = rapid.SampledFrom([]alert.Verb{alert.VerbAck, alert.VerbAck, alert.VerbAssign, alert.VerbResolve, alert.VerbNote}).Draw(t, "verb")
		h.act.By = rapid.SampledFrom([]alert.Person{ann, bob}).Draw(t, "by")
		h.act.Text = rapid.SampledFrom([]string{"", "words"}).Draw(t, "text")
		h.act.To = bob
		if h.act.Verb == alert.VerbNote {
			h.act.Text = "words"
		}
	case "silence":
		h.match = rapid.SampledFrom([]string{`key="a"`, `host="1"`, `severity="critical"`, `key=~"a|b"`}).Draw(t, "match")
	}
	return h
}

func storyAlert(t *rapid.T) alert.Alert {
	a := alert.Alert{
		Title:    "t",
		Key:      rapid.SampledFrom([]string{"a", "a", "b"}).Draw(t, "key"),
		Status:   rapid.SampledFrom([]alert.Status{alert.Firing, alert.Firing, alert.Firing, alert.Resolved}).Draw(t, "status"),
		Severity: rapid.SampledFrom([]alert.Severity{alert.Critical, alert.Error, alert.Warning, alert.Warning}).Draw(t, "severity"),
		Mention:  "channel", // which no route has
		Labels:   map[string]string{"host": rapid.SampledFrom([]string{"1", "2"}).Draw(t, "host")},
	}
	if a.Severity != alert.Critical && rapid.IntRange(0, 3).Draw(t, "elsewhere") == 0 {
		a.Channel = "#ops"
	}
	return a
}

// Whatever alerts, people and clocks do, and however often the daemon is
// restarted on the way, the rules of a story hold.
func TestTheEngineKeepsItsRulesWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		begin := time.Duration(rapid.SampledFrom([]int{3, 12, 20, 22, 23}).Draw(rt, "hour")) * time.Hour
		all := rapid.SliceOfN(rapid.Custom(happenings), 1, 40).Draw(rt, "happenings")
		var broken error
		// A story is told inside a bubble and judged outside of it.
		synctest.Test(t, func(t *testing.T) {
			s := newStory(t)
			<-time.After(begin)
			broken = s.run(all)
		})
		if broken != nil {
			rt.Fatal(broken)
		}
	})
}

// story is an engine with what has to be true about its store.
type story struct {
	*memory
	store   Store
	routing alert.Routing
	engine  *Engine
	stop    func()
	states  map[string]alert.State
	fired   map[string]int
	// began are when an engine began to run, after it had not.
	began    []time.Time
	accepted int
	judged   int // deliveries
}

func newStory(t testing.TB) *story {
	m := newMemory()
	return &story{memory: m, store: m, routing: storyRouting(t), states: map[string]alert.State{}, fired: map[string]int{}}
}

func (s *story) start() {
	s.began = append(s.began, time.Now())
	s.engine, s.stop = run(s.store, s.routing)
}

func (s *story) run(all []happening) error {
	s.start()
	defer func() { s.stop() }()
	for _, h := range all {
		if err := s.happen(h); err != nil {
			return fmt.Errorf("%+v: %w", h, err)
		}
		synctest.Wait()
		if err := s.check(); err != nil {
			return fmt.Errorf("after %+v at %s: %w", h, time.Now().UTC(), err)
		}
	}
	<-time.After(48 * time.Hour)
	synctest.Wait()
	return errors.Join(s.check(), s.checkNothingIsHidden())
}

func (s *story) happen(h happening) error {
	ctx := context.Background()
	switch h.what {
	case "push":
		receipts, err := s.engine.Push(ctx, h.alerts)
		if err != nil {
			return err
		}
		for n, receipt := range receipts {
			if err := s.take(h.alerts[n], receipt); err != nil {
				return err
			}
		}
	case "act":
		return s.click(h)
	case "silence":
		ms, err := alert.ParseMatchers(h.match)
		if err != nil {
			return err
		}
		_, err = s.engine.Silence(ctx, alert.Silence{Matchers: ms, EndsAt: time.Now().Add(h.length + time.Minute), By: ann})
		return err
	case "unsilence":
		if len(s.silences) > 0 {
			_, err := s.engine.Unsilence(ctx, s.silences[h.nth%len(s.silences)].ID, bob)
			return err
		}
	case "wait":
		<-time.After(h.length)
	case "restart":
		s.stop()
		<-time.After(h.length)
		s.start()
	}
	return nil
}

// take follows an alert in the model: which incident is open, and how often it
// fired.
func (s *story) take(a alert.Alert, receipt alert.Accepted) error {
	s.accepted++
	id, was := receipt.Incident, s.states[receipt.Incident]
	if a.Status == alert.Resolved {
		return s.over(a, receipt)
	}
	s.fired[id]++
	fits := map[alert.Effect]bool{
		alert.EffectOpened: was == "", alert.EffectReopened: was == alert.StateResolved, alert.EffectFolded: was == alert.Open || was == alert.Acked,
	}
	if !fits[receipt.Effect] {
		return fmt.Errorf("an alert for an incident that is %q has %s it", was, receipt.Effect)
	}
	if receipt.Effect != alert.EffectFolded {
		s.states[id] = alert.Open
	}
	return nil
}

// over follows the end of a key.
func (s *story) over(a alert.Alert, receipt alert.Accepted) error {
	was, known := s.states[receipt.Incident]
	if receipt.Effect == alert.EffectFolded {
		if was != alert.StateResolved {
			return fmt.Errorf("an end was folded into an incident that is %q", was)
		}
		return nil
	}
	s.states[receipt.Incident] = alert.StateResolved
	if !known || a.Channel != "" {
		return nil
	}
	for _, i := range s.all() {
		if i.Key == a.Key && !strings.HasPrefix(i.Route, "channel:") && s.states[i.ID] != "" {
			s.states[i.ID] = alert.StateResolved
		}
	}
	return nil
}

// click follows what a person does.
func (s *story) click(h happening) error {
	all := s.all()
	if len(all) == 0 {
		return nil
	}
	id := all[h.nth%len(all)].ID
	act := h.act
	act.Incident = id
	was := s.states[id]
	acted, err := s.engine.Act(context.Background(), []alert.Act{act})
	if err != nil {
		return err
	}
	done := acted[0].Effect == alert.ActDone
	switch act.Verb {
	case alert.VerbAck:
		if done != (was == alert.Open) {
			return fmt.Errorf("an incident that is %s was acknowledged: %v", was, done)
		}
	case alert.VerbResolve:
		if done != (was != alert.StateResolved) {
			return fmt.Errorf("an incident that is %s was resolved: %v", was, done)
		}
	}
	switch {
	case done && act.Verb == alert.VerbResolve:
		s.states[id] = alert.StateResolved
	case done && act.Verb != alert.VerbNote && was == alert.Open:
		s.states[id] = alert.Acked
	}
	return nil
}

// check compares the store with the model and with the rules.
func (s *story) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.alerts) != s.accepted {
		return fmt.Errorf("%d alerts are accepted and %d kept", s.accepted, len(s.alerts))
	}
	for _, a := range s.alerts {
		if err := s.checkStanding(a); err != nil {
			return err
		}
	}
	for _, i := range s.incidents {
		if i.State != s.states[i.ID] || i.Count != s.fired[i.ID] {
			return fmt.Errorf("incident %s is %s after %d alerts, want %s after %d", i.ID, i.State, i.Count, s.states[i.ID], s.fired[i.ID])
		}
		if err := s.checkQuiet(i); err != nil {
			return fmt.Errorf("incident %s: %w", i.ID, err)
		}
		if err := s.checkSteps(i); err != nil {
			return fmt.Errorf("incident %s of %s: %w", i.ID, i.Route, err)
		}
	}
	for ; s.judged < len(s.deliveries); s.judged++ {
		if err := s.checkHidden(s.deliveries[s.judged]); err != nil {
			return err
		}
	}
	return s.checkDeliveries()
}

// checkStanding: an alert that fires is silenced if and only if a silence
// matched it then.
func (s *story) checkStanding(a alert.Record) error {
	hidden := slices.ContainsFunc(s.silences, func(q alert.Silence) bool {
		return q.Matchers.Match(a.Subject()) && a.AcceptedAt.Before(q.EndsAt) && q.CreatedAt.Before(a.AcceptedAt)
	})
	// What happens at one instant may come in either order.
	unclear := slices.ContainsFunc(s.silences, func(q alert.Silence) bool {
		return q.CreatedAt.Equal(a.AcceptedAt) || q.EndsAt.Equal(a.AcceptedAt)
	})
	silenced := a.Standing == alert.StandSilenced
	if a.Status == alert.Firing && !unclear && silenced != hidden {
		return fmt.Errorf("an alert stands %s while a silence matches it: %v", a.Standing, hidden)
	}
	if silenced != (a.Silence != "") || silenced != (a.Reason != "") {
		return fmt.Errorf("a silenced alert names no silence: %+v", a)
	}
	return nil
}

// checkQuiet: an incident is kept quiet no longer than what keeps it quiet lasts.
func (s *story) checkQuiet(i alert.Incident) error {
	now := time.Now()
	if !i.DueAt.IsZero() && !i.DueAt.After(now) {
		return fmt.Errorf("it stays due since %s", i.DueAt)
	}
	if i.State == alert.StateResolved {
		return nil
	}
	active := slices.ContainsFunc(s.silences, func(q alert.Silence) bool { return q.ID == i.Silence && q.Active(now) })
	if active != (i.Silence != "") {
		return fmt.Errorf("it is kept quiet by silence %s, which is over", i.Silence)
	}
	if !active && !i.HeldUntil.IsZero() && !i.HeldUntil.After(now) {
		return fmt.Errorf("it is still held until %s", i.HeldUntil)
	}
	return nil
}

// checkHidden: no card of what a silence matches is pending.
func (s *story) checkHidden(d alert.Delivery) error {
	i := s.incidents[s.places[d.Incident]]
	if d.Kind != alert.Post || i.State == alert.StateResolved {
		return nil
	}
	shows := func(a alert.Record) bool { return a.Standing == alert.StandPending }
	if slices.ContainsFunc(s.firedAt(i.ID, d.CreatedAt), shows) {
		return nil // its newest alert may be another
	}
	for _, q := range s.silences {
		if q.CreatedAt.Before(d.CreatedAt) && d.CreatedAt.Before(q.EndsAt) && q.Matchers.Match(i.Subject()) {
			return fmt.Errorf("a card of %s is pending at %s, while silence %s hides it", i.ID, d.CreatedAt, q.ID)
		}
	}
	return nil
}

// checkSteps reads the history of an incident: no step after somebody took it,
// each once for each time it was opened, in order, at its time or when the
// daemon was there again.
func (s *story) checkSteps(i alert.Incident) error {
	state, base, taken := alert.Open, i.FirstAt, 0
	plan := s.routing.Plan(i.Subject())
	for _, line := range s.history {
		if line.Incident != i.ID {
			continue
		}
		switch line.Verb {
		case alert.VerbReopen:
			state, base, taken = alert.Open, line.At, 0
		case alert.VerbAck, alert.VerbAssign:
			state = alert.Acked
		case alert.VerbResolve:
			state = alert.StateResolved
		case alert.VerbShow:
			base = line.At
		case alert.VerbEscalate:
			if state != alert.Open {
				return fmt.Errorf("step %d is taken while it is %s", taken, state)
			}
			if err := s.checkStep(plan, taken, base, line, i); err != nil {
				return err
			}
			taken++
		}
	}
	running := i.State == alert.Open && i.Silence == "" && i.HeldUntil.IsZero()
	if running && taken < len(plan.Steps) && !afterHold(&plan, base.Add(plan.Steps[taken].After), i.Severity).After(time.Now()) {
		return fmt.Errorf("step %d since %s is missing", taken, base)
	}
	return nil
}

func (s *story) checkStep(plan alert.Plan, n int, base time.Time, line alert.Event, i alert.Incident) error {
	if n >= len(plan.Steps) {
		return fmt.Errorf("there is a step %d", n)
	}
	step := plan.Steps[n]
	if want := strings.Join(append(slices.Clone(step.To), step.Mention...), " "); line.Text != want {
		return fmt.Errorf("step %d went to %q, want %q", n, line.Text, want)
	}
	due := base.Add(step.After)
	if line.At.Before(due) {
		return fmt.Errorf("step %d is taken at %s, before %s", n, line.At, due)
	}
	// A severity that has changed since may have moved the end of a wait, and a
	// return of the daemon takes what is late.
	on := []time.Time{due}
	for _, severity := range alert.Severities() {
		on = append(on, afterHold(&plan, due, severity))
	}
	if !slices.ContainsFunc(append(on, s.began...), line.At.Equal) && len(s.firedAt(i.ID, line.At)) == 0 {
		return fmt.Errorf("step %d is taken at %s, want %s", n, line.At, due)
	}
	return nil
}

// firedAt are the alerts of an incident at an instant.
func (s *story) firedAt(id string, at time.Time) []alert.Record {
	return slices.DeleteFunc(slices.Clone(s.alerts), func(a alert.Record) bool { return a.Incident != id || !a.AcceptedAt.Equal(at) })
}

// checkDeliveries: nothing but a card of its own, or word that it is hidden, is pending
// first to any lane, and cards are pending once.
func (s *story) checkDeliveries() error {
	type card struct{ incident, lane string }
	posts := map[card]int{}
	for _, i := range s.incidents {
		for lane, who := range i.Mentions {
			if slices.ContainsFunc(who, func(s string) bool { return s != "here" && s != "U9" }) {
				return fmt.Errorf("a card pings %v in %s", who, lane)
			}
		}
	}
	for _, d := range s.deliveries {
		if d.Note != nil && slices.ContainsFunc(d.Note.Mention, func(who string) bool { return !slices.Contains([]string{"here", "U9", ann.ID, bob.ID}, who) }) {
			return fmt.Errorf("nobody wants that %s", describe(d))
		}
		at := card{d.Incident, d.Lane}
		switch {
		case d.Kind == alert.Post:
			posts[at]++
		case d.Note != nil && d.Note.Topic == alert.TopicHidden:
		case posts[at] == 0:
			return fmt.Errorf("%s is pending to %s before a card", describe(d), d.Lane)
		}
	}
	for at, n := range posts {
		if n > 1 {
			return fmt.Errorf("%d cards are pending for %v", n, at)
		}
	}
	return nil
}

// checkNothingIsHidden: when all silences and quiet hours are over, every
// incident that is still open has a card pending in each lane, and so has every
// alert that is not silenced.
func (s *story) checkNothingIsHidden() error {
	posted := map[string][]string{}
	for _, d := range s.deliveries {
		if d.Kind == alert.Post {
			posted[d.Incident] = append(posted[d.Incident], d.Lane)
		}
	}
	for _, i := range s.incidents {
		if i.State == alert.StateResolved {
			continue
		}
		for _, lane := range i.Lanes {
			if !slices.Contains(posted[i.ID], lane) {
				return fmt.Errorf("incident %s is open and pending to %v, not to %s", i.ID, posted[i.ID], lane)
			}
		}
		if i.Silence != "" || !i.HeldUntil.IsZero() {
			return fmt.Errorf("incident %s is still kept quiet: %+v", i.ID, i)
		}
	}
	for _, a := range s.alerts {
		if a.Standing == alert.StandPending && !slices.Contains(posted[a.Incident], a.Lane) {
			return fmt.Errorf("an alert of %s waits for a card that %v lacks", a.Incident, slices.Collect(maps.Keys(posted)))
		}
	}
	return nil
}
