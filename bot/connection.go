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
	// idleLimit is how long a connection may be silent: our own pings make Slack
	// answer every pingEvery (docs/slack.md §1.8). It leaves time to have another
	// connection up within 20 seconds.
	idleLimit = 18 * time.Second
	pingEvery = 5 * time.Second
	// writeLimit bounds one write; Slack waits three seconds for an ack.
	writeLimit = 2 * time.Second
	// drainLimit bounds each step of closing in order: finishing the acks, and
	// waiting for Slack's close frame.
	drainLimit = 2 * time.Second
	// messageLimit is the size of the longest message that is read; Slack's have a
	// few kilobytes.
	messageLimit = 1 << 20
	// Slack silently drops an ack of ackSize, and one that is split into several
	// frames, which writeBuffer prevents (docs/slack.md §1.4).
	ackSize     = 20 << 10
	writeBuffer = 32 << 10
	// usualLife is how long a connection lasts by Slack's documentation, for a hello
	// that does not say (docs/slack.md §1.2).
	usualLife = time.Hour
)

var errClosing = errors.New("connection is closing")

// hello is Slack's message that a connection is ready (docs/slack.md §1.2).
type hello struct {
	at          time.Time
	connections int
	lasts       time.Duration
	app         string // A…, or empty
}

// connection is one Socket Mode connection, from the upgrade to its end. Its reader
// does not wait for handlers, and reads on after Slack said that it will close the
// connection. The close frame is sent after the last ack.
type connection struct {
	ws   *websocket.Conn
	log  *zap.Logger
	idle time.Duration
	// receive is called for each envelope and must not wait until it is acked. acked
	// has to be called once for each.
	receive func(*connection, socketmode.Request)

	hello            chan hello    // one value
	disconnecting    chan struct{} // closed when Slack said that it will close the connection; disconnectReason says why
	disconnectReason string
	stop             chan struct{} // closed by close
	ended            chan struct{} // closed when nothing more can be read; err says why
	err              error
	endedAt          time.Time     // valid once ended is closed
	done             chan struct{} // closed when the connection is closed
	once             sync.Once

	heard   atomic.Int64  // when the latest frame came, in Unix milliseconds; 0: none yet
	pending atomic.Int64  // envelopes that were received and not acked yet
	ackDone chan struct{} // receives when pending has decreased
	write   sync.Mutex    // held while an ack is written

	mu            sync.Mutex
	deadlineFixed bool // set before hello and after our close frame: frames do not extend the read deadline
	ready         bool // hello was received
}

func newConnection(ws *websocket.Conn, log *zap.Logger, idle time.Duration, receive func(*connection, socketmode.Request)) *connection {
	c := &connection{
		ws: ws, log: log, idle: idle, receive: receive, deadlineFixed: true,
		hello: make(chan hello, 1), ackDone: make(chan struct{}, 1),
		disconnecting: make(chan struct{}), stop: make(chan struct{}), ended: make(chan struct{}), done: make(chan struct{}),
	}
	_ = ws.SetReadDeadline(time.Now().Add(helloLimit))
	pong := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		c.extendDeadline()
		return pong(data)
	})
	ws.SetPongHandler(func(string) error {
		c.extendDeadline()
		return nil
	})
	// gorilla would answer Slack's close frame at once; ours follows the last ack.
	ws.SetCloseHandler(func(int, string) error { return nil })
	return c
}

// run reads until the connection ends, and returns when it is closed.
func (c *connection) run() {
	defer close(c.done)
	var group sync.WaitGroup
	group.Go(c.keepAlive)
	c.err = c.read()
	c.endedAt = time.Now()
	close(c.ended)
	group.Wait()
	c.drain()
	c.sendClose()
	_ = c.ws.Close()
}

// keepAlive sends pings until the connection ends, and carries out close.
func (c *connection) keepAlive() {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-ping.C:
			// If this fails, the read deadline ends the connection.
			_ = c.ws.WriteControl(websocket.PingMessage, []byte("tocsin"), time.Now().Add(writeLimit))
		case <-c.stop:
			c.drain()
			c.awaitClose()
			c.sendClose()
			return
		case <-c.ended:
			return
		}
	}
}

