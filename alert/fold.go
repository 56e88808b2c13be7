package alert

import "slices"

// MostMentions is the most people and groups that one message pings.
const MostMentions = 10

// A reply says about one page. These are the most characters that a note needs for what
// was done and by whom, and for each mention.
const (
	noteHead = 250
	notePing = 50
)

// Notes are the notes that a reply says, in order.
func (n Note) Notes() []Note {
	own := n
	own.Before = nil
	return append(slices.Clone(n.Before), own)
}

// Broadcasts reports whether the reply is shown in the channel as well.
func (n Note) Broadcasts() bool {
	return slices.ContainsFunc(n.Notes(), func(one Note) bool { return one.Broadcast })
}

// Fold adds a note to a reply that is still pending. It returns what the reply says
// then, or nil if there is nothing left to say: the incident was resolved and fires
// again, or the other way round. ok is false if next needs a reply of its own.
//
// What a person wrote, a void acknowledgement, whatever got worse and a mention are
// always kept. So are the latest texts of alerts, and how many more there were.
func (n Note) Fold(next Note) (folded *Note, ok bool) {
	if n.Topic == TopicMembers && next.Topic == TopicMembers {
		return n.andMembers(next)
	}
	if !n.folds() || !next.folds() {
		return nil, false
	}
	undone := false
	said := slices.DeleteFunc(n.Notes(), func(earlier Note) bool {
		undoes := next.undoes(earlier) && !earlier.keeps()
		undone = undone || undoes
		return undoes || next.replaces(earlier)
	})
	if !undone || next.keeps() {
		said = append(said, next)
	}
	if len(said) == 0 {
		return nil, true
	}
	if said = fewerTexts(said); !fitsReply(said) {
		return nil, false
	}
	return together(said), true
}

// andMembers is a note about members of a group with what the next one says of them, if one
// page can name them all. One that names all of the group since its beginning stays alone.
func (n Note) andMembers(next Note) (both *Note, ok bool) {
	if n.From == 0 || n.More > 0 && next.Count > 0 || n.From+n.Count+n.More != next.From || n.Count+next.Count > MembersPage {
		return nil, false
	}
	next.From, next.Count, next.More = n.From, n.Count+next.Count, n.More+next.More
	next.Over, next.Again = n.Over+next.Over, n.Again+next.Again
	return &next, true
}

// folds reports whether a note may share a reply with others. Pages have to follow what
// they continue, and a reply that asks somebody to act stands alone.
func (n Note) folds() bool {
	switch n.Topic {
	case TopicResolved, TopicReopened, TopicEscalated, TopicRefired, TopicAcked, TopicAssigned, TopicNote, TopicSilenced,
		TopicUnacked, TopicUnresolved, TopicUnsilenced, TopicUninhibited, TopicFlapping, TopicStable, TopicFormer, TopicOthers:
		return true
	}
	return false
}

// keeps reports whether a note has something that nothing else shows.
func (n Note) keeps() bool {
	switch n.Topic {
	case TopicEscalated:
		return true
	case TopicResolved, TopicStable:
		return n.Text != "" || n.mustSay()
	case TopicReopened:
		return n.To != (Person{}) || n.Worse || n.tellsText() || n.mustSay()
	case TopicRefired:
		return n.tellsText() || n.mustSay()
	}
	return n.mustSay()
}

// undoes reports whether two notes together say that nothing has changed.
func (n Note) undoes(earlier Note) bool {
	return n.Topic == TopicResolved && earlier.Topic == TopicReopened || n.Topic == TopicReopened && earlier.Topic == TopicResolved
}

// replaces reports whether a note makes an earlier one needless.
func (n Note) replaces(earlier Note) bool {
	if len(earlier.Mention) > 0 {
		return false
	}
	switch n.Topic {
	case TopicSilenced, TopicUnsilenced, TopicUninhibited:
		return earlier.ofSilence() && (earlier.Text == "" || n.Text == earlier.Text)
	case TopicEscalated:
		return earlier.Topic == TopicEscalated && n.asBadAs(earlier) && (!earlier.tellsText() || n.sameText(earlier))
	case TopicFlapping, TopicStable:
		return earlier.ofFlapping() && !earlier.keeps()
	case TopicNote:
		return false
	}
	return n.repeats(earlier)
}

// repeats reports whether a note says all that an earlier one does. One that it fires
// again may say whose acknowledgement is void, and how bad it is.
func (n Note) repeats(earlier Note) bool {
	same := n.Topic == earlier.Topic && n.sameText(earlier) && n.By == earlier.By
	if n.Topic != TopicReopened {
		return same
	}
	return same && (earlier.To == (Person{}) || n.To == earlier.To) && (!earlier.Worse || n.Worse && n.asBadAs(earlier))
}

func (n Note) sameText(other Note) bool { return n.Text == other.Text && n.Title == other.Title }

// asBadAs reports whether a note says at least the severity of an earlier one.
func (n Note) asBadAs(earlier Note) bool { return n.Severity.Rank() <= earlier.Severity.Rank() }

func (n Note) ofSilence() bool {
	return n.Topic == TopicSilenced || n.Topic == TopicUnsilenced || n.Topic == TopicUninhibited
}

// ofFlapping reports whether a note says what an incident that flaps does over and
// over.
func (n Note) ofFlapping() bool {
	switch n.Topic {
	case TopicResolved, TopicReopened, TopicRefired, TopicFlapping, TopicStable:
		return true
	}
	return false
}

// fitsReply reports whether one reply can say the notes completely. What counts the texts
// that are left out needs one line.
func fitsReply(said []Note) bool {
	if len(said) > 0 && said[0].Topic == TopicOthers {
		said = said[1:]
	}
	length, pings := 0, 0
	for _, n := range said {
		pings += len(n.Mention)
		length += noteHead + notePing*len(n.Mention) + EscapedLen(n.Text)
	}
	return len(said) == 1 || length <= PageSize && pings <= MostMentions
}
