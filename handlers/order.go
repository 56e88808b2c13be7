package handlers

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// Order is what a person wants, read from words: a slash command, a direct message, a
// mention, or the command line.
type Order struct {
	// Do is the command, such as list or ack; empty if the first word is none. Near is then
	// the most similar command, or empty.
	Do, Near string
	// Target says which incidents are meant.
	Target Target
	// To is who is assigned, as it was written: bob, @bob, me.
	To string
	// Text is a note, or the reason of a silence.
	Text string
	// Timed is set if a silence has an end. Silence returns its times.
	Timed bool
	times plan
	// rest is what follows the command.
	rest phrase
}

// Target is which incidents are meant. An empty one means none.
type Target struct {
	// IDs are ids. One that does not exist may be a word to search for: see Settled.
	IDs []string
	// Last is the latest incident.
	Last bool
	// All is set if all that the rest selects are meant, however many.
	All bool
	// Matchers, Words and Mine select as in alert.IncidentFilter.
	Matchers alert.Matchers
	Words    []string
	Mine     bool
	// Digest is the id of a digest; all that it shows are meant.
	Digest string
	// States are the states to list; empty if none were named.
	States []alert.State

	candidates []candidate
}

// Empty reports whether no incident was named in any way.
func (t Target) Empty() bool {
	return len(t.IDs)+len(t.Matchers)+len(t.Words) == 0 && !t.Last && !t.All && !t.Mine
}

// Silence is the id of a silence that was named in place of an incident; empty for none.
func (t Target) Silence() string {
	if len(t.Words) > 0 && silenceShape.MatchString(t.Words[0]) {
		return t.Words[0]
	}
	return ""
}

// named reports whether incidents were named by something else than words, which in a
// card's thread may be a note.
func (t Target) named() bool {
	return len(t.IDs) > 0 && len(t.Words) == 0 || len(t.Matchers) > 0 || t.Last || t.All || t.Mine
}

// Labelled is the matcher that may be meant by a word that was searched for in vain, such as
// host:db-1; empty for none.
func (t Target) Labelled() string {
	for _, word := range t.Words {
		name, value, ok := strings.Cut(word, ":")
		if m := alert.LabelMatcher(name, value); ok && labelName.MatchString(name) && value != "" && !strings.HasPrefix(value, "/") {
			return m.String()
		}
	}
	return ""
}

var labelName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// Filter selects the incidents in states that a target without ids means.
func (t Target) Filter(states ...alert.State) alert.IncidentFilter {
	f := alert.IncidentFilter{States: states, Matchers: t.Matchers, Words: t.Words, Latest: t.Last}
	if t.Last {
		f.Limit = 1
	}
	return f
}

// Parse reads what a person wants: "mute db-3 for 1h", "ack last", "what is open". The
// error is an *alert.InputError.
func Parse(text string) (Order, error) {
	c, rest, near := commandIn(read(text))
	if c.do == nil {
		return Order{Near: near, rest: rest}, nil
	}
	if c.parse == nil && c.name != "help" { // as in list silences
		return Order{}, &alert.InputError{Message: "that is another command", Hint: "Write `" + strings.TrimSpace("tocsin "+c.name+" "+rest.text) + "`."}
	}
	o, bad := c.order(rest)
	if bad != nil {
		return o, bad
	}
	return o, nil
}

// order reads what follows a command.
func (c command) order(rest phrase) (Order, *alert.InputError) {
	o, bad := Order{}, (*alert.InputError)(nil)
	if c.parse != nil {
		o, bad = c.parse(rest)
	}
	o.Do, o.rest = c.name, rest
	return o, bad
}

// Silence has the times of a silence. now is in the time zone of the person.
func (o Order) Silence(now time.Time) (alert.Silence, error) {
	s, bad := o.times.silence(now)
	if bad != nil {
		return s, bad
	}
	return s, nil
}

// Settled returns the order with ids and words told apart: an id that does not exist
// begins a note, or is a word to search for. known reports whether there is an incident
// of an id; its errors are returned.
func (o Order) Settled(known func(id string) (bool, error)) (Order, error) {
	var ids []string
	for n, c := range o.Target.candidates {
		if n > 0 && c.sure {
			ids = append(ids, c.id)
			continue
		}
		exists, err := known(c.id)
		switch {
		case err != nil:
			return o, err
		case exists || n == 0 && len(o.Target.candidates) > 1:
			ids = append(ids, c.id)
		case n == 0:
			return o.searching(c.id)
		default:
			o.Text = noteFrom(o.rest, c.word)
			o.Target.IDs = alert.Union(nil, ids)
			return o, nil
		}
	}
	if len(ids) > 0 {
		o.Target.IDs = alert.Union(nil, ids)
	}
	return o, nil
}

