package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// world decides about things at a time, and keeps the changes in memory so that
// a test can go on from them.
type world struct {
	*memory
	t     rapid.TB
	rules rules
	now   time.Time
	known inhibition
}

func newWorld(t rapid.TB, routes ...alert.Route) *world {
	w := &world{
		memory: newMemory(), t: t, now: noon,
		rules: rules{inhibition: alert.NewInhibition(nil), routing: alert.Routing{Default: "#alerts", Routes: routes, ReopenWithin: 30 * time.Minute}, flapping: Flapping{Times: 5, Within: 5 * time.Minute}, skip: func() int { return 1 }},
	}
	w.known.known = w.rules.inhibition
	return w
}

// decided is what came of an input.
type decided struct {
	change   alert.Change
	receipts []alert.Accepted
	result
}

func (w *world) decide(in input) decided {
	w.t.Helper()
	q := query(w.rules.routing, []input{in})
	q.Now, q.Listed = w.now, wordsGroups(w.rules.routing)
	snapshot, _ := w.Load(context.Background(), q)
	c, results := decide(w.rules, w.now, snapshot, []input{in})
	w.commit(c)
	return decided{c, results[0].accepted, results[0]}
}

func (w *world) commit(c alert.Change) {
	w.t.Helper()
	if err := w.Commit(context.Background(), c); err != nil {
		w.t.Fatalf("commit: %v", err)
	}
	w.known.follow(c)
}

// push decides about alerts.
func (w *world) push(alerts ...alert.Alert) decided {
	w.t.Helper()
	for i := range alerts {
		if err := alerts[i].Prepare(w.now); err != nil {
			w.t.Fatal(err)
		}
	}
	return w.decide(input{alerts: alerts})
}

func (w *world) act(acts ...alert.Act) decided { return w.decide(input{acts: acts}) }

// silence keeps what matches quiet for some time.
func (w *world) silence(matchers string, length time.Duration) alert.Silence {
	ms, err := alert.ParseMatchers(matchers)
	if err != nil {
		w.t.Fatal(err)
	}
	s := alert.Silence{Matchers: ms, EndsAt: w.now.Add(length), By: ann, Why: "planned work"}
	return w.decide(input{silence: &s}).silence
}

// until lets the time come, with all that is due on the way done late, at once.
func (w *world) until(now time.Time) decided {
	w.t.Helper()
	w.now = now
	d := w.tick()
	for _, i := range w.incidents {
		if !i.DueAt.IsZero() && !i.DueAt.After(now) {
			w.t.Fatalf("incident %s stays due", i.ID)
		}
	}
	return d
}

// tick does what is due now, once.
func (w *world) tick() decided {
	w.t.Helper()
	snapshot, _ := w.Load(context.Background(), alert.Query{Now: w.now, Due: true, Listed: wordsGroups(w.rules.routing)})
	c := decideDue(w.rules, w.now, snapshot)
	w.commit(c)
	return decided{change: c}
}

func (w *world) after(d time.Duration) decided { w.t.Helper(); return w.until(w.now.Add(d)) }

func kinds(d decided) []string {
	var out []string
	for _, del := range d.change.Deliveries {
		k := string(del.Kind)
		if del.Note != nil {
			k += " " + string(del.Note.Topic)
		}
		out = append(out, k)
	}
	return out
}

func effects(d decided) []alert.Effect {
	var out []alert.Effect
	for _, r := range d.receipts {
		out = append(out, r.Effect)
	}
	return out
}

