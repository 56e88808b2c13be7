package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// Front passes what a replica accepts on to the one that decides.
type Front interface {
	// Arrive writes a request down. It returns once that is durable, with the receipt, or
	// nil if none came in time.
	Arrive(ctx context.Context, request []byte) (receipt []byte, err error)
}

const (
	// arrivalsAtOnce is how many arrivals are read and decided at once.
	arrivalsAtOnce = 128
	// arrivalsLimit is how long reading them may take. Pushes wait meanwhile, and have to be
	// answered in time where the store does not answer at all.
	arrivalsLimit = 2 * time.Second
	// arrivalsFirst is how long those of before the start hold up others.
	arrivalsFirst = 5 * time.Second
)

// sentAlert is an alert as it is passed on. Its conversion does not compile if a field of
// alert.Alert is missing here.
type sentAlert struct {
	ID             string            `json:",omitempty"`
	Source         string            `json:",omitempty"`
	Key            string            `json:",omitempty"`
	Status         alert.Status      `json:",omitempty"`
	Severity       alert.Severity    `json:",omitempty"`
	Title          string            `json:",omitempty"`
	Text           string            `json:",omitempty"`
	Format         alert.Format      `json:",omitempty"`
	Labels         map[string]string `json:",omitempty"`
	Links          []alert.Link      `json:",omitempty"`
	Images         []alert.Image     `json:",omitempty"`
	Annotations    map[string]string `json:",omitzero"`
	Channel        string            `json:",omitempty"`
	Mention        string            `json:",omitempty"`
	At             time.Time         `json:",omitzero"`
	BeganAt        time.Time         `json:",omitzero"`
	IdempotencyKey string            `json:",omitempty"`
	Traceparent    alert.Traceparent `json:",omitempty"`
	Tracestate     alert.Tracestate  `json:",omitempty"`
	TokenName      string            `json:",omitempty"`
	Message        *alert.Message    `json:",omitempty"`
	Sender         *alert.Token      `json:"-"` // what it restricts was checked
	EndsAt         time.Time         `json:",omitzero"`
	ExpiresIn      time.Duration     `json:",omitempty"`
	Pings          []string          `json:",omitempty"`
	AcceptedAt     time.Time         `json:",omitzero"`
	Hash           int64             `json:",omitempty"`
	Notes          []string          `json:"-"` // the answer has them
	Strict         bool              `json:",omitempty"`
	OnlyIfOpen     bool              `json:",omitempty"`
	Refreshes      bool              `json:",omitempty"`
	Brief          bool              `json:",omitempty"`
}

// sentInput is an input as it is passed on.
type sentInput struct {
	Alerts    []sentAlert    `json:",omitempty"`
	Acts      []alert.Act    `json:",omitempty"`
	Keys      []string       `json:",omitempty"`
	Silence   *alert.Silence `json:",omitempty"`
	Unsilence string         `json:",omitempty"` // the id
	By        alert.Person   `json:",omitzero"`  // who ends it
	Beats     []alert.Beat   `json:",omitempty"`
	Forget    string         `json:",omitempty"`
}

// sentResult is the receipt for an input.
type sentResult struct {
	Accepted []alert.Accepted `json:",omitempty"`
	Acted    []alert.Acted    `json:",omitempty"`
	Silence  *alert.Silence   `json:",omitempty"`
	Heard    []alert.Heard    `json:",omitempty"`
	Err      *sentError       `json:",omitempty"`
}

// sentError is an error by which callers tell what has happened: one of these two, or one
// that wraps errors of sentKinds.
type sentError struct {
	Text   string                `json:",omitempty"`
	Input  *alert.InputError     `json:",omitempty"`
	Reused *alert.ReusedKeyError `json:",omitempty"`
	Kind   string                `json:",omitempty"`
}

// sentKinds are the errors that callers distinguish, by their names in a receipt.
func sentKinds() map[string]error {
	return map[string]error{"not_found": alert.ErrNotFound, "configured": alert.ErrConfigured, "internal": alert.ErrInternal}
}

// Error is the text.
func (e *sentError) Error() string { return e.Text }

// Unwrap returns the error of its kind.
func (e *sentError) Unwrap() error { return sentKinds()[e.Kind] }

func encodeInput(in input) ([]byte, error) {
	sent := sentInput{Acts: in.acts, Keys: in.keys, Silence: in.silence, Forget: in.forget}
	for _, a := range in.alerts {
		sent.Alerts = append(sent.Alerts, sentAlert(a))
	}
	for _, b := range in.beats {
		b.Sender = nil // what it restricts was checked
		sent.Beats = append(sent.Beats, b)
	}
	if in.unsilence != nil {
		sent.Unsilence, sent.By = in.unsilence.id, in.unsilence.by
	}
	return json.Marshal(sent)
}

