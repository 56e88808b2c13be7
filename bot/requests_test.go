package bot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

const signingSecret = "8f742231b10e8888abcd99yyyzzz85a5"

// requests is a running receiver with a test in place of Slack.
type requests struct {
	t     *testing.T
	url   string
	heard *listener
	inbox *memoryInbox
	log   *logBook
	// status is what the receiver says of itself, and secret what it verifies by.
	status func() Status
	secret atomic.Value
	http.Client
}

func startRequests(t *testing.T, secret string, change ...func(*Requests)) *requests {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	q := &requests{t: t, url: "http://" + l.Addr().String(), heard: newListener(), inbox: newMemoryInbox(), log: &logBook{}, Client: http.Client{Timeout: patience}}
	q.secret.Store(alert.Secret(secret))
	slack := startSlack(t, playground.Options{})
	receiver := NewRequests(newBot(t, slack, q.log), q.inbox, q.heard, l, func() alert.Secret { return q.secret.Load().(alert.Secret) })
	q.status = receiver.Status
	for _, f := range change {
		f(receiver)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- receiver.Run(ctx) }()
	t.Cleanup(func() {
		q.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		noSecrets(t, q.log.text(), slack)
	})
	return q
}

// signed is a request as Slack signs it.
func (q *requests) signed(path, body string, at time.Time) *http.Request {
	q.t.Helper()
	r, err := http.NewRequestWithContext(q.t.Context(), http.MethodPost, q.url+path, strings.NewReader(body))
	if err != nil {
		q.t.Fatal(err)
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write([]byte("v0:" + stamp + ":" + body))
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return r
}

func (q *requests) send(r *http.Request) (status int, body string) {
	q.t.Helper()
	a, err := q.Do(r)
	if err != nil {
		q.t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	all, err := io.ReadAll(a.Body)
	if err != nil {
		q.t.Fatal(err)
	}
	return a.StatusCode, string(all)
}

func TestWhatPeopleDoComesByHTTP(t *testing.T) {
	t.Parallel()
	q := startRequests(t, signingSecret)
	q.heard.submit = func(s Submission) map[string]string {
		if s.Inputs["text"]["text"] == "" {
			return map[string]string{"text": "Write something"}
		}
		return nil
	}
	form := url.Values{"command": {"/notify"}, "text": {" list "}, "user_id": {"U0ANN"}, "channel_id": {"C0OPS"}, "team_id": {"T0PLAYGROUND"}, "trigger_id": {"t.1"}}
	dialog := func(text string) string {
		return url.Values{"payload": {`{"type":"view_submission","trigger_id":"t` + text + `","user":{"id":"U0ANN"},"view":{"id":"V1","callback_id":"note","state":{"values":{"text":{"text":{"value":"` + text + `"}}}}}}`}}.Encode()
	}
	for _, c := range []struct{ name, path, body, want string }{
		{"a check of the address", EventsPath, `{"type":"url_verification","challenge":"3eZbrw1a"}`, `{"challenge":"3eZbrw1a"}`},
		{"a check of the certificate", CommandsPath, "ssl_check=1&token=x", ""},
		{"a command", CommandsPath, form.Encode(), ""},
		{"the same command again", CommandsPath, form.Encode() + "&again=1", ""},
		{"a message", EventsPath, `{"type":"event_callback","event_id":"Ev1","event":{"type":"message","channel_type":"im","channel":"D1","user":"U0ANN","text":"list","ts":"1.2"}}`, ""},
		{"an opened Home", EventsPath, `{"type":"event_callback","event_id":"Ev2","event":{"type":"app_home_opened","channel":"D1","user":"U0ANN","tab":"home"}}`, ""},
		{"a click", InteractivePath, url.Values{"payload": {`{"type":"block_actions","trigger_id":"c1","user":{"id":"U0ANN"},"actions":[{"action_id":"ack","value":"b222"}]}`}}.Encode(), ""},
		{"a dialog with a mistake", InteractivePath, dialog(""), `{"errors":{"text":"Write something"},"response_action":"errors"}`},
		{"a dialog", InteractivePath, dialog("fine"), ""},
	} {
		if status, body := q.send(q.signed(c.path, c.body, time.Now())); status != http.StatusOK || strings.TrimSpace(body) != c.want {
			t.Errorf("%s: %d %q", c.name, status, body)
		}
	}
	if c := <-q.heard.commands; c.Name != "/notify" || c.Text != "list" || c.User != "U0ANN" || c.Channel != "C0OPS" {
		t.Errorf("the command is %+v", c)
	}
	if m := <-q.heard.messages; m.Text != "list" {
		t.Errorf("the message is %+v", m)
	}
	if h := <-q.heard.homes; h.User != "U0ANN" {
		t.Errorf("the Home is %+v", h)
	}
	if a := <-q.heard.actions; a.ActionID != "ack" || a.Value != "b222" {
		t.Errorf("the click is %+v", a)
	}
	if s := <-q.heard.done; s.Inputs["text"]["text"] != "fine" {
		t.Errorf("the dialog is %+v", s)
	}
	if len(q.heard.commands) > 0 {
		t.Error("a command that came twice was answered twice")
	}
}

func TestARequestThatSlackDidNotSignIsRefused(t *testing.T) {
	t.Parallel()
	q := startRequests(t, signingSecret)
	const body = "command=%2Fnotify&text=private-words&trigger_id=t.1"
	now := time.Now()
	for name, change := range map[string]func(*http.Request){
		"without headers":     func(r *http.Request) { r.Header = http.Header{} },
		"without a signature": func(r *http.Request) { r.Header.Del("X-Slack-Signature") },
		"without a time":      func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") },
		"of another time":     func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", strconv.FormatInt(now.Unix()-1, 10)) },
		"of a time that is long": func(r *http.Request) {
			r.Header.Set("X-Slack-Request-Timestamp", strings.Repeat("private-words", 1000))
		},
		"twice":                     func(r *http.Request) { r.Header.Add("X-Slack-Signature", r.Header.Get("X-Slack-Signature")) },
		"of a time that is none":    func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", "noon") },
		"of another body":           func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + "x")); r.ContentLength++ },
		"of another version":        func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v1="+r.Header.Get("X-Slack-Signature")[3:]) },
		"that was cut":              func(r *http.Request) { r.Header.Set("X-Slack-Signature", r.Header.Get("X-Slack-Signature")[:20]) },
		"older than five minutes":   func(r *http.Request) { *r = *q.signed(CommandsPath, body, now.Add(-6*time.Minute)) },
		"more than five min. ahead": func(r *http.Request) { *r = *q.signed(CommandsPath, body, now.Add(6*time.Minute)) },
	} {
		r := q.signed(CommandsPath, body, now)
		change(r)
		if status, _ := q.send(r); status != http.StatusUnauthorized {
			t.Errorf("a signature %s: %d", name, status)
		}
	}
	if status, _ := q.send(q.signed(CommandsPath, body, now)); status != http.StatusOK {
		t.Fatalf("the right signature: %d", status)
	}
	<-q.heard.commands
	if status, _ := q.send(q.signed(CommandsPath, body, now)); status != http.StatusUnauthorized {
		t.Errorf("a replayed request: %d", status)
	}
	if len(q.heard.commands) > 0 {
		t.Error("a refused request was handled")
	}
	if log := q.log.text(); strings.Contains(log, "private-words") || strings.Contains(log, signingSecret) {
		t.Errorf("the log holds the body or the secret:\n%s", log)
	}
	without := startRequests(t, "")
	if status, _ := without.send(without.signed(CommandsPath, body, now)); status != http.StatusUnauthorized {
		t.Errorf("a request while there is no signing secret: %d", status)
	}
}

