package alert

// Urgent reports whether what waits for an incident goes to the front of its
// lanes.
func (i Incident) Urgent() bool { return i.Severity == Critical && i.State != StateResolved }

// CardQueue is what is known of a card when more is to be sent to it.
type CardQueue struct {
	// Waiting is set when something is unfinished, so that what comes now goes
	// behind it.
	Waiting bool
	// Redraws is set when a pending delivery will show the newest state anyway.
	Redraws bool
	// Posts is set when a post is unfinished.
	Posts bool
	// InDigest is set when the card is a digest.
	InDigest bool
}

// Placement is what becomes of a new delivery.
type Placement int

// The placements: it joins the queue of its card, it is left out because the
// queue shows what it would show, or the next edit of the digest shows it.
const (
	Queued Placement = iota
	LeftOut
	ShownByDigest
)

// Count counts an unfinished delivery in.
func (q *CardQueue) Count(kind Kind, state DeliveryState) {
	q.Waiting = true
	q.Redraws = q.Redraws || state == Pending && !kind.InThread()
	q.Posts = q.Posts || kind == Post
}

// Place decides what becomes of a new delivery for an incident, which is nil when
// the change does not touch it. For an incident that needs a card of its own, an
// update of a digest becomes the post of that.
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
	return Queued
}
