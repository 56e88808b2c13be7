package main

import (
	"database/sql" //nolint:depguard // it asks PostgreSQL itself, and gives each test a schema of its own
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

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
func replicas(t testing.TB, s *playground.Server, n int) (all []*process) {
	t.Helper()
	store := sharedStore(t)
	for range n {
		p := prepare(t, s, map[string]string{"TOCSIN_STORE": store})
		p.start()
		all = append(all, p)
	}
	return all
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
	if !ok || refusal.status != http.StatusServiceUnavailable || refusal.retryAfter == 0 || !strings.Contains(refusal.What, "send it to the active one, on ") {
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
	other := prepare(t, s, map[string]string{"TOCSIN_STORE": all[0].env["TOCSIN_STORE"], "SLACK_CHANNEL_ID": "#ops"})
	other.start()
	for _, p := range append(all, other) {
		p.eventually("a warning", func() bool {
			h, err := p.health()
			return err == nil && h.Ready && len(h.Notes) == 1 && h.Notes[0].Code == alert.ProblemReplicas
		})
		if said, err := p.tocsin("cluster"); err != nil || !strings.Contains(said, "has another configuration than this one; the configuration of the active one counts") {
			t.Errorf("tocsin cluster says %v:\n%s", err, said)
		}
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

func TestAStandbyTakesOverAndNothingIsLostOrShownTwice(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *process){
		"SIGTERM": func(p *process) {
			if err := p.terminate(); err != nil {
				p.t.Errorf("it ended with %v", err)
			}
		},
		"kill -9": (*process).kill,
		"SIGSTOP": func(p *process) {
			if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				p.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slack(t, playground.Options{Limits: playground.Limits{PostsPerMinute: 1 << 20, Tier3: 1 << 20}})
			channels := addChannels(s, 20)
			all := replicas(t, s, 3)
			var accepted []alert.Accepted
			var times []time.Duration
			sent := 0
			send := func(p *process) {
				for _, ch := range channels {
					title := "number " + alert.NewID()
					accepted = append(accepted, p.mustPush(inChannel(firing(title, title), ch))...)
					sent++
				}
			}
			for range 2 {
				before := active(t, all)
				send(before)
				began := time.Now()
				end(before)
				gone := time.Now()
				all = allBut(all, before)
				now := active(t, all)
				times = append(times, time.Since(gone))
				t.Logf("ending took %s, the takeover %s from then", gone.Sub(began), times[len(times)-1])
				send(now)
				if before.cmd != nil { // it is only stopped
					if err := before.cmd.Process.Signal(syscall.SIGCONT); err != nil {
						t.Fatal(err)
					}
					before.eventually("a standby again", func() bool {
						h, err := before.health()
						return err == nil && h.Standby
					})
				} else {
					before.start()
				}
				all = append(all, before)
			}
			p := active(t, all)
			p.settle(accepted...)
			shown := map[string]int{}
			for _, ch := range channels {
				top, _ := cards(s.Messages(ch))
				for _, m := range top {
					shown[m.Text]++
				}
			}
			count := 0
			for text, n := range shown {
				count += n
				if n > 1 {
					t.Errorf("%q is shown %d times", text, n)
				}
			}
			if count != sent {
				t.Errorf("%d cards are shown for %d alerts", count, sent)
			}
			if l := p.ledger(); l.Total.Accepted != int64(sent) || l.Total.Pending != 0 {
				t.Errorf("of %d alerts, the ledger is %+v", sent, l.Total)
			}
		})
	}
}
