package handlers_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/handlers"
	"tocsin/render"
)

// desk is everything handlers need, in memory.
type desk struct {
	mu      sync.Mutex
	pushed  []alert.Alert
	pushErr error
	open    []alert.Incident
	readErr error
	health  alert.Health
	settled bool // alerts are delivered at once
	hashes  map[string]string
	homes   int
	said    []string // channel, thread and text
	answers []string
	sayErrs []error
	opened  int
	openErr error
	later   time.Duration // how far the clock has been put forward
	linkErr error
}

func (d *desk) handlers() *handlers.Handlers {
	if d.hashes == nil {
		d.hashes = map[string]string{}
	}
	return handlers.New(handlers.Options{
		Engine: d, Reader: d, Homes: d, Slack: d, Health: d.state,
		Now: func() time.Time { return time.Unix(1795442000, 0).Add(d.later) },
	})
}

func (d *desk) state() alert.Health {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.health
}

func (d *desk) Push(_ context.Context, alerts []alert.Alert) ([]alert.Accepted, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pushErr != nil {
		return nil, d.pushErr
	}
	d.pushed = append(d.pushed, alerts...)
	return []alert.Accepted{{ID: "a1"}}, nil
}

func (d *desk) Incidents(context.Context, alert.IncidentFilter) ([]alert.Incident, error) {
	return d.open, d.readErr
}

func (d *desk) Ledger(context.Context) (alert.Ledger, error) { return alert.Ledger{}, d.readErr }

func (d *desk) Await(ctx context.Context, id string) (alert.Record, error) {
	r := alert.Record{Standing: alert.StandPending, Lane: "#ops"}
	r.ID = id
	if d.settled {
		r.Standing, r.Conversation, r.TS = alert.StandDelivered, "C0OPS", "1.2"
		return r, nil
	}
	<-ctx.Done()
	return r, ctx.Err()
}

func (d *desk) HomeHash(_ context.Context, user string) (string, error) { return d.hashes[user], nil }

func (d *desk) SetHomeHash(_ context.Context, user, hash string) error {
	d.hashes[user] = hash
	return nil
}

func (d *desk) Respond(_ context.Context, to bot.Caller, m render.Message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers = append(d.answers, to.User+" "+m.Text)
	return nil
}

func (d *desk) Say(_ context.Context, channel, thread string, m render.Message) (string, error) {
	if len(d.sayErrs) > 0 {
		err := d.sayErrs[0]
		d.sayErrs = d.sayErrs[1:]
		return "", err
	}
	d.said = append(d.said, channel+" "+thread+" "+m.Text)
	return "1.3", nil
}

func (d *desk) PublishHome(context.Context, string, render.HomeTab, string) (string, error) {
	d.homes++
	return "hash", nil
}

func (d *desk) OpenView(context.Context, string, render.Modal) error {
	d.opened++
	return d.openErr
}

func (d *desk) Permalink(context.Context, string, string) (string, error) {
	return "https://acme.slack.com/p1", d.linkErr
}

func (d *desk) wantAnswer(t *testing.T, want string) {
	t.Helper()
	if len(d.answers) == 0 || !strings.Contains(d.answers[len(d.answers)-1], want) {
		t.Errorf("answers are %q, want %q", d.answers, want)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func command(text string) bot.Command {
	return bot.Command{Caller: bot.Caller{User: "U0ANN"}, Name: "/notify-test", Text: text, TriggerID: "t1"}
}

func TestWhileEverythingIsHeldAPersonIsToldSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{health: alert.Health{Held: "Slack refuses the bot token"}}
		start := time.Now()
		ok(t, d.handlers().Command(t.Context(), command("")))
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("told after %v", took)
		}
		d.wantAnswer(t, "Nothing is sent at the moment: Slack refuses the bot token.")
	})
}

func TestManyWaitingTestsDoNotKeepTheNextPersonWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		h := d.handlers()
		var people sync.WaitGroup
		for range 4 {
			people.Go(func() { _ = h.Command(t.Context(), command("")) })
		}
		synctest.Wait()
		start := time.Now()
		ok(t, h.Command(t.Context(), command("")))
		if took := time.Since(start); took != time.Second {
			t.Errorf("the fifth person is told after %v", took)
		}
		people.Wait()
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("the others are told after %v", took)
		}
	})
}

func TestABrokenConversationIsToldSoonAndByItsOwnReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{health: alert.Health{
			LastError: "#old: is_archived", LastErrorAt: time.Unix(1795442001, 0),
			Problems: []alert.Problem{{Lane: "#old", What: "#old can't be reached: is_archived"}, {Lane: "#ops", What: "#ops can't be reached: channel_not_found", Fix: "invite me"}},
		}}
		start := time.Now()
		ok(t, d.handlers().Command(t.Context(), command("#ops")))
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("told after %v", took)
		}
		d.wantAnswer(t, "#ops can't be reached: channel_not_found; invite me.")
		if strings.Contains(d.answers[0], "archived") {
			t.Errorf("told of another conversation: %s", d.answers[0])
		}
	})
}

