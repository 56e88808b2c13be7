package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// compareThread says how the thread differs from the notes of the story: their
// order, and each word of each long text.
func (s *story) compareThread(card playground.Message, thread []playground.Message) string {
	var said, want []alert.Topic
	ends := map[string]bool{}
	for _, n := range s.notes {
		want = append(want, n.topic)
		if n.topic == alert.TopicResolved && n.by.long() {
			want, ends[n.by.tag] = append(want, alert.TopicMore), true
		}
	}
	words := map[string][]string{}
	for _, m := range thread {
		topics, about := topicsOf(m.Text)
		if about != "" && !ends[about] {
			topics[0] = alert.TopicText
		}
		if n := len(said); about == "" || n == 0 || said[n-1] != topics[0] || len(words[about]) == 0 {
			said = append(said, topics...)
		}
		if len(m.Files) > 0 { // it has the whole text
			words[about] = nil
		}
		for _, w := range shownWord.FindAllStringSubmatch(withoutFormer(m.Text), -1) {
			words[w[1]] = append(words[w[1]], w[0])
		}
	}
	if s.flaps > 0 && len(thread) > mostForFlaps*s.flaps {
		return fmt.Sprintf("THREAD: it has %d replies for %d requests in which it flapped", len(thread), s.flaps)
	}
	if !folds(want, said) {
		return fmt.Sprintf("THREAD: it says %v, want %v (%v)", said, want, s.notes)
	}
	flaps := slices.ContainsFunc(said, ofFlapping)
	for _, n := range s.notes {
		if flaps && n.topic == alert.TopicResolved && len(words[n.by.tag]) == 0 {
			continue
		}
		if wrong := n.complete(words[n.by.tag], s.latest, card); wrong != "" {
			return wrong
		}
	}
	return ""
}

// mostForFlaps is the most replies for a request in which an incident flaps: how that
// began and ended, that it flaps, and that it is stable again.
const mostForFlaps = 4

// folds reports whether a thread says what it has to. Notes that were pending at the
// same time may have become one reply: then what was undone or said again is left out,
// but no note of a person, no page of what the end says and not how it ended. A text that
// fires is left out for later ones, and its pages come after what was said together with it. What the card said before may be said. While an incident flaps, its thread says neither that
// it is resolved nor that it fires again, and nothing of what those that resolved it said
// but the last. That it flaps may be left out for that it is stable again.
func folds(want, said []alert.Topic) bool {
	flaps := slices.ContainsFunc(said, ofFlapping)
	said = slices.DeleteFunc(slices.Clone(said), func(t alert.Topic) bool {
		return ofFlapping(t) || t == alert.TopicFormer || t == alert.TopicOthers || t == alert.TopicText
	})
	rest := want
	for _, topic := range said {
		at := slices.Index(rest, topic)
		if at < 0 {
			return false
		}
		rest = rest[at+1:]
	}
	kept := func(all []alert.Topic) (must, over []alert.Topic) {
		for _, topic := range all {
			switch {
			case topic == alert.TopicNote, topic == alert.TopicMore && !flaps:
				must = append(must, topic)
			case topic == alert.TopicResolved, topic == alert.TopicReopened:
				over = append(over, topic)
			}
		}
		return must, over
	}
	mustWant, overWant := kept(want)
	mustSaid, overSaid := kept(said)
	stays := flaps || slices.Equal(last(overSaid), last(overWant)) ||
		len(overSaid) == 0 && (slices.Equal(last(overWant), []alert.Topic{alert.TopicReopened}) || !slices.Equal(overWant[:1], last(overWant))) // it is again as the card shows it
	return stays && slices.Equal(mustWant, mustSaid) && slices.Contains(want, alert.TopicEscalated) == slices.Contains(said, alert.TopicEscalated)
}

// ofFlapping reports whether a note says that an incident flaps or no longer does.
func ofFlapping(t alert.Topic) bool { return t == alert.TopicFlapping || t == alert.TopicStable }

// last is the last one of all, or none.
func last(all []alert.Topic) []alert.Topic { return all[max(len(all)-1, 0):] }

// topicMarks are what a line of a reply has in front that begins a note.
func topicMarks() map[string]alert.Topic {
	return map[string]alert.Topic{
		" Before": alert.TopicFormer, " said something else: ": alert.TopicOthers,
		" Resolved": alert.TopicResolved, " Firing again": alert.TopicReopened, " Now ": alert.TopicEscalated, " Fired again": alert.TopicRefired,
		" Acknowledged by oracle": alert.TopicAcked, " Note by oracle": alert.TopicNote,
		" Flapping": alert.TopicFlapping, " Stable again": alert.TopicStable, " Nobody has acknowledged this": alert.TopicUnanswered,
	}
}

