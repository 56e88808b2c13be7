package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"
)

const (
	helloLimit = 10 * time.Second
	// idleLimit is how long a connection may be silent: our own pings make the
	// other side answer every pingEvery (docs/slack.md §1.8). It leaves time to have
	// another connection up within 20 seconds of the silence.
	idleLimit = 18 * time.Second
	pingEvery = 5 * time.Second
	// writeLimit bounds one write; an ack is due after three seconds.
	writeLimit = 2 * time.Second
	// drainLimit bounds each step of an orderly end: finishing the acks, and
	// waiting for the server's close frame.
	drainLimit = 2 * time.Second
	// messageLimit is the size of the longest message accepted; Slack's are a few
	// kilobytes.
	messageLimit = 1 << 20
	// ackSize is the size from which Slack drops an ack without a word, and
	// writeBuffer is large enough for an ack to be one frame, because Slack does
	// not reassemble several (docs/slack.md §1.4).
	ackSize     = 20 << 10
	writeBuffer = 32 << 10
	// usualLife is how long Slack's documentation says that a connection lasts,
	// for a hello that does not say (docs/slack.md §1.2).
	usualLife = time.Hour
)

var errClosing = errors.New("connection is closing")

// hello is what Slack says when a connection is ready (docs/slack.md §1.2).
type hello struct {
	at          time.Time
	connections int
	lasts       time.Duration
}

// connection is one Socket Mode connection, from the upgrade to its end. It is
// used once. Its reader never waits for a handler, reads on after Slack's notice
// to disconnect, and ends with a close frame after the last ack.
type connection struct {
	ws   *websocket.Conn
	log  *zap.Logger
	idle time.Duration
	// receive is called for each envelope and must not wait for its ack; acked has
	// to be called once for each.
	receive func(*connection, socketmode.Request)

	hello  chan hello    // one value
	told   chan struct{} // closed when Slack said that it will drop the connection; notice says why
	notice string
	stop   chan struct{} // closed when an orderly end was asked for
	ended  chan struct{} // closed when nothing more will be read; err says why
	err    error
	done   chan struct{} // closed when the connection is, and nothing of it is left
	once   sync.Once

	pending atomic.Int64  // envelopes received and not yet acked
	settled chan struct{} // pending has changed
	write   sync.Mutex    // held for each message

	mu    sync.Mutex
	fixed bool // frames do not move the read deadline: before hello and after our close frame
	ready bool // hello was received
}

func newConnection(ws *websocket.Conn, log *zap.Logger, idle time.Duration, receive func(*connection, socketmode.Request)) *connection {
	c := &connection{
		ws: ws, log: log, idle: idle, receive: receive, fixed: true,
		hello: make(chan hello, 1), settled: make(chan struct{}, 1),
		told: make(chan struct{}), stop: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
	}
	_ = ws.SetReadDeadline(time.Now().Add(helloLimit))
	pong := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		c.heard()
		return pong(data)
	})
	ws.SetPongHandler(func(string) error {
		c.heard()
		return nil
	})
	// Our close frame comes after the last ack, not as soon as Slack's is read.
	ws.SetCloseHandler(func(int, string) error { return nil })
	return c
}

// run reads until the connection ends, and returns when it is closed.
func (c *connection) run() {
	defer close(c.done)
	var group sync.WaitGroup
	group.Go(c.tend)
	c.err = c.read()
	close(c.ended)
	group.Wait()
	c.drain()
	c.sayGoodbye()
	_ = c.ws.Close()
}

// tend pings until the connection ends, and begins the end that close asks for.
func (c *connection) tend() {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ping.C:
			// A connection that can't be written to is noticed by its silence.
			_ = c.ws.WriteControl(websocket.PingMessage, []byte("tocsin"), time.Now().Add(writeLimit))
		case <-c.stop:
			c.drain()
			c.awaitClose()
			c.sayGoodbye()
			return
		case <-c.ended:
			return
		}
	}
}

// read hands on messages until the connection ends, and returns why it did.
func (c *connection) read() error {
	for {
		kind, r, err := c.ws.NextReader()
		if err != nil {
			return c.reason(err)
		}
		c.heard()
		message, err := io.ReadAll(io.LimitReader(r, messageLimit+1))
		switch {
		case err != nil:
			return c.reason(err)
		case kind != websocket.TextMessage || len(message) > messageLimit:
			c.log.Warn("slack sent a message that is binary or too long", zap.Int("bytes", len(message)))
		default:
			c.message(message)
		}
	}
}

