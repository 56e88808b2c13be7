package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"tocsin/alert"
)

// Problems are what keeps the store from being used, each with its remedy, as the
// latest writes and reads found it: Ping tries both. It asks neither the database nor the
// disk, which may hang.
func (d *DB) Problems() []alert.Problem {
	what, fix := "nothing is accepted or sent: ", d.dialect.remedy
	since, err := d.reads.refusal()
	if t := d.trouble.Load(); t != nil {
		since, err = t.since, t.err
	} else if err != nil {
		what = "not everything is accepted or sent, because the store can't be read: "
	} else {
		what = "not everything is accepted or sent, because a statement fails again and again: "
		if since, err = d.failing.refusal(time.Now()); !postgresDenies(err) {
			fix = func(error) string { return failingFix }
		}
	}
	if err == nil {
		return nil
	}
	p := alert.Problem{Code: alert.ProblemStore, Since: since, What: what + err.Error(), Fix: fix(err)}
	switch {
	case errors.Is(err, ErrReplaced):
		p.Code = alert.ProblemStoreChanged
		p.Fix = "put the store's files back if they were moved, then Tocsin continues by itself; else restart it to begin with what is there now"
	case errors.Is(err, ErrSuperseded):
		p.Fix = "nothing: this one becomes a standby by itself"
	case errors.Is(err, ErrHeld):
		p.Fix = "stop the other tocsin, then this one continues by itself; or give it a database of its own with TOCSIN_STORE"
	}
	return []alert.Problem{p}
}

// Waiting returns since when a read and a write have not returned; zero if none is
// under way. A read that was given up counts from then until Ping succeeds. It makes no query.
func (d *DB) Waiting() (read, write time.Time) {
	if since := d.writing.Load(); since != nil {
		write = *since
	}
	return d.reads.since(), write
}

// Ping reports whether the store can be read and written now. After a write or a read
// failed it tries what failed, so that it notices when that succeeds again.
func (d *DB) Ping(ctx context.Context) error {
	if err := d.answerWrite(ctx, (*writer).ping); err != nil {
		return fmt.Errorf("ping store: %w", err)
	}
	for _, query := range pingQueries {
		if err := d.each(ctx, query, func(s scanner) error { return s.Scan(new(int64)) }); err != nil {
			return fmt.Errorf("ping store: %w", err)
		}
	}
	for query, r := range d.reads.failed() {
		err := d.each(ctx, query, func(scanner) error { return nil }, r.args...)
		if err != nil && (errors.Is(err, alert.ErrUnavailable) || ctx.Err() != nil) {
			return fmt.Errorf("ping store: %w", err)
		}
		d.reads.repeated(query, r)
	}
	d.reads.recover()
	return nil
}

// pingQueries read each table that decisions and lists need: a lock may be on any.
var pingQueries = []string{
	"SELECT n FROM alerts LIMIT 1", "SELECT n FROM incidents LIMIT 1", "SELECT n FROM deliveries LIMIT 1",
	"SELECT incident FROM cards LIMIT 1", "SELECT incident FROM latest LIMIT 1", "SELECT lane FROM counts LIMIT 1",
	"SELECT n FROM lanes LIMIT 1", "SELECT n FROM history LIMIT 1", "SELECT n FROM silences LIMIT 1", "SELECT n FROM subscriptions LIMIT 1",
	"SELECT due_at FROM heartbeats LIMIT 1", "SELECT n FROM members LIMIT 1",
}

// reads are the reads that have not returned.
type reads struct {
	mu    sync.Mutex
	begun map[*time.Time]struct{}
	// unanswered is when a read was given up first; zero once the store can be read again.
	unanswered time.Time
	// refused are, by query, the reads that the store refused and Ping has not repeated
	// with success: another read may find what it needs in a cache.
	refused map[string]*refusedRead
}

type refusedRead struct {
	args []any
	err  error
	// since is when it was refused first, at when it was last.
	since, at time.Time
}

// refuse notes that the store refused a read, and the newest reason.
func (r *reads) refuse(query string, args []any, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused == nil {
		r.refused = map[string]*refusedRead{}
	}
	now := time.Now()
	read := &refusedRead{args, err, now, now}
	if before := r.refused[query]; before != nil {
		read.args, read.since = before.args, before.since
	}
	r.refused[query] = read
}

// refusal is since when the store has refused reads, and the newest reason; nil if it
// refuses none.
func (r *reads) refusal() (since time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var newest time.Time
	for _, read := range r.refused {
		if since.IsZero() || read.since.Before(since) {
			since = read.since
		}
		if !read.at.Before(newest) {
			newest, err = read.at, read.err
		}
	}
	return since, err
}

func (r *reads) failed() map[string]*refusedRead {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.refused)
}

// repeated notes that the store does not refuse this read any more.
func (r *reads) repeated(query string, read *refusedRead) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused[query] == read {
		delete(r.refused, query)
	}
}

// begin adds a read, unless an earlier one has not returned within limit although it
// was told to: the disk hangs, and another would hang with it.
func (r *reads) begin(limit time.Duration) (at *time.Time, ok bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if oldest := r.oldest(); !oldest.IsZero() && now.Sub(oldest) > limit+readGrace {
		return nil, false
	}
	if r.begun == nil {
		r.begun = map[*time.Time]struct{}{}
	}
	r.begun[&now] = struct{}{}
	return &now, true
}

// readGrace is how long a read may take to return after it was told to.
const readGrace = time.Second

func (r *reads) end(at *time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.begun, at)
}

// giveUp notes that a read was not answered in time.
func (r *reads) giveUp() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unanswered.IsZero() {
		r.unanswered = time.Now()
	}
}

func (r *reads) recover() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unanswered = time.Time{}
}

// since is when the oldest read began that has not returned, or when one was given up, if
// that is longer ago: one that was slow and has returned is no reason for a report if the
// next one works.
func (r *reads) since() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	oldest := r.oldest()
	if oldest.IsZero() || !r.unanswered.IsZero() && r.unanswered.Before(oldest) {
		return r.unanswered
	}
	return oldest
}

// oldest is when the oldest read began. The caller holds mu.
func (r *reads) oldest() (oldest time.Time) {
	for at := range r.begun {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = *at
		}
	}
	return oldest
}
