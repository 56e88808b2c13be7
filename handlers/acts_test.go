package handlers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/handlers"
	"tocsin/render"
)

// ann is who asks in these tests, in a channel.
func ann() bot.Caller { return bot.Caller{User: "U0ANN", Name: "ann", Channel: "C0OPS"} }

// disk is an incident with a card.
func disk() alert.Incident {
	return alert.Incident{
		ID: "k7f2", Key: "disk-db-3", State: alert.Open, Severity: alert.Error, Title: "disk full", Labels: map[string]string{"service": "db", "host": "db-3"},
		Lanes: []string{"#ops"}, Cards: []alert.Card{{Lane: "#ops", Conversation: "C0OPS", TS: "1.1"}},
	}
}

// types types a command and returns the answer.
func (d *desk) types(t *testing.T, h *handlers.Handlers, text string) string {
	t.Helper()
	d.answers = nil
	ok(t, h.Command(t.Context(), bot.Command{Caller: ann(), Name: "/notify", Text: text, TriggerID: "t"}))
	if len(d.answers) != 1 {
		t.Fatalf("%q has the answers %q", text, d.answers)
	}
	return d.answers[0]
}

func TestEachWordIsAnswered(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}, settled: true}
	d.heartbeats = []alert.Heartbeat{{Name: "nightly-backup", Terms: alert.Terms{Every: time.Hour}, MissingAt: time.Unix(1795441000, 0)}}
	h := d.handlers()
	for _, c := range [][2]string{
		{"list", "disk full"}, {"list critical", "with severity"}, {"list opne", "Did you mean open?"}, {"list service=~(", "regular expression"},
		{"show k7f2", "disk full"}, {"k7f2", "disk full"}, {"show K7F2,", "disk full"}, {"show k7f3", "Did you mean `k7f2`?"}, {"show", "which incident?"}, {"show s-b22y", "is the id of a silence"}, {"ack S-B22Y: seen", "`unsilence s-b22y` ends it"}, {"show zzzz", "no incident"},
		{"ack k7f2 looking", "You acknowledged `k7f2`"}, {"ack k7f2", "already acknowledged"}, {"ack k7f3", "Did you mean `k7f2`?"}, {"resolve k7f2, zzzz", "no incident `zzzz`"},
		{"assign k7f2 @bob", "`k7f2`"}, {"assign k7f2 @ghost", "can't find anyone called @ghost"}, {"assign k7f2", "to whom"}, {"note k7f2", "no note"}, {"note k7f2 it is the backup", "Your note"},
		{"silences", "Nothing is silenced"}, {"silence service=db for 2h because disks", "s-k7f2"}, {"silences", "disks"}, {"silence k7f2 for 30m", "key="}, {"silence", "which alerts"},
		{"silence zzzz for 1h", "no incident"}, {"silence service=db", "how long"}, {"unsilence s-k7f9", "Did you mean `s-k7f2`?"}, {"unsilence K7F2", "write `unsilence s-k7f2`"}, {"unsilence S-K7F2", "Ended"}, {"unsilence s-k7f2", "already ended"}, {"unsilence", "which silence"},
		{"send #ops disk is filling up", "is in <#C0OPS>"}, {"send to ops: critical it burns", "is in <#C0OPS>"}, {"send", "nothing to send"}, {"test", "is in <#C0OPS>"},
		{"subscribe", "no alerts as direct messages"}, {"subscribe critical", "severity"}, {"subscribe", "severity"}, {"unsubscribe service=db", "all of your subscriptions"}, {"unsubscribe", "1 subscription"}, {"unsubscribe", "no subscriptions"},
		{"oncall", "Who is notified of what"}, {"heartbeats", "nightly-backup missing"}, {"heartbeat", "never heard"}, {"stats", "Until acknowledged"}, {"stats 7", "7 of what"}, {"doctor", "Nothing is wrong"}, {"status", "Delivery works"}, {"status", "Heartbeats: 🔴 1 missing"},
		{"help", "silence MATCHERS"}, {"help silence", "until tomorrow 9am"}, {"silence help", "until tomorrow 9am"}, {"help slience", "Did you mean `/notify help silence`?"}, {"slience x=y", "Did you mean `/notify silence`?"}, {"dance", "lists what I can do"},
		{"\u201cshow\u201d <!channel>", "no incident"}, {"*_~", "lists what I can do"}, {"<http://x|bank.com>", "lists what I can do"},
	} {
		if c[0] == "status" {
			d.health.Connections = 2
		}
		got := d.types(t, h, c[0])
		if !strings.Contains(got, c[1]) {
			t.Errorf("%q is answered with %q, want %q", c[0], got, c[1])
		}
		if strings.Contains(got, "<!channel>") || strings.Contains(got, "<http://x|") {
			t.Errorf("%q is answered with %q", c[0], got)
		}
	}
}

