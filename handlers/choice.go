package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// choice is what a button does with the incidents that it names or selects. It is the
// button's value, so that it works as long as the message exists.
type choice struct {
	Verb alert.Verb `json:"v"`
	IDs  []string   `json:"i,omitempty"`
	// The others select incidents if there are no IDs: those that have been in their state
	// since Asked (µs) or longer, so that nothing is included that came after the question.
	Matchers string   `json:"m,omitempty"`
	Words    []string `json:"w,omitempty"`
	Begin    bool     `json:"b,omitempty"` // see alert.IncidentFilter.Beginnings
	Whole    bool     `json:"h,omitempty"` // see alert.IncidentFilter.Wholes
	Mine     string   `json:"u,omitempty"`
	Digest   string   `json:"d,omitempty"`
	Latest   bool     `json:"l,omitempty"`
	Asked    int64    `json:"a,omitempty"`
	// To is who an incident is assigned to (see alert.ParsePerson), Text a note.
	To   string `json:"p,omitempty"`
	Text string `json:"t,omitempty"`
	// Offered is when it was offered to undo something (µs).
	Offered int64 `json:"o,omitempty"`
}

// undoFor is how long the button that undoes something works. Later others may rely on what
// was done, so that undoing it has to be said in so many words.
const undoFor = time.Minute

// overdue reports whether the choice is to undo something that was done too long ago.
func (c choice) overdue(now time.Time) bool {
	return c.Offered > 0 && now.Sub(time.UnixMicro(c.Offered)) > undoFor
}

// chosenBy is the choice that a target and an act make.
func chosenBy(t Target, wanted alert.Act, user string) choice {
	c := choice{Verb: wanted.Verb, Matchers: t.Matchers.String(), Words: t.Words, Latest: t.Last, Digest: t.Digest, To: wanted.To.String(), Text: wanted.Text}
	if t.Mine {
		c.Mine = user
	}
	return c
}

// value is the choice as a button's value.
func (c choice) value() string {
	value, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return string(value)
}

// filter selects what the choice is about.
func (c choice) filter() alert.IncidentFilter {
	matchers, err := alert.ParseMatchers(c.Matchers)
	f := alert.IncidentFilter{States: StatesFor(c.Verb), Matchers: matchers, Words: c.Words, Beginnings: c.Begin, Wholes: c.Whole, Mine: c.Mine, Digest: c.Digest, Latest: c.Latest}
	if c.Latest {
		f.States, f.Limit = StatesOfLast(c.Verb), 1
	}
	if err != nil { // not written by this program
		f.States = []alert.State{}
		f.Words = []string{""}
	}
	if c.Asked > 0 {
		f.Before = time.UnixMicro(c.Asked)
	}
	return f
}

// StatesFor returns the states in which a verb can change an incident.
func StatesFor(verb alert.Verb) []alert.State {
	switch verb {
	case alert.VerbAck:
		return []alert.State{alert.Open}
	case alert.VerbUnack:
		return []alert.State{alert.Acked}
	case alert.VerbReopen:
		return []alert.State{alert.StateResolved}
	}
	return unresolved()
}

// StatesOfLast returns the states among which the incident that opened last is meant. It is
// the same one after the verb has changed it, so that doing it twice changes no other.
func StatesOfLast(verb alert.Verb) []alert.State {
	if verb == alert.VerbResolve || verb == alert.VerbReopen {
		return append(unresolved(), alert.StateResolved)
	}
	return unresolved()
}

// StateAfter returns the state in which a verb leaves an incident; empty for one that
// leaves it in its state.
func StateAfter(verb alert.Verb) alert.State {
	switch verb {
	case alert.VerbAck:
		return alert.Acked
	case alert.VerbUnack, alert.VerbReopen:
		return alert.Open
	case alert.VerbResolve:
		return alert.StateResolved
	}
	return ""
}

// choice asks which of the incidents are meant: each has a button, and there is one for all.
func (h *Handlers) choice(ctx context.Context, c choice, ids []string) render.Message {
	view := h.choiceView(ctx, c, ids)
	view.All = c.value()
	return render.Choice(view)
}

// choiceOf asks which one of the incidents is meant.
func (h *Handlers) choiceOf(ctx context.Context, c choice, ids []string) render.Message {
	return render.Choice(h.choiceView(ctx, c, ids))
}

func (h *Handlers) choiceView(ctx context.Context, c choice, ids []string) render.ChoiceView {
	view := render.ChoiceView{Verb: c.Verb, To: alert.ParsePerson(c.To), Total: len(ids)}
	for _, id := range ids[:min(len(ids), render.ChoiceRows)] {
		i, err := h.opts.Store.Incident(ctx, id)
		if err != nil {
			continue // it was deleted meanwhile
		}
		one := choice{Verb: c.Verb, IDs: []string{id}, To: c.To, Text: c.Text}
		view.Incidents, view.One = append(view.Incidents, i), append(view.One, one.value())
	}
	return view
}

// choose does what the button of a choice says, and shows the result in place of the
// question.
func (h *Handlers) choose(ctx context.Context, a bot.Action) error {
	var c choice
	if json.Unmarshal([]byte(a.Value), &c) != nil || c.Verb == "" {
		return h.respond(ctx, a.Caller, render.Gone())
	}
	if no, ok := h.allowed(ctx, a.Caller, rightAck, string(c.Verb)+" "+beginning(a.Value)); !ok && c.Verb != verbShow {
		return h.respond(ctx, a.Caller, no)
	}
	if c.overdue(h.opts.Now()) {
		return h.inPlace(ctx, a, render.TooLateToUndo(c.Verb, c.IDs))
	}
	ids := c.IDs
	if len(ids) == 0 {
		var err error
		if ids, err = h.opts.Store.IDs(ctx, c.filter()); err != nil {
			return h.respond(ctx, a.Caller, h.apology("I can't read what is open.", fmt.Errorf("select incidents: %w", err)))
		}
	}
	if len(ids) == 0 {
		return h.inPlace(ctx, a, render.Refused("There is nothing left to do: somebody was faster.", "`list` shows what is open."))
	}
	if c.Verb == verbShow {
		return h.inPlace(ctx, a, h.showOne(ctx, ids[0]))
	}
	wanted := alert.Act{Verb: c.Verb, By: h.person(ctx, a.Caller), To: alert.ParsePerson(c.To), Text: c.Text, RequestID: a.TriggerID}
	return h.inPlace(ctx, a, h.act(ctx, wanted, ids))
}

// cancel answers the button that chooses nothing.
func (h *Handlers) cancel(ctx context.Context, a bot.Action) error {
	return h.inPlace(ctx, a, render.Unchanged())
}

// verbShow is for choices that only show an incident.
const verbShow alert.Verb = "show"
