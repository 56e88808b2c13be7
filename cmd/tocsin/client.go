package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os/user"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/config"
)

// clientCmd is what all commands that talk to a running daemon have in common.
// Without flags, the places where a daemon of this user or of the system listens
// are tried.
type clientCmd struct {
	world
	server string
	token  string
	socket string
	config string
	as     string
	json   bool
	watch  bool
	// noSpool has what no daemon accepts fail, instead of waiting in the spool.
	noSpool bool
}

// newClientCmd adds the flags that all of these commands have.
func newClientCmd(w world, cmd *cobra.Command) *clientCmd {
	c := &clientCmd{world: w}
	cmd.Flags().StringVar(&c.server, "server", "", "talk to the daemon at this http:// `URL` instead of its Unix socket\n(default: TOCSIN_SERVER, if that is set)")
	cmd.Flags().StringVar(&c.token, "token", "", "send this `TOKEN` to the server, or the one in a file: @FILE\n(default: TOCSIN_API_TOKEN)")
	cmd.Flags().StringVar(&c.socket, "socket", "", "talk to the daemon at the Unix socket with this `PATH`")
	cmd.Flags().StringVar(&c.config, "config", "", "find the daemon by this configuration `FILE`")
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	completeFlag(cmd, "socket", completeFile)
	completeFlag(cmd, "config", completeFile)
	return c
}

// addAs adds the flag that says who acts.
func (c *clientCmd) addAs(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.as, "as", "", "act under this `NAME` (default: your user name)")
}

// by is who acts; empty for the user of this shell.
func (c *clientCmd) by() string { return c.as }

// user is the user of this shell; empty if nothing says who that is.
func (c *clientCmd) user() string {
	if name := cmp.Or(c.getenv("USER"), c.getenv("LOGNAME")); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// find returns where a daemon may be, and the token for it.
func (c *clientCmd) find() (*config.Client, error) {
	found, err := config.LoadClient(c.input(map[string]string{"config": c.config, "socket": c.socket}))
	if err != nil {
		return nil, err
	}
	found.Server = cmp.Or(c.server, found.Server)
	if path, ok := strings.CutPrefix(c.token, "@"); ok {
		text, err := readFile(path)
		if err != nil {
			return nil, &usageError{fmt.Errorf("read --token: %w", err)}
		}
		found.Token = alert.Secret(strings.TrimSpace(string(text)))
	} else if c.token != "" {
		found.Token = alert.Secret(c.token)
	}
	return found, nil
}

// watchEvery is the time between two looks of --watch.
const watchEvery = 2 * time.Second

// addWatch adds the flag that shows a list again and again.
func (c *clientCmd) addWatch(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&c.watch, "watch", "w", false, "show it again every 2 seconds, until Ctrl-C; in a pipe whenever it has changed")
}

// show prints what read returns, with --watch again and again until ctx ends. A read
// may return a text and an error.
func (c *clientCmd) show(ctx context.Context, read func(ctx context.Context) (result any, text string, err error)) error {
	last := ""
	for first := true; ; first = false {
		result, text, err := read(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // Ctrl-C is how watching ends
		case text == "" && (first || !c.watch):
			return err
		case text == "": // the daemon may be restarting
			text = "tocsin: " + err.Error() + "\n"
		case !c.watch:
			return cmp.Or(c.print(result, text), err)
		}
		if last, err = c.redraw(last, result, text); err != nil {
			return err
		}
		if !pause(ctx, watchEvery) {
			return nil
		}
	}
}

// redraw shows the present state in place of the last one, and returns it: a terminal is
// cleared, and a pipe gets a state that is not the last one.
func (c *clientCmd) redraw(last string, result any, text string) (string, error) {
	if s := c.screen(); s.height > 0 && !c.json {
		_, err := io.WriteString(c.stdout, "\x1b[H\x1b[2J"+firstLines(s.draw(text), s.height-1))
		return "", err
	}
	state, err := json.Marshal(result) // ages change all the time
	if err != nil || string(state) == last {
		return last, err
	}
	if last != "" && !c.json {
		text = "\n" + text
	}
	return string(state), c.print(result, text)
}