// read reads messages until the connection ends, and returns why it did.
func (c *connection) read() error {
	for {
		kind, r, err := c.ws.NextReader()
		if err != nil {
			return c.reason(err)
		}
		c.extendDeadline()
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

// message decodes one message leniently: a field that Slack changes must not keep
// us from acking it.
func (c *connection) message(data []byte) {
	var r socketmode.Request
	if err := lenient(data, &r); err != nil {
		c.log.Warn("slack sent a message that is not JSON", zap.Error(err))
		return
	}
	switch {
	case r.Type == socketmode.RequestTypeHello:
		c.receiveHello(r)
	case r.Type == socketmode.RequestTypeDisconnect:
		if !isClosed(c.disconnecting) {
			c.disconnectReason = r.Reason
			close(c.disconnecting)
		}
	case r.EnvelopeID == "":
		c.log.Warn("slack sent a message of an unknown type", zap.String("type", r.Type))
	default:
		c.pending.Add(1)
		c.receive(c, r)
	}
}

func (c *connection) receiveHello(r socketmode.Request) {
	c.mu.Lock()
	again := c.ready
	c.ready, c.deadlineFixed = true, false
	c.mu.Unlock()
	if again {
		return
	}
	c.extendDeadline()
	lasts := time.Duration(r.DebugInfo.ApproximateConnectionTime) * time.Second
	if lasts <= 0 {
		lasts = usualLife
	}
	c.hello <- hello{at: time.Now(), connections: r.NumConnections, lasts: lasts, app: r.ConnectionInfo.AppID}
}

func (c *connection) extendDeadline() {
	c.heard.Store(time.Now().UnixMilli())
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.deadlineFixed {
		_ = c.ws.SetReadDeadline(time.Now().Add(c.idle))
	}
}

// awaitClose limits how long to wait for Slack's close frame.
func (c *connection) awaitClose() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadlineFixed = true
	_ = c.ws.SetReadDeadline(time.Now().Add(drainLimit))
}

// reason explains a read error. The text of a close frame may contain anything, so
// only its status is kept.
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
		return errors.New("slack sent no hello")
	}
	return fmt.Errorf("slack sent nothing for %s", c.idle)
}

// ack writes an ack. It fails with errClosing after our close frame was sent.
func (c *connection) ack(envelope string, payload any) error {
	raw, err := json.Marshal(socketmode.Response{EnvelopeID: envelope, Payload: payload})
	if err != nil {
		return fmt.Errorf("write ack: %w", err)
	}
	if len(raw) >= ackSize {
		return fmt.Errorf("write ack: %d bytes are more than Slack accepts", len(raw))
	}
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeLimit))
	err = c.ws.WriteMessage(websocket.TextMessage, raw)
	if errors.Is(err, websocket.ErrCloseSent) {
		return errClosing
	}
	if err != nil {
		_ = c.ws.Close() // nothing can follow half a frame; this ends the reader
		return fmt.Errorf("write ack: %w", err)
	}
	return nil
}

// acked records that an envelope was acked, on any connection, or can't be.
func (c *connection) acked() {
	c.pending.Add(-1)
	select {
	case c.ackDone <- struct{}{}:
	default:
	}
}

// drain waits until every envelope that was received is acked.
func (c *connection) drain() {
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	for c.pending.Load() > 0 {
		select {
		case <-c.ackDone:
		case <-limit.C:
			return
		}
	}
}

// sendClose sends a close frame; nothing can be written after it. Without one, Slack
// keeps counting the connection for hours (docs/slack.md §1.7).
func (c *connection) sendClose() {
	normal := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = c.ws.WriteControl(websocket.CloseMessage, normal, time.Now().Add(writeLimit))
}

// close starts closing the connection in order; done is closed when that is over.
func (c *connection) close() { c.once.Do(func() { close(c.stop) }) }

func (c *connection) isReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ready
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