func TestANoteMayBeginWithAWordThatLooksLikeAnID(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}}
	d.types(t, d.handlers(), "ack k7f2 hmmm let me <@U0BOB|bob> see")
	if len(d.acts) != 1 || d.acts[0].Text != "hmmm let me @bob see" || d.acts[0].Incident != "k7f2" || d.acts[0].By != (alert.Person{ID: "U0ANN", Name: "ann"}) || d.acts[0].RequestID != "t" {
		t.Errorf("acts %+v", d.acts)
	}
}

func TestAPersonIsNamedInManyWays(t *testing.T) {
	for said, want := range map[string]alert.Person{
		"<@U0BOB|bob>": {ID: "U0BOB", Name: "bob"}, "<@U0BOB>": {ID: "U0BOB", Name: "bob"}, "@bob": {ID: "U0BOB", Name: "bob"}, "@Bob,": {ID: "U0BOB", Name: "bob"}, "me": {ID: "U0ANN", Name: "ann"},
	} {
		d := &desk{open: []alert.Incident{disk()}}
		d.types(t, d.handlers(), "assign k7f2 to "+said)
		if len(d.acts) != 1 || d.acts[0].To != want || d.acts[0].Verb != alert.VerbAssign {
			t.Errorf("%s: acts %+v", said, d.acts)
		}
	}
}

func TestAClockIsReadInTheCallersZone(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{zone: zone}
	h := d.handlers()
	d.types(t, h, "silence service=db until 18:00")
	now := time.Unix(1795442000, 0).In(zone)
	if got := d.silences[0].EndsAt.In(zone); got.Hour() != 18 || got.Sub(now) > 24*time.Hour || got.Before(now) {
		t.Errorf("it is %v, and it ends at %v", now, got)
	}
	d.zoneErr = errors.New("slack is away")
	if got := d.types(t, h, "silence service=web until 18:00"); !strings.Contains(got, "your time zone") || len(d.silences) != 1 {
		t.Errorf("answered %q, silences %+v", got, d.silences)
	}
	if got := d.types(t, h, "silence service=web until 18:00 UTC"); len(d.silences) != 2 {
		t.Errorf("answered %q", got)
	}
}

func TestASilenceIsEndedByWordsThatMeanOne(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}, settled: true}
	h := d.handlers()
	for _, said := range []string{"service=db for 2h because new disks", "service=web for 2h", "host=db-3 for 2h"} {
		d.types(t, h, "silence "+said)
	}
	if got := d.types(t, h, "unsilence nothing like it"); !strings.Contains(got, "no silence is about nothing like it") {
		t.Errorf("words that mean none are answered with %q", got)
	}
	if got := d.types(t, h, "unmute db"); strings.Contains(got, "Ended") || !strings.Contains(got, `host="db-3"`) || !strings.Contains(got, `service="db"`) || strings.Contains(got, "web") {
		t.Errorf("words that mean two silences are answered with %q", got)
	}
	if got := d.types(t, h, "unsilence service=web"); !strings.Contains(got, "Ended: `service=\"web\"`") {
		t.Errorf("words that mean one are answered with %q", got)
	}
	if got := d.types(t, h, "unmute the new disks"); !strings.Contains(got, "Ended: `service=\"db\"`") {
		t.Errorf("a reason is answered with %q", got)
	}
}

func TestTheLatestEndOfAPersonsSilenceCounts(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}, settled: true}
	h := d.handlers()
	ends := func(said, want string, after time.Duration) {
		t.Helper()
		if got := d.types(t, h, said); !strings.Contains(got, want) || len(d.silences) != 1 || !d.silences[0].EndsAt.Equal(d.silences[0].CreatedAt.Add(after)) || d.silences[0].Why != "disks" {
			t.Errorf("%s: %q, and the silences are %+v", said, got, d.silences)
		}
	}
	ends("mute k7f2 for 1h because disks", "🔕 `s-k7f2` silences", time.Hour)
	ends("mute k7f2", "Silenced already: `s-k7f2` silences", time.Hour)
	ends("mute k7f2 for 2h", "🔕 `s-k7f2` silences", 2*time.Hour)
	ends("mute k7f2 for 30m", "🔕 `s-k7f2` silences", 30*time.Minute)
	d.silences[0].By = alert.Person{ID: "U0BOB"}
	ends("mute k7f2 for 10m", "Silenced already: `s-k7f2` silences", 30*time.Minute)
	if d.types(t, h, "mute k7f2 for 3h"); len(d.silences) != 2 {
		t.Errorf("for longer than somebody else: %+v", d.silences)
	}
}

