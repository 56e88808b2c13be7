package playground

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain fails the run when a playground leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// send does a request over a connection of its own, so that nothing is left open.
func send(t testing.TB, req *http.Request) *http.Response {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", req.URL, err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// quick are options whose timeouts are over soon and whose limits are off.
func quick() Options {
	return Options{Limits: NoLimits(), AckTimeout: 30 * time.Millisecond, RetryScale: 1e-4, Seed: 1}
}

// patient are options under which nothing times out within a test.
func patient() Options {
	return Options{Limits: NoLimits(), AckTimeout: patience, RetryScale: 1e-4, Seed: 1}
}

func startPlayground(t testing.TB, opts Options) *Server {
	t.Helper()
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// callAPI calls a Web API method as the bot; it fails the test when the answer is not ok.
func callAPI(t testing.TB, s *Server, method string, args map[string]any) map[string]any {
	t.Helper()
	answer := tryAPI(t, s, method, args)
	if answer["ok"] != true {
		t.Fatalf("%s: %v", method, answer)
	}
	return answer
}

func tryAPI(t testing.TB, s *Server, method string, args map[string]any) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.APIURL()+method, bytes.NewReader(mustJSON(args)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.BotToken())
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	var answer map[string]any
	if err := json.NewDecoder(send(t, req).Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return answer
}

// await waits until the journal holds n entries of a kind and returns them.
func await(t testing.TB, s *Server, kind string, n int) []Entry {
	t.Helper()
	if err := s.Wait(within(t), func(sn *Snapshot) bool { return sn.Count(kind) >= n }); err != nil {
		t.Fatalf("wait for %d × %s: %v\n%s", n, kind, err, kinds(s))
	}
	return entriesOf(s, kind)
}

func entriesOf(s *Server, kind string) []Entry {
	var out []Entry
	for _, e := range s.Journal() {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// kinds lists what happened, for the message of a failed test.
func kinds(s *Server) string {
	var b bytes.Buffer
	for _, e := range s.Journal() {
		fmt.Fprintf(&b, "%s %s %s %s %d\n", e.Kind, e.Socket, e.Text, e.Reason, e.Attempt)
	}
	return b.String()
}

// dig follows keys and indexes into decoded JSON; nil when the path ends early.
func dig(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// want compares a place in decoded JSON with what it should hold.
func want(t testing.TB, v, expected any, path ...any) {
	t.Helper()
	if got := dig(v, path...); got != expected {
		t.Errorf("%v = %#v, want %#v", path, got, expected)
	}
}

// asPerson runs a blocking act of a person while the test plays the daemon.
func asPerson[T any](act func() (T, error)) <-chan acted[T] {
	done := make(chan acted[T], 1)
	go func() {
		v, err := act()
		done <- acted[T]{v, err}
	}()
	return done
}

type acted[T any] struct {
	v   T
	err error
}

func (o acted[T]) get(t testing.TB) T {
	t.Helper()
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.v
}
