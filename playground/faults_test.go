package playground

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func (w *webTest) fault(f Fault) {
	w.Helper()
	if err := w.s.SetFault(f); err != nil {
		w.Fatal(err)
	}
}

func (w *webTest) lastCall() Call {
	calls := w.s.Calls()
	return calls[len(calls)-1]
}

func TestFaultsThatAnswerWithoutDoingTheWork(t *testing.T) {
	rows := []struct {
		fault  Fault
		status int
		code   string
		retry  string
	}{
		{Fault{Kind: FaultThrottle, RetryAfter: 7}, 429, "ratelimited", "7"},
		{Fault{Kind: FaultThrottle}, 429, "ratelimited", "1"},
		{Fault{Kind: "500"}, 500, "", ""},
		{Fault{Kind: "502"}, 502, "", ""},
		{Fault{Kind: "503"}, 503, "", ""},
		{Fault{Kind: "504"}, 504, "", ""},
		{Fault{Kind: FaultError, Error: "fatal_error"}, 200, "fatal_error", ""},
		{Fault{Kind: FaultError, Error: "rate_limited"}, 200, "rate_limited", ""},
		{Fault{Kind: FaultRevoked}, 200, "token_revoked", ""},
	}
	for _, row := range rows {
		t.Run(row.fault.Kind+row.code, func(t *testing.T) {
			w := newWebTest(t, NoLimits())
			w.fault(row.fault)
			r := w.call("chat.postMessage", form{"channel": "C0OPS", "text": "x"})
			if r.status != row.status || r.code() != row.code || r.header.Get("Retry-After") != row.retry {
				t.Errorf("got %d %s, Retry-After %q", r.status, r.raw, r.header.Get("Retry-After"))
			}
			if row.status >= 500 && !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
				t.Errorf("an edge answers HTML, got %q", r.header.Get("Content-Type"))
			}
			if n := len(w.s.Messages("#ops")); n != 0 {
				t.Errorf("%d messages were stored", n)
			}
			if c := w.lastCall(); c.Fault != row.fault.Kind || c.Status != row.status || c.Error != row.code {
				t.Errorf("journal: %+v", c)
			}
		})
	}
}

func TestLostAnswerLeavesTheMessage(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.fault(Fault{Kind: FaultLost, Times: 1})
	if r, err := w.try("chat.postMessage", form{"channel": "C0OPS", "text": "x"}); err == nil {
		t.Fatalf("got an answer: %s", r.raw)
	}
	if n := len(w.s.Messages("#ops")); n != 1 {
		t.Errorf("%d messages", n)
	}
	if c := w.lastCall(); c.Fault != FaultLost || c.Status != 0 || c.Error != "" || c.TS == "" {
		t.Errorf("journal: %+v", c)
	}
	w.post("C0OPS", "after")
}

