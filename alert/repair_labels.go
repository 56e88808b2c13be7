package alert

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

// labels puts into the text what is too long for a card, shortens what is longer than a label
// can be, and moves those above their number.
func (r *repair) labels() {
	if len(r.Labels) <= MaxLabels && !r.longLabels() {
		return
	}
	labels := make(map[string]string, min(len(r.Labels), MaxLabels))
	moved := 0
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		v := r.Labels[k]
		name, restOfName := cutRunes(k, MaxLabel)
		value, rest := cutRunes(v, MaxLabel)
		switch {
		case len(labels) == MaxLabels:
			moved++
			r.after = append(r.after, k+"="+v)
			continue
		case rest != "" || restOfName != "":
			r.after = append(r.after, k+"="+v)
			r.note("label %s shortened: it is longer than %d characters and is in the text in full", brief(name), MaxLabel)
		case tooLongForCard(k, v) && !r.says(k, v):
			r.after = append(r.after, k+"="+v)
			r.moved("label %s is too long for the card and is in the text in full", brief(name))
		}
		labels[name] = value
	}
	if moved > 0 {
		r.note("%d labels moved into the text: there are more than %d", moved, MaxLabels)
	}
	r.Labels = labels
}

func (r *repair) longLabels() bool {
	for k, v := range r.Labels {
		if tooLongForCard(k, v) {
			return true
		}
	}
	return false
}

// tooLongForCard reports whether a card, or Details, shows only the beginning of a label.
func tooLongForCard(name, value string) bool {
	const escaped = 5 // the most characters of a byte
	if len(name) <= CardLabelName/escaped && len(value) <= CardLabel/escaped {
		return false
	}
	most := CardLabel
	if !strings.ContainsFunc(value, unicode.IsSpace) && (strings.HasPrefix(value, "https://") || strings.HasPrefix(value, "http://")) {
		most = CardLabelLink
	}
	return EscapedLen(name) > CardLabelName || EscapedLen(value) > most || EscapedLen(LabelMatcher(name, value).String()) > CardLabelName+most
}

// says reports whether the title or the text says what a label does.
func (r *repair) says(name, value string) bool {
	return EscapedLen(name) <= CardLabelName && (r.Title == value || strings.Contains(r.Text, value))
}
