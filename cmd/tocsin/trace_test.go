package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// collector takes spans as OpenTelemetry's collector does, from OTLP as JSON.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []sentSpan
	// refuse is how many requests are answered with 503 first.
	refuse int
	// about are the attributes of the latest resource, and header that of the latest request.
	about  map[string]string
	header http.Header
}

// sentSpan is a span with its attributes, and those of its events and links, as text.
type sentSpan struct {
	TraceID, SpanID, TraceState, ParentSpanID, Name string
	Kind                                            int
	StartTimeUnixNano, EndTimeUnixNano              json.Number
	Attributes                                      otlpAttributes
	Events, Links                                   []struct {
		TraceID, SpanID, Name string
		Attributes            otlpAttributes
	}
	Status struct{ Code int }
}

type otlpAttributes []struct {
	Key   string
	Value map[string]any
}

func (all otlpAttributes) text() map[string]string {
	text := map[string]string{}
	for _, a := range all {
		for _, v := range a.Value {
			text[a.Key], _ = v.(string)
		}
	}
	return text
}

func newCollector(t *testing.T) *collector {
	c := &collector{refuse: 1}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var request struct {
		ResourceSpans []struct {
			Resource   struct{ Attributes otlpAttributes }
			ScopeSpans []struct{ Spans []sentSpan }
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse--
	switch err := json.NewDecoder(r.Body).Decode(&request); {
	case err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json":
		w.WriteHeader(http.StatusBadRequest)
		return
	case c.refuse >= 0:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	c.header = r.Header
	for _, from := range request.ResourceSpans {
		c.about = from.Resource.Attributes.text()
		for _, in := range from.ScopeSpans {
			c.spans = append(c.spans, in.Spans...)
		}
	}
}

func (c *collector) latest() (about map[string]string, header http.Header) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.about, c.header
}

// named are the spans of a name that were sent so far.
func (c *collector) named(name string) []sentSpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.spans), func(s sentSpan) bool { return s.Name != name })
}

// await waits for so many spans of a name, and returns them.
func (c *collector) await(p *process, name string, n int) (found []sentSpan) {
	p.t.Helper()
	p.eventually("the spans "+name, func() bool {
		found = c.named(name)
		return len(found) >= n
	})
	return found
}

