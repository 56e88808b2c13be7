package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
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
	var places []place
	for _, path := range found.Sockets {
		places = append(places, place{"unix", path})
	}
	// A socket that was named is the only place: another daemon at the usual
	// address is not the one that was meant.
	if found.TCP != "" && (f.Socket == "" || len(places) == 0) {
		places = append(places, place{"tcp", found.TCP})
	}
	if len(places) == 0 {
		return nil, errors.New("no daemon can be reached: it is configured to listen nowhere")
	}
	c := clientAt(places...)
	c.token = found.Token
	return c, nil
}

// place is where a daemon may listen: a network and an address.
type place struct{ network, address string }

// clientAt talks to whoever answers at the first of places, found out anew for
// each connection, since a daemon that restarts is away for a moment.
func clientAt(places ...place) *client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var all error
		for _, p := range places {
			conn, err := (&net.Dialer{}).DialContext(ctx, p.network, p.address)
			if err == nil {
				return conn, nil
			}
			all = errors.Join(all, err)
		}
		return nil, all
	}
	var names []string
	for _, p := range places {
		names = append(names, p.address)
	}
	return &client{
		http: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://localhost", place: strings.Join(names, " or "),
	}
}

func socketClient(path string) *client { return clientAt(place{"unix", path}) }

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
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("you may not use the daemon's socket (%w): have yourself put into its group, as in usermod -aG tocsin-clients alice, or name another with --server or --socket", err)
	}
	var inner *net.OpError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("no daemon answers at %s (%w): start one with tocsin serve (or tocsin demo), or name another with --server or --socket", c.place, err)
}