func TestWordsThatMayMeanAnotherSilenceEndNone(t *testing.T) {
	for _, c := range []struct{ silence, said, want string }{
		{`host=db-30 for 1h`, "unsilence db-3", "no silence is about"},
		{`service=pgx for 1h`, "unsilence s", "no silence is about"},
		{`service=pgx for 1h`, "unsilence gx", "no silence is about"},
		{`service=pgx for 1h`, "unsilence service=pg", "no silence is about"},
		{`service=pgx for 1h`, "unsilence service=PGX", "no silence is about"},
		{`service=pgx for 1h`, "unsilence service", "Do you mean this silence?"},
		{`host=db-3-old for 1h`, "unsilence db-3", "Do you mean this silence?"},
		{`service!=pgx severity=info for 1h`, "unsilence pgx", "Do you mean this silence?"},
		{`host=web-12 for 1h because see db-3`, "unsilence db-3", "Do you mean this silence?"},
		{`host=web-12 for 1h because see k7f2`, "unsilence k7f2", "Do you mean this silence?"},
		{`host=db-3 for 1h because the k7f2`, "unsilence k7f2", "Do you mean this silence?"},
		{`service=k7f2 for 1h`, "unsilence k7f2", "Do you mean this silence?"},
		{`service=pgx for 1h`, "unsilence service=pgx host=db-3", "no silence is about"},
		{`service=pgx for 1h`, "unsilence pgx db-3", "no silence is about"},
		{`service=pgx for 1h`, "unsilence service=", "is not a matcher"},
		{`service="db 3" host=x for 1h`, `unsilence service="db 3"`, "Ended"},
		{`service=pgx for 1h`, "unsilence PGX", "Ended"},
		{`service=pgx for 1h`, "unsilence the pgx please", "Ended"},
		{`host=web-12 for 1h because the new disks`, "unsilence new disks", "Ended"},
		{`service=pgx for 1h`, "unsilence all", "Ended"},
	} {
		d := &desk{open: []alert.Incident{disk()}, settled: true}
		h := d.handlers()
		d.types(t, h, "silence "+c.silence)
		if got := d.types(t, h, c.said); !strings.Contains(got, c.want) || c.want != "Ended" && strings.Contains(got, "Ended") {
			t.Errorf("%s, while %s is silenced: %q", c.said, c.silence, got)
		}
	}
	hidden := disk()
	hidden.Silence = "s-k7f2"
	d := &desk{open: []alert.Incident{hidden}, settled: true}
	h := d.handlers()
	for _, said := range []string{"service=web for 1h", "k7f2 for 1h", "severity=error for 2h"} {
		d.types(t, h, "silence "+said)
	}
	if got := d.types(t, h, "unsilence k7f2"); !strings.Contains(got, "Which silence do you mean?") || !strings.Contains(got, "key=") || !strings.Contains(got, "severity=") {
		t.Errorf("an incident that two silences hide is answered with %q", got)
	}
}

func TestAskingTwiceForTheSameSilenceIsOne(t *testing.T) {
	d := &desk{}
	h := d.handlers()
	d.types(t, h, "silence service=db for 2h")
	d.later = 5 * time.Second
	if got := d.types(t, h, "silence service=“db” 2h"); len(d.silences) != 1 || !strings.Contains(got, "s-k7f2") {
		t.Errorf("answered %q, silences %+v", got, d.silences)
	}
}