// decodeInput reads what encodeInput wrote. Times that the sender did not say are now, by
// the clock of the replica that decides.
func decodeInput(request []byte, now time.Time) (in input, err error) {
	var sent sentInput
	if err := json.Unmarshal(request, &sent); err != nil {
		return in, err
	}
	in = input{queued: true, acts: sent.Acts, keys: sent.Keys, silence: sent.Silence, beats: sent.Beats, forget: sent.Forget}
	for _, a := range sent.Alerts {
		if a.At.Equal(a.AcceptedAt) {
			a.At = now
		}
		a.AcceptedAt = now
		in.alerts = append(in.alerts, alert.Alert(a))
	}
	if sent.Unsilence != "" {
		in.unsilence = &endRequest{id: sent.Unsilence, by: sent.By}
	}
	return in, nil
}

func encodeResult(r result) ([]byte, error) {
	sent := sentResult{Accepted: r.accepted, Acted: r.acted, Heard: r.heard}
	if r.silence.ID != "" {
		sent.Silence = &r.silence
	}
	if r.err != nil {
		sent.Err = &sentError{Text: r.err.Error()}
		_ = errors.As(r.err, &sent.Err.Input) || errors.As(r.err, &sent.Err.Reused)
		for name, kind := range sentKinds() {
			if errors.Is(r.err, kind) {
				sent.Err.Kind = name
			}
		}
	}
	return json.Marshal(sent)
}

func decodeResult(receipt []byte) (r result, err error) {
	var sent sentResult
	if err := json.Unmarshal(receipt, &sent); err != nil {
		return r, fmt.Errorf("%w: the receipt can't be read: %w", alert.ErrInDoubt, err)
	}
	r = result{accepted: sent.Accepted, acted: sent.Acted, heard: sent.Heard}
	if sent.Silence != nil {
		r.silence = *sent.Silence
	}
	switch e := sent.Err; {
	case e == nil:
	case e.Input != nil:
		return r, e.Input
	case e.Reused != nil:
		return r, e.Reused
	default:
		return r, e
	}
	return r, nil
}

// forward passes a request on to the replica that decides. Alerts and signs of life that
// are not decided in time are queued, of anything else it is in doubt whether it was done.
func (e *Engine) forward(ctx context.Context, in input) (result, error) {
	request, err := encodeInput(in)
	if err == nil {
		err = e.refusal(ctx, in)
	}
	if err != nil {
		return result{}, fmt.Errorf("pass on: %w", err)
	}
	receipt, err := e.opts.Front.Arrive(ctx, request)
	if err != nil {
		return result{}, err
	}
	if receipt != nil {
		return decodeResult(receipt)
	}
	if len(in.alerts)+len(in.beats) == 0 {
		return result{}, fmt.Errorf("%w: it waits for the active replica, which did not answer within a second", alert.ErrInDoubt)
	}
	var r result
	for _, a := range in.alerts {
		queued := alert.Accepted{Key: a.Key, Effect: alert.EffectQueued}
		if in.recorded() {
			queued.ID = a.ID
		}
		r.accepted = append(r.accepted, queued)
	}
	for _, b := range in.beats {
		r.heard = append(r.heard, alert.Heard{
			Heartbeat: alert.Expect(b.Name, b.Default.With(b.Terms), e.now()),
			Notes:     []string{"it is queued, and counts once a replica is active"},
		})
	}
	return r, nil
}

// refusal is why a request would be refused, as far as the store tells before it is decided:
// what is queued is not refused later, because its sender may have been told that it is accepted.
func (e *Engine) refusal(ctx context.Context, in input) error {
	var q alert.Query
	for _, a := range in.alerts {
		if a.IdempotencyKey != "" {
			q.IdempotencyKeys = append(q.IdempotencyKeys, a.IdempotencyKey)
		}
	}
	for _, b := range in.beats {
		q.Heartbeats = append(q.Heartbeats, b.Name)
	}
	if len(q.IdempotencyKeys)+len(q.Heartbeats) == 0 {
		return nil
	}
	snapshot, err := e.store.Load(ctx, q)
	if err != nil && !errors.Is(err, alert.ErrUnavailable) { // the tables may be those of an earlier version
		e.opts.Log.Debug("what is known of a request can't be read", zap.Error(err))
		in.beats, err = nil, nil
	}
	if err != nil {
		return err // which says what was being read
	}
	d := &draft{seen: snapshot.Seen}
	if reused := d.reusedKeys(in.alerts); len(reused) > 0 {
		return reusedKeyError(in.alerts, reused[0])
	}
	d.loadHeartbeats(snapshot)
	var refused []error
	for _, b := range in.beats {
		refused = append(refused, d.checkBeat(d.heartbeats[b.Name], b))
	}
	if slices.Contains(refused, nil) { // the others count
		return nil
	}
	return errors.Join(refused...)
}

// recorded reports whether the alerts get records of their own, whatever else is accepted
// before they are decided: none of them can be a duplicate, be ignored or only refresh.
func (in input) recorded() bool {
	return !slices.ContainsFunc(in.alerts, func(a alert.Alert) bool { return a.IdempotencyKey != "" || a.OnlyIfOpen || a.Refreshes })
}

