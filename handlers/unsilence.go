package handlers

import (
	"context"
	"errors"
	"slices"
	"strings"

	"tocsin/alert"
	"tocsin/render"
)

// Unsilence is which silences a person wants to end, read from the words behind unsilence.
type Unsilence struct {
	// IDs are ids of silences, if nothing else was named.
	IDs []string
	// Incident is a word that looks like the id of an incident; empty for none. If there is
	// such an incident, the silences that match it are meant.
	Incident string
	// None is the error, with the remedy, if nothing is found.
	None   *alert.InputError
	target Target
}

// ReadUnsilence reads which silences a person wants to end: s-k7f2 s-m3xq, db-3,
// service=db, k7f2, or all. The error is an *alert.InputError.
func ReadUnsilence(text string) (Unsilence, error) {
	u, bad := parseUnsilence(read(text))
	if bad != nil {
		return u, bad
	}
	return u, nil
}

func parseUnsilence(p phrase) (Unsilence, *alert.InputError) {
	ids, bad := parseSilenceIDs(p)
	if bad == nil || len(p.words) == 0 {
		return Unsilence{IDs: ids}, bad
	}
	u := Unsilence{None: bad}
	word := trim(p.words[0].key)
	if len(p.words) == 1 && idShape.MatchString(word) {
		u.Incident = word
	}
	o, bad := parseSearch(p)
	switch u.target = o.Target; {
	case u.target.All && len(u.target.Words)+len(u.target.Matchers) == 0:
		u.None = &alert.InputError{Message: "nothing is silenced"}
	case u.Incident == "" && !strings.HasPrefix(word, "s-"):
		u.None = &alert.InputError{Message: "no silence is about " + beginning(oneLine(p.text)), Hint: "`silences` lists them."}
	}
	return u, bad
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Among returns the silences that are meant among all. incident is the one with the ID
// Incident; the zero value if there is none. sure reports that only the first can be meant:
// a word that is only a part of what a silence matches, or of its reason, may be about
// something else.
func (u Unsilence) Among(all []alert.Silence, incident alert.Incident) (meant []alert.Silence, sure bool) {
	for _, s := range all {
		switch {
		case incident.Silence != "" && (s.ID == incident.Silence || s.Matchers.Match(incident.Subject())):
			meant = append(meant, s)
		case u.about(s, speaksOf):
			meant = append(meant, s)
		}
	}
	return meant, len(meant) == 1 && incident.ID == "" && (u.target.All || u.about(meant[0], equals))
}

// about reports whether a silence has the matchers that were named and fits each word. All
// alone names every silence.
func (u Unsilence) about(s alert.Silence, fits func(s alert.Silence, word string) bool) bool {
	for _, m := range u.target.Matchers {
		if !slices.ContainsFunc(s.Matchers, func(have alert.Matcher) bool { return have.String() == m.String() }) {
			return false
		}
	}
	words := u.target.Words
	if len(words) > 0 && strings.EqualFold(strings.Join(words, " "), strings.Join(telling(s.Why), " ")) {
		return true
	}
	named := len(words)+len(u.target.Matchers) > 0 || u.target.All
	return named && !slices.ContainsFunc(words, func(word string) bool { return !fits(s, word) })
}

// telling are the words of a reason but those that say nothing.
func telling(why string) []string {
	return slices.DeleteFunc(strings.Fields(why), func(word string) bool { return saysNothing(strings.ToLower(word)) })
}

// speaksOf reports whether the matchers or the reason of a silence have a word as a whole.
func speaksOf(s alert.Silence, word string) bool {
	text := s.Why
	for _, m := range s.Matchers {
		text += " " + m.Name + " " + m.Value
	}
	return alert.Subject{Title: text}.Has(word)
}

// equals reports whether a word is the value that a silence matches.
func equals(s alert.Silence, word string) bool {
	return slices.ContainsFunc(s.Matchers, func(m alert.Matcher) bool { return m.Op == "=" && strings.EqualFold(m.Value, word) })
}

// unsilence ends silences: ID…; in a card's thread, without one, that which hides it.
func (h *Handlers) unsilence(ctx context.Context, a ask) render.Message {
	if a.by.Thread != "" && len(withoutThis(a.said).words) == 0 {
		switch i := h.cardAt(ctx, a.by); {
		case i.Silence != "":
			return h.endSilence(ctx, i.Silence, h.person(ctx, a.by))
		case i.ID != "":
			return render.Refused("`"+i.ID+"` is not silenced.", "`silences` lists what is.")
		}
	}
	u, bad := parseUnsilence(a.said)
	switch {
	case bad != nil:
		return refused(bad)
	case len(u.IDs) == 0:
		return h.unsilenceMeant(ctx, a, u)
	}
	by := h.person(ctx, a.by)
	if len(u.IDs) == 1 {
		return h.endSilence(ctx, u.IDs[0], by)
	}
	lines := make([]string, 0, len(u.IDs))
	for _, id := range u.IDs {
		lines = append(lines, h.endSilence(ctx, id, by).Text)
	}
	return render.Message{Text: strings.Join(lines, "\n")}
}

// unsilenceMeant ends the one silence that words surely mean. Otherwise it lists those they
// may mean, each with a button that ends it.
func (h *Handlers) unsilenceMeant(ctx context.Context, a ask, u Unsilence) render.Message {
	holding, more, err := h.activeSilences(ctx)
	if err != nil {
		return h.apology("I can't read the silences.", err)
	}
	var incident alert.Incident
	if u.Incident != "" {
		incident, err = h.opts.Store.Incident(ctx, u.Incident)
		if err != nil && !errors.Is(err, alert.ErrNotFound) {
			return h.apology("I can't look up "+u.Incident+".", err)
		}
	}
	meant, sure := u.Among(holding, incident)
	switch {
	case sure:
		return h.endSilence(ctx, meant[0].ID, h.person(ctx, a.by))
	case len(meant) > 0:
		return render.SilencesMeant(meant, more)
	}
	return refused(u.None)
}