// firstLines are the lines of a text that fit.
func firstLines(text string, most int) string {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) <= most+1 {
		return text
	}
	return strings.Join(lines[:max(most-1, 1)], "") + "…\n"
}

// print prints a result: as JSON if that was asked for, otherwise as text.
func (c *clientCmd) print(result any, text string) error {
	return c.world.print(c.json, result, text)
}

// client talks to a running daemon.
type client struct {
	http  *http.Client
	base  string
	token alert.Secret
	user  string // of this shell, for a daemon that can't see it
	// addresses are where the daemon was looked for: paths of sockets, host:port, or a URL.
	addresses []string
	// spools are where this user's requests to daemons may wait.
	spools []spool
}

// place is where the daemon was looked for, for people.
func (c *client) place() string { return strings.Join(c.addresses, " or ") }

// answerError is a daemon's answer with a status other than 2xx.
type answerError struct {
	status     int
	retryAfter time.Duration
	foreign    bool // it is not Tocsin's answer
	body       []byte
	What       string `json:"error"`
	Hint       string `json:"hint"`
}

func (e *answerError) Error() string {
	hint := e.Hint
	if e.status == http.StatusUnauthorized {
		hint = "give the daemon's token with --token, or set TOCSIN_API_TOKEN"
	}
	if hint == "" {
		return inCommands(e.What)
	}
	return inCommands(e.What + "; " + hint)
}

var (
	// pathAndCommand is a path of the API with the command that does the same.
	pathAndCommand = regexp.MustCompile(`(?:(?:GET|POST|DELETE) )?/(?:v1/|readyz)\S*([^(;]*) \((tocsin [^)]+)\)`)
	bareReadyz     = regexp.MustCompile(`/readyz\b`)
	inAddress      = regexp.MustCompile(`add \?(\w+)=(\w+) to the address`)
	sendAgain      = regexp.MustCompile(`send it again (?:with the same Idempotency-Key|after Retry-After seconds)`)
)

// inObjects has the remedies that are JSON, with what to write at a command line.
var inObjects = strings.NewReplacer(
	`write at least {"title": "disk full on db-3"}`, "write a text, as in tocsin send 'disk full on db-3'",
	`as in "for": "90m", "2h" or "7d"`, "as in --for 90m, 2h or 7d",
	`write {"note": "looks like the raid controller"}`, "write it behind the id, as in tocsin note k7f2 'looks like the raid controller'",
	`write {"to": "U0123456789"} or {"to": "@ann"}`, "write a name, as in tocsin assign k7f2 @ann",
)

// inCommands is what the daemon tells programs, for people at a command line: they know
// its commands and not the paths of its API.
func inCommands(text string) string {
	text = pathAndCommand.ReplaceAllString(text, "$2$1")
	text = inAddress.ReplaceAllString(text, "add --$1 $2")
	text = inObjects.Replace(text)
	text = bareReadyz.ReplaceAllString(text, "tocsin status")
	return sendAgain.ReplaceAllString(text, "try again")
}

// connect finds the daemon. It does not call it yet.
func (c *clientCmd) connect() (*client, error) {
	found, err := c.find()
	if err != nil {
		return nil, err
	}
	if found.Server != "" {
		base, err := serverURL(found.Server)
		if err != nil {
			from := "TOCSIN_SERVER"
			if c.server != "" {
				from = "--server"
			}
			return nil, &usageError{fmt.Errorf("%s is %q: write an address such as http://127.0.0.1:8126", from, found.Server)}
		}
		return &client{http: &http.Client{}, base: base, token: found.Token, user: c.user(), addresses: []string{base}, spools: spools(found)}, nil
	}
	var places []place
	for _, path := range found.Sockets {
		places = append(places, place{"unix", path})
	}
	// A socket that was given is the only place: a daemon at the usual address
	// may be another one.
	if found.TCP != "" && (c.socket == "" || len(places) == 0) {
		places = append(places, place{"tcp", found.TCP})
	}
	if len(places) == 0 {
		return nil, errors.New("no daemon can be reached: its Unix socket is off, and TCP is off or encrypted; give its address with --server https://tocsin.example.com:8126")
	}
	daemon := clientAt(places...)
	daemon.token, daemon.user, daemon.spools = found.Token, c.user(), spools(found)
	return daemon, nil
}

