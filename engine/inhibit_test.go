package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// inhibitRules hide what else is wrong in a cluster that is down, and some alerts by others
// of which each may be either.
func inhibitRules(t testing.TB) []alert.InhibitRule {
	return []alert.InhibitRule{
		{Source: matchers(t, `severity="critical"`), Target: matchers(t, `severity!="critical"`), Equal: []string{"cluster"}},
		{Source: matchers(t, `key=~"a|b"`), Target: matchers(t, `key=~"b|c"`)},
	}
}

func inhibitWorld(t testing.TB, routes ...alert.Route) *world {
	w := newWorld(t, routes...)
	w.rules.routing.Inhibit = inhibitRules(t)
	w.rules.inhibition = alert.NewInhibition(w.rules.routing.Inhibit)
	w.known.known = w.rules.inhibition
	return w
}

// revealed decides what is hidden by incidents that inhibit less than before.
func (w *world) revealed() decided {
	w.t.Helper()
	w.commit(wake(w.known.less, w.now))
	snapshot, _ := w.Load(context.Background(), alert.Query{Now: w.now, InhibitedBy: w.known.less})
	c := decideHidden(w.rules, w.now, snapshot)
	w.known.less = nil
	w.commit(c)
	return decided{change: c}
}

func down(cluster string) alert.Alert {
	return alert.Alert{Key: "down " + cluster, Title: "cluster is down", Severity: alert.Critical, Labels: map[string]string{"cluster": cluster}}
}

func slow(key, cluster string) alert.Alert {
	return alert.Alert{Key: key, Title: "slow", Severity: alert.Warning, Labels: map[string]string{"cluster": cluster}}
}

func ended(a alert.Alert) alert.Alert {
	a.Status = alert.Resolved
	return a
}

func TestAnInhibitedAlertIsKeptAndShownWhenTheOtherEnds(t *testing.T) {
	w := inhibitWorld(t)
	source := w.push(down("x")).receipts[0].Incident
	d := w.push(slow("db", "x"), slow("db", "x"), slow("web", "y"))
	wantDeliveries(t, d, "#alerts post")
	wantStanding(t, d, alert.StandSilenced, alert.StandSilenced, alert.StandPending)
	if a := d.change.Alerts[0]; a.Silence != "" || a.Reason != "inhibited by "+source+" (cluster is down)" {
		t.Errorf("it is hidden by silence %q because of %q", a.Silence, a.Reason)
	}
	if i := w.incidents[1]; i.InhibitedBy != source || i.Silence != "" || !i.DueAt.IsZero() || i.Count != 2 {
		t.Errorf("hidden it is %+v", i)
	}
	wantDeliveries(t, w.revealed())
	wantDeliveries(t, w.push(ended(down("x"))), "#alerts update", "#alerts reply resolved")
	wantDeliveries(t, w.revealed(), "#alerts post")
	if i := w.incidents[1]; i.Hidden() || !i.HeldUntil.IsZero() {
		t.Errorf("shown it is %+v", i)
	}
	if want := []alert.Verb{alert.VerbInhibit, alert.VerbResolve, alert.VerbShow}; !slices.Equal(w.verbs(), want) {
		t.Errorf("the history says %v, want %v", w.verbs(), want)
	}
}

func TestAlertsOfOneBatchInhibitEachOtherInTheirOrder(t *testing.T) {
	w := inhibitWorld(t)
	d := w.push(slow("early", "x"), down("x"), slow("late", "x"), ended(down("x")), slow("later", "x"))
	wantStanding(t, d, alert.StandPending, alert.StandPending, alert.StandSilenced, alert.StandPending, alert.StandPending)
	wantDeliveries(t, w.revealed(), "#alerts post")
}

func TestWhatIsShownBeforeAnotherInhibitsItStaysShown(t *testing.T) {
	w := inhibitWorld(t, alert.Route{Name: "all", Thread: alert.ThreadAll, Escalate: []alert.Step{{After: 10 * time.Minute, Mention: []string{"here"}}}})
	w.push(slow("db", "x"))
	w.push(down("x"))
	w.act(alert.Act{Verb: alert.VerbAck, Incident: w.incidents[1].ID, By: ann})
	again := w.push(slow("db", "x"))
	wantStanding(t, again, alert.StandSilenced)
	wantDeliveries(t, again, "#alerts update") // which says by what it is inhibited
	wantDeliveries(t, w.push(slow("db", "x")))
	wantDeliveries(t, w.after(time.Hour)) // nobody is asked to act on it
	wantDeliveries(t, w.push(ended(slow("db", "x"))), "#alerts update", "#alerts reply resolved")
	wantDeliveries(t, w.push(slow("db", "x")))
	w.push(ended(down("x")))
	wantDeliveries(t, w.revealed(), "#alerts update", "#alerts reply uninhibited")
}

