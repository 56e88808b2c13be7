package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"tocsin/alert"
)

// Several replicas share a PostgreSQL store, and the one that has its lock decides. The
// others write what they accept into the table arrivals and notify it. Its receipts come
// back as notifications, which PostgreSQL sends once the decision is durable.

const (
	// receiptPatience is how long whoever has written an arrival waits for the receipt.
	receiptPatience = time.Second
	// arrivalsTogether is how many arrivals share one transaction at most.
	arrivalsTogether = 256
	// arrivalsBytes is how many bytes of arrivals are read at once, and one arrival more.
	arrivalsBytes = 1 << 20
	// pollEvery is how often it is looked what has come, whatever was notified.
	pollEvery = time.Second
	// notifiedMost is how many characters of a receipt fit into one notification, whose
	// limit is 8000 bytes.
	notifiedMost = 7500
)

const (
	arrivalsQuery = `SELECT id, request FROM (SELECT n, id, request, sum(octet_length(request)) OVER (ORDER BY n) - octet_length(request) AS earlier
		FROM arrivals ORDER BY n LIMIT ?) AS oldest WHERE earlier < ? ORDER BY n`
	settleQuery = `DELETE FROM arrivals WHERE id {oneof}`
	// channelName is the channel of notifications, which all schemas of a database share.
	channelName = `'tocsin_' || to_hex(hashtext(coalesce(current_schema(), '')))`
	arriveQuery = `WITH arrived AS (INSERT INTO arrivals (id, request, arrived_at)
			SELECT id, request, extract(epoch FROM clock_timestamp()) * 1000000 FROM unnest($1::text[], $2::text[]) AS q (id, request))
		SELECT pg_notify(` + channelName + `, '` + arrivedNotice + `')`
	receiptsNotify = `SELECT pg_notify(` + channelName + `, part) FROM json_array_elements_text(?::json) AS part`
	arrivedNotice  = "arrived"
	// receiveQuery takes the time from the database, because replicas' clocks differ.
	receiveQuery = `WITH received AS (INSERT INTO inbox (id, dedupe, type, payload, received_at, handled)
			VALUES ($1, $2, $3, $4, extract(epoch FROM clock_timestamp()) * 1000000, 0) ON CONFLICT DO NOTHING RETURNING id)
		SELECT pg_notify(` + channelName + `, '` + receivedNotice + `') FROM received`
	receivedNotice = "received"
	// clockNotify tells the others the active replica's clock, in microseconds.
	clockNotify = `SELECT pg_notify(` + channelName + `, '` + clockNotice + `' || $1::bigint)`
	clockNotice = "clock "
)

// arrivals is what passes requests on over PostgreSQL.
type arrivals struct {
	config  *pgx.ConnConfig
	writing chan *arriving
	// patience is how long somebody waits for a receipt: receiptPatience.
	patience time.Duration
	// arrived has room for one: somebody may have written an arrival.
	arrived chan struct{}
	// received has room for one: another replica may have received an envelope.
	received chan struct{}
	// hurry is closed once nobody waits for receipts any more.
	hurry    chan struct{}
	hurrying sync.Once
	// heard is closed once notifications are heard for the first time.
	heard   chan struct{}
	hearing sync.Once
	// now is this replica's clock, and ahead how far the active one's is ahead of it; nil
	// until anything is known of that.
	now   func() time.Time
	ahead atomic.Pointer[time.Duration]

	mu sync.Mutex
	// waiting are those who wait for a receipt, by the arrival's id.
	waiting map[string]*awaitedReceipt
}

// arriving is a request that is to be written.
type arriving struct {
	alert.Arrival
	written chan error // has room for the one answer
}

// awaitedReceipt is a receipt of which parts may have come, in their order.
type awaitedReceipt struct {
	parts strings.Builder
	whole chan []byte // has room for it
}

// errFront is why a standby writes nothing but arrivals and envelopes.
var errFront = fmt.Errorf("%w: this replica is on standby", alert.ErrUnavailable)

