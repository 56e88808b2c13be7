// Package playground is a small Slack in memory: the Web API, Socket Mode, a web page for people, and a test double with a journal.
//
// It follows Slack's own rules where a client could notice them (error codes, limits, membership, rate limits, retries) and can be
// told to misbehave in the ways Slack does. It stores nothing on disk, speaks plain HTTP unless it has a certificate, and knows only one app. Block Kit, text, the
// WebSocket and the page are packages of their own.
//
// Everything the package remembers is guarded by Server.mu. A function whose name ends in Locked must be called with mu held, and
// never blocks; nothing that touches the network runs under mu.
package playground

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is one running playground. New starts it and Close ends it. All methods may be called from any goroutine.
type Server struct {
	opts Options
	ln   net.Listener
	http *http.Server
	base string
	done chan struct{}
	api  map[string]method
	wg   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	ws      workspace
	book    journal
	tokens  tokens
	faults  faultBox
	limits  limiter
	grants  grants
	uploads map[string]*upload

	// onMessage, when set, is called for every message posted, changed or deleted, in the order in which people see it. It is called
	// with mu held and must neither block nor lock mu.
	onMessage func(messageChange)

	sockets socketState
	people  peopleState
}

// New builds the workspace, binds Options.Listen and serves it; the playground is reachable when New returns.
func New(opts Options) (*Server, error) {
	opts = opts.withDefaults()
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for playground: %w", err)
	}
	scheme := "http"
	if opts.Certificate != nil {
		ln, scheme = tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*opts.Certificate}}), "https"
	}
	s := &Server{opts: opts, ln: ln, base: baseURL(scheme, ln.Addr()), done: make(chan struct{}), uploads: map[string]*upload{}}
	s.api = webMethods()
	s.book = newJournal()
	s.ws = newWorkspace(opts.Team, opts.TeamID, opts.Clock())
	s.tokens = newTokens()
	s.faults = newFaultBox(opts.Seed)
	s.limits = newLimiter(opts.Limits)
	s.grants = newGrants()
	s.initSockets()
	s.initPeople()
	s.http = &http.Server{Handler: s.counted(s.routes()), ReadHeaderTimeout: 10 * time.Second}
	s.start(s.serve)
	return s, nil
}

// Close stops listening, cuts every connection and waits for all goroutines of the playground.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	s.mu.Unlock()
	err := s.http.Close()
	s.closeSockets()
	s.wg.Wait()
	return err
}

// URL returns the address of the web page, without a slash at its end.
func (s *Server) URL() string { return s.base }

// APIURL returns the address of the Web API with the slash that clients expect at its end; it is the value for SLACK_API_URL.
func (s *Server) APIURL() string { return s.base + "/api/" }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.serveAPI)
	mux.HandleFunc("/upload/{id}", s.serveUpload)
	mux.HandleFunc("/files/{id}/{name}", s.serveFile)
	mux.HandleFunc("/hooks/{kind}/{team}/{id}/{secret}", s.serveHook)
	mux.HandleFunc("GET /archives/{channel}/{message}", s.serveArchive)
	s.mountSockets(mux)
	s.mountPage(mux)
	return mux
}

func (s *Server) serve() {
	// Serve ends only by Close: nobody is there to see an accept error of a loopback listener.
	if err := s.http.Serve(s.ln); !errors.Is(err, http.ErrServerClosed) {
		_ = s.ln.Close()
	}
}

// start runs f in a goroutine that Close waits for; it reports false, and runs nothing, once the server is closed.
func (s *Server) start(f func()) bool {
	if !s.enter() {
		return false
	}
	go func() {
		defer s.wg.Done()
		f()
	}()
	return true
}

// startLocked is start for callers that hold mu.
func (s *Server) startLocked(f func()) {
	if !s.closed {
		s.wg.Go(f)
	}
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.wg.Add(1)
	return true
}

// counted makes Close wait for requests in progress, which http.Server.Close does not.
func (s *Server) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.enter() {
			return
		}
		defer s.wg.Done()
		next.ServeHTTP(w, r)
	})
}

func (s *Server) now() time.Time { return s.opts.Clock() }

// baseURL names the listener in a form that a client on this machine can dial.
func baseURL(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return scheme + "://" + addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
