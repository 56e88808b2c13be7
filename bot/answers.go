package bot

import (
	"errors"
	"sync"
	"time"

	"tocsin/alert"
)

const (
	// keepPeople is how long what Slack says about a person holds.
	keepPeople = time.Hour
	// keepMembers is how long who belongs to a group holds: somebody who was just
	// added to it should not have to wait.
	keepMembers = 2 * time.Minute
	// keepFailure is how long a failure holds, so that each of many requests does
	// not ask again.
	keepFailure = 10 * time.Second
)

// answers remembers what Slack answered about somebody for a while, and longer
// while Slack is away. Of many who ask for the same at once, one asks Slack.
type answers[T any] struct {
	hold time.Duration
	now  func() time.Time

	mu  sync.Mutex
	all map[string]*kept[T]
}

type kept[T any] struct {
	mu    sync.Mutex // held while Slack is asked
	value T
	known bool
	err   error
	until time.Time
}

func newAnswers[T any](hold time.Duration, now func() time.Time) *answers[T] {
	return &answers[T]{hold: hold, now: now, all: map[string]*kept[T]{}}
}

func (a *answers[T]) entry(key string) *kept[T] {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.all[key]
	if k == nil {
		for other := range a.all {
			if len(a.all) < rememberAtMost {
				break
			}
			delete(a.all, other)
		}
		k = &kept[T]{}
		a.all[key] = k
	}
	return k
}

// ask returns what is remembered, or else what fetch brings. An error means that
// nothing is known at all.
func (a *answers[T]) ask(key string, fetch func() (T, error)) (T, error) {
	k := a.entry(key)
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := a.now(); !now.Before(k.until) {
		value, err := fetch()
		k.until = now.Add(a.hold)
		if k.err = err; err == nil {
			k.value, k.known = value, true
		} else if !final(err) {
			k.until = now.Add(keepFailure)
		}
	}
	// That somebody is not there any more counts; that Slack is away does not.
	if k.known && !final(k.err) {
		return k.value, nil
	}
	return k.value, k.err
}

// final tells Slack's no from a failure to ask.
func final(err error) bool {
	e, ok := errors.AsType[*alert.SendError](err)
	return ok && e.Class == alert.ClassDestination && !alert.ExplainSlackError(e.Code).Method
}