func TestATestThatFindsOutThatAllIsHeldIsToldSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		start := time.Now()
		var person sync.WaitGroup
		person.Go(func() { _ = d.handlers().Command(t.Context(), command("")) })
		synctest.Wait()
		d.mu.Lock()
		d.health = alert.Health{Held: "Slack refuses the app: token_revoked"}
		d.mu.Unlock()
		person.Wait()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("told after %v", took)
		}
		d.wantAnswer(t, "token_revoked")
	})
}

func TestNotifyTestHelpIsHelp(t *testing.T) {
	d := &desk{}
	for _, text := range []string{"help", "?"} {
		ok(t, d.handlers().Command(t.Context(), command(text)))
		d.wantAnswer(t, "`/notify-test [channel] [severity]`")
	}
	if len(d.pushed) != 0 {
		t.Errorf("a test alert was sent: %+v", d.pushed)
	}
}

func TestATestThatWasNotAcceptedIsNotClaimedToBe(t *testing.T) {
	for err, want := range map[error]string{
		alert.ErrUnavailable:  "was not accepted",
		alert.ErrOverloaded:   "was not accepted",
		errors.New("cut off"): "can't tell whether",
		&alert.InputError{Message: "the key is odd", Hint: "write another"}: "the key is odd",
	} {
		d := &desk{pushErr: err}
		ok(t, d.handlers().Command(t.Context(), command("#ops")))
		d.wantAnswer(t, want)
	}
}

func TestAMissingLinkIsNoReasonToSayNothing(t *testing.T) {
	d := &desk{settled: true, linkErr: errors.New("no")}
	ok(t, d.handlers().Command(t.Context(), command("")))
	d.wantAnswer(t, "Your test alert is in <#C0OPS>")
}

func TestOneRequestHandledTwiceIsOneAlert(t *testing.T) {
	d := &desk{settled: true}
	h := d.handlers()
	ok(t, h.Command(t.Context(), command("")))
	ok(t, h.Command(t.Context(), command("")))
	if len(d.pushed) != 2 || d.pushed[0].IdempotencyKey == "" || d.pushed[0].IdempotencyKey != d.pushed[1].IdempotencyKey {
		t.Errorf("pushed %+v", d.pushed)
	}
	other := command("")
	other.TriggerID = "t2"
	ok(t, h.Command(t.Context(), other))
	if a, b := d.pushed[0], d.pushed[2]; a.Key == b.Key || a.IdempotencyKey == b.IdempotencyKey {
		t.Errorf("two tests share a key: %+v, %+v", a, b)
	}
}

func TestAThrottledAnswerIsSaidLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttled := &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 7 * time.Second}
		d := &desk{sayErrs: []error{throttled, &alert.SendError{Class: alert.ClassTransient, Code: "internal_error"}}}
		start := time.Now()
		ok(t, d.handlers().Message(t.Context(), bot.Message{Caller: bot.Caller{User: "U0ANN", Channel: "D0ANN"}, Text: "help", TS: "1.1"}))
		if took := time.Since(start); took != 8*time.Second || len(d.said) != 1 {
			t.Errorf("said %q after %v", d.said, took)
		}
	})
}

func TestAnAnswerThatPerhapsWasSaidIsNotSaidAgain(t *testing.T) {
	d := &desk{sayErrs: []error{&alert.SendError{Class: alert.ClassUnsure, Code: "timeout"}}}
	err := d.handlers().Message(t.Context(), bot.Message{Caller: bot.Caller{User: "U0ANN", Channel: "D0ANN"}, Text: "help"})
	if err == nil || len(d.said) != 0 {
		t.Errorf("said %q, error %v", d.said, err)
	}
}

func TestNobodyInParticularIsNotAnswered(t *testing.T) {
	d := &desk{}
	for _, user := range []string{"", "USLACKBOT"} {
		ok(t, d.handlers().Message(t.Context(), bot.Message{Caller: bot.Caller{User: user, Channel: "D0ANN"}, Text: "help"}))
	}
	if len(d.said) != 0 {
		t.Errorf("said %q", d.said)
	}
}

func TestTheHomeIsPublishedWhenWhatItShowsHasChanged(t *testing.T) {
	d := &desk{}
	h := d.handlers()
	open := func(h *handlers.Handlers, hash string, want int, why string) {
		t.Helper()
		ok(t, h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "home", Hash: hash}))
		if d.homes != want {
			t.Errorf("%s: %d publishes, want %d", why, d.homes, want)
		}
		d.later += 3 * time.Second
	}
	ok(t, h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "messages"}))
	open(h, "", 1, "first opening")
	open(h, "x", 1, "nothing changed")
	d.health = alert.Health{Connections: 2, ConnectedSince: time.Unix(1795442700, 0)}
	open(h, "x", 2, "connected")
	d.health.ConnectedSince = d.health.ConnectedSince.Add(time.Second)
	open(h, "x", 2, "a change below a minute")
	d.open = []alert.Incident{{ID: "k7f2", Severity: alert.Error, Title: "disk full", Count: 1}}
	open(h, "x", 3, "an incident")
	open(d.handlers(), "x", 3, "after a restart")
	open(h, "", 4, "Slack has lost the view")
}

