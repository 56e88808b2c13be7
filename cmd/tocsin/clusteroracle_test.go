package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"tocsin/alert"
)

// TestClusterOracleLosesNothingKeepsOrderAndShowsNothingTwice does to three replicas what the
// crash oracle does to one daemon, and to what they share: they are killed, stopped and
// terminated, cut off from PostgreSQL, and that is restarted, stopped and failed over, while
// every replica is sent alerts and people type and click.
//
// The seed decides what is pushed, and the order of faults and whom they meet.
func TestClusterOracleLosesNothingKeepsOrderAndShowsNothingTwice(t *testing.T) {
	t.Parallel()
	c := &clusterOracle{primary: newDatabase(t, 3), did: map[string]int{}}
	c.follower = c.primary.followed()
	var each []map[string]string
	for _, cable := range c.primary.cables {
		each = append(each, map[string]string{"TOCSIN_STORE": cable.url(c.primary.port, c.follower.port)})
	}
	c.oracle = newOracle(t, planFromEnvironment(t, shortClusterPlan, longClusterPlan), each...)
	t.Logf("seed %d: %d pushers with %d steps into %d conversations; repeat it with %s=%d",
		c.plan.seed, c.plan.pushers, c.plan.steps, c.plan.pushers*c.plan.lanes, soakSeed, c.plan.seed)
	began := time.Now()
	c.run(func(ctx context.Context) {
		finish := c.peopleAtWork(ctx)
		c.chaos(ctx)
		t.Logf("after %s there are no more faults", time.Since(began).Round(time.Second))
		c.slack.ClearFaults()
		finish()
		t.Logf("after %s people have their answers", time.Since(began).Round(time.Second))
	})
	c.peopleAreContent()
	t.Logf("%d of the alerts were queued; %d commands and clicks were answered, %d incidents acknowledged, %d incidents escalated; in %s the faults were %v",
		c.queued.Load(), len(c.typist.acked), len(c.clicker.order), len(c.watcher.order), time.Since(began).Round(time.Second), c.did)
}

func shortClusterPlan() plan {
	return plan{
		cycle: time.Second, patience: 3 * patience, pushers: 5, lanes: 8, hot: 1, groupers: 1, steps: 36, every: 250 * time.Millisecond,
		longPause: 2 * time.Second, stable: 5 * time.Second, routes: peopleRoutes,
	}
}

func longClusterPlan(d time.Duration) plan {
	return plan{
		long: true, cycle: 2 * time.Second, patience: 30 * time.Minute, pushers: 20, lanes: 10, hot: 1, groupers: 2, steps: int(d / (400 * time.Millisecond)), every: 200 * time.Millisecond,
		longPause: 30 * time.Second, lag: 8 * time.Second, stable: 30 * time.Second, routes: peopleRoutes,
	}
}

// clusterOracle is the oracle of replicas.
type clusterOracle struct {
	*oracle
	primary, follower *database
	did               map[string]int // how often each fault was done

	typist           *typist
	clicker, watcher *pusher
}

// clusterFault is something that a cluster has to survive. It returns once that is over.
type clusterFault struct {
	name string
	do   func(ctx context.Context, victim int)
}

func (c *clusterOracle) faults() []clusterFault {
	return []clusterFault{
		{"kill -9", c.kill},
		{"SIGTERM", c.terminate},
		{"SIGSTOP", c.stop},
		{"link cut", c.cutOff},
		{"PostgreSQL restarted", c.restartDatabase},
		{"PostgreSQL paused", c.pauseDatabase},
		{"PostgreSQL failed over", c.failOver},
	}
}

