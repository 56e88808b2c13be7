package bot

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"tocsin/alert"
	"tocsin/playground"
)

const testToken = "xoxb-1-secret"

// against returns a bot that talks to a bare server, for what Slack would not do.
func against(t *testing.T, handler http.HandlerFunc) (*Bot, *logBook) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return pointedAt(t, server.URL+"/api")
}

func pointedAt(t *testing.T, url string) (*Bot, *logBook) {
	t.Helper()
	book := &logBook{}
	b := New(Options{APIURL: url, Timeout: patience, Log: book.logger(),
		Tokens: func() (app, bot alert.Secret) { return "xapp-1-secret", testToken }})
	t.Cleanup(b.http.CloseIdleConnections)
	return b, book
}

func answering(status int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func aPost() alert.Job {
	return alert.Job{Delivery: alert.Delivery{ID: "d1", Lane: "#ops", Kind: alert.Post}, Incident: alert.Incident{ID: "k7f2", Title: "disk full", Version: 3}}
}

func TestEachAnswerToAPostHasItsClass(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		class   alert.Class
		code    string
		after   time.Duration
		hint    string
	}{
		{"429", answering(429, "Retry-After: 7", `{"ok":false,"error":"ratelimited"}`), alert.ClassThrottled, "ratelimited", 7 * time.Second, ""},
		{"429 without a time", answering(429, "", ""), alert.ClassThrottled, "ratelimited", time.Second, ""},
		{"429 with an odd time", answering(429, "Retry-After: later", "<html>"), alert.ClassThrottled, "ratelimited", time.Second, ""},
		{"ratelimited in a 200", answering(200, "Retry-After: 3", `{"ok":false,"error":"ratelimited"}`), alert.ClassThrottled, "ratelimited", 3 * time.Second, ""},
		{"rate_limited in a 200", answering(200, "", `{"ok":false,"error":"rate_limited"}`), alert.ClassThrottled, "rate_limited", time.Second, ""},
		{"the workspace is full", answering(200, "", `{"ok":false,"error":"message_limit_exceeded"}`), alert.ClassThrottled, "message_limit_exceeded", volumePause, ""},
		{"500", answering(500, "", "<html>"), alert.ClassUnsure, "http_500", 0, ""},
		{"503", answering(503, "Retry-After: 9", ""), alert.ClassUnsure, "http_503", 0, ""},
		{"404", answering(404, "", "<html>"), alert.ClassTransient, "http_404", 0, "SLACK_API_URL"},
		{"a portal's redirect", answering(302, "Location: https://portal.example/", ""), alert.ClassTransient, "http_302", 0, "proxy"},
		{"a portal's page", answering(200, "", "<html>log in</html>"), alert.ClassUnsure, "bad_answer", 0, "proxy"},
		{"an empty object", answering(200, "", "{}"), alert.ClassUnsure, "bad_answer", 0, ""},
		{"ok without a ts", answering(200, "", `{"ok":true,"channel":"C1"}`), alert.ClassUnsure, "bad_answer", 0, ""},
		{"not in the channel", answering(200, "", `{"ok":false,"error":"not_in_channel"}`), alert.ClassDestination, "not_in_channel", 0, "in #ops, type: /invite @tocsin"},
		{"a missing scope", answering(200, "", `{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"commands"}`), alert.ClassAuth, "missing_scope", 0, "chat:write"},
		{"a wrong token", answering(200, "", `{"ok":false,"error":"invalid_auth"}`), alert.ClassAuth, "invalid_auth", 0, "SLACK_BOT_TOKEN"},
		{"bad blocks", answering(200, "", `{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] too long [json-pointer:/blocks/0]"]}}`), alert.ClassPayload, "invalid_blocks", 0, ""},
		{"half applied", answering(200, "", `{"ok":false,"error":"fatal_error"}`), alert.ClassUnsure, "fatal_error", 0, ""},
		{"a new code", answering(200, "", `{"ok":false,"error":"moon_phase"}`), alert.ClassUnknown, "moon_phase", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := against(t, c.handler)
			_, err := b.Send(t.Context(), aPost())
			e := sendErrorOf(t, err)
			if e.Class != c.class || e.Code != c.code || e.RetryAfter != c.after || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("got %s %s %s %q", e.Class, e.Code, e.RetryAfter, e.Hint)
			}
			if strings.Contains(err.Error(), testToken) {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

func TestAnOddShapeInAnAnswerDoesNotHideThatItWasPosted(t *testing.T) {
	b, _ := against(t, answering(200, "", `{"ok":true,"channel":"C1","ts":"1.2","message":{"blocks":[{"type":"header","text":7}]},"response_metadata":7}`))
	sent, err := b.Send(t.Context(), aPost())
	if err != nil || sent != (alert.Sent{Conversation: "C1", TS: "1.2", Version: 3}) {
		t.Errorf("got %+v, %v", sent, err)
	}
}

func TestNoAnswerIsUnsureOnlyWhenTheRequestHadBeenWritten(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	tlsOnly := startTLS(t)
	silent := make(chan bool)
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(silent) })
	dropping := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(dropping.Close)
	for _, c := range []struct {
		name, url string
		class     alert.Class
		code      string
	}{
		{"nobody listens", "http://" + free.Addr().String(), alert.ClassTransient, "unreachable"},
		{"no such host", "http://slack.invalid", alert.ClassTransient, "unreachable"},
		{"a certificate that nobody vouches for", tlsOnly.URL, alert.ClassTransient, "unreachable"},
		{"it never answers", hanging.URL, alert.ClassUnsure, "timeout"},
		{"it drops the connection", dropping.URL, alert.ClassUnsure, "no_answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := pointedAt(t, c.url)
			if c.code == "timeout" {
				b.http.Timeout = 300 * time.Millisecond
			}
			_, err := b.Send(t.Context(), aPost())
			e := sendErrorOf(t, err)
			if e.Class != c.class || e.Code != c.code {
				t.Errorf("got %s %s: %v", e.Class, e.Code, err)
			}
			if strings.Contains(err.Error(), "chat.postMessage\"") || strings.Contains(err.Error(), testToken) {
				t.Errorf("the error says too much: %v", err)
			}
		})
	}
}

