package handlers

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"tocsin/alert"
)

// silenceOrder is what to silence: matchers, or the alerts of one incident.
type silenceOrder struct {
	matchers alert.Matchers
	incident string
	ends     when
	why      string
}

// maxWhy bounds a reason and a note, so that it fits a view.
const maxWhy = 1000

const silenceUsage = "write `silence service=db for 2h because of the upgrade`"

// parseSilence reads MATCHERS for 2h [because …] in almost any order; the reason
// comes last. Instead of matchers it accepts an incident's id.
func parseSilence(p phrase) (silenceOrder, *alert.InputError) {
	r := silenceReader{m: newMatcherText(p)}
	for n := 0; n < len(r.m.words); {
		took, bad := r.readPart(n)
		if bad != nil {
			return r.order, bad
		}
		n += took
	}
	return r.order.complete(r.m, r.timed)
}

type silenceReader struct {
	m     *matcherText
	order silenceOrder
	timed bool
}

// readPart reads what begins at the n-th cell, and returns how many cells it took.
func (r *silenceReader) readPart(n int) (took int, bad *alert.InputError) {
	if r.m.addMatcher(n) {
		return 1, nil
	}
	word, left := r.m.words[n], len(r.m.words)-n
	if slices.Contains([]string{"because", "reason", "cause"}, word.key) {
		r.order.why = strings.TrimSpace(strings.TrimPrefix(r.m.from(n+1).prose()+" ", "of "))
		return left, nil
	}
	if !r.timed {
		r.order.ends, took, bad = timing(r.m.words[n:])
		if r.timed = took > 0; r.timed || bad != nil {
			return took, bad
		}
	}
	switch {
	case len(r.m.parts) == 0 && r.order.incident == "" && idShape.MatchString(word.key):
		r.order.incident = word.key
	case r.timed:
		r.order.why = r.m.from(n).prose()
		return left, nil
	case !r.m.severity(n):
		return 0, noMatcher(word)
	}
	return 1, nil
}

func (o silenceOrder) complete(m *matcherText, timed bool) (silenceOrder, *alert.InputError) {
	if o.incident == "" || len(m.parts) > 0 {
		var bad *alert.InputError
		if o.matchers, bad = m.wanted(silenceUsage + "."); bad != nil {
			return o, bad
		}
		if o.incident != "" {
			return o, &alert.InputError{Message: "that is an incident and matchers", Hint: "Write either the id or matchers."}
		}
	}
	if !timed {
		return o, &alert.InputError{Message: "for how long?", Hint: "Add for example `for 2h` or `until tomorrow 9am`."}
	}
	if utf8.RuneCountInString(o.why) > maxWhy {
		return o, &alert.InputError{Message: "the reason is longer than 1,000 characters", Hint: "Write one sentence."}
	}
	return o, nil
}

// idShape is the form of an incident's id, see alert.NextShortID.
var idShape = regexp.MustCompile(`^[bcdfghjkmnpqrstvwxyz][2-9bcdfghjkmnpqrstvwxyz]{3,11}$`)

func noMatcher(word token) *alert.InputError {
	return suggest(word, "for until because critical error warning info", &alert.InputError{
		Message: word.raw + " is not a matcher", Hint: "Write label=value, for example `service=db`; the operators are = != =~ !~.",
	})
}

type listOrder struct {
	matchers alert.Matchers
	states   []alert.State
	mine     bool
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

// parseList reads [matchers] [open|acked|resolved|all] and "mine", in any order.
// The default is unresolved incidents.
func parseList(p phrase) (listOrder, *alert.InputError) {
	var order listOrder
	m := newMatcherText(p)
	for n, word := range m.words {
		states, known := listStates()[word.key]
		switch {
		case m.addMatcher(n):
		case known:
			order.states = states
		case word.key == "mine" || word.key == "my":
			order.mine = true
		case slices.Contains([]string{"incidents", "incident", "alerts", "and", "with"}, word.key) || m.severity(n):
		default:
			return order, noState(word)
		}
	}
	if len(order.states) == 0 {
		order.states = unresolved()
	}
	var bad *alert.InputError
	order.matchers, bad = m.matchers()
	return order, bad
}

func noState(word token) *alert.InputError {
	return suggest(word, "open acked resolved all mine critical error warning info", &alert.InputError{
		Message: "I don't know how to list " + word.raw, Hint: "Write `list`, `list critical`, `list service=db all`; the states are open, acked, resolved, all, and mine.",
	})
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