// withoutFormer is a reply without what the card said before.
func withoutFormer(text string) string {
	var left strings.Builder
	former := false
	for line := range strings.Lines(text) {
		for mark, topic := range topicMarks() {
			if strings.Contains(line, mark) {
				former = topic == alert.TopicFormer
			}
		}
		if !former {
			left.WriteString(line)
		}
	}
	return left.String()
}

// topicsOf tells the kinds of notes that a reply says apart, and whose text goes on if it
// is a page of one.
func topicsOf(text string) (topics []alert.Topic, about string) {
	marks := topicMarks()
	for line := range strings.Lines(text) {
		for mark, topic := range marks {
			if strings.Contains(line, mark) {
				topics = append(topics, topic)
			}
		}
	}
	if len(topics) > 0 {
		return topics, ""
	}
	if found := shownWord.FindStringSubmatch(text); found != nil {
		return []alert.Topic{alert.TopicMore}, found[1]
	}
	return []alert.Topic{alert.Topic("unknown: " + text)}, ""
}

// complete checks the words of one note: to the last one, in order, without a
// gap, and from where the card leaves off if the card still shows that text.
func (n note) complete(got []string, latest *sent, card playground.Message) string {
	words := n.by.words
	said := slices.Contains([]alert.Topic{alert.TopicResolved, alert.TopicText}, n.topic)
	replaced := n.topic == alert.TopicText && n.by != latest
	if words == 0 || !said || replaced && len(got) == 0 {
		return ""
	}
	first := words - len(got)
	if replaced {
		first, _ = strconv.Atoi(got[0][len(n.by.tag)+1:])
	}
	for i, w := range got {
		if w != n.by.word(max(first, 0)+i) {
			return fmt.Sprintf("TEXT of %s: word %d in the thread is %s, want %s", n.by.tag, i, w, n.by.word(max(first, 0)+i))
		}
	}
	switch {
	case n.topic == alert.TopicResolved && first != 0, first < 0, first > 200:
		return fmt.Sprintf("TEXT of %s: the thread has %d of %d words", n.by.tag, len(got), words)
	case n.topic == alert.TopicText && n.by == latest:
		return n.begins(card, first)
	}
	return ""
}

// begins checks that the card shows the words before the thread's first.
func (n note) begins(card playground.Message, first int) string {
	for i := range first {
		if !strings.Contains(card.Text, n.by.word(i)) {
			return fmt.Sprintf("TEXT of %s: neither card nor thread shows word %d of %d", n.by.tag, i, n.by.words)
		}
	}
	return ""
}

func TestTheOracleKnowsWhatAThreadMayLeaveOut(t *testing.T) {
	const resolved, reopened, note, flapping = alert.TopicResolved, alert.TopicReopened, alert.TopicNote, alert.TopicFlapping
	const stable, more = alert.TopicStable, alert.TopicMore
	for _, c := range []struct {
		want, said []alert.Topic
		ok         bool
	}{
		{[]alert.Topic{resolved, note, reopened}, []alert.Topic{resolved, note, reopened}, true},
		{[]alert.Topic{resolved, note, reopened}, []alert.Topic{note}, true},
		{[]alert.Topic{resolved, note, reopened}, []alert.Topic{resolved, reopened}, false},
		{[]alert.Topic{resolved, reopened, resolved}, []alert.Topic{resolved}, true},
		{[]alert.Topic{resolved, reopened, resolved}, []alert.Topic{resolved, reopened}, false},
		{[]alert.Topic{resolved, reopened, resolved}, []alert.Topic{resolved, flapping}, true},
		{[]alert.Topic{resolved, reopened, note}, []alert.Topic{flapping}, false},
		{[]alert.Topic{resolved, more, reopened, note, resolved}, []alert.Topic{note, stable, resolved}, true},
		{[]alert.Topic{resolved, more, reopened, note, resolved}, []alert.Topic{note, resolved}, false},
		{[]alert.Topic{reopened, alert.TopicText, note, resolved, reopened, alert.TopicText}, []alert.Topic{reopened, note, alert.TopicText, resolved, reopened}, true},
		{[]alert.Topic{reopened, resolved}, nil, true},
		{[]alert.Topic{resolved}, nil, false},
	} {
		if got := folds(c.want, c.said); got != c.ok {
			t.Errorf("want %v, said %v: right %t, want %t", c.want, c.said, got, c.ok)
		}
	}
}
