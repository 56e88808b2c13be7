package bot

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// idleLimit is how long a connection may be silent: our own pings make the
	// other side speak every pingEvery (slack-facts §1.8). It leaves time to have
	// another connection up within 20 seconds of the silence.
	idleLimit = 18 * time.Second
	pingEvery = 5 * time.Second
	// writeLimit bounds one write; an ack is due after three seconds.
	writeLimit = 2 * time.Second
	// messageLimit is the longest message taken; Slack's are a few kilobytes.
	messageLimit = 1 << 20
	// holdLimit bounds how long the end of a connection is held back.
	holdLimit = 5 * time.Second
)

var errClosing = errors.New("connection is closing")

// wire stands between the library's WebSocket and the network, above TLS, and
// mends four things from there: silence is noticed (idle limit and own pings),
// the end is orderly (a close frame, and every message handled before the
// library sees the end, because it drops what it holds when it stops), Slack's
// `disconnect` is taken out (the library would stop reading at it), and what is
// no message at all never goes up.
type wire struct {
	net.Conn
	idle   time.Duration
	r      *bufio.Reader
	notice func(reason string) // a `disconnect` message came
	odd    func(what string)   // something was taken out
	moved  func()              // a message was written

	// Only the reading goroutine touches these.
	status  bool   // the status line of the upgrade's answer was read
	plain   bool   // the upgrade was refused: hand up bytes as they come
	pending []byte // to be handed up
	message []byte // the message being put together
	skip    bool   // the message being put together is not for us
	over    error  // what every later read returns

	upgraded atomic.Bool
	limit    atomic.Int64 // the reader's own deadline in Unix nanoseconds, 0 for none
	up       atomic.Int64 // messages handed up
	sent     atomic.Int64 // messages written

	write   sync.Mutex
	closing bool // under write: a close frame was sent, or nobody is there any more

	ended   chan struct{} // nothing more will be read
	release chan struct{} // the end may be handed up
	gone    chan struct{} // Close was called
	once    struct{ end, release, gone sync.Once }
}

func newWire(conn net.Conn, idle time.Duration) *wire {
	w := &wire{
		Conn: conn, idle: idle,
		notice: func(string) {}, odd: func(string) {}, moved: func() {},
		ended: make(chan struct{}), release: make(chan struct{}), gone: make(chan struct{}),
	}
	w.r = bufio.NewReaderSize(reader(w.fill), 16<<10)
	return w
}

type reader func([]byte) (int, error)

func (f reader) Read(p []byte) (int, error) { return f(p) }

// fill reads from the network, for at most the idle limit.
func (w *wire) fill(p []byte) (int, error) {
	deadline := time.Now().Add(w.idle)
	if limit := w.limit.Load(); limit != 0 && limit < deadline.UnixNano() {
		deadline = time.Unix(0, limit)
	}
	if err := w.Conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	return w.Conn.Read(p)
}

// SetDeadline bounds reads on top of the idle limit; writes have their own.
func (w *wire) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

// SetReadDeadline bounds reads on top of the idle limit.
func (w *wire) SetReadDeadline(t time.Time) error {
	limit := int64(0)
	if !t.IsZero() {
		limit = t.UnixNano()
	}
	w.limit.Store(limit)
	return nil
}

// SetWriteDeadline does nothing: each write has its own limit.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// Close drops the connection without a close frame.
func (w *wire) Close() error {
	w.once.gone.Do(func() { close(w.gone) })
	return w.Conn.Close()
}

// Read hands up the upgrade's answer and then whole frames.
func (w *wire) Read(p []byte) (int, error) {
	for len(w.pending) == 0 {
		switch {
		case w.over != nil:
			return 0, w.over
		case w.plain:
			return w.r.Read(p)
		case !w.upgraded.Load():
			w.nextLine()
		default:
			w.nextFrame()
		}
	}
	n := copy(p, w.pending)
	w.pending = w.pending[n:]
	return n, nil
}

// nextLine reads one line of the answer to the upgrade; behind the empty line
// frames begin, if the server switched protocols.
func (w *wire) nextLine() {
	line, err := w.r.ReadSlice('\n')
	w.pending = append(w.pending[:0], line...)
	if err != nil {
		w.over = err
		return
	}
	if !w.status {
		w.status = true
		w.plain = !strings.Contains(string(line), " 101")
	}
	if len(bytes.TrimRight(line, "\r\n")) == 0 {
		w.upgraded.Store(true)
	}
}

// nextFrame reads one frame and decides whether it goes up.
func (w *wire) nextFrame() {
	head, err := readHead(w.r)
	if err != nil {
		w.lost(err)
		return
	}
	if head.control() {
		w.nextControl(head)
		return
	}
	if head.op != opContinuation {
		w.message, w.skip = w.message[:0], head.op != opText
	}
	if err := w.nextPart(head); err != nil {
		w.lost(err)
		return
	}
	if head.fin {
		w.pass()
		w.message = w.message[:0]
	}
}