func TestALongListIsPagedAndThePagesOutliveARestart(t *testing.T) {
	d := &desk{}
	for n := range 25 {
		d.open = append(d.open, alert.Incident{ID: fmt.Sprintf("k7%02d", n), State: alert.Open, Title: fmt.Sprintf("number %d", n), Labels: map[string]string{"service": "db"}})
	}
	var page render.Message
	h := d.handlers()
	ok(t, h.Command(t.Context(), bot.Command{Caller: ann(), Name: "/notify", Text: "list service=db"}))
	if !strings.Contains(d.answers[0], "1 to 10 of 25") {
		t.Fatalf("answered %q", d.answers[0])
	}
	_ = page
	click := func(value, where string, ephemeral bool) {
		t.Helper()
		caller := ann()
		caller.Channel = where
		ok(t, d.handlers().Action(t.Context(), bot.Action{Caller: caller, ActionID: render.ActionPage + ":older", Value: value, MessageTS: "1.2", Ephemeral: ephemeral}))
	}
	click(`{"m":"service=\"db\"","s":["open","acked"],"f":20}`, "C0OPS", true)
	if len(d.inPlace) != 1 || !strings.Contains(d.inPlace[0], "21 to 25 of 25") {
		t.Fatalf("in place of the page: %q", d.inPlace)
	}
	click(`{"s":["open"],"f":10}`, "D0ANN", false)
	if len(d.inPlace) != 2 || !strings.Contains(d.inPlace[1], "11 to 20") {
		t.Fatalf("in a direct message: %q", d.inPlace)
	}
	d.open = d.open[:12]
	click(`{"s":["open"],"f":20}`, "C0OPS", false)
	if len(d.inPlace) != 2 || !strings.Contains(d.answers[len(d.answers)-1], "11 to 12 of 12") {
		t.Errorf("where others read it, and behind the end: %q, %q", d.inPlace, d.answers)
	}
	click(`{"s":`, "C0OPS", true)
	d.wantAnswer(t, "no longer works")
}

func (d *desk) clicks(t *testing.T, h *handlers.Handlers, a bot.Action) []string {
	t.Helper()
	d.answers = nil
	if a.User == "" {
		a.Caller = ann()
	}
	if a.TriggerID == "" {
		a.TriggerID = "t"
	}
	ok(t, h.Action(t.Context(), a))
	return d.answers
}

func TestAClickOnACardOffersToUndoItAndAnyOtherIsAnsweredWhereItWouldNotBeSeen(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}}
	h := d.handlers()
	card := bot.Action{ActionID: render.ActionAck, Value: "k7f2", MessageTS: "1.1"}
	if got := d.clicks(t, h, card); len(got) != 1 || d.buttons(t, d.last)["choose:undo"] == "" || len(d.acts) != 1 || d.acts[0].RequestID != "t" {
		t.Errorf("on its card: %q, acts %+v", got, d.acts)
	}
	if got := d.clicks(t, h, card); len(got) != 1 || !strings.Contains(got[0], "already acknowledged by ann") {
		t.Errorf("the second click: %q", got)
	}
	card.ActionID = render.ActionResolve
	if got := d.clicks(t, h, card); len(got) != 1 || d.buttons(t, d.last)["choose:undo"] == "" {
		t.Errorf("resolve on its card: %q", got)
	}
	if got := d.clicks(t, h, bot.Action{ActionID: render.ActionMore, Value: "reopen:k7f2", MessageTS: "1.1"}); len(got) != 0 || d.acts[len(d.acts)-1].Verb != alert.VerbReopen {
		t.Errorf("an undo on its card: %q, acts %+v", got, d.acts)
	}
	for name, elsewhere := range map[string]bot.Action{
		"a list":           {ActionID: render.ActionResolve, Value: "k7f2", MessageTS: "9.9"},
		"a private answer": {ActionID: render.ActionResolve, Value: "k7f2", MessageTS: "9.9", Ephemeral: true},
	} {
		if got := d.clicks(t, h, elsewhere); len(got) != 1 || !strings.Contains(got[0], "You resolved") {
			t.Errorf("in %s: %q", name, got)
		}
	}
	d.open[0].Cards[0].Digest = true
	if got := d.clicks(t, h, card); len(got) != 1 {
		t.Errorf("in a digest: %q", got)
	}
	if got := d.clicks(t, h, bot.Action{ActionID: render.ActionResolve, Value: "k7f2", ViewID: "V1"}); len(got) != 0 {
		t.Errorf("at home: %q", got)
	}
	if got := d.clicks(t, h, bot.Action{ActionID: render.ActionAck, Value: "zzzz", MessageTS: "1.1"}); len(got) != 1 || !strings.Contains(got[0], "old and deleted") {
		t.Errorf("a forgotten incident: %q", got)
	}
}

