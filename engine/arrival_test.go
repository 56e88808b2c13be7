package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"tocsin/alert"
)

// shared is a memory that replicas share.
type shared struct {
	*memory
	arrived chan struct{}
	// patience is how long Arrive waits for a receipt.
	patience time.Duration

	mu       sync.Mutex
	arrivals []alert.Arrival
	answers  map[string]chan []byte
	// settled counts receipts by the arrival's id.
	settled map[string]int
}

func newShared() *shared {
	return &shared{memory: newMemory(), arrived: make(chan struct{}, 1), patience: time.Second, answers: map[string]chan []byte{}, settled: map[string]int{}}
}

func (s *shared) Arrive(ctx context.Context, request []byte) ([]byte, error) {
	id, answer := alert.NewID(), make(chan []byte, 1)
	s.mu.Lock()
	s.arrivals = append(s.arrivals, alert.Arrival{ID: id, Request: request})
	s.answers[id] = answer
	s.mu.Unlock()
	s.wake()
	limit, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	select {
	case receipt := <-answer:
		return receipt, nil
	case <-limit.Done():
		return nil, nil
	}
}

func (s *shared) wake() {
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

func (s *shared) Arrivals(_ context.Context, most int) ([]alert.Arrival, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrivals[:min(len(s.arrivals), most)]), nil
}

func (s *shared) Commit(ctx context.Context, c alert.Change) error {
	if err := s.memory.Commit(ctx, c); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals = slices.DeleteFunc(s.arrivals, func(a alert.Arrival) bool { return c.Receipts[a.ID] != nil })
	for id, receipt := range c.Receipts {
		s.settled[id]++
		if s.answers[id] != nil {
			s.answers[id] <- receipt
		}
	}
	return nil
}

func (s *shared) options() Options {
	return Options{Routing: alert.Routing{Default: "#alerts"}, Arrived: s.arrived}
}

// standby is an engine of another replica.
func (s *shared) standby() *Engine {
	opts := s.options()
	opts.Front = s
	return New(s, opts)
}

func TestAStandbyAnswersAsTheActiveOneDoes(t *testing.T) {
	s := newShared()
	active, stop := runWith(s, s.options())
	defer stop()
	standby := s.standby()
	ctx := t.Context()

	first := alert.Alert{Title: "disk full", Key: "disk", IdempotencyKey: "once", Hash: 1}
	direct, err := active.Push(ctx, []alert.Alert{first})
	if err != nil {
		t.Fatal(err)
	}
	again, err := standby.Push(ctx, []alert.Alert{first, {Title: "disk fuller", Key: "disk", Severity: "dire"}})
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Effect != alert.EffectDuplicate || again[0].ID != direct[0].ID || again[1].Effect != alert.EffectFolded || again[1].Incident != direct[0].Incident || len(again[1].Notes) == 0 {
		t.Errorf("the receipts are %+v", again)
	}
	first.Hash = 2
	_, err = standby.Push(ctx, []alert.Alert{first})
	var reused *alert.ReusedKeyError
	if !errors.As(err, &reused) {
		t.Errorf("another alert with a used idempotency key got %v", err)
	}
	acted, err := standby.Act(ctx, []alert.Act{{Verb: alert.VerbAck, Incident: direct[0].Incident, By: alert.Person{Name: "ann"}}})
	if err != nil || acted[0].Effect != alert.ActDone || acted[0].Incident.State != alert.Acked || acted[0].Incident.AckedBy.Name != "ann" {
		t.Errorf("the act got %+v, %v", acted, err)
	}
	if _, err := standby.Unsilence(ctx, "s-none", alert.Person{}); !errors.Is(err, alert.ErrNotFound) {
		t.Errorf("an unknown silence got %v", err)
	}
	matcher, err := alert.NewMatcher("key", "=", "disk")
	if err != nil {
		t.Fatal(err)
	}
	made, err := standby.Silence(ctx, alert.Silence{Matchers: alert.Matchers{matcher}, EndsAt: time.Now().Add(time.Hour)})
	if err != nil || made.ID == "" || made.Matchers.String() != `key="disk"` {
		t.Errorf("the silence got %+v, %v", made, err)
	}
	heard, err := standby.Beat(ctx, []alert.Beat{{Name: "backup", Terms: alert.Terms{Every: time.Hour}}})
	if err != nil || heard[0].Every != time.Hour || heard[0].LastAt.IsZero() {
		t.Errorf("the heartbeat got %+v, %v", heard, err)
	}
	_, err = standby.Beat(ctx, []alert.Beat{{Name: "unknown"}})
	var bad *alert.InputError
	if !errors.As(err, &bad) || bad.Hint == "" {
		t.Errorf("a heartbeat of unknown period got %v", err)
	}
	if _, err := standby.Push(ctx, []alert.Alert{{}}); !errors.As(err, &bad) {
		t.Errorf("an empty alert got %v", err)
	}
}

