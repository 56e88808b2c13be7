package bot

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"

	"tocsin/alert"
)

const (
	openLimit = 10 * time.Second // apps.connections.open
	dialLimit = 10 * time.Second // TCP, TLS and the upgrade together
	// unnamedPause is the wait after a 429 without Retry-After: as long as Slack's
	// Python client waits.
	unnamedPause = 30 * time.Second
)

// newDialer returns the dialer that is used outside of tests.
func newDialer(authorities *x509.CertPool) websocket.Dialer {
	return websocket.Dialer{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: clientTLS(authorities),
		WriteBufferSize: writeBuffer,
	}
}

func clientTLS(authorities *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: authorities}
}

// socketURL asks Slack by an app token for the address of a new connection, which is a
// secret. Its error is an *alert.SendError.
func (b *Bot) socketURL(ctx context.Context, app alert.Secret) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	x := &exchange{bot: b, request: request{method: "apps.connections.open"}, reply: &reply{}, app: true}
	api := slack.New("", slack.OptionAppLevelToken(app.Reveal()), slack.OptionAPIURL(b.opts.APIURL), slack.OptionHTTPClient(x))
	_, address, _ := api.StartSocketModeContext(ctx) // x knows more about the error
	failure := x.failure()
	if failure == nil && address == "" {
		failure = x.unexpected("bad_answer")
	}
	if failure != nil && failure.Class == alert.ClassThrottled && x.header.Get("Retry-After") == "" {
		failure.RetryAfter = unnamedPause
	}
	return address, x.result(failure)
}

// dial opens a WebSocket, until ctx ends. gorilla itself observes only the deadline
// of a context, not its end, once TCP is connected.
func dial(ctx context.Context, dialer websocket.Dialer, address string) (ws *websocket.Conn, err error) {
	defer recovered(&err) // gorilla panics if a proxy's status line has no reason phrase
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	via, err := proxyFor(dialer.Proxy, address)
	if err != nil {
		return nil, err
	}
	dialer.Proxy = http.ProxyURL(via)
	alive := func() bool { return true }
	dialer.NetDialContext = func(_ context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, network, addr)
		if err == nil {
			alive = context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}
	ws, resp, err := dialer.DialContext(ctx, address, nil) //nolint:bodyclose // gorilla has read what there is of it
	switch {
	case errors.Is(err, websocket.ErrBadHandshake):
		return nil, fmt.Errorf("open WebSocket: slack answered %d", resp.StatusCode)
	case err != nil && via != nil:
		return nil, fmt.Errorf("open WebSocket through the proxy %s: %w", via.Host, withoutURL(err))
	case err != nil:
		return nil, fmt.Errorf("open WebSocket: %w", withoutURL(err))
	case !alive():
		_ = ws.Close()
		return nil, fmt.Errorf("open WebSocket: %w", ctx.Err())
	}
	return ws, nil
}

// errProxy is the error of a proxy that can't be used for Socket Mode.
var errProxy = errors.New("the proxy can't be used for Socket Mode")

// proxyFor returns the proxy for an address, or nil. The error does not contain the
// proxy's password.
func proxyFor(choose func(*http.Request) (*url.URL, error), address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("open WebSocket: %w", withoutURL(err))
	}
	u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	via, err := choose(&http.Request{URL: u})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: it is not a URL", errProxy)
	case via == nil || via.Scheme == "http" || via.Scheme == "socks5":
		return via, nil
	case via.Scheme == "socks5h": // gorilla knows it as socks5, which also resolves names at the proxy
		same := *via
		same.Scheme = "socks5"
		return &same, nil
	}
	return nil, fmt.Errorf("%w: %s:// is not supported", errProxy, via.Scheme)
}
