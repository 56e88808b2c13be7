package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// soakFor and soakSeed lengthen and repeat the oracle: a duration, a number.
const (
	soakFor  = "TOCSIN_SOAK"
	soakSeed = "TOCSIN_SOAK_SEED"
)

// TestCrashOracleLosesNothingKeepsOrderAndShowsNothingTwice pushes a random mix
// while Slack misbehaves and the daemon is killed again and again, and then
// compares what was accepted with what the playground showed.
//
// The seed decides what is pushed, into which conversation, in which order, and
// which faults and kills follow each other after which waits. Time decides at
// which byte a kill strikes and which calls a fault meets.
func TestCrashOracleLosesNothingKeepsOrderAndShowsNothingTwice(t *testing.T) {
	t.Parallel()
	o := newOracle(t, planFromEnvironment(t, shortPlan, longPlan), nil)
	t.Logf("seed %d: %d kills, %d pushers with %d steps into %d conversations; repeat it with %s=%d",
		o.plan.seed, o.plan.kills, o.plan.pushers, o.plan.steps, o.plan.pushers*o.plan.lanes, soakSeed, o.plan.seed)
	o.run(o.chaos)
}

// plan is how much of everything.
type plan struct {
	seed           uint64
	long           bool
	kills          int
	cycle          time.Duration // between two kills, on average
	calm           time.Duration // without kills after the last one
	patience       time.Duration // for all to be delivered at the end
	pushers, lanes int           // lanes of each pusher
	hot            int           // of these, those with a key that comes back again and again; 0 for all
	groupers       int
	routes         string // more of them, as in the configuration
	steps          int    // of each pusher and grouper
	every          time.Duration
	longPause      time.Duration // that Slack asks for now and then, on average
	lag            time.Duration // of Slack's history; 0 for none
	stable         time.Duration // after which an incident flaps no more
	clockDrift     time.Duration // how much the daemon's clock is wrong, on average
	clockJump      time.Duration // how much more now and then; below the 30 minutes in which an incident reopens
}

// planFromEnvironment is the short plan, or one that takes as long as soakFor says.
func planFromEnvironment(t *testing.T, short func() plan, long func(time.Duration) plan) plan {
	p := short()
	if s := os.Getenv(soakFor); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d < 10*time.Second {
			t.Fatalf("%s is %q: write a duration of 10s or more", soakFor, s)
		}
		p = long(d)
	}
	p.seed = uint64(time.Now().UnixNano()) % 1_000_000
	if s := os.Getenv(soakSeed); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s is %q: write a number", soakSeed, s)
		}
		p.seed = n
	}
	return p
}

func shortPlan() plan {
	return plan{
		kills: 4, cycle: time.Second, patience: 2 * patience,
		pushers: 3, lanes: 3, groupers: 1, steps: 16, every: 250 * time.Millisecond,
		longPause: 2 * time.Second, stable: 5 * time.Second, clockDrift: time.Second,
	}
}

func longPlan(d time.Duration) plan {
	const every = 700 * time.Millisecond
	return plan{
		long: true, kills: max(25, int(d/(6*time.Second))), cycle: min(4*time.Second, 2*d/3/25), calm: d / 3, patience: 15 * time.Minute,
		pushers: 6, lanes: 4, groupers: 2, steps: int(d / every), every: every,
		longPause: 30 * time.Second, lag: 8 * time.Second, stable: 30 * time.Second, clockDrift: 10 * time.Second, clockJump: 20 * time.Minute,
	}
}

// limits are Slack's own in every second long run. Elsewhere only a conversation
// has its pace: many restarts in seconds use up what Slack allows in a minute.
func (p plan) limits() playground.Limits {
	if p.long && p.seed%2 == 1 {
		return playground.Limits{}
	}
	return playground.Limits{PostsPerMinute: 1 << 20, Tier2: 1 << 20, Tier3: 1 << 20, Tier4: 1 << 20}
}

// oracle knows what has to be shown, because it has pushed it.
type oracle struct {
	t      *testing.T
	plan   plan
	slack  *playground.Server
	daemon *process   // the first of all
	all    []*process // replicas, if there are several
	random *rand.Rand // of faults and kills

	lanes           []string
	pushers         []*pusher
	groupers        []*grouper
	steps           atomic.Int64
	working         atomic.Int64 // pushers and groupers that are not done
	tried, accepted atomic.Int64 // alerts, each once
	queued          atomic.Int64 // those of which only that was answered
	marks           []mark
	recorded        map[string]string // the timestamps of deliveries that the daemon was asked for
	looks           atomic.Int64
	archived        bool          // the shaky lane
	clockWrong      time.Duration // of the daemon
	strangerID      string
	meddled         atomic.Int64 // what the stranger has tried
	// ids are those of the lanes into which half of the stories go by their ids. Nobody
	// has told the daemon before its first post.
	ids map[string]string
}