func TestWhatIsQueuedIsDecidedOnceInItsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		standby := s.standby()
		var ids []string
		for n := range 3 * arrivalsAtOnce {
			got, err := standby.Push(t.Context(), []alert.Alert{{Title: "t", Key: fmt.Sprint(n)}})
			if err != nil || got[0].Effect != alert.EffectQueued || got[0].ID == "" || got[0].Key == "" {
				t.Fatalf("without an active one the receipt is %+v, %v", got, err)
			}
			ids = append(ids, got[0].ID)
		}
		if _, err := standby.Act(t.Context(), []alert.Act{{Verb: alert.VerbAck, Incident: "k7f2"}}); !errors.Is(err, alert.ErrInDoubt) {
			t.Errorf("without an active one an act got %v", err)
		}
		active, stop := runWith(s, s.options())
		if _, err := active.Push(t.Context(), []alert.Alert{{Title: "t", Key: "direct"}}); err != nil {
			t.Fatal(err)
		}
		stop()
		var decided []string
		for _, r := range s.alerts {
			decided = append(decided, r.ID)
		}
		if len(decided) != len(ids)+1 || !slices.Equal(decided[:len(ids)], ids) {
			t.Errorf("%d alerts were decided, %d queued, and the first came before what is direct: %v", len(decided), len(ids), slices.Equal(decided[:len(ids)], ids))
		}
		for id, n := range s.settled {
			if n != 1 {
				t.Errorf("arrival %s was decided %d times", id, n)
			}
		}
	})
}

// An id that it named would be that of no alert once another one counts.
func TestAQueuedReceiptNamesAnIDOnlyIfThatIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		var promised []string
		for range 2 {
			for _, a := range []alert.Alert{
				{Title: "t", Key: "plain"},
				{Title: "t", Key: "once", IdempotencyKey: "once", Hash: 1},
				{Title: "t", Key: "closed", OnlyIfOpen: true},
				{Title: "t", Key: "repeated", Refreshes: true},
			} {
				got, err := s.standby().Push(t.Context(), []alert.Alert{a})
				if err != nil || got[0].Effect != alert.EffectQueued || got[0].Key != a.Key {
					t.Fatalf("%s got %+v, %v", a.Key, got, err)
				}
				if got[0].ID != "" {
					promised = append(promised, got[0].ID)
				}
			}
		}
		_, stop := runWith(s, s.options())
		synctest.Wait()
		stop()
		for _, id := range promised {
			if !slices.ContainsFunc(s.alerts, func(r alert.Record) bool { return r.ID == id }) {
				t.Errorf("alert %s was promised, and is not there", id)
			}
		}
		if len(promised) != 2 {
			t.Errorf("%d ids are named, and those of the two plain alerts are certain", len(promised))
		}
	})
}

func TestAnArrivalThatCannotBeDecidedHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		s.before(func(c alert.Change) error {
			if slices.ContainsFunc(c.Alerts, func(a alert.Record) bool { return a.Key == "bad" }) {
				return errors.New("no such row")
			}
			return nil
		})
		standby := s.standby()
		results := make([]error, 3)
		var senders sync.WaitGroup
		for n, key := range []string{"a", "bad", "b"} {
			senders.Go(func() { _, results[n] = standby.Push(t.Context(), []alert.Alert{{Title: "t", Key: key}}) })
		}
		senders.Go(func() { _, _ = s.Arrive(t.Context(), []byte("not JSON")) })
		synctest.Wait()
		_, stop := runWith(s, s.options())
		senders.Wait()
		stop()
		for n, err := range results {
			if (err != nil) != (n == 1) {
				t.Errorf("alert %d got %v", n, err)
			}
		}
		if len(s.arrivals) > 0 {
			t.Errorf("%d arrivals still wait", len(s.arrivals))
		}
		for _, said := range []string{`"Key":"bad"`, "not JSON"} {
			if !slices.ContainsFunc(s.alerts, func(r alert.Record) bool { return strings.Contains(r.Text, said) }) {
				t.Errorf("no alert tells people of %s", said)
			}
		}
	})
}

