package bot

import (
	"errors"
	"sync"
	"time"

	"tocsin/alert"
)

// cacheSize limits each cache; a workspace has fewer destinations.
const cacheSize = 1000

const (
	// idTTL is for the id of a name or a mail address.
	idTTL = 24 * time.Hour
	// peopleTTL is for what Slack says about a person.
	peopleTTL = time.Hour
	// membersTTL is for the members of a group, and short: a person who was just
	// added should not have to wait.
	membersTTL = 2 * time.Minute
	// failureTTL is for a failed call, so that not every request asks again.
	failureTTL = 10 * time.Second
)

// cache keeps Slack's answers by key for a time, and longer while Slack can't be
// reached. Concurrent requests for one key make one call.
type cache[T any] struct {
	ttl time.Duration
	now func() time.Time
	// retry is set if an error is not kept: its caller waits before it asks again.
	retry bool

	mu  sync.Mutex
	all map[string]*cacheEntry[T]
}

type cacheEntry[T any] struct {
	mu    sync.Mutex // held during the call
	value T
	known bool
	err   error
	until time.Time
}

func newCache[T any](ttl time.Duration, now func() time.Time) *cache[T] {
	return &cache[T]{ttl: ttl, now: now, all: map[string]*cacheEntry[T]{}}
}

func (c *cache[T]) entry(key string) *cacheEntry[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.all[key]
	if e == nil {
		for other := range c.all {
			if len(c.all) < cacheSize {
				break
			}
			delete(c.all, other)
		}
		e = &cacheEntry[T]{}
		c.all[key] = e
	}
	return e
}

// get returns the cached value, or fetches it. An error means that there is no
// value, not even an old one.
func (c *cache[T]) get(key string, fetch func() (T, error)) (T, error) {
	e := c.entry(key)
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := c.now(); !now.Before(e.until) {
		value, err := fetch()
		e.err = err
		switch {
		case err == nil:
			e.value, e.known, e.until = value, true, now.Add(c.ttl)
		case c.retry:
		case isPermanent(err):
			e.until = now.Add(c.ttl)
		default:
			e.until = now.Add(failureTTL)
		}
	}
	// An old value is better than an error, unless Slack says that it is gone.
	if e.known && !isPermanent(e.err) {
		return e.value, nil
	}
	return e.value, e.err
}

func (c *cache[T]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, key)
}

// isPermanent says whether Slack answered that there is no such thing, as opposed
// to a call that failed.
func isPermanent(err error) bool {
	e, ok := errors.AsType[*alert.SendError](err)
	return ok && e.Class == alert.ClassDestination && !alert.ExplainSlackError(e.Code).Method
}
