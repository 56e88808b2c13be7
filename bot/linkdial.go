package bot

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"
)

// opener lets the library call apps.connections.open once; what it would do
// after a failure is the slot's to decide.
type opener struct{ link *link }

// Do makes the first call and refuses the others.
func (o *opener) Do(req *http.Request) (*http.Response, error) {
	if o.link.opened.Swap(true) {
		return nil, errSpent
	}
	ctx, cancel := context.WithTimeout(req.Context(), openLimit)
	defer cancel()
	return o.link.open.Do(req.WithContext(ctx))
}

func (l *link) dialer(d dialer, idle time.Duration) *websocket.Dialer {
	dial := func(secure bool) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, addr string) (net.Conn, error) {
			conn, err := d.dial(ctx, addr, secure)
			if err != nil {
				return nil, err
			}
			return l.admit(l.wired(conn, idle))
		}
	}
	return &websocket.Dialer{
		HandshakeTimeout:  dialLimit,
		WriteBufferSize:   32 << 10, // an ack must be one frame: slack-facts §1.4
		NetDialContext:    dial(false),
		NetDialTLSContext: dial(true),
	}
}

func (l *link) wired(conn net.Conn, idle time.Duration) *wire {
	w := newWire(conn, idle)
	w.moved = l.touch
	w.odd = func(what string) { l.log.Warn("slack sent something unusual", zap.String("what", what)) }
	w.notice = func(reason string) {
		l.noticed.Store(true)
		select {
		case l.notice <- reason:
		default:
		}
	}
	return w
}

// admit lets a connection become this link's, unless the end came first: one
// that Slack knows must be closed in order, or it stays registered there.
func (l *link) admit(w *wire) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.barred {
		_ = w.Close()
		return nil, errClosing
	}
	l.wire.Store(w)
	return w, nil
}

// bar admits no connection any more, and says whether there was one already.
func (l *link) bar() (admitted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.barred = true
	return l.wire.Load() != nil
}

// secureDialer is how links reach Slack outside of tests.
func secureDialer() dialer {
	return dialer{proxy: http.ProxyFromEnvironment, tls: &tls.Config{MinVersion: tls.VersionTLS12}}
}
