package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// soakLane is where the service's people write, and soakLanes is how many other
// conversations its alerts go to.
const (
	soakLane  = "#ops"
	soakLanes = 6
)

// service is a daemon in everyday use: tools push, people ask and press buttons, and what
// happens to a service in months happens to it within minutes.
type service struct {
	t       *testing.T
	slack   *playground.Server
	daemon  *process
	listens map[string]place // by network
	began   time.Time
	judged  bool // a run that is long enough to say what it is like
	keys    int  // of each tool; Slack lets through 50 edits of cards a minute

	// sure counts the alerts that were answered as accepted, tried those that may have been.
	// They differ by what Alertmanager's API takes, whose answer doesn't say what it has done.
	sure, tried atomic.Int64
	// unrest is odd while Slack may not reach the daemon: its connections are cut, or it restarts.
	unrest                             atomic.Int64
	requests, asked, pressed, excused  atomic.Int64
	slowest                            atomic.Int64 // ack, in nanoseconds
	cuts, reloads, restarts, throttles int
	flips                              int // of the configuration
	samples                            []usage
}

// TestASoakedServiceStaysFlatAnswersEverybodyAndItsLedgerBalances is a short form, which does
// everything once, unless TOCSIN_SOAK has a duration. Restarts happen in the first third of
// it and at the end; what the daemon uses is measured between them, in one process.
func TestASoakedServiceStaysFlatAnswersEverybodyAndItsLedgerBalances(t *testing.T) {
	t.Parallel()
	long := 10 * time.Second
	if s := os.Getenv(soakFor); s != "" {
		var err error
		if long, err = time.ParseDuration(s); err != nil || long < 10*time.Second {
			t.Fatalf("%s is %q: write a duration of 10s or more", soakFor, s)
		}
	}
	s := newService(t)
	if s.judged = long >= 4*time.Minute; s.judged {
		s.keys = 8
	}
	ctx, stop := context.WithCancel(t.Context())
	var work, watch sync.WaitGroup
	s.load(ctx, &work)
	watch.Go(func() { s.watch(ctx) })
	s.live(ctx, long/3, s.cut, s.hangUp, s.throttle, s.restart, s.relieve, s.reloadByCommand)
	before := len(s.samples)
	s.sampled(ctx, func(ctx context.Context) {
		s.live(ctx, long-long/3, s.cut, s.hangUp, s.throttle, s.relieve, s.reloadByCommand)
	})
	s.restart()
	stop()
	work.Wait()
	watch.Wait()
	s.flat(s.samples[before:])
	s.settle()
	s.tell()
}

func newService(t *testing.T) *service {
	// Slack waits three seconds for an ack, which a busy machine may need.
	sl := slack(t, playground.Options{GhostFor: 2 * time.Second, AckTimeout: 15 * time.Second})
	addChannels(sl, soakLanes)
	p := prepare(t, sl, map[string]string{"LISTEN_FDNAMES": "tcp:unix"})
	address := p.bind("tcp", "127.0.0.1:0").String()
	p.bind("unix", p.env["TOCSIN_SOCKET"])
	s := &service{t: t, slack: sl, daemon: p, listens: map[string]place{"tcp": {"tcp", address}, "unix": {"unix", p.env["TOCSIN_SOCKET"]}}, began: time.Now(), keys: 2}
	s.flip()
	p.start()
	s.reached()
	if err := sl.Recycle(10*time.Second, playground.ReasonRefreshRequested); err != nil {
		t.Fatal(err)
	}
	return s
}

// flip writes the configuration with another conversation for one route.
func (s *service) flip() {
	s.flips++
	s.daemon.configure(fmt.Sprintf(`default_channel: "#alerts"
routes:
  - {name: web, match: team="web", to: "#lane-0", group_by: [cluster], group_wait: 1s}
  - {name: db, match: team="db", to: "#lane-%d"}
`, 1+s.flips%2))
}

// live does one deed after the other for a while, and each at least once.
func (s *service) live(ctx context.Context, d time.Duration, deeds ...func()) {
	end := time.Now().Add(d)
	for n := 0; (n < len(deeds) || time.Now().Before(end)) && !s.t.Failed(); n++ {
		pause(ctx, min(5*time.Second, d/time.Duration(len(deeds)+1)))
		deeds[n%len(deeds)]()
	}
}

// unsettled does what keeps Slack from reaching the daemon, and waits until it can again.
func (s *service) unsettled(deed func()) {
	s.t.Helper()
	s.unrest.Add(1)
	deed()
	s.reached()
	s.unrest.Add(1)
}

// reached waits until the daemon has its two connections, and Slack believes in no other.
func (s *service) reached() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		live, ghosts := 0, 0
		for _, k := range s.slack.Sockets() {
			switch k.State {
			case "live":
				live++
			case "ghost":
				ghosts++
			}
		}
		if live >= 2 && ghosts == 0 {
			return
		}
		if !pause(ctx, 50*time.Millisecond) {
			s.t.Fatalf("Slack has the connections %+v", s.slack.Sockets())
		}
	}
}

func (s *service) cut() {
	s.cuts++
	s.unsettled(func() {
		for _, k := range s.slack.Sockets() {
			_ = s.slack.Cut(k.ID) // it may have gone by itself meanwhile
		}
	})
}

func (s *service) restart() {
	s.t.Helper()
	s.restarts++
	s.unsettled(func() {
		s.end()
		s.daemon.start()
	})
}

// end ends the daemon, which stops within ten seconds where the machine has time for it.
func (s *service) end() {
	s.t.Helper()
	err := s.daemon.terminate()
	switch {
	case err != nil && s.judged:
		s.t.Errorf("it ended with %v", err)
	case err != nil:
		s.t.Logf("it ended with %v", err)
	}
}

