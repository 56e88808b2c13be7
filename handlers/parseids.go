package handlers

import (
	"regexp"
	"slices"
	"strings"

	"tocsin/alert"
)

// candidate is a word that may be an incident's id. One that is not sure may also be
// the beginning of a note: "hmm" looks like an id.
type candidate struct {
	id   string
	word int // its index in the phrase
	sure bool
}

// maxIDs is how many incidents one line may name.
const maxIDs = 50

// parseIDs reads ids from the beginning of a phrase, separated by commas, blanks or
// "and", and returns the index of the word after them.
func parseIDs(p phrase) (ids []candidate, behind int, bad *alert.InputError) {
	glued := false
	for n, word := range p.words {
		if word.key == "and" || strings.Trim(word.key, ",&+") == "" {
			glued = true
			continue
		}
		found, ok := idsOf(word, n)
		if !ok && len(ids) > 0 {
			break
		}
		for at := range found {
			found[at].sure = found[at].sure || glued || len(ids) == 0
		}
		ids, behind = append(ids, found...), n+1
		glued = strings.HasSuffix(p.raw(n), ",")
	}
	switch {
	case len(ids) == 0:
		return nil, 0, &alert.InputError{Message: "which incident?", Hint: "Name it by its id, for example k7f2; `list` shows what is open."}
	case len(ids) > maxIDs:
		return nil, 0, &alert.InputError{Message: "these are more than 50 incidents", Hint: "Name at most 50 at once."}
	}
	return ids, behind, nil
}

// raw is the n-th word as written, with punctuation.
func (p phrase) raw(n int) string {
	end := len(p.text)
	if n+1 < len(p.words) {
		end = p.words[n+1].at
	}
	return strings.TrimSpace(p.text[p.words[n].at:end])
}

// idsOf reads one word: an id, or several between commas.
func idsOf(word token, n int) (ids []candidate, looksRight bool) {
	parts := strings.FieldsFunc(word.key, func(r rune) bool { return r == ',' || r == ';' })
	looksRight = true
	for _, part := range parts {
		part = strings.TrimPrefix(trim(part), "#")
		looksRight = looksRight && idShape.MatchString(part)
		ids = append(ids, candidate{id: part, word: n, sure: len(parts) > 1 || strings.ContainsAny(part, "23456789")})
	}
	return ids, looksRight && len(ids) > 0
}

var (
	personLink = regexp.MustCompile(`^<@([UW][A-Z0-9]{2,})(?:\|[^>]*)?>$`)
	userID     = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)
)

// isPerson reports whether s is the id of a person (docs/slack.md §2.1).
func isPerson(s string) bool { return userID.MatchString(s) }

// surelyPerson is isPerson where s may also be a word in capitals.
func surelyPerson(s string) bool {
	return isPerson(s) && (len(s) > 8 || strings.ContainsAny(s, "0123456789"))
}

func looksLikePerson(word token) bool {
	return word.key == "me" || word.key == "myself" || strings.Contains(word.raw, "@") || surelyPerson(word.raw)
}

// parseSilenceIDs reads the ids of silences. One without its s- is more likely that of an
// incident, so that it ends nothing.
func parseSilenceIDs(p phrase) ([]string, *alert.InputError) {
	var ids []string
	for _, word := range p.words {
		for _, part := range strings.FieldsFunc(word.key, func(r rune) bool { return r == ',' || r == ';' }) {
			id := trim(part)
			short, marked := strings.CutPrefix(id, "s-")
			switch {
			case id == "and" || slices.Contains(ids, id):
			case !idShape.MatchString(short):
				return nil, &alert.InputError{Message: word.raw + " is not the id of a silence", Hint: "It looks like s-k7f2; `silences` lists them."}
			case !marked:
				return nil, &alert.InputError{
					Message: id + " is not the id of a silence, but may be that of an incident",
					Hint:    "If you mean the silence s-" + id + ", write `unsilence s-" + id + "`; `silences` lists them.",
				}
			default:
				ids = append(ids, id)
			}
		}
	}
	switch {
	case len(ids) == 0:
		return nil, &alert.InputError{Message: "which silence?", Hint: "Write `unsilence s-k7f2`; `silences` lists them."}
	case len(ids) > maxIDs:
		return nil, &alert.InputError{Message: "these are more than 50 silences", Hint: "Name at most 50 at once."}
	}
	return ids, nil
}
