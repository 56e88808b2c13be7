package alert

import (
	"crypto/rand"

	"github.com/google/uuid"
)

// NewID returns a new UUIDv7: later ids sort behind earlier ones, which keeps
// inserts at the right end of an index (RFC 9562 §5.7).
func NewID() string {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

// shortAlphabet leaves out what is easily mistaken when read or said aloud
// (0 o, 1 l i) and the vowels, so that no id spells a word.
const shortAlphabet = "bcdfghjkmnpqrstvwxyz23456789"

// NewShortID returns an id of n characters that a person can type, a letter
// first. It is random: who stores it must be ready for a collision.
func NewShortID(n int) string {
	buf := make([]byte, n)
	_, _ = rand.Read(buf)
	for i, b := range buf {
		size := len(shortAlphabet)
		if i == 0 {
			size -= len("23456789")
		}
		buf[i] = shortAlphabet[int(b)%size]
	}
	return string(buf)
}
