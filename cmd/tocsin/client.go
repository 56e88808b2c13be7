package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"tocsin/alert"
	"tocsin/config"
)

// clientFlags say where the daemon is; without any, the places where a daemon
// of this user or of the system listens are tried.
type clientFlags struct {
	Server string `placeholder:"URL" help:"Talk to the daemon at this http:// address instead of the Unix socket."`
	Socket string `placeholder:"PATH" help:"Talk to the daemon at this Unix socket."`
	Config string `placeholder:"FILE" help:"Find the daemon by this configuration file."`
}

// client talks to a running daemon.
type client struct {
	http  *http.Client
	base  string
	token alert.Secret
	place string // for people: where the daemon was looked for
}

// answerError is a daemon's answer that says no.
type answerError struct {
	status     int
	retryAfter time.Duration
	What       string `json:"error"`
	Hint       string `json:"hint"`
}

func (e *answerError) Error() string {
	if e.Hint == "" {
		return e.What
	}
	return e.What + "; " + e.Hint
}

// connect finds the daemon. It does not call it yet.
func (f clientFlags) connect(w world) (*client, error) {
	found, err := config.LoadClient(w.input(map[string]string{"config": f.Config, "socket": f.Socket}))
	if err != nil {
		return nil, err
	}
	if f.Server != "" {
		u, err := url.Parse(f.Server)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return nil, &usageError{fmt.Errorf("--server is %q: write an address as http://127.0.0.1:8126", f.Server)}
		}
		return &client{http: &http.Client{}, base: strings.TrimSuffix(f.Server, "/"), token: found.Token, place: f.Server}, nil
	}
	if socket := firstSocket(found.Sockets); socket != "" {
		return socketClient(socket), nil
	}
	if found.TCP == "" {
		return nil, errors.New("no daemon can be reached: it is configured to listen nowhere")
	}
	return &client{http: &http.Client{}, base: "http://" + found.TCP, token: found.Token, place: strings.Join(append(found.Sockets, found.TCP), ", ")}, nil
}

// firstSocket returns the first path that exists, or the only one there is.
func firstSocket(paths []string) string {
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}

func socketClient(path string) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return &client{http: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://localhost", place: path}
}

// call sends body (nil: none) and decodes the answer into into. An answer
// other than 2xx is an *answerError.
func (c *client) call(ctx context.Context, method, path string, body, into any) error {
	var payload io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		payload = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, payload)
	if err != nil {
		return fmt.Errorf("build request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	return c.answer(resp, into)
}

func (c *client) answer(resp *http.Response, into any) error {
	if resp.StatusCode/100 == 2 {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			return fmt.Errorf("read the daemon's answer: %w", err)
		}
		return nil
	}
	said := &answerError{status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(said); err != nil || said.What == "" {
		said.What, said.Hint = "the daemon answered "+resp.Status, "is something else listening at "+c.place+"?"
	}
	if after, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
		said.retryAfter = after
	}
	return said
}

// unreachable says what to do when nobody answers.
func (c *client) unreachable(err error) error {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("no daemon answers at %s: %w; start one with tocsin serve (or tocsin demo), or name another with --server or --socket", c.place, err)
}