// newOracle makes an oracle for a daemon, or for replicas, each of which has something in its
// environment.
func newOracle(t *testing.T, p plan, each ...map[string]string) *oracle {
	// Slack would count the connections of each daemon that was killed for hours, and
	// refuse more after the fifth.
	s := slack(t, playground.Options{Limits: p.limits(), Seed: p.seed, GhostFor: 15 * time.Second})
	o := &oracle{t: t, plan: p, slack: s, random: rand.New(rand.NewPCG(p.seed, 1))}
	for _, env := range each {
		o.all = append(o.all, prepare(t, s, env))
	}
	o.daemon = o.all[0]
	o.lanes = append([]string{defaultLane}, laneNames(s, p.pushers*p.lanes-1)...)
	s.AddChannel(playground.Channel{Name: strings.TrimPrefix(fallbackLane, "#"), IsMember: true})
	o.strangerID = s.AddUser(playground.User{Name: stranger, TeamID: strangerTeam})
	o.ids, o.recorded = map[string]string{}, map[string]string{}
	for _, c := range s.Channels() {
		if lane := "#" + c.Name; slices.Index(o.lanes, lane)%2 == 0 && lane != defaultLane {
			o.ids[lane] = c.ID
		}
	}
	// In a long run the clock is turned on by more than incidents stay the same by default.
	for _, d := range o.all {
		d.configure(fmt.Sprintf("fallback_channel: '%s'\ndelivery:\n  probe_every: 500ms\n  reopen_within: 100h\n  info_expires_in: 100h\n  flapping:\n    within: %s\n%s", fallbackLane, p.stable, groupConfig(p.groupers, p.routes)))
	}
	for n := range p.pushers {
		o.pushers = append(o.pushers, newPusher(o, n))
		o.pushers[n].lanes = o.lanes[n*p.lanes : (n+1)*p.lanes]
	}
	for n := range p.groupers {
		g := newGrouper(newPusher(o, p.pushers+n), n)
		o.groupers = append(o.groupers, g)
		o.lanes = append(o.lanes, g.lane)
		s.AddChannel(playground.Channel{Name: strings.TrimPrefix(g.lane, "#"), IsMember: true})
	}
	return o
}

// spelling is how a story writes its lane.
func (o *oracle) spelling(key, lane string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // it never fails
	if id := o.ids[lane]; id != "" && h.Sum32()%2 == 0 {
		return id
	}
	return lane
}

func laneNames(s *playground.Server, n int) []string {
	addChannels(s, n)
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("#lane-%d", i)
	}
	return names
}

// run does all at once, and compares it at the end.
func (o *oracle) run(chaos func(context.Context)) {
	ctx, cancel := context.WithCancel(o.t.Context())
	var work, watch sync.WaitGroup
	defer func() { cancel(); work.Wait(); watch.Wait() }()
	for _, d := range o.all {
		o.start(d)
	}
	watched := make(chan error, 1)
	watch.Go(func() { watched <- o.watchLedger(ctx) })
	o.working.Store(int64(len(o.pushers) + len(o.groupers)))
	for _, p := range o.pushers {
		work.Go(func() { p.run(ctx, o.plan.steps); o.working.Add(-1) })
	}
	for _, g := range o.groupers {
		work.Go(func() { g.run(ctx, o.plan.steps); o.working.Add(-1) })
	}
	meddling, stop := context.WithCancel(ctx)
	defer stop()
	watch.Go(func() { o.meddle(meddling) })
	chaos(ctx)
	if o.plan.calm > 0 && !o.t.Failed() {
		o.live(ctx, o.plan.calm)
	}
	work.Wait()
	stop()
	for _, p := range o.pushers {
		if p.err != nil {
			o.t.Errorf("pusher %d: %v", p.n, p.err)
		}
	}
	for _, g := range o.groupers {
		if g.err != nil {
			o.t.Errorf("grouper %d: %v", g.n, g.err)
		}
	}
	o.slack.ClearFaults()
	archive(o.t, o.slack.Unarchive, shakyLane)
	o.mark("faults over")
	o.settle(ctx)
	cancel()
	watch.Wait()
	if err := <-watched; err != nil {
		o.t.Error(err)
	}
	x := o.collect()
	o.t.Logf("%d alerts accepted in %d stories, %d of them listed in %d digests, %d messages in the fallback, %d looks at the ledger, %d calls to Slack",
		o.accepted.Load(), o.stories(), len(x.listed), len(x.digests), len(o.slack.Messages(fallbackLane)), o.looks.Load(), len(o.slack.Calls()))
	tries, refusals := o.meddled.Load(), strings.Count(x.log, `"team":"`+strangerTeam+`"`)
	o.t.Logf("a stranger tried %d times to change something and was refused %d times", tries, refusals)
	if o.plan.long && refusals == 0 {
		o.t.Error("nobody has refused the stranger")
	}
}

