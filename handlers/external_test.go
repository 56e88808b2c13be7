package handlers_test

import (
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/handlers"
	"tocsin/playground"
)

const sorry = "Sorry, I only work for people of the workspace that runs me."

// stranger adds somebody of another workspace to all public channels.
func stranger(r *daemon) {
	r.slack.AddUser(playground.User{Name: "eve", TeamID: "T0OTHER"})
}

func TestPeopleOfAnotherWorkspaceReadAndChangeNothing(t *testing.T) {
	r := newDaemon(t, stranger)
	id, card := r.fires(t, "the secret disk", map[string]string{"team": "db"})
	for n, text := range []string{
		"list", "show " + id, "oncall", "subscribe team=db", "silence team=db for 2h", "ack " + id, "resolve " + id,
		"note " + id + " x", "status", "help", "send -c ops hello", "stats",
	} {
		r.types(t, "eve", "#ops", text)
		r.until(t, "an answer to "+text, func(s *playground.Snapshot) bool { return len(s.Ephemerals("eve", "#ops")) == n+1 })
	}
	if _, err := r.slack.User("eve").Command(t.Context(), "#ops", "/notify-test", ""); err != nil {
		t.Fatal(err)
	}
	r.click(t, "eve", playground.AtMessage("#ops", card.TS), "ack")
	r.until(t, "answers to a test and a click", func(s *playground.Snapshot) bool { return len(s.Ephemerals("eve", "#ops")) == 14 })
	for _, m := range r.slack.Ephemerals("eve", "#ops") {
		if !strings.Contains(shown(m), sorry) {
			t.Errorf("eve is shown %s", shown(m))
		}
	}
	r.strangerWrites(t)
	r.nothingChanged(t, id)

	r.types(t, "ann", "#ops", "list")
	r.until(t, "ann's list", func(s *playground.Snapshot) bool {
		all := s.Ephemerals("ann", "#ops")
		return len(all) == 1 && strings.Contains(shown(all[0]), "the secret disk")
	})
}

// strangerWrites checks the answers to a direct message, a mention and the Home tab.
func (r *daemon) strangerWrites(t *testing.T) {
	t.Helper()
	if _, err := r.slack.User("eve").DM("list"); err != nil {
		t.Fatal(err)
	}
	mention, err := r.slack.User("eve").Say("#ops", "@tocsin list")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.slack.User("eve").OpenHome(); err != nil {
		t.Fatal(err)
	}
	r.says(t, "#ops", mention, sorry)
	r.until(t, "the direct message and the Home to be refused", func(s *playground.Snapshot) bool {
		dm := s.Messages("@eve")
		home, ok := s.Home("eve")
		if !ok || len(dm) < 2 || !strings.Contains(shown(dm[len(dm)-1]), sorry) {
			return false
		}
		if !strings.Contains(string(home.Blocks), sorry) || strings.Contains(string(home.Blocks), "secret") {
			t.Errorf("eve's Home shows %s", home.Blocks)
		}
		return true
	})
}

func (r *daemon) nothingChanged(t *testing.T, id string) {
	t.Helper()
	i, err := r.db.Incident(t.Context(), id)
	if err != nil || i.State != alert.Open {
		t.Errorf("the incident is %s (%v)", i.State, err)
	}
	silences, err := r.db.Silences(t.Context(), alert.SilenceFilter{})
	if err != nil || len(silences) != 0 {
		t.Errorf("there are silences: %v, %v", silences, err)
	}
	ledger, err := r.db.Ledger(t.Context())
	if err != nil || ledger.Total.Accepted != 1 {
		t.Errorf("the ledger is %+v, %v", ledger.Total, err)
	}
}

func TestPeopleOfAnotherWorkspaceMayActIfConfigured(t *testing.T) {
	r := newDaemon(t, stranger, func(r *daemon) {
		r.may = handlers.Permissions{External: []string{"T0OTHER"}, Silence: []string{"@ann"}}
	})
	_, card := r.fires(t, "disk full", nil)
	r.click(t, "eve", playground.AtMessage("#ops", card.TS), "ack")
	r.becomes(t, "#ops", card.TS, "Acknowledged by")
	r.types(t, "eve", "#ops", "silence team=db for 2h")
	r.until(t, "the silence to be refused all the same", func(s *playground.Snapshot) bool {
		all := s.Ephemerals("eve", "#ops") // the first one offers to undo the click
		return len(all) == 2 && strings.Contains(shown(all[1]), "you may not silence alerts")
	})
}

func TestARequestOfAnotherWorkspaceIsLoggedAndADialogNotDone(t *testing.T) {
	d := &desk{open: []alert.Incident{{ID: "k7f2", State: alert.Open}}}
	h := d.handlers()
	eve := bot.Caller{User: "U0EVE", Name: "eve", Channel: "C0OPS", Outside: "T0OTHER"}
	if err := h.Action(t.Context(), bot.Action{Caller: eve, ActionID: "ack", Value: "k7f2"}); err != nil {
		t.Fatal(err)
	}
	errs, work := h.Submit(bot.Submission{User: "U0EVE", Outside: "T0OTHER", CallbackID: "note", Private: `{"incident":"k7f2"}`, Inputs: map[string]map[string]string{"text": {"text": "x"}}})
	if len(errs) != 0 || work == nil {
		t.Fatalf("the dialog stays open: %v", errs)
	}
	if err := work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(d.acts) != 0 || len(d.answers)+len(d.said) != 2 {
		t.Errorf("done was %v, answered %q %q", d.acts, d.answers, d.said)
	}
	if log := d.logged.String(); strings.Count(log, `"team":"T0OTHER"`) != 2 || !strings.Contains(log, `"user":"U0EVE"`) {
		t.Errorf("the log says %s", log)
	}
}

func TestARequestOfNobodyDoesNothing(t *testing.T) {
	d := &desk{open: []alert.Incident{{ID: "k7f2", State: alert.Open}}}
	h := d.handlers()
	if err := h.Action(t.Context(), bot.Action{Caller: bot.Caller{Channel: "C0OPS"}, ActionID: "ack", Value: "k7f2"}); err != nil {
		t.Fatal(err)
	}
	if err := h.Command(t.Context(), bot.Command{Caller: bot.Caller{Channel: "C0OPS"}, Name: "/notify", Text: "silence team=db for 2h"}); err != nil {
		t.Fatal(err)
	}
	_, work := h.Submit(bot.Submission{CallbackID: "note", Private: `{"incident":"k7f2"}`, Inputs: map[string]map[string]string{"text": {"text": "x"}}})
	if err := work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(d.acts)+len(d.silences) != 0 || strings.Count(d.logged.String(), "does not say whose") != 3 {
		t.Errorf("done was %v, %v; the log says %s", d.acts, d.silences, d.logged.String())
	}
}