func TestWithoutTheStoreOnlyWhoseRequestIsLostIsAnswered(t *testing.T) {
	dm := bot.Caller{User: "U0ANN", Channel: "D0ANN"}
	for what, do := range map[string]func(h *handlers.Handlers, by bot.Caller) error{
		"a command": func(h *handlers.Handlers, by bot.Caller) error {
			return h.Command(t.Context(), bot.Command{Caller: by, Name: "/notify", Text: "ack k7f2", TriggerID: "t"})
		},
		"a message": func(h *handlers.Handlers, by bot.Caller) error {
			return h.Message(t.Context(), bot.Message{Caller: by, Text: "resolve k7f2", TS: "1.2"})
		},
		"a dialog": func(h *handlers.Handlers, by bot.Caller) error {
			_, work := h.Submit(bot.Submission{User: by.User, Lost: by.Lost, CallbackID: render.CallbackNote, Private: `{"i":"k7f2","c":"D0ANN"}`,
				Inputs: map[string]map[string]string{render.InputText: {render.InputText: "seen"}}})
			return work(t.Context())
		},
		"a card":   clickOf(t, bot.Action{ActionID: render.ActionAck, Value: "k7f2", MessageTS: "1.1"}),
		"a list":   clickOf(t, bot.Action{ActionID: render.ActionResolve, Value: `k7f2 {"s":["open"]}`, MessageTS: "9.9"}),
		"silences": clickOf(t, bot.Action{ActionID: render.ActionExpire, Value: "zzzz", MessageTS: "9.9"}),
		"the Home": clickOf(t, bot.Action{ActionID: render.ActionExpire, Value: "zzzz", ViewID: "V1"}),
		"a queue":  clickOf(t, bot.Action{ActionID: render.ActionDrop, Value: "d1", MessageTS: "9.9"}),
	} {
		for _, why := range []error{alert.ErrUnavailable, alert.ErrInDoubt} {
			d := &desk{open: []alert.Incident{disk()}, pushErr: why}
			h := d.handlers()
			if err := do(h, dm); !errors.Is(err, why) || len(d.answers)+len(d.inPlace)+len(d.said) != 0 {
				t.Errorf("%s with %v: %v, and the answers are %q, %q and %q", what, why, err, d.answers, d.inPlace, d.said)
			}
			lost := dm
			lost.Lost = true
			if err := do(h, lost); err != nil || len(d.answers)+len(d.inPlace)+len(d.said) != 1 {
				t.Errorf("%s that is lost with %v: %v, and the answers are %q, %q and %q", what, why, err, d.answers, d.inPlace, d.said)
			}
		}
	}
}

func clickOf(t *testing.T, a bot.Action) func(h *handlers.Handlers, by bot.Caller) error {
	return func(h *handlers.Handlers, by bot.Caller) error {
		if a.Caller, a.TriggerID = by, "t"; a.ViewID != "" { // which is in no conversation
			a.Channel = ""
		}
		return h.Action(t.Context(), a)
	}
}

func TestTheMenuOfACardOffersMore(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}}
	h := d.handlers()
	choose := func(value string) []string {
		t.Helper()
		return d.clicks(t, h, bot.Action{ActionID: render.ActionMore, Value: value, MessageTS: "1.1"})
	}
	for n, value := range []string{"assign:k7f2", "note:k7f2", "details:k7f2"} {
		if got := choose(value); len(got) != 0 || len(d.opened) != n+1 {
			t.Errorf("%s: %q, %d dialogs", value, got, len(d.opened))
		}
		if got := choose(strings.Replace(value, "k7f2", "zzzz", 1)); len(got) != 1 || len(d.opened) != n+1 {
			t.Errorf("%s of a forgotten incident: %q", value, got)
		}
	}
	if got := choose("copy:k7f2"); len(got) != 0 || d.opened[len(d.opened)-1].CallbackID != render.CallbackCopy {
		t.Errorf("copy: %q, and the dialogs %+v", got, d.opened)
	}
	if got := choose("mute:k7f2"); len(got) != 1 || len(d.silences) != 1 || d.silences[0].Matchers.String() != `key="disk-db-3"` || d.silences[0].EndsAt.Sub(d.silences[0].CreatedAt) != time.Hour {
		t.Errorf("mute: %q, %+v", got, d.silences)
	}
	if choose("mute:k7f2"); len(d.silences) != 1 {
		t.Errorf("a double click: %+v", d.silences)
	}
	if got := choose("dance:k7f2"); len(got) != 1 || !strings.Contains(got[0], "no longer works") {
		t.Errorf("an unknown choice: %q", got)
	}
	d.openErr = errors.New("expired_trigger_id")
	if got := choose("note:k7f2"); len(got) != 1 || !strings.Contains(got[0], "click again") {
		t.Errorf("too late: %q", got)
	}
}

