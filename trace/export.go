package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// exporter sends spans to a collector. One goroutine uses it.
type exporter struct {
	target
	client *http.Client
	log    *zap.Logger
	// failing is set while the collector takes nothing, so that this is logged once.
	failing bool
}

func newExporter(to target, log *zap.Logger) *exporter {
	return &exporter{target: to, log: log, client: &http.Client{
		Timeout:   to.timeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: to.tls, ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: time.Minute},
		// The headers may be secrets.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// export sends spans, and tries until ctx ends. Those that are not taken by then are lost,
// which is logged.
func (e *exporter) export(ctx context.Context, about resource, spans []span) (taken bool) {
	body, err := json.Marshal(exportRequest{[]resourceSpans{{about, []scopeSpans{{scope{"tocsin"}, spans}}}}})
	if err == nil {
		err = e.deliver(ctx, body)
	}
	switch {
	case err != nil && !e.failing:
		e.log.Warn("traces can't be sent, and are dropped", zap.String("to", e.place()), zap.Error(err))
	case err == nil && e.failing:
		e.log.Info("traces can be sent again", zap.String("to", e.place()))
	}
	e.failing = err != nil
	return err == nil
}

// The waits before tries again, unless the collector says how long.
const (
	firstWait   = time.Second
	longestWait = 10 * time.Second
)

// refusedError is an answer of the collector.
type refusedError struct {
	status int
	after  time.Duration // for how long to wait; zero if it does not say
}

func (e *refusedError) Error() string { return fmt.Sprintf("the collector answered %d", e.status) }

// temporary lists the answers after which OTLP has a client try again.
var temporary = []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// deliver sends a body, again and again if that may help.
func (e *exporter) deliver(ctx context.Context, body []byte) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := e.post(ctx, body)
		refused, answered := errors.AsType[*refusedError](err)
		if err == nil || ctx.Err() != nil || answered && !slices.Contains(temporary, refused.status) {
			return err
		}
		pause := wait
		if answered && refused.after > 0 {
			pause = refused.after
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

func (e *exporter) post(ctx context.Context, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = e.header.Clone()
	req.Header.Set("Content-Type", "application/json")
	if e.gzip {
		req.Header.Set("Content-Encoding", "gzip")
		packed, err := pack(body)
		if err != nil {
			return err
		}
		req.Body, req.ContentLength, req.GetBody = io.NopCloser(bytes.NewReader(packed)), int64(len(packed)), nil
	}
	resp, err := e.client.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the address, which may have a password
		}
		return err
	}
	defer func() { _ = resp.Body.Close() }()                           // it was only read
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxLeftover)) // for the connection to be used again
	if resp.StatusCode/100 == 2 {
		return nil
	}
	refused := &refusedError{status: resp.StatusCode}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		refused.after = time.Duration(max(seconds, 0)) * time.Second
	}
	return refused
}

const maxLeftover = 64 << 10

func pack(body []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	err := w.Close()
	return packed.Bytes(), err
}