func TestAnArrivalThatNobodyCanBeToldOfWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		refuses := func(what func(alert.Record) bool) {
			s.before(func(c alert.Change) error {
				if slices.ContainsFunc(c.Alerts, what) {
					return errors.New("no such row")
				}
				return nil
			})
		}
		refuses(func(alert.Record) bool { return true })
		for n := range 2 {
			if _, err := s.standby().Push(t.Context(), []alert.Alert{{Title: fmt.Sprint("bad ", n), Key: fmt.Sprint(n)}}); err != nil {
				t.Fatal(err) // queued
			}
		}
		_, stop := runWith(s, s.options())
		defer stop()
		synctest.Wait()
		if len(s.arrivals) != 2 {
			t.Errorf("%d of 2 arrivals wait while the store takes nothing", len(s.arrivals))
		}
		refuses(func(r alert.Record) bool { return strings.Contains(r.Title+r.Text, "bad 0") })
		s.wake()
		synctest.Wait()
		told := slices.ContainsFunc(s.alerts, func(r alert.Record) bool { return strings.Contains(r.Text, "in the log") })
		if len(s.arrivals) > 0 || len(s.alerts) != 2 || !told {
			t.Errorf("%d arrivals wait, and of %d alerts one says where the other is: %t", len(s.arrivals), len(s.alerts), told)
		}
	})
}

// Accepted means stored: a standby may have answered 202 for all of them.
func TestOfWhatIsQueuedNothingIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		core, log := observer.New(zap.WarnLevel)
		standby := s.standby()
		once := func(title string, hash int64) alert.Alert {
			return alert.Alert{Title: title, IdempotencyKey: "once", Hash: hash}
		}
		for n, batch := range [][]alert.Alert{
			{{Title: "a"}, once("first", 1), {Title: "b"}},
			{{Title: "c"}, once("second", 2), {Title: "d"}},
			{once("second", 2)}, // sent again
			{{Title: "e", Channel: "#unknown"}, {Title: "f", Mention: "@nobody"}},
		} {
			got, err := standby.Push(t.Context(), batch)
			if err != nil || got[0].Effect != alert.EffectQueued {
				t.Fatalf("batch %d got %+v, %v", n, got, err)
			}
		}
		within := []alert.Alert{once("one", 3), once("other", 4)}
		var reused *alert.ReusedKeyError
		if _, err := standby.Push(t.Context(), within); !errors.As(err, &reused) || reused.Item != 2 {
			t.Errorf("a request that has one key for two alerts got %v", err)
		}
		opts := s.options()
		opts.Log, opts.MaxPending, opts.Pending = zap.New(core), 1, func() int64 { return 1 << 20 }
		_, stop := runWith(s, opts)
		synctest.Wait()
		stop()
		var titles []string
		for _, r := range s.alerts {
			titles = append(titles, r.Title)
		}
		if want := []string{"a", "first", "b", "c", "second", "d", "e", "f"}; !slices.Equal(titles, want) {
			t.Errorf("decided are %q, want %q", titles, want)
		}
		entries := log.FilterMessage("an alert that a standby has accepted reuses an idempotency key").All()
		if len(entries) != 2 || !strings.Contains(fmt.Sprint(entries[0].ContextMap()["note"]), `alert 2: the idempotency key "once" was used`) || entries[0].ContextMap()["alert"] == "" {
			t.Errorf("the log has %+v", entries)
		}
		if _, err := s.standby().Push(t.Context(), []alert.Alert{{Title: "g"}, once("third", 5)}); !errors.As(err, &reused) {
			t.Errorf("a key that was used got %v", err)
		}
	})
}

func TestASignOfLifeThatCannotCountIsRefusedWhenItIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		core, log := observer.New(zap.WarnLevel)
		standby := s.standby()
		var bad *alert.InputError
		if _, err := standby.Beat(t.Context(), []alert.Beat{{Name: "unknown"}}); !errors.As(err, &bad) {
			t.Errorf("a heartbeat of unknown period got %v", err)
		}
		for _, beats := range [][]alert.Beat{
			{{Name: "unknown"}, {Name: "each", Terms: alert.Terms{Every: time.Hour}}}, // of which one counts
			{{Name: "other", Terms: alert.Terms{Every: time.Hour}}},
		} {
			if _, err := standby.Beat(t.Context(), beats); err != nil {
				t.Errorf("%+v got %v", beats, err)
			}
		}
		opts := s.options()
		opts.Log = zap.New(core)
		_, stop := runWith(s, opts)
		synctest.Wait()
		stop()
		if _, err := standby.Beat(t.Context(), []alert.Beat{{Name: "each"}}); err != nil {
			t.Errorf("a known heartbeat got %v", err)
		}
		if len(s.heartbeats) != 2 || log.FilterMessage("a sign of life that a standby has accepted does not count").Len() != 1 {
			t.Errorf("there are %d heartbeats, and the log has %+v", len(s.heartbeats), log.All())
		}
	})
}

