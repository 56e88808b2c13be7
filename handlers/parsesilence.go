package handlers

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/alert"
)

// maxWhy bounds a reason and a note, so that it fits a view.
const maxWhy = 1000

const silenceUsage = "write `silence service=db for 2h because of the upgrade`"

// parseSilence reads MATCHERS for 2h [because …] in almost any order; the reason
// comes last. Instead of matchers it accepts an incident's id, "last", or words to search
// for.
func parseSilence(p phrase) (Order, *alert.InputError) { return parseSilenceFor(p, 0) }

// parseMute is parseSilence for an hour, unless a time is named.
func parseMute(p phrase) (Order, *alert.InputError) { return parseSilenceFor(p, muteFor) }

// parseSilenceFor is parseSilence with a duration that holds if no time is named; 0 is none.
func parseSilenceFor(p phrase, otherwise time.Duration) (Order, *alert.InputError) {
	r := silenceReader{m: newMatcherText(p)}
	r.m.words = flagged(apart(r.m.words))
	for n := 0; n < len(r.m.words); {
		took, bad := r.readPart(n)
		if bad != nil {
			return r.order, bad
		}
		n += took
	}
	if !r.order.Timed && otherwise > 0 {
		r.order.Timed, r.order.times.ends = true, when{after: otherwise}
	}
	return r.complete()
}

type silenceReader struct {
	m     *matcherText
	order Order
	words []token // to search for
}

// readPart reads what begins at the n-th cell, and returns how many cells it took.
func (r *silenceReader) readPart(n int) (took int, bad *alert.InputError) {
	word, left := r.m.words[n], len(r.m.words)-n
	label := n+1 < len(r.m.words) && strings.IndexAny(r.m.raw(n+1), "=!") == 0
	reason := !label && slices.Contains([]string{"because", "reason", "cause"}, word.key)
	switch {
	case reason && word.flag:
		return r.readComment(n), nil
	case reason:
		r.order.Text = strings.TrimSpace(strings.TrimPrefix(r.m.from(n+1).prose()+" ", "of "))
		return left, nil
	case !word.flag && r.m.addMatcher(n):
		return 1, nil
	}
	return r.readOther(n)
}

// readOther reads a time, a target, or the reason, which follows both.
func (r *silenceReader) readOther(n int) (took int, bad *alert.InputError) {
	if took, bad = r.readTimes(r.m.words[n:]); took > 0 || bad != nil {
		return took, bad
	}
	if bad = r.misplaced(n); bad != nil {
		return 1, bad
	}
	if r.order.Timed && r.named() > 0 {
		r.order.Text = r.m.from(n).prose()
		return len(r.m.words) - n, nil
	}
	return 1, r.readTarget(n)
}

// readComment reads the reason behind a flag, which ends before the next flag, and returns how
// many cells that is.
func (r *silenceReader) readComment(n int) int {
	left := r.m.words[n+1:]
	if len(left) == 0 {
		return 1
	}
	end, took := len(r.m.text), slices.IndexFunc(left, func(w token) bool { return w.flag })
	if took >= 0 {
		end = left[took].at
	} else {
		took = len(left)
	}
	r.order.Text = strings.Trim(phrase{text: r.m.text[left[0].at:end]}.prose(), "\"'“”‘’ ")
	return took + 1
}

// flagged are the cells with flags, as of amtool, as the words that they stand for: -d is for,
// and --comment=x is because x.
func flagged(words []token) (all []token) {
	means := map[string]string{
		"-d": "for", "--duration": "for", "--for": "for", "--until": "until", "--end": "until", "--from": "from", "--start": "from",
		"-c": "because", "--comment": "because", "--because": "because", "--reason": "because", "-m": "because",
	}
	for _, w := range words {
		name, value, glued := strings.Cut(w.raw, "=")
		word := means[strings.Replace(name, "—", "--", 1)] // clients of Slack make one of two
		if word == "" {
			all = append(all, w)
			continue
		}
		all = append(all, token{raw: word, key: word, at: w.at, flag: true})
		if glued {
			all = append(all, newToken(value, w.at+len(name)+1))
		}
	}
	return all
}

