package bot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// maxAnswer bounds what is read of an answer; the longest we ask for is a page
// of 100 messages with their blocks.
const maxAnswer = 16 << 20

// call is one Web API method on its way: it is the http client below slack-go,
// and keeps what slack-go drops, which is what it takes to tell "not applied"
// from "perhaps applied" and to read an answer leniently.
type call struct {
	bot    *Bot
	api    *slack.Client
	method string
	// where names the conversation in hints, as a person spelled it.
	where string
	// app is set for the method that takes the app-level token.
	app bool
	// reads is set when the method changes nothing, so that no failure is unsure.
	reads bool

	wrote  atomic.Bool
	err    error
	status int
	header http.Header
	body   []byte
	answer answer
}

// answer is what every answer of Slack may hold, of whatever method.
type answer struct {
	OK        bool            `json:"ok"`
	Error     string          `json:"error"`
	Needed    string          `json:"needed"`
	Provided  string          `json:"provided"`
	Channel   json.RawMessage `json:"channel"`
	TS        string          `json:"ts"`
	Permalink string          `json:"permalink"`
	Metadata  struct {
		Messages   []string `json:"messages"`
		NextCursor string   `json:"next_cursor"`
	} `json:"response_metadata"`
}

// call prepares one method; without a token it fails as Slack would.
func (b *Bot) call(method, where string) (*call, error) {
	b.mu.Lock()
	token := b.token
	b.mu.Unlock()
	c := &call{bot: b, method: method, where: where}
	if token == "" {
		b.calls.WithLabelValues(method, string(alert.ClassAuth)).Inc()
		return nil, c.refused("not_authed")
	}
	c.api = slack.New(token.Reveal(), slack.OptionAPIURL(b.opts.APIURL), slack.OptionHTTPClient(c))
	return c, nil
}

// Do sends one request and reads its whole answer, for slack-go.
func (c *call) Do(req *http.Request) (*http.Response, error) {
	trace := &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		if i.Err == nil {
			c.wrote.Store(true)
		}
	}}
	resp, err := c.bot.http.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		c.err = withoutURL(err)
		return nil, c.err
	}
	defer func() { _ = resp.Body.Close() }()
	c.status, c.header = resp.StatusCode, resp.Header
	if c.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		c.err = withoutURL(err)
		return nil, c.err
	}
	c.decode()
	resp.Body = io.NopCloser(bytes.NewReader(c.body))
	return resp, nil
}

// decode reads the common fields. One of an unexpected type must not hide the
// others: the message may have been posted.
func (c *call) decode() {
	c.answer = answer{}
	if err := json.Unmarshal(c.body, &c.answer); err != nil {
		if _, odd := errors.AsType[*json.UnmarshalTypeError](err); !odd {
			c.answer = answer{}
		}
	}
}

// result says what became of the call: nil, or an *alert.SendError. It goes by
// what was seen on the wire; slack-go's own error counts only when nothing was
// sent at all.
func (c *call) result(err error) error {
	failure := c.failure(err)
	result := "ok"
	if failure != nil {
		result = string(failure.Class)
	}
	c.bot.calls.WithLabelValues(c.method, result).Inc()
	if failure == nil {
		return nil
	}
	if c.reads && failure.Class == alert.ClassUnsure {
		failure.Class = alert.ClassTransient
	}
	return failure
}

func (c *call) failure(err error) *alert.SendError {
	switch {
	case c.err != nil:
		return c.broken(c.err)
	case c.status == 0 && err != nil:
		return &alert.SendError{Class: alert.ClassPayload, Code: "bad_request", Err: withoutURL(err)}
	case c.status == http.StatusTooManyRequests:
		return c.refused("ratelimited")
	case c.status != http.StatusOK:
		return c.strange(fmt.Sprintf("http_%d", c.status))
	case c.answer.OK:
		return nil
	case c.answer.Error == "":
		return c.strange("bad_answer")
	}
	return c.refused(c.answer.Error)
}

// broken is a failure of the transport: nothing reached Slack unless the whole
// request had been written.
func (c *call) broken(err error) *alert.SendError {
	e := &alert.SendError{Class: alert.ClassTransient, Code: "unreachable", Err: err}
	if c.wrote.Load() {
		e.Class, e.Code = alert.ClassUnsure, "no_answer"
	}
	if isTimeout(err) {
		e.Code = "timeout"
	}
	return e
}

// strange is an answer that is not Slack's API speaking. From 5xx on, and behind
// a 200, Slack may have done its part; any other status means that it did not.
func (c *call) strange(code string) *alert.SendError {
	e := &alert.SendError{Class: alert.ClassTransient, Code: code}
	if c.status >= 500 || c.status == http.StatusOK {
		e.Class = alert.ClassUnsure
	}
	if c.status < 500 && c.api != nil {
		e.Hint = "something that is not Slack answered: check SLACK_API_URL and the proxy"
	}
	return e
}

// refused is Slack's own error code.
func (c *call) refused(code string) *alert.SendError {
	known := alert.ExplainSlackError(code)
	e := &alert.SendError{Class: known.Class, Code: code, Hint: c.hint(code)}
	if e.Class == alert.ClassThrottled {
		e.RetryAfter = retryAfter(c.header, c.bot.opts.Now())
		if code == "message_limit_exceeded" {
			e.RetryAfter = max(e.RetryAfter, volumePause)
		}
	}
	if known.Stale {
		e.Err = ErrStale
	} else if len(c.answer.Metadata.Messages) > 0 {
		e.Err = errors.New(strings.Join(c.answer.Metadata.Messages, "; "))
	}
	return e
}

// volumePause is the wait when the whole workspace has posted too much, for
// which Slack names no time (slack-facts §2.7 E).
const volumePause = 5 * time.Minute

// retryAfter reads Slack's wish in seconds (or as an HTTP date, as proxies write
// it); missing, odd or below one second it is one second.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(time.Duration(seconds)*time.Second, time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), time.Second)
	}
	return time.Second
}

// withoutURL takes the address out of an error: a response_url or the address of
// a socket is as good as a password.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// channel is the conversation's id, which chat methods answer as a string and
// conversations.open as an object.
func (a answer) channel() string {
	var id string
	if json.Unmarshal(a.Channel, &id) == nil {
		return id
	}
	var object struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(a.Channel, &object)
	return object.ID
}
