package config

import (
	"fmt"
	"strings"

	"tocsin/alert"
)

// unknownOption names the nearest option there is, and returns its key.
func unknownOption(section, name string, from Origin) (problem Problem, meant string) {
	siblings := below(section)
	message := fmt.Sprintf("there is no option %s", printable(join(section, name)))
	what := "at the top level"
	if section != "" {
		what = "below " + section
	}
	takes := fmt.Sprintf("options %s: %s", what, strings.Join(siblings, ", "))
	if near := nearest(name, siblings); near != "" {
		return from.problem(message, fmt.Sprintf("did you mean %s? (%s)", near, takes)), join(section, near)
	}
	if place, key := elsewhere(section, name); key != "" {
		return from.problem(message, fmt.Sprintf("did you mean %s? (%s)", place, takes)), key
	}
	return from.problem(message, fmt.Sprintf("remove it (%s)", takes)), ""
}

// elsewhere finds the option under another section that has this name or,
// written in one word, this path.
func elsewhere(section, name string) (place, key string) {
	for _, opt := range specs() {
		whole := squash(join(section, name))
		if squash(opt.name()) == squash(name) || squash(opt.key) == whole || squash(opt.key) == squash(name) {
			if parent, ok := strings.CutSuffix(opt.key, "."+opt.name()); ok {
				return opt.name() + " below " + parent, opt.key
			}
			return opt.key + " at the top level", opt.key
		}
	}
	return "", ""
}

// nearest returns the candidate that a slip of the hand could have turned into
// word, or the empty string.
func nearest(word string, candidates []string) string {
	best, bestDistance := "", 0
	typed := squash(word)
	for _, candidate := range candidates {
		wanted := squash(candidate)
		most := max(1, len(wanted)/3)
		d := alert.Distance(typed, wanted, most)
		if len(typed) >= 4 && (strings.Contains(wanted, typed) || strings.Contains(typed, wanted)) {
			d = min(d, 1)
		}
		if d <= most && (best == "" || d < bestDistance) {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// squash makes appToken, app-token and APP_TOKEN the same word.
func squash(word string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(word))
}