func TestTheSpansOfAnAlertTellItsLegsThroughA429AndARestart(t *testing.T) {
	t.Parallel()
	c := newCollector(t)
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20secret-of-the-collector",
		"OTEL_SERVICE_NAME": "bells", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test", "OTEL_BSP_SCHEDULE_DELAY": "50",
	})
	p.configure("delivery: {digest_above: 1}\n")
	p.start()
	fault(t, s, playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", RetryAfter: 600, Times: 1})
	const traceID, sender = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	receipt := p.pushWith("/v1/alerts", `{"title":"disk full"}`, http.Header{"Traceparent": {traceparentOf(traceID)}, "Tracestate": {"rojo=1", "congo=2"}})[0]
	for _, name := range []string{"accept alert", "commit", "attempt"} {
		c.await(p, name, 1)
	}
	p.kill()
	p.start()
	p.settle(receipt)
	delivered := c.await(p, "deliver post", 1)[0]

	accepted, attempts, calls := c.await(p, "accept alert", 1)[0], c.await(p, "attempt", 2), c.await(p, "chat.postMessage", 2)
	for name, spans := range map[string][]sentSpan{"accept alert": {accepted}, "deliver post": {delivered}, "attempt": attempts, "chat.postMessage": calls, "commit": c.await(p, "commit", 1), "wait in lane": c.await(p, "wait in lane", 1)} {
		parent := map[string]string{"accept alert": sender, "deliver post": accepted.SpanID, "commit": accepted.SpanID}[name]
		for n, span := range spans {
			if name == "attempt" || name == "wait in lane" {
				parent = delivered.SpanID
			}
			if name == "chat.postMessage" {
				parent = attempts[n].SpanID
			}
			if span.TraceState != "rojo=1,congo=2" {
				t.Errorf("%s has the state %q", name, span.TraceState)
			}
			if span.TraceID != traceID || span.ParentSpanID != parent {
				t.Errorf("%s is span %s below %s in trace %s, want it below %s in that of the sender", name, span.SpanID, span.ParentSpanID, span.TraceID, parent)
			}
			if span.StartTimeUnixNano > span.EndTimeUnixNano {
				t.Errorf("%s ends before it begins: %+v", name, span)
			}
		}
	}
	if got := accepted.Attributes.text(); got["tocsin.alert"] != receipt.ID || got["tocsin.effect"] != "opened" || got["tocsin.incident"] != receipt.Incident {
		t.Errorf("the alert was accepted as %v", got)
	}
	if first := attempts[0]; first.Attributes.text()["tocsin.outcome"] != "throttled" || len(first.Events) != 1 || first.Events[0].Name != "retry" || first.Status.Code != 2 {
		t.Errorf("the first attempt is %+v", first)
	}
	for n, status := range []string{"429", "200"} {
		if got := calls[n].Attributes.text(); got["http.response.status_code"] != status || calls[n].Kind != 3 {
			t.Errorf("call %d is %+v, want status %s", n, calls[n], status)
		}
	}
	var rec alert.Record
	if err := p.ask("/v1/alerts/"+receipt.ID, &rec); err != nil || delivered.Attributes.text()["tocsin.ts"] != rec.TS || len(delivered.Links) != 1 || delivered.Links[0].SpanID != accepted.SpanID {
		t.Errorf("the delivery is %+v, of alert %+v, %v", delivered, rec, err)
	}
	if about, header := c.latest(); about["service.name"] != "bells" || about["deployment.environment"] != "test" || header.Get("Authorization") != "Bearer secret-of-the-collector" {
		t.Errorf("the resource is %v, the header %v", about, header)
	}
	if strings.Contains(p.log.String(), "secret-of-the-collector") {
		t.Error("the log has the collector's secret")
	}

	several := p.mustPush(firing("a", "a"), firing("b", "b"), firing("c", "c"), firing("d", "d"))
	p.settle(several...)
	digest := c.await(p, "deliver digest", 1)[0]
	accepts := c.await(p, "accept alert", 5)
	for _, link := range digest.Links {
		if !slices.ContainsFunc(accepts, func(a sentSpan) bool {
			return a.TraceID == link.TraceID && a.SpanID == link.SpanID && a.ParentSpanID == "" && a.Attributes.text()["tocsin.alert"] == link.Attributes.text()["tocsin.alert"]
		}) {
			t.Errorf("the digest links to %+v, which is no alert", link)
		}
	}
	if len(digest.Links) < 2 {
		t.Errorf("the digest links to %d alerts: %+v", len(digest.Links), digest.Links)
	}
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestACollectorThatNeverAnswersCostsNoAlert(t *testing.T) {
	t.Parallel()
	asked, over := make(chan struct{}, 1), make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-over
	}))
	t.Cleanup(dead.Close)
	t.Cleanup(func() { close(over) })
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": dead.URL, "OTEL_BSP_SCHEDULE_DELAY": "1", "OTEL_BSP_MAX_QUEUE_SIZE": "16"})
	p.start()
	first := p.mustPush(firing("first", "first"))
	<-asked
	var batch []map[string]any
	for n := range 1000 { // many more spans than the queue has room for
		batch = append(batch, firing("flood", fmt.Sprint(n)))
	}
	p.mustPush(batch...)
	p.settle(append(first, p.mustPush(firing("last", "last"))...)...)
	if !regexp.MustCompile(`\ntocsin_trace_spans_dropped_total [1-9]`).MatchString(p.metrics()) {
		t.Error("no span is counted as dropped")
	}
	if err := p.terminate(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if said := p.log.String(); strings.Count(said, "traces can't be sent") != 1 {
		t.Errorf("the log says so %d times, want once", strings.Count(said, "traces can't be sent"))
	}
}

func TestMistakesInTheVariablesOfOpenTelemetryCostNoAlert(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"})
	p.start()
	p.settle(p.mustPush(firing("a", "a"))...)
	if said := p.log.String(); !strings.Contains(said, "there are no traces") || !strings.Contains(said, "http://127.0.0.1:4318") {
		t.Error("the log does not say what to write")
	}
}