// chaos does one fault after the other, each at least once, as long as alerts are sent.
func (c *clusterOracle) chaos(ctx context.Context) {
	c.t.Helper()
	faults := c.faults()
	began := time.Now()
	for round := 0; round == 0 || c.working.Load() > 0; round++ {
		for _, n := range c.random.Perm(len(faults)) {
			if round > 0 && c.working.Load() == 0 {
				break
			}
			c.misbehave()
			pause(ctx, c.wait(c.plan.cycle))
			victim := c.victim()
			fault, start := faults[n], time.Now()
			c.mark(fmt.Sprintf("%s begins, victim %d", fault.name, victim))
			fault.do(ctx, victim)
			c.active(c.all)
			c.outage(start, fault.name+" is over")
			c.did[fault.name]++
			c.t.Logf("%6.1fs %s of %d took %s, %d steps, %d accepted, %d queued, %d calls", time.Since(began).Seconds(), fault.name, victim, time.Since(start).Round(time.Millisecond),
				c.steps.Load(), c.accepted.Load(), c.queued.Load(), len(c.slack.Calls()))
			if c.t.Failed() {
				return
			}
		}
	}
}

// victim is a replica, two times in three the active one.
func (c *clusterOracle) victim() int {
	if n := c.random.IntN(3 * len(c.all)); n < len(c.all) {
		return n
	}
	return slices.Index(c.all, c.active(c.all))
}

// active waits until one of these replicas is active and has the database, whatever Slack says.
func (c *clusterOracle) active(all []*process) *process {
	c.t.Helper()
	var found *process
	all[0].eventually("an active replica", func() bool {
		at := slices.IndexFunc(all, decides)
		if at >= 0 {
			found = all[at]
		}
		return found != nil
	})
	return found
}

func decides(p *process) bool {
	resp, err := p.client().http.Get(p.client().base + "/readyz")
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	var h readyBody
	err = json.NewDecoder(resp.Body).Decode(&h)
	return err == nil && !h.Standby && !slices.ContainsFunc(h.Problems, func(p alert.Problem) bool { return strings.HasPrefix(p.Code, alert.ProblemStore) })
}

// others are the replicas without one.
func (c *clusterOracle) others(victim int) []*process { return allBut(c.all, c.all[victim]) }

func (c *clusterOracle) kill(_ context.Context, victim int) {
	c.all[victim].kill()
	c.active(c.others(victim))
	c.start(c.all[victim])
}

func (c *clusterOracle) terminate(_ context.Context, victim int) {
	if err := c.all[victim].terminate(); err != nil {
		c.t.Errorf("it ended with %v", err)
	}
	c.active(c.others(victim))
	c.start(c.all[victim])
}

// stop stops a replica for longer than it takes another one to become active.
func (c *clusterOracle) stop(ctx context.Context, victim int) {
	c.signal(victim, syscall.SIGSTOP)
	c.active(c.others(victim))
	pause(ctx, c.wait(2*time.Second))
	c.signal(victim, syscall.SIGCONT)
}

func (c *clusterOracle) signal(victim int, s syscall.Signal) {
	if err := c.all[victim].cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

// cutOff cuts the network between a replica and PostgreSQL.
func (c *clusterOracle) cutOff(ctx context.Context, victim int) {
	c.primary.cables[victim].cut()
	c.active(c.others(victim))
	pause(ctx, c.wait(2*time.Second))
	c.primary.cables[victim].mend()
}

func (c *clusterOracle) restartDatabase(ctx context.Context, _ int) {
	how := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT}[c.random.IntN(2)] // in order, or as in a crash
	c.primary.end(how)
	pause(ctx, c.wait(2*time.Second))
	c.primary.start()
}

func (c *clusterOracle) pauseDatabase(ctx context.Context, _ int) {
	d := []*database{c.primary, c.follower}[c.random.IntN(2)] // without the follower nothing is confirmed
	d.signal(syscall.SIGSTOP)
	pause(ctx, time.Second+c.wait(4*time.Second))
	d.signal(syscall.SIGCONT)
}

func (c *clusterOracle) failOver(ctx context.Context, _ int) {
	c.primary.end(syscall.SIGQUIT)
	pause(ctx, c.wait(2*time.Second))
	c.follower.promote()
	c.primary = c.follower
	c.active(c.all)
	c.follower = c.primary.followed()
}
