package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// cardOf waits for the card of a title in #alerts.
func cardOf(t *testing.T, s *playground.Server, title string) (card playground.Message) {
	t.Helper()
	until(t, s, "the card of "+title, func(sn *playground.Snapshot) bool {
		top, _ := cards(sn.Messages("#alerts"))
		for _, m := range top {
			if strings.Contains(m.Text, title) {
				card = m
				return true
			}
		}
		return false
	})
	return card
}

// showing waits until a message of #alerts shows want.
func showing(t *testing.T, s *playground.Server, ts, want string) {
	t.Helper()
	until(t, s, want, func(sn *playground.Snapshot) bool {
		for _, m := range sn.Messages("#alerts") {
			if m.TS == ts && strings.Contains(m.Text, want) {
				return true
			}
		}
		return false
	})
}

// privately waits until the bot has told somebody want where only they see it.
func privately(t *testing.T, s *playground.Server, user, want string) {
	t.Helper()
	until(t, s, user+" to be told "+want, func(sn *playground.Snapshot) bool {
		return len(saying(sn.Ephemerals(user, "#alerts"), want)) > 0
	})
}

// press clicks a button of a card in #alerts.
func press(t *testing.T, s *playground.Server, user, ts, button string) {
	t.Helper()
	got, err := s.User(user).Click(t.Context(), playground.AtMessage("#alerts", ts), button)
	if err != nil || !got.Acked {
		t.Fatalf("%s pressed %s: %+v, %v", user, button, got, err)
	}
}

// types has somebody write a command in #alerts.
func types(t *testing.T, s *playground.Server, user, text string) {
	t.Helper()
	if run, err := s.User(user).Command(t.Context(), "#alerts", "/notify", text); err != nil || !run.Acked {
		t.Fatalf("%s typed %s: %+v, %v", user, text, run, err)
	}
}

// connected waits until Slack can reach the daemon.
func connected(t *testing.T, s *playground.Server) {
	t.Helper()
	until(t, s, "a connection", func(sn *playground.Snapshot) bool { return sn.Count(playground.KindHello) > 0 })
}

func TestWhatPeopleDoInSlackIsSeenInTheShellAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	connected(t, s)
	id := p.mustPush(labelled("disk full", "error", "db"))[0].Incident
	card := cardOf(t, s, "disk full")
	press(t, s, "ann", card.TS, "ack")
	p.eventually("the shell shows who took it", func() bool {
		return strings.Contains(p.command("incidents", "--state", "acked"), " ann ")
	})
	showing(t, s, card.TS, "Acknowledged by ann")
	if says := p.command("ack", id); !strings.Contains(says, "was acknowledged already") || !strings.Contains(says, "by ann") {
		t.Errorf("a second acknowledgement says %s", says)
	}
	p.command("resolve", id, "--as", "the shell", "-m", "new disk")
	showing(t, s, card.TS, "Resolved by the shell")
	if says := p.command("incidents", "show", id); !strings.Contains(says, "acknowledged by ann") || !strings.Contains(says, "resolved by the shell: new disk") {
		t.Errorf("its history is\n%s", says)
	}

	types(t, s, "ann", "silence team=web for 2h because moving house")
	p.eventually("the shell shows the silence", func() bool {
		says := p.command("silence", "list")
		return strings.Contains(says, " ann ") && strings.Contains(says, "moving house")
	})
	var silences struct {
		Silences []alert.Silence `json:"silences"`
	}
	if err := p.ask("/v1/silences", &silences); err != nil || len(silences.Silences) != 1 {
		t.Fatalf("the silences are %+v, %v", silences, err)
	}
	p.mustPush(labelled("slow pages", "error", "web"))
	p.command("silence", "end", silences.Silences[0].ID)
	cardOf(t, s, "slow pages")
	if l := p.ledger().Total; l.Accepted != 2 || l.Silenced != 1 {
		t.Errorf("the ledger is %+v", l)
	}
}

const onlySome = `
permissions:
  ack: ["@dba", U0CAROL]
  silence: nobody
  send: U0ANN
`

