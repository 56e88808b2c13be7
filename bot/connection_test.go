package bot

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack/socketmode"
)

const helloText = `{"type":"hello","num_connections":1,"debug_info":{"approximate_connection_time":3600}}`

// serverFrame is a frame as a server writes it.
func serverFrame(fin bool, op byte, payload string) string {
	if fin {
		op |= 0x80
	}
	head := []byte{op}
	switch n := len(payload); {
	case n < 126:
		head = append(head, byte(n))
	case n <= 0xffff:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	return string(head) + payload
}

func textFrame(payload string) string { return serverFrame(true, websocket.TextMessage, payload) }

func closeFrame(status int) string {
	return serverFrame(true, websocket.CloseMessage, string(websocket.FormatCloseMessage(status, "anything")))
}

// accept answers a WebSocket handshake (RFC 6455 §4.2.2).
func accept(t testing.TB, far net.Conn) *bufio.Reader {
	t.Helper()
	r := bufio.NewReader(far)
	req, err := http.ReadRequest(r)
	if err != nil {
		t.Error(err)
		return r
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, _ = fmt.Fprintf(far, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	return r
}

// peer is a connection with a bare server on its other side.
type peer struct {
	*connection
	far      net.Conn
	reader   *bufio.Reader
	log      *logBook
	received chan socketmode.Request
}

// connectTo starts a connection to a bare server. Its messages are not acked,
// unless ack is set.
func connectTo(t testing.TB, ack bool) *peer {
	t.Helper()
	near, far := net.Pipe()
	p := &peer{far: far, log: &logBook{}, received: make(chan socketmode.Request, 1000)}
	accepted := make(chan *bufio.Reader, 1)
	go func() { accepted <- accept(t, far) }()
	dialer := websocket.Dialer{WriteBufferSize: writeBuffer,
		NetDialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil }}
	ws, resp, err := dialer.DialContext(t.Context(), "ws://slack/", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	p.reader = <-accepted
	p.connection = newConnection(ws, p.log.logger(), idleLimit, func(c *connection, r socketmode.Request) {
		p.received <- r
		if ack {
			_ = c.ack(r.EnvelopeID, nil)
			c.acked()
		}
	})
	go p.run()
	return p
}

// feed writes in the background; net.Pipe has no buffer.
func (p *peer) feed(parts ...string) {
	go func() {
		for _, part := range parts {
			_, _ = io.WriteString(p.far, part)
		}
	}()
}

// wrote reads one short masked frame as "opcode payload".
func (p *peer) wrote() string {
	head := make([]byte, 6)
	if _, err := io.ReadFull(p.reader, head); err != nil {
		return err.Error()
	}
	payload := make([]byte, head[1]&0x7f)
	_, _ = io.ReadFull(p.reader, payload)
	for i := range payload {
		payload[i] ^= head[2+i%4]
	}
	return fmt.Sprintf("%d %s", head[0]&0x0f, payload)
}

// frames reads all frames until the connection is closed.
func (p *peer) frames() []string {
	var all []string
	for {
		frame := p.wrote()
		if frame == io.EOF.Error() || frame == io.ErrClosedPipe.Error() {
			return all
		}
		all = append(all, frame)
	}
}

const goodbye = "8 \x03\xe8"

func TestMessagesAreReadWholeAndPingsAnswered(t *testing.T) {
	p := connectTo(t, false)
	long := strings.Repeat("x", 70_000)
	p.feed(textFrame(helloText),
		serverFrame(false, websocket.TextMessage, `{"type":"interactive",`), serverFrame(true, websocket.PingMessage, "are you there"),
		serverFrame(true, 0, `"envelope_id":"e1"}`), textFrame(`{"envelope_id":"e2","payload":"`+long+`"}`))
	if got := p.wrote(); got != "10 are you there" {
		t.Errorf("wrote %q", got)
	}
	if h := next(t, p.hello); h.connections != 1 || h.lasts != time.Hour {
		t.Errorf("hello: %+v", h)
	}
	if r := next(t, p.received); r.Type != "interactive" || r.EnvelopeID != "e1" {
		t.Errorf("received %+v", r)
	}
	p.acked()
	if r := next(t, p.received); r.EnvelopeID != "e2" || len(r.Payload) != len(long)+2 {
		t.Errorf("received %s with %d bytes", r.EnvelopeID, len(r.Payload))
	}
	p.acked()
	_ = p.far.Close()
	<-p.done
}

func TestWhatIsNoMessageIsSkipped(t *testing.T) {
	p := connectTo(t, true)
	huge := strings.Repeat("x", messageLimit)
	p.feed(textFrame(helloText), textFrame("UNAUTHENTICATED: cache_error"), textFrame(""), textFrame("{"), textFrame("[1]"), textFrame("\xff\xfe"),
		serverFrame(true, websocket.BinaryMessage, `{"envelope_id":"binary"}`),
		textFrame(`{"envelope_id":"`+huge+`"}`), serverFrame(false, websocket.TextMessage, huge), serverFrame(true, 0, huge),
		textFrame(`{"type":7,"envelope_id":"e1","retry_attempt":"none"}`), closeFrame(1000))
	if got := p.frames(); !slices.Equal(got, []string{`1 {"envelope_id":"e1"}`, goodbye}) {
		t.Errorf("wrote %q", got)
	}
	<-p.done
	if n := strings.Count(p.log.text(), `"level":"warn"`); n != 8 {
		t.Errorf("%d warnings:\n%s", n, p.log.text())
	}
}

func TestANoticeToDisconnectDoesNotEndTheReading(t *testing.T) {
	p := connectTo(t, true)
	p.feed(textFrame(helloText), textFrame(`{"debug_info":{},"type":"disconnect","reason":"refresh_requested"}`), textFrame(`{"type":"disconnect","reason":"again"}`),
		textFrame(`{"envelope_id":"e1","payload":{"text":"say \"disconnect\""}}`), closeFrame(1000))
	if got := p.frames(); !slices.Equal(got, []string{`1 {"envelope_id":"e1"}`, goodbye}) {
		t.Errorf("wrote %q", got)
	}
	<-p.done
	if p.disconnectReason != "refresh_requested" {
		t.Errorf("notice: %q", p.disconnectReason)
	}
}

func TestTheEndWaitsForTheLastAck(t *testing.T) {
	for name, begin := range map[string]func(*peer){
		"slack closes": func(p *peer) { p.feed(closeFrame(1000)) },
		"we close":     func(p *peer) { p.close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connectTo(t, false)
				p.feed(textFrame(helloText), textFrame(`{"envelope_id":"e1"}`))
				<-p.hello
				<-p.received
				begin(p)
				wrote := make(chan []string)
				go func() { wrote <- p.frames() }()
				synctest.Wait()
				if isClosed(p.done) {
					t.Fatal("it ended before the ack")
				}
				if err := p.ack("e1", nil); err != nil {
					t.Fatal(err)
				}
				p.acked()
				if got := <-wrote; !slices.Equal(got, []string{`1 {"envelope_id":"e1"}`, goodbye}) {
					t.Errorf("wrote %q", got)
				}
				<-p.done
				if err := p.ack("e2", nil); err == nil {
					t.Error("an ack can be written after the close frame")
				}
			})
		})
	}
}

