package handlers_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/handlers"
	"tocsin/render"
)

// desk is everything handlers need, in memory.
type desk struct {
	mu         sync.Mutex
	pushed     []alert.Alert
	pushErr    error
	acts       []alert.Act
	open       []alert.Incident
	readErr    error
	grouped    map[string][]alert.GroupMember
	health     alert.Health
	settled    bool // alerts are delivered at once
	hashes     map[string]string
	homes      []string // whose Home was published, in this order
	homeErr    func(view render.HomeTab) error
	said       []string // channel, thread and text
	answers    []string
	last       render.Message // the latest answer
	inPlace    []string
	sayErrs    []error
	opened     []render.Modal
	openErr    error
	updated    int
	later      time.Duration // how far the clock has been put forward
	linkErr    error
	uploads    int
	members    map[string][]string
	deliveries []alert.Delivery
	// unreachable are Slack's codes by conversation.
	unreachable map[string]string
	zone        *time.Location
	zoneErr     error
	logged      strings.Builder

	silences    []alert.Silence
	heartbeats  []alert.Heartbeat
	wishes      []alert.Subscription
	stats       alert.Stats
	permissions handlers.Permissions
	counted     int
}

func (d *desk) handlers() *handlers.Handlers {
	if d.hashes == nil {
		d.hashes = map[string]string{}
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&d.logged), zap.InfoLevel)
	return handlers.New(handlers.Options{
		Engine: d, Store: d, Slack: d, Health: d.state, Doctor: func(context.Context) alert.Checkup { return alert.NewCheckup(nil) },
		Permissions: d.permissions, Log: zap.New(core),
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

func (d *desk) Act(_ context.Context, acts []alert.Act) ([]alert.Acted, error) {
	if d.pushErr != nil {
		return nil, d.pushErr
	}
	d.acts = append(d.acts, acts...)
	acted := make([]alert.Acted, len(acts))
	for n, a := range acts {
		acted[n] = alert.Acted{Incident: alert.Incident{ID: a.Incident}, Effect: alert.ActUnknown}
		for at, i := range d.open {
			switch {
			case i.ID != a.Incident:
			case i.State == alert.Acked && a.Verb == alert.VerbAck:
				acted[n] = alert.Acted{Incident: i, Effect: alert.ActAlready}
			default:
				if a.Verb == alert.VerbAck {
					d.open[at].State, d.open[at].AckedBy = alert.Acked, a.By
				}
				acted[n] = alert.Acted{Incident: d.open[at], Effect: alert.ActDone}
			}
		}
	}
	return acted, nil
}

func (d *desk) Silence(_ context.Context, s alert.Silence) (alert.Silence, error) {
	if d.pushErr != nil {
		return s, d.pushErr
	}
	for n, q := range d.silences {
		if q.ID == s.ID {
			d.silences[n] = s
			return s, nil
		}
	}
	s.ID = "s-k7f" + strconv.Itoa(2+len(d.silences))
	d.silences = append(d.silences, s)
	return s, nil
}

func (d *desk) Unsilence(_ context.Context, id string, by alert.Person) (alert.Silence, error) {
	for n, s := range d.silences {
		switch {
		case s.ID != id:
		case s.EndedBy == (alert.Person{}):
			d.silences[n].EndedBy = by
			return d.silences[n], nil
		default:
			s.EndsAt = time.Unix(1795442000, 0).Add(d.later - time.Minute)
			return s, nil
		}
	}
	return alert.Silence{}, cmp.Or(d.pushErr, alert.ErrNotFound)
}

// board are the incidents that a filter keeps.
func (d *desk) board(f alert.IncidentFilter) []alert.Incident {
	var kept []alert.Incident
	for _, i := range d.open {
		if f.Mine == "" && (len(f.States) == 0 || slices.Contains(f.States, i.State)) && f.Selects(i.Subject()) {
			kept = append(kept, i)
		}
	}
	return kept
}

func (d *desk) Incidents(_ context.Context, f alert.IncidentFilter) ([]alert.Incident, error) {
	rows := d.board(f)
	rows = rows[min(f.Offset, len(rows)):]
	return rows[:min(len(rows), f.Limit)], d.readErr
}

func (d *desk) Incident(_ context.Context, id string) (alert.Incident, error) {
	for _, i := range d.open {
		if i.ID == id {
			return i, d.readErr
		}
	}
	return alert.Incident{}, alert.ErrNotFound
}

func (d *desk) IDs(_ context.Context, f alert.IncidentFilter) ([]string, error) {
	var ids []string
	for _, i := range d.board(f) {
		ids = append(ids, i.ID)
	}
	if f.Limit > 0 {
		ids = ids[:min(len(ids), f.Limit)]
	}
	return ids, d.readErr
}

func (d *desk) IncidentAt(_ context.Context, conversation, ts string) (alert.Incident, error) {
	for _, i := range d.open {
		if i.Card("#ops").Conversation == conversation && i.Card("#ops").TS == ts {
			return i, d.readErr
		}
	}
	return alert.Incident{}, alert.ErrNotFound
}

func (d *desk) DigestAt(context.Context, string, string) (string, error) {
	return "", alert.ErrNotFound
}

func (d *desk) Tally(context.Context, ...alert.State) (map[alert.Severity]int, error) {
	counts := map[alert.Severity]int{}
	for _, i := range d.open {
		counts[i.Severity]++
	}
	return counts, d.readErr
}

func (d *desk) Count(_ context.Context, f alert.IncidentFilter) (int, error) {
	return max(d.counted, len(d.board(f))), d.readErr
}

func (d *desk) History(context.Context, string) ([]alert.Event, error) { return nil, d.readErr }

func (d *desk) Silences(_ context.Context, f alert.SilenceFilter) ([]alert.Silence, error) {
	var all []alert.Silence
	for _, s := range d.silences {
		if (f.ID == "" || s.ID == f.ID) && (f.At.IsZero() || !s.Over(f.At) && s.EndedBy == (alert.Person{})) {
			all = append(all, s)
		}
	}
	return all, d.readErr
}

func (d *desk) GroupMembers(_ context.Context, incident string, offset, limit int) ([]alert.GroupMember, error) {
	all := d.grouped[incident]
	return all[min(offset, len(all)):min(offset+limit, len(all))], d.readErr
}

func (d *desk) Heartbeats(context.Context) ([]alert.Heartbeat, error) { return d.heartbeats, d.readErr }

// Ledger is that of a desk that has sent to #ops.
func (d *desk) Ledger(context.Context) (alert.Ledger, error) {
	return alert.Ledger{Lanes: []alert.LaneCounts{{Lane: "#ops"}}}, d.readErr
}

func (d *desk) Stats(context.Context, []time.Time) (alert.Stats, error) {
	return d.stats, d.readErr
}

func (d *desk) Subscribe(_ context.Context, s alert.Subscription) error {
	d.wishes = append(d.wishes, s)
	return d.pushErr
}

func (d *desk) Unsubscribe(context.Context, string) (int, error) {
	n := len(d.wishes)
	d.wishes = nil
	return n, d.pushErr
}

func (d *desk) Subscriptions(context.Context, string) ([]alert.Subscription, error) {
	return d.wishes, d.readErr
}

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
	if len(d.sayErrs) > 0 {
		err := d.sayErrs[0]
		d.sayErrs = d.sayErrs[1:]
		return err
	}
	d.answers, d.last = append(d.answers, to.User+" "+m.Text), m
	return nil
}

func (d *desk) Replace(_ context.Context, to bot.Caller, m render.Message) error {
	d.inPlace = append(d.inPlace, to.User+" "+m.Text)
	return nil
}

func (d *desk) PostMessage(_ context.Context, channel, thread string, m render.Message) (string, error) {
	if len(d.sayErrs) > 0 {
		err := d.sayErrs[0]
		d.sayErrs = d.sayErrs[1:]
		return "", err
	}
	d.said = append(d.said, channel+" "+thread+" "+m.Text)
	return "1.3", nil
}

func (d *desk) PublishHome(_ context.Context, user string, view render.HomeTab, _ string) (string, error) {
	if d.homeErr != nil {
		if err := d.homeErr(view); err != nil {
			return "", err
		}
	}
	d.homes = append(d.homes, user)
	return "hash", nil
}

func (d *desk) OpenView(_ context.Context, _ string, view render.Modal) error {
	d.opened = append(d.opened, view)
	return d.openErr
}

func (d *desk) UpdateView(context.Context, string, string, render.Modal) error {
	d.updated++
	return nil
}

func (d *desk) Permalink(context.Context, string, string) (string, error) {
	return "https://acme.slack.com/p1", d.linkErr
}

func (d *desk) Upload(context.Context, string, string, []byte) (string, error) {
	d.uploads++
	return "F0CHART1", nil
}

func (d *desk) Outside(context.Context, string) (string, error) { return "", nil }

func (d *desk) Zone(context.Context, string) (*time.Location, error) {
	if d.zone == nil {
		return time.UTC, d.zoneErr
	}
	return d.zone, d.zoneErr
}

func (d *desk) Name(_ context.Context, user string) (string, error) {
	return strings.ToLower(strings.TrimPrefix(user, "U0")), nil
}

func (d *desk) Person(_ context.Context, said string) (alert.Person, error) {
	if said == "@bob" {
		return alert.Person{ID: "U0BOB", Name: "bob"}, nil
	}
	return alert.Person{}, &alert.SendError{Class: alert.ClassDestination, Code: "users_not_found"}
}

func (d *desk) Deliveries(context.Context, alert.DeliveryFilter) ([]alert.Delivery, error) {
	return d.deliveries, d.readErr
}

func (d *desk) Drop(_ context.Context, l alert.DeadLetterSelector) (alert.RetryResult, error) {
	for n, one := range d.deliveries {
		switch {
		case one.ID != l.ID:
		case one.State == alert.Sending:
			return alert.RetryResult{}, alert.ErrNotDead
		default:
			d.deliveries = slices.Delete(d.deliveries, n, n+1)
			return alert.RetryResult{Deliveries: 1, Alerts: 1, Lanes: []string{one.Lane}}, nil
		}
	}
	return alert.RetryResult{}, cmp.Or(d.pushErr, alert.ErrNotFound)
}

func (d *desk) Check(_ context.Context, spelling string) error {
	if code := d.unreachable[spelling]; code != "" {
		return &alert.SendError{Class: alert.ClassDestination, Code: code, Hint: "invite me"}
	}
	return nil
}

func (d *desk) Members(_ context.Context, who string) ([]string, error) {
	people, known := d.members[who]
	if !known {
		return nil, errors.New("slack is away")
	}
	return people, nil
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
			Notes: []alert.Problem{{Lane: "#old", Blocks: true, What: "#old can't be reached: is_archived"}, {Lane: "#ops", Blocks: true, What: "#ops can't be reached: channel_not_found", Fix: "invite me"}},
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

func TestNothingIsAcceptedForAConversationThatTakesNoMessages(t *testing.T) {
	d := &desk{settled: true, unreachable: map[string]string{"#nosuch": "channel_not_found", "C0SECRET": "not_in_channel"}}
	h := d.handlers()
	for text, want := range map[string]string{
		"send #nosuch the disk is full":         "Nothing was sent to #nosuch, which does not exist, or is private and without the bot.",
		"test #nosuch":                          "invite me",
		"test <#C0SECRET|secret> critical":      "Nothing was sent to <#C0SECRET>, where the bot is not a member.",
		"send <#C0SECRET> error the disk is on": "invite me",
	} {
		if said := d.types(t, h, text); !strings.Contains(said, want) || len(d.pushed) != 0 {
			t.Errorf("%q is answered with %q, and pushed %d alerts", text, said, len(d.pushed))
		}
	}
	if d.types(t, h, "send #ops the disk is full"); len(d.pushed) != 1 {
		t.Error("what can be sent is not")
	}
}

func TestABareWordBehindToIsTheChannelIfItIsKnownAndAskedAboutIfNot(t *testing.T) {
	d := &desk{settled: true}
	h := d.handlers()
	if said := d.types(t, h, "send to otp rebooting now"); !strings.Contains(said, "whether otp is a channel") || !strings.Contains(said, "send to #otp: …") || len(d.pushed) != 0 {
		t.Errorf("an unknown channel is answered with %q, and %+v is pushed", said, d.pushed)
	}
	for text, want := range map[string]string{
		"send to ops rebooting now":     "ops|rebooting now",
		"send “to whom it may concern”": "|“to whom it may concern”",
		"send rebooting now to #ops":    "#ops|rebooting now",
		"send to otp: rebooting now":    "otp|rebooting now",
	} {
		d.pushed = nil
		said := d.types(t, h, text)
		if len(d.pushed) != 1 || d.pushed[0].Channel+"|"+d.pushed[0].Text != want {
			t.Errorf("%q is answered with %q, and %+v is pushed", text, said, d.pushed)
		}
	}
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
		d.wantAnswer(t, "`/notify test [channel] [severity]`")
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
		lost := command("#ops")
		lost.Lost = true
		ok(t, d.handlers().Command(t.Context(), lost))
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
		if took := time.Since(start); took < 8*time.Second || took > 15*time.Second || len(d.said) != 1 {
			t.Errorf("said %q after %v", d.said, took)
		}
	})
}

