package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// intakeEvery is the time between two looks into the spool.
const intakeEvery = 2 * time.Second

// intake accepts what waits in the spools of the daemon's user for this daemon, at the
// start and while it runs.
type intake struct {
	spools []spool
	daemon *client
	log    *zap.Logger

	// failures are the last ones that were logged, by folder.
	failures map[string]string

	mu     sync.Mutex
	states []spoolState
}

// newIntake returns an intake that passes requests to handler, for a daemon that clients
// find at addresses.
func newIntake(folders []string, handler http.Handler, addresses []string, log *zap.Logger) *intake {
	n := &intake{log: log, failures: map[string]string{}}
	n.daemon = &client{http: &http.Client{Transport: inProcess{handler}}, base: "http://localhost", addresses: addresses}
	for _, dir := range folders {
		n.spools = append(n.spools, spool{dir})
	}
	return n
}

// run looks into the spools until ctx ends.
func (n *intake) run(ctx context.Context) error {
	for {
		n.look(ctx)
		if !pause(ctx, intakeEvery) {
			return nil
		}
	}
}

func (n *intake) look(ctx context.Context) {
	var states []spoolState
	for _, s := range n.spools {
		sent, err := s.deliver(ctx, n.daemon, func(file string, why error) {
			n.log.Error("can't be accepted from the spool and is set aside", zap.String("file", file), zap.Error(why))
		})
		if sent > 0 {
			n.log.Info("accepted from the spool", zap.Int("requests", sent), zap.String("folder", s.dir))
		}
		n.logFailure(ctx, s, err)
		states = append(states, s.state(n.daemon.addresses))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.states = states
}

// logFailure logs why the spool can't be emptied now, once for each reason.
func (n *intake) logFailure(ctx context.Context, s spool, err error) {
	switch {
	case err == nil:
		delete(n.failures, s.dir)
	case ctx.Err() == nil && err.Error() != n.failures[s.dir]:
		n.failures[s.dir] = err.Error()
		n.log.Warn("the spool can't be emptied now", zap.String("folder", s.dir), zap.Error(err))
	}
}

// waiting is how many requests wait.
func (n *intake) waiting() (sum int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.states {
		sum += s.Waiting
	}
	return sum
}

// notes are about files that were set aside.
func (n *intake) notes() (all []alert.Problem) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.states {
		if s.Refused > 0 {
			all = append(all, alert.Problem{
				Code: alert.ProblemSpool,
				What: counted(s.Refused, "file") + " of the spool can't be used" + s.because(), Fix: "look into " + s.refusedIn() + ", where a file beside each says why, and empty it",
			})
		}
	}
	return all
}

// inProcess answers a client's requests by a handler of this process.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	a := &answered{status: http.StatusOK, header: http.Header{}}
	if r.Body == nil { // a server's requests have one
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	t.handler.ServeHTTP(a, r)
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Request: r,
	}, nil
}

// answered keeps what a handler answers.
type answered struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) WriteHeader(status int)      { a.status = status }
func (a *answered) Write(p []byte) (int, error) { return a.body.Write(p) }
