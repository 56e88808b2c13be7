package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"tocsin/alert"
)

// pusher sends alerts into lanes of its own, one request after the other, so
// that the order of acceptance in a lane is the order in which it asked. What it
// sends depends on its random numbers alone, never on an answer.
type pusher struct {
	o      *oracle
	n      int
	random *rand.Rand
	lanes  []string
	doors  []*client // the replicas
	door   int       // the one that it uses
	// undecided are the last alerts that were queued, at the replica with the number queuedAt.
	undecided []*sent
	queuedAt  int
	every     time.Duration // between two steps

	made    int
	stories map[string]*story
	order   []*story // as they began
	keyed   []*sent  // accepted with an idempotency key
	err     error
}

func (p *pusher) run(ctx context.Context, steps int) {
	for range steps {
		if p.err = p.step(ctx); p.err != nil {
			return
		}
		p.o.steps.Add(1)
		if !pause(ctx, time.Duration(p.random.Int64N(int64(2*p.every)))) {
			return
		}
	}
}

// step makes one request.
func (p *pusher) step(ctx context.Context) error {
	lane := p.lanes[p.random.IntN(len(p.lanes))]
	switch dice := p.random.IntN(100); {
	case dice < 33:
		return p.send(ctx, p.alert(p.fresh(), lane, alert.Firing))
	case dice < 52:
		return p.send(ctx, p.recurs(lane, alert.Firing))
	case dice < 64:
		return p.send(ctx, p.recurs(lane, alert.Resolved))
	case dice < 68: // the end of what never began
		return p.send(ctx, p.alert(p.fresh(), lane, alert.Resolved))
	case dice < 80:
		return p.send(ctx, p.batch(lane)...)
	case dice < 82:
		return p.send(ctx, p.flood(lane)...)
	case dice < 86:
		return p.again(ctx, p.random.IntN(1<<30))
	case dice < 88:
		return p.flap(ctx, lane)
	case dice < 96:
		return p.person(ctx, p.hot(lane))
	}
	a := p.alert(p.fresh(), lane, alert.Firing)
	a.idempotency = ""
	return p.send(ctx, a)
}

// batch is several alerts for one request: new ones, and one that fires twice
// or ends at once.
func (p *pusher) batch(lane string) []*sent {
	var all []*sent
	for range 1 + p.random.IntN(3) {
		all = append(all, p.alert(p.fresh(), p.lanes[p.random.IntN(len(p.lanes))], alert.Firing))
	}
	last := all[len(all)-1]
	status := alert.Firing
	if p.random.IntN(3) == 0 {
		status = alert.Resolved
	}
	return append(all, p.alert(last.key, last.lane, status), p.recurs(lane, alert.Firing))
}

// flood is more for one lane than anybody reads one by one.
func (p *pusher) flood(lane string) []*sent {
	all := make([]*sent, 20+p.random.IntN(60))
	for i := range all {
		all[i] = p.alert(p.fresh(), lane, alert.Firing)
	}
	return all
}

// flap has one alert of a lane fire and resolve many times in one request.
func (p *pusher) flap(ctx context.Context, lane string) error {
	lane = p.hotLane(lane)
	all := make([]*sent, 2*(4+p.random.IntN(12)))
	for i := range all {
		all[i] = p.alert(fmt.Sprintf("p%dflap%d", p.n, slices.Index(p.lanes, lane)), lane, []alert.Status{alert.Firing, alert.Resolved}[i%2])
		all[i].severity, all[i].words = alert.Error, 0
	}
	err := p.send(ctx, all...)
	p.story(all[0]).flaps++
	return err
}

// fresh is a key never used before, hot the one of a lane that comes back again
// and again: edits share one budget of the workspace, so only few may need them.
func (p *pusher) fresh() string { return fmt.Sprintf("p%dn%d", p.n, p.made) }
func (p *pusher) hot(lane string) string {
	return fmt.Sprintf("p%dhot%d", p.n, slices.Index(p.lanes, p.hotLane(lane)))
}

