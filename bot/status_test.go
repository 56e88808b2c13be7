package bot

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"tocsin/alert"
	"tocsin/playground"
)

// caller calls one method of the Web API with valid arguments.
type caller func(t *testing.T, b *Bot) error

// callers has an entry for each method that the package calls, and for uploads and
// response_url.
func callers(s *playground.Server, card alert.Sent, answer alert.Secret) map[string]caller {
	edit := delivery(alert.Update, "#alerts")
	edit.Card = alert.Card{Lane: "#alerts", Conversation: card.Conversation, TS: card.TS}
	person := Caller{User: "U0ANN", Channel: card.Conversation, ResponseURL: answer}
	look := delivery(alert.Post, "#alerts")
	look.Known = card.Conversation
	thread := delivery(alert.Reply, "#alerts")
	thread.Card = edit.Card
	second := func(_ any, err error) error { return err }
	find := func(t *testing.T, b *Bot, job alert.Job) error {
		_, _, err := b.find(t.Context(), job)
		return err
	}
	return map[string]caller{
		"apps.connections.open": func(t *testing.T, b *Bot) error { return second(b.socketURL(t.Context(), app(b))) },
		"auth.test":             func(t *testing.T, b *Bot) error { return b.Probe(t.Context()) },
		"chat.postMessage":      func(t *testing.T, b *Bot) error { return second(b.Send(t.Context(), delivery(alert.Post, "#alerts"))) },
		"chat.update":           func(t *testing.T, b *Bot) error { return second(b.Send(t.Context(), edit)) },
		"chat.postEphemeral":    func(t *testing.T, b *Bot) error { return b.postEphemeral(t.Context(), person, cardOf("hello")) },
		"chat.getPermalink":     func(t *testing.T, b *Bot) error { return second(b.Permalink(t.Context(), card.Conversation, card.TS)) },
		"conversations.join":    func(t *testing.T, b *Bot) error { return b.join(t.Context(), card.Conversation, "#alerts") },
		"conversations.info": func(t *testing.T, b *Bot) error {
			return second(b.channelInfo(t.Context(), card.Conversation, "#alerts"))
		},
		"conversations.open": func(t *testing.T, b *Bot) error { return second(b.openDM(t.Context(), "U0ANN")) },
		"conversations.list": func(t *testing.T, b *Bot) error {
			t.Helper()
			_, err := b.publicChannels(t.Context())
			return err
		},
		"conversations.history": func(t *testing.T, b *Bot) error { return find(t, b, look) },
		"conversations.replies": func(t *testing.T, b *Bot) error { return find(t, b, thread) },
		"conversations.members": func(t *testing.T, b *Bot) error { return second(b.conversationMembers(t.Context(), card.Conversation)) },
		"users.conversations":   func(t *testing.T, b *Bot) error { return second(b.findByChannelName(t.Context(), "#alerts")) },
		"users.list":            func(t *testing.T, b *Bot) error { return second(b.findByName(t.Context(), "@ann")) },
		"users.info": func(t *testing.T, b *Bot) error {
			b.profiles = newCache[profile](0, b.opts.Now)
			return second(b.Zone(t.Context(), "U0ANN"))
		},
		"users.lookupByEmail":   func(t *testing.T, b *Bot) error { return second(b.findByEmail(t.Context(), mailOf(t, s, "ann"))) },
		"usergroups.list":       func(t *testing.T, b *Bot) error { return second(b.groupHandles(t.Context())) },
		"usergroups.users.list": func(t *testing.T, b *Bot) error { return second(b.groupMembers(t.Context(), "S0NONE")) },
		"views.publish":         func(t *testing.T, b *Bot) error { return second(b.PublishHome(t.Context(), "U0ANN", homeOf("x"), "")) },
		"views.open":            func(t *testing.T, b *Bot) error { return b.OpenView(t.Context(), "1.2.trigger", dialogOf("why")) },
		"views.update":          func(t *testing.T, b *Bot) error { return b.UpdateView(t.Context(), "V1", "", dialogOf("why")) },
		"files.getUploadURLExternal": func(t *testing.T, b *Bot) error {
			return second(b.upload(t.Context(), "x", file{name: "x", content: []byte("x")}))
		},
		"upload": func(t *testing.T, b *Bot) error {
			return second(b.upload(t.Context(), "x", file{name: "x", content: []byte("x")}))
		},
		"files.completeUploadExternal": func(t *testing.T, b *Bot) error {
			return b.completeUpload(t.Context(), target{where: "x"}, slack.FileSummary{ID: "F1", Title: "x"}, "")
		},
		"response_url": func(t *testing.T, b *Bot) error { return b.respond(t.Context(), answer, cardOf("hello"), false) },
	}
}

