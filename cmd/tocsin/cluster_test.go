package main

import (
	"context"
	"database/sql" //nolint:depguard // it asks PostgreSQL itself, and gives each test a schema of its own
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" //nolint:depguard // as above

	"tocsin/alert"
	"tocsin/playground"
)

// sharedStore makes an empty PostgreSQL store that goes with the test, and returns its URL.
func sharedStore(t testing.TB) string {
	t.Helper()
	server := os.Getenv("TOCSIN_TEST_POSTGRES")
	if server == "" {
		if os.Getenv("TOCSIN_CI_STRICT") != "" {
			t.Fatal("TOCSIN_TEST_POSTGRES is not set, and this run is to skip nothing")
		}
		t.Skip("needs PostgreSQL: set TOCSIN_TEST_POSTGRES to a postgres:// URL")
	}
	db, err := sql.Open("pgx", server)
	if err != nil {
		t.Fatal(err)
	}
	schema := "tocsin_" + strings.ReplaceAll(alert.NewID(), "-", "")
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
			t.Error(err)
		}
		_ = db.Close()
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// replicas starts daemons that share a store, the first of which is active.
func replicas(t testing.TB, s *playground.Server, n int) []*process {
	t.Helper()
	return replicasAt(t, s, sharedStore(t), n)
}

// replicasAt is replicas over the store of this URL.
func replicasAt(t testing.TB, s *playground.Server, store string, n int) (all []*process) {
	t.Helper()
	for range n {
		p := prepare(t, s, map[string]string{"TOCSIN_STORE": store, "TOCSIN_CONFIG": digestAboveAll(t)})
		p.start()
		all = append(all, p)
	}
	return all
}

