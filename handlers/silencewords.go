package handlers

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// maxSearched is how many incidents are looked at to find out what words to silence mean.
const maxSearched = 200

// silenceable returns what a target that has no matchers may mean, the likeliest first. If
// that is nothing, the message says so.
func (h *Handlers) silenceable(ctx context.Context, t Target) ([]alert.Matchers, *render.Message) {
	if len(t.IDs) > 0 && len(t.Words) == 0 {
		i, no := h.incident(ctx, t.IDs[0], h.noIncident)
		return []alert.Matchers{sameKey(i)}, no
	}
	f := t.Filter(unresolved()...)
	f.Limit = max(f.Limit, maxSearched*min(len(t.Words), 1))
	found, err := h.opts.Store.Incidents(ctx, f)
	if err == nil && len(found) == 0 && !t.Last {
		f.States = []alert.State{alert.StateResolved}
		found, err = h.opts.Store.Incidents(ctx, f)
	}
	var no render.Message
	switch {
	case err != nil:
		no = h.apology("I can't read what is open.", err)
		return nil, &no
	case len(found) == 0 && len(t.IDs) == 1:
		no = h.noIncident(ctx, t.IDs[0])
		return nil, &no
	case len(found) == 0:
		no = render.Refused("I find no incident with "+cmp.Or(t.String(), "that")+".", "Say which alerts with a label, for example `silence "+cmp.Or(t.Labelled(), `host="db-3"`)+" for 1h`.")
		return nil, &no
	}
	if t.Last {
		return []alert.Matchers{sameKey(found[0])}, nil
	}
	return Meanings(t.Words, found), nil
}

// Meanings returns the matchers that words may mean among incidents which contain them: the
// labels that have the words as values, else those that contain them, else the keys.
func Meanings(words []string, found []alert.Incident) []alert.Matchers {
	for _, fits := range []func(value, word string) bool{strings.EqualFold, alert.ContainsWord} {
		all := []alert.Matchers{nil}
		for _, word := range words {
			var longer []alert.Matchers
			for _, m := range labelsWith(word, found, fits) {
				for _, before := range all {
					longer = append(longer, append(slices.Clone(before), m))
				}
			}
			all = longer[:min(len(longer), render.ChoiceRows)]
		}
		if len(all) > 0 {
			return all
		}
	}
	var keys []alert.Matchers
	for _, i := range found[:min(len(found), render.ChoiceRows)] {
		if m := sameKey(i); !slices.ContainsFunc(keys, func(k alert.Matchers) bool { return k[0].Value == m[0].Value }) {
			keys = append(keys, m)
		}
	}
	return keys
}

// labelsWith are the labels of incidents whose value fits a word, the most frequent first.
func labelsWith(word string, found []alert.Incident, fits func(value, word string) bool) []alert.Matcher {
	counts := map[[2]string]int{}
	for _, i := range found {
		for name, value := range i.Labels {
			if fits(value, word) && len(name)+len(value) <= maxSuggestedLabel {
				counts[[2]string{name, value}]++
			}
		}
	}
	labels := slices.SortedFunc(maps.Keys(counts), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
	matchers := make([]alert.Matcher, len(labels))
	for n, l := range labels {
		matchers[n] = alert.LabelMatcher(l[0], l[1])
	}
	return matchers
}

// silenceValue is the value of a button that silences.
type silenceValue struct {
	Matchers string `json:"m"`
	// From and Until are Unix seconds; From is 0 for at once.
	From  int64        `json:"b,omitempty"`
	Until int64        `json:"e"`
	Every *alert.Hours `json:"r,omitempty"`
	Why   string       `json:"y,omitempty"`
}

// silenceChoice asks which of the matchers are meant.
func (h *Handlers) silenceChoice(ctx context.Context, options []alert.Matchers, s alert.Silence, why string) render.Message {
	view := render.SilenceChoiceView{Until: s.EndsAt}
	for _, m := range options {
		value, err := json.Marshal(silenceValue{m.String(), unixOf(s.StartsAt), s.EndsAt.Unix(), s.Every, why})
		n, failed := h.matching(ctx, m)
		if err != nil || failed != nil {
			continue
		}
		view.Options = append(view.Options, render.SilenceOption{Matchers: m, Matching: n, Value: string(value)})
	}
	return render.SilenceChoice(view)
}

func unixOf(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

// silenceChosen silences what a button says.
func (h *Handlers) silenceChosen(ctx context.Context, a bot.Action) error {
	var v silenceValue
	matchers, err := alert.ParseMatchers("")
	if json.Unmarshal([]byte(a.Value), &v) == nil {
		matchers, err = alert.ParseMatchers(v.Matchers)
	}
	if err != nil || len(matchers) == 0 {
		return h.respond(ctx, a.Caller, render.Gone())
	}
	s := alert.Silence{Matchers: matchers, EndsAt: time.Unix(v.Until, 0), Every: v.Every, Why: v.Why}
	if v.From > 0 {
		s.StartsAt = time.Unix(v.From, 0)
	}
	m, _ := h.createSilence(ctx, s, a.Caller)
	return h.inPlace(ctx, a, m)
}
