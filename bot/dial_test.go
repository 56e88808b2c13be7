package bot

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/slack-go/slack"

	"tocsin/playground"
	"tocsin/render"
)

// startTLS starts a server whose certificate only its own client trusts.
func startTLS(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// behindTLS puts a TLS server in front of a playground, whose sockets then have
// wss addresses.
func behindTLS(t testing.TB, slack *playground.Server) *httptest.Server {
	t.Helper()
	target, err := url.Parse(slack.URL())
	if err != nil {
		t.Fatal(err)
	}
	var front *httptest.Server
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog: log.New(io.Discard, "", 0),
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode != http.StatusOK {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			text := strings.ReplaceAll(string(body), "ws://"+target.Host, strings.Replace(front.URL, "https", "wss", 1))
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			r.Header.Set("Content-Length", strconv.Itoa(len(text)))
			return err
		},
	}
	front = httptest.NewUnstartedServer(proxy)
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.StartTLS()
	t.Cleanup(front.Close)
	return front
}

// relay is the far end of a CONNECT.
func relay(w http.ResponseWriter, addr string) {
	to, err := net.Dial("tcp", addr)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer func() { _ = to.Close() }()
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(from, "HTTP/1.1 200 Connection established\r\n\r\n")
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	})
	_, _ = io.Copy(from, to)
	_ = from.Close()
	both.Wait()
}

func cardOf(text string) render.Message { return render.Message{Text: text} }

func homeOf(text string) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewSectionBlock(slack.NewTextBlockObject(slack.PlainTextType, text, false, false), nil, nil)}}}
}

func dialogOf(block string) slack.ModalViewRequest {
	text := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
	}
	input := slack.NewInputBlock(block, text("Why"), nil, slack.NewPlainTextInputBlockElement(nil, "text"))
	return slack.ModalViewRequest{Type: slack.VTModal, CallbackID: "silence", Title: text("Silence"), Submit: text("Save"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{input}}}
}

func buttonOf(action, value string) render.Message {
	label := slack.NewTextBlockObject(slack.PlainTextType, "Ack", false, false)
	return render.Message{Text: "a button", Blocks: []slack.Block{slack.NewActionBlock("b1", slack.NewButtonBlockElement(action, value, label))}}
}

func userOf(t *testing.T, s *playground.Server, name string) playground.User {
	t.Helper()
	for _, u := range s.Users() {
		if u.Name == name {
			return u
		}
	}
	t.Fatalf("nobody is %s", name)
	return playground.User{}
}

func idOf(t *testing.T, s *playground.Server, name string) string { return userOf(t, s, name).ID }

func mailOf(t *testing.T, s *playground.Server, name string) string {
	return userOf(t, s, name).Email
}

func idOfChannel(t *testing.T, s *playground.Server, name string) string {
	t.Helper()
	for _, c := range s.Channels() {
		if "#"+c.Name == name {
			return c.ID
		}
	}
	t.Fatalf("there is no %s", name)
	return ""
}
