package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/playground"
)

var (
	shownKey   = regexp.MustCompile(`oracle a\d{7} of (\w+)`)
	shownCount = regexp.MustCompile(`fired (\d+) times`)
	shownWord  = regexp.MustCompile(`(a\d{7})w(\d{4})`)
	// A digest stands for many incidents; its thread lists each of them.
	digestTitle = regexp.MustCompile(`^\S+ \d+ incidents? at once`)
)

// listBegin is how each part of that list begins.
const listBegin = "Complete list"

// exhibit is what the playground has shown: each story's cards and threads, and
// how often each delivery was posted.
type exhibit struct {
	journal  []playground.Entry
	channels map[string]string             // lane to Slack's id
	cards    map[string][]playground.Entry // key to the posts of its card, as they came
	digests  map[string]playground.Entry   // spot to the post of a digest
	listed   map[string][]playground.Entry // key to the digests that list it
	edits    map[string][]playground.Message
	threads  map[string][]playground.Message // ts of the card to what was said there
	now      map[string]playground.Message   // channel and ts to what is shown now
	posts    map[string][]int64              // delivery to the journal's numbers
	marks    []mark
	log      string               // of the daemon
	ids      map[string]string    // of the lanes that go by two names
	learnt   map[string]time.Time // lane to when the daemon knew the id of its name at the latest
	files    func(id string) []byte
	recorded func(delivery string) (ts string) // the message that the daemon has for it

	strangerID string
}

// spot is where a message is: channel and ts.
func spot(m playground.Message) string { return m.Channel + " " + m.TS }

func (o *oracle) collect() *exhibit {
	s := o.slack
	var log string
	for _, d := range o.all {
		log += d.log.String()
	}
	x := &exhibit{
		strangerID: o.strangerID, marks: o.marks, log: log, ids: o.ids, learnt: learntAt(log), journal: s.Journal(), channels: map[string]string{}, cards: map[string][]playground.Entry{},
		digests: map[string]playground.Entry{}, listed: map[string][]playground.Entry{}, edits: map[string][]playground.Message{}, threads: map[string][]playground.Message{},
		now: map[string]playground.Message{}, posts: map[string][]int64{},
	}
	x.files = func(id string) []byte {
		content, _ := s.File(id)
		return content
	}
	x.recorded = func(id string) string {
		var d struct {
			TS string `json:"ts"`
		}
		if ts, known := o.recorded[id]; known { // the daemon may have ended since
			return ts
		}
		if err := o.daemon.ask("/v1/deliveries/"+id, &d); err != nil {
			o.t.Error(err)
		}
		if d.TS != "" {
			o.recorded[id] = d.TS
		}
		return d.TS
	}
	for _, c := range s.Channels() {
		x.channels["#"+c.Name] = c.ID
		for _, m := range s.Messages(c.ID) {
			m.Channel = c.ID
			x.now[spot(m)] = m
		}
	}
	replaced := x.replaced()
	for _, e := range x.journal {
		if e.Message == nil || replaced[e.Seq] {
			continue
		}
		m := *e.Message
		m.Channel = e.Channel
		switch e.Kind {
		case playground.KindMessage:
			x.posted(e, m)
		case playground.KindMessageChanged:
			x.edits[spot(m)] = append(x.edits[spot(m)], m)
		}
	}
	return x
}

func (x *exhibit) posted(e playground.Entry, m playground.Message) {
	for _, id := range deliveriesOf(m) {
		x.posts[id] = append(x.posts[id], e.Seq)
	}
	if strings.HasPrefix(m.Channel, "D") {
		return // an answer to a person
	}
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		at := m.Channel + " " + m.ThreadTS
		x.threads[at] = append(x.threads[at], m)
		if digest, ok := x.digests[at]; ok {
			x.list(digest, m)
		}
		return
	}
	if digestTitle.MatchString(m.Text) {
		x.digests[spot(m)] = e
		return
	}
	if found := shownKey.FindStringSubmatch(m.Text); found != nil {
		x.cards[found[1]] = append(x.cards[found[1]], e)
	}
}

// list reads a part of the list in a digest's thread, in words or as a file. Notes of people are in that thread, too, and list nothing.
func (x *exhibit) list(digest playground.Entry, m playground.Message) {
	if len(m.Files) == 0 && !strings.HasPrefix(m.Text, listBegin) {
		return
	}
	text := m.Text
	for _, f := range m.Files {
		text += string(x.files(f.ID))
	}
	for _, found := range shownKey.FindAllStringSubmatch(text, -1) {
		x.listed[found[1]] = append(x.listed[found[1]], digest)
	}
}

