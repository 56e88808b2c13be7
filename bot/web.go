package bot

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
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

	"tocsin/alert"
)

// maxAnswer limits how much of an answer is read; the longest is a page of 100
// messages with their blocks.
const maxAnswer = 16 << 20

// request is one call of a method of the Web API.
type request struct {
	method string
	// where names the conversation or the person in hints, as a person spelled it.
	where string
	// args are sent as a form; those that are not text are JSON (docs/slack.md §2.1).
	args map[string]string
}

// repeatable lists the methods that change nothing, or nothing more when called
// again. If a call of one fails, it does not matter whether Slack did it.
var repeatable = map[string]bool{
	"auth.test": true, "chat.getPermalink": true,
	"conversations.history": true, "conversations.info": true, "conversations.join": true, "conversations.list": true, "conversations.members": true,
	"conversations.open": true, "conversations.replies": true,
	"files.getUploadURLExternal": true,
	"usergroups.list":            true, "usergroups.users.list": true,
	"users.conversations": true, "users.info": true, "users.list": true, "users.lookupByEmail": true,
}

// reply holds the fields that every answer of Slack may have. The answer of each
// method embeds it.
type reply struct {
	OK       bool   `json:"ok"`
	Error    string `json:"error"`
	Needed   string `json:"needed"`
	Metadata struct {
		Messages   []string `json:"messages"`
		NextCursor string   `json:"next_cursor"`
	} `json:"response_metadata"`

	header http.Header
	// mistyped is set when a field has an unexpected type and was left empty.
	mistyped bool
}

func (r *reply) common() *reply { return r }

type answer interface{ common() *reply }

// call calls a method and decodes its answer into out, which may be nil. The error
// is an *alert.SendError; without one Slack answered ok. A field of an unexpected
// type is left empty and must not hide the others, because the message may have
// been posted.
func (b *Bot) call(ctx context.Context, r request, out answer) error {
	b.mu.Lock()
	token := b.token
	b.mu.Unlock()
	err := b.callAs(ctx, token, r, out)
	if e, ok := errors.AsType[*alert.SendError](err); ok && e.Class == alert.ClassAuth {
		b.readToken()
	}
	return err
}