func TestNobodyIsNotifiedAboutWhatIsInhibitedMeanwhile(t *testing.T) {
	w := inhibitWorld(t, alert.Route{Name: "all", Escalate: []alert.Step{{After: 10 * time.Minute, Mention: []string{"here"}}}})
	w.push(slow("db", "x"))
	w.act(alert.Act{Verb: alert.VerbAck, Incident: w.push(down("x")).receipts[0].Incident, By: ann})
	wantDeliveries(t, w.after(10*time.Minute), "#alerts update")
	w.push(ended(down("x")))
	wantDeliveries(t, w.revealed(), "#alerts update", "#alerts reply uninhibited")
	wantDeliveries(t, w.after(10*time.Minute), "#alerts reply unanswered @here broadcast")
}

func TestWhatEndsWhileItIsInhibitedEndsWithoutAWord(t *testing.T) {
	w := inhibitWorld(t)
	w.push(down("x"))
	w.push(slow("db", "x"))
	for range 2 {
		d := w.push(ended(slow("db", "x")))
		wantDeliveries(t, d)
		wantStanding(t, d, alert.StandSilenced)
	}
	w.push(ended(down("x")))
	wantDeliveries(t, w.revealed())
}

func TestWhatSeveralThingsHideIsShownAfterTheLast(t *testing.T) {
	w := inhibitWorld(t)
	first := w.push(down("x")).receipts[0].Incident
	second := w.push(alert.Alert{Key: "a", Title: "a", Severity: alert.Warning}).receipts[0].Incident
	c := alert.Alert{Key: "c", Title: "c", Labels: map[string]string{"cluster": "x"}}
	w.push(c)
	by := func(inhibitor, silence string) {
		t.Helper()
		if i := w.incidents[2]; i.InhibitedBy != inhibitor || i.Silence != silence {
			t.Errorf("it is inhibited by %q and silenced by %q, want %q and %q", i.InhibitedBy, i.Silence, inhibitor, silence)
		}
	}
	by(first, "")
	s := w.silence(`key="c"`, time.Hour)
	by("", s.ID)
	wantDeliveries(t, w.after(time.Hour))
	by(first, "")
	w.push(ended(down("x")))
	wantDeliveries(t, w.revealed())
	by(second, "")
	w.push(alert.Alert{Key: "a", Title: "a", Status: alert.Resolved})
	wantDeliveries(t, w.revealed(), "#alerts post")
}

func TestAHiddenAlertInhibitsOthers(t *testing.T) {
	w := inhibitWorld(t)
	w.silence(`key="down x"`, time.Hour)
	w.push(down("x"))
	wantStanding(t, w.push(slow("db", "x")), alert.StandSilenced)
	wantDeliveries(t, w.push(ended(down("x"))))
	wantDeliveries(t, w.revealed(), "#alerts post")
}

func TestAnAlertThatIsNotASourceAnyMoreOrExpiresInhibitsNothing(t *testing.T) {
	w := inhibitWorld(t)
	w.push(down("x"), slow("db", "x"))
	milder := down("x")
	milder.Severity, milder.ExpiresIn = alert.Error, time.Hour
	w.push(milder)
	wantDeliveries(t, w.revealed(), "#alerts post")
	worse := milder
	worse.Severity = alert.Critical
	w.push(worse, slow("web", "x"))
	wantDeliveries(t, w.after(time.Hour), "#alerts update", "#alerts reply resolved")
	wantDeliveries(t, w.revealed(), "#alerts post")
}

func TestWhatWaitsForTheEndOfQuietHoursCanBeInhibitedThen(t *testing.T) {
	w := inhibitWorld(t, alert.Route{Name: "all", Quiet: night()})
	w.now = time.Date(2026, 1, 2, 23, 0, 0, 0, time.UTC)
	wantDeliveries(t, w.push(slow("db", "x")))
	w.push(down("x"))
	wantDeliveries(t, w.after(12*time.Hour))
	w.push(ended(down("x")))
	wantDeliveries(t, w.revealed(), "#alerts post")
}