// hotLane is the one of a lane's hot key.
func (p *pusher) hotLane(lane string) string {
	if hot := p.o.plan.hot; hot > 0 {
		return p.lanes[slices.Index(p.lanes, lane)%hot]
	}
	return lane
}

// recurs is an alert with the hot key of a lane.
func (p *pusher) recurs(lane string, status alert.Status) *sent {
	return p.alert(p.hot(lane), p.hotLane(lane), status)
}

func (p *pusher) alert(key, lane string, status alert.Status) *sent {
	a := &sent{
		tag: fmt.Sprintf("a%02d%05d", p.n, p.made), key: key, lane: lane, channel: p.o.spelling(key, lane), status: status,
		severity: []alert.Severity{alert.Critical, alert.Error, alert.Error, alert.Warning, alert.Warning, alert.Info}[p.random.IntN(6)],
	}
	p.made++
	switch dice := p.random.IntN(100); {
	case dice < 2: // more than five pages, which are a file
		a.words = 900 + p.random.IntN(600)
	case dice < 8:
		a.words = 210 + p.random.IntN(300)
	case dice < 50:
		a.words = 1 + p.random.IntN(30)
	}
	a.idempotency = "key-" + a.tag
	return a
}

// send asks until the alerts are accepted. One without an idempotency key is
// sent once; what became of it without an answer the end has to show.
func (p *pusher) send(ctx context.Context, batch ...*sent) error {
	got, again, err := p.push(ctx, batch)
	if errors.Is(err, errNoAnswer) {
		p.story(batch[0]).doubtful = true
		p.story(batch[0]).add(batch[0])
		return nil
	}
	if err != nil {
		return err
	}
	return p.take(batch, got, again)
}

// client is the replica that the pusher uses. Where that does not answer as it should, it goes
// elsewhere.
func (p *pusher) client() *client { return p.doors[p.door%len(p.doors)] }
func (p *pusher) elsewhere()      { p.door++ }

// limit is how long a request may take. A replica that is stopped answers after that.
func (p *pusher) limit() time.Duration {
	if len(p.doors) > 1 {
		return 3 * time.Second
	}
	return patience
}

// try makes a request once. A sender whose alerts are decided may go to another replica with
// the next ones; those that are queued stay in their order at the one that has queued them.
func (p *pusher) try(ctx context.Context, bodies []map[string]any) ([]alert.Accepted, error) {
	ctx, cancel := context.WithTimeout(ctx, p.limit())
	defer cancel()
	got, err := []alert.Accepted(nil), p.mayGoOn(ctx)
	if err == nil {
		got, err = push(ctx, p.client(), bodies)
	}
	if err == nil && !queued(got) {
		p.undecided = nil
	}
	if err != nil || !queued(got) {
		p.elsewhere()
	}
	return got, err
}

// mayGoOn returns an error while something is queued at another replica than the one that the
// pusher uses now: only what is sent to one replica stays in its order.
func (p *pusher) mayGoOn(ctx context.Context) error {
	if p.door == p.queuedAt {
		return nil
	}
	for _, a := range p.undecided {
		var got []alert.Accepted
		var err error
		if a.receipt.ID != "" {
			err = p.client().call(ctx, http.MethodGet, "/v1/alerts/"+a.receipt.ID, nil, &alert.Record{})
		} else {
			got, err = push(ctx, p.client(), []map[string]any{a.body()})
		}
		if err != nil || queued(got) {
			return errUndecided
		}
	}
	p.undecided = nil
	return nil
}

var errUndecided = errors.New("what was sent before is queued at another replica")

// queued says whether a standby has accepted alerts without a decision.
func queued(got []alert.Accepted) bool {
	return slices.ContainsFunc(got, func(a alert.Accepted) bool { return a.Effect == alert.EffectQueued })
}

