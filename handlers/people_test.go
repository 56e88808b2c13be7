package handlers_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/handlers"
	"tocsin/playground"
)

// fires pushes an alert to #ops and returns its incident's id and its card.
func (r *daemon) fires(t *testing.T, title string, labels map[string]string) (id string, card playground.Message) {
	t.Helper()
	got, err := r.engine.Push(t.Context(), []alert.Alert{{Title: title, Severity: alert.Error, Channel: "#ops", Labels: labels}})
	if err != nil {
		t.Fatal(err)
	}
	id = got[0].Incident
	r.until(t, "the card of "+title, func(s *playground.Snapshot) bool {
		for _, m := range s.Messages("#ops") {
			if m.ThreadTS == "" && strings.Contains(shown(m), "`"+id+"`") {
				card = m
				return true
			}
		}
		return false
	})
	return id, card
}

// becomes waits until a message shows all of want.
func (r *daemon) becomes(t *testing.T, channel, ts string, want ...string) {
	t.Helper()
	r.until(t, fmt.Sprintf("%s shows %q", ts, want), func(s *playground.Snapshot) bool {
		for _, m := range s.Messages(channel) {
			if m.TS != ts {
				continue
			}
			for _, w := range want {
				if !strings.Contains(shown(m), w) {
					return false
				}
			}
			return true
		}
		return false
	})
}

// says waits for a reply in a card's thread.
func (r *daemon) says(t *testing.T, channel, thread, want string) {
	t.Helper()
	r.until(t, "the thread says "+want, func(s *playground.Snapshot) bool {
		for _, m := range s.Messages(channel) {
			if m.ThreadTS == thread && m.TS != thread && strings.Contains(shown(m), want) {
				return true
			}
		}
		return false
	})
}

func (r *daemon) click(t *testing.T, user string, at playground.Place, ref string) {
	t.Helper()
	got, err := r.slack.User(user).Click(t.Context(), at, ref)
	if err != nil || !got.Acked {
		t.Fatalf("%s clicks %s: %+v, %v", user, ref, got, err)
	}
}

func (r *daemon) choose(t *testing.T, user string, at playground.Place, option string) {
	t.Helper()
	got, err := r.slack.User(user).Choose(t.Context(), at, option)
	if err != nil || !got.Acked {
		t.Fatalf("%s chooses %s: %+v, %v", user, option, got, err)
	}
}

func (r *daemon) types(t *testing.T, user, channel, text string) {
	t.Helper()
	if _, err := r.slack.User(user).Command(t.Context(), channel, "/notify", text); err != nil {
		t.Fatal(err)
	}
}

func (r *daemon) dialog(t *testing.T, user, want string) {
	t.Helper()
	r.until(t, "the dialog "+want, func(s *playground.Snapshot) bool {
		v, open := s.Modal(user)
		return open && strings.Contains(string(v.Title)+string(v.Blocks), want)
	})
}

func TestAClickChangesTheCardForEverybodyAndTheThreadSaysWhoDidIt(t *testing.T) {
	r := newDaemon(t)
	_, card := r.fires(t, "disk full", nil)
	at := playground.AtMessage("#ops", card.TS)
	r.click(t, "ann", at, "ack")
	r.becomes(t, "#ops", card.TS, "Acknowledged by", "U0ANN")
	r.says(t, "#ops", card.TS, "Acknowledged by ann")
	r.click(t, "bob", at, "resolve")
	r.becomes(t, "#ops", card.TS, "Resolved by", "U0BOB")
	r.says(t, "#ops", card.TS, "Resolved by bob")
	r.whisper(t, "bob", "#ops", "You resolved")
	undo := r.slack.Ephemerals("bob", "#ops")[0]
	r.click(t, "bob", playground.AtMessage("#ops", undo.TS), "choose:undo")
	r.becomes(t, "#ops", card.TS, "Acknowledged by", "U0ANN")
	r.says(t, "#ops", card.TS, "Reopened by bob")
	r.whisper(t, "bob", "#ops", "is open again, acknowledged by ann as before")
}

