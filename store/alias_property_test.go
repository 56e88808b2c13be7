package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tocsin/alert"
)

// conversations are what Slack has: the id of each, and its names.
var conversations = map[string][]string{
	"C0123OPS1": {"#ops", "#operations"},
	"C0123DB01": {"#db"},
	"D0123ANN1": {"@ann", "U0123ANN1"},
}

// aliasWorld is a store whose conversations get other names at random moments.
type aliasWorld struct {
	t       *rapid.T
	d       *DB
	url     string
	clock   int
	posted  int
	alerts  []string
	sending []alert.Job
	version map[string]int64
	// ahead are the deliveries that were being sent when an earlier one of the same incident
	// came into their lane, each with that one.
	ahead map[[2]string]bool
	// spare are the posts of which the card may be there, or waits to be posted by another one:
	// they were given up, or were edits without a card, or were being sent when their lane
	// became one with that of the other, even if that had been given up.
	spare map[string]bool
}

// TestAliasesLearntAtAnyMomentLoseNoAlert: whatever is learnt while deliveries wait, are
// being sent, have failed or are dead, the ledger balances, each lane is in order, and
// in the end each alert is settled.
func TestAliasesLearntAtAnyMomentLoseNoAlert(t *testing.T) {
	dir := t.TempDir()
	empty := emptyStore(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		path := filepath.Join(dir, fmt.Sprintf("%d.db", round))
		if err := os.WriteFile(path, empty, 0o600); err != nil {
			rt.Fatal(err)
		}
		w := &aliasWorld{t: rt, url: "sqlite:" + path, version: map[string]int64{}, ahead: map[[2]string]bool{}, spare: map[string]bool{}}
		w.open()
		defer func() { w.ok(w.d.Close()) }()
		rt.Repeat(map[string]func(*rapid.T){
			"fire": w.fire, "fire too": w.fire, "fire again": w.fireAgain, "note": w.note,
			"claim": w.claim, "claim too": w.claim, "finish": w.finish, "finish too": w.finish,
			"learn": w.learn, "lose": w.lose, "retry": w.retry,
			"reopen": func(*rapid.T) {
				w.ok(w.d.Close())
				w.sending = nil
				w.open()
			},
			"": w.check,
		})
		w.settleAll()
	})
}

func (w *aliasWorld) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *aliasWorld) open() {
	var err error
	w.d, err = Open(context.Background(), w.url, Options{})
	w.ok(err)
}

func (w *aliasWorld) now() int { w.clock++; return w.clock }

// spelling is any way to write a conversation.
func (w *aliasWorld) spelling() string {
	var all []string
	for id, names := range conversations {
		all = append(append(all, id), names...)
	}
	slices.Sort(all)
	return rapid.SampledFrom(all).Draw(w.t, "spelling")
}

// fire commits a new incident for one or two spellings.
func (w *aliasWorld) fire(*rapid.T) {
	lanes := w.d.Aliases().Lanes([]string{w.spelling(), w.spelling()})
	if len(lanes) == 2 && lanes[0] == lanes[1] {
		lanes = lanes[:1]
	}
	id := fmt.Sprintf("i%d", len(w.version))
	w.version[id] = 1
	w.commit(inLanes(id, lanes...))
}

// fireAgain commits an update to all lanes of an incident.
func (w *aliasWorld) fireAgain(*rapid.T) {
	if len(w.version) == 0 {
		return
	}
	i := w.next()
	c := alert.Change{Alerts: []alert.Record{record(i, "")}, Incidents: []alert.Incident{i}}
	for _, lane := range i.Lanes {
		d := delivery(i, alert.Update, 1)
		d.Lane = lane
		c.Deliveries = append(c.Deliveries, d)
	}
	w.commit(c)
}

// note commits a reply to all lanes of an incident.
func (w *aliasWorld) note(*rapid.T) {
	if len(w.version) == 0 {
		return
	}
	i := w.next()
	c := alert.Change{Incidents: []alert.Incident{i}}
	for _, lane := range i.Lanes {
		d := delivery(i, alert.Reply, 1)
		d.Lane, d.Note = lane, &alert.Note{Topic: alert.TopicNote, Text: "look"}
		c.Deliveries = append(c.Deliveries, d)
	}
	w.commit(c)
}

// next is an incident at its next version.
func (w *aliasWorld) next() alert.Incident {
	id := fmt.Sprintf("i%d", rapid.IntRange(0, len(w.version)-1).Draw(w.t, "incident"))
	i, err := w.d.Incident(context.Background(), id)
	w.ok(err)
	w.version[id]++
	i.Version = w.version[id]
	return i
}