// message reads one message leniently: what Slack changes in a field must not
// keep us from acking it.
func (c *connection) message(data []byte) {
	var r socketmode.Request
	if err := lenient(data, &r); err != nil {
		c.log.Warn("slack sent a message that is not JSON", zap.Error(err))
		return
	}
	switch {
	case r.Type == socketmode.RequestTypeHello:
		c.greet(r)
	case r.Type == socketmode.RequestTypeDisconnect:
		if !isClosed(c.told) {
			c.notice = r.Reason
			close(c.told)
		}
	case r.EnvelopeID == "":
		c.log.Warn("slack sent a message of an unknown type", zap.String("type", r.Type))
	default:
		c.pending.Add(1)
		c.receive(c, r)
	}
}

func (c *connection) greet(r socketmode.Request) {
	c.mu.Lock()
	again := c.ready
	c.ready, c.fixed = true, false
	c.mu.Unlock()
	if again {
		return
	}
	c.heard()
	lasts := time.Duration(r.DebugInfo.ApproximateConnectionTime) * time.Second
	if lasts <= 0 {
		lasts = usualLife
	}
	c.hello <- hello{at: time.Now(), connections: r.NumConnections, lasts: lasts}
}

// heard moves the read deadline: the other side is there.
func (c *connection) heard() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fixed {
		_ = c.ws.SetReadDeadline(time.Now().Add(c.idle))
	}
}

// awaitClose gives Slack a moment to answer our close frame.
func (c *connection) awaitClose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixed = true
	_ = c.ws.SetReadDeadline(time.Now().Add(drainLimit))
}

// reason words why nothing more can be read. The text of a close frame may be
// anything, so only its status is kept.
func (c *connection) reason(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	closed, ok := errors.AsType[*websocket.CloseError](err)
	switch {
	case ok && closed.Code == websocket.CloseAbnormalClosure:
		return errors.New("connection was cut")
	case ok:
		return fmt.Errorf("slack closed the connection (status %d)", closed.Code)
	case !isTimeout(err):
		return err
	case !c.ready:
		return errors.New("slack did not say hello")
	}
	return fmt.Errorf("nothing was heard for %s", c.idle)
}

// ack writes an ack. It fails with errClosing once our close frame was sent.
func (c *connection) ack(envelope string, payload any) error {
	raw, err := json.Marshal(socketmode.Response{EnvelopeID: envelope, Payload: payload})
	if err != nil {
		return fmt.Errorf("write ack: %w", err)
	}
	if len(raw) >= ackSize {
		return fmt.Errorf("write ack: %d bytes are more than Slack reads", len(raw))
	}
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeLimit))
	err = c.ws.WriteMessage(websocket.TextMessage, raw)
	if errors.Is(err, websocket.ErrCloseSent) {
		return errClosing
	}
	if err != nil {
		_ = c.ws.Close() // after half a frame nothing can follow; the reader ends
		return fmt.Errorf("write ack: %w", err)
	}
	return nil
}

// acked notes that an envelope was acked, here or elsewhere, or can't be.
func (c *connection) acked() {
	c.pending.Add(-1)
	select {
	case c.settled <- struct{}{}:
	default:
	}
}

// drain waits until each envelope that was received is acked.
func (c *connection) drain() {
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	for c.pending.Load() > 0 {
		select {
		case <-c.settled:
		case <-limit.C:
			return
		}
	}
}

// sayGoodbye sends a close frame; no message can follow. Slack keeps connections
// that vanish without it registered for hours (docs/slack.md §1.7).
func (c *connection) sayGoodbye() {
	normal := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = c.ws.WriteControl(websocket.CloseMessage, normal, time.Now().Add(writeLimit))
}

// close asks for an orderly end; done says when it is over.
func (c *connection) close() { c.once.Do(func() { close(c.stop) }) }

// isReady says whether hello was received.
func (c *connection) isReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

// recycled says whether Slack told us that it will drop the connection.
func (c *connection) recycled() bool { return isClosed(c.told) }

// over says whether nothing more will be read.
func (c *connection) over() bool { return isClosed(c.ended) }

// closed says whether nothing of the connection is left.
func (c *connection) closed() bool { return isClosed(c.done) }

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