func TestAFiringOpensThenFoldsThenResolves(t *testing.T) {
	w := newWorld(t)
	first := w.push(alert.Alert{Key: "db", Title: "disk full"})
	if !slices.Equal(kinds(first), []string{"post"}) || first.change.Alerts[0].Delivery != first.change.Deliveries[0].ID {
		t.Errorf("the first firing owes %v, opened by %q", kinds(first), first.change.Alerts[0].Delivery)
	}
	again := w.push(alert.Alert{Key: "db", Title: "disk still full"})
	if !slices.Equal(kinds(again), []string{"update", "reply former", "reply refired"}) || again.change.Alerts[0].Delivery != "" {
		t.Errorf("the second firing, with another title, owes %v", kinds(again))
	}
	w.now = noon.Add(12 * time.Minute)
	over := w.push(alert.Alert{Key: "db", Title: "disk ok", Status: alert.Resolved})
	if !slices.Equal(kinds(over), []string{"update", "reply resolved"}) {
		t.Errorf("the end owes %v", kinds(over))
	}
	if note := over.change.Deliveries[1].Note; note.After != 12*time.Minute || note.Count != 2 {
		t.Errorf("the end says %+v, want 12 minutes and 2 firings", note)
	}
	inc := w.incidents[0]
	if len(w.incidents) != 1 || inc.State != alert.StateResolved || inc.Count != 2 || inc.Title != "disk still full" {
		t.Errorf("the incident ended as %+v", inc)
	}
}

func TestTwoAlertsWithOneKeyInOneBatchFold(t *testing.T) {
	w := newWorld(t)
	d := w.push(alert.Alert{Key: "db", Title: "a"}, alert.Alert{Key: "db", Title: "b"}, alert.Alert{Key: "web", Title: "c"})
	if !slices.Equal(effects(d), []alert.Effect{alert.EffectOpened, alert.EffectFolded, alert.EffectOpened}) {
		t.Errorf("effects are %v", effects(d))
	}
	if len(d.change.Incidents) != 2 || d.change.Incidents[0].Count != 2 || d.change.Incidents[0].Version != 1 {
		t.Errorf("incidents are %+v", d.change.Incidents)
	}
}

func TestARefireSoonAfterTheEndReopensLaterOpensANewOne(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	w.now = noon.Add(29 * time.Minute)
	soon := w.push(alert.Alert{Key: "db", Title: "a"})
	if !slices.Equal(effects(soon), []alert.Effect{alert.EffectReopened}) || !slices.Equal(kinds(soon), []string{"update", "reply reopened"}) {
		t.Errorf("soon: %v owes %v", effects(soon), kinds(soon))
	}
	w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	w.now = w.now.Add(31 * time.Minute)
	late := w.push(alert.Alert{Key: "db", Title: "a"})
	if !slices.Equal(effects(late), []alert.Effect{alert.EffectOpened}) || len(w.incidents) != 2 {
		t.Errorf("late: %v with %d incidents", effects(late), len(w.incidents))
	}
}

func TestAnEndThatNamesNoChannelEndsItWhereverItIs(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "a", Channel: "#db"})
	d := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	if len(w.incidents) != 1 || w.incidents[0].State != alert.StateResolved || d.change.Deliveries[0].Lane != "#db" {
		t.Errorf("incidents are %+v", w.incidents)
	}
}

func TestAnEndWithoutABeginningIsShown(t *testing.T) {
	w := newWorld(t)
	d := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	if !slices.Equal(kinds(d), []string{"post"}) || w.incidents[0].State != alert.StateResolved {
		t.Errorf("owes %v, incident %+v", kinds(d), w.incidents[0])
	}

	w = newWorld(t)
	began, ended := noon.Add(-time.Hour), noon.Add(-time.Minute)
	w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved, BeganAt: began, At: ended})
	if i := w.incidents[0]; !i.BeganAt.Equal(began) || !i.EndedAt.Equal(ended) {
		t.Errorf("it began at %s and ended at %s", i.BeganAt, i.EndedAt)
	}
}

func TestASecondEndIsFoldedAtOnceOnlyIfTheCardShowsIt(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "a"})
	w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	early := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	if early.change.Alerts[0].Standing != alert.StandPending || !slices.Equal(kinds(early), []string{"update"}) {
		t.Errorf("before the card: %s, owes %v", early.change.Alerts[0].Standing, kinds(early))
	}
	w.incidents[0].Cards = []alert.Card{{Lane: "#alerts", TS: "1.0", Version: w.incidents[0].Version}}
	shown := w.push(alert.Alert{Key: "db", Title: "a", Status: alert.Resolved})
	if shown.change.Alerts[0].Standing != alert.StandFolded || len(shown.change.Deliveries) != 0 || len(shown.change.Incidents) != 0 {
		t.Errorf("with the card: %s, owes %v", shown.change.Alerts[0].Standing, kinds(shown))
	}
}