func (w *aliasWorld) commit(c alert.Change) {
	c.Aliases = w.d.Aliases()
	w.ok(w.d.Commit(context.Background(), c))
	for _, a := range c.Alerts {
		w.alerts = append(w.alerts, a.ID)
	}
}

// learn has Slack tell the id of a name.
func (w *aliasWorld) learn(*rapid.T) {
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(conversations))).Draw(w.t, "id")
	w.naming(func() error {
		return w.d.Learn(context.Background(), rapid.SampledFrom(conversations[id]).Draw(w.t, "name"), id)
	})
}

// naming does what may have two lanes become one, and notes what is ahead then.
func (w *aliasWorld) naming(do func() error) {
	states := []alert.DeliveryState{alert.Pending, alert.Sending, alert.Delivered, alert.Dead}
	before := w.deliveries(states...)
	w.ok(do())
	now := map[string]string{}
	for _, d := range w.deliveries(states...) {
		now[d.ID] = d.Lane
	}
	for _, j := range before {
		for _, d := range before {
			if j.State != alert.Sending || d.Incident != j.Incident || d.Lane == j.Lane || now[d.ID] != now[j.ID] {
				continue
			}
			w.spare[j.ID] = true
			w.ahead[[2]string{j.ID, d.ID}] = d.Seq < j.Seq && d.State != alert.Dead
		}
	}
}

func (w *aliasWorld) deliveries(states ...alert.DeliveryState) []alert.Delivery {
	all, err := w.d.Deliveries(context.Background(), alert.DeliveryFilter{States: states, Limit: 1000})
	w.ok(err)
	return all
}

// lose has Slack say that a conversation is not found.
func (w *aliasWorld) lose(*rapid.T) {
	now := at(w.now())
	lane := w.d.Aliases().Lane(w.spelling())
	w.ok(w.d.Mark(context.Background(), alert.Destination{Lane: lane, Code: "channel_not_found", Since: now, ProbeAt: now}))
	w.ok(w.d.Mark(context.Background(), alert.Destination{Lane: lane, ProbeAt: now}))
}

func (w *aliasWorld) retry(*rapid.T) {
	_, err := w.d.Retry(context.Background(), alert.DeadLetterSelector{})
	w.ok(err)
}

// claim claims a lane's next delivery, which has to be the first that may be sent.
func (w *aliasWorld) claim(*rapid.T) {
	lanes, err := w.d.Lanes(context.Background())
	w.ok(err)
	if len(lanes) == 0 {
		return
	}
	lane := rapid.SampledFrom(lanes).Draw(w.t, "lane")
	before, err := w.d.Deliveries(context.Background(), alert.DeliveryFilter{Lane: lane, States: []alert.DeliveryState{alert.Pending, alert.Sending}, Limit: 1000})
	w.ok(err)
	above := rapid.SampledFrom([]int{0, 0, 2}).Draw(w.t, "digest above")
	j, _, err := w.d.Claim(context.Background(), alert.Claim{Lane: lane, Now: at(w.now()), Posts: true, Updates: true, DigestAbove: above})
	w.ok(err)
	if j.ID == "" {
		return
	}
	w.inOrder(j, before)
	w.sending = slices.DeleteFunc(w.sending, func(s alert.Job) bool { return s.ID == j.ID })
	w.sending = append(w.sending, j)
}

// inOrder checks that nothing before the job waits, unless it is behind something of
// its own incident.
func (w *aliasWorld) inOrder(j alert.Job, before []alert.Delivery) {
	slices.SortFunc(before, func(a, b alert.Delivery) int { return cmp.Compare(a.Seq, b.Seq) })
	begun := map[string]bool{}
	for _, d := range before {
		if d.State == alert.Sending {
			begun[d.Incident] = true
		}
	}
	for _, d := range before {
		if d.ID == j.ID || j.Kind == alert.Digest {
			return
		}
		if d.Incident == j.Incident.ID && d.Kind == alert.Update && j.Kind == alert.Post {
			continue // an edit waits for its card, which another name's lane was posting
		}
		if w.ahead[[2]string{j.ID, d.ID}] {
			continue // it was being sent before this one came into its lane, and stays first when the attempt fails
		}
		if !begun[d.Incident] && d.Priority <= j.Priority {
			w.t.Fatalf("%s (%d) was claimed before %s %s (%d) of %s", j.ID, j.Seq, d.Kind, d.ID, d.Seq, d.Incident)
		}
	}
}

