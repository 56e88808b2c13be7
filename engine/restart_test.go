package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
	"tocsin/store"
	"tocsin/store/storetest"
)

// onDisk is the real store; what it has taken is in memory as well, for a test
// to look at.
type onDisk struct {
	*store.DB
	*memory
}

func (d onDisk) Load(ctx context.Context, q alert.Query) (alert.Snapshot, error) {
	return d.DB.Load(ctx, q)
}

func (d onDisk) Commit(ctx context.Context, c alert.Change) error {
	if err := d.DB.Commit(ctx, c); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write(c)
	return nil
}

func (d onDisk) Arrivals(ctx context.Context, most int) ([]alert.Arrival, error) {
	return d.DB.Arrivals(ctx, most)
}

// openStore opens a store that is closed at the end of the test.
func openStore(t *testing.T, path string) onDisk {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		storetest.Empty(t, path)
	}
	db, err := store.Open(context.Background(), "sqlite:"+path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return onDisk{db, newMemory()}
}

func run(s Store, routing alert.Routing) (e *Engine, stop func()) {
	return runWith(s, Options{Routing: routing})
}

// unanswered lists the replies and posts of escalation, each with when it began
// to be pending since a time.
func unanswered(deliveries []alert.Delivery, since time.Time) []string {
	var list []string
	for _, d := range deliveries {
		if d.CreatedAt.After(since) {
			list = append(list, d.CreatedAt.Sub(since).String()+" "+describe(d))
		}
	}
	return list
}

// Steps come at their time although the daemon was not there when they were
// decided, once each and in order when it was not there at their time, and not
// after somebody took the incident.
func TestAnEscalationGoesOnAcrossRestarts(t *testing.T) {
	for name, open := range map[string]func(*testing.T) onDisk{
		"in memory": func(*testing.T) onDisk { return onDisk{nil, newMemory()} },
		"on disk":   func(t *testing.T) onDisk { return openStore(t, filepath.Join(t.TempDir(), "tocsin.db")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { restartStory(t, open(t)) })
		})
	}
}

func restartStory(t *testing.T, kept onDisk) {
	var s Store = kept
	if kept.DB == nil {
		s = kept.memory
	} else {
		defer func() { _ = kept.Close() }()
	}
	routing := alert.Routing{Default: "#a", Routes: []alert.Route{climbing()}}
	begin := time.Now()
	e, stop := run(s, routing)
	receipts, err := e.Push(t.Context(), []alert.Alert{{Key: "taken", Title: "t"}, {Key: "late", Title: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(9 * time.Minute)
	stop()
	e, stop = run(s, routing) // before the first step, which is due at 10 min
	<-time.After(2 * time.Minute)
	if _, err := e.Act(t.Context(), []alert.Act{{Verb: alert.VerbAck, Incident: receipts[0].Incident, By: ann}}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	stop()
	<-time.After(time.Hour) // 20 and 30 min pass
	_, stop = run(s, routing)
	<-time.After(2 * time.Hour)
	synctest.Wait()
	stop()
	for n, want := range [][]string{
		{"10m0s #a reply unanswered @U1 broadcast", "11m0s #a update", "11m0s #a reply acked"},
		{
			"10m0s #a reply unanswered @U1 broadcast",
			"1h11m0s #a reply unanswered @U2 broadcast", "1h11m0s #b post", "1h11m0s #a reply unanswered", "1h11m0s #b reply unanswered @here broadcast",
		},
	} {
		added := slices.DeleteFunc(slices.Clone(kept.deliveries), func(d alert.Delivery) bool { return d.Incident != receipts[n].Incident })
		if got := unanswered(added, begin); !slices.Equal(got, want) {
			t.Errorf("the deliveries are %q\nwant %q", got, want)
		}
	}
}

// The same rules hold over the real store, which ends with the same incidents.
func TestTheEngineKeepsItsRulesOverTheRealStore(t *testing.T) {
	stories := rapid.SliceOfN(rapid.Custom(happenings), 20, 40)
	for seed := range 12 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kept := openStore(t, filepath.Join(t.TempDir(), "tocsin.db"))
				defer func() { _ = kept.Close() }()
				s := newStory(t)
				s.memory, s.store = kept.memory, kept
				<-time.After(time.Duration(seed*2) * time.Hour)
				if err := s.run(stories.Example(seed)); err != nil {
					t.Fatal(err)
				}
				for _, i := range s.incidents {
					got, err := kept.Incident(t.Context(), i.ID)
					if err != nil || got.State != i.State || got.Count != i.Count || got.Version != i.Version || !got.DueAt.Equal(i.DueAt) || got.Escalated != i.Escalated || !slices.Equal(got.Lanes, i.Lanes) {
						t.Errorf("incident %s is kept as %+v, %v; want %+v", i.ID, got, err, i)
					}
				}
				ledger, err := kept.Ledger(t.Context())
				if err != nil || ledger.Total.Accepted != int64(len(s.alerts)) {
					t.Errorf("the ledger is %+v, %v after %d alerts", ledger.Total, err, len(s.alerts))
				}
			})
		})
	}
}

// The clock is put back by an hour a moment after an incident was opened, while the
// engine runs: the first step, after ten minutes, comes within ten more.
func TestAnEscalationSurvivesAClockThatIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, turned := newMemory(), atomic.Int64{}
		e, stop := runWith(m, Options{
			Routing: alert.Routing{Default: "#a", Routes: []alert.Route{climbing()}},
			Now:     func() time.Time { return time.Now().Add(time.Duration(turned.Load())) },
		})
		defer stop()
		if _, err := e.Push(t.Context(), []alert.Alert{{Key: "db", Title: "t"}}); err != nil {
			t.Fatal(err)
		}
		turned.Store(int64(-time.Hour))
		<-time.After(20*time.Minute + time.Second)
		m.mu.Lock()
		escalated := m.incidents[0].Escalated
		m.mu.Unlock()
		if escalated != 1 {
			t.Errorf("%d steps were taken, want the first", escalated)
		}
	})
}
