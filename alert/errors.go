package alert

import (
	"errors"
	"fmt"
)

// The errors that callers distinguish.
var (
	// ErrConflict: what was loaded has changed since; load and decide again.
	ErrConflict = errors.New("changed meanwhile")
	// ErrUnavailable: nothing was read or changed because of the store.
	ErrUnavailable = errors.New("the store is unavailable")
	// ErrInDoubt: the store's answer was lost, so it may have been changed or not.
	ErrInDoubt = errors.New("unknown whether it was written")
	// ErrOverloaded: nothing was changed because too many requests wait for the disk.
	ErrOverloaded = errors.New("too many alerts at once")
	// ErrBacklog: nothing was accepted because too many alerts are pending.
	ErrBacklog = errors.New("too many alerts wait for Slack")
	// ErrInternal: nothing was changed because a decision panicked.
	ErrInternal = errors.New("internal error")
	// ErrNotDead: the delivery can't be retried or dropped, because it is not a dead letter.
	ErrNotDead = errors.New("not a dead letter")
	// ErrConfigured: it can't be deleted, because the configuration names it.
	ErrConfigured = errors.New("the configuration names it")
	// ErrNotFound: the id is unknown.
	ErrNotFound = errors.New("not found")
)

// ReusedKeyError says that an alert has the idempotency key of another one, which says
// something else.
type ReusedKeyError struct {
	// Item is the alert's position in its batch from 1, or 0 for a single one.
	Item int
	Key  string
}

// Error names the key.
func (e *ReusedKeyError) Error() string {
	what := fmt.Sprintf("the idempotency key %.80q was used for an alert that says something else", e.Key)
	if e.Item > 0 {
		return fmt.Sprintf("alert %d: %s", e.Item, what)
	}
	return what
}

// InputError is a mistake in an alert, and what to write instead.
type InputError struct {
	// Item is the alert's position in its batch from 1, or 0 for a single one.
	Item    int
	Message string
	Hint    string
}

// Error is the message, in a batch with the item.
func (e *InputError) Error() string {
	if e.Item > 0 {
		return fmt.Sprintf("alert %d: %s", e.Item, e.Message)
	}
	return e.Message
}

// ElsewhereError is why a standby refuses what only the active replica can do. Nothing was changed.
type ElsewhereError struct {
	// Host is where the active one runs; empty if that is not known.
	Host string
}

func (e *ElsewhereError) Error() string { return "this replica is on standby" }

// Hint says where it can be done.
func (e *ElsewhereError) Hint() string {
	if e.Host == "" {
		return "send it to the active replica, once there is one (tocsin cluster lists them)"
	}
	return "send it to the active replica, on " + e.Host
}