func TestRequestsThatLookLikeSlacksAndHaveAnotherSignatureAreANote(t *testing.T) {
	t.Parallel()
	q := startRequests(t, "of another app")
	says := func(when, what, fix string) {
		t.Helper()
		st := q.status()
		if what == "" && len(st.Notes) == 0 {
			return
		}
		if len(st.Notes) != 1 || len(st.Problems) != 0 || what == "" || !strings.Contains(st.Notes[0].What, what) || !strings.Contains(st.Notes[0].Fix, fix) || st.Notes[0].Since.IsZero() {
			t.Errorf("%s: the notes are %+v, the problems %+v", when, st.Notes, st.Problems)
		}
	}
	now := time.Now()
	says("at the start", "", "")
	junk := q.signed(CommandsPath, "text=junk", now)
	junk.Header.Set("X-Slack-Signature", "v0=junk")
	q.send(junk)
	junk = q.signed(CommandsPath, "text=junk", now)
	junk.Header = http.Header{}
	q.send(junk)
	says("after what no Slack sends", "", "")
	for n := range 3 {
		q.send(q.signed(CommandsPath, "text="+strconv.Itoa(n), now))
	}
	says("with the secret of another app", "not signed with the signing secret: 3, the last at ", "Basic Information > Signing Secret")
	q.secret.Store(alert.Secret(signingSecret))
	says("with another secret", "", "")
	q.send(q.signed(CommandsPath, "text=old", now.Add(-time.Hour)))
	says("with a clock that is wrong", "the time of this machine: 1, ", "NTP")
	if status, _ := q.send(q.signed(EventsPath, `{"type":"url_verification"}`, now)); status != http.StatusOK {
		t.Errorf("the right signature: %d", status)
	}
	says("after a right one", "", "")
}