func TestGettingWorseIsSaidInTheThread(t *testing.T) {
	w := newWorld(t)
	w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Warning})
	worse := w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Critical})
	if !slices.Equal(kinds(worse), []string{"update", "reply escalated"}) || worse.change.Deliveries[0].Priority != 0 {
		t.Errorf("owes %v", kinds(worse))
	}
}

func TestLongTextContinuesInTheThread(t *testing.T) {
	w := newWorld(t)
	text := ""
	for n := range 500 {
		text += fmt.Sprintf("line %d of a long text\n", n)
	}
	d := w.push(alert.Alert{Key: "db", Title: "a", Text: text})
	shown := alert.Pages(d.change.Incidents[0].Text, 1)[0]
	for _, del := range d.change.Deliveries[1:] {
		shown += del.Note.Text
	}
	if shown != d.change.Incidents[0].Text || len(d.change.Deliveries) < 3 {
		t.Errorf("card and %d replies do not make up the text", len(d.change.Deliveries)-1)
	}
	if again := w.push(alert.Alert{Key: "db", Title: "a", Text: text}); len(again.change.Deliveries) != 1 {
		t.Errorf("the same text again owes %v", kinds(again))
	}
	whole := text + text
	longer := w.push(alert.Alert{Key: "db", Title: "a", Text: whole, Severity: alert.Critical})
	if want := []string{"update", "reply former", "reply escalated", "reply text"}; !slices.Equal(kinds(longer), want) {
		t.Fatalf("a text of more than five pages owes %v, want %v", kinds(longer), want)
	}
	if file := longer.change.Deliveries[3]; file.Note.Text != strings.TrimSpace(whole) || file.Priority != alert.PriorityQuiet {
		t.Errorf("the file has %d of %d characters, with priority %d", len(file.Note.Text), len(whole), file.Priority)
	}
}

func TestAnotherTextIsSaidInTheThread(t *testing.T) {
	w := newWorld(t)
	d := w.push(alert.Alert{Key: "db", Title: "a", Text: "one"}, alert.Alert{Key: "db", Title: "a", Text: "two"}, alert.Alert{Key: "db", Title: "a", Text: "two"}, alert.Alert{Key: "db", Title: "b", Text: "two"})
	if got := notesOf(d); !slices.Equal(got, []string{"former one", "refired two", "refired [b]"}) {
		t.Errorf("the thread says %q", got)
	}
	if again := w.push(alert.Alert{Key: "db", Title: "b", Text: "three"}); !slices.Equal(notesOf(again), []string{"refired three"}) {
		t.Errorf("then it says %q", notesOf(again))
	}
	wantHistory(t, d, "open one", "refire two", "refire b\ntwo")
	w.push(alert.Alert{Key: "db", Title: "b", Status: alert.Resolved})
	if again := w.push(alert.Alert{Key: "db", Title: "b", Text: "four"}); !slices.Equal(notesOf(again), []string{"reopened four"}) {
		t.Errorf("after its end it says %q", notesOf(again))
	} else {
		wantHistory(t, again, "reopen four")
	}
}

// notesOf lists what the replies of a decision say, each with its title and text.
func notesOf(d decided) (all []string) {
	for _, del := range d.change.Deliveries {
		if n := del.Note; n != nil {
			said := string(n.Topic)
			if n.Title != "" {
				said += " [" + n.Title + "]"
			}
			all = append(all, strings.TrimSpace(said+" "+n.Text))
		}
	}
	return all
}

func wantHistory(t *testing.T, d decided, want ...string) {
	t.Helper()
	var got []string
	for _, e := range d.change.History {
		got = append(got, strings.TrimSpace(string(e.Verb)+" "+e.Text))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the history has %q, want %q", got, want)
	}
}