// stockEvery is how often a front reads what the writer of another replica changes.
const stockEvery = 2 * time.Second

// OpenFront opens a PostgreSQL store that another replica has: it reads, and what Arrive
// and Receive get it passes on. Everything else that writes is refused with alert.ErrUnavailable. It
// need not be reached now.
func OpenFront(url string, o Options) (*DB, error) {
	o.Replica = nil
	d := newDB(o)
	config, err := parsePostgres(url)
	if err != nil {
		return nil, err
	}
	d.asPostgres(config)
	d.front, d.writers = true, d.readers
	d.aliases.Store(alert.NewAliases(nil))
	d.tasks.Go(d.listen)
	d.tasks.Go(d.stockLoop)
	select { // a receipt that comes before notifications are heard is lost, and the clock is not known
	case <-d.arrivals.heard:
	case <-time.After(pollEvery):
	}
	d.tasks.Go(d.arriveLoop)
	return d, nil
}

// stockLoop keeps what is asked for without a query as the active replica leaves it.
func (d *DB) stockLoop() {
	w := d.postgresWriter()
	w.dial = d.readers.Conn
	defer w.close()
	ticker := time.NewTicker(stockEvery)
	defer ticker.Stop()
	for {
		if err := d.readTally(w); err != nil {
			d.log.Debug("stock not taken, will try again", zap.Error(err)) // reads that fail are reported
		}
		select {
		case <-ticker.C:
		case <-d.closing:
			return
		}
	}
}

func (d *DB) readTally(w *writer) error {
	ctx, cancel := d.dialect.limit(context.Background())
	defer cancel()
	if w.conn == nil {
		conn, err := w.dial(ctx)
		if err != nil {
			return err
		}
		w.conn, w.stmts = conn, map[string]*sql.Stmt{}
	}
	if err := w.readTally(ctx); err != nil {
		w.close()
		return err
	}
	var waiting int64
	if err := w.each(ctx, "SELECT count(*) FROM arrivals", func(s scanner) error { return s.Scan(&waiting) }); err != nil {
		return err
	}
	d.tally.pending.Add(waiting)
	d.aliases.Store(w.lanes.known())
	return nil
}

func newArrivals(config *pgx.ConnConfig, now func() time.Time) *arrivals {
	return &arrivals{config: config, now: now, patience: receiptPatience, writing: make(chan *arriving), arrived: make(chan struct{}, 1), received: make(chan struct{}, 1), hurry: make(chan struct{}), heard: make(chan struct{}), waiting: map[string]*awaitedReceipt{}}
}

// Arrive writes a request down for the active replica. It returns once the request is durable
// and the receipt is there; without one after a second, which is nil. The errors are as from
// Commit. Requests of which one was durable before the other came are decided in this order.
func (d *DB) Arrive(ctx context.Context, request []byte) (receipt []byte, err error) {
	one := &arriving{alert.Arrival{ID: alert.NewID(), Request: request}, make(chan error, 1)}
	whole, leave := d.arrivals.await(one.ID)
	defer leave()
	if err := d.writeArrival(ctx, one); err != nil {
		return nil, fmt.Errorf("write arrival: %w", err)
	}
	limit := time.NewTimer(d.arrivals.patience)
	defer limit.Stop()
	select {
	case receipt = <-whole:
	case <-limit.C:
	case <-d.arrivals.hurry:
	case <-ctx.Done():
	}
	return receipt, nil
}

// Hurry has Arrive wait for no more receipts.
func (d *DB) Hurry() { d.arrivals.hurrying.Do(func() { close(d.arrivals.hurry) }) }

func (d *DB) writeArrival(ctx context.Context, one *arriving) error {
	limit := time.NewTimer(d.answerWithin)
	defer limit.Stop()
	select {
	case d.arrivals.writing <- one:
	case <-limit.C:
		return errNoAnswer
	case <-ctx.Done():
		return ctx.Err()
	case <-d.closing:
		return errClosed
	}
	return <-one.written // which the dialect's patience limits
}