// Many people ask in one conversation, which takes an answer a second.
func TestNoAnswerIsGivenUpBecauseOthersAreAnsweredFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		for range 8 {
			d.sayErrs = append(d.sayErrs, &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: time.Second})
		}
		ok(t, d.handlers().Message(t.Context(), bot.Message{Caller: bot.Caller{User: "U0ANN", Channel: "C0OPS"}, Text: "help", TS: "1.1"}))
		if len(d.said) != 1 {
			t.Errorf("said %q", d.said)
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

func TestButtonsAreAnswered(t *testing.T) {
	d := &desk{}
	h := d.handlers()
	click := func(action string) {
		t.Helper()
		ok(t, h.Action(t.Context(), bot.Action{Caller: bot.Caller{User: "U0ANN"}, ActionID: action, TriggerID: "t"}))
	}
	click(render.ActionLink + ":3")
	click(render.ActionTest)
	if len(d.answers) != 0 || len(d.opened) != 1 {
		t.Errorf("answers %q, %d dialogs", d.answers, len(d.opened))
	}
	click("from_an_older_version")
	d.wantAnswer(t, "no longer works")
	d.openErr = errors.New("expired_trigger_id")
	click(render.ActionTest)
	d.wantAnswer(t, "click again")
}

func TestTheDialogIsJudgedWithoutDoingAnything(t *testing.T) {
	d := &desk{settled: true}
	h := d.handlers()
	fill := func(channel, severity, title string) bot.Submission {
		input := func(name, value string) map[string]string { return map[string]string{name: value} }
		return bot.Submission{User: "U0ANN", CallbackID: render.CallbackTest, TriggerID: "t", Inputs: map[string]map[string]string{
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
	d.wantAnswer(t, "no longer works")
}