// decideArrivals decides what other replicas have accepted before the start, in the order it came,
// before what comes here, for which it takes some seconds at most. It reports whether there may
// be more.
func (e *Engine) decideArrivals(ctx context.Context) (more bool) {
	for began := time.Now(); e.decideSomeArrivals(ctx); {
		if time.Since(began) > arrivalsFirst {
			return true
		}
	}
	return false
}

// decideSomeArrivals decides the arrivals that came first, in one commit. It reports whether there may be more that
// can be decided now.
func (e *Engine) decideSomeArrivals(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, arrivalsLimit)
	defer cancel()
	arrived, err := e.store.Arrivals(limited, arrivalsAtOnce)
	if err != nil {
		e.opts.Log.Debug("arrivals can't be read, will try again", zap.Error(err)) // health tells why
		return false
	}
	more := len(arrived) > 0
	var batch []*request
	size := 0
	for _, a := range arrived {
		in, err := decodeInput(a.Request, e.now())
		if err != nil {
			more = e.settle(a, fmt.Errorf("it can't be read: %w", err)) && more
			continue
		}
		r := &request{input: in, arrival: a, done: make(chan result, 1)}
		batch = append(batch, r)
		if size += r.size(); size >= maxBatch {
			break // the others are read again
		}
	}
	return e.serveArrivals(batch) && more
}

// serveArrivals reports whether those after these can be decided now.
func (e *Engine) serveArrivals(batch []*request) bool {
	for _, r := range batch {
		e.queued.Add(int64(r.size()))
	}
	if len(batch) > 0 {
		e.serve(batch)
	}
	failed := false
	for _, r := range batch {
		got := <-r.done
		failed = failed || got.err != nil && !lasting(got.err)
	}
	return !failed
}

// logArrivals logs what was decided otherwise than a standby may have told the sender.
func (e *Engine) logArrivals(batch []*request, results []result) {
	for n, r := range results {
		if batch[n].arrival.ID == "" {
			continue
		}
		for _, a := range r.accepted {
			if len(a.Notes) > 0 {
				e.opts.Log.Warn("an alert that a standby has accepted reuses an idempotency key", zap.String("note", a.Notes[0]), zap.String("alert", a.ID), zap.String("key", a.Key), zap.String("incident", a.Incident))
			}
		}
		if len(batch[n].beats) > 0 && r.err != nil {
			e.opts.Log.Warn("a sign of life that a standby has accepted does not count", zap.Error(r.err))
		}
	}
}

// receipts answer the arrivals among the requests of a batch.
func receipts(batch []*request, results []result) map[string][]byte {
	var all map[string][]byte
	for n, r := range batch {
		if r.arrival.ID == "" {
			continue
		}
		receipt, err := encodeResult(results[n])
		if err != nil {
			receipt, _ = encodeResult(result{err: err}) // which is only text
		}
		if all == nil {
			all = make(map[string][]byte, len(batch))
		}
		all[r.arrival.ID] = receipt
	}
	return all
}

// settle answers an arrival that can never be decided, so that it holds up no other, and has
// people told what it was. It reports whether that was written. An arrival of which nobody can
// be told stays: it may be the store that takes nothing.
func (e *Engine) settle(a alert.Arrival, why error) bool {
	e.opts.Log.Error("a request that another replica has accepted can't be decided", zap.String("arrival", a.ID), zap.Error(why))
	receipt, err := encodeResult(result{err: why})
	if err == nil {
		err = e.alertUndecided(a, why.Error()+"\n\n"+string(a.Request), receipt)
	}
	if lasting(err) { // perhaps because of what is in it
		e.opts.Log.Error("what was in it can't be stored", zap.String("arrival", a.ID), zap.ByteString("request", a.Request), zap.Error(err))
		err = e.alertUndecided(a, "What was in it can't be stored: look for the arrival "+a.ID+" in the log.", receipt)
	}
	if err != nil {
		e.opts.Log.Warn("it will be tried again", zap.String("arrival", a.ID), zap.Error(err))
	}
	return err == nil
}

// alertUndecided accepts an alert in place of an arrival.
func (e *Engine) alertUndecided(a alert.Arrival, text string, receipt []byte) error {
	undecided := alert.Alert{Title: "a request that a standby has accepted could not be decided", Text: text, Key: "arrival/" + a.ID}
	if err := undecided.Prepare(e.now()); err != nil {
		return err
	}
	inputs := []input{{alerts: []alert.Alert{undecided}}}
	return e.commit(context.Background(), query(e.current.Routing, inputs), func(now time.Time, snapshot alert.Snapshot) alert.Change {
		c, _ := decide(e.rules(), now, snapshot, inputs)
		c.Receipts = map[string][]byte{a.ID: receipt}
		return c
	})
}

// lasting reports whether an error of a commit comes again however often it is tried.
func lasting(err error) bool {
	return err != nil && !errors.Is(err, alert.ErrUnavailable) && !errors.Is(err, alert.ErrInDoubt) && !errors.Is(err, alert.ErrConflict)
}
