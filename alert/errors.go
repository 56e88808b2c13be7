package alert

import (
	"errors"
	"fmt"
)

// The errors that packages tell each other apart by.
var (
	// ErrConflict: what was loaded has changed since; load and decide again.
	ErrConflict = errors.New("changed meanwhile")
	// ErrUnavailable: nothing was accepted because the store can't write now.
	ErrUnavailable = errors.New("store can't write")
	// ErrOverloaded: nothing was accepted because too much waits for the disk.
	ErrOverloaded = errors.New("too many alerts at once")
	// ErrBacklog: nothing was accepted because too many alerts wait for Slack.
	ErrBacklog = errors.New("too many alerts wait for Slack")
	// ErrInternal: nothing was changed because a decision panicked.
	ErrInternal = errors.New("internal error")
	// ErrNotDead: what is to be retried or dropped is no dead letter.
	ErrNotDead = errors.New("no dead letter")
	// ErrNotFound: there is no such thing.
	ErrNotFound = errors.New("not found")
)

// InputError says what is wrong with an alert and what to write instead.
type InputError struct {
	// Item is the alert's place in its batch from 1, or 0 for a single one.
	Item    int
	Message string
	Hint    string
}

// Error says the message, with the item in a batch.
func (e *InputError) Error() string {
	if e.Item > 0 {
		return fmt.Sprintf("alert %d: %s", e.Item, e.Message)
	}
	return e.Message
}
