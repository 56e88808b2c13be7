package bot

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// dialer opens the connection below a WebSocket. It does the proxy and TLS
// itself, because gorilla's Dialer takes a NetDialTLSContext for the way to the
// proxy and then leaves out TLS to the server.
type dialer struct {
	proxy func(*http.Request) (*url.URL, error)
	tls   *tls.Config
}

// dial connects to host:port, over TLS if secure, until ctx ends.
func (d dialer) dial(ctx context.Context, addr string, secure bool) (net.Conn, error) {
	scheme := "http"
	if secure {
		scheme = "https"
	}
	via, err := d.proxy(&http.Request{URL: &url.URL{Scheme: scheme, Host: addr}})
	if err != nil {
		return nil, fmt.Errorf("choose proxy: %w", withoutURL(err))
	}
	conn, err := d.connect(ctx, via, addr)
	if err != nil || !secure {
		return conn, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return d.handshake(ctx, conn, host)
}

func (d dialer) connect(ctx context.Context, via *url.URL, addr string) (net.Conn, error) {
	direct := net.Dialer{KeepAlive: 15 * time.Second}
	if via == nil {
		return direct.DialContext(ctx, "tcp", addr)
	}
	port, known := map[string]string{"http": "80", "https": "443"}[via.Scheme]
	if !known {
		return nil, fmt.Errorf("proxy: %q proxies can't be used for Socket Mode: set HTTPS_PROXY to an http:// or https:// one", via.Scheme)
	}
	if via.Port() != "" {
		port = via.Port()
	}
	conn, err := direct.DialContext(ctx, "tcp", net.JoinHostPort(via.Hostname(), port))
	if err == nil && via.Scheme == "https" {
		conn, err = d.handshake(ctx, conn, via.Hostname())
	}
	if err != nil {
		return nil, fmt.Errorf("reach proxy: %w", err)
	}
	if err := tunnel(ctx, conn, via, addr); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func (d dialer) handshake(ctx context.Context, conn net.Conn, host string) (net.Conn, error) {
	config := d.tls.Clone()
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.ServerName = host
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secure, nil
}

// tunnel asks a proxy for a way through (RFC 9110 §9.3.6).
func tunnel(ctx context.Context, conn net.Conn, via *url.URL, addr string) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if user := via.User; user != nil {
		password, _ := user.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return fmt.Errorf("ask proxy: %w", err)
	}
	// The server speaks only after us, so nothing of it can be in this buffer.
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), req)
	if err != nil {
		return fmt.Errorf("ask proxy: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask proxy: it answered %d", resp.StatusCode)
	}
	return nil
}
