package alert

// Urgent reports whether what waits for an incident goes to the front of its
// lanes.
func (i Incident) Urgent() bool { return i.Severity == Critical && i.State != StateResolved }

// CardQueue describes the unfinished deliveries of one card.
type CardQueue struct {
	// Waiting is set when there are any, so that the next one goes behind them.
	Waiting bool
	// Redraws is set when one of them is pending and will show the newest state.
	Redraws bool
	// Posts is set when one of them is a post.
	Posts bool
	// InDigest is set when the card is a digest.
	InDigest bool
	// Reply is the note of the last reply if another note can be added to it, or nil.
	Reply *Note
}

// Placement is what becomes of a new delivery.
type Placement int

// The placements: it joins the queue of its card, it is left out because another
// delivery in the queue will show the same, the digest's next edit shows it, or the
// last reply says it: that is CardQueue.Reply now, or is not needed any more if that
// is nil.
const (
	Queued Placement = iota
	LeftOut
	ShownByDigest
	Folded
)

// Count adds an unfinished delivery.
func (q *CardQueue) Count(kind Kind, state DeliveryState) {
	q.Waiting = true
	q.Redraws = q.Redraws || state == Pending && !kind.InThread()
	q.Posts = q.Posts || kind == Post
}

// Place decides what becomes of a new delivery for an incident, which is nil when
// the change does not include it. An update of an incident that is in a digest
// and needs its own card becomes the post of that card.
func (q *CardQueue) Place(d *Delivery, i *Incident) Placement {
	if q.InDigest && !q.Posts && !d.MustSay() {
		if d.Kind == Reply || i == nil || !i.NeedsCard() {
			return ShownByDigest
		}
		d.Kind = Post
	}
	if d.Kind == Update && q.Redraws {
		return LeftOut
	}
	if d.Kind.InThread() {
		return q.placeInThread(d)
	}
	return Queued
}

// placeInThread adds a new reply to the last one, or makes it the last one.
func (q *CardQueue) placeInThread(d *Delivery) Placement {
	last := q.Reply
	if q.Reply = nil; d.Kind != Reply || d.Note == nil || d.TopLevel {
		return Queued
	}
	if last != nil {
		if folded, ok := last.Fold(*d.Note); ok {
			q.Reply = folded
			return Folded
		}
	}
	q.Reply = d.Note
	return Queued
}