func TestReopeningWhatIsInhibitedHidesItAgain(t *testing.T) {
	w := inhibitWorld(t)
	w.push(down("x"))
	id := w.push(slow("db", "x")).receipts[0].Incident
	w.act(alert.Act{Verb: alert.VerbResolve, Incident: id, By: ann})
	wantDeliveries(t, w.act(alert.Act{Verb: alert.VerbReopen, Incident: id, By: ann}))
	w.push(ended(down("x")))
	wantDeliveries(t, w.revealed(), "#alerts post")
}

// Much that is hidden is decided in bites, and a restart between two of them, or rules that
// are gone after it, leave nothing hidden.
func TestAllThatWasInhibitedIsShownHoweverMuchItIsAndWheneverTheDaemonStops(t *testing.T) {
	const many = 4*alert.MaxInhibited + 1
	for name, c := range map[string]struct {
		resolve bool // before the restart
		inhibit bool // after it
		fail    bool // the first bite
	}{
		"the source ends":                    {resolve: true, inhibit: true},
		"and the store fails at first":       {resolve: true, inhibit: true, fail: true},
		"the rules are gone after a restart": {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := openStore(t, filepath.Join(t.TempDir(), "tocsin.db"))
				defer func() { _ = db.Close() }()
				routing := alert.Routing{Default: "#alerts", Inhibit: inhibitRules(t)}
				e, stop := run(db, routing)
				push := func(alerts ...alert.Alert) {
					t.Helper()
					if _, err := e.Push(t.Context(), alerts); err != nil {
						t.Fatal(err)
					}
				}
				push(down("x"))
				all := make([]alert.Alert, many)
				for n := range all {
					all[n] = slow(fmt.Sprint("db", n), "x")
				}
				push(all...)
				if n := posts(db.memory); n != 1 {
					t.Fatalf("%d cards are pending, want that of the source", n)
				}
				if c.resolve {
					push(ended(down("x")))
				}
				stop() // possibly before or between the bites
				if !c.inhibit {
					routing.Inhibit = nil
				}
				s := Store(db)
				if c.fail {
					s = &failing{Store: db, times: 2}
				}
				_, stop = run(s, routing)
				<-time.After(time.Minute)
				stop()
				if n := posts(db.memory); n != 1+many {
					t.Errorf("%d cards are pending, want all %d", n, 1+many)
				}
			})
		})
	}
}

// failing fails some commits.
type failing struct {
	Store
	times int
}

func (f *failing) Commit(ctx context.Context, c alert.Change) error {
	if f.times--; f.times >= 0 {
		return fmt.Errorf("no disk: %w", alert.ErrUnavailable)
	}
	return f.Store.Commit(ctx, c)
}

func posts(m *memory) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.deliveries {
		if d.Kind == alert.Post {
			n++
		}
	}
	return n
}

// What a commit has done that was in doubt is read again.
func TestACommitInDoubtDoesNotMakeTheInhibitionWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		e, stop := run(&doubtful{Store: m}, alert.Routing{Default: "#alerts", Inhibit: inhibitRules(t)})
		defer stop()
		if _, err := e.Push(t.Context(), []alert.Alert{down("x")}); !errors.Is(err, alert.ErrInDoubt) {
			t.Fatal(err)
		}
		if _, err := e.Push(t.Context(), []alert.Alert{slow("db", "x")}); err != nil {
			t.Fatal(err)
		}
		if i := m.all()[1]; i.InhibitedBy != m.all()[0].ID {
			t.Errorf("it is not inhibited: %+v", i)
		}
	})
}

// doubtful does the first commit and does not know it.
type doubtful struct {
	Store
	done bool
}

func (d *doubtful) Commit(ctx context.Context, c alert.Change) error {
	err := d.Store.Commit(ctx, c)
	if !d.done {
		d.done = true
		return alert.ErrInDoubt
	}
	return err
}

// inhibitStep is what can happen, as a test draws it.
type inhibitStep struct {
	what  string // push, act, silence, unsilence, wait, restart
	alert alert.Alert
	verb  alert.Verb
	match string
	nth   int
	wait  time.Duration
}