func TestALongTextReplacesThePagesThatWait(t *testing.T) {
	w := newWorld(t)
	long := func(n int) string { return strings.Repeat(fmt.Sprintf("line of text %d\n", n), 600) }
	d := w.push(alert.Alert{Key: "db", Title: "a", Text: long(1)})
	if len(d.change.Retold) != 0 {
		t.Errorf("the first text replaces %v", d.change.Retold)
	}
	batch := w.push(alert.Alert{Key: "db", Title: "a", Text: long(2)}, alert.Alert{Key: "db", Title: "a", Text: long(3)})
	var topics []alert.Topic
	said := ""
	for _, del := range batch.change.Deliveries {
		switch n := del.Note; {
		case n == nil:
		case n.Cut:
			topics = append(topics, n.Topic)
		default:
			said += n.Text
		}
	}
	if want := strings.TrimSpace(long(3)); said != want || batch.change.Retold[d.receipts[0].Incident] != w.now {
		t.Errorf("the thread says %.30q… (%d characters) in place of what %v say, want %.30q… (%d)", said, len(said), batch.change.Retold, want, len(want))
	}
	if want := []alert.Topic{alert.TopicFormer, alert.TopicRefired}; !slices.Equal(topics, want) {
		t.Errorf("it says the beginning of what %v say, want %v", topics, want)
	}
}

func TestARouteWithoutNotesSaysOnlyWhatHasNoRoom(t *testing.T) {
	long := strings.Repeat("line of text\n", 600)
	quiet := newWorld(t, alert.Route{Name: "all", Thread: alert.ThreadNone})
	quiet.push(alert.Alert{Key: "db", Title: "a", Text: "one"})
	if again := quiet.push(alert.Alert{Key: "db", Title: "a", Text: "two"}); len(again.change.Deliveries) != 1 {
		t.Errorf("a route without notes owes %v", kinds(again))
	}
	if again := quiet.push(alert.Alert{Key: "db", Title: "a", Text: long}); kinds(again)[1] != "reply more" {
		t.Errorf("a route without notes owes %v for a long text", kinds(again))
	}
}

func TestWhatTheEndSaysIsInTheThreadWhole(t *testing.T) {
	long := strings.Repeat("a line of what was done\n", 500)
	for name, c := range map[string]struct {
		end  alert.Alert
		want string
	}{
		"one line":                      {alert.Alert{Text: "disk has room again"}, "disk has room again"},
		"another title":                 {alert.Alert{Title: "disk ok"}, "disk ok"},
		"another title and a text":      {alert.Alert{Title: "disk ok", Text: "logs were moved"}, "disk ok\nlogs were moved"},
		"the card's title":              {alert.Alert{Title: "disk full"}, ""},
		"the card's title and a text":   {alert.Alert{Title: "disk full", Text: "logs were moved"}, "logs were moved"},
		"a long text without a title":   {alert.Alert{Text: long}, strings.TrimRight(long, "\n")},
		"a long text behind a title":    {alert.Alert{Title: "disk full", Text: long}, strings.TrimRight(long, "\n")},
		"a long line without any title": {alert.Alert{Text: strings.Repeat("x", 400)}, strings.Repeat("x", 400)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.push(alert.Alert{Key: "db", Title: "disk full"})
			c.end.Key, c.end.Status = "db", alert.Resolved
			said := ""
			for _, added := range w.push(c.end).change.Deliveries {
				if added.Note != nil {
					said += added.Note.Text
				}
				if added.Note != nil && len(alert.Pages(added.Note.Text, 2)) > 1 {
					t.Error("a reply holds more than one page")
				}
			}
			if said != c.want {
				t.Errorf("the thread says %.200q, want %.200q", said, c.want)
			}
		})
	}
}

func TestAnIdempotencyKeyCountsOnce(t *testing.T) {
	w := newWorld(t)
	a := alert.Alert{Key: "db", Title: "a", IdempotencyKey: "x1"}
	d := w.push(a, a)
	later := w.push(a)
	if d.receipts[0].ID != d.receipts[1].ID || later.receipts[0].ID != d.receipts[0].ID || later.receipts[0].Effect != alert.EffectDuplicate {
		t.Errorf("receipts are %+v then %+v", d.receipts, later.receipts)
	}
	if w.incidents[0].Count != 1 || len(later.change.Alerts) != 0 {
		t.Errorf("count is %d", w.incidents[0].Count)
	}
}