// readTimes reads a beginning or an end, and returns how many cells it took; 0 if there is none.
func (r *silenceReader) readTimes(words []token) (took int, bad *alert.InputError) {
	if !r.order.times.begun() {
		if took, bad = r.order.times.beginning(words); took > 0 || bad != nil {
			r.order.Timed = r.order.Timed || r.order.times.ends.relative()
			return took, bad
		}
	}
	if r.order.Timed {
		return 0, nil
	}
	took, bad = r.order.times.ending(words)
	r.order.Timed = took > 0
	return took, bad
}

// recursLate reports whether the n-th cell says that a silence recurs that already has a
// beginning: from 22:00 for 2h every day.
func (r *silenceReader) recursLate(n int) bool {
	every := slices.Contains([]string{"every", "each"}, r.m.words[n].key)
	return every && r.order.times.starts != nil && n+1 < len(r.m.words) && new(recurrence).readDays(r.m.words[n+1].key)
}

// misplaced refuses a second beginning or end at the n-th cell, and days behind a beginning,
// which would be the reason otherwise.
func (r *silenceReader) misplaced(n int) *alert.InputError {
	var other plan
	switch words := r.m.words[n:]; {
	case r.recursLate(n):
		return &alert.InputError{Message: "on which days, and at what time, does it recur?", Hint: "Write the days first, for example `every day 22:00 for 2h`."}
	case r.order.Timed && slices.Contains([]string{"for", "until", "till"}, words[0].key):
		if took, bad := other.ending(words); took > 0 && bad == nil {
			return &alert.InputError{Message: "that is a second end", Hint: "Write one: `for 2h` or `until 5pm`. A silence that recurs goes on until somebody ends it."}
		}
	case r.order.times.begun() && slices.Contains([]string{"from", "starting", "every", "each"}, words[0].key):
		if took, bad := other.beginning(words); took > 0 && bad == nil {
			return &alert.InputError{Message: "that is a second beginning", Hint: "Write one: `from tomorrow 22:00`, or `every saturday 02:00`."}
		}
	}
	return nil
}

// readTarget reads the n-th cell, which says what to silence.
func (r *silenceReader) readTarget(n int) *alert.InputError {
	word := r.m.words[n]
	switch {
	case r.named() == 0 && idShape.MatchString(word.key):
		r.order.Target.IDs, r.order.Target.candidates = []string{word.key}, []candidate{{id: word.key}}
	case r.named() == 0 && slices.Contains([]string{"last", "latest"}, word.key):
		r.order.Target.Last = true
	case saysNothing(word.key) || slices.Contains([]string{"all", "everything"}, word.key) || r.m.severity(n):
	case len(r.m.parts) > 0 || len(r.words) == maxWords:
		return noMatcher(word)
	default:
		r.words = append(r.words, word)
		r.order.Target.Words = append(r.order.Target.Words, searched(r.m.raw(n)))
	}
	return nil
}

// named is how many things have been named that can be silenced.
func (r *silenceReader) named() int {
	n := len(r.m.parts) + len(r.words) + len(r.order.Target.IDs)
	if r.order.Target.Last {
		n++
	}
	return n
}

func (r *silenceReader) complete() (o Order, bad *alert.InputError) {
	o = r.order
	one := len(o.Target.IDs) > 0 || o.Target.Last
	if bad = r.misfit(one); bad == nil && !one && len(r.words) == 0 {
		o.Target.Matchers, bad = r.m.wanted(silenceUsage + ".")
	}
	if bad != nil {
		return o, bad
	}
	if !o.Timed {
		return o, &alert.InputError{Message: "for how long?", Hint: "Add for example `for 2h` or `until tomorrow 9am`."}
	}
	if utf8.RuneCountInString(o.Text) > maxWhy {
		return o, &alert.InputError{Message: "the reason is longer than 1,000 characters", Hint: "Write one sentence."}
	}
	return o, nil
}

