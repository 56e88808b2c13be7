package playground

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

var (
	errFrameTooLarge = errors.New("read frame: larger than 1 MiB")
	errNotMasked     = errors.New("read frame: a client's frame must be masked")
)

// wire is one WebSocket at frame level: whole frames in, whole frames out, nothing assembled. Slack does not
// reassemble fragmented acks either, so the difference has to stay visible to the reader.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

// upgrade answers the WebSocket handshake and takes the connection away from net/http. No extension is negotiated.
func upgrade(w http.ResponseWriter, r *http.Request) (*wire, error) {
	conn, rw, _, err := ws.HTTPUpgrader{Timeout: writeLimit}.Upgrade(r, w)
	if err != nil {
		return nil, fmt.Errorf("upgrade to websocket: %w", err)
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, errors.Join(fmt.Errorf("clear deadlines: %w", err), conn.Close())
	}
	return &wire{conn: conn, in: rw.Reader}, nil
}

// read returns the next frame with its payload unmasked.
func (w *wire) read() (ws.Frame, error) {
	header, err := ws.ReadHeader(w.in)
	if err != nil {
		return ws.Frame{}, fmt.Errorf("read frame: %w", err)
	}
	if header.Length > maxFrame {
		return ws.Frame{}, errFrameTooLarge
	}
	if !header.Masked {
		return ws.Frame{}, errNotMasked
	}
	payload := make([]byte, header.Length)
	if _, err := io.ReadFull(w.in, payload); err != nil {
		return ws.Frame{}, fmt.Errorf("read frame: %w", err)
	}
	ws.Cipher(payload, header.Mask, 0)
	return ws.Frame{Header: header, Payload: payload}, nil
}

// write sends one frame in one system call, so that a cut can't fall between header and payload. Only the socket's
// pump calls it: one writer needs no lock.
func (w *wire) write(f ws.Frame) error {
	raw, err := ws.CompileFrame(f)
	if err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	if _, err := w.conn.Write(raw); err != nil {
		return fmt.Errorf("write frame: %w", err)
	}
	return nil
}

// reset ends the connection with a TCP RST: the far side sees "connection reset", no FIN and no close frame.
func (w *wire) reset() error {
	if tcp, ok := w.conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return errors.Join(fmt.Errorf("reset connection: %w", err), tcp.Close())
		}
	}
	return w.conn.Close()
}
