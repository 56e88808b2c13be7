package playground

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// The signature is verified by the client's own library where a daemon receives the requests.
func TestWithARequestURLWhatPeopleDoIsPosted(t *testing.T) {
	type post struct{ path, body, retry string }
	posts, answers := make(chan post, 10), make(chan func(http.ResponseWriter), 10)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		posts <- post{r.URL.Path, string(body), r.Header.Get("X-Slack-Retry-Num")}
		if len(r.Header.Get("X-Slack-Signature")) != len("v0=")+64 || r.Header.Get("X-Slack-Request-Timestamp") == "" {
			t.Errorf("the request is not signed: %v", r.Header)
		}
		(<-answers)(w)
	}))
	t.Cleanup(app.Close)
	refuse := func(w http.ResponseWriter) { http.Error(w, "no", http.StatusUnauthorized) }
	say := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) }
	}
	opts := patient()
	opts.RequestURL, opts.RetryScale = app.URL+"/", 1e-9
	s := startPlayground(t, opts)
	ann := s.User("ann")

	answers <- say(`{"text":"for you"}`)
	run, err := ann.Command(t.Context(), "#ops", "/notify", "list & more")
	if err != nil || !run.Acked || !slices.ContainsFunc(s.Ephemerals("ann", "#ops"), func(m Message) bool { return m.Text == "for you" }) {
		t.Errorf("the command got %+v, %v", run, err)
	}
	got := <-posts
	if form, err := url.ParseQuery(got.body); got.path != "/slack/commands" || err != nil || form.Get("command") != "/notify" || form.Get("text") != "list & more" || form.Get("response_url") == "" {
		t.Errorf("the command was posted as %+v", got)
	}

	answers <- refuse
	if run, err = ann.Command(t.Context(), "#ops", "/notify", "list"); err != nil || run.Acked || run.Err != ErrDispatch {
		t.Errorf("a command that was refused got %+v, %v", run, err)
	}
	<-posts

	answers <- refuse
	answers <- say("")
	if err := ann.OpenHome(); err != nil {
		t.Fatal(err)
	}
	for n, retry := range []string{"", "1"} {
		if got = <-posts; got.path != "/slack/events" || !strings.Contains(got.body, `"app_home_opened"`) || got.retry != retry {
			t.Errorf("attempt %d of the event was posted as %+v", n, got)
		}
	}
	await(t, s, KindAcked, 2)
}