func TestExpireEndsASilenceAndDrawsItsListAnew(t *testing.T) {
	d := &desk{}
	h := d.handlers()
	d.types(t, h, "silence service=db for 2h")
	d.types(t, h, "silence service=web for 2h")
	if got := d.clicks(t, h, bot.Action{ActionID: render.ActionExpire, Value: "s-k7f2", MessageTS: "1.2", Ephemeral: true}); len(got) != 0 || len(d.inPlace) != 1 || strings.Contains(d.inPlace[0], "s-k7f2") {
		t.Errorf("answered %q, in place %q", got, d.inPlace)
	}
	if got := d.clicks(t, h, bot.Action{ActionID: render.ActionExpire, Value: "s-k7f3", MessageTS: "1.2"}); len(got) != 1 || !strings.Contains(got[0], "Ended") {
		t.Errorf("in a channel: %q", got)
	}
	if got := d.clicks(t, h, bot.Action{ActionID: render.ActionExpire, Value: "s-k7f3", MessageTS: "1.2"}); len(got) != 1 || !strings.Contains(got[0], "already ended") {
		t.Errorf("twice: %q", got)
	}
}

func TestWhoMayNotIsToldPolitelyAndLogged(t *testing.T) {
	incident := disk()
	do := map[string]func(t *testing.T, d *desk, h *handlers.Handlers) []string{
		"ack": func(t *testing.T, d *desk, h *handlers.Handlers) []string { return []string{d.types(t, h, "ack k7f2")} },
		"assign": func(t *testing.T, d *desk, h *handlers.Handlers) []string {
			return []string{d.types(t, h, "assign k7f2 me")}
		},
		"silence": func(t *testing.T, d *desk, h *handlers.Handlers) []string {
			return []string{d.types(t, h, "silence a=b 1h")}
		},
		"send": func(t *testing.T, d *desk, h *handlers.Handlers) []string {
			return []string{d.types(t, h, "send hello")}
		},
		"test": func(t *testing.T, d *desk, h *handlers.Handlers) []string { return []string{d.types(t, h, "test")} },
		"click": func(t *testing.T, d *desk, h *handlers.Handlers) []string {
			return d.clicks(t, h, bot.Action{ActionID: render.ActionAck, Value: "k7f2", MessageTS: "1.1"})
		},
		"menu": func(t *testing.T, d *desk, h *handlers.Handlers) []string {
			return d.clicks(t, h, bot.Action{ActionID: render.ActionMore, Value: "mute:k7f2", MessageTS: "1.1"})
		},
		"dialog": func(t *testing.T, d *desk, h *handlers.Handlers) []string {
			return d.clicks(t, h, bot.Action{ActionID: render.ActionSilence, Value: "k7f2", MessageTS: "1.1"})
		},
		"home": func(t *testing.T, d *desk, h *handlers.Handlers) []string {
			return d.clicks(t, h, bot.Action{ActionID: render.ActionTest, ViewID: "V1"})
		},
		"filled in": func(t *testing.T, d *desk, h *handlers.Handlers) []string {
			d.answers = nil
			_, work := h.Submit(bot.Submission{User: "U0ANN", CallbackID: render.CallbackNote, Private: `{"i":"k7f2"}`, Inputs: inputs("text", "x")})
			ok(t, work(t.Context()))
			return d.answers
		},
	}
	all := func(who ...string) handlers.Permissions {
		return handlers.Permissions{Ack: who, Silence: who, Send: who}
	}
	for _, c := range []struct {
		name string
		may  handlers.Permissions
		want string // empty: they may
	}{
		{"by default", handlers.Permissions{}, ""},
		{"everyone", all("everyone"), ""},
		{"nobody", all("nobody"), "you may not"},
		{"by id", all("U0BOB", "U0ANN"), ""},
		{"somebody else", all("U0BOB"), "you may not"},
		{"in the group", all("S0ONCALL"), ""},
		{"in the channel", all("#ops"), ""},
		{"in another channel", all("#other", "S0OTHER"), "you may not"},
		{"in an unknown group or known one", all("S0GONE", "#ops"), ""},
		{"in an unknown group", all("S0GONE"), "can't see at the moment whether you may"},
	} {
		for what, try := range do {
			d := &desk{open: []alert.Incident{incident}, settled: true, permissions: c.may, members: map[string][]string{
				"S0ONCALL": {"U0BOB", "U0ANN"}, "#ops": {"U0ANN"}, "#other": {"U0BOB"}, "S0OTHER": nil,
			}}
			got := strings.Join(try(t, d, d.handlers()), " ")
			did := len(d.acts)+len(d.silences)+len(d.pushed)+len(d.opened) > 0
			if did != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("%s, %s: answered %q, done: %v", c.name, what, got, did)
			}
			if logged := d.logged.String(); (c.want != "") != strings.Contains(logged, `"msg":"refused"`) || c.want != "" && (!strings.Contains(logged, `"user":"U0ANN"`) || !strings.Contains(logged, `"wanted":"`)) {
				t.Errorf("%s, %s: logged %s", c.name, what, logged)
			}
		}
	}
}