func TestAClickInAListShowsTheListAsItIsThen(t *testing.T) {
	r := newDaemon(t)
	first, _ := r.fires(t, "disk full", nil)
	second, _ := r.fires(t, "cpu hot", nil)
	r.types(t, "ann", "#random", "list open")
	r.whisper(t, "ann", "#random", "2 incidents")
	list := r.slack.Ephemerals("ann", "#random")[0]
	r.click(t, "ann", playground.AtMessage("#random", list.TS), "ack")
	r.until(t, "the list without the first", func(s *playground.Snapshot) bool {
		all := s.Ephemerals("ann", "#random")
		now := shown(all[len(all)-1])
		return strings.Contains(now, "You acknowledged `"+second+"`") && strings.Contains(now, "1 incident") && strings.Contains(now, first) && strings.Contains(now, "Undo")
	})
	if err := r.slack.Invite("#ops"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.slack.User("bob").Say("#ops", "@tocsin list open"); err != nil {
		t.Fatal(err)
	}
	var public playground.Message
	r.until(t, "a list for everybody", func(s *playground.Snapshot) bool {
		for _, m := range answers(s.Messages("#ops")) {
			if strings.Contains(m.Text, "Open incidents") {
				public = m
				return true
			}
		}
		return false
	})
	r.click(t, "ann", playground.AtMessage("#ops", public.TS), "ack")
	r.becomes(t, "#ops", public.TS, "There are none")
	r.whisper(t, "ann", "#ops", "You acknowledged `"+first+"`")
}

func TestOfTwoWhoClickAtOnceOneHasItAndTheOtherIsTold(t *testing.T) {
	r := newDaemon(t)
	id, card := r.fires(t, "disk full", nil)
	var people sync.WaitGroup
	for _, user := range []string{"ann", "bob", "ann", "bob"} {
		people.Go(func() {
			if _, err := r.slack.User(user).Click(context.Background(), playground.AtMessage("#ops", card.TS), "ack"); err != nil {
				t.Error(err)
			}
		})
	}
	people.Wait()
	r.becomes(t, "#ops", card.TS, "Acknowledged by")
	r.until(t, "all four are told", func(s *playground.Snapshot) bool {
		return len(s.Ephemerals("ann", "#ops"))+len(s.Ephemerals("bob", "#ops")) == 4
	})
	late := 0
	for _, m := range append(r.slack.Ephemerals("ann", "#ops"), r.slack.Ephemerals("bob", "#ops")...) {
		if strings.Contains(m.Text, "already acknowledged") {
			late++
		}
	}
	if late != 3 {
		t.Errorf("%d are told that they were late", late)
	}
	history, err := r.db.History(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	acks := 0
	for _, e := range history {
		if e.Verb == alert.VerbAck {
			acks++
		}
	}
	if acks != 1 {
		t.Errorf("the history has %d acks: %+v", acks, history)
	}
}

func TestASilenceIsMadeInItsDialogAndEndedInItsList(t *testing.T) {
	r := newDaemon(t)
	_, card := r.fires(t, "disk full", map[string]string{"service": "db"})
	r.fires(t, "cpu hot", map[string]string{"service": "db", "host": "db-1"})
	r.click(t, "ann", playground.AtMessage("#ops", card.TS), "silence")
	r.dialog(t, "ann", "2 open incidents")
	ann := r.slack.User("ann")
	if _, err := ann.Select(t.Context(), playground.AtModal(), "matchers", `host=~"db-.*"`); err != nil {
		t.Fatal(err)
	}
	r.dialog(t, "ann", "1 open incident")
	got, err := ann.Submit(t.Context(), map[string]map[string]any{"matchers": {"matchers": "service"}, "duration": {"duration": "until"}})
	if err != nil || got.Closed || !strings.Contains(got.Errors["matchers"], "not a matcher") || got.Errors["until"] == "" {
		t.Fatalf("a wrong dialog is answered with %+v, %v", got, err)
	}
	got, err = ann.Submit(t.Context(), map[string]map[string]any{"matchers": {"matchers": "service=“db”"}, "duration": {"duration": "2h"}, "reason": {"reason": "new <disks>"}})
	if err != nil || !got.Closed {
		t.Fatalf("a right dialog is answered with %+v, %v", got, err)
	}
	r.whisper(t, "ann", "#ops", "among them 2 open incidents")
	r.becomes(t, "#ops", card.TS, "Silenced until")
	r.says(t, "#ops", card.TS, "new &lt;disks&gt;")

	r.types(t, "bob", "#random", "silences")
	r.whisper(t, "bob", "#random", "new &lt;disks&gt;")
	list := r.slack.Ephemerals("bob", "#random")[0]
	r.click(t, "bob", playground.AtMessage("#random", list.TS), "expire")
	r.whisper(t, "bob", "#random", "Nothing is silenced")
	r.until(t, "the card without its silence", func(s *playground.Snapshot) bool {
		for _, m := range s.Messages("#ops") {
			if m.TS == card.TS && strings.Contains(shown(m), "Silenced until") {
				return false
			}
		}
		return true
	})
}

func TestWhatTheMenuOfACardOffersWorks(t *testing.T) {
	r := newDaemon(t)
	id, card := r.fires(t, "disk full", nil)
	at := playground.AtMessage("#ops", card.TS)
	r.choose(t, "ann", at, "copy:"+id)
	r.dialog(t, "ann", `"initial_value":"`+id+`"`)
	if got, err := r.slack.User("ann").Submit(t.Context(), map[string]map[string]any{}); err != nil || !got.Closed {
		t.Fatalf("%+v, %v", got, err)
	}

	r.choose(t, "ann", at, "assign:"+id)
	r.dialog(t, "ann", "Assign")
	if got, err := r.slack.User("ann").Submit(t.Context(), map[string]map[string]any{"person": {"person": "bob"}, "text": {"text": "yours?"}}); err != nil || !got.Closed {
		t.Fatalf("%+v, %v", got, err)
	}
	r.becomes(t, "#ops", card.TS, "U0BOB")
	r.says(t, "#ops", card.TS, "ann assigned this to bob")

	r.choose(t, "bob", at, "note:"+id)
	r.dialog(t, "bob", "Note")
	if got, err := r.slack.User("bob").Submit(t.Context(), map[string]map[string]any{"text": {"text": "it is *the* backup <!channel>"}}); err != nil || !got.Closed {
		t.Fatalf("%+v, %v", got, err)
	}
	r.says(t, "#ops", card.TS, "&lt;!channel&gt;")

	r.choose(t, "ann", at, "details:"+id)
	r.dialog(t, "ann", "backup")

	r.choose(t, "ann", at, "unack:"+id)
	r.says(t, "#ops", card.TS, "No longer acknowledged by ann")
	r.becomes(t, "#ops", card.TS, "mute:"+id)

	r.choose(t, "ann", at, "mute:"+id)
	r.whisper(t, "ann", "#ops", "among them 1 open incident")
	r.becomes(t, "#ops", card.TS, "Silenced until")
}

func TestAClickOnAForgottenIncidentIsAnsweredPolitely(t *testing.T) {
	r := newDaemon(t)
	id, card := r.fires(t, "disk full", nil)
	at := playground.AtMessage("#ops", card.TS)
	r.click(t, "ann", at, "resolve")
	r.becomes(t, "#ops", card.TS, "Resolved by")
	r.says(t, "#ops", card.TS, "Resolved")
	r.fires(t, "the latest is never forgotten", nil)
	if err := r.db.Prune(t.Context(), time.Now().AddDate(2, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if i, err := r.db.Incident(t.Context(), id); err == nil {
		t.Fatalf("it is still known: %+v", i)
	}
	got, err := r.slack.User("bob").Choose(t.Context(), at, "Details")
	if err != nil || !got.Acked {
		t.Fatalf("%+v, %v", got, err)
	}
	r.whisper(t, "bob", "#ops", "old and deleted")
}

func TestTheSameWordsWorkInDirectMessagesAndMentions(t *testing.T) {
	r := newDaemon(t)
	id, card := r.fires(t, "disk full", map[string]string{"service": "db"})
	ann := r.slack.User("ann")
	for nth, c := range [][2]string{
		{"list service=“db”", "disk full"}, {"show " + strings.ToUpper(id) + ",", "disk full"}, {"ack " + id + " I am on it", "You acknowledged"}, {"ack " + id, "already acknowledged by ann"},
		{"assign " + id + " to <@U0BOB|bob>", "is assigned to bob now"}, {"assign " + id + " @bob", "is already assigned to bob"}, {"silence service=db until tomorrow 9am because disks", "among them 1 open incident"}, {"silences", "disks"},
		{"subscribe service=web", "direct messages"}, {"stats", "Until acknowledged"}, {"oncall", "Who is notified of what"}, {"resolve " + id, "You resolved"}, {"unsubscribe", "1 subscription"},
		{"sho " + id, "Did you mean `show`?"}, {"help silence", "until monday"},
	} {
		if _, err := ann.DM(c[0]); err != nil {
			t.Fatal(err)
		}
		if m := r.dm(t, "ann", nth+1); !strings.Contains(m.Text, c[1]) {
			t.Errorf("%q is answered with %q, want %q", c[0], m.Text, c[1])
		}
	}
	r.says(t, "#ops", card.TS, "I am on it")
	ts, err := ann.Say("#ops", "@tocsin show "+id)
	if err != nil {
		t.Fatal(err)
	}
	r.says(t, "#ops", ts, "disk full")
}

func TestSubscribedAlertsComeAsDirectMessages(t *testing.T) {
	r := newDaemon(t)
	r.types(t, "ann", "#random", "subscribe service=web")
	r.whisper(t, "ann", "#random", "direct messages")
	r.fires(t, "slow pages", map[string]string{"service": "web"})
	if m := r.dm(t, "ann", 1); !strings.Contains(m.Text, "slow pages") {
		t.Errorf("the direct message is %q", m.Text)
	}
}

func TestALongListIsPagedInADirectMessageAcrossARestart(t *testing.T) {
	r := newDaemon(t)
	var alerts []alert.Alert
	for n := range 25 {
		alerts = append(alerts, alert.Alert{Title: fmt.Sprintf("number %d", n), Labels: map[string]string{"service": "db"}})
	}
	if _, err := r.engine.Push(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
	if _, err := r.slack.User("ann").DM("list service=db"); err != nil {
		t.Fatal(err)
	}
	m := r.dm(t, "ann", 1)
	if !strings.Contains(m.Text, "1 to 10 of 25") {
		t.Fatalf("answered %q", m.Text)
	}
	at := playground.AtMessage("@ann", m.TS)
	r.click(t, "ann", at, "page:older")
	r.becomes(t, "@ann", m.TS, "11 to 20 of 25")
	r.stop()
	r.until(t, "no connection", func(s *playground.Snapshot) bool { return len(s.Sockets()) == 0 })
	r.start(t)
	r.click(t, "ann", at, "page:older")
	r.becomes(t, "@ann", m.TS, "21 to 25 of 25")
	r.click(t, "ann", at, "page:newer")
	r.becomes(t, "@ann", m.TS, "11 to 20 of 25")
	if n := len(answers(r.slack.Messages("@ann"))); n != 1 {
		t.Errorf("%d messages, not one whose pages turn", n)
	}
}

func TestACommandWhereTheBotIsNotIsAnswered(t *testing.T) {
	r := newDaemon(t)
	id, _ := r.fires(t, "disk full", nil)
	if err := r.slack.AddMember("#secret", "ann"); err != nil {
		t.Fatal(err)
	}
	for _, channel := range []string{"#random", "#secret"} {
		r.types(t, "ann", channel, "ack "+id)
		r.whisper(t, "ann", channel, "cknowledged")
	}
	r.types(t, "ann", "#secret", "send #secret critical hello")
	r.whisper(t, "ann", "#secret", "Nothing was sent to <#C0SECRET>")
}

func TestWhatAPersonSendsPingsNobody(t *testing.T) {
	r := newDaemon(t)
	r.types(t, "ann", "#random", "send #ops critical <!channel> *_~ <http://evil.example|bank.com> \u202egnp.exe")
	r.whisper(t, "ann", "#random", "is in")
	r.until(t, "the card", func(s *playground.Snapshot) bool { return len(s.Messages("#ops")) == 1 })
	text := shown(r.slack.Messages("#ops")[0])
	for _, bad := range []string{"<!channel>", "<http://evil.example|", "\u202e"} {
		if strings.Contains(text, bad) {
			t.Errorf("the card holds %q: %s", bad, text)
		}
	}
	if !strings.Contains(text, "from=ann") {
		t.Errorf("the card is %s", text)
	}
}

func TestAGroupMayDoWhatOthersMayNot(t *testing.T) {
	r := newDaemon(t, func(r *daemon) {
		id, err := r.slack.AddUserGroup(playground.UserGroup{Handle: "oncall", Users: []string{"bob"}})
		if err != nil {
			t.Fatal(err)
		}
		r.may = handlers.Permissions{Ack: []string{id}, Send: []string{"@oncall"}, Silence: []string{"#ops"}}
	})
	id, card := r.fires(t, "disk full", nil)
	at := playground.AtMessage("#ops", card.TS)
	r.click(t, "ann", at, "ack")
	r.whisper(t, "ann", "#ops", "you may not acknowledge")
	r.types(t, "ann", "#random", "send #ops hello")
	r.whisper(t, "ann", "#random", "you may not send")
	r.types(t, "ann", "#random", "silence service=db for 1h")
	r.whisper(t, "ann", "#random", "silences alerts with")
	if i, err := r.db.Incident(t.Context(), id); err != nil || i.State != alert.Open {
		t.Errorf("the incident is %+v, %v", i.State, err)
	}
	r.click(t, "bob", at, "ack")
	r.says(t, "#ops", card.TS, "Acknowledged by bob")
	if n := len(r.slack.Messages("#ops")); n != 2 {
		t.Errorf("%d messages, want the card and its note", n)
	}
}

func TestTheHomesButtonsWorkAndItShowsWhatTheyDid(t *testing.T) {
	r := newDaemon(t)
	id, _ := r.fires(t, "printer on fire", nil)
	ann := r.slack.User("ann")
	home := func(want string, has bool) {
		t.Helper()
		r.until(t, fmt.Sprintf("the Home shows %q: %v", want, has), func(s *playground.Snapshot) bool {
			v, ok := s.Home("ann")
			return ok && strings.Contains(string(v.Blocks), want) == has
		})
	}
	if err := ann.OpenHome(); err != nil {
		t.Fatal(err)
	}
	home("printer on fire", true)
	r.choose(t, "ann", playground.AtHome(), "mute:"+id)
	home("End now", true)
	r.click(t, "ann", playground.AtHome(), "expire")
	home("End now", false)
	r.click(t, "ann", playground.AtHome(), "ack")
	home("Yours", true)
	r.choose(t, "ann", playground.AtHome(), "unack:"+id)
	home("Yours", false)
	r.click(t, "ann", playground.AtHome(), "ack")
	home("Yours", true)
	r.click(t, "ann", playground.AtHome(), "resolve")
	home("printer on fire", false)
	if got := answers(r.slack.Messages("@ann")); len(got) != 0 {
		t.Errorf("told what the Home shows: %s", got[0].Text)
	}
}

func TestChartsArePicturesInOurColoursOrElseSlacksOwn(t *testing.T) {
	r := newDaemon(t)
	r.fires(t, "disk full", nil)
	r.types(t, "ann", "#random", "stats")
	r.whisper(t, "ann", "#random", "slack_file")
	if err := r.slack.User("ann").OpenHome(); err != nil {
		t.Fatal(err)
	}
	r.until(t, "the Home with a picture", func(s *playground.Snapshot) bool {
		v, ok := s.Home("ann")
		return ok && strings.Contains(string(v.Blocks), "slack_file")
	})
	if err := r.slack.SetFault(playground.Fault{Kind: playground.FaultError, Method: "files.getUploadURLExternal", Error: "missing_scope"}); err != nil {
		t.Fatal(err)
	}
	r.types(t, "bob", "#random", "stats 7d")
	r.whisper(t, "bob", "#random", "data_visualization")
}

func TestADialogThatSlackOpensNoMoreIsAskedForAgain(t *testing.T) {
	r := newDaemon(t)
	_, card := r.fires(t, "disk full", nil)
	if err := r.slack.SetFault(playground.Fault{Kind: playground.FaultError, Method: "views.open", Error: "expired_trigger_id"}); err != nil {
		t.Fatal(err)
	}
	r.click(t, "ann", playground.AtMessage("#ops", card.TS), "silence")
	r.whisper(t, "ann", "#ops", "click again")
}

func TestTheSilenceDialogHasWholeMatchers(t *testing.T) {
	r := newDaemon(t)
	labels := map[string]string{}
	for n := range 8 {
		labels[fmt.Sprint("label", n)] = strings.Repeat("\u202e", 64) // six characters each as it is written
	}
	_, card := r.fires(t, "disk full", labels)
	r.click(t, "ann", playground.AtMessage("#ops", card.TS), "silence")
	r.dialog(t, "ann", "1 more condition did not fit in")
	r.dialog(t, "ann", `\\u202e\"",`)
}