func (o *oracle) stories() (n int) {
	for _, p := range o.pushers {
		n += len(p.order)
	}
	for _, g := range o.groupers {
		n += len(g.groups)
	}
	return n
}

func (o *oracle) mark(what string) { o.marks = append(o.marks, mark{at: time.Now(), what: what}) }

// outage marks that a daemon may not know what Slack has said since began.
func (o *oracle) outage(began time.Time, what string) {
	o.marks = append(o.marks, mark{began, what, time.Now()})
}

// start starts a daemon and looks at its ledger at once.
func (o *oracle) start(d *process) {
	o.t.Helper()
	d.start()
	d.readNotifications()
	o.mark("ready")
	low := o.accepted.Load()
	l := d.ledger()
	if err := o.balanced(l, low); err != nil {
		o.t.Errorf("right after a restart: %v", err)
	}
}

// chaos switches faults and kills the daemon until the kills are used up.
func (o *oracle) chaos(ctx context.Context) {
	o.t.Helper()
	began := time.Now()
	for kill := range o.plan.kills {
		phases := 1 + o.random.IntN(3)
		for range phases {
			o.misbehave()
			pause(ctx, o.wait(o.plan.cycle/time.Duration(phases)))
		}
		o.kill(killMark)
		if o.random.IntN(4) == 0 { // once more, before it is ready
			o.daemon.launch()
			pause(ctx, o.wait(100*time.Millisecond))
			o.kill(killMark + " during the start")
		}
		if o.random.IntN(4) == 0 {
			o.turnClock()
		}
		pause(ctx, o.wait(100*time.Millisecond))
		o.start(o.daemon)
		o.progress(kill+1, time.Since(began))
		if o.t.Failed() {
			return
		}
	}
}

// kill marks the time when the daemon has gone: until then it may call Slack.
func (o *oracle) kill(mark string) {
	began := time.Now()
	o.daemon.kill()
	o.outage(began, mark)
}

// wait is a random time of about d.
func (o *oracle) wait(d time.Duration) time.Duration {
	return time.Duration(o.random.Int64N(int64(2 * d)))
}

func (o *oracle) progress(kills int, took time.Duration) {
	if o.plan.long {
		l := o.daemon.ledger().Total
		u, _ := usageNow(o.t.Context(), o.daemon.client())
		o.t.Logf("%6.1fs kill %d of %d, %d steps, accepted %d pending %d, %d calls, %s", took.Seconds(), kills, o.plan.kills,
			o.steps.Load(), l.Accepted, l.Pending, len(o.slack.Calls()), u)
	}
}

// settle waits until everything is shown as it should be, or says what is not,
// and looks once more when the daemon has ended.
func (o *oracle) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, o.plan.patience)
	defer cancel()
	var l alert.Ledger
	for {
		idle := o.idle()
		if l = o.daemon.ledger(); l.Total.Pending == 0 && (len(o.findings()) == 0 || idle) {
			break
		}
		if !pause(ctx, 500*time.Millisecond) {
			o.t.Errorf("still pending: %+v, such as %s", l.Total, asJSON(o.waiting()))
			o.tell(o.findings())
			return
		}
	}
	o.redeem()
	x := o.collect()
	groups, found := o.countGroups(x)
	o.tell(found)
	o.compareLedger(x, l, groups)
	o.compareRecords(x)
	for _, d := range o.all {
		if err := d.terminate(); err != nil {
			o.t.Errorf("it ended with %v", err)
		}
	}
	o.tell(o.findings())
}

// idle reports whether no delivery waits, so that what is shown stays as it is.
func (o *oracle) idle() bool {
	o.t.Helper()
	return len(o.waiting()) == 0
}

// waiting are some of the deliveries that wait.
func (o *oracle) waiting() []alert.Delivery {
	o.t.Helper()
	var waiting struct{ Deliveries []alert.Delivery }
	if err := o.daemon.ask("/v1/deliveries?state=pending,sending&limit=100", &waiting); err != nil {
		o.t.Fatal(err)
	}
	return waiting.Deliveries
}

func (o *oracle) findings() []string {
	x := o.collect()
	return append(x.findings(o.pushers), x.grouped(o.groupers)...)
}

// mostTold keeps a failure readable.
const mostTold = 8

func (o *oracle) tell(found []string) {
	for _, f := range found[:min(len(found), mostTold)] {
		o.t.Error(f)
	}
	if more := len(found) - mostTold; more > 0 {
		o.t.Errorf("and %d more findings", more)
	}
}

func TestTheOraclesOwnTextSurvivesEscaping(t *testing.T) {
	a := &sent{tag: "a0000001", key: "k", words: 12}
	if n := strings.Count(a.text(), a.tag); n != 12 {
		t.Errorf("the text has %d of 12 words", n)
	}
}