// digestAboveAll is a configuration without digests.
func digestAboveAll(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(path, []byte("delivery:\n  digest_above: 1000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// health is what /readyz says.
func (p *process) health() (h readyBody, err error) {
	err = p.ask("/readyz", &h)
	return h, err
}

// active waits until one of the replicas is active, and returns it.
func active(t testing.TB, all []*process) *process {
	t.Helper()
	var found *process
	all[0].eventually("one active replica", func() bool {
		for _, p := range all {
			if h, err := p.health(); err == nil && h.Ready && !h.Standby {
				found = p
			}
		}
		return found != nil
	})
	return found
}

// allBut are the replicas without one.
func allBut(all []*process, not *process) []*process {
	return slices.DeleteFunc(slices.Clone(all), func(p *process) bool { return p == not })
}

func TestASecondDaemonIsAStandbyThatIsReadyAndPassesOnWhatItAccepts(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 2)
	first, second := all[0], all[1]
	first.settle(first.mustPush(firing("a", "taken by the active one"))...)
	h, err := second.health()
	if err != nil || !h.Ready || !h.Standby {
		t.Errorf("the standby says %+v, %v", h, err)
	}
	again := second.mustPush(firing("a", "passed on by the standby"), firing("b", "passed on by the standby"))
	if again[0].Effect != alert.EffectFolded || again[1].Effect != alert.EffectOpened {
		t.Errorf("the standby's receipts are %+v", again)
	}
	second.settle(again...) // which it reads
	if top, _ := cards(s.Messages("#alerts")); len(top) != 2 {
		t.Errorf("%d cards are shown for 2 incidents", len(top))
	}
	var acked actAnswer
	if err := second.client().call(t.Context(), http.MethodPost, "/v1/incidents/"+again[1].Incident+"/ack", map[string]string{"by": "ann"}, &acked); err != nil || acked.Effect != alert.ActDone || acked.Incident.AckedBy.Name != "ann" {
		t.Errorf("an acknowledgement at the standby got %+v, %v", acked, err)
	}
	err = second.client().call(t.Context(), http.MethodPost, "/v1/deliveries/retry?all=true", nil, nil)
	refusal, ok := errors.AsType[*answerError](err)
	if !ok || refusal.status != http.StatusServiceUnavailable || !strings.HasPrefix(refusal.Hint, "send it to the active replica, on ") {
		t.Errorf("a retry of dead letters at the standby got %v", err)
	}
	if metrics := second.metrics(); !strings.Contains(metrics, "tocsin_active 0") || !strings.Contains(first.metrics(), "tocsin_active 1") {
		t.Errorf("the metrics of the standby are\n%s", metrics)
	}
	for _, p := range all {
		p.eventually("both replicas in the list", func() bool {
			h, err := p.health()
			states := []alert.ReplicaState{}
			for _, r := range h.Replicas {
				states = append(states, r.State)
			}
			slices.Sort(states)
			return err == nil && slices.Equal(states, []alert.ReplicaState{alert.ReplicaActive, alert.ReplicaStandby})
		})
	}
	for _, p := range all {
		said, err := p.tocsin("cluster")
		if err != nil || strings.Count(said, "(this one)") != 1 || !strings.Contains(said, " active ") || !strings.Contains(said, " standby ") {
			t.Errorf("tocsin cluster says %v:\n%s", err, said)
		}
	}
	if err := second.terminate(); err != nil {
		t.Errorf("the standby ended with %v", err)
	}
	first.eventually("only itself in the list", func() bool {
		h, err := first.health()
		return err == nil && len(h.Replicas) == 1
	})
}

func TestReplicasWithDifferentConfigurationsWarn(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 1)
	other := prepare(t, s, map[string]string{"TOCSIN_STORE": all[0].env["TOCSIN_STORE"], "SLACK_CHANNEL_ID": "#ops", "TOCSIN_CONFIG": all[0].env["TOCSIN_CONFIG"]})
	other.start()
	for _, p := range append(all, other) {
		p.eventually("a warning", func() bool {
			h, err := p.health()
			return err == nil && h.Ready && len(h.Notes) == 1 && h.Notes[0].Code == alert.ProblemReplicas
		})
		if said, err := p.tocsin("cluster"); err != nil || !strings.Contains(said, "has another configuration than this one; the configuration of the active one counts") {
			t.Errorf("tocsin cluster says %v:\n%s", err, said)
		}
		if metrics := p.metrics(); !strings.Contains(metrics, `tocsin_note{problem="replicas"} 1`) {
			t.Errorf("the metrics are\n%s", metrics)
		}
		p.eventually("a line in the log", func() bool { return strings.Contains(p.log.String(), `has another configuration than this one`) })
	}
}

func TestWhileTheStoreIsAwayNobodySaysWhichReplicaIsActive(t *testing.T) {
	t.Parallel()
	server := soloDatabase(t)
	all := replicasAt(t, slack(t, playground.Options{}), server.local(), 2)
	for _, p := range all {
		p.eventually("both in the list", func() bool { return len(p.readyz().Replicas) == 2 })
	}
	server.end(syscall.SIGINT)
	for n, p := range all {
		p.eventually("an old list", func() bool { return !p.readyz().ReplicasAsOf.IsZero() })
		if metrics := p.metrics(); strings.Contains(metrics, "tocsin_replicas{") || !strings.Contains(metrics, "tocsin_active 0") {
			t.Errorf("the metrics of replica %d are\n%s", n, metrics)
		}
		said, err := p.tocsin("cluster")
		if err == nil || !strings.HasPrefix(said, "as of ") || !strings.Contains(said, "the store can't be reached") {
			t.Errorf("tocsin cluster at replica %d says %v:\n%s", n, err, said)
		}
		if said, _ := p.tocsin("cluster", "--json"); !strings.Contains(said, `"as_of"`) {
			t.Errorf("as JSON replica %d says %s", n, said)
		}
	}
	server.start()
	for _, p := range all {
		p.eventually("the list as it is", func() bool { return p.readyz().ReplicasAsOf.IsZero() })
	}
}

func TestAStandbyReadsItsConfigurationAgain(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 1)
	other := prepare(t, s, map[string]string{"TOCSIN_STORE": all[0].env["TOCSIN_STORE"], "TOCSIN_CONFIG": digestAboveAll(t)})
	other.start()
	all = append(all, other)
	write := func(text string) {
		if err := os.WriteFile(other.env["TOCSIN_CONFIG"], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = "delivery:\n  digest_above: 1000\n", "delivery:\n  digest_above: 1000\n  max_pending: 10\n"
	warned := func(want bool) {
		for _, p := range all {
			p.eventually("what the configurations are", func() bool {
				h, err := p.health()
				different := slices.ContainsFunc(h.Notes, func(n alert.Problem) bool { return n.Code == alert.ProblemReplicas })
				return err == nil && h.Ready && len(h.Replicas) == 2 && different == want
			})
		}
	}
	warned(false)
	write(second)
	if said, err := other.tocsin("config", "reload"); err != nil || !strings.Contains(said, "max_pending") {
		t.Errorf("tocsin config reload says %v, %s", err, said)
	}
	warned(true)
	write("nonsense: 1\n")
	if said, err := other.tocsin("config", "reload"); err == nil || !strings.Contains(said, "nonsense") {
		t.Errorf("with a mistake tocsin config reload says %v, %s", err, said)
	}
	write(first)
	if err := other.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	warned(false)
	write(second)
	if _, err := other.tocsin("config", "reload"); err != nil {
		t.Error(err)
	}
	all[0].kill()
	active(t, all[1:])
	if said, err := other.tocsin("config", "reload"); err != nil || !strings.Contains(said, "nothing has changed") {
		t.Errorf("after the takeover tocsin config reload says %v, %s", err, said)
	}
}

// Whoever connects while a replica becomes active, or a standby, waits and is not refused.
func TestNobodyIsRefusedWhileAReplicaBecomesActiveOrAStandby(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	all := replicas(t, s, 1)
	address := freeAddress(t.Context(), "127.0.0.1:0")
	other := prepare(t, s, map[string]string{"TOCSIN_STORE": all[0].env["TOCSIN_STORE"], "TOCSIN_CONFIG": digestAboveAll(t), "TOCSIN_LISTEN": address})
	other.start()
	stop := make(chan struct{})
	var callers sync.WaitGroup
	defer callers.Wait()
	defer close(stop)
	for network, at := range map[string]string{"unix": other.env["TOCSIN_SOCKET"], "tcp": address} {
		callers.Go(func() {
			for tried := 0; ; tried++ {
				conn, err := net.Dial(network, at)
				if err != nil {
					t.Errorf("after %d connections one to %s got %v", tried, network, err)
					return
				}
				_ = conn.Close()
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond): // or those that wait would be too many
				}
			}
		})
	}
	all[0].kill()
	active(t, []*process{other})
	other.settle(other.mustPush(firing("a", "after the takeover"))...)
	other.supersede()
	other.eventually("it is superseded", func() bool { return strings.Contains(other.log.String(), "another replica has become active") })
	active(t, []*process{other})
	other.settle(other.mustPush(firing("b", "after the second takeover"))...)
}