func TestARequestIsAckedAndAnsweredAlthoughTheStoreIsAwayOrDoesNotAnswer(t *testing.T) {
	t.Parallel()
	q := startRequests(t, signingSecret)
	q.send(q.signed(EventsPath, `{"type":"url_verification"}`, time.Now())) // it has started
	q.inbox.mu.Lock()                                                       // the store does not answer
	status, _ := q.send(q.signed(CommandsPath, "command=%2Fnotify&text=slow&trigger_id=t.1", time.Now()))
	if c := <-q.heard.commands; status != http.StatusOK || c.Text != "slow" {
		t.Errorf("while it does not answer: %d, %+v", status, c)
	}
	q.inbox.broken = errors.New("it is away")
	q.inbox.mu.Unlock()
	status, _ = q.send(q.signed(CommandsPath, "command=%2Fnotify&text=away&trigger_id=t.2", time.Now()))
	if c := <-q.heard.commands; status != http.StatusOK || c.Text != "away" {
		t.Errorf("while it is away: %d, %+v", status, c)
	}
}

func TestAFrontStoresRequestsAndHasEventsSentAgainThatItCannotStore(t *testing.T) {
	t.Parallel()
	q := startRequests(t, signingSecret, func(r *Requests) { r.front = true })
	if status, _ := q.send(q.signed(CommandsPath, "command=%2Fnotify&trigger_id=t.1", time.Now())); status != http.StatusOK || q.inbox.unhandled() != 1 {
		t.Errorf("a command: %d, and %d are stored", status, q.inbox.unhandled())
	}
	q.inbox.mu.Lock()
	q.inbox.broken = fmt.Errorf("%w: no database", alert.ErrUnavailable)
	q.inbox.mu.Unlock()
	if status, _ := q.send(q.signed(EventsPath, `{"type":"event_callback","event_id":"Ev1","event":{"type":"app_home_opened","channel":"D1","user":"U0ANN","tab":"home"}}`, time.Now())); status != http.StatusServiceUnavailable {
		t.Errorf("an event that can't be stored: %d", status)
	}
}

func TestARequestThatCannotBeReadIsRefusedAndNotHandled(t *testing.T) {
	t.Parallel()
	q := startRequests(t, signingSecret)
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{EventsPath, "{", http.StatusBadRequest},
		{InteractivePath, "payload=%7B", http.StatusBadRequest},
		{InteractivePath, "", http.StatusBadRequest},
		{CommandsPath, "text=%zz", http.StatusBadRequest},
		{EventsPath, strings.Repeat("x", maxRequest+1), http.StatusRequestEntityTooLarge},
		{"/v1/alerts", "{}", http.StatusNotFound},
		{"/", "", http.StatusNotFound},
	} {
		if status, _ := q.send(q.signed(c.path, c.body, time.Now())); status != c.want {
			t.Errorf("%s with %.20q: %d, not %d", c.path, c.body, status, c.want)
		}
	}
	r := q.signed(EventsPath, "", time.Now())
	r.Method = http.MethodGet
	if status, _ := q.send(r); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", status)
	}
}