// Arrived tells that arrivals may wait. It is nil for a store that has none.
func (d *DB) Arrived() <-chan struct{} {
	if d.arrivals == nil {
		return nil
	}
	return d.arrivals.arrived
}

// Received tells that another replica may have received envelopes. It is nil for a store
// that has none.
func (d *DB) Received() <-chan struct{} {
	if d.arrivals == nil {
		return nil
	}
	return d.arrivals.received
}

// Arrivals lists the first arrivals that are not decided, in the order they came, most at most
// and about a megabyte.
func (d *DB) Arrivals(ctx context.Context, most int) ([]alert.Arrival, error) {
	var found []alert.Arrival
	err := d.each(ctx, arrivalsQuery, func(s scanner) error {
		var a alert.Arrival
		err := s.Scan(&a.ID, &a.Request)
		found = append(found, a)
		return err
	}, most, arrivalsBytes)
	if err != nil {
		return nil, fmt.Errorf("list arrivals: %w", err)
	}
	return found, nil
}

// writeReceipts ends the arrivals that are answered, and sends the answers to whom waits
// for them, once the transaction is durable.
func (c *changeWriter) writeReceipts(ctx context.Context) error {
	if len(c.Receipts) == 0 {
		return nil
	}
	var ids, parts []string
	for id, receipt := range c.Receipts {
		ids = append(ids, id)
		parts = append(parts, receiptParts(id, receipt)...)
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return fmt.Errorf("list arrivals: %w", err)
	}
	switch gone, err := c.w.exec(ctx, settleQuery, string(list)); {
	case err != nil:
		return err
	case gone != int64(len(ids)):
		return fmt.Errorf("%d of %d arrivals are decided: %w", int64(len(ids))-gone, len(ids), alert.ErrConflict)
	}
	if c.w.dialect.notify == "" {
		return nil
	}
	list, err = json.Marshal(parts)
	if err != nil {
		return fmt.Errorf("list receipts: %w", err)
	}
	_, err = c.w.exec(ctx, c.w.dialect.notify, string(list))
	return err
}

// receiptParts are the notifications that bring a receipt, in their order: each has the
// arrival's id, how many follow, and a part of the receipt.
func receiptParts(id string, receipt []byte) (all []string) {
	text := base64.StdEncoding.EncodeToString(receipt)
	for n := (len(text) - 1) / notifiedMost; n >= 0; n-- {
		part := text[:min(len(text), notifiedMost)]
		text = text[len(part):]
		all = append(all, id+" "+strconv.Itoa(n)+" "+part)
	}
	return all
}

// await returns where the receipt of an arrival will come, and what ends the waiting.
func (a *arrivals) await(id string) (whole <-chan []byte, leave func()) {
	one := &awaitedReceipt{whole: make(chan []byte, 1)}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[id] = one
	return one.whole, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, id)
	}
}

// hear takes in a notification.
func (a *arrivals) hear(notice string) {
	switch notice {
	case arrivedNotice:
		wake(a.arrived)
		return
	case receivedNotice:
		wake(a.received)
		return
	}
	if clock, ok := strings.CutPrefix(notice, clockNotice); ok {
		if at, err := strconv.ParseInt(clock, 10, 64); err == nil {
			ahead := fromMicros(at).Sub(a.now())
			a.ahead.Store(&ahead)
		}
		return
	}
	id, rest, _ := strings.Cut(notice, " ")
	more, part, _ := strings.Cut(rest, " ")
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.waiting[id]
	if one == nil { // another replica waits for it, or nobody any more
		return
	}
	one.parts.WriteString(part)
	if more != "0" {
		return
	}
	if receipt, err := base64.StdEncoding.DecodeString(one.parts.String()); err == nil {
		one.whole <- receipt
		delete(a.waiting, id)
	}
}

