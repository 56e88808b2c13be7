package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"tocsin/alert"
	"tocsin/handlers"
)

// whichHelp ends the help of commands that name incidents with words.
const whichHelp = `

WHICH is an id, last, words of a title, key or label, matchers (service=db), or all with
matchers or words. If that means several incidents, it asks first.`

// order reads what a person wants from the words behind a command, as in Slack.
func (c *clientCmd) order(ctx context.Context, command string, args []string) (handlers.Order, error) {
	w := words(args)
	o, err := handlers.Parse(command + " " + w.text)
	if err != nil {
		return o, &usageError{withHint(err)}
	}
	if n := len(args); n > 1 && len(o.Target.IDs) == n { // a script's ids, of which none is a note
		return o, nil
	}
	o, err = o.Settled(func(id string) (bool, error) {
		_, known, err := c.incident(ctx, id)
		return known, err
	})
	o.Text = w.written.Replace(o.Text)
	return o, err
}

// incident returns the incident of an id, and whether there is one.
func (c *clientCmd) incident(ctx context.Context, id string) (i alert.Incident, known bool, err error) {
	err = c.get(ctx, incidentPath(id), &i)
	if refusal, ok := errors.AsType[*answerError](err); ok && refusal.status == http.StatusNotFound {
		return alert.Incident{}, false, nil
	}
	return i, err == nil, err
}

// sentence is what a person wrote behind a command.
type sentence struct {
	// text is as Slack would send it, with quotes around values that need them.
	text string
	// written restores in a note what was an argument, without those quotes.
	written *strings.Replacer
}

// words are arguments as one sentence. A matcher whose quotes the shell has removed gets
// them back.
func words(args []string) sentence {
	all := make([]string, len(args))
	var quoted []string
	for n, arg := range args {
		all[n] = arg
		if matchers, err := parseMatchers([]string{arg}); err == nil && strings.ContainsFunc(arg, unicode.IsSpace) {
			all[n] = matchers.String()
			quoted = append(quoted, all[n], arg)
		}
	}
	return sentence{text: handlers.Literal(strings.Join(all, " ")), written: strings.NewReplacer(quoted...)}
}

// query selects the incidents in states that a target means.
func (c *clientCmd) query(t handlers.Target, states []alert.State, limit int) url.Values {
	q := url.Values{"match": {t.Matchers.String()}, "limit": {strconv.Itoa(limit)}, "q": {strings.Join(t.Words, " ")}}
	q.Set("state", joined(states, ","))
	if t.Mine {
		q.Set("mine", cmp.Or(c.by(), c.user()))
	}
	if t.Last {
		q.Set("sort", "latest")
		q.Set("limit", "1")
	}
	return q
}

func joined(states []alert.State, with string) string {
	words := make([]string, len(states))
	for n, s := range states {
		words[n] = string(s)
	}
	return strings.Join(words, with)
}

// search finds the incidents that a target without ids means.
func (c *clientCmd) search(ctx context.Context, t handlers.Target, states []alert.State) (found []alert.Incident, err error) {
	q := c.query(t, states, mostListed)
	for read := 0; ; read += mostListed {
		q.Set("offset", strconv.Itoa(read))
		var page incidentPage
		if err := c.get(ctx, "/v1/incidents?"+q.Encode(), &page); err != nil {
			return nil, err
		}
		for _, i := range page.Incidents {
			if i.Group == nil || t.Filter().Selects(i.Subject()) { // not for one of its members
				found = append(found, i)
			}
		}
		if t.Last || len(page.Incidents) < mostListed {
			return found, nil
		}
	}
}

// mustSearch is search, with an error if it finds nothing.
func (c *clientCmd) mustSearch(ctx context.Context, t handlers.Target, states []alert.State) ([]alert.Incident, error) {
	found, err := c.search(ctx, t, states)
	switch {
	case err != nil || len(found) > 0:
		return found, err
	case t.Silence() != "":
		return nil, fmt.Errorf("%s is the id of a silence, not of an incident: tocsin silences shows what it hides, tocsin unsilence %[1]s ends it", t.Silence())
	case len(t.IDs) == 1:
		return nil, fmt.Errorf("incident %s: not found; list incidents with tocsin incidents", t.IDs[0])
	}
	if id := c.partly(ctx, t, states); id != "" {
		return nil, fmt.Errorf("%s is a group of which only some alerts match: name it by its id to mean all of it", id)
	}
	return nil, errors.New(noIncident(joined(states, ","), t) + "; tocsin list all shows what there is")
}

// partly is a group of which only some alerts are what a target means that finds no incident;
// empty if there is none.
func (c *clientCmd) partly(ctx context.Context, t handlers.Target, states []alert.State) string {
	var page incidentPage
	if err := c.get(ctx, "/v1/incidents?"+c.query(t, states, 1).Encode(), &page); err != nil || len(page.Incidents) == 0 {
		return ""
	}
	return page.Incidents[0].ID
}

// choose returns the ids of the incidents that a person means. It asks if words mean
// several.
func (c *actCmd) choose(ctx context.Context, t handlers.Target) ([]string, error) {
	if len(t.IDs) > 0 && len(t.Words) == 0 {
		return t.IDs, nil
	}
	found, err := c.changeable(ctx, t)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(found))
	for n, i := range found {
		ids[n] = i.ID
	}
	return ids, nil
}