func inhibitSteps(t *rapid.T) inhibitStep {
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	return inhibitStep{
		what: pick("what", "push", "push", "push", "push", "act", "silence", "unsilence", "wait", "restart"),
		alert: alert.Alert{
			Title: "t", Key: pick("key", "a", "b", "c", "d"), Status: alert.Status(pick("status", "firing", "firing", "resolved")),
			Severity: alert.Severity(pick("severity", "critical", "warning", "error")),
			Labels:   map[string]string{"cluster": pick("cluster", "x", "y", "")},
		},
		verb:  alert.Verb(pick("verb", "ack", "resolve", "reopen")),
		match: pick("match", `cluster="x"`, `key="a"`, `key=~"b|c"`),
		nth:   rapid.IntRange(0, 20).Draw(t, "nth"),
		wait:  time.Duration(rapid.SampledFrom([]int{1, 20, 40, 90}).Draw(t, "minutes")) * time.Minute,
	}
}

// Whatever fires, ends and is silenced, and however often the daemon is restarted: what
// fires is hidden if and only if Alertmanager would not notify about it, and what was never
// shown is shown as soon as nothing hides it.
func TestInhibitionAgreesWithAlertmanagersRule(t *testing.T) {
	checkInhibition(t)
}

// The same for the members of groups.
func TestInhibitionOfMembersAgreesWithAlertmanagersRule(t *testing.T) {
	checkInhibition(t, alert.Route{Name: "all", GroupBy: []string{"cluster"}})
}

func checkInhibition(t *testing.T, routes ...alert.Route) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(inhibitSteps), 1, 40).Draw(rt, "steps")
		var broken error
		synctest.Test(t, func(t *testing.T) {
			s := &inhibitStory{memory: newMemory(), rules: inhibitRules(t), routes: routes}
			s.start()
			defer func() { s.stop() }()
			for n, step := range steps {
				<-time.After(time.Second)
				synctest.Wait()
				if broken = s.take(step); broken == nil {
					synctest.Wait()
					broken = s.check()
				}
				if broken != nil {
					broken = fmt.Errorf("step %d, %+v: %w", n, step, broken)
					return
				}
			}
		})
		if broken != nil {
			rt.Fatal(broken)
		}
	})
}

type inhibitStory struct {
	*memory
	rules  []alert.InhibitRule
	routes []alert.Route
	engine *Engine
	stop   func()
}

func (s *inhibitStory) start() {
	s.engine, s.stop = run(s.memory, alert.Routing{Default: "#alerts", Routes: s.routes, Inhibit: s.rules})
}

func (s *inhibitStory) take(step inhibitStep) (err error) {
	ctx := context.Background()
	switch step.what {
	case "push":
		hidden := s.hides(step.alert.Subject())
		if _, err = s.engine.Push(ctx, []alert.Alert{step.alert}); err != nil {
			return err
		}
		s.mu.Lock() // what is decided again meanwhile is written, too
		record := s.alerts[len(s.alerts)-1]
		s.mu.Unlock()
		if step.alert.Status == alert.Firing && (record.Standing == alert.StandSilenced) != (hidden != nil) {
			return fmt.Errorf("it is %s (%s) while it is hidden by %v", record.Standing, record.Reason, hidden)
		}
	case "act":
		if all := s.all(); len(all) > 0 {
			_, err = s.engine.Act(ctx, []alert.Act{{Verb: step.verb, Incident: all[step.nth%len(all)].ID, By: ann}})
		}
	case "silence":
		ms, _ := alert.ParseMatchers(step.match)
		_, err = s.engine.Silence(ctx, alert.Silence{Matchers: ms, EndsAt: time.Now().Add(step.wait), By: ann})
	case "unsilence":
		if len(s.silences) > 0 {
			_, err = s.engine.Unsilence(ctx, s.silences[step.nth%len(s.silences)].ID, bob)
		}
	case "wait":
		<-time.After(step.wait)
	case "restart":
		s.stop()
		s.start()
	}
	return err
}