func (p *pusher) count(got []alert.Accepted) {
	if queued(got) {
		p.o.queued.Add(int64(len(got)))
	} else {
		p.o.accepted.Add(int64(len(got)))
	}
}

// errNoAnswer is that of an alert without an idempotency key.
var errNoAnswer = errors.New("there was no answer")

// push returns the receipts of a request, and whether it was made more than once.
func (p *pusher) push(ctx context.Context, batch []*sent) (got []alert.Accepted, again bool, err error) {
	now := time.Now()
	bodies := make([]map[string]any, 0, len(batch))
	for _, a := range batch {
		a.pushed = now
		bodies = append(bodies, a.body())
	}
	p.o.tried.Add(int64(len(batch)))
	for try := 0; ; try++ {
		got, err := p.try(ctx, bodies)
		switch {
		case err == nil && len(got) != len(batch):
			return nil, false, fmt.Errorf("%d alerts from %s on got %d receipts", len(batch), batch[0].tag, len(got))
		case err == nil:
			p.count(got)
			return got, try > 0, nil
		case ctx.Err() != nil:
			return nil, false, ctx.Err()
		case refusedForGood(err), time.Since(now) > patience:
			return nil, false, fmt.Errorf("%s (%s) was refused, or not accepted in %s: %w", batch[0].tag, batch[0].key, patience, err)
		case batch[0].idempotency == "" && !errors.Is(err, errUndecided):
			return nil, false, errNoAnswer
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// refusedForGood says whether the daemon said that it will never take this.
func refusedForGood(err error) bool {
	var no *answerError
	return errors.As(err, &no) && no.status/100 == 4 && no.status != http.StatusTooManyRequests
}

// take compares the receipts with what the stories say.
func (p *pusher) take(batch []*sent, got []alert.Accepted, again bool) error {
	for i, a := range batch {
		a.receipt = got[i]
		s := p.story(a)
		want := s.add(a)
		if a.receipt.Effect == alert.EffectQueued {
			p.undecided, p.queuedAt = append(p.undecided, a), p.door
			continue
		}
		if a.idempotency != "" {
			p.keyed = append(p.keyed, a)
		}
		if effect := a.receipt.Effect; effect != want && (!again || effect != alert.EffectDuplicate) {
			return fmt.Errorf("alert %s of %s in %s got the receipt %+v, want the effect %q", a.tag, a.key, a.lane, a.receipt, want)
		}
		if first := s.opened().receipt.Incident; a.receipt.Incident != first && first != "" {
			return fmt.Errorf("alert %s of %s in %s went to incident %s, the one before to %s", a.tag, a.key, a.lane, a.receipt.Incident, first)
		}
	}
	return nil
}

// again sends something accepted once more, as a sender does that lost the
// answer: it has to get the same receipt and to count no second time.
func (p *pusher) again(ctx context.Context, pick int) error {
	if len(p.keyed) == 0 {
		return nil
	}
	a, began := p.keyed[pick%len(p.keyed)], time.Now()
	for {
		got, err := p.try(ctx, []map[string]any{a.body()})
		if err != nil {
			if refusedForGood(err) || time.Since(began) > patience || !pause(ctx, 20*time.Millisecond) {
				return fmt.Errorf("%s (%s) sent again: %w", a.tag, a.key, err)
			}
			continue
		}
		if queued(got) {
			return nil
		}
		if len(got) != 1 || got[0].ID != a.receipt.ID || got[0].Effect != alert.EffectDuplicate {
			return fmt.Errorf("alert %s of %s was accepted as %+v and, sent again, as %+v", a.tag, a.key, a.receipt, got)
		}
		return nil
	}
}

func (p *pusher) story(a *sent) *story {
	s := p.stories[a.key]
	if s == nil {
		s = &story{key: a.key, lane: a.lane}
		p.stories[a.key] = s
		p.order = append(p.order, s)
	}
	return s
}