func TestWithoutATokenNobodyIsCalled(t *testing.T) {
	b := New(Options{APIURL: "http://127.0.0.1:1/"})
	e := sendErrorOf(t, b.Probe(t.Context()))
	if e.Class != alert.ClassAuth || e.Code != "not_authed" || !strings.Contains(e.Hint, "SLACK_BOT_TOKEN") {
		t.Errorf("got %+v", e)
	}
}

func TestALookupThatFailedWasNeverAPost(t *testing.T) {
	for body, want := range map[string]alert.Class{
		`{"ok":false,"error":"internal_error"}`:                                  alert.ClassTransient,
		`{"ok":false,"error":"missing_scope","needed":"users:read.email"}`:       alert.ClassDestination,
		`{"ok":false,"error":"users_not_found"}`:                                 alert.ClassDestination,
		`{"ok":false,"error":"invalid_auth"}`:                                    alert.ClassAuth,
		`{"ok":true,"user":{}}`:                                                  alert.ClassDestination,
		`{"ok":false,"error":"ratelimited","response_metadata":{"messages":[]}}`: alert.ClassThrottled,
	} {
		b, _ := against(t, answering(200, "", body))
		job := aPost()
		job.Lane = "ann@example.com"
		_, err := b.Send(t.Context(), job)
		if e := sendErrorOf(t, err); e.Class != want {
			t.Errorf("%s: %s", body, e.Class)
		}
	}
}

func TestPeopleAreFoundByNameOnce(t *testing.T) {
	pages := map[string]string{
		"":   `{"ok":true,"members":[{"id":"U0GONE","name":"bob","deleted":true},{"id":"U0ANN","name":"ann"}],"response_metadata":{"next_cursor":"c2"}}`,
		"c2": `{"ok":true,"members":[{"id":"U0BOB","name":"robert","profile":{"display_name":"Bob"}}]}`,
	}
	lists, posted := 0, ""
	b, _ := against(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "users.list") {
			lists++
			_, _ = w.Write([]byte(pages[r.FormValue("cursor")]))
			return
		}
		posted = r.FormValue("channel")
		_, _ = w.Write([]byte(`{"ok":true,"channel":"D0BOB","ts":"1.2"}`))
	})
	for range 2 {
		job := aPost()
		job.Lane = "@bob"
		sent, err := b.Send(t.Context(), job)
		if err != nil || sent.Conversation != "D0BOB" || posted != "U0BOB" {
			t.Fatalf("sent %+v to %s, %v", sent, posted, err)
		}
	}
	if lists != 2 {
		t.Errorf("the list was read %d times", lists)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	c := newCache[string](idTTL, time.Now)
	for i := range 3 * cacheSize {
		_, _ = c.get(strings.Repeat("x", i), func() (string, error) { return "U1", nil })
	}
	if len(c.all) != cacheSize {
		t.Errorf("%d remembered", len(c.all))
	}
}

func TestEveryWayToAPersonIsTried(t *testing.T) {
	var asked []string
	b, book := against(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		switch r.URL.Path {
		case "/api/chat.postMessage":
			_, _ = w.Write([]byte(`{"ok":true,"channel":"D1","ts":"1.2"}`))
		case "/api/chat.postEphemeral":
			_, _ = w.Write([]byte(`{"ok":false,"error":"user_not_in_channel"}`))
		default:
			w.WriteHeader(404)
			_, _ = w.Write([]byte(`{"ok":false,"error":"used_url"}`))
		}
	})
	to := Caller{User: "U1", Channel: "C1", ResponseURL: alert.Secret(strings.TrimSuffix(b.opts.APIURL, "api/") + "hooks/secret")}
	if err := b.Respond(t.Context(), to, cardOf("hello")); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(asked, " "); got != "/hooks/secret /api/chat.postEphemeral /api/chat.postMessage" {
		t.Errorf("asked %s", got)
	}
	to.ResponseURL = "http://127.0.0.1:1/hooks/secret"
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Respond(ctx, to, cardOf("hello")); err == nil || strings.Contains(err.Error()+book.text(), "hooks/secret") {
		t.Errorf("error: %v, log: %s", err, book.text())
	}
}