// Now is the time by which a front checks requests: that of the active replica's clock, which
// decides them, or of the database's until the first is heard.
func (d *DB) Now() time.Time {
	if d.front {
		if ahead := d.arrivals.ahead.Load(); ahead != nil {
			return d.now().Add(*ahead)
		}
	}
	return d.now()
}

func wake(sleeper chan<- struct{}) {
	select {
	case sleeper <- struct{}{}:
	default: // it is about to look
	}
}

// listen hears notifications until the store closes.
func (d *DB) listen() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d.tasks.Go(func() {
		<-d.closing
		cancel()
	})
	for ctx.Err() == nil {
		if err := d.listenOnce(ctx); ctx.Err() == nil {
			d.log.Warn("notifications are not heard, will try again", zap.Error(err))
		}
		d.lookAround(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
}

// lookAround has arrivals decided and envelopes handled if there are any. It looks for itself,
// because who decides has pushes waiting, which a store that does not answer must not delay
// once more.
func (d *DB) lookAround(ctx context.Context) {
	for query, sleeper := range map[string]chan<- struct{}{
		"SELECT 1 FROM arrivals LIMIT 1":                d.arrivals.arrived,
		"SELECT 1 FROM inbox WHERE handled = 0 LIMIT 1": d.arrivals.received,
	} {
		// An error says that the store can't be used, which is found out and reported without it.
		_ = d.each(ctx, query, func(scanner) error {
			wake(sleeper)
			return nil
		})
	}
}

// listenOnce hears notifications over one connection until that fails, which it returns.
func (d *DB) listenOnce(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, d.arrivals.config)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), rollbackPatience)
		defer cancel()
		_ = conn.Close(end) // it may be lost
	}()
	var channel string
	var clock time.Time
	if err := conn.QueryRow(ctx, "SELECT "+channelName+", clock_timestamp()").Scan(&channel, &clock); err != nil {
		return err
	}
	ahead := clock.Sub(d.now())
	d.arrivals.ahead.CompareAndSwap(nil, &ahead)
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	d.arrivals.hearing.Do(func() { close(d.arrivals.heard) })
	for {
		limited, cancel := context.WithTimeout(ctx, pollEvery)
		notice, err := conn.WaitForNotification(limited)
		cancel()
		switch {
		case err == nil:
			d.arrivals.hear(notice.Payload)
		case pgconn.Timeout(err) && ctx.Err() == nil:
			d.lookAround(ctx)
		default:
			return err
		}
	}
}

// arriveLoop writes arrivals, those that come during one transaction in the next one, until
// the store closes.
func (d *DB) arriveLoop() {
	for {
		select {
		case first := <-d.arrivals.writing:
			group := d.arrivals.gather(first)
			err := d.writeArrivals(group)
			for _, one := range group {
				one.written <- err
			}
		case <-d.closing:
			return
		}
	}
}

func (a *arrivals) gather(first *arriving) []*arriving {
	group := []*arriving{first}
	for len(group) < arrivalsTogether {
		select {
		case one := <-a.writing:
			group = append(group, one)
		default:
			return group
		}
	}
	return group
}

func (d *DB) writeArrivals(group []*arriving) error {
	ids, requests := make([]string, len(group)), make([]string, len(group))
	for n, one := range group {
		ids[n], requests[n] = one.ID, string(one.Request)
	}
	_, err := d.passOn(context.Background(), arriveQuery, ids, requests)
	return err
}

// passOn writes something for the active replica, and returns how many rows there are. The
// errors are as from Commit.
func (d *DB) passOn(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, cancel := d.dialect.limit(ctx)
	defer cancel()
	result, err := d.readers.ExecContext(ctx, query, args...)
	switch {
	case err == nil:
		return result.RowsAffected()
	case undefinedTable(err):
		return 0, fmt.Errorf("%w: the active replica is of an earlier version", alert.ErrUnavailable)
	}
	if _, refused := errors.AsType[*pgconn.ConnectError](err); refused || pgconn.SafeToRetry(err) || d.dialect.aborted(err) {
		return 0, d.classify(err)
	}
	return 0, doubt{d.classify(err)}
}
