// Package store keeps everything that was accepted and what became of it, in
// SQLite or PostgreSQL: what it has confirmed survives a crash and a power cut.
//
// It decides nothing about alerts: the engine decides what is written, and
// priority and order of acceptance what is sent next. It refuses to be shared by two daemons,
// and to confirm a write that is not on disk.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// Options are what a store needs from outside. Zero fields get defaults: no
// log, the system's clock.
type Options struct {
	Log *zap.Logger
	Now func() time.Time
	// Retention is how long finished things are kept; 0 means 30 days.
	Retention time.Duration
	// DeadRetention is how long dead letters are kept; 0 means forever.
	DeadRetention time.Duration
	// AnswerWithin is how long a read or a write may take before its caller gets an
	// error; 0 means 5 s.
	AnswerWithin time.Duration
	// Replica is this daemon as the others see it. nil for a command: it is not listed, and
	// its session is not ended however long it is silent.
	Replica func() alert.Replica
	// freshKeys is the constant of that name if it is 0.
	freshKeys int
}

// DB is an open store. Its methods may be called from any goroutine; writes are
// grouped, so that many callers share one fsync.
type DB struct {
	log     *zap.Logger
	now     func() time.Time
	dialect dialect
	keep    atomic.Pointer[retention]

	readers *sql.DB
	writers *sql.DB
	// files are nil for PostgreSQL.
	files *files
	// arrivals are nil for SQLite. front is set where another replica has the lock.
	arrivals *arrivals
	front    bool
	// release drops the store's lock.
	release func() error

	// commits are the writes that senders wait for.
	commits, others chan *op
	closing         chan struct{}
	once            sync.Once
	// stopped is closed when nothing will be written any more.
	stopped chan struct{}
	tasks   sync.WaitGroup

	waiters waiters
	tally   tally
	rules   rules
	grouped atomic.Bool
	keys    keyIndex
	aliases atomic.Pointer[alert.Aliases]
	// surveying is held by whoever sums up alerts.
	surveying chan struct{}
	asked     prepared
	// trouble is why nothing can be written.
	trouble atomic.Pointer[trouble]
	// answerWithin is that of Options, writing since when the writer has been in a
	// transaction, and reads are the reads that have not returned.
	answerWithin time.Duration
	writing      atomic.Pointer[time.Time]
	reads        reads

	// self is Options.Replica for PostgreSQL, and term is that of leader while this store is
	// the active one; 0 before.
	self func() alert.Replica
	term int64
	// deposed gets why another replica has to be active.
	deposed chan error
	cluster atomic.Pointer[alert.Cluster]
	failing failing
	// confirmed is when the latest transaction began that the database has confirmed.
	confirmed atomic.Pointer[time.Time]
}

// errNoAnswer: nothing was read or written, because earlier reads or writes do not return.
var errNoAnswer = fmt.Errorf("%w: it does not answer", alert.ErrUnavailable)

var errClosed = fmt.Errorf("%w: it is closed", alert.ErrUnavailable)

// retention is how long finished things are kept, and dead letters; 0 means forever.
type retention struct{ finished, dead time.Duration }

// Keep changes Retention and DeadRetention of Options, from the next time it prunes on.
func (d *DB) Keep(finished, dead time.Duration) { d.keep.Store(&retention{finished, dead}) }

// ErrFull is why Open fails on a full disk.
var ErrFull = errors.New("the disk is full")

// Open opens the store that url names, sqlite:PATH or postgres://…, creates it
// if it does not exist, and brings its tables up to date. An error is one line
// that names the store and says what to do. The store prunes itself once an hour.
// The error is ErrFull when it will succeed once there is room on the disk.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	d := newDB(o)
	w, err := d.connect(ctx, url)
	if err != nil {
		return nil, err
	}
	if of, err := unfinishedCopy(ctx, w); err != nil || of != "" {
		w.close()
		return nil, errors.Join(fmt.Errorf("open store: %w", cmp.Or(err, unfinishedError(of))), d.giveUp())
	}
	d.tasks.Go(func() { d.writeLoop(w) })
	err = d.write(ctx, func(w *writer, ctx context.Context) error { return w.learnStored(ctx, d.now()) })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store: %w", err), d.Close())
	}
	d.tasks.Go(d.pruneLoop)
	if d.arrivals != nil {
		d.tasks.Go(d.listen)
	}
	if d.self != nil {
		d.tasks.Go(d.beatLoop)
	}
	return d, nil
}

func newDB(o Options) *DB {
	d := &DB{
		log: o.Log, now: o.Now,
		answerWithin: cmp.Or(o.AnswerWithin, 5*time.Second),
		commits:      make(chan *op, 1), // the engine commits one change at a time
		others:       make(chan *op, queueSize),
		surveying:    make(chan struct{}, 1),
		closing:      make(chan struct{}),
		stopped:      make(chan struct{}),
		deposed:      make(chan error, 1),
		self:         o.Replica,
	}
	if d.log == nil {
		d.log = zap.NewNop()
	}
	if d.now == nil {
		d.now = time.Now
	}
	d.Keep(cmp.Or(o.Retention, 30*24*time.Hour), o.DeadRetention)
	d.keys.most = cmp.Or(o.freshKeys, freshKeys)
	return d
}

func (d *DB) connect(ctx context.Context, url string) (*writer, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:"); ok {
		return d.openSQLite(ctx, path)
	}
	if strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://") {
		return d.openPostgres(ctx, url)
	}
	scheme, _, _ := strings.Cut(url, ":")
	return nil, fmt.Errorf("open store: unknown kind %q: write sqlite:PATH or postgres://…", scheme)
}

// Close writes and answers what still waits, and drops the store's lock. All its
// errors are joined; closing twice is the same as once.
func (d *DB) Close() error {
	var err error
	d.once.Do(func() {
		close(d.closing)
		d.tasks.Wait()
		if d.self != nil {
			leave(d.readers, d.self().ID)
		}
		err = errors.Join(d.asked.close(), d.readers.Close(), d.writers.Close(), d.release())
	})
	if err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// classify marks an error as alert.ErrUnavailable when the fault is the
// store's and not the request's.
func (d *DB) classify(err error) error {
	if err == nil || errors.Is(err, alert.ErrUnavailable) || !d.dialect.unavailable(err) {
		return err
	}
	return fmt.Errorf("%w: %w", alert.ErrUnavailable, err)
}