func TestStoredErrorLeavesTheMessage(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.fault(Fault{Kind: FaultStoredError, Method: "chat.postMessage"})
	if r := w.call("chat.postMessage", form{"channel": "C0OPS", "text": "x"}); r.code() != "internal_error" || r.status != http.StatusOK {
		t.Errorf("got %d %s", r.status, r.raw)
	}
	if n := len(w.s.Messages("#ops")); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestTimeoutNeverAnswersAndStoresNothing(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.fault(Fault{Kind: FaultTimeout})
	ctx, cancel := context.WithCancel(t.Context())
	req := w.request("chat.postMessage", "application/x-www-form-urlencoded", w.s.BotToken(), "channel=C0OPS&text=x").WithContext(ctx)
	result := make(chan error, 1)
	go func() {
		_, err := w.do(req)
		result <- err
	}()
	if err := w.s.Wait(t.Context(), func(sn *Snapshot) bool { return sn.CallCount("chat.postMessage") == 1 }); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(w.s.Messages("#ops")); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestRefusedConnectionIsResetBeforeTheRequestIsRead(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.fault(Fault{Kind: FaultRefuse, Method: "chat.postMessage"})
	if _, err := w.try("chat.postMessage", form{"channel": "C0OPS", "text": "x"}); err == nil {
		t.Error("got an answer")
	}
	if c := w.lastCall(); c.Fault != FaultRefuse || len(w.s.Messages("#ops")) != 0 {
		t.Errorf("journal: %+v", c)
	}
	w.ok("auth.test", nil)
}

func TestSlowFaultShowsTheMessageBeforeItAnswers(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.fault(Fault{Kind: FaultSlow, Delay: time.Hour, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req := w.request("chat.postMessage", "application/x-www-form-urlencoded", w.s.BotToken(), "channel=C0OPS&text=x").WithContext(ctx)
	result := make(chan error, 1)
	go func() {
		_, err := w.do(req)
		result <- err
	}()
	if err := w.s.Wait(t.Context(), func(sn *Snapshot) bool { return sn.MessageCount("#ops") == 1 }); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-result; err == nil {
		t.Error("the answer came at once")
	}
	w.fault(Fault{Kind: FaultSlow, Delay: time.Millisecond})
	w.post("C0OPS", "a little later")
}

func TestHistoryThatLagsLeavesOutWhatIsYoungerThanTheDelay(t *testing.T) {
	w := newWebTest(t, NoLimits())
	parent := w.post("C0OPS", "an hour ago")
	w.clock.advance(time.Hour)
	w.post("C0OPS", "a moment ago")
	w.ok("chat.postMessage", form{"channel": "C0OPS", "text": "in the thread", "thread_ts": parent})
	w.fault(Fault{Kind: FaultLag, Delay: 8 * time.Second})
	listed := func(method string) int {
		messages, _ := w.ok(method, form{"channel": "C0OPS", "ts": parent}).at("messages").([]any)
		return len(messages)
	}
	for _, step := range []struct {
		after           time.Duration
		history, thread int
	}{{7 * time.Second, 1, 1}, {2 * time.Second, 2, 2}} {
		w.clock.advance(step.after)
		if n := listed("conversations.history"); n != step.history {
			t.Errorf("history lists %d messages, want %d", n, step.history)
		}
		if n := listed("conversations.replies"); n != step.thread {
			t.Errorf("the thread lists %d messages, want %d", n, step.thread)
		}
	}
	w.post("C0OPS", "posts are not affected")
}

func TestFaultsHitOnlyWhatTheyName(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.fault(Fault{Kind: FaultThrottle, Method: "chat.postMessage", Channel: "#ops", Times: 2})
	w.post("C0ALERTS", "elsewhere")
	w.ok("conversations.info", form{"channel": "C0OPS"})
	for i, want := range []string{"ratelimited", "ratelimited", ""} {
		if got := w.s.Faults(); len(got) != min(1, 2-i) && i < 2 {
			t.Errorf("faults before call %d: %+v", i, got)
		}
		if r := w.call("chat.postMessage", form{"channel": "#ops", "text": "x"}); r.code() != want {
			t.Errorf("call %d: %s", i, r.raw)
		}
	}
	if got := w.s.Faults(); len(got) != 0 {
		t.Errorf("a fault that is over stays: %+v", got)
	}
	w.fault(Fault{Kind: FaultThrottle, Channel: "@ann"})
	if r := w.call("chat.postMessage", form{"channel": "U0ANN", "text": "x"}); r.code() != "ratelimited" {
		t.Errorf("a person's conversation: %s", r.raw)
	}
	w.s.ClearFaults()
	w.post("U0ANN", "x")
}

func TestPercentHitsThatShare(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.fault(Fault{Kind: FaultError, Error: "fatal_error", Percent: 30})
	hits := 0
	for range 200 {
		if w.call("auth.test", nil).code() != "" {
			hits++
		}
	}
	if hits < 30 || hits > 90 {
		t.Errorf("%d of 200 calls were hit", hits)
	}
}

func TestFaultsReachUploadsAndResponseURLs(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.fault(Fault{Kind: "503", Method: "upload", Times: 1})
	url := w.ok("files.getUploadURLExternal", form{"filename": "a", "length": "1"}).str("upload_url")
	if r := w.send(url, "text/plain", "x"); r.status != 503 {
		t.Errorf("upload: %d", r.status)
	}
	if r := w.send(url, "text/plain", "x"); r.status != 200 {
		t.Errorf("upload afterwards: %d", r.status)
	}
	hookURL := w.hook(hook{Kind: "commands", User: "U0ANN", Channel: "C0OPS"})
	w.fault(Fault{Kind: FaultThrottle, Method: "response_url", RetryAfter: 3})
	if r := w.send(hookURL, jsonType, `{"text":"x"}`); r.status != 429 || r.header.Get("Retry-After") != "3" {
		t.Errorf("response_url: %d", r.status)
	}
}

func TestSenselessFaultsAreRefused(t *testing.T) {
	w := newWebTest(t, NoLimits())
	for _, f := range []Fault{
		{}, {Kind: "99"}, {Kind: "600"}, {Kind: "404", Body: "xml"}, {Kind: FaultLost, Body: BodyJSON}, {Kind: "nonsense"}, {Kind: FaultError}, {Kind: "429", RetryAfter: -1}, {Kind: "slow", Delay: -1}, {Kind: "lost", Times: -1},
		{Kind: "lost", Percent: 101}, {Kind: "lost", Channel: "#nowhere"},
	} {
		if err := w.s.SetFault(f); err == nil {
			t.Errorf("%+v was taken", f)
		}
	}
}

func TestRevokedTokenWorksAgainWhenAccepted(t *testing.T) {
	w := newWebTest(t, NoLimits())
	w.s.Revoke(w.s.BotToken())
	if r := w.call("auth.test", nil); r.code() != "token_revoked" {
		t.Errorf("revoked: %s", r.raw)
	}
	w.s.Accept(w.s.BotToken())
	w.ok("auth.test", nil)
}

func TestAReinstalledAppHasAnotherTokenAndTheOldOneIsValidUntilItIsRevoked(t *testing.T) {
	w := newWebTest(t, NoLimits())
	before := w.s.BotToken()
	test := func(token string) response {
		r, err := w.do(w.request("auth.test", "", token, ""))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	after, _ := perform(t, w.s, map[string]any{"do": "reinstall"})["token"].(string)
	if after == before || test(before).code() != "" || test(after).code() != "" {
		t.Errorf("the new token is %q: %s, %s", after, test(before).raw, test(after).raw)
	}
	want(t, perform(t, w.s, map[string]any{"do": "revoke_old"}), true, "ok")
	if test(before).code() != "token_revoked" || test(after).code() != "" {
		t.Errorf("the old one: %s, the new one: %s", test(before).raw, test(after).raw)
	}
}

func TestEveryHTTPStatusCanBeTheAnswerOfAnyMethod(t *testing.T) {
	w := newWebTest(t, NoLimits())
	for status := 100; status <= 599; status++ {
		w.fault(Fault{Kind: strconv.Itoa(status), Method: "apps.connections.open", Times: 1})
		r, err := w.do(w.request("apps.connections.open", "", w.s.AppToken(), ""))
		switch {
		case status < 200 && status != 101:
			if err == nil {
				t.Errorf("%d was followed by %d", status, r.status)
			}
		case err != nil || r.status != status:
			t.Errorf("%d: got %d, %v", status, r.status, err)
		}
		if c := w.lastCall(); c.Status != status || c.Method != "apps.connections.open" {
			t.Errorf("%d: journal: %+v", status, c)
		}
	}
	w.fault(Fault{Kind: "404", Times: len(w.s.api)})
	for name := range w.s.api {
		if r := w.call(name, nil); r.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, r.status, r.raw)
		}
	}
}

func TestAStatusAnswersWithTheBodyAskedFor(t *testing.T) {
	w := newWebTest(t, NoLimits())
	rows := []struct {
		fault             Fault
		kind, retry, code string
		body              string
	}{
		{Fault{Kind: "404"}, "text/html; charset=utf-8", "", "", "<!DOCTYPE html>"},
		{Fault{Kind: "503", Body: BodyEmpty, RetryAfter: 9}, "", "9", "", ""},
		{Fault{Kind: "429", Body: BodyHTML}, "text/html; charset=utf-8", "", "", "<!DOCTYPE html>"},
		{Fault{Kind: "500", Body: BodyJSON, Error: "fatal_error"}, "application/json; charset=utf-8", "", "fatal_error", `{"error":"fatal_error","ok":false}`},
		{Fault{Kind: "200", Body: BodyJSON}, "application/json; charset=utf-8", "", "", `{"ok":true}`},
	}
	for _, row := range rows {
		w.s.ClearFaults()
		w.fault(row.fault)
		r := w.call("chat.postMessage", form{"channel": "C0OPS", "text": "x"})
		if r.header.Get("Content-Type") != row.kind || r.header.Get("Retry-After") != row.retry {
			t.Errorf("%+v: header is %v", row.fault, r.header)
		}
		if !strings.HasPrefix(r.raw, row.body) || row.body == "" && r.raw != "" || r.code() != row.code {
			t.Errorf("%+v: body is %q", row.fault, r.raw)
		}
	}
	if n := len(w.s.Messages("#ops")); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
}