func TestWhoMayNotIsToldSoPrivatelyAndNothingIsDone(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	if _, err := s.AddUserGroup(playground.UserGroup{Handle: "dba", Name: "database", Users: []string{"U0BOB"}}); err != nil {
		t.Fatal(err)
	}
	p := prepare(t, s, nil)
	p.configure(onlySome)
	p.start()
	connected(t, s)
	id := p.mustPush(labelled("disk full", "error", "db"))[0].Incident
	card := cardOf(t, s, "disk full")
	press(t, s, "ann", card.TS, "ack")
	privately(t, s, "ann", "you may not")
	types(t, s, "bob", "silence team=db for 2h")
	privately(t, s, "bob", "you may not")
	types(t, s, "bob", "send #alerts error not for everybody")
	until(t, s, "bob to be refused twice", func(sn *playground.Snapshot) bool { return len(sn.Ephemerals("bob", "#alerts")) == 2 })
	if says := p.command("incidents", "show", id); strings.Contains(says, "acknowledged") {
		t.Errorf("who may not has acknowledged:\n%s", says)
	}
	if says := p.command("silence", "list"); !strings.HasPrefix(says, "no silence is in effect") {
		t.Errorf("who may not has silenced:\n%s", says)
	}
	if top, _ := cards(s.Messages("#alerts")); len(saying(top, "not for everybody")) != 0 {
		t.Error("who may not has sent an alert")
	}
	if log := p.log.String(); strings.Count(log, `"msg":"refused"`) != 3 {
		t.Errorf("the log does not tell of three refusals")
	}

	press(t, s, "bob", card.TS, "ack")
	showing(t, s, card.TS, "Acknowledged by bob")
	p.command("resolve", id) // the shell asks for no more than the socket does
	showing(t, s, card.TS, "Resolved")
}

// pressPrivately clicks a button of the latest message in #alerts that only user sees.
func pressPrivately(t *testing.T, s *playground.Server, user, button string) {
	t.Helper()
	all := s.Ephemerals(user, "#alerts")
	press(t, s, user, all[len(all)-1].TS, button)
}

func TestWhatPeopleDoByMistakeIsUndone(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	connected(t, s)
	id := p.mustPush(labelled("disk full", "error", "db"))[0].Incident
	card := cardOf(t, s, "disk full")
	press(t, s, "ann", card.TS, "resolve")
	privately(t, s, "ann", "You resolved")
	showing(t, s, card.TS, "Resolved by ann")
	pressPrivately(t, s, "ann", "choose:undo")
	privately(t, s, "ann", "is open again")
	p.command("ack", id, "--as", "bob")
	showing(t, s, card.TS, "Acknowledged by bob")
	var i incidentDetail
	if err := p.ask("/v1/incidents/"+id, &i); err != nil || i.AckedBy.ID != "U0BOB" {
		t.Errorf("the shell's bob is %+v, %v", i.AckedBy, err)
	}
	types(t, s, "ann", "unack disk: he is asleep")
	privately(t, s, "ann", "is no longer acknowledged")
	until(t, s, "bob to be told", func(sn *playground.Snapshot) bool {
		_, replies := cards(sn.Messages("#alerts"))
		return len(saying(replies, "No longer acknowledged by ann")) == 1 && len(saying(replies, "@U0BOB")) == 1
	})
	says := p.command("incidents", "show", id)
	for _, want := range []string{"resolved by ann", "opened again by ann", "acknowledged by bob", "no longer acknowledged by ann: he is asleep"} {
		if !strings.Contains(says, want) {
			t.Errorf("the history lacks %q:\n%s", want, says)
		}
	}
	for _, verb := range []string{"unack", "reopen"} {
		var done actAnswer
		if err := p.client().call(t.Context(), http.MethodPost, incidentPath(id)+"/"+verb, nil, &done); err != nil || done.Effect != alert.ActAlready {
			t.Errorf("%s of an open incident: %+v, %v", verb, done, err)
		}
	}
}

func TestManyIncidentsAreHandledAtOnceByWords(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	connected(t, s)
	for n := range 12 {
		p.mustPush(labelled(fmt.Sprintf("queue %d is stuck", n), "error", []string{"db", "web"}[n%2]))
	}
	types(t, s, "ann", "ack web: all of them")
	privately(t, s, "ann", "Acknowledge 6 incidents?")
	pressPrivately(t, s, "ann", "choose:all")
	privately(t, s, "ann", "You acknowledged")
	p.eventually("six are acknowledged", func() bool {
		return strings.Count(p.command("incidents", "--state", "acked"), " ann ") == 6
	})
	types(t, s, "bob", "resolve all")
	privately(t, s, "bob", "Resolve 12 incidents?")
	id := p.mustPush(labelled("came later", "critical", "db"))[0].Incident
	pressPrivately(t, s, "bob", "choose:all")
	privately(t, s, "bob", "You resolved 12 incidents.")
	p.eventually("only what came later is open", func() bool {
		says := p.command("incidents")
		return strings.Contains(says, id) && !strings.Contains(says, "queue")
	})
	pressPrivately(t, s, "bob", "choose:undo")
	privately(t, s, "bob", "12 incidents are open again.")
	types(t, s, "bob", "what is open")
	privately(t, s, "bob", "7 incidents")
}