func deliveryOf(m playground.Message) string {
	var payload struct {
		ID string `json:"delivery_id"`
	}
	if m.Metadata == nil || json.Unmarshal(m.Metadata.EventPayload, &payload) != nil {
		return ""
	}
	return payload.ID
}

// findings compares what has to be shown with what is; each finding names the
// alert, its incident and lane, and ends with the journal's lines about it.
func (x *exhibit) findings(pushers []*pusher) []string {
	var all []string
	for id, numbers := range x.posts {
		if len(numbers) > 1 {
			all = append(all, fmt.Sprintf("delivery %s was posted %d times\n%s", id, len(numbers), x.lines(id)))
		}
	}
	for _, p := range pushers {
		for _, s := range p.order {
			if wrong := x.story(s); wrong != "" {
				all = append(all, fmt.Sprintf("%s: %s\n%s", describe(s), wrong, x.lines(s.key)+x.logged(s)))
			}
		}
		all = append(all, x.disorder(p)...)
	}
	return slices.Concat(all, x.miscounted(pushers), x.hasty(), x.meddled())
}

func describe(s *story) string {
	return fmt.Sprintf("alert %s (the first of %d), incident %s (key %s), lane %s", s.opened().tag, len(s.alerts), s.opened().receipt.Incident, s.key, s.lane)
}

// story says what is wrong with how one story is shown, or is empty.
func (x *exhibit) story(s *story) string {
	cards := x.cards[s.key]
	digests := x.listed[s.key]
	if s.lane == shakyLane {
		return x.shaky(s)
	}
	switch {
	case len(digests) > 1+s.turns:
		return fmt.Sprintf("TWICE: %d digests list it", len(digests))
	case len(digests) > 0 && digests[0].Channel != x.channels[s.lane]:
		return "STRAYED: the digest that lists it is in " + digests[0].Channel
	case len(cards) == 0 && (s.doubtful || len(digests) > 0):
		return ""
	case len(cards) == 0:
		return "LOST: no card shows it, no digest lists it"
	case len(digests) > 0 && s.firstCritical.IsZero():
		return "TWICE: a digest lists it, and it has a card without having been critical"
	case len(cards) > 1:
		return fmt.Sprintf("TWICE: %d cards show it", len(cards))
	case cards[0].Channel != x.channels[s.lane]:
		return "STRAYED: its card is in " + cards[0].Channel
	}
	at := cards[0].Channel + " " + cards[0].Message.TS
	card := x.now[at]
	if wrong := s.compare(card); wrong != "" {
		return wrong + ": " + shown(card)
	}
	if wrong := backwards(append([]playground.Message{*cards[0].Message}, x.edits[at]...)); wrong != "" {
		return wrong
	}
	if len(digests) > 0 {
		return "" // what was said before it got its own card is in the list
	}
	return s.compareThread(card, x.inWords(x.threads[at]))
}

// inWords is a thread with what its files hold in the place of their messages.
func (x *exhibit) inWords(thread []playground.Message) []playground.Message {
	all := slices.Clone(thread)
	for n := range all {
		for _, f := range all[n].Files {
			all[n].Text = string(x.files(f.ID))
		}
	}
	return all
}