// nextPart appends a frame's payload to the message, or skips it when the
// message is too long or not text.
func (w *wire) nextPart(head frameHead) error {
	if w.skip || head.length > messageLimit || len(w.message)+int(head.length) > messageLimit {
		w.skip = true
		_, err := io.CopyN(io.Discard, w.r, int64(min(head.length, 1<<62)))
		return err
	}
	start := len(w.message)
	w.message = append(w.message, make([]byte, head.length)...)
	_, err := io.ReadFull(w.r, w.message[start:])
	return err
}

// pass hands up a whole message as one frame, if it is one for the library.
func (w *wire) pass() {
	if w.skip {
		w.odd("a binary or over-long message")
		return
	}
	if first := bytes.TrimLeft(w.message, " \t\r\n"); len(first) == 0 || first[0] != '{' || !json.Valid(first) {
		w.odd("a message that is no JSON object")
		return
	}
	if reason, ok := disconnectReason(w.message); ok {
		w.notice(reason)
		return
	}
	w.up.Add(1)
	w.pending = append(appendHead(w.pending[:0], opText, len(w.message), 0), w.message...)
}

// disconnectReason recognises Slack's notice that it will drop the connection
// (slack-facts §1.6).
func disconnectReason(message []byte) (string, bool) {
	if len(message) > 4096 || !bytes.Contains(message, []byte(`"disconnect"`)) {
		return "", false
	}
	var notice struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal(message, &notice) != nil || notice.Type != "disconnect" {
		return "", false
	}
	return notice.Reason, true
}

// nextControl hands up a ping or pong, and holds back a close.
func (w *wire) nextControl(head frameHead) {
	payload := make([]byte, head.length)
	if _, err := io.ReadFull(w.r, payload); err != nil {
		w.lost(err)
		return
	}
	if head.op == opClose {
		w.end(closedBy(payload))
	}
	w.pending = append(appendHead(w.pending[:0], head.op, len(payload), 0), payload...)
}

// closedBy words a server's close frame; its text may be anything, so only the
// status is kept.
func closedBy(payload []byte) error {
	if len(payload) < 2 {
		return errors.New("slack closed the connection")
	}
	return fmt.Errorf("slack closed the connection (status %d)", binary.BigEndian.Uint16(payload))
}

// lost is the end without a close frame.
func (w *wire) lost(cause error) {
	if errors.Is(cause, errFrame) {
		w.end(cause) // somebody is there, and can be told goodbye
		return
	}
	w.write.Lock()
	w.closing = true
	w.write.Unlock()
	switch {
	case errors.Is(cause, io.EOF) || errors.Is(cause, io.ErrUnexpectedEOF):
		cause = errors.New("connection was cut")
	case isTimeout(cause):
		cause = fmt.Errorf("nothing was heard for %s", w.idle)
	}
	w.end(cause)
}

// end says that nothing more will be read, and waits until the end may be handed
// up: the library drops messages it has not passed on when it sees the end.
func (w *wire) end(cause error) {
	w.over = cause
	w.once.end.Do(func() { close(w.ended) })
	hold := time.NewTimer(holdLimit)
	defer hold.Stop()
	select {
	case <-w.release:
	case <-w.gone:
	case <-hold.C:
	}
}

// letGo lets the end be handed up.
func (w *wire) letGo() { w.once.release.Do(func() { close(w.release) }) }

// Write writes one frame of the library's (or the request for the upgrade).
func (w *wire) Write(p []byte) (int, error) {
	if !w.upgraded.Load() || len(p) == 0 {
		return w.Conn.Write(p)
	}
	op := p[0] & 0x0f
	w.write.Lock()
	defer w.write.Unlock()
	if w.closing {
		if op == opClose {
			return len(p), nil
		}
		return 0, errClosing
	}
	n, err := w.flush(p)
	if err == nil && op == opText {
		w.sent.Add(1)
		w.moved()
	}
	w.closing = w.closing || op == opClose
	return n, err
}

// flush writes with a limit. After half a frame nothing can follow, so an error
// drops the connection. The caller holds write.
func (w *wire) flush(p []byte) (int, error) {
	_ = w.Conn.SetWriteDeadline(time.Now().Add(writeLimit))
	n, err := w.Conn.Write(p)
	if err != nil {
		_ = w.Conn.Close()
	}
	return n, err
}

// ping asks the other side to say something.
func (w *wire) ping() {
	w.write.Lock()
	defer w.write.Unlock()
	if !w.closing {
		_, _ = w.flush(clientFrame(opPing, []byte("tocsin")))
	}
}

// sendClose says goodbye, once; no message can follow. Slack keeps sockets that
// vanish without it registered for hours (slack-facts §1.7).
func (w *wire) sendClose() {
	w.write.Lock()
	defer w.write.Unlock()
	if !w.closing && w.upgraded.Load() {
		w.closing = true
		_, _ = w.flush(clientFrame(opClose, binary.BigEndian.AppendUint16(nil, closeNormal)))
	}
}

// open says whether messages can still be written; that goes on after the
// server's close frame, until ours.
func (w *wire) open() bool {
	w.write.Lock()
	defer w.write.Unlock()
	return w.upgraded.Load() && !w.closing
}
