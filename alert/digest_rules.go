package alert

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// MustSay reports whether a note has to be sent even when a digest shows its
// incident. A digest shows the state of its incidents, but not what people
// write, what they are asked to do, or that a silence hides a critical one.
func (n *Note) MustSay() bool {
	return n != nil && slices.ContainsFunc(n.Notes(), Note.mustSay)
}

func (n Note) mustSay() bool {
	if len(n.Mention) > 0 {
		return true
	}
	switch n.Topic {
	case TopicNote, TopicUnanswered, TopicReminder, TopicHidden:
		return true
	case TopicAcked, TopicAssigned, TopicUnacked, TopicUnresolved:
		return n.Text != ""
	}
	return false
}

// MustSay reports whether a delivery is a reply that no digest replaces.
func (d Delivery) MustSay() bool {
	return d.Kind == Reply && d.Note != nil && (d.TopLevel || d.Note.MustSay())
}

// Notifies reports whether somebody is notified of a reply with this note: it mentions
// or asks people, is shown in the channel, or says that something got worse.
func (n *Note) Notifies() bool {
	return n != nil && slices.ContainsFunc(n.Notes(), Note.notifies)
}

func (n Note) notifies() bool {
	switch n.Topic {
	case TopicEscalated, TopicUnanswered, TopicReminder, TopicHidden:
		return true
	}
	return n.Worse || n.Broadcast || len(n.Mention) > 0
}

// SaysText reports whether a note is there for a text that the card shows the beginning of,
// or showed, or for its image.
func (n *Note) SaysText() bool {
	if n == nil {
		return false
	}
	switch n.Topic {
	case TopicMore, TopicText, TopicImage, TopicFormer, TopicOthers:
		return true
	}
	return n.Topic == TopicRefired && n.Latest
}

// Asks reports whether a delivery is a reply that asks somebody to act.
func (d Delivery) Asks() bool {
	return d.Kind == Reply && d.Note != nil && (d.Note.Topic == TopicUnanswered || d.Note.Topic == TopicReminder)
}

// NeedsCard reports whether an incident is too important for a line of a digest.
func (i Incident) NeedsCard() bool {
	return i.State == Open && i.Severity == Critical && !i.Hidden()
}

// BusyWithin is how long a lane remembers what it has shown: after more than
// Claim.DigestAbove incidents within that time, further ones are gathered.
const BusyWithin = 10 * time.Second

// Busy reports whether the lane has just shown more new incidents of a priority than
// people read one by one.
func (c Claim) Busy(priority int) bool {
	return c.DigestAbove > 0 && priority >= 0 && priority < len(c.Shown) && c.Shown[priority] > c.DigestAbove
}

// HeldUntil returns until when a post of a busy lane waits for others that one digest
// shows together with it, as long as in a backlog; zero if it does not wait.
func (c Claim) HeldUntil(d Delivery) time.Time {
	if d.Kind != Post || d.State != Pending || d.PossibleDuplicate || !c.Busy(d.Priority) || c.Now.Before(d.CreatedAt) {
		return time.Time{}
	}
	until := d.CreatedAt.Add(c.digestAfter(d.Priority))
	if !until.After(c.Now) {
		return time.Time{}
	}
	return until
}

// ForPriority returns the claim with the DigestAfter and DigestAbove of a priority. In a
// busy lane two posts are a digest, however young the second is.
func (c Claim) ForPriority(priority int) Claim {
	c.DigestAfter = c.digestAfter(priority)
	if c.Busy(priority) {
		c.DigestAbove, c.DigestAfter = 1, 0
	}
	return c
}

func (c Claim) digestAfter(priority int) time.Duration {
	if priority == PriorityCritical && c.DigestUrgentAfter > 0 {
		return c.DigestUrgentAfter
	}
	return c.DigestAfter
}

// Flooded reports whether the posts that wait in the lane become a digest. front
// are the lane's first deliveries of one priority, in order. A post from the future has
// waited since before the clock was put back; one that was decided during the claim is
// only slightly later.
func (c Claim) Flooded(front []Delivery) bool {
	if c.DigestAbove <= 0 {
		return false
	}
	waiting := 0
	for _, d := range front {
		young := d.CreatedAt.After(c.Now.Add(-c.DigestAfter)) && d.CreatedAt.Before(c.Now.Add(c.DigestAfter))
		if d.Kind == Post && d.State == Pending && !young {
			waiting++
		}
	}
	return waiting > c.DigestAbove
}

// Gathers reports whether the digest that this claim makes includes a delivery. A post
// that may be shown already is sent by itself, because a digest does not mark it.
func (c Claim) Gathers(d Delivery) bool {
	return d.Kind == Post && d.State == Pending && !d.PossibleDuplicate && c.Due(d)
}