// hides names everything that hides an alert now, by the plain rules.
func (s *inhibitStory) hides(target alert.Subject) (by []string) {
	now := time.Now()
	for _, q := range s.silences {
		if q.Active(now) && q.Matchers.Match(target) {
			by = append(by, q.ID)
		}
	}
	for _, source := range s.firing() {
		inhibits := func(r alert.InhibitRule) bool {
			equal := !slices.ContainsFunc(r.Equal, func(name string) bool { return source.Value(name) != target.Value(name) })
			return r.Target.Match(target) && r.Source.Match(source.Subject) && equal && !(r.Source.Match(target) && r.Target.Match(source.Subject))
		}
		if source.Key != target.Key && slices.ContainsFunc(s.rules, inhibits) {
			by = append(by, source.incident)
		}
	}
	return by
}

// firingAlert is an alert that fires, with its incident.
type firingAlert struct {
	alert.Subject
	incident string
}

// firing are the alerts that fire: incidents and the members of groups.
func (s *inhibitStory) firing() (all []firingAlert) {
	for _, i := range s.incidents {
		if i.Group == nil && i.State != alert.StateResolved {
			all = append(all, firingAlert{i.Subject(), i.ID})
		}
	}
	for at, m := range s.members {
		if m.Status == alert.Firing {
			all = append(all, firingAlert{m.Subject(s.incidents[s.places[at.incident]]), at.incident})
		}
	}
	return all
}

// checkMembers checks what hides the members of groups, and that these count them.
func (s *inhibitStory) checkMembers() error {
	counted := map[string]*alert.Group{}
	for at, m := range s.members {
		i := s.incidents[s.places[at.incident]]
		if counted[i.ID] == nil {
			counted[i.ID] = &alert.Group{}
		}
		g := counted[i.ID]
		g.Count(m, 1)
		if m.N > 0 {
			g.Total++
		}
		id := m.Silence + m.InhibitedBy
		subject := m.Subject(i)
		by := s.hides(subject)
		subject.Key = i.Key // a silence may be for the whole group
		if m.Status == alert.Firing && id != "" && !slices.Contains(append(by, s.hides(subject)...), id) {
			return fmt.Errorf("member %s of %s is hidden by %s, which hides it no longer", m.Key, i.ID, id)
		}
	}
	for _, i := range s.incidents {
		if i.Group == nil {
			continue
		}
		want := counted[i.ID]
		if g := i.Group; g.Total != want.Total || !maps.Equal(g.Firing, want.Firing) || !maps.Equal(g.Silenced, want.Silenced) ||
			!maps.Equal(g.Inhibited, want.Inhibited) || !maps.Equal(g.Closed, want.Closed) || g.Withdrawn != want.Withdrawn {
			return fmt.Errorf("%s counts %+v, want %+v", i.ID, g, want)
		}
		if i.State != alert.StateResolved && i.InhibitedBy != "" && i.Group.Fires() > 0 {
			return fmt.Errorf("%s is hidden by %s while %v fire that nothing hides", i.ID, i.InhibitedBy, i.Group.Firing)
		}
		if i.State != alert.StateResolved && !i.Hidden() && i.Group.Lasts() && i.Group.Fires() == 0 {
			return fmt.Errorf("%s is shown, and nothing of it: %+v", i.ID, i.Group)
		}
	}
	return nil
}

func (s *inhibitStory) check() error {
	if err := s.checkMembers(); err != nil {
		return err
	}
	posted := map[string]bool{}
	for _, d := range s.deliveries {
		posted[d.Incident] = posted[d.Incident] || d.Kind == alert.Post
	}
	for _, i := range s.incidents {
		if i.Group != nil {
			if i.State != alert.StateResolved && !i.Hidden() && !posted[i.ID] && !i.HeldUntil.After(time.Now()) {
				return fmt.Errorf("group %s was never shown, and nothing hides it", i.ID)
			}
			continue
		}
		by := s.hides(i.Subject())
		switch id := i.Silence + i.InhibitedBy; {
		case i.State == alert.StateResolved:
		case i.Silence != "" && i.InhibitedBy != "":
			return fmt.Errorf("%s is hidden by %s and %s", i.ID, i.Silence, i.InhibitedBy)
		case id != "" && !slices.Contains(by, id):
			return fmt.Errorf("%s is hidden by %s, which hides it no longer", i.ID, id)
		case id == "" && (!posted[i.ID] || !i.HeldUntil.IsZero()):
			return fmt.Errorf("%s was never shown, and nothing hides it", i.ID)
		}
	}
	return nil
}