// bodies are the bodies of the answers: a proxy's page, nothing, or JSON that says
// ok although the status does not.
var bodies = []string{playground.BodyHTML, playground.BodyEmpty, playground.BodyJSON}

func TestEveryStatusOnEveryMethodIsAnError(t *testing.T) {
	stage := connect(t, playground.Options{}, nil)
	stage.live(2)
	stage.command("")
	s, b := stage.slack, stage.bot
	card := posted(t, b, delivery(alert.Post, "#alerts"))
	for method, call := range callers(s, card, next(t, stage.heard.commands).ResponseURL) {
		t.Run(method, func(t *testing.T) {
			for status := 100; status < 600; status++ {
				body := bodies[status%len(bodies)]
				if status == http.StatusOK {
					body = playground.BodyHTML
				}
				fault := playground.Fault{Kind: strconv.Itoa(status), Method: method, Body: body, Times: 1}
				if err := s.SetFault(fault); err != nil {
					t.Fatal(err)
				}
				err := call(t, b)
				if e, ok := errors.AsType[*alert.SendError](err); (!ok || e.Class == "" || e.Code == "") && !answeredOK(method, status) {
					t.Errorf("status %d with the body %s: %v", status, body, err)
				}
				if len(s.Faults()) != 0 {
					t.Fatalf("status %d: %s was not called: %v", status, method, err)
				}
			}
		})
	}
}

// answeredOK says whether the answer is a success: an upload with 200 is, whatever
// the body.
func answeredOK(method string, status int) bool {
	return method == "upload" && status == http.StatusOK
}

func TestSocketModeSurvivesAnyStatus(t *testing.T) {
	for _, status := range []int{100, 101, 200, 302, 404, 407, 429, 503} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			s := connect(t, playground.Options{}, func(s *stage) {
				for _, body := range bodies[:2] {
					fault := playground.Fault{Kind: strconv.Itoa(status), Method: "apps.connections.open", Body: body, RetryAfter: 1, Times: 1}
					if err := s.slack.SetFault(fault); err != nil {
						s.t.Fatal(err)
					}
				}
			})
			s.live(2)
			s.command("")
			if st := s.socket.Status(); st.LastError == "" || len(st.Problems) != 0 {
				t.Errorf("status: %+v", st)
			}
		})
	}
}

func TestAnyStatusOfTheUpgradeIsSurvived(t *testing.T) {
	s := connect(t, playground.Options{}, func(s *stage) { s.slack.SetConnectFault("404") })
	s.log.await(t, "slack answered 404", 1)
	for status := 200; status < 600; status++ {
		s.slack.SetConnectFault(playground.ConnectFault(strconv.Itoa(status)))
		address, err := s.bot.socketURL(t.Context(), app(s.bot))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dial(t.Context(), s.socket.dialer, address); err == nil || !strings.Contains(err.Error(), strconv.Itoa(status)) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	s.slack.SetConnectFault(playground.ConnectOK)
	s.live(2)
	s.command("")
}

func TestTheListOfMethodsIsComplete(t *testing.T) {
	s := startSlack(t, playground.Options{})
	known := callers(s, alert.Sent{}, "")
	for _, method := range methodsCalled(t) {
		if known[method] == nil {
			t.Errorf("%s is called and not among the callers", method)
		}
	}
	if !slices.Contains(methodsCalled(t), "chat.postMessage") {
		t.Error("the source was not read")
	}
}