func TestWhoMayNotChangeAnythingMayStillLook(t *testing.T) {
	d := &desk{open: []alert.Incident{disk()}, permissions: handlers.Permissions{Ack: []string{"nobody"}, Silence: []string{"nobody"}, Send: []string{"nobody"}}}
	h := d.handlers()
	for _, text := range []string{"list", "show k7f2", "silences", "status", "oncall", "stats", "help", "ack help", "subscribe a=b", "unsubscribe"} {
		if got := d.types(t, h, text); strings.Contains(got, "may not") {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestAStatisticWhoseChartIsRefusedIsToldWithAPicture(t *testing.T) {
	d := &desk{stats: alert.Stats{Alerts: 1, Until: time.Unix(1795442000, 0), Buckets: []alert.Bucket{{At: time.Unix(1795440000, 0), BySeverity: map[alert.Severity]int64{alert.Error: 1}}}}}
	d.sayErrs = []error{&alert.SendError{Class: alert.ClassPayload, Code: "invalid_blocks"}}
	h := d.handlers()
	d.types(t, h, "stats")
	if d.uploads != 1 {
		t.Errorf("%d uploads", d.uploads)
	}
	if d.types(t, h, "stats"); d.uploads != 1 {
		t.Errorf("the same picture is uploaded %d times", d.uploads)
	}
}

func TestAPersonDropsWhatWaits(t *testing.T) {
	d := &desk{deliveries: []alert.Delivery{
		{ID: "01a2-a", Lane: "#nosuch", Kind: alert.Post, State: alert.Pending, Incident: "k7f2", Reason: "channel_not_found"},
		{ID: "01a2-b", Lane: "#ops", Kind: alert.Reply, State: alert.Dead, Incident: "k7f3"},
		{ID: "01a2-c", Lane: "#ops", Kind: alert.Post, State: alert.Sending, Incident: "k7f4"},
	}}
	h := d.handlers()
	if got := d.types(t, h, "queue"); !strings.Contains(got, "waiting") || !strings.Contains(got, "channel_not_found") || !strings.Contains(got, "given up") || !strings.Contains(got, "being sent") {
		t.Errorf("the queue: %q", got)
	}
	if got := d.types(t, h, "queue drop 01a2-b"); !strings.Contains(got, "Dropped") || len(d.deliveries) != 2 {
		t.Errorf("dropped: %q", got)
	}
	for text, want := range map[string]string{"queue drop 01a2-c": "being sent right now", "queue drop 01a2-z": "no delivery 01a2-z", "queue dance": "queue drop ID"} {
		if got := d.types(t, h, text); !strings.Contains(got, want) {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := d.clicks(t, h, bot.Action{ActionID: render.ActionDrop, Value: "01a2-a", MessageTS: "1.2", Ephemeral: true}); len(got) != 0 || len(d.inPlace) != 1 || strings.Contains(d.inPlace[0], "channel_not_found") {
		t.Errorf("by its button: %q, in place %q", got, d.inPlace)
	}
	d.permissions.Silence = []string{"nobody"}
	if got := d.types(t, d.handlers(), "queue drop 01a2-c"); !strings.Contains(got, "you may not") {
		t.Errorf("without permission: %q", got)
	}
}
