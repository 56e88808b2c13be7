package playground

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// patience bounds what a test waits for; nothing here should ever need it.
const patience = 10 * time.Second

// inbound is any message of the server, decoded as far as the tests look at it.
type inbound struct {
	Type           string          `json:"type"`
	Reason         string          `json:"reason"`
	EnvelopeID     string          `json:"envelope_id"`
	Payload        json.RawMessage `json:"payload"`
	Accepts        bool            `json:"accepts_response_payload"`
	RetryAttempt   int             `json:"retry_attempt"`
	RetryReason    string          `json:"retry_reason"`
	NumConnections int             `json:"num_connections"`
	DebugInfo      struct {
		Host string `json:"host"`
		Time int    `json:"approximate_connection_time"`
	} `json:"debug_info"`
	raw string
}

// payload decodes the envelope's payload for looking into it.
func (m inbound) payload(t testing.TB) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(m.Payload, &out); err != nil {
		t.Fatalf("payload of %s: %v", m.Type, err)
	}
	return out
}

// client is the daemon's half of one Socket Mode connection, at frame level.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// openURL asks the Web API for a WebSocket address, as every client must.
func openURL(t testing.TB, s *Server) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.APIURL()+"apps.connections.open", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.AppToken())
	var answer struct {
		OK         bool
		URL, Error string
	}
	if err := json.NewDecoder(send(t, req).Body).Decode(&answer); err != nil || !answer.OK {
		t.Fatalf("apps.connections.open: %v %q", err, answer.Error)
	}
	return answer.URL
}

// dial connects to url without waiting for the hello.
func dial(t testing.TB, url string) *client {
	t.Helper()
	conn, in, _, err := ws.Dial(t.Context(), url)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	if in == nil {
		in = bufio.NewReader(conn)
	}
	return &client{t: t, conn: conn, in: in}
}

// connect is a socket which has said hello.
func connect(t testing.TB, s *Server) *client {
	t.Helper()
	c := dial(t, openURL(t, s))
	if hello := c.next(); hello.Type != "hello" {
		t.Fatalf("first message is %s, want hello", hello.raw)
	}
	return c
}

// frame reads one frame, control frames included.
func (c *client) frame() (ws.Frame, error) {
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return ws.Frame{}, err
	}
	h, err := ws.ReadHeader(c.in)
	if err != nil {
		return ws.Frame{}, err
	}
	f := ws.Frame{Header: h, Payload: make([]byte, h.Length)}
	_, err = io.ReadFull(c.in, f.Payload)
	return f, err
}

// next reads to the next text message and answers pings on the way.
func (c *client) next() inbound {
	c.t.Helper()
	m, err := c.read()
	if err != nil {
		c.t.Fatalf("next message: %v", err)
	}
	return m
}

func (c *client) read() (inbound, error) {
	for {
		f, err := c.frame()
		if err != nil {
			return inbound{}, err
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			c.send(ws.NewPongFrame(f.Payload))
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(f.Payload)
			return inbound{}, closedError(code)
		case ws.OpText:
			m := inbound{raw: string(f.Payload)}
			if bytes.HasPrefix(f.Payload, []byte("{")) {
				err = json.Unmarshal(f.Payload, &m)
			}
			return m, err
		}
	}
}

// closedError is the code of the server's close frame.
type closedError ws.StatusCode

func (e closedError) Error() string { return "closed by the server" }

func (c *client) send(f ws.Frame) {
	c.t.Helper()
	raw, err := ws.CompileFrame(ws.MaskFrame(f))
	if err == nil {
		_, err = c.conn.Write(raw)
	}
	if err != nil {
		c.t.Errorf("send frame: %v", err)
	}
}

// ack acknowledges an envelope; payload may be nil.
func (c *client) ack(id string, payload any) {
	c.t.Helper()
	c.send(ws.NewTextFrame(ackFrame(c.t, id, payload)))
}

func ackFrame(t testing.TB, id string, payload any) []byte {
	t.Helper()
	body := map[string]any{"envelope_id": id}
	if payload != nil {
		body["payload"] = payload
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// leave sends a close frame, reads to the server's answer, and closes TCP.
func (c *client) leave() {
	c.t.Helper()
	c.send(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	for {
		_, err := c.read()
		var code closedError
		if errors.As(err, &code) {
			c.conn.Close()
			return
		}
		if err != nil {
			c.t.Fatalf("close handshake: %v", err)
		}
	}
}

// gone reads until the connection ends and returns how it ended.
func (c *client) gone() error {
	for {
		if _, err := c.read(); err != nil {
			return err
		}
	}
}

// serve acknowledges everything with an empty ack until the socket ends.
func (c *client) serve(done chan<- struct{}) {
	defer close(done)
	for {
		m, err := c.read()
		if err != nil {
			return
		}
		if m.EnvelopeID != "" {
			c.send(ws.NewTextFrame([]byte(`{"envelope_id":"` + m.EnvelopeID + `"}`)))
		}
	}
}

// within is a context for one wait.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eof says whether a read ended because TCP did, without any close frame.
func eof(err error) bool {
	var code closedError
	return err != nil && !errors.As(err, &code) && !errors.Is(err, os.ErrDeadlineExceeded)
}

// closedBy says whether a read ended with this close frame.
func closedBy(err error, code ws.StatusCode) bool { return errors.Is(err, closedError(code)) }
