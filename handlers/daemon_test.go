package handlers_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/engine"
	"tocsin/handlers"
	"tocsin/outbox"
	"tocsin/playground"
	"tocsin/store"
	"tocsin/store/storetest"
)

// daemon is the whole program without its HTTP API, with a playground for a Slack.
type daemon struct {
	slack  *playground.Server
	db     *store.DB
	engine *engine.Engine
	may    handlers.Permissions
	routes []alert.Route
	stop   func()
}

// patience bounds how long a test waits for something that happens.
const patience = 15 * time.Second

// newDaemon starts a daemon; change may alter it before.
func newDaemon(t *testing.T, change ...func(*daemon)) *daemon {
	t.Helper()
	commands := []playground.Command{{Command: "/notify-test", ShouldEscape: true}, {Command: "/notify", ShouldEscape: true}}
	slack, err := playground.New(playground.Options{Limits: playground.NoLimits(), Commands: commands})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = slack.Close() })
	path := filepath.Join(t.TempDir(), "tocsin.db")
	storetest.Empty(t, path)
	db, err := store.Open(t.Context(), "sqlite:"+path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r := &daemon{slack: slack, db: db}
	for _, f := range change {
		f(r)
	}
	r.start(t)
	return r
}

// start wires everything as the program does and waits for the connection.
func (r *daemon) start(t *testing.T) {
	t.Helper()
	client := bot.New(bot.Options{APIURL: r.slack.APIURL(), Tokens: func() (app, bot alert.Secret) {
		return alert.Secret(r.slack.AppToken()), alert.Secret(r.slack.BotToken())
	}})
	out := outbox.New(r.db, client, outbox.Options{})
	routing := alert.Routing{Default: "#alerts", Routes: r.routes}
	r.engine = engine.New(r.db, engine.Options{Routing: routing, Wake: out.Wake})
	var socket *bot.Socket
	people := handlers.New(handlers.Options{
		Engine: r.engine, Store: r.db, Slack: client,
		Permissions: r.may, Routing: routing,
		Health: func() alert.Health {
			h := out.Health()
			h.Connections, h.ConnectedSince = 2, socket.Status().Since
			return h
		},
		Server: "http://127.0.0.1:8126", DefaultChannel: "#alerts", Version: "test", Wait: 3 * time.Second,
	})
	socket = bot.NewSocket(client, r.db, people)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{r.engine.Run, out.Run, socket.Run, people.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	r.stop = sync.OnceFunc(func() {
		stop()
		running.Wait()
	})
	t.Cleanup(r.stop)
	if err := client.Probe(ctx); err != nil {
		t.Fatal(err)
	}
	r.until(t, "a connection", func(s *playground.Snapshot) bool { return len(s.Sockets()) > 0 })
}

// until waits for something to be true of the playground.
func (r *daemon) until(t *testing.T, what string, done func(*playground.Snapshot) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.slack.Wait(ctx, done); err != nil {
		for _, e := range r.slack.Journal() {
			if e.Call != nil && e.Call.Error != "" {
				t.Logf("%s: %s: %s", e.Call.Method, e.Call.Error, e.Call.Answer)
			}
		}
		t.Fatalf("%s: %v", what, err)
	}
}

func (r *daemon) whisper(t *testing.T, user, channel, want string) {
	t.Helper()
	r.until(t, "only "+user+" sees "+want, func(s *playground.Snapshot) bool {
		for _, m := range s.Ephemerals(user, channel) {
			if strings.Contains(shown(m), want) {
				return true
			}
		}
		return false
	})
}

// shown is all that a message shows, as JSON and text.
func shown(m playground.Message) string {
	return m.Text + string(m.Blocks) + string(m.Attachments)
}

// answers lists what the bot wrote to somebody.
func answers(messages []playground.Message) []playground.Message {
	var all []playground.Message
	for _, m := range messages {
		if m.BotID != "" {
			all = append(all, m)
		}
	}
	return all
}

// dm waits for the bot's nth answer in a person's Messages tab.
func (r *daemon) dm(t *testing.T, user string, nth int) playground.Message {
	t.Helper()
	var got playground.Message
	r.until(t, "an answer to "+user, func(s *playground.Snapshot) bool {
		all := answers(s.Messages("@" + user))
		if len(all) >= nth {
			got = all[nth-1]
		}
		return len(all) >= nth
	})
	return got
}

func TestNotifyTestPostsACardAndTellsTheCallerPrivately(t *testing.T) {
	r := newDaemon(t)
	ann := r.slack.User("ann")
	for _, c := range []struct{ text, channel, sign string }{
		{"", "#alerts", "🔵"}, {"#ops critical", "#ops", "🔴"}, {"warning #ops", "#ops", "🟡"}, {"@ann error", "@ann", "🟠"},
	} {
		if _, err := ann.Command(t.Context(), "#random", "/notify-test", c.text); err != nil {
			t.Fatal(err)
		}
		r.until(t, "the card in "+c.channel, func(s *playground.Snapshot) bool {
			for _, m := range answers(s.Messages(c.channel)) {
				if strings.Contains(shown(m), c.sign) {
					return true
				}
			}
			return false
		})
	}
	r.until(t, "four private answers", func(s *playground.Snapshot) bool { return len(s.Ephemerals("ann", "#random")) == 4 })
	for _, m := range r.slack.Ephemerals("ann", "#random") {
		for _, want := range []string{"Your test alert is in", "|Open it>", "accepted", "queued", "Slack", "total"} {
			if !strings.Contains(m.Text, want) {
				t.Errorf("the answer %q lacks %q", m.Text, want)
			}
		}
	}
}

func TestNotifyTestSuggestsTheSeverityThatWasMeant(t *testing.T) {
	r := newDaemon(t)
	if _, err := r.slack.User("ann").Command(t.Context(), "#random", "/notify-test", "#ops warnign"); err != nil {
		t.Fatal(err)
	}
	r.whisper(t, "ann", "#random", "Did you mean warning?")
}

func TestNotifyTestSaysThatItStillWaitsAndWhy(t *testing.T) {
	r := newDaemon(t)
	if err := r.slack.SetFault(playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", RetryAfter: 60}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.slack.User("ann").Command(t.Context(), "#random", "/notify-test", "#ops"); err != nil {
		t.Fatal(err)
	}
	r.whisper(t, "ann", "#random", "still waiting to go to <#C0OPS>")
}

func TestNotifyHelpStatusAndNearMisses(t *testing.T) {
	r := newDaemon(t)
	for text, want := range map[string]string{
		"help": "/notify-test [channel] [severity]", "": "/notify-test [channel] [severity]", "status": "Delivery works", "Status": "0 accepted",
		"stauts": "Did you mean `/notify status`?", "dance": "`/notify help` lists",
	} {
		if _, err := r.slack.User("ann").Command(t.Context(), "#random", "/notify", text); err != nil {
			t.Fatal(err)
		}
		r.whisper(t, "ann", "#random", want)
	}
}

func TestADirectMessageIsAlwaysAnswered(t *testing.T) {
	r := newDaemon(t)
	ann := r.slack.User("ann")
	for nth, c := range []struct{ text, want string }{
		{"help", "`test [channel] [severity]`"}, {"status", "Delivery works"}, {"hello!", "I bring alerts"}, {"test #ops error", "Your test alert is in"},
		{"staus", "Did you mean `status`?"}, {"what is this?", "`help` lists what I can do"}, {"<!channel> *_~`", "lists what I can do"},
	} {
		if _, err := ann.DM(c.text); err != nil {
			t.Fatal(err)
		}
		if m := r.dm(t, "ann", nth+1); !strings.Contains(m.Text, c.want) || m.ThreadTS != "" {
			t.Errorf("%q is answered with %q", c.text, m.Text)
		}
	}
	if n := len(answers(r.slack.Messages("@ann"))); n != 7 {
		t.Errorf("%d answers to 7 messages", n)
	}
}

func TestADirectMessageWithoutWordsIsAnswered(t *testing.T) {
	r := newDaemon(t)
	ann := r.slack.User("ann")
	if _, err := ann.DMFile("photo.png", "", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if m := r.dm(t, "ann", 1); !strings.Contains(m.Text, "can only read text") {
		t.Errorf("a file is answered with %q", m.Text)
	}
	if _, err := ann.DM("\u00a0 "); err != nil {
		t.Fatal(err)
	}
	if m := r.dm(t, "ann", 2); !strings.Contains(m.Text, "can only read text") {
		t.Errorf("an empty message is answered with %q", m.Text)
	}
}

func TestAThreadedMessageIsAnsweredInItsThread(t *testing.T) {
	r := newDaemon(t)
	ann := r.slack.User("ann")
	parent, err := ann.DM("help")
	if err != nil {
		t.Fatal(err)
	}
	r.dm(t, "ann", 1)
	if _, err := ann.Reply("@ann", parent, "status"); err != nil {
		t.Fatal(err)
	}
	if m := r.dm(t, "ann", 2); m.ThreadTS != parent {
		t.Errorf("answered in thread %q, want %q", m.ThreadTS, parent)
	}
}

func TestAMentionIsAnsweredInTheThreadBelowIt(t *testing.T) {
	r := newDaemon(t)
	if err := r.slack.Invite("#ops"); err != nil {
		t.Fatal(err)
	}
	ts, err := r.slack.User("ann").Say("#ops", "@tocsin status please")
	if err != nil {
		t.Fatal(err)
	}
	r.until(t, "an answer", func(s *playground.Snapshot) bool { return len(answers(s.Messages("#ops"))) == 1 })
	if m := answers(r.slack.Messages("#ops"))[0]; m.ThreadTS != ts || !strings.Contains(m.Text, "Delivery works") {
		t.Errorf("answered in %q with %q", m.ThreadTS, m.Text)
	}
}

func TestARedeliveredMessageIsAnsweredOnce(t *testing.T) {
	r := newDaemon(t)
	ann := r.slack.User("ann")
	if _, err := ann.DM("help"); err != nil {
		t.Fatal(err)
	}
	r.dm(t, "ann", 1)
	for _, how := range []playground.Redelivery{playground.RedeliverSame, playground.RedeliverRetry} {
		if err := r.slack.Redeliver(r.event(t), how); err != nil {
			t.Fatal(err)
		}
	}
	// A message that comes behind them is answered behind them.
	if _, err := ann.DM("status"); err != nil {
		t.Fatal(err)
	}
	if m := r.dm(t, "ann", 2); !strings.Contains(m.Text, "Delivery works") {
		t.Errorf("the second answer is %q", m.Text)
	}
	if n := len(answers(r.slack.Messages("@ann"))); n != 2 {
		t.Errorf("%d answers to 2 messages", n)
	}
}

// event is the id of the first message event.
func (r *daemon) event(t *testing.T) string {
	t.Helper()
	for _, e := range r.slack.Journal() {
		if e.Event != "" && e.Type == playground.TypeEvents && strings.HasPrefix(e.Text, "message") {
			return e.Event
		}
	}
	t.Fatal("no message event in the journal")
	return ""
}

func TestTheBotNeverAnswersItself(t *testing.T) {
	r := newDaemon(t)
	ann := r.slack.User("ann")
	if _, err := ann.Command(t.Context(), "#random", "/notify-test", "@ann"); err != nil {
		t.Fatal(err)
	}
	r.whisper(t, "ann", "#random", "Your test alert is in")
	if _, err := ann.DM("help"); err != nil {
		t.Fatal(err)
	}
	r.dm(t, "ann", 2)
	if n := len(r.slack.Messages("@ann")); n != 3 {
		t.Errorf("%d messages, want the card, the question and its answer", n)
	}
}

func TestTheHomeIsPublishedOnceWhileNothingChanges(t *testing.T) {
	r := newDaemon(t)
	ann := r.slack.User("ann")
	open := func(publishes int) {
		t.Helper()
		if err := ann.OpenHome(); err != nil {
			t.Fatal(err)
		}
		r.until(t, "the Home", func(s *playground.Snapshot) bool { return s.CallCount("views.publish") >= publishes })
	}
	open(1)
	view, _ := ann.Home()
	for _, want := range []string{"All quiet", "nothing is waiting", "http://127.0.0.1:8126/v1/alerts", "tocsin send", "Send a test alert…", "Refresh"} {
		if !strings.Contains(string(view.Blocks), want) {
			t.Errorf("the Home lacks %q", want)
		}
	}
	open(1)
	if _, err := ann.Click(t.Context(), playground.AtHome(), "home_refresh"); err != nil {
		t.Fatal(err)
	}
	open(2)
	if n := len(r.slack.Calls()); n == 0 {
		t.Error("no calls")
	}
}

func TestTheHomesTestDialogShowsErrorsAndThenSends(t *testing.T) {
	r := newDaemon(t)
	ann := r.slack.User("ann")
	if err := ann.OpenHome(); err != nil {
		t.Fatal(err)
	}
	r.until(t, "the Home", func(s *playground.Snapshot) bool { _, ok := s.Home("ann"); return ok })
	if _, err := ann.Click(t.Context(), playground.AtHome(), "home_test"); err != nil {
		t.Fatal(err)
	}
	r.until(t, "the dialog", func(s *playground.Snapshot) bool { _, ok := s.Modal("ann"); return ok })
	fill := func(channel, title string) *playground.SubmitResult {
		t.Helper()
		got, err := ann.Submit(t.Context(), map[string]map[string]any{
			"channel": {"channel": channel}, "title": {"title": title}, "severity": {"severity": "critical"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := fill("not a channel", strings.Repeat("x", 151))
	if got.Closed || !strings.Contains(got.Errors["channel"], "one conversation") || !strings.Contains(got.Errors["title"], "151 characters") {
		t.Fatalf("a wrong dialog is answered with %+v", got)
	}
	if got = fill("#ops", "it works & <b>"); !got.Closed || len(got.Errors) > 0 {
		t.Fatalf("a right dialog is answered with %+v", got)
	}
	r.until(t, "the card", func(s *playground.Snapshot) bool {
		all := answers(s.Messages("#ops"))
		return len(all) == 1 && strings.Contains(shown(all[0]), "it works &amp; &lt;b&gt;")
	})
	if m := r.dm(t, "ann", 1); !strings.Contains(m.Text, "Your test alert is in") {
		t.Errorf("the person is told %q", m.Text)
	}
}

func TestAClickOnALinkNeedsNoAnswerAndAnUnknownButtonGetsOne(t *testing.T) {
	r := newDaemon(t)
	if _, err := r.engine.Push(t.Context(), []alert.Alert{{Title: "disk full", Channel: "#ops", Links: []alert.Link{{Label: "Runbook", URL: "https://wiki.example/"}}}}); err != nil {
		t.Fatal(err)
	}
	r.until(t, "the card", func(s *playground.Snapshot) bool { return s.MessageCount("#ops") == 1 })
	card := r.slack.Messages("#ops")[0]
	ann := r.slack.User("ann")
	got, err := ann.Click(t.Context(), playground.AtMessage("#ops", card.TS), "open_link:0")
	if err != nil || !got.Acked {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := ann.DM("help"); err != nil {
		t.Fatal(err)
	}
	r.dm(t, "ann", 1)
	if n := len(r.slack.Ephemerals("ann", "#ops")); n != 0 {
		t.Errorf("%d answers to a click on a link", n)
	}
}