// serverURL is the address of a daemon without a slash at its end. HTTP may be left out.
func serverURL(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err == nil && (u.Host == "" || (u.Scheme != "http" && u.Scheme != "https")) {
		err = errors.New("it is not a server's address")
	}
	return strings.TrimRight(text, "/"), err
}

// place is where a daemon may listen: a network and an address.
type place struct{ network, address string }

// clientAt talks to the first of places where a daemon answers. Each connection
// tries them again, because a daemon that restarts is away for a moment.
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
		http: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://localhost", addresses: names,
	}
}

func socketClient(path string) *client { return clientAt(place{"unix", path}) }

// call sends body (nil for none) and decodes the answer into into. An answer
// other than 2xx is an *answerError.
func (c *client) call(ctx context.Context, method, path string, body, into any) error {
	r := request{method: method, path: path}
	if body != nil {
		var err error
		if r.body, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	return c.do(ctx, r, into)
}

// request is a request to a daemon.
type request struct {
	method, path string
	header       http.Header
	body         []byte // JSON, unless the header says something else; nil for none
}

// do is call for a request that is encoded.
func (c *client) do(ctx context.Context, r request, into any) error {
	resp, err := c.ask(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	return c.answer(resp, into)
}

// ask sends a request and returns the answer, whatever it is.
func (c *client) ask(ctx context.Context, r request) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	maps.Copy(req.Header, r.header)
	if c.user != "" && !strings.ContainsFunc(c.user, unicode.IsControl) {
		req.Header.Set("X-Tocsin-User", c.user)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	resp, err := c.http.Do(req)
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, &statusError{exitInterrupted, errors.New("interrupted")}
	}
	if err != nil {
		return nil, c.unreachable(err)
	}
	return resp, nil
}

func (c *client) answer(resp *http.Response, into any) error {
	if resp.StatusCode/100 == 2 {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			return fmt.Errorf("read the daemon's answer: %w", err)
		}
		return nil
	}
	refusal := &answerError{status: resp.StatusCode}
	refusal.body, _ = io.ReadAll(resp.Body) // what is missing is missed below
	if err := json.Unmarshal(refusal.body, refusal); err != nil || refusal.What == "" {
		refusal.foreign = true
		refusal.What, refusal.Hint = "the daemon answered "+resp.Status, "is something else listening at "+c.place()+"?"
	}
	if after, err := time.ParseDuration(resp.Header.Get("Retry-After") + "s"); err == nil {
		refusal.retryAfter = after
	}
	return refusal
}

// unreachable says what to do when no daemon answers.
func (c *client) unreachable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("no permission to use the daemon's socket (%w): join its group (usermod -aG tocsin-clients alice), or give another daemon with --server or --socket", err)
	}
	var inner *net.OpError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("no daemon answers at %s (%w): start one with tocsin serve (or tocsin demo), or give another with --server or --socket", c.place(), err)
}

// longestCall is how long one request to the daemon may take.
const longestCall = time.Minute

// call finds the daemon, sends it a request (nil for no body) and decodes the
// answer into into.
func (c *clientCmd) call(ctx context.Context, method, path string, body, into any) error {
	daemon, err := c.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	return daemon.call(ctx, method, path, body, into)
}

// get is call for a request that only reads.
func (c *clientCmd) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, nil, into)
}