func TestSilenceEndsAConnectionAndAnyFrameKeepsItAlive(t *testing.T) {
	for name, c := range map[string]struct {
		first, later string
		after        time.Duration
		reason       string
	}{
		"no hello":          {serverFrame(true, websocket.PingMessage, ""), serverFrame(true, websocket.PingMessage, ""), helloLimit, "sent no hello"},
		"nothing but hello": {textFrame(helloText), "", idleLimit, "slack sent nothing for 18s"},
		"a pong":            {textFrame(helloText), serverFrame(true, websocket.PongMessage, "tocsin"), 9*time.Second + idleLimit, "slack sent nothing"},
		"a ping":            {textFrame(helloText), serverFrame(true, websocket.PingMessage, "slack"), 9*time.Second + idleLimit, "slack sent nothing"},
		"a message":         {textFrame(helloText), textFrame("what"), 9*time.Second + idleLimit, "slack sent nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := connectTo(t, true)
				go p.frames()
				start := time.Now()
				p.feed(c.first)
				time.AfterFunc(9*time.Second, func() { p.feed(c.later) })
				<-p.ended
				if took := time.Since(start); took != c.after || !strings.Contains(p.err.Error(), c.reason) {
					t.Errorf("ended after %s: %v", took, p.err)
				}
				<-p.done
				_ = p.far.Close()
			})
		})
	}
}

func TestAnEndSaysWhy(t *testing.T) {
	for name, c := range map[string]struct{ end, reason string }{
		"close frame":     {closeFrame(1013), "slack closed the connection (status 1013)"},
		"no status":       {serverFrame(true, websocket.CloseMessage, ""), "slack closed the connection (status 1005)"},
		"cut":             {"", "connection was cut"},
		"cut in a frame":  {"\x81", "connection was cut"},
		"masked":          {"\x81\x85", "MASK"},
		"reserved bit":    {"\xc1\x05", "RSV1"},
		"fragmented ping": {"\x09\x00", "FIN"},
		"long ping":       {"\x89\x7e\x00\x80", "control"},
	} {
		t.Run(name, func(t *testing.T) {
			p := connectTo(t, true)
			p.feed(textFrame(helloText))
			next(t, p.hello)
			go p.frames()
			_, _ = io.WriteString(p.far, c.end)
			_ = p.far.Close()
			<-p.done
			if !strings.Contains(p.err.Error(), c.reason) {
				t.Errorf("reason: %v", p.err)
			}
		})
	}
}

func TestAnAckThatSlackWouldDropIsAnError(t *testing.T) {
	p := connectTo(t, true)
	if err := p.ack("e1", strings.Repeat("x", ackSize)); err == nil || !strings.Contains(err.Error(), "more than Slack accepts") {
		t.Errorf("got %v", err)
	}
	_ = p.far.Close()
	<-p.done
}

func FuzzAConnectionSurvivesAnything(f *testing.F) {
	f.Add([]byte(textFrame(helloText) + textFrame(`{"type":"disconnect"}`) + closeFrame(1000)))
	f.Add([]byte(textFrame(`{"envelope_id":"e1"}`) + serverFrame(false, websocket.TextMessage, `{"b":`) + serverFrame(true, 0, `1}`)))
	f.Add([]byte("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := connectTo(t, true)
		go p.frames()
		go func() {
			_, _ = p.far.Write(data)
			_ = p.far.Close()
		}()
		<-p.done
		if p.err == nil || p.pending.Load() != 0 {
			t.Errorf("ended with %v, %d envelopes not acked", p.err, p.pending.Load())
		}
	})
}
