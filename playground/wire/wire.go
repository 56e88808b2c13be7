// Package wire is the server's end of a WebSocket at frame level: whole frames in, whole frames out, nothing assembled. Slack does not
// reassemble fragmented acks either, so the reader has to see the difference.
package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gobwas/ws"
)

const (
	// maxFrame bounds one frame from a client; anything larger is a protocol fault, not an ack.
	maxFrame = 1 << 20
	// writeLimit is how long one frame may take to leave; a reader slower than that is dead.
	writeLimit = 10 * time.Second
)

// ErrProtocol is a client's breach of RFC 6455, or a frame that no client has a reason to send.
var ErrProtocol = errors.New("protocol error")

// Conn is one WebSocket. Reading and writing may happen at the same time, each from one goroutine.
type Conn struct {
	conn net.Conn
	in   *bufio.Reader
}

// Upgrade answers the WebSocket handshake and takes the connection away from net/http. No extension is negotiated.
func Upgrade(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: writeLimit}.Upgrade(r, w)
	if err != nil {
		return nil, fmt.Errorf("upgrade to websocket: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, errors.Join(fmt.Errorf("clear deadlines: %w", err), conn.Close())
	}
	return &Conn{conn: conn, in: rw.Reader}, nil
}

// ReadFrame returns the next frame with its payload unmasked.
func (c *Conn) ReadFrame() (ws.Frame, error) {
	header, err := ws.ReadHeader(c.in)
	if err != nil {
		return ws.Frame{}, fmt.Errorf("read frame: %w", err)
	}
	if header.Length > maxFrame {
		return ws.Frame{}, fmt.Errorf("read frame: %w: larger than 1 MiB", ErrProtocol)
	}
	if !header.Masked {
		return ws.Frame{}, fmt.Errorf("read frame: %w: a client's frame must be masked", ErrProtocol)
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return ws.Frame{}, fmt.Errorf("read frame: %w", err)
	}
	ws.Cipher(payload, header.Mask, 0)
	return ws.Frame{Header: header, Payload: payload}, nil
}

// WriteFrame sends one frame in one system call, so that a cut can't fall between header and payload.
func (c *Conn) WriteFrame(f ws.Frame) error {
	raw, err := ws.CompileFrame(f)
	if err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	if _, err := c.conn.Write(raw); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// Reset ends the connection with a TCP RST: the far side sees "connection reset", no FIN and no close frame.
func (c *Conn) Reset() error {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return errors.Join(fmt.Errorf("reset connection: %w", err), tcp.Close())
		}
	}
	return c.conn.Close()
}

// Close ends the connection without a close frame; closing twice returns an error and does no harm.
func (c *Conn) Close() error { return c.conn.Close() }

// SetDeadline makes reads and writes fail at a time; the zero time means never.
func (c *Conn) SetDeadline(at time.Time) error { return c.conn.SetDeadline(at) }

// SetReadDeadline makes reads fail at a time; the zero time means never.
func (c *Conn) SetReadDeadline(at time.Time) error { return c.conn.SetReadDeadline(at) }