// searching is the order with its only id read as a word. The id stays, for the answer if
// nothing is found.
func (o Order) searching(id string) (Order, error) {
	found := Order{Target: Target{Words: []string{id}}, To: o.To, Text: o.Text, Timed: o.Timed, times: o.times}
	if o.To == "" && !o.Timed {
		var bad *alert.InputError
		if found, bad = parseSearch(o.rest); bad != nil {
			return o, bad
		}
	}
	found.Do, found.rest, found.Target.IDs = o.Do, o.rest, []string{id}
	return found, nil
}

// commandIn finds the command that a phrase begins with, and what follows it; or the name
// of the most similar command. Questions such as "what is open" are lists.
func commandIn(said phrase) (c command, rest phrase, near string) {
	said = inOurWords(said)
	if len(said.words) == 0 {
		c, _ = commandOf("help")
		return c, said, ""
	}
	first := strings.TrimPrefix(said.words[0].key, "/")
	rest = said.from(1)
	c, near = commandOf(first)
	asked := c.do == nil && isQuestion(first)
	if c.name == "show" {
		rest, asked = withoutQuestion(rest)
	}
	asksForList := c.name == "show" && onlyListWords(rest, 1) || asked && onlyListWords(rest, 2)
	list, _ := commandOf("list")
	switch {
	case asksForList:
		return list, rest, ""
	case c.do == nil && onlyListWords(said, 1): // open critical
		return list, said, ""
	}
	return c, rest, near
}

// withoutQuestion is what follows show without the "me what" of show me what is open, and
// whether that was there.
func withoutQuestion(p phrase) (rest phrase, asked bool) {
	n := slices.IndexFunc(p.words, func(w token) bool { return !saysNothing(w.key) })
	if n < 0 || !isQuestion(p.words[n].key) {
		return p, false
	}
	return p.from(n + 1), true
}

func isQuestion(word string) bool {
	return slices.Contains([]string{"what", "what's", "what’s", "whats", "which", "anything", "any"}, word)
}

// onlyListWords reports whether a phrase names states or severities, and otherwise has only
// words that say nothing. In a question (least 2) a state must be among them, and other
// words may be searched for.
func onlyListWords(p phrase, least int) bool {
	states, severities, others := 0, 0, 0
	for _, w := range p.words {
		_, severe := severityOf(w.key)
		switch {
		case len(listStates()[w.key]) > 0 || w.key == "mine" || w.key == "my":
			states++
		case severe:
			severities++
		case !saysNothing(w.key):
			others++
		}
	}
	if least > 1 {
		return states > 0
	}
	return states+severities > 0 && others == 0
}

// saysNothing reports whether a word only makes a sentence of the others.
func saysNothing(word string) bool {
	return slices.Contains([]string{
		"the", "a", "an", "of", "on", "for", "in", "at", "with", "and", "is", "are", "me", "us", "there", "them", "these", "those", "please", "pls",
		"now", "right", "currently", "still", "to", "incident", "incidents", "alert", "alerts", "that",
	}, word)
}

// noteFrom is the note that begins with the n-th word of a phrase.
func noteFrom(p phrase, n int) string { return strings.TrimLeft(p.from(n).prose(), ":-–— ") }

// parseAct reads which incidents are meant, and a note: k7f2, k7f3 looking into it; last;
// all critical; service=db: looking into it; disk db-3.
func parseAct(p phrase) (Order, *alert.InputError) {
	for len(p.words) > 0 && saysNothing(p.words[0].key) {
		p = p.from(1)
	}
	if len(p.words) == 0 {
		return Order{}, &alert.InputError{Message: "which incident?", Hint: "Name it by its id, for example k7f2, by a word of its title, or write `last`; `list` shows what is open."}
	}
	switch first := p.words[0].key; {
	case slices.Contains([]string{"last", "latest", "newest"}, first):
		return parseLast(p.from(1))
	case slices.Contains([]string{"it", "this", "one"}, first): // not in a thread, see settledIn
		return parseAct(phrase{})
	}
	if _, isID := idsOf(p.words[0], 0); !isID {
		return parseSearch(p)
	}
	ids, behind, bad := parseIDs(p)
	o := Order{Target: Target{candidates: ids}, Text: noteFrom(p, behind)}
	for _, c := range ids {
		o.Target.IDs = alert.Union(o.Target.IDs, []string{c.id})
	}
	return o, bad
}