func TestOpeningTheHomeAgainAndAgainIsOneLook(t *testing.T) {
	d := &desk{}
	h := d.handlers()
	for range 5 {
		ok(t, h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "home"}))
		d.later += 100 * time.Millisecond
	}
	ok(t, h.Home(t.Context(), bot.Home{User: "U0BOB", Tab: "home"}))
	if d.homes != 2 {
		t.Errorf("%d publishes for two people", d.homes)
	}
}

func TestAHomeThatCantBeReadIsNoEmptyHome(t *testing.T) {
	d := &desk{readErr: alert.ErrUnavailable}
	h := d.handlers()
	if err := h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "home"}); err == nil {
		t.Error("no error")
	}
	ok(t, h.Action(t.Context(), bot.Action{Caller: bot.Caller{User: "U0ANN"}, ActionID: render.ActionRefresh}))
	d.wantAnswer(t, "can't refresh")
	ok(t, h.Command(t.Context(), bot.Command{Name: "/notify", Text: "status"}))
	d.wantAnswer(t, "can't read what is open")
	if d.homes != 0 {
		t.Errorf("%d publishes", d.homes)
	}
}

func TestButtonsAreAnswered(t *testing.T) {
	d := &desk{}
	h := d.handlers()
	click := func(action string) {
		t.Helper()
		ok(t, h.Action(t.Context(), bot.Action{Caller: bot.Caller{User: "U0ANN"}, ActionID: action, TriggerID: "t"}))
	}
	click(render.ActionLink + ":3")
	click(render.ActionTest)
	if len(d.answers) != 0 || d.opened != 1 {
		t.Errorf("answers %q, %d dialogs", d.answers, d.opened)
	}
	click("from_an_older_version")
	d.wantAnswer(t, "does nothing any more")
	d.openErr = errors.New("expired_trigger_id")
	click(render.ActionTest)
	d.wantAnswer(t, "click again")
}

func TestTheDialogIsJudgedWithoutDoingAnything(t *testing.T) {
	d := &desk{settled: true}
	h := d.handlers()
	fill := func(channel, severity, title string) bot.Submission {
		input := func(name, value string) map[string]bot.Input { return map[string]bot.Input{name: {Value: value}} }
		return bot.Submission{User: "U0ANN", CallbackID: render.CallbackTest, TriggerID: "t", Inputs: map[string]map[string]bot.Input{
			render.InputChannel: input(render.InputChannel, channel), render.InputSeverity: input(render.InputSeverity, severity),
			render.InputTitle: input(render.InputTitle, title),
		}}
	}
	for _, c := range []struct {
		name  string
		s     bot.Submission
		block string
	}{
		{"no title", fill("", "info", " \u200b "), render.InputTitle},
		{"long title", fill("", "info", strings.Repeat("é", 151)), render.InputTitle},
		{"no severity", fill("", "", "x"), render.InputSeverity},
		{"odd severity", fill("", "fatal", "x"), render.InputSeverity},
		{"two channels", fill("#a #b", "info", "x"), render.InputChannel},
		{"no channel's name", fill("<!here>", "info", "x"), render.InputChannel},
		{"nothing at all", bot.Submission{CallbackID: render.CallbackTest}, render.InputTitle},
	} {
		errs, work := h.Submit(c.s)
		if errs[c.block] == "" || work != nil {
			t.Errorf("%s: errors %q", c.name, errs)
		}
	}
	errs, work := h.Submit(fill(" ops ", "warning", "it  works"))
	if len(errs) > 0 || work == nil || len(d.pushed) > 0 {
		t.Fatalf("errors %q, pushed %v", errs, d.pushed)
	}
	ok(t, work(t.Context()))
	if a := d.pushed[0]; a.Title != "it works" || a.Severity != alert.Warning || a.Channel != "ops" {
		t.Errorf("pushed %+v", a)
	}
	d.wantAnswer(t, "U0ANN ✅ Your test alert is in")
}

func TestADialogNobodyKnowsIsAnswered(t *testing.T) {
	d := &desk{}
	errs, work := d.handlers().Submit(bot.Submission{User: "U0ANN", CallbackID: "older"})
	if len(errs) > 0 || work == nil {
		t.Fatalf("errors %q", errs)
	}
	ok(t, work(t.Context()))
	d.wantAnswer(t, "does nothing any more")
}
