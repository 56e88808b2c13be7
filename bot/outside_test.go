package bot

import (
	"testing"

	"tocsin/playground"
)

func TestWhoIsFromAnotherWorkspaceIsKnownByEveryMarkThatSlackSends(t *testing.T) {
	self := Identity{UserID: "U0BOT", TeamID: "T1", EnterpriseID: "E1"}
	message := func(marks string) string {
		return `{"type":"event_callback","team_id":"T1","event":{"type":"app_mention","user":"U1","channel":"C1","text":"hi","ts":"1.1"` + marks + `}}`
	}
	click := func(user string) string {
		return `{"type":"block_actions","user":{"id":"U1"` + user + `},"team":{"id":"T1"},"actions":[{"action_id":"ack","value":"k7f2"}]}`
	}
	dialog := func(user string) string {
		return `{"type":"view_submission","user":{"id":"U1"` + user + `},"team":{"id":"T1"},"view":{"id":"V1","callback_id":"note"}}`
	}
	command := func(marks string) string { return `{"command":"/notify","user_id":"U1"` + marks + `}` }
	for _, c := range []struct {
		name, payload, want string
		self                Identity
	}{
		{"no mark", message(""), "", self},
		{"our people", message(`,"user_team":"T1","source_team":"T1"`), "", self},
		{"our enterprise", message(`,"user_team":"E1","source_team":"T1"`), "", self},
		{"another user_team", message(`,"user_team":"T2","source_team":"T1"`), "T2", self},
		{"another source_team", message(`,"source_team":"T2"`), "T2", self},
		{"our click", click(`,"team_id":"T1"`), "", self},
		{"another's click", click(`,"team_id":"T2"`), "T2", self},
		{"our click before auth.test", click(`,"team_id":"T1"`), "", Identity{}},
		{"another's click before auth.test", click(`,"team_id":"T2"`), "T2", Identity{}},
		{"our dialog", dialog(`,"team_id":"E1"`), "", self},
		{"another's dialog", dialog(`,"team_id":"T2"`), "T2", self},
		{"our command", command(`,"team_id":"T1"`), "", self},
		{"another workspace of our enterprise", command(`,"team_id":"T3","enterprise_id":"E1"`), "", self},
		{"another's command", command(`,"team_id":"T2"`), "T2", self},
		{"another's command in our channel", command(`,"team_id":"T1","user_team":"T2"`), "T2", self},
	} {
		if got := outsideOf(t, c.payload, c.self); got != c.want {
			t.Errorf("%s: outside is %q, want %q", c.name, got, c.want)
		}
	}
}

// outsideOf decodes a payload of any kind.
func outsideOf(t *testing.T, payload string, self Identity) string {
	t.Helper()
	event, err := decodeEvent([]byte(payload), self)
	if err == nil && event.message != nil {
		return event.message.Outside
	}
	i, err := decodeInteraction([]byte(payload), self)
	switch {
	case err != nil:
		t.Fatal(err)
	case len(i.actions) > 0:
		return i.actions[0].Outside
	case i.submission != nil:
		return i.submission.Outside
	}
	c, err := decodeCommand([]byte(payload), self)
	if err != nil {
		t.Fatal(err)
	}
	return c.Outside
}

func TestACommandIsHandledOnlyOnceItIsKnownWhoIsFromAnotherWorkspace(t *testing.T) {
	s := connect(t, playground.Options{}, nil)
	s.log.await(t, "slack connection is up", 2)
	s.slack.AddUser(playground.User{Name: "eve", TeamID: "T0OTHER"})
	if err := s.slack.SetFault(playground.Fault{Kind: "503", Method: "auth.test", Times: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.slack.User("eve").Command(t.Context(), "#alerts", "/notify-test", ""); err != nil {
		t.Fatal(err)
	}
	if c := next(t, s.heard.commands); c.Outside != "T0OTHER" {
		t.Errorf("the command came from %+v, want another workspace", c.Caller)
	}
}