// shaky is story for the lane that is archived now and then. What it could not
// take is in the fallback, and what was shown before may be there once more.
func (x *exhibit) shaky(s *story) string {
	cards, digests := x.cards[s.key], x.listed[s.key]
	if len(cards)+len(digests) == 0 {
		if s.doubtful {
			return ""
		}
		return "LOST: nothing shows it, in its lane or in the fallback"
	}
	all := slices.SortedFunc(slices.Values(slices.Concat(cards, digests)), func(a, b playground.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	in := map[string]int{}
	for _, e := range all {
		if digestTitle.MatchString(e.Message.Text) {
			clear(in) // it replaces the cards that nobody could see
			continue
		}
		if in[e.Channel]++; in[e.Channel] > 1 {
			return fmt.Sprintf("TWICE: %d cards show it in %s", in[e.Channel], e.Channel)
		}
	}
	for _, e := range all {
		if e.Channel != x.channels[shakyLane] && e.Channel != x.channels[fallbackLane] {
			return "STRAYED: it is shown in " + e.Channel
		}
	}
	if len(digests) > 0 {
		return ""
	}
	last := cards[len(cards)-1]
	card := x.now[last.Channel+" "+last.Message.TS]
	if meant := strings.Contains(card.Text, "Meant for "+shakyLane); meant != (last.Channel == x.channels[fallbackLane]) {
		return fmt.Sprintf("it says that it was meant for another conversation: %t: %s", meant, shown(card))
	}
	if wrong := s.compare(card); wrong != "" {
		return wrong + ": " + shown(card)
	}
	return ""
}

// compare says how the card differs from the story's end.
func (s *story) compare(card playground.Message) string {
	switch {
	case !strings.Contains(card.Text, s.latest.title()):
		return "STALE: the card does not show " + s.latest.title()
	case strings.Contains(card.Text, "Resolved") != s.resolved:
		return fmt.Sprintf("STALE: the card does not show resolved=%t", s.resolved)
	case strings.Contains(card.Text, "Acknowledged by oracle") != (s.acked && !s.resolved):
		return fmt.Sprintf("STALE: the card does not show acknowledged=%t", s.acked && !s.resolved)
	case countOn(card) != s.count:
		return fmt.Sprintf("STALE: the card counts %d, want %d", countOn(card), s.count)
	}
	return ""
}

// countOn is how often a card says that it fired.
func countOn(card playground.Message) int {
	found := shownCount.FindStringSubmatch(card.Text)
	if found == nil && strings.Contains(card.Text, "never seen firing") {
		return 0
	}
	if found == nil {
		return 1
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return 0
	}
	return n
}

// backwards finds an edit that shows an older state than the one before.
func backwards(versions []playground.Message) string {
	for i := 1; i < len(versions); i++ {
		if before, after := countOn(versions[i-1]), countOn(versions[i]); after < before {
			return fmt.Sprintf("OUT OF ORDER: the card counted %d and then %d", before, after)
		}
	}
	return ""
}

// first is where a story was shown first: in a digest or as a card.
func (x *exhibit) first(s *story) (playground.Entry, bool) {
	var first playground.Entry
	for _, all := range [][]playground.Entry{x.listed[s.key], x.cards[s.key]} {
		if len(all) > 0 && (first.Seq == 0 || all[0].Seq < first.Seq) {
			first = all[0]
		}
	}
	return x.beforeItMoved(first), first.Seq > 0
}

// disorder finds first posts of one lane that are not shown in the order of
// acceptance.
func (x *exhibit) disorder(p *pusher) []string {
	var all []string
	byLane := map[string][]*story{}
	for _, s := range p.order {
		l, ok := x.first(s)
		if !ok || s.doubtful && len(p.doors) > 1 { // a replica that was stopped may take it in later
			continue
		}
		for _, earlier := range byLane[s.lane] {
			e, _ := x.first(earlier)
			if l.Seq < e.Seq && x.inOrder(earlier, s) && !s.goesAhead(earlier, l.At) {
				all = append(all, fmt.Sprintf("OUT OF ORDER in lane %s: %s was accepted before %s and is shown after it\n%s%s",
					s.lane, describe(earlier), describe(s), x.lines(earlier.key)+x.logged(earlier), x.lines(s.key)+x.logged(s)))
			}
		}
		byLane[s.lane] = append(byLane[s.lane], s)
	}
	return all
}

// inOrder says whether two stories of one conversation have to be shown in their
// order. Under two names they are two lanes until the daemon has delivered something
// under the name and thereby learnt the id.
func (x *exhibit) inOrder(earlier, later *story) bool {
	if earlier.opened().channel == later.opened().channel {
		return true
	}
	learnt, known := x.learnt[earlier.lane]
	return known && earlier.opened().pushed.After(learnt)
}

// learntAt finds when the daemon first logged that it had delivered something under
// each lane's name.
func learntAt(log string) map[string]time.Time {
	learnt := map[string]time.Time{}
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"msg":"delivered"`) {
			continue
		}
		var said struct {
			Time      time.Time
			Lane, Via string
		}
		if json.Unmarshal([]byte(line), &said) != nil || said.Via != "" {
			continue // a kill may have cut the line
		}
		if before, known := learnt[said.Lane]; !known || said.Time.Before(before) {
			learnt[said.Lane] = said.Time
		}
	}
	return learnt
}