// NewDigest returns the digest of a number of posts of one lane, the first of
// which is given, and the delivery that posts it.
func NewDigest(first Delivery, members int, now time.Time) (Incident, Delivery) {
	i := Incident{
		ID: "digest-" + NewID(), Route: "digest", Version: 1, State: StateDigest, Severity: Error, Count: members,
		Title: fmt.Sprintf("%d alerts in one digest", members), FirstAt: now, LastAt: now, Lanes: []string{first.Lane},
	}
	if first.Priority == 0 {
		i.Severity = Critical
	}
	return i, Delivery{
		ID: NewID(), Lane: first.Lane, Kind: Digest, State: Pending, Incident: i.ID, Priority: first.Priority,
		CreatedAt: first.CreatedAt, NextAt: now,
	}
}

// Waiting is an unfinished delivery in the queue of one card.
type Waiting struct {
	Delivery
	// Gathered is set when the delivery is a post that a digest will show, Claimable
	// when a claim can return it: it is the first of its queue and not gathered.
	Gathered, Claimable bool
}

// Member is one incident of a digest with what waits for its card, in order.
type Member struct {
	Incident Incident
	Waiting  []Waiting
}

// claimable reports whether a claim can return something of the queue. Then
// nothing in it waits for the digest: the digest was posted before, or the
// incident has its own card.
func (m Member) claimable() bool {
	return slices.ContainsFunc(m.Waiting, func(w Waiting) bool { return w.Claimable })
}

// Followup is what happens to the deliveries that wait for the cards of a
// digest's members.
type Followup struct {
	// OwnCards are updates that become posts: their incidents get their own cards.
	OwnCards []Waiting
	// Listed are superseded, because the digest shows what they would have shown.
	Listed []Waiting
	// Repeated are superseded, because another one asks the same people the same.
	Repeated []Waiting
	// Next become claimable: they are the first of their queues now.
	Next []Waiting
}

// AfterGathering decides what happens to the deliveries behind the posts that a
// digest was made of.
func AfterGathering(members []Member) Followup {
	var f Followup
	for _, m := range members {
		f.list(m)
	}
	return f
}

// AfterShowing decides what is still sent once a digest is posted: the replies
// that it does not replace, and a card for each incident that became critical
// meanwhile.
func AfterShowing(members []Member) Followup {
	var f Followup
	for n := range members {
		if !f.giveCard(&members[n]) {
			f.list(members[n])
		}
	}
	f.keepFirstAsking(members)
	f.advance(members)
	return f
}

// AfterAsking decides what is still sent when another reply asks somebody to act.
func AfterAsking(members []Member) Followup {
	var f Followup
	if f.keepFirstAsking(members); len(f.Repeated) > 0 {
		f.advance(members)
	}
	return f
}

// AfterGivingUp decides what comes next when the posts of a digest are dead
// letters.
func AfterGivingUp(members []Member) Followup {
	var f Followup
	f.advance(members)
	return f
}

// giveCard turns the waiting update of an incident that needs a card into its
// post.
func (f *Followup) giveCard(m *Member) bool {
	if !m.Incident.NeedsCard() || m.claimable() {
		return false
	}
	for n := range m.Waiting {
		if w := &m.Waiting[n]; w.Kind == Update {
			w.Kind = Post
			f.OwnCards = append(f.OwnCards, *w)
			return true
		}
	}
	return false
}

// list supersedes what the digest shows.
func (f *Followup) list(m Member) {
	if m.claimable() {
		return
	}
	for _, w := range m.Waiting {
		if !w.Gathered && !w.MustSay() {
			f.Listed = append(f.Listed, w)
		}
	}
}

// keepFirstAsking keeps the first of the replies that ask the same people the same:
// nobody is pinged a thousand times for one flood.
func (f *Followup) keepFirstAsking(members []Member) {
	var asking []Waiting
	for _, m := range members {
		for _, w := range m.Waiting {
			if w.Asks() && !w.TopLevel {
				asking = append(asking, w)
			}
		}
	}
	slices.SortFunc(asking, func(a, b Waiting) int { return cmp.Compare(a.Seq, b.Seq) })
	asked := map[string]bool{}
	for _, w := range asking {
		what := fmt.Sprint(w.Note.Topic, w.Note.Mention, w.Note.Text)
		if asked[what] && w.State == Pending {
			f.Repeated = append(f.Repeated, w)
		}
		asked[what] = true
	}
}

// advance makes the first of each queue claimable, unless it is gathered.
func (f *Followup) advance(members []Member) {
	superseded := map[int64]bool{}
	for _, list := range [][]Waiting{f.Listed, f.Repeated} {
		for _, w := range list {
			superseded[w.Seq] = true
		}
	}
	for _, m := range members {
		first := slices.IndexFunc(m.Waiting, func(w Waiting) bool { return !superseded[w.Seq] })
		if first < 0 {
			continue
		}
		if w := m.Waiting[first]; !w.Gathered && !w.Claimable {
			f.Next = append(f.Next, w)
		}
	}
}