func TestAnErrorAboutAChangedScreenIsErrStale(t *testing.T) {
	b, _ := against(t, answering(200, "", `{"ok":false,"error":"hash_conflict"}`))
	if _, err := b.PublishHome(t.Context(), "U1", homeOf("x"), "old"); !errors.Is(err, ErrStale) {
		t.Errorf("got %v", err)
	}
}

// throughProxy is a dialer that trusts a server and goes through a proxy, if via
// is not empty.
func throughProxy(t *testing.T, trust *tls.Config, via string) websocket.Dialer {
	t.Helper()
	dialer := newDialer(nil)
	dialer.TLSClientConfig = trust
	if via == "" {
		dialer.Proxy = http.ProxyURL(nil)
		return dialer
	}
	u, err := url.Parse(via)
	if err != nil {
		t.Fatal(err)
	}
	dialer.Proxy = http.ProxyURL(u)
	return dialer
}

func TestSlackIsReachedOverTLSAlsoThroughAProxy(t *testing.T) {
	asked := make(chan *http.Request, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		relay(w, r.Host)
	}))
	t.Cleanup(proxy.Close)
	slack := startSlack(t, playground.Options{})
	front := behindTLS(t, slack)
	b := newBot(t, slack, &logBook{})
	b.opts.APIURL, b.http.Transport = front.URL+"/api/", front.Client().Transport
	trust := front.Client().Transport.(*http.Transport).TLSClientConfig
	for name, via := range map[string]string{"direct": "", "proxy": strings.Replace(proxy.URL, "://", "://me:pw@", 1)} {
		t.Run(name, func(t *testing.T) {
			address, err := b.socketURL(t.Context(), app(b))
			if err != nil || !strings.HasPrefix(address, "wss://") {
				t.Fatal(address, err)
			}
			ws, err := dial(t.Context(), throughProxy(t, trust, via), address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ws.Close() }()
			if _, hello, err := ws.ReadMessage(); err != nil || !strings.Contains(string(hello), "hello") {
				t.Errorf("read %s, %v", hello, err)
			}
			if via != "" {
				if r := next(t, asked); r.Method != "CONNECT" || r.Header.Get("Proxy-Authorization") != "Basic bWU6cHc=" {
					t.Errorf("asked %s %v", r.Method, r.Header)
				}
			}
		})
	}
}

func TestWhatIsWrongWithAProxyIsSaid(t *testing.T) {
	refusing := httptest.NewServer(answering(403, "", ""))
	t.Cleanup(refusing.Close)
	curt := answeringRaw(t, "HTTP/1.1 407\r\n\r\n")
	for via, want := range map[string]string{
		refusing.URL:             "Forbidden",
		"http://" + curt:         "panic",
		"https://me:pw@proxy":    "https:// is not supported",
		"http://127.0.0.1:1":     "through the proxy 127.0.0.1:1",
		"socks5h://127.0.0.1:1":  "through the proxy 127.0.0.1:1",
		"http://me:pw@127.0.0.1": "through the proxy 127.0.0.1",
	} {
		_, err := dial(t.Context(), throughProxy(t, nil, via), "wss://slack.invalid/link?ticket=1")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") || strings.Contains(err.Error(), "ticket") {
			t.Errorf("%s: %v", via, err)
		}
	}
}

// answeringRaw answers each connection with these bytes, whatever is asked.
func answeringRaw(t *testing.T, answer string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		group.Wait()
	})
	return listener.Addr().String()
}

// The environment's proxy is read once in a process, so the test starts itself.
func TestTheProxysPasswordIsInNoError(t *testing.T) {
	if os.Getenv("TOCSIN_TEST_PROXY") != "" {
		b := New(Options{APIURL: "https://slack.invalid/api/", Tokens: func() (app, bot alert.Secret) { return "xapp-1", "xoxb-1" }})
		_, open := b.socketURL(t.Context(), app(b))
		_, dialed := dial(t.Context(), newDialer(nil), "wss://slack.invalid/link")
		t.Log("errors:", b.Probe(t.Context()), open, dialed)
		return
	}
	for _, proxy := range []string{"http://ann:s3cret@127.0.0.1:1", "ftp://ann:s3cret@127.0.0.1:1", "http://ann:s3cret@127.0.0.1:80%zz", "http://ann:s3cret@%zz"} {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), "TOCSIN_TEST_PROXY=1", "HTTPS_PROXY="+proxy, "NO_PROXY=")
		out, err := child.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "errors: unreachable") || strings.Contains(string(out), "s3cret") {
			t.Errorf("%s: %v: %s", proxy, err, out)
		}
	}
}
