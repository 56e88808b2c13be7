package playground

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// manualClock is a clock that moves only when a test says so.
type manualClock struct {
	mu sync.Mutex
	t  time.Time
}

func newManualClock() *manualClock { return &manualClock{t: time.Unix(1767225600, 0)} }

func (c *manualClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *manualClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// webTest is a playground with a client of its Web API.
type webTest struct {
	testing.TB
	s      *Server
	clock  *manualClock
	client *http.Client
}

// form is a call's arguments.
type form map[string]string

func newWebTest(t testing.TB, limits Limits) *webTest {
	t.Helper()
	clock := newManualClock()
	s, err := New(Options{Clock: clock.now, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &webTest{TB: t, s: s, clock: clock, client: client}
}

// response is a decoded answer.
type response struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func (r response) code() string {
	code, _ := r.body["error"].(string)
	return code
}

// at follows keys into the answer.
func (r response) at(path string) any {
	var v any = r.body
	for key := range strings.SplitSeq(path, ".") {
		fields, _ := v.(map[string]any)
		v = fields[key]
	}
	return v
}

func (r response) str(path string) string {
	text, _ := r.at(path).(string)
	return text
}

// do sends any request and decodes the answer when it is JSON.
func (w *webTest) do(req *http.Request) (response, error) {
	res, err := w.client.Do(req)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return response{}, err
	}
	out := response{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &out.body)
	return out, nil
}

func (w *webTest) request(method, contentType, token, body string) *http.Request {
	w.Helper()
	req, err := http.NewRequest(http.MethodPost, w.s.APIURL()+method, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req
}

// try calls a method with a form body and the bot token.
func (w *webTest) try(method string, a form) (response, error) {
	w.Helper()
	values := url.Values{}
	for k, v := range a {
		values.Set(k, v)
	}
	return w.do(w.request(method, "application/x-www-form-urlencoded", w.s.BotToken(), values.Encode()))
}

// call is try for calls whose answer has to arrive.
func (w *webTest) call(method string, a form) response {
	w.Helper()
	r, err := w.try(method, a)
	if err != nil {
		w.Fatalf("%s: %v", method, err)
	}
	return r
}

// ok is call for calls that have to succeed.
func (w *webTest) ok(method string, a form) response {
	w.Helper()
	r := w.call(method, a)
	if r.body["ok"] != true {
		w.Fatalf("%s: %s", method, r.raw)
	}
	return r
}

// post posts a text as the bot and returns its ts.
func (w *webTest) post(channel, text string) string {
	w.Helper()
	return w.ok("chat.postMessage", form{"channel": channel, "text": text}).str("ts")
}

// say posts a text as a person.
func (w *webTest) say(channel, user, text string) string {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	return w.s.postLocked(w.s.channelLocked(channel), Message{User: user, Text: text}).TS
}

// outcome is a row of a table: a call and the error code it has to end with.
type outcome struct {
	name string
	args form
	want string
}

// each runs rows against one method of a fresh playground prepared by prepare, which may be nil.
func each(t *testing.T, method string, prepare func(*webTest), rows []outcome) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWebTest(t, NoLimits())
			if prepare != nil {
				prepare(w)
			}
			r := w.call(method, row.args)
			if r.code() != row.want || r.body["ok"] != (row.want == "") {
				t.Errorf("%s answered %s, want error %q", method, r.raw, row.want)
			}
			if r.status != http.StatusOK {
				t.Errorf("HTTP status %d, want 200", r.status)
			}
		})
	}
}
