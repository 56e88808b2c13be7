package store

import (
	"fmt"
	"slices"
	"strings"
)

// words are the states, kinds, standings and severities that columns hold as
// numbers: a word's number is its place here. Stores depend on it, so words are
// only added at the end. A worse severity has a higher number.
func words() []string {
	return []string{
		"", "pending", "sending", "delivered", "dead", "superseded", "dropped", "folded", "silenced",
		"post", "update", "reply", "digest", "list",
		"open", "acked", "resolved", "firing",
		"info", "warning", "error", "critical",
		"notice",
	}
}

// code is the number of a word, or -1 for one that no column can hold.
func code[T ~string](word T) int64 { return int64(slices.Index(words(), string(word))) }

// decoded is a column that holds a word's number.
type decoded[T ~string] struct{ into *T }

// word is where a column with a word's number is scanned to.
func word[T ~string](into *T) decoded[T] { return decoded[T]{into} }

// Scan reads the number that code has written.
func (d decoded[T]) Scan(value any) error {
	n, ok := value.(int64)
	all := words()
	if !ok || n < 0 || int(n) >= len(all) {
		return fmt.Errorf("read stored word: there is none with number %v", value)
	}
	*d.into = T(all[n])
	return nil
}

// withWords replaces the words of a query, such as {pending}, by their numbers.
func withWords(query string) string {
	var pairs []string
	for n, w := range words() {
		pairs = append(pairs, "{"+w+"}", fmt.Sprint(n))
	}
	return strings.NewReplacer(pairs...).Replace(query)
}
