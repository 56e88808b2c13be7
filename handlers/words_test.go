package handlers_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/handlers"
	"tocsin/playground"
	"tocsin/render"
)

// two are incidents on one host: a disk and a replica.
func two() []alert.Incident {
	replica := disk()
	replica.ID, replica.Key, replica.Title, replica.Severity, replica.Cards = "b22c", "replica", "replica lags", alert.Critical, nil
	return []alert.Incident{replica, disk()}
}

// buttons are the values of an answer's buttons, by action id.
func (d *desk) buttons(t *testing.T, m render.Message) map[string]string {
	t.Helper()
	body, err := json.Marshal(m.Blocks)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, b := range regexp.MustCompile(`"action_id":"([^"]*)"[^}]*?"value":"((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(string(body), -1) {
		var value string
		if err := json.Unmarshal([]byte(`"`+b[2]+`"`), &value); err != nil {
			t.Fatal(err)
		}
		all[b[1]] = value
	}
	return all
}

func TestAWordThatMeansOneIncidentActsAndOneThatMeansSeveralAsks(t *testing.T) {
	d := &desk{open: two()}
	h := d.handlers()
	if got := d.types(t, h, "ack disk: I look"); !strings.Contains(got, "You acknowledged `k7f2`") || d.acts[0].Text != "I look" {
		t.Errorf("answered %q, acts %+v", got, d.acts)
	}
	d.open, d.acts = two(), nil
	if got := d.types(t, h, "ack db-3"); !strings.Contains(got, "Acknowledge 2 incidents?") || len(d.acts) != 0 {
		t.Errorf("answered %q, acts %+v", got, d.acts)
	}
	values := d.buttons(t, d.last)
	d.clicks(t, h, bot.Action{ActionID: "choose:1", Value: values["choose:1"], MessageTS: "1.2", Ephemeral: true})
	if len(d.acts) != 1 || d.acts[0].Incident != "k7f2" || !strings.Contains(d.inPlace[0], "You acknowledged `k7f2`") {
		t.Errorf("the second of them: acts %+v, %q", d.acts, d.inPlace)
	}
	d.clicks(t, h, bot.Action{ActionID: "choose:all", Value: values["choose:all"], MessageTS: "1.2", Ephemeral: true})
	if len(d.acts) != 2 || d.acts[1].Incident != "b22c" || d.acts[1].RequestID != "t" {
		t.Errorf("all that are left: acts %+v", d.acts)
	}
	d.clicks(t, h, bot.Action{ActionID: "choose:all", Value: values["choose:all"], MessageTS: "1.2", Ephemeral: true})
	if len(d.acts) != 2 || !strings.Contains(d.inPlace[2], "somebody was faster") {
		t.Errorf("twice: acts %+v, %q", d.acts, d.inPlace)
	}
}

func TestAWordInsideOfAnotherIsMeantOnlyIfNothingElseIs(t *testing.T) {
	inside := disk()
	inside.ID, inside.Title = "b22c", "Sicherung auf Gerät fehlgeschlagen"
	for _, c := range []struct {
		title string
		state alert.State
		text  string
		acted string // the incident
		want  string
	}{
		{"lag on pg-1", alert.Acked, "ack lag", "k7f2", "already acknowledged"},
		{"lag on pg-1", alert.Open, "ack lag", "k7f2", "You acknowledged `k7f2`"},
		{"PgReplicaLag", alert.Open, "ack lag", "k7f2", "You acknowledged `k7f2`"},
		{"lag on pg-1", alert.Open, "resolve lag: done", "k7f2", "You resolved `k7f2`"},
		{"lag on pg-1", alert.Open, "ack schlag", "b22c", "You acknowledged `b22c`"},
		{"lag on pg-1", alert.StateResolved, "ack lag", "b22c", "You acknowledged `b22c`"},
		{"lag", alert.Open, "ack lag: Lagerhaus is another", "k7f2", "You acknowledged `k7f2`"},
		{"ReplicaLag", alert.Open, "ack lag", "k7f2", "You acknowledged `k7f2`"},
	} {
		inside.Title = "Sicherung auf Gerät fehlgeschlagen"
		if strings.HasSuffix(strings.ToLower(c.title), "lag") {
			inside.Title = "Lagerhaus ohne Strom"
		}
		whole := disk()
		whole.Title, whole.State = c.title, c.state
		d := &desk{open: []alert.Incident{inside, whole}}
		got := d.types(t, d.handlers(), c.text)
		if !strings.Contains(got, c.want) || len(d.acts) != 1 || d.acts[0].Incident != c.acted {
			t.Errorf("%s with %q %s: acts %+v, answered %q", c.text, c.title, c.state, d.acts, got)
		}
	}
}

func TestWhatIsDoneOffersToUndoIt(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}}
	h := d.handlers()
	for _, c := range []struct {
		text string
		undo alert.Verb
	}{{"ack k7f2", alert.VerbUnack}, {"resolve disk", alert.VerbReopen}} {
		d.types(t, h, c.text)
		d.clicks(t, h, bot.Action{ActionID: "choose:undo", Value: d.buttons(t, d.last)["choose:undo"], MessageTS: "1.2", Ephemeral: true})
		if last := d.acts[len(d.acts)-1]; last.Verb != c.undo || last.Incident != "k7f2" {
			t.Errorf("%s is undone by %+v", c.text, last)
		}
	}
	d.types(t, h, "unack k7f2")
	if values := d.buttons(t, d.last); len(values) != 0 {
		t.Errorf("an undo offers %v", values)
	}
}

func TestWhatWasDoneLongerThanAMinuteAgoIsUndoneByItsOwnName(t *testing.T) {
	for _, c := range []struct {
		text   string
		undone int
		want   string
		later  time.Duration
	}{
		{"ack k7f2", 1, "", time.Minute}, {"ack k7f2", 0, "Choose “Unacknowledge” in the menu of its card, or write `/notify unack k7f2`", 61 * time.Second},
		{"resolve k7f2", 1, "", 59 * time.Second}, {"resolve k7f2", 0, "Choose “Reopen” in the menu of its card, or write `/notify reopen k7f2`", time.Hour},
		{"resolve k7f2, b22c", 0, "in the menu of each card, or write `/notify reopen k7f2 b22c`", 2 * time.Minute},
	} {
		d := &desk{open: two()}
		h := d.handlers()
		d.types(t, h, c.text)
		before := len(d.acts)
		d.later = c.later
		d.clicks(t, h, bot.Action{ActionID: "choose:undo", Value: d.buttons(t, d.last)["choose:undo"], MessageTS: "1.2", Ephemeral: true})
		if undone := len(d.acts) - before; undone != c.undone || len(d.inPlace) != 1 || !strings.Contains(d.inPlace[0], c.want) {
			t.Errorf("%s, %v later: %d undone, %q", c.text, c.later, undone, d.inPlace)
		}
	}
}

func TestMuteFindsTheLabelThatIsMeant(t *testing.T) {
	d := &desk{open: two()}
	h := d.handlers()
	d.types(t, h, "mute db-3 for 1h")
	if len(d.silences) != 1 || d.silences[0].Matchers.String() != `host="db-3"` {
		t.Fatalf("silenced %+v", d.silences)
	}
	d.open[0].Labels = map[string]string{"instance": "db-3"}
	if got := d.types(t, h, "silence DB-3 2h because disks"); !strings.Contains(got, "Silence what") || len(d.silences) != 1 {
		t.Fatalf("answered %q, silenced %+v", got, d.silences)
	}
	value := d.buttons(t, d.last)["mute_matchers:1"]
	d.clicks(t, h, bot.Action{ActionID: "mute_matchers:1", Value: value, MessageTS: "1.2", Ephemeral: true})
	if len(d.silences) != 2 || d.silences[1].Matchers.String() != `instance="db-3"` || d.silences[1].Why != "disks" {
		t.Errorf("chose %+v", d.silences)
	}
	d.types(t, h, "mute replica")
	if len(d.silences) != 3 || d.silences[2].Matchers.String() != `key="replica"` {
		t.Errorf("a word of the title silences %+v", d.silences)
	}
	if got := d.types(t, h, "mute nonsense"); !strings.Contains(got, "I find no incident with nonsense") || len(d.silences) != 3 {
		t.Errorf("answered %q", got)
	}
}

func TestWordsThatAreNoCommandsSayWhatToWrite(t *testing.T) {
	for text, want := range map[string]string{
		"help disk": "I don't understand `disk`. `/notify list disk` looks for it", "help me please": "I bring alerts to Slack", "help please": "I bring alerts to Slack",
		"unmute all": "nothing is silenced", "unsnooze all": "nothing is silenced", "mine": "Your unresolved incidents", "history k7f2": "disk", "history": "which incident?", "page @bob": "/notify assign", "fix k7f2": "/notify resolve",
		"fixed k7f2": "You resolved `k7f2`", "k7f2: ack": "You acknowledged `k7f2`", "#k7f2": "disk", "list silences": "Nothing is silenced", "silence expire s-k7f2": "no silence s-k7f2",
		"list host:db-1": "list host=\"db-1\"", "ack host:db-1": "host=\"db-1\"", "mute host:db-1": "silence host=\"db-1\" for 1h", "ack https://x.example:1": "I find no open incident",
	} {
		d := &desk{open: two()}
		if got := d.types(t, d.handlers(), text); !strings.Contains(got, want) {
			t.Errorf("%s is answered %q, want %q", text, got, want)
		}
	}
}

func TestEveryRoadToAnActIsGuarded(t *testing.T) {
	for _, a := range []bot.Action{
		{ActionID: "choose:all", Value: `{"v":"ack"}`}, {ActionID: "choose:undo", Value: `{"v":"unack","i":["k7f2"]}`}, {ActionID: "ack_all", Value: "m2m2"},
		{ActionID: "silence_all", Value: "m2m2"}, {ActionID: "mute_matchers:0", Value: `{"m":"a=\"b\"","e":1795449999}`}, {ActionID: render.ActionMore, Value: "unack:k7f2"}, {ActionID: render.ActionMore, Value: "reopen:k7f2"},
	} {
		for name, d := range map[string]*desk{
			"who may not": {open: two(), permissions: handlers.Permissions{Ack: []string{"nobody"}, Silence: []string{"nobody"}}},
			"an outsider": {open: two()},
		} {
			a.Caller, a.MessageTS = ann(), "1.2"
			if name == "an outsider" {
				a.Outside = "T0OTHER"
			}
			got := d.clicks(t, d.handlers(), a)
			if len(got) != 1 || !strings.Contains(got[0], "🔒") || len(d.acts)+len(d.silences)+len(d.opened) > 0 {
				t.Errorf("%s by %s: answered %q, acts %+v, silences %+v", a.ActionID, name, got, d.acts, d.silences)
			}
		}
	}
	d := &desk{open: two()}
	for _, value := range []string{"", "{", `{"i":["k7f2"]}`, `{"v":"ack","m":"a=~("}`} {
		if d.clicks(t, d.handlers(), bot.Action{ActionID: "choose:0", Value: value, MessageTS: "1.2"}); len(d.acts) != 0 {
			t.Errorf("%q did %+v", value, d.acts)
		}
	}
}

func TestInTheThreadOfACardTheCardIsMeant(t *testing.T) {
	r := newDaemon(t)
	if err := r.slack.Invite("#ops"); err != nil {
		t.Fatal(err)
	}
	id, card := r.fires(t, "disk full", map[string]string{"service": "db"})
	other, _ := r.fires(t, "cpu hot", nil)
	bob := r.slack.User("bob")
	for _, c := range [][2]string{
		{"ack cpu", "Which of these 2 incidents?"}, {"ack this please, I look", "You acknowledged `" + id + "`"}, {"note it is the backup", "Your note is in the thread of `" + id + "`"}, {"assign ann", "is assigned to ann"},
		{"unack", "is no longer acknowledged"}, {"resolve " + other, "You resolved `" + other + "`"}, {"unmute", "is not silenced"}, {"snooze", "among them 1 open incident"}, {"unsilence this", "Ended: `key="}, {"show", "disk full"}, {"resolve", "You resolved `" + id + "`"},
		{"reopen", "is open again"}, {"history", "opened again"},
	} {
		if _, err := bob.Reply("#ops", card.TS, "@tocsin "+c[0]); err != nil {
			t.Fatal(err)
		}
		r.says(t, "#ops", card.TS, c[1])
	}
	for verb, want := range map[alert.Verb]string{alert.VerbAck: "please, I look", alert.VerbNote: "it is the backup"} {
		history, err := r.db.History(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, e := range history {
			found = found || e.Verb == verb && e.By.Name == "bob" && e.Text == want
		}
		if !found {
			t.Errorf("the history has no %s with %q: %+v", verb, want, history)
		}
	}
}

func TestAllAreDoneAfterAQuestionThatSaysHowMany(t *testing.T) {
	r := newDaemon(t)
	const many = 130
	var alerts []alert.Alert
	for n := range many {
		alerts = append(alerts, alert.Alert{Title: fmt.Sprintf("number %d", n), Severity: alert.Error, Channel: "#ops", Labels: map[string]string{"service": []string{"db", "web"}[n%2]}})
	}
	if _, err := r.engine.Push(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
	r.types(t, "ann", "#random", "status")
	r.whisper(t, "ann", "#random", "🟠 130 error")
	r.types(t, "ann", "#random", "ack all")
	r.whisper(t, "ann", "#random", "Acknowledge 130 incidents?")
	if _, err := r.engine.Push(t.Context(), []alert.Alert{{Title: "came later", Severity: alert.Critical, Channel: "#ops"}}); err != nil {
		t.Fatal(err)
	}
	question := r.slack.Ephemerals("ann", "#random")[1]
	r.click(t, "ann", playground.AtMessage("#random", question.TS), "choose:all")
	r.whisper(t, "ann", "#random", "You acknowledged 130 incidents.")
	r.types(t, "ann", "#random", "list open")
	r.whisper(t, "ann", "#random", "came later")
	r.types(t, "bob", "#random", "resolve service=db")
	r.whisper(t, "bob", "#random", "Resolve 65 incidents?")
	question = r.slack.Ephemerals("bob", "#random")[0]
	r.click(t, "bob", playground.AtMessage("#random", question.TS), "cancel")
	r.whisper(t, "bob", "#random", "Nothing was changed.")
	r.types(t, "bob", "#random", "assign last anm")
	r.whisper(t, "bob", "#random", "Did you mean @ann?")
	r.types(t, "bob", "#random", "assign last ann")
	r.whisper(t, "bob", "#random", "came later is assigned to ann")
	if n, err := r.db.Count(t.Context(), alert.IncidentFilter{States: []alert.State{alert.Acked}}); err != nil || n != many+1 {
		t.Errorf("%d are acknowledged, %v", n, err)
	}
}

func TestWhatIsDoneToTheLastOneTwiceChangesNoOther(t *testing.T) {
	r := newDaemon(t)
	first, _ := r.fires(t, "first", nil)
	last, _ := r.fires(t, "came last", nil)
	for _, c := range [][2]string{
		{"ack last", "You acknowledged `" + last}, {"ack last", "already acknowledged"}, {"unack last", "no longer acknowledged"}, {"unack last", "is not acknowledged"},
		{"resolve last", "You resolved `" + last}, {"resolve last", "already resolved"}, {"reopen last", "open again"}, {"reopen last", "open"},
	} {
		before := len(r.slack.Ephemerals("ann", "#random"))
		r.types(t, "ann", "#random", c[0])
		r.until(t, c[0], func(s *playground.Snapshot) bool { return len(s.Ephemerals("ann", "#random")) > before })
		got := shown(r.slack.Ephemerals("ann", "#random")[before])
		if !strings.Contains(got, c[1]) || !strings.Contains(got, last) || strings.Contains(got, first) {
			t.Errorf("%s is answered with %s", c[0], got)
		}
	}
	history, err := r.db.History(t.Context(), first)
	for _, e := range history {
		if e.By != (alert.Person{}) || err != nil {
			t.Errorf("the other one has %+v, %v", e, err)
		}
	}
}

func TestAFloodsDigestIsAcknowledgedAndSilencedAsAWhole(t *testing.T) {
	r := newDaemon(t)
	if err := r.slack.SetFault(playground.Fault{Kind: playground.FaultThrottle, Method: "chat.postMessage", RetryAfter: 3}); err != nil {
		t.Fatal(err)
	}
	var alerts []alert.Alert
	for n := range 40 {
		alerts = append(alerts, alert.Alert{Title: fmt.Sprintf("number %d", n), Severity: alert.Error, Channel: "#ops", Labels: map[string]string{"service": "db", "host": fmt.Sprint("db-", n)}})
	}
	if _, err := r.engine.Push(t.Context(), alerts); err != nil {
		t.Fatal(err)
	}
	r.slack.ClearFaults()
	var digest playground.Message
	r.until(t, "a digest with buttons", func(s *playground.Snapshot) bool {
		for _, m := range s.Messages("#ops") {
			if strings.Contains(shown(m), "Acknowledge all") {
				digest = m
				return true
			}
		}
		return false
	})
	at := playground.AtMessage("#ops", digest.TS)
	r.click(t, "bob", at, "silence_all")
	r.dialog(t, "bob", `service=\"db\"`)
	r.dialog(t, "bob", "40 open incidents")
	if _, err := r.engine.Push(t.Context(), []alert.Alert{{Title: "elsewhere", Channel: "#random", Labels: map[string]string{"service": "db"}}}); err != nil {
		t.Fatal(err)
	}
	r.click(t, "bob", at, "silence_all")
	r.dialog(t, "bob", "41 open incidents")
	r.dialog(t, "bob", "not in this digest")
	r.click(t, "ann", at, "ack_all")
	r.whisper(t, "ann", "#ops", "Acknowledge ")
	question := r.slack.Ephemerals("ann", "#ops")[0]
	r.click(t, "ann", playground.AtMessage("#ops", question.TS), "choose:all")
	r.whisper(t, "ann", "#ops", "You acknowledged ")
	r.becomes(t, "#ops", digest.TS, "of them acknowledged")
	if err := r.slack.Invite("#ops"); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"resolve", "Resolve "}, {"assign ann", "Assign "}, {"note it is the switch", "Add the note to "}, {"silence", "for how long?"},
		{"silence 1h", "  ·  41 open incidents"}, {"mute until 23:59 UTC", "23:59"},
	} {
		if _, err := r.slack.User("bob").Reply("#ops", digest.TS, "@tocsin "+c[0]); err != nil {
			t.Fatal(err)
		}
		r.says(t, "#ops", digest.TS, c[1])
	}
}

func TestAMissingValueIsNotTheTimeBehindIt(t *testing.T) {
	for _, text := range []string{"silence severity<= for 1h", "silence host= for 1h", "silence host =~ until tomorrow 9am", "silence severity= because of it",
		"silence host= 2h", "silence host= every saturday 02:00 for 3h", "silence host = from tomorrow 22:00 for 6h", "list host= open", "ack host= all", "silence a=b host=, for 1h"} {
		if order, err := handlers.Parse(text); err == nil {
			t.Errorf("%s is %+v", text, order.Target)
		}
	}
}

func TestASilenceOfALabelThatIsNearlyAFieldAsksWhetherThatIsMeant(t *testing.T) {
	r := newDaemon(t)
	r.types(t, "ann", "#ops", "silence sev=crit for 1h")
	r.whisper(t, "ann", "#ops", "did you mean `severity`?")
}
