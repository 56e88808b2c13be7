package alert

import (
	"cmp"
	"strings"

	"github.com/google/uuid"
)

// NewID returns a new UUIDv7: later ids sort after earlier ones, which keeps
// inserts at the right end of an index (RFC 9562 §5.7).
func NewID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

// shortAlphabet leaves out what is easily mistaken when read or said aloud
// (0 o, 1 l i) and the vowels, so that no id spells a word. It is in the order
// of ASCII, so that later ids sort after earlier ones of the same length.
const (
	shortAlphabet = "23456789bcdfghjkmnpqrstvwxyz"
	shortDigits   = len("23456789") // an id begins with none of them
	shortestShort = 4
)

// NextShortID returns an id that a person can type, such as k7f2: the one that
// comes skip places (at least 1) after last, or after the first one of all if
// last is empty or no such id. Ids grow by a character when those of a length
// are used up. In ascending order they are cheap to index; a skip that varies
// keeps one that is mistyped from being somebody else's.
func NextShortID(last string, skip int) string {
	n, length := shortValue(last)
	n += max(skip, 1)
	for size := shortSize(length); n >= size; size = shortSize(length) {
		n -= size
		length++
	}
	id := make([]byte, length)
	for i := length - 1; i > 0; i-- {
		id[i] = shortAlphabet[n%len(shortAlphabet)]
		n /= len(shortAlphabet)
	}
	id[0] = shortAlphabet[shortDigits+n]
	return string(id)
}

// shortSize is how many ids of a length there are.
func shortSize(length int) int {
	n := len(shortAlphabet) - shortDigits
	for range length - 1 {
		n *= len(shortAlphabet)
	}
	return n
}

// shortValue is an id's place among those of its length. Text that is not an id has the
// place before the first.
func shortValue(id string) (n, length int) {
	if len(id) < shortestShort || len(id) > maxShort {
		return -1, shortestShort
	}
	for i := range len(id) {
		place := strings.IndexByte(shortAlphabet, id[i])
		if i == 0 {
			place -= shortDigits
		}
		if place < 0 {
			return -1, shortestShort
		}
		n = n*len(shortAlphabet) + place
	}
	return n, len(id)
}

// CompareShortIDs orders ids of NextShortID, which ascend.
func CompareShortIDs(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

// maxShort keeps the arithmetic within an int.
const maxShort = 12