func (s *service) hangUp() {
	s.t.Helper()
	s.reloads++
	s.flip()
	s.daemon.hangUp()
}

func (s *service) reloadByCommand() {
	s.t.Helper()
	s.reloads++
	s.flip()
	if out, status := s.daemon.tryCommand("config", "reload"); status != exitOK || !strings.Contains(out, "db is changed") {
		s.t.Errorf("a reload ends with %d and says %s", status, out)
	}
}

// throttle has Slack answer many calls with 429 until relieve.
func (s *service) throttle() {
	s.t.Helper()
	s.throttles++
	for _, method := range []string{"chat.postMessage", "chat.update", "response_url"} {
		fault(s.t, s.slack, playground.Fault{Kind: playground.FaultThrottle, Method: method, RetryAfter: 2, Percent: 40})
	}
}

func (s *service) relieve() { s.slack.ClearFaults() }

// watch looks at the ledger all the time.
func (s *service) watch(ctx context.Context) {
	c := s.client("unix")
	for pause(ctx, time.Second) {
		var l alert.Ledger
		low := s.sure.Load()
		if err := c.call(ctx, http.MethodGet, "/v1/ledger", nil, &l); err != nil {
			if ctx.Err() == nil {
				s.t.Errorf("the ledger: %v", err)
			}
			return
		}
		s.balanced(l.Total, low)
	}
}

func (s *service) balanced(l alert.Counts, low int64) {
	s.t.Helper()
	high := s.tried.Load()
	if l.Accepted != l.Pending+l.Delivered+l.Folded+l.Silenced+l.Dead || l.Accepted < low || l.Accepted > high || l.Dead > 0 {
		s.t.Errorf("the ledger is %+v; between %d and %d alerts were accepted", l, low, high)
	}
}

// sampled measures what the daemon uses every few seconds while work goes on, each time after
// a garbage collection.
func (s *service) sampled(ctx context.Context, work func(ctx context.Context)) {
	ctx, stop := context.WithCancel(ctx)
	var sampling sync.WaitGroup
	sampling.Go(func() {
		c := s.client("unix")
		for pause(ctx, 3*time.Second) {
			collectGarbage(ctx, c)
			if u, ok := usageNow(ctx, c); ok {
				s.samples = append(s.samples, u)
			}
		}
	})
	work(ctx)
	stop()
	sampling.Wait()
}

func collectGarbage(ctx context.Context, c *client) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/debug/pprof/heap?gc=1", nil)
	if err != nil {
		return
	}
	if resp, err := c.http.Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body) // the profile itself is not of interest
		_ = resp.Body.Close()
	}
}

// flat compares the last quarter of the samples with the second one. A rise of less than what
// is allowed here is that of caches and of what happens to be under way.
func (s *service) flat(all []usage) {
	s.t.Helper()
	for part := range slices.Chunk(all, len(all)/8+1) {
		s.t.Logf("it used %s", middle(part))
	}
	if len(all) < 4 {
		return
	}
	early, late := middle(all[len(all)/4:len(all)/2]), middle(all[3*len(all)/4:])
	s.t.Logf("| resident memory, Go's heap | %.0f and then %.0f MB, %.0f and then %.0f MB |", early.memory, late.memory, early.heap, late.heap)
	s.t.Logf("| goroutines, descriptors | %.0f and then %.0f, %.0f and then %.0f |", early.goroutines, late.goroutines, early.descriptors, late.descriptors)
	if s.judged && (late.memory > 1.2*early.memory+8 || late.heap > 1.2*early.heap+4 || late.goroutines > early.goroutines+20 || late.descriptors > early.descriptors+10) {
		s.t.Errorf("GROWN: it used %s and then %s", early, late)
	}
}

// settle waits until nothing is pending, and compares the ledger with what was accepted.
func (s *service) settle() {
	s.t.Helper()
	s.relieve()
	if err := s.slack.Recycle(0, ""); err != nil {
		s.t.Error(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Minute)
	defer cancel()
	for l := s.daemon.ledger().Total; l.Pending > 0; l = s.daemon.ledger().Total {
		if !pause(ctx, 200*time.Millisecond) {
			s.t.Fatalf("the ledger is still %+v", l)
		}
	}
	s.balanced(s.daemon.ledger().Total, s.sure.Load())
	s.end()
	if strings.Contains(s.daemon.log.String(), "panic") {
		s.t.Error("something panicked")
	}
}

// tell prints the rows of docs/measured.md.
func (s *service) tell() {
	s.t.Logf("| %s: requests, alerts accepted | %d, none refused; %d to %d, none dead |", time.Since(s.began).Round(time.Second), s.requests.Load(), s.sure.Load(), s.tried.Load())
	s.t.Logf("| commands and clicks that were answered | all %d and %d, acked within %s; %d more met a cut or a restart |",
		s.asked.Load(), s.pressed.Load(), time.Duration(s.slowest.Load()).Round(time.Millisecond), s.excused.Load())
	s.t.Logf("| cuts, refreshes, times of 429, reloads, restarts | %d, %d, %d, %d, %d |",
		s.cuts, s.refreshes(), s.throttles, s.reloads, s.restarts)
}

func (s *service) refreshes() (n int) {
	for _, e := range s.slack.Journal() {
		if e.Kind == playground.KindDisconnect {
			n++
		}
	}
	return n
}

// client is a tool's way to the daemon.
func (s *service) client(network string) *client {
	return withoutKeepAlive(clientAt(s.listens[network]))
}