// Whatever comes in whatever batches: every alert is on record once, at most
// one incident of a key in a route is going on, and counts add up.
func TestNothingIsLostOrCountedTwiceWhateverComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		fired, recorded, pushed := 0, 0, 0
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 45).Draw(t, "minutes")) * time.Minute)
			batch := make([]alert.Alert, rapid.IntRange(1, 6).Draw(t, "size"))
			for i := range batch {
				batch[i] = alert.Alert{
					Title:   "t",
					Key:     rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"),
					Status:  rapid.SampledFrom([]alert.Status{alert.Firing, alert.Firing, alert.Resolved}).Draw(t, "status"),
					Channel: rapid.SampledFrom([]string{"", "", "#ops"}).Draw(t, "channel"),
				}
				if batch[i].Status == alert.Firing {
					fired++
				}
			}
			d := w.push(batch...)
			pushed += len(batch)
			recorded += len(d.change.Alerts)
		}
		counted, going := 0, map[ref]int{}
		for _, i := range w.incidents {
			counted += i.Count
			if i.State != alert.StateResolved {
				going[ref{i.Key, i.Route}]++
			}
		}
		if recorded != pushed || counted != fired {
			t.Fatalf("pushed %d, recorded %d; fired %d, counted %d", pushed, recorded, fired, counted)
		}
		for r, n := range going {
			if n > 1 {
				t.Fatalf("%d incidents of %v at once", n, r)
			}
		}
	})
}

func TestASuccessOfWhatHasNotFailedIsIgnored(t *testing.T) {
	w := newWorld(t)
	success := alert.Alert{Key: "ci", Title: "CI success", Status: alert.Resolved, OnlyIfOpen: true}
	if got := w.push(success); got.receipts[0].Effect != alert.EffectIgnored || len(got.change.Alerts)+len(got.change.Incidents)+len(got.change.Deliveries) > 0 {
		t.Errorf("before any failure: %+v changed %+v", got.receipts, got.change)
	}
	w.push(alert.Alert{Key: "ci", Title: "CI failure"})
	if got := w.push(success); got.receipts[0].Effect != alert.EffectResolved || got.change.Incidents[0].State != alert.StateResolved {
		t.Errorf("after a failure: %+v", got.receipts)
	}
	if got := w.push(success); got.receipts[0].Effect != alert.EffectIgnored || len(got.change.Alerts) > 0 {
		t.Errorf("once more: %+v", got.receipts)
	}
	both := w.push(alert.Alert{Key: "other", Title: "CI failure"}, alert.Alert{Key: "other", Title: "CI success", Status: alert.Resolved, OnlyIfOpen: true})
	if both.receipts[1].Effect != alert.EffectResolved {
		t.Errorf("in one batch: %+v", both.receipts)
	}
}

func TestABriefAlertThatReopensLeavesWhatTheCardSays(t *testing.T) {
	event := alert.Alert{Key: "sentry/1", Title: "TypeError", Text: "app.js:3", Severity: alert.Error, Labels: map[string]string{"issue": "1", "release": "2.4"}}
	brief := alert.Alert{Key: "sentry/1", Title: "TypeError", Severity: alert.Warning, Labels: map[string]string{"issue": "1"}, Refreshes: true, Brief: true}
	over := alert.Alert{Key: "sentry/1", Title: "TypeError", Status: alert.Resolved}
	for name, by := range map[string][]string{"alone": nil, "in a group": {"issue"}} {
		w := newWorld(t, alert.Route{Name: "all", GroupBy: by})
		w.push(event)
		w.after(30 * time.Second)
		w.push(over)
		w.after(time.Minute)
		if d := w.push(brief); d.receipts[0].Effect != alert.EffectReopened {
			t.Fatalf("%s: it is %s", name, d.receipts[0].Effect)
		}
		if i := w.incidents[0]; i.Text != "app.js:3" || i.Labels["release"] != "2.4" || i.Severity != alert.Error || i.Count != 2 {
			t.Errorf("%s: the card says %q, %v, %s, %d times", name, i.Text, i.Labels, i.Severity, i.Count)
		}
	}
	w := newWorld(t)
	w.push(brief)
	if i := w.incidents[0]; i.Title != "TypeError" || i.Severity != alert.Warning {
		t.Errorf("the first of its key is shown as %+v", i)
	}
}