// supersede does to the active replica what another one does that is active for a moment.
func (p *process) supersede() {
	p.t.Helper()
	db, err := sql.Open("pgx", p.env["TOCSIN_STORE"])
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(p.t.Context(), `WITH next AS (UPDATE leader SET term = term + 1, replica = 'another' RETURNING 1)
		SELECT pg_terminate_backend(pid::int) FROM leader, next`); err != nil {
		p.t.Fatal(err)
	}
}

func TestAReplicaThatIsStoppedWhileItBecomesAStandbyEndsWithoutAnError(t *testing.T) {
	t.Parallel()
	p := replicas(t, slack(t, playground.Options{}), 1)[0]
	p.supersede()
	p.eventually("it becomes a standby", func() bool { return strings.Contains(p.log.String(), `"msg":"stopping"`) })
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestAReplicaOfAnotherWorkspaceIsRefused(t *testing.T) {
	t.Parallel()
	all := replicas(t, slack(t, playground.Options{}), 1)
	all[0].eventually("the workspace in its row", func() bool {
		h, err := all[0].health()
		return err == nil && len(h.Replicas) == 1 && h.Replicas[0].Workspace != ""
	})
	other := prepare(t, slack(t, playground.Options{TeamID: "T0OTHER"}), map[string]string{"TOCSIN_STORE": all[0].env["TOCSIN_STORE"]})
	other.launch()
	if err := <-other.exited; err == nil {
		t.Error("it ended without an error")
	}
	other.cmd = nil
	if said := other.log.String(); !strings.Contains(said, "a replica of another workspace uses the same database") || !strings.Contains(said, "TOCSIN_STORE") {
		t.Errorf("it says\n%s", said)
	}
	all[0].settle(all[0].mustPush(firing("a", "the first one goes on"))...)
}

// takeoverLimit is within which a replica is active after the one before is gone.
const takeoverLimit = 10 * time.Second

// The senders go on all the time, and send what was not accepted again, to any replica.
func TestAStandbyTakesOverAndNothingIsLostOrShownTwice(t *testing.T) {
	t.Parallel()
	signal := func(p *process, s syscall.Signal) {
		if err := p.cmd.Process.Signal(s); err != nil {
			p.t.Fatal(err)
		}
	}
	for name, way := range map[string]struct{ end, back func(p *process) }{
		"SIGTERM": {func(p *process) {
			if err := p.terminate(); err != nil {
				p.t.Errorf("it ended with %v", err)
			}
		}, (*process).start},
		"kill -9": {(*process).kill, (*process).start},
		"SIGSTOP": {func(p *process) { signal(p, syscall.SIGSTOP) }, func(p *process) {
			signal(p, syscall.SIGCONT)
			p.eventually("a standby", func() bool {
				h, err := p.health()
				return err == nil && h.Standby
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startCluster(t)
			var times []time.Duration
			for range 3 {
				before, took := c.replace(way.end)
				times = append(times, took)
				way.back(before)
			}
			c.mustHaveShownAll()
			slices.Sort(times)
			t.Logf("%d alerts; the takeover took %s in the median and %s at most", len(c.accepted), times[1], times[2])
		})
	}
}

// clusterUnderLoad is three replicas to which alerts are sent all the time.
type clusterUnderLoad struct {
	t        testing.TB
	slack    *playground.Server
	channels []string
	all      []*process
	stop     chan struct{}
	senders  sync.WaitGroup
	mu       sync.Mutex
	accepted []map[string]any
}

func startCluster(t testing.TB) *clusterUnderLoad {
	t.Helper()
	s := slack(t, playground.Options{Limits: playground.Limits{PostsPerMinute: 1 << 20, Tier3: 1 << 20}})
	c := &clusterUnderLoad{t: t, slack: s, channels: addChannels(s, 40), all: replicas(t, s, 3), stop: make(chan struct{})}
	for n := range 4 {
		c.senders.Go(func() { c.send(n) })
	}
	return c
}

// send sends one alert after the other, each until it is accepted.
func (c *clusterUnderLoad) send(sender int) {
	for n := 0; ; n++ {
		title := fmt.Sprintf("alert %d of sender %d.", n, sender)
		a := inChannel(firing(title, title), c.channels[(n*4+sender)%len(c.channels)])
		a["idempotency_key"] = title
		for try := sender; ; try++ {
			// One that is stopped does not answer, and may accept it when it goes on.
			ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
			_, err := push(ctx, c.all[try%len(c.all)].client(), []map[string]any{a})
			cancel()
			if err == nil {
				c.mu.Lock()
				c.accepted = append(c.accepted, a)
				c.mu.Unlock()
				break
			}
			if !pause(c.t.Context(), 20*time.Millisecond) {
				return
			}
		}
		select {
		case <-c.stop:
			return
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// replace ends the active replica while alerts are on their way, and returns it with the
// time until another one was active.
func (c *clusterUnderLoad) replace(end func(p *process)) (before *process, took time.Duration) {
	c.t.Helper()
	before = active(c.t, c.all)
	calls := len(c.slack.Calls())
	before.eventually("alerts on their way", func() bool { return len(c.slack.Calls()) > calls+100 })
	began := time.Now()
	end(before)
	active(c.t, allBut(c.all, before))
	if took = time.Since(began); took > takeoverLimit {
		c.t.Errorf("for %s no replica was active", took)
	}
	return before, took
}

// mustHaveShownAll ends the senders, and checks that what was accepted is shown once.
func (c *clusterUnderLoad) mustHaveShownAll() {
	c.t.Helper()
	close(c.stop)
	c.senders.Wait()
	p := active(c.t, c.all)
	p.eventually("everything that was accepted in the ledger", func() bool { return p.ledger().Total.Accepted == int64(len(c.accepted)) })
	for some := range slices.Chunk(c.accepted, 500) { // what is sent again counts once, and its receipts say which it is
		p.settle(p.mustPush(some...)...)
	}
	shown := map[string]int{}
	for _, channel := range c.channels {
		top, _ := cards(c.slack.Messages(channel))
		for _, m := range top {
			for title := range titlesIn(m.Text) {
				shown[title]++
			}
		}
	}
	for title, n := range shown {
		if n != 1 {
			c.t.Errorf("%q is shown %d times", title, n)
		}
	}
	if l := p.ledger().Total; len(shown) != len(c.accepted) || l.Accepted != int64(len(shown)) || l.Pending != 0 {
		c.t.Errorf("%d alerts were accepted, %d are shown, and the ledger is %+v", len(c.accepted), len(shown), l)
	}
}
