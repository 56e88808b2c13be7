package alert

import (
	"slices"
	"strings"
)

const (
	// mostTexts is the most texts of alerts that one reply says.
	mostTexts = 4
	// briefText is how many characters of a text are said once a later one counts.
	briefText = 300
)

// Briefly returns a text, or the beginning of a long one, and whether it is all of it.
func Briefly(text string) (brief string, whole bool) {
	if EscapedLen(text) <= briefText {
		return text, true
	}
	return strings.TrimSpace(text[:pageEnd(text, briefText)]), false
}

// Outdated returns what a pending reply still says once an incident has a later text: no
// pages of the earlier one, and only its beginning. left is nil for nothing, and changed
// reports whether it is something else than n.
func (n Note) Outdated() (left *Note, changed bool) {
	if n.Latest && (n.Topic == TopicMore || n.Topic == TopicText) {
		return nil, true
	}
	said := n.Notes()
	for k := range said {
		one := &said[k]
		if !one.tellsText() {
			continue
		}
		if brief, whole := Briefly(one.Text); !whole {
			one.Text, one.Cut, changed = brief, true, true
		}
	}
	return together(said), changed
}

// together is one note that says several.
func together(said []Note) *Note {
	last := said[len(said)-1]
	last.Before = said[:len(said)-1]
	return &last
}

// tellsText reports whether a note says a title or text of a firing alert that is another
// one than before, or was.
func (n Note) tellsText() bool {
	switch n.Topic {
	case TopicFormer, TopicRefired, TopicReopened, TopicEscalated:
		return n.Text != "" || n.Title != ""
	}
	return false
}

// fewerTexts leaves out the oldest texts, other than that of the last note, where a reply
// has no room for all of them. How many is said.
func fewerTexts(said []Note) []Note {
	tells := func(n Note) bool { return n.tellsText() }
	for {
		texts := 0
		for _, n := range said {
			if n.tellsText() {
				texts++
			}
		}
		oldest := slices.IndexFunc(said[:max(len(said)-1, 0)], tells)
		if oldest < 0 || texts <= mostTexts && fitsReply(said) {
			return said
		}
		said = leaveOut(said, oldest)
	}
}

// leaveOut takes a text out of what a reply says, and counts it.
func leaveOut(said []Note, at int) []Note {
	left := said[at]
	left.Title, left.Text, left.Cut = "", "", false
	var instead []Note
	counted := slices.IndexFunc(said, func(n Note) bool { return n.Topic == TopicOthers })
	if counted < 0 {
		instead = append(instead, Note{Topic: TopicOthers, Count: 1})
	} else {
		said[counted].Count++
	}
	if left.Topic != TopicFormer && left.Topic != TopicRefired || len(left.Mention) > 0 {
		instead = append(instead, left)
	}
	return slices.Replace(said, at, at+1, instead...)
}