// parseLast reads what follows last: one, and a note. The last two are not the last one.
func parseLast(rest phrase) (Order, *alert.InputError) {
	if len(rest.words) > 0 && rest.words[0].key == "one" {
		rest = rest.from(1)
	}
	if len(rest.words) > 0 && len(rest.words) < 3 {
		_, isNumber := alert.LeadingDuration([]string{rest.words[0].key, "days"})
		more := rest.from(1)
		if isNumber == 2 && (len(more.words) == 0 || saysNothing(more.words[0].key)) {
			return Order{}, &alert.InputError{Message: "`last` is one incident", Hint: "Name several by their ids, as in `ack k7f2 k7f3`; `list` shows what is open, and `all` asks about all of it."}
		}
	}
	return Order{Target: Target{Last: true}, Text: noteFrom(rest, 0)}, nil
}

// maxWords is how many words a search may have.
const maxWords = 10

// parseSearch reads matchers, severities and words to search for, in any order. A note
// begins behind a colon or "because".
func parseSearch(p phrase) (Order, *alert.InputError) {
	o, m := Order{}, newMatcherText(p)
	for n, word := range m.words {
		if n > 0 && slices.Contains([]string{"because", "-", "--", "–", "—"}, word.key) {
			o.Text = noteFrom(m.phrase, n+1)
			break
		}
		if m.addMatcher(n) {
			continue
		}
		if !o.Target.readWord(word.key) && !m.severity(n) && !m.addChannel(n) {
			o.Target.Words = append(o.Target.Words, searched(m.raw(n)))
		}
		if strings.HasSuffix(m.raw(n), ":") {
			o.Text = noteFrom(m.phrase, n+1)
			break
		}
	}
	if len(o.Target.Words) > maxWords {
		return o, &alert.InputError{Message: "these are too many words to search for", Hint: "Name an incident by its id or by one or two words of its title; a note begins behind a colon."}
	}
	var bad *alert.InputError
	o.Target.Matchers, bad = m.matchers()
	return o, bad
}

// readWord reads a word that is not searched for, and reports whether it is one.
func (t *Target) readWord(word string) bool {
	switch {
	case slices.Contains([]string{"all", "everything", "every"}, word):
		t.All = true
	case word == "mine" || word == "my":
		t.Mine = true
	default:
		return saysNothing(word)
	}
	return true
}

// searched is a word as it is searched for: in lower case, without marks around it.
func searched(raw string) string { return strings.ToLower(trim(phrase{text: raw}.code())) }

// parseAssign reads which incidents are meant, a person and a note: k7f2 bob can you look;
// @ann k7f2; all critical to bob.
func parseAssign(p phrase) (Order, *alert.InputError) {
	for len(p.words) > 0 && p.words[0].key == "to" {
		p = p.from(1)
	}
	at := personIn(p)
	if at < 0 || at >= len(p.words) {
		o, bad := parseAct(p)
		switch {
		case bad != nil:
		case len(o.Target.IDs) > 0:
			bad = &alert.InputError{Message: "assign it to whom?", Hint: "Write `assign " + o.Target.IDs[0] + " @ann`, or `me`."}
		default:
			bad = &alert.InputError{Message: "assign it to whom?", Hint: "Write `assign k7f2 @ann`, or `me`."}
		}
		return o, bad
	}
	target, note := p.until(at), noteFrom(p, at+1)
	if at > 0 && p.words[at-1].key == "to" {
		target = p.until(at - 1)
	}
	if at == 0 {
		target, note = p.from(1), ""
	}
	o, bad := parseAct(target)
	o.To = p.words[at].raw
	o.Text = strings.TrimSpace(o.Text + " " + note)
	return o, bad
}

// allIDs reports whether every word is an incident's id.
func allIDs(p phrase) bool {
	for n, w := range p.words {
		if _, is := idsOf(w, n); !is {
			return false
		}
	}
	return true
}

// personIn returns the index of the word that names a person, or -1: one that can be
// nothing else, one behind "to", or the one behind what names incidents.
func personIn(p phrase) int {
	for n, w := range p.words {
		if looksLikePerson(w) && !strings.Contains(w.raw, "=") {
			return n
		}
	}
	for n, w := range p.words {
		if w.key == "to" {
			return n + 1
		}
	}
	if len(p.words) > 1 && allIDs(p.from(1)) && !allIDs(p) { // bob k7f2
		return 0
	}
	return behindIncidents(p)
}

// behindIncidents returns the index of the word behind what names incidents, or -1.
func behindIncidents(p phrase) int {
	m := newMatcherText(p)
	for n, w := range p.words {
		_, isID := idsOf(w, n)
		_, severe := severityOf(w.key)
		switch {
		case isID, severe, saysNothing(w.key), slices.Contains([]string{"all", "everything", "last", "latest"}, w.key):
		case n < len(m.words) && m.addMatcher(n):
		case n == 0: // a word to search for
			return 1
		default:
			return n
		}
	}
	return -1
}