// finish ends one of the attempts in any way.
func (w *aliasWorld) finish(*rapid.T) {
	if len(w.sending) == 0 {
		return
	}
	n := rapid.IntRange(0, len(w.sending)-1).Draw(w.t, "job")
	j := w.sending[n]
	w.sending = slices.Delete(w.sending, n, n+1)
	w.end(j, rapid.SampledFrom([]alert.DeliveryState{alert.Delivered, alert.Delivered, alert.Pending, alert.Dead}).Draw(w.t, "ends as"))
}

func (w *aliasWorld) end(j alert.Job, state alert.DeliveryState) {
	now := w.now()
	o := outcome(j, state, at(now))
	if !j.Kind.InThread() && j.Card.TS != "" && j.Card.Version >= j.Incident.Version {
		o.State = alert.Superseded
	}
	switch {
	case j.Kind == alert.Update && j.Card.TS == "":
		o.State, o.Kind = alert.Pending, j.NewCardKind()
		w.spare[j.ID] = true
	case o.State != alert.Superseded && j.Kind == alert.Post && j.Card.TS != "" && !j.Card.Digest:
		if !w.spare[j.ID] {
			w.t.Fatalf("%s would be a second card of %s", j.ID, j.Incident.ID)
		}
		if !j.Unsure { // as the outbox decides
			o.State, o.Kind = alert.Pending, alert.Update
		}
	}
	if o.State == alert.Delivered {
		w.posted++
		o.Sent.TS = fmt.Sprintf("100.%06d", w.posted)
		if j.Kind == alert.Update {
			o.Sent.TS = j.Card.TS
		}
		o.Sent.Conversation = ""
		for id, names := range conversations {
			if j.Lane == id || slices.Contains(names, j.Lane) {
				o.Sent.Conversation = id
			}
		}
		if j.Known != "" && o.Sent.Conversation != j.Known {
			w.t.Fatalf("%s is known as %s", j.Lane, j.Known)
		}
	}
	w.naming(func() error { // a post tells the id of its conversation
		err := w.d.Finish(context.Background(), o)
		if errors.Is(err, alert.ErrNotFound) && len(w.spare) > 0 {
			return nil // a post that was retried before it is in a digest, which shows the same
		}
		return err
	})
	if o.State == alert.Dead { // and with a digest all its posts
		for _, d := range w.deliveries(alert.Dead) {
			w.spare[d.ID] = true
		}
	}
}

// check compares the ledger with the rows, and has no incident shown twice.
func (w *aliasWorld) check(*rapid.T) {
	l, err := w.d.Ledger(context.Background())
	w.ok(err)
	if l.Total.Accepted != int64(len(w.alerts)) || l.Total.Pending != w.d.Pending() {
		w.t.Fatalf("ledger %+v of %d alerts, %d pending", l.Total, len(w.alerts), w.d.Pending())
	}
	rows := map[column]int64{}
	w.ok(w.d.each(context.Background(), "SELECT l.name, a.standing, count(*) FROM alerts a JOIN lanes l ON l.n = a.lane GROUP BY l.name, a.standing",
		func(s scanner) error {
			var c column
			var n int64
			err := s.Scan(&c.lane, word(&c.standing), &n)
			rows[c] = n
			return err
		}))
	for _, lane := range l.Lanes {
		for standing, n := range byStanding(lane.Counts) {
			if rows[column{lane.Lane, standing}] != n {
				w.t.Fatalf("ledger says %d %s in %s, the rows say %d", n, standing, lane.Lane, rows[column{lane.Lane, standing}])
			}
		}
	}
	posts := map[cardKey]int{}
	w.ok(w.d.each(context.Background(), "SELECT id, incident, lane FROM deliveries WHERE stage IN (0, 1) AND kind = {post} AND state = {pending}",
		func(s scanner) error {
			var at cardKey
			var id string
			err := s.Scan(&id, &at.incident, &at.lane)
			if w.spare[id] {
				return err
			}
			if posts[at]++; posts[at] > 1 {
				w.t.Fatalf("incident %d waits twice to be posted in lane %d", at.incident, at.lane)
			}
			return err
		}))
}

// settleAll delivers everything that is left and looks at each alert.
func (w *aliasWorld) settleAll() {
	for _, j := range w.sending {
		w.end(j, alert.Delivered)
	}
	for range 1000 {
		lanes, err := w.d.Lanes(context.Background())
		w.ok(err)
		if len(lanes) == 0 {
			break
		}
		for _, lane := range lanes {
			j, _, err := w.d.Claim(context.Background(), alert.Claim{Lane: lane, Now: at(w.now() + 10_000), Posts: true, Updates: true})
			w.ok(err)
			if j.ID != "" {
				w.end(j, alert.Delivered)
			}
		}
	}
	w.check(nil)
	if n := w.d.Pending(); n != 0 {
		w.t.Fatalf("%d alerts are pending for ever", n)
	}
}