// changeable finds the incidents that the verb can change, and asks if they are several. If
// there are none, it finds those that are already as the verb would leave them.
func (c *actCmd) changeable(ctx context.Context, t handlers.Target) ([]alert.Incident, error) {
	narrow, err := c.narrowing(ctx, t)
	if err != nil {
		return nil, err
	}
	search := func(states ...alert.State) ([]alert.Incident, error) {
		found, err := c.search(ctx, t, states)
		return slices.DeleteFunc(found, func(i alert.Incident) bool { return !narrow.Selects(i.Subject()) }), err
	}
	states := handlers.StatesFor(c.verb)
	if t.Last {
		states = handlers.StatesOfLast(c.verb)
	}
	found, err := search(states...)
	if err == nil && len(found) > 1 && !c.yes {
		err = c.confirm(found)
	}
	if after := handlers.StateAfter(c.verb); err == nil && len(found) == 0 && after != "" {
		found, err = search(after)
	}
	if err == nil && len(found) == 0 {
		return c.mustSearch(ctx, t, handlers.StatesFor(c.verb))
	}
	return found, err
}

// narrowing selects, as in Slack, the incidents in which the words of a target are whole
// words, or else begin a word, if that is so in any that is not over.
func (c *actCmd) narrowing(ctx context.Context, t handlers.Target) (narrow alert.IncidentFilter, err error) {
	if len(t.Words) == 0 {
		return narrow, nil
	}
	found, err := c.search(ctx, t, append([]alert.State{alert.Open, alert.Acked}, handlers.StatesFor(c.verb)...))
	return narrowed(found, t.Words), err
}

// narrowed selects the incidents in which words are whole words, or else begin a word, if
// that is so in any of those found; else all.
func narrowed(found []alert.Incident, words []string) alert.IncidentFilter {
	for _, f := range []alert.IncidentFilter{{Words: words, Wholes: true}, {Words: words, Beginnings: true}} {
		if slices.ContainsFunc(found, func(i alert.Incident) bool { return f.Selects(i.Subject()) }) {
			return f
		}
	}
	return alert.IncidentFilter{}
}

// meant returns the matchers that a target without matchers means. If it may mean several,
// the error lists them.
func (c *clientCmd) meant(ctx context.Context, t handlers.Target) (alert.Matchers, error) {
	if len(t.IDs) > 0 && len(t.Words) == 0 {
		var i alert.Incident
		err := c.get(ctx, incidentPath(t.IDs[0]), &i)
		return sameKey(i), err
	}
	found, err := c.search(ctx, t, handlers.StatesFor(alert.VerbAssign)) // all that are not resolved
	if err == nil && len(found) == 0 && !t.Last {
		found, err = c.search(ctx, t, []alert.State{alert.StateResolved})
	}
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("no incident has %s, so it is not clear which alerts that means: write a matcher such as host=db-3", t)
	case t.Last:
		return sameKey(found[0]), nil
	}
	options := handlers.Meanings(t.Words, found)
	if len(options) == 1 {
		return options[0], nil
	}
	text := ""
	for _, m := range options {
		text += "\n  " + m.String()
	}
	return nil, &usageError{fmt.Errorf("%s may mean several things: write one of these matchers%s", t, text)}
}

// sameKey matches the alerts of one key.
func sameKey(i alert.Incident) alert.Matchers {
	return alert.Matchers{{Name: "key", Op: "=", Value: i.Key}}
}

// mostNamed is how many incidents a question lists.
const mostNamed = 10

// several is the error when words mean more than one incident. It lists them.
func several(found []alert.Incident, remedy string) error {
	return &usageError{fmt.Errorf("these are %d incidents: %s\n%s", len(found), remedy, strings.TrimSuffix(briefList(found, 0), "\n"))}
}

// briefList lists the first of incidents, without colours, for a screen of a width; 0 for any.
func briefList(found []alert.Incident, width int) string {
	list := table(func(line func(cells ...any)) {
		for _, i := range found[:min(len(found), mostNamed)] {
			line("  "+i.ID, i.Severity, i.State, brief(i.Title))
		}
	})
	if more := len(found) - mostNamed; more > 0 {
		list += fmt.Sprintf("  and %d more\n", more)
	}
	return screen{width: width}.draw(list)
}

// confirm asks whether all of the incidents are meant. Where nobody can be asked, it is
// an error.
func (c *actCmd) confirm(found []alert.Incident) error {
	if !isTerminal(c.stdin) {
		return several(found, "name one by its id, or add --yes for all")
	}
	verb := strings.ToUpper(string(c.verb[:1])) + string(c.verb[1:])
	return ask(c.world, fmt.Sprintf("%s%s all %d?", briefList(found, c.widthFor(c.stderr)), verb, len(found)), "nothing was changed")
}

// ask asks a question on the terminal; the error, otherwise, is about everything but yes.
func ask(w world, question, otherwise string) error {
	if _, err := fmt.Fprintf(w.stderr, "%s [y/N] ", question); err != nil {
		return err
	}
	answer, err := bufio.NewReader(w.stdin).ReadString('\n')
	if slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
		return nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	return errors.New(otherwise)
}