// Whoever pushes to the active replica waits meanwhile, and a store limits how long a commit takes.
func TestManyLargeArrivalsAreNotOneCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const arrivals, each = 6, maxBatch/2 + 1
		s := newShared()
		for n := range arrivals {
			alerts := make([]alert.Alert, each)
			for k := range alerts {
				alerts[k] = alert.Alert{Title: "t", Key: fmt.Sprint(n, k)}
			}
			if _, err := s.standby().Push(t.Context(), alerts); err != nil {
				t.Fatal(err)
			}
		}
		most := 0
		s.before(func(c alert.Change) error {
			most = max(most, len(c.Alerts))
			return nil
		})
		_, stop := runWith(s, s.options())
		synctest.Wait()
		stop()
		if len(s.alerts) != arrivals*each || most != 2*each {
			t.Errorf("%d of %d alerts were decided, at most %d at once", len(s.alerts), arrivals*each, most)
		}
	})
}

// Standbys accept faster than one replica decides.
func TestArrivalsWithoutEndHoldUpNoPushForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		arrive := func() {
			request, err := encodeInput(input{alerts: []alert.Alert{{ID: alert.NewID(), Title: "t", Key: "k"}}})
			if err != nil {
				t.Error(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.arrivals = append(s.arrivals, alert.Arrival{ID: alert.NewID(), Request: request})
		}
		arrive()
		s.before(func(alert.Change) error {
			arrive()
			<-time.After(time.Second)
			return nil
		})
		active, stop := runWith(s, s.options())
		defer stop()
		began := time.Now()
		if _, err := active.Push(t.Context(), []alert.Alert{{Title: "t"}}); err != nil || time.Since(began) > time.Minute {
			t.Errorf("a push took %s: %v", time.Since(began), err)
		}
	})
}

func TestArrivalsWaitForAStoreThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		s.patience = time.Minute
		s.before(func(alert.Change) error { return alert.ErrUnavailable })
		_, stop := runWith(s, s.options())
		defer stop()
		standby, answered := s.standby(), make(chan error, 1)
		go func() {
			_, err := standby.Push(t.Context(), []alert.Alert{{Title: "t"}})
			answered <- err
		}()
		synctest.Wait()
		s.before(nil)
		s.wake()
		if err := <-answered; err != nil || len(s.alerts) != 1 {
			t.Errorf("%d alerts were accepted: %v", len(s.alerts), err)
		}
	})
}

func TestAnAlertIsPassedOnAsItIs(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 1000, time.UTC)
	want := alert.Alert{
		ID: "i", Source: "s", Key: "k", Status: alert.Firing, Severity: alert.Critical, Title: "t", Text: "x", Format: alert.FormatMarkdown,
		Labels: map[string]string{"a": "b"}, Links: []alert.Link{{Label: "l", URL: "https://x"}}, Images: []alert.Image{{URL: "https://x", Fetch: true}},
		Annotations: map[string]string{}, Channel: "#c", Mention: "@m", At: at.Add(-time.Hour), BeganAt: at.Add(-2 * time.Hour), IdempotencyKey: "once",
		Traceparent: "00-1", Tracestate: "v=1", TokenName: "n", Message: &alert.Message{Text: "m", Blocks: []json.RawMessage{json.RawMessage(`{"type":"divider"}`)}},
		EndsAt: at.Add(time.Hour), ExpiresIn: time.Minute, Pings: []string{"U1"}, AcceptedAt: at, Hash: 7, Strict: true, OnlyIfOpen: true, Refreshes: true, Brief: true,
	}
	for n := range reflect.TypeFor[alert.Alert]().NumField() {
		if f := reflect.ValueOf(want).Field(n); f.IsZero() && f.Type() != reflect.TypeFor[*alert.Token]() && reflect.TypeFor[alert.Alert]().Field(n).Name != "Notes" {
			t.Errorf("the test does not set %s", reflect.TypeFor[alert.Alert]().Field(n).Name)
		}
	}
	request, err := encodeInput(input{alerts: []alert.Alert{want}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeInput(request, at.Add(time.Second))
	want.AcceptedAt = at.Add(time.Second)
	if err != nil || !reflect.DeepEqual(got.alerts, []alert.Alert{want}) {
		t.Errorf("got  %+v, %v\nwant %+v", got.alerts, err, want)
	}
}

// stuck is a store in which nobody gets an answer about arrivals.
type stuck struct{ *shared }

func (s stuck) Arrivals(ctx context.Context, _ int) ([]alert.Arrival, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestArrivalsThatCannotBeReadHoldUpNoPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		active, stop := runWith(stuck{s}, s.options())
		defer stop()
		if _, err := active.Push(t.Context(), []alert.Alert{{Title: "disk full"}}); err != nil {
			t.Error(err)
		}
	})
}
