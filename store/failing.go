package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// failing are the writer's statements that fail while others may succeed, such as those on a
// table whose rights were revoked.
type failing struct {
	mu sync.Mutex
	// by has those that have not succeeded since they failed, each without its rows.
	by map[string]*failed
}

type failed struct {
	err       error
	since, at time.Time
	times     int
}

const (
	// failingTimes is how often one has to fail: the reason may be in what is written.
	failingTimes = 3
	// failingFor is for how long that counts: a daemon that is not ready may be sent nothing
	// by which it would find out that it could write it.
	failingFor = time.Minute
	failingFix = "if somebody has changed Tocsin's tables, change the database back; else please report it with the daemon's log"
)

// expected reports whether an error is no surprise, or concerns the whole store, which is known
// otherwise.
func expected(err error, in dialect) bool {
	return in.conflicts(err) || in.unavailable(err) && !postgresDenies(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// note notes how a statement ended.
func (f *failing) note(query string, err error, in dialect) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && len(f.by) == 0 {
		return
	}
	query, _, _ = strings.Cut(query, " VALUES ") // which are as many as there are rows
	switch {
	case err == nil:
		delete(f.by, query)
	case !expected(err, in):
		now, one := time.Now(), f.by[query]
		if one == nil || now.Sub(one.at) > failingFor {
			one = &failed{since: now}
		}
		one.err, one.at, one.times = err, now, one.times+1
		if f.by == nil {
			f.by = map[string]*failed{}
		}
		f.by[query] = one
	}
}

// refusal is since when a statement has failed, and why it did last; nil if all succeed.
func (f *failing) refusal(now time.Time) (since time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.by {
		if one.times >= failingTimes && now.Sub(one.at) <= failingFor && (err == nil || one.since.Before(since)) {
			since, err = one.since, one.err
		}
	}
	return since, err
}
