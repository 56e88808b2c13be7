package alert

// Ended is a delivery for an incident that is delivered, superseded or dead, with
// what is known of its card.
type Ended struct {
	Kind  Kind
	State DeliveryState
	// Sent is the version of the incident that it has shown, Shown the one that the
	// card showed before.
	Sent, Shown int64
	// InDigest is set when the card is a digest, Held while the incident's own
	// card is held back, Redraws when another delivery will show the newest state.
	InDigest, Held, Redraws bool
}

// Settlement is what the end of a delivery means for its card and for the alerts
// of its incident that are pending in its lane.
type Settlement struct {
	// Card is set when the delivery's message is the card from now on.
	Card bool
	// Shown is the version up to which alerts have been shown; 0 is none.
	Shown int64
	// Dead is set when the other alerts are dead.
	Dead bool
}

// Settle decides what the end of a delivery means. With a dead one, the alerts die
// that nothing else will show: not those that the card shows already, that are
// held back, or that wait for an edit of a digest.
func (e Ended) Settle() Settlement {
	switch e.State {
	case Delivered:
		if e.Kind == Reply {
			return Settlement{}
		}
		return Settlement{Card: true, Shown: e.Sent}
	case Superseded:
		return Settlement{Shown: e.Shown}
	case Dead:
		if e.Kind == Post {
			return Settlement{Dead: true}
		}
		listed := e.Kind == Reply && e.InDigest
		return Settlement{Shown: e.Shown, Dead: !e.Held && !listed && !e.Redraws}
	}
	return Settlement{}
}

// Retried is the state and the class with which a dead letter is sent again after
// an attempt that failed in this way. One that Slack may have shown is looked for
// first.
func (c Class) Retried() (DeliveryState, Class) {
	if c == ClassUnsure {
		return Sending, c
	}
	return Pending, ""
}

// DigestEnding is what the end of a digest's own delivery means for the
// incidents it stands for.
type DigestEnding int

// The endings of a digest's delivery.
const (
	// DigestUnchanged: a part of its list has ended.
	DigestUnchanged DigestEnding = iota
	// DigestPosted: it is the card of all its incidents from now on.
	DigestPosted
	// DigestEdited: it shows the newest state of its incidents.
	DigestEdited
	// DigestCurrent: it showed that before.
	DigestCurrent
	// DigestLost: an edit is dead, and so are the alerts that wait for it.
	DigestLost
	// DigestUndone: it was never posted. Each post that it was made of becomes a
	// dead letter with its own alerts.
	DigestUndone
)

// EndDigest decides what it means that a digest's own delivery has ended.
// gathered is set while posts wait for the digest to be shown.
func EndDigest(kind Kind, state DeliveryState, gathered bool) DigestEnding {
	switch {
	case state == Dead && kind == Digest && gathered:
		return DigestUndone
	case kind == List:
		return DigestUnchanged
	case state == Dead:
		return DigestLost
	case state == Superseded:
		return DigestCurrent
	case kind == Digest:
		return DigestPosted
	}
	return DigestEdited
}