// misfit refuses words that are not matchers, and matchers beside an incident. one is set if an
// incident is named.
func (r *silenceReader) misfit(one bool) *alert.InputError {
	parts := len(r.m.parts)
	switch {
	case one && len(r.words) > 0 && parts == 0 && number.MatchString(r.words[0].raw):
		return notADuration(r.words)
	case one && parts+len(r.words) > 0:
		return &alert.InputError{Message: "that is an incident and matchers", Hint: "Write either the id or matchers."}
	case parts > 0 && len(r.words) > 0:
		return noMatcher(r.words[0])
	}
	return nil
}

// idShape is the form of an incident's id, see alert.NextShortID.
var idShape = regexp.MustCompile(`^[bcdfghjkmnpqrstvwxyz][2-9bcdfghjkmnpqrstvwxyz]{3,11}$`)

// silenceShape is the form of a silence's id.
var silenceShape = regexp.MustCompile(`^s-[bcdfghjkmnpqrstvwxyz][2-9bcdfghjkmnpqrstvwxyz]{3,11}$`)

func noMatcher(word token) *alert.InputError {
	switch {
	case word.key == "or":
		return &alert.InputError{Message: "matchers are joined by and, not by or", Hint: "Write a silence for each, or several values of one label as in `service=~\"db|web\"`."}
	case word.key == "not":
		return &alert.InputError{Message: "not is not a matcher", Hint: "Write `service!=db`, or `service!~\"db-.*\"` for a regular expression."}
	case isOneOf(word.key, "forever indefinitely permanently always overnight"):
		return &alert.InputError{Message: "a silence needs an end, at most a year ahead", Hint: "Write for example `for 30d`, `until monday` or `until 2027-01-31`."}
	case number.MatchString(word.raw):
		return notADuration([]token{word})
	}
	return suggest(word, "for until because critical error warning info", &alert.InputError{
		Message: word.raw + " is not a matcher", Hint: "Write label=value, for example `service=db`; the operators are = != =~ !~.",
	})
}

// listStates are the words for states that people use.
func listStates() map[string][]alert.State {
	all := []alert.State{alert.Open, alert.Acked, alert.StateResolved}
	return map[string][]alert.State{
		"open": {alert.Open}, "new": {alert.Open}, "firing": {alert.Open}, "unacked": {alert.Open},
		"acked": {alert.Acked}, "acknowledged": {alert.Acked}, "ack": {alert.Acked}, "taken": {alert.Acked},
		"resolved": {alert.StateResolved}, "closed": {alert.StateResolved}, "done": {alert.StateResolved}, "over": {alert.StateResolved},
		"all": all, "everything": all, "any": all, "active": unresolved(), "unresolved": unresolved(),
	}
}

// parseList reads [matchers] [open|acked|resolved|all], "mine", and words to search for, in
// any order.
func parseList(p phrase) (Order, *alert.InputError) {
	var o Order
	m := newMatcherText(p)
	for n, word := range m.words {
		states, known := listStates()[word.key]
		switch {
		case m.addMatcher(n), m.addChannel(n):
		case known:
			o.Target.States = states
		case word.key == "mine" || word.key == "my":
			o.Target.Mine = true
		case saysNothing(word.key) || m.severity(n):
		case len(o.Target.Words) == maxWords:
			return o, &alert.InputError{Message: "these are too many words to search for", Hint: "Write one or two words of the title."}
		default:
			o.Target.Words = append(o.Target.Words, searched(m.raw(n)))
		}
	}
	var bad *alert.InputError
	o.Target.Matchers, bad = m.matchers()
	return o, bad
}

// nearList is the word for a list that one of the words was perhaps meant to be, or empty.
func nearList(words []string) string {
	for _, word := range words {
		if near := nearest(word, strings.Fields("open acked resolved all mine critical error warning info")); near != "" {
			return near
		}
	}
	return ""
}

// parseWish reads the matchers of a subscription, in which a severity may be a bare
// word.
func parseWish(p phrase) (alert.Matchers, *alert.InputError) {
	m := newMatcherText(p)
	for n, word := range m.words {
		if !m.addMatcher(n) && !m.severity(n) && !strings.Contains(" to and with ", " "+word.key+" ") {
			return nil, noMatcher(word)
		}
	}
	return m.wanted("write `subscribe severity=critical` or `subscribe service=~\"db-.*\"`.")
}