// callAs is call with another bot token.
func (b *Bot) callAs(ctx context.Context, token alert.Secret, r request, out answer) error {
	if out == nil {
		out = &reply{}
	}
	x := &exchange{bot: b, request: r, reply: out.common()}
	if token == "" {
		return x.result(x.refused("not_authed"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.opts.APIURL+r.method, strings.NewReader(form(r.args)))
	if err != nil {
		return x.result(&alert.SendError{Class: alert.ClassPayload, Code: "bad_request", Err: withoutURL(err)})
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	x.send(req)
	x.decode(out)
	return x.result(x.failure())
}

// pages calls a method for one page after the other, until use is done or there is
// no further page.
func pages[P any, A interface {
	*P
	answer
}](ctx context.Context, b *Bot, r request, use func(P) (done bool, err error)) error {
	for {
		var page P
		if err := b.call(ctx, r, A(&page)); err != nil {
			return err
		}
		r.args["cursor"] = A(&page).common().Metadata.NextCursor
		if done, err := use(page); done || err != nil || r.args["cursor"] == "" {
			return err
		}
	}
}

// form encodes arguments and leaves out empty ones, except for text: an edit may
// remove it.
func form(args map[string]string) string {
	values := url.Values{}
	for name, value := range args {
		if value != "" || name == "text" {
			values.Set(name, value)
		}
	}
	return values.Encode()
}

// exchange is one HTTP request to Slack and what is known of its outcome: enough to
// distinguish "not applied" from "perhaps applied".
type exchange struct {
	bot     *Bot
	request request
	reply   *reply
	// app is set for the method that takes the app-level token.
	app bool

	token  alert.Secret
	wrote  atomic.Bool
	err    error
	status int
	header http.Header
	body   []byte
}

// taken marks the calls for a delivery or an envelope that was taken from the store.
type taken struct{}

func withTaken(ctx context.Context) context.Context { return context.WithValue(ctx, taken{}, true) }

// do makes a request. One for a delivery or an envelope from the store is refused while this
// process does not know that it is still the active replica, because it was stopped for a while
// or the database does not answer: another one may have done it.
func (b *Bot) do(req *http.Request) (*http.Response, error) {
	if req.Context().Value(taken{}) != nil {
		if err := b.opts.Fenced(); err != nil {
			return nil, err
		}
	}
	return b.http.Do(req)
}

// send makes the request and reads its whole answer.
func (x *exchange) send(req *http.Request) {
	trace := &httptrace.ClientTrace{WroteRequest: func(i httptrace.WroteRequestInfo) {
		if i.Err == nil {
			x.wrote.Store(true)
		}
	}}
	x.token = alert.Secret(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))
	resp, err := x.bot.do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		x.err = withoutURL(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	x.status, x.header = resp.StatusCode, resp.Header
	if x.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		x.err = withoutURL(err)
	}
}

// decode decodes the answer into out, which embeds x.reply.
func (x *exchange) decode(out any) {
	_, x.reply.mistyped = errors.AsType[*json.UnmarshalTypeError](json.Unmarshal(x.body, out))
	x.reply.header = x.header
}

// Do sends a request of slack-go's client.
func (x *exchange) Do(req *http.Request) (*http.Response, error) {
	x.send(req)
	if x.err != nil {
		return nil, x.err
	}
	x.decode(x.reply)
	return &http.Response{StatusCode: x.status, Status: http.StatusText(x.status), Header: x.header, Body: io.NopCloser(bytes.NewReader(x.body)), Request: req}, nil
}

// result counts the outcome and returns it as an error.
func (x *exchange) result(failure *alert.SendError) error {
	outcome := "ok"
	if failure != nil {
		outcome = string(failure.Class)
	}
	x.bot.calls.WithLabelValues(x.request.method, outcome).Inc()
	if failure == nil {
		x.bot.opts.Answered(x.token)
		return nil
	}
	if failure.Class == alert.ClassUnsure && repeatable[x.request.method] {
		failure.Class = alert.ClassTransient
	}
	return failure
}

func (x *exchange) failure() *alert.SendError {
	switch {
	case x.err != nil:
		return x.transportError(x.err)
	case x.status == http.StatusTooManyRequests:
		return x.refused("ratelimited")
	case x.status != http.StatusOK:
		return x.unexpected(fmt.Sprintf("http_%d", x.status))
	case x.reply.OK:
		return nil
	case x.reply.Error == "":
		return x.unexpected("bad_answer")
	}
	return x.refused(x.reply.Error)
}

// transportError is an error without an answer. Slack can't have done anything
// unless the whole request was written.
func (x *exchange) transportError(err error) *alert.SendError {
	e := &alert.SendError{Class: alert.ClassTransient, Code: "unreachable", Err: err}
	if x.wrote.Load() {
		e.Class, e.Code = alert.ClassUnsure, "no_answer"
	}
	if isTimeout(err) {
		e.Code = "timeout"
	}
	if _, foreign := errors.AsType[x509.UnknownAuthorityError](err); foreign {
		e.Hint = "the certificate is not Slack's own, as where a proxy opens what is encrypted: name the file of its authority in slack.ca_file"
	}
	return e
}

// unexpected is the error of an answer that is not Slack's API. With a status of
// 200 or from 500 on, Slack may have done what was asked; otherwise it did not.
func (x *exchange) unexpected(code string) *alert.SendError {
	e := &alert.SendError{Class: alert.ClassTransient, Code: code}
	if x.status >= 500 || x.status == http.StatusOK {
		e.Class = alert.ClassUnsure
	}
	if x.status < 500 && x.request.method != responseURL {
		e.Hint = "something that is not Slack answered: check SLACK_API_URL and the proxy"
	}
	return e
}

// refused is the error of an answer with one of Slack's error codes.
func (x *exchange) refused(code string) *alert.SendError {
	e := x.bot.refusal(code, x.request.where, x.reply.Needed)
	if e.Class == alert.ClassAuth && x.app {
		e.Hint = appTokenHint
	}
	if e.Class == alert.ClassThrottled {
		e.RetryAfter = retryAfter(x.header, x.bot.opts.Now())
		if code == "message_limit_exceeded" {
			e.RetryAfter = max(e.RetryAfter, volumePause)
		}
	}
	if e.Err == nil && len(x.reply.Metadata.Messages) > 0 {
		e.Err = errors.New(strings.Join(x.reply.Metadata.Messages, "; "))
	}
	return e
}

// appTokenHint is the hint for every refusal of apps.connections.open.
const appTokenHint = "set SLACK_APP_TOKEN to an App-Level Token (xapp-…) with the scope connections:write, from Basic Information > App-Level Tokens, and switch on Socket Mode"

// ErrStale is wrapped by errors about a screen that has changed since (a used
// trigger_id, a newer view): the person has to try again.
var ErrStale = errors.New("the screen has changed since")

// refusal is the error for one of Slack's error codes. where names the conversation
// or the person; scope is the missing scope, if Slack named it.
func (b *Bot) refusal(code, where, scope string) *alert.SendError {
	known := alert.ExplainSlackError(code)
	missing := "the missing scope"
	if scope != "" {
		missing = "the scope " + scope
	}
	fill := strings.NewReplacer("{where}", cmp.Or(where, "the conversation"), "{bot}", cmp.Or(b.Identity().Name, "tocsin"), "{scope}", missing)
	e := &alert.SendError{Class: known.Class, Code: code, Hint: fill.Replace(known.Hint)}
	if known.Stale {
		e.Err = ErrStale
	}
	return e
}

// volumePause is the wait when the whole workspace has posted too much; Slack gives
// no time for it (docs/slack.md §2.7 E).
const volumePause = 5 * time.Minute

// retryAfter reads the header Retry-After, in seconds or as an HTTP date (from
// proxies). It is at least one second, also if the header is missing or invalid, and at
// most a year.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil {
		return time.Duration(min(max(seconds, 1), secondsInAYear)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), time.Second), secondsInAYear*time.Second)
	}
	return time.Second
}

const secondsInAYear = 365 * 24 * 60 * 60

// withoutURL removes the address from an error: a response_url or the address of a
// socket is a secret.
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

// badAnswer is the error of an answer that says ok and lacks what was asked for.
func badAnswer() *alert.SendError {
	return &alert.SendError{Class: alert.ClassTransient, Code: "bad_answer", Hint: "something that is not Slack answered: check SLACK_API_URL and the proxy"}
}
