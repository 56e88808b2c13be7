package outbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tocsin/alert"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func testPolicy() policy {
	return policy{giveUpAfter: 24 * time.Hour, probeEvery: time.Minute, holdUnsure: func(alert.Job) bool { return false }, jitter: func() float64 { return 1 }}
}

// want is what a verdict has to be; a zero next means that the delivery ends.
type want struct {
	name     string
	state    alert.DeliveryState
	next     time.Duration
	attempts int
	reason   string
}

// of returns a delivery of this kind that is pending since noon, with changes.
func of(kind alert.Kind, changes ...func(*alert.Delivery)) alert.Delivery {
	d := alert.Delivery{Kind: kind, CreatedAt: noon}
	for _, change := range changes {
		change(&d)
	}
	return d
}

func aList(topic alert.Topic) alert.Delivery {
	return of(alert.List, func(d *alert.Delivery) { d.Note = &alert.Note{Topic: topic} })
}

func aDayOld(d *alert.Delivery) { d.CreatedAt = noon.Add(-24 * time.Hour) }

func attempts(n int) func(*alert.Delivery) { return func(d *alert.Delivery) { d.Attempts = n } }

func after(c alert.Class) func(*alert.Delivery) { return func(d *alert.Delivery) { d.Class = c } }

// decideCases has a line for each class and each of its outcomes.
var decideCases = map[string]struct {
	job  alert.Delivery
	err  error
	want want
}{
	"taken": {of(alert.Post), nil, want{"delivered", alert.Delivered, 0, 1, ""}},
	"throttled waits as told and is not counted": {of(alert.Post),
		&alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 30 * time.Second},
		want{"throttled", alert.Pending, 30 * time.Second, 0, "throttled"}},
	"throttled without a time waits a second": {of(alert.Post), fail(alert.ClassThrottled, "rate_limited"),
		want{"throttled", alert.Pending, time.Second, 0, "throttled"}},
	"throttled once is not given up": {of(alert.Post, aDayOld),
		fail(alert.ClassThrottled, "ratelimited"), want{"throttled", alert.Pending, time.Second, 0, "throttled"}},
	"transient backs off": {of(alert.Post, attempts(3)),
		fail(alert.ClassTransient, "service_unavailable"),
		want{"transient", alert.Pending, 8 * time.Second, 4, "service_unavailable"}},
	"transient backs off no longer than five minutes": {of(alert.Post, attempts(5000)),
		fail(alert.ClassTransient, "service_unavailable"),
		want{"transient", alert.Pending, 5 * time.Minute, 5001, "service_unavailable"}},
	"transient ends after a day": {of(alert.Post, aDayOld, attempts(9)),
		fail(alert.ClassTransient, "service_unavailable"),
		want{"dead", alert.Dead, 0, 10, "gave up after 24h0m0s: service_unavailable"}},
	"transient goes on after a day in which nobody tried": {of(alert.Post, aDayOld, attempts(2)),
		fail(alert.ClassTransient, "unreachable"),
		want{"transient", alert.Pending, 4 * time.Second, 3, "unreachable"}},
	"destination waits": {of(alert.Post), &alert.SendError{Class: alert.ClassDestination, Code: "is_archived", Hint: "unarchive it"},
		want{"destination", alert.Pending, time.Second, 1, "is_archived (unarchive it)"}},
	"destination ends after a day": {of(alert.Post, aDayOld),
		&alert.SendError{Class: alert.ClassDestination, Code: "is_archived", Hint: "unarchive it"},
		want{"dead", alert.Dead, 0, 1, "gave up after 24h0m0s: is_archived (unarchive it)"}},
	"a list that is refused as a file goes on as text": {aList(alert.TopicFile), fail(alert.ClassDestination, "not_in_channel"),
		want{"payload", alert.Pending, 0, 1, "not_in_channel"}},
	"a list that is refused as text waits as any reply": {aList(alert.TopicList), fail(alert.ClassDestination, "not_in_channel"),
		want{"destination", alert.Pending, time.Second, 1, "not_in_channel"}},
	"a list leaves a thread that is closed": {aList(alert.TopicList), fail(alert.ClassThread, "thread_not_found"),
		want{"thread", alert.Pending, 0, 1, "thread_not_found"}},
	"a digest backs off": {of(alert.Digest), fail(alert.ClassTransient, "unreachable"),
		want{"transient", alert.Pending, time.Second, 1, "unreachable"}},
	"unknown is tried once more": {of(alert.Post), fail(alert.ClassUnknown, "new_code"),
		want{"unknown", alert.Pending, time.Second, 1, "new_code"}},
	"unknown twice is dead": {of(alert.Post, after(alert.ClassUnknown)),
		fail(alert.ClassUnknown, "new_code"), want{"dead", alert.Dead, 0, 1, "refused twice: new_code"}},
	"unknown after transient is tried once more": {of(alert.Post, after(alert.ClassTransient)),
		fail(alert.ClassUnknown, "new_code"), want{"unknown", alert.Pending, time.Second, 1, "new_code"}},
	"payload goes plain at once": {of(alert.Post), fail(alert.ClassPayload, "invalid_blocks"),
		want{"payload", alert.Pending, 0, 1, "invalid_blocks"}},
	"payload refused plain is dead": {of(alert.Post, func(d *alert.Delivery) { d.Plain = true }),
		fail(alert.ClassPayload, "no_text"), want{"dead", alert.Dead, 0, 1, "refused even as plain text: no_text"}},
	"thread leaves it at once": {of(alert.Reply), fail(alert.ClassThread, "thread_not_found"),
		want{"thread", alert.Pending, 0, 1, "thread_not_found"}},
	"thread outside a thread is unknown": {of(alert.Reply, func(d *alert.Delivery) { d.TopLevel = true }),
		fail(alert.ClassThread, "thread_not_found"), want{"unknown", alert.Pending, time.Second, 1, "thread_not_found"}},
	"gone card is posted again at once": {of(alert.Update), fail(alert.ClassGone, "message_not_found"),
		want{"gone", alert.Pending, 0, 1, "message_not_found"}},
	"gone makes no sense for a post": {of(alert.Post), fail(alert.ClassGone, "message_not_found"),
		want{"unknown", alert.Pending, time.Second, 1, "message_not_found"}},
	"auth waits for the probe and is not counted": {of(alert.Post), fail(alert.ClassAuth, "token_revoked"),
		want{"auth", alert.Pending, time.Minute, 0, "token_revoked"}},
	"unsure stays sending": {of(alert.Post), fail(alert.ClassUnsure, "internal_error"),
		want{"unsure", alert.Sending, 2 * time.Second, 1, "internal_error"}},
	"unsure again waits longer": {of(alert.Post, attempts(2)),
		fail(alert.ClassUnsure, "internal_error"), want{"unsure", alert.Sending, 6 * time.Second, 3, "internal_error"}},
	"unsure is looked for even after a day": {of(alert.Post, aDayOld),
		fail(alert.ClassUnsure, "internal_error"), want{"unsure", alert.Sending, 2 * time.Second, 1, "internal_error"}},
	"unsure edit is just made again": {of(alert.Update), fail(alert.ClassUnsure, "update_failed"),
		want{"transient", alert.Pending, time.Second, 1, "update_failed"}},
	"any other error is unsure": {of(alert.Post), context.DeadlineExceeded,
		want{"unsure", alert.Sending, 2 * time.Second, 1, "no_answer: context deadline exceeded"}},
	"a class we don't know is unknown": {of(alert.Post), fail("", "odd"), want{"unknown", alert.Pending, time.Second, 1, "odd"}},
}

func TestDecideByClass(t *testing.T) {
	for name, c := range decideCases {
		t.Run(name, func(t *testing.T) {
			v := testPolicy().decide(noon, alert.Job{Delivery: c.job}, alert.Sent{}, c.err)
			check(t, v, c.want)
		})
	}
}

func check(t *testing.T, v verdict, w want) {
	t.Helper()
	next := time.Duration(0)
	if !v.NextAt.IsZero() {
		next = v.NextAt.Sub(noon)
	}
	got := want{v.name, v.State, next, v.Attempts, v.Reason}
	if got != w {
		t.Errorf("got  %+v\nwant %+v", got, w)
	}
}

func TestDecideChangesWhatTheNextAttemptDoes(t *testing.T) {
	p := testPolicy()
	reply := alert.Job{Delivery: alert.Delivery{Kind: alert.Reply, CreatedAt: noon}}
	update := alert.Job{Delivery: alert.Delivery{Kind: alert.Update, CreatedAt: noon}}
	if v := p.decide(noon, reply, alert.Sent{}, fail(alert.ClassThread, "thread_not_found")); !v.TopLevel || v.Kind != alert.Reply {
		t.Errorf("thread: %+v, want a reply at top level", v.Outcome)
	}
	if v := p.decide(noon, update, alert.Sent{}, fail(alert.ClassGone, "message_not_found")); v.Kind != alert.Post {
		t.Errorf("gone: kind %s, want a post", v.Kind)
	}
	if v := p.decide(noon, reply, alert.Sent{}, fail(alert.ClassPayload, "invalid_blocks")); !v.Plain {
		t.Error("payload: not plain")
	}
}

func TestDecideEffects(t *testing.T) {
	p, until := testPolicy(), noon.Add(time.Minute)
	throttled := &alert.SendError{Class: alert.ClassThrottled, RetryAfter: time.Minute}
	effects := func(kind alert.Kind, created time.Time, err error) effect {
		return p.decide(noon, alert.Job{Delivery: alert.Delivery{Kind: kind, CreatedAt: created, Attempts: fewestTries - 1}}, alert.Sent{}, err).effect
	}
	if got := effects(alert.Post, noon, throttled); got != (effect{pauseLane: until}) {
		t.Errorf("throttled post: %+v, want its lane paused", got)
	}
	if got := effects(alert.Update, noon, throttled); got != (effect{pauseUpdates: until}) {
		t.Errorf("throttled update: %+v, want updates paused", got)
	}
	if got := effects(alert.Post, noon, fail(alert.ClassAuth, "invalid_auth")); got != (effect{hold: true}) {
		t.Errorf("auth: %+v, want everything held", got)
	}
	if got := effects(alert.Post, noon.Add(-24*time.Hour), fail(alert.ClassUnsure, "x")); got != (effect{lastLook: true}) {
		t.Errorf("unsure after a day: %+v, want one last look", got)
	}
}

func TestDoubtOutlivesABlindAttemptThatSlackDidNotTake(t *testing.T) {
	p := testPolicy()
	job := alert.Job{Delivery: alert.Delivery{Kind: alert.Post, CreatedAt: noon, Unsure: true}}
	for _, class := range []alert.Class{alert.ClassThrottled, alert.ClassTransient, alert.ClassAuth, alert.ClassPayload} {
		v := p.decide(noon, job, alert.Sent{}, fail(class, "x"))
		if v.State != alert.Sending || v.PossibleDuplicate {
			t.Errorf("%s: state %s, possible duplicate %t; want sending, no duplicate", class, v.State, v.PossibleDuplicate)
		}
	}
	for _, err := range []error{nil, fail(alert.ClassUnsure, "x")} {
		if v := p.decide(noon, job, alert.Sent{}, err); !v.PossibleDuplicate {
			t.Errorf("after %v: not marked as possible duplicate", err)
		}
	}
	job.Kind = alert.Update
	if v := p.decide(noon, job, alert.Sent{}, nil); v.PossibleDuplicate {
		t.Error("an edit made twice is marked as possible duplicate")
	}
}

func TestWhatIsShownAlreadyNeedsNoCall(t *testing.T) {
	p := testPolicy()
	cases := map[string]struct {
		kind  alert.Kind
		card  alert.Card
		name  string
		state alert.DeliveryState
	}{
		"update shown":            {alert.Update, alert.Card{TS: "1", Version: 4}, "superseded", alert.Superseded},
		"post shown":              {alert.Post, alert.Card{TS: "1", Version: 5}, "superseded", alert.Superseded},
		"update not shown yet":    {alert.Update, alert.Card{TS: "1", Version: 3}, "", ""},
		"post without a card":     {alert.Post, alert.Card{Version: 9}, "", ""},
		"reply":                   {alert.Reply, alert.Card{TS: "1", Version: 4}, "", ""},
		"update without its card": {alert.Update, alert.Card{}, "no_card", alert.Pending},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			job := alert.Job{Delivery: alert.Delivery{Kind: c.kind}, Incident: alert.Incident{Version: 4}, Card: c.card}
			v, ok := p.decideWithoutCall(noon, job)
			if ok != (c.name != "") || v.name != c.name || v.State != c.state {
				t.Errorf("got %q %q (%t), want %q %q", v.name, v.State, ok, c.name, c.state)
			}
		})
	}
}

func TestDecideAfterLook(t *testing.T) {
	p := testPolicy()
	cannot := fail(alert.ClassDestination, "missing_scope")
	cases := map[string]struct {
		doubt doubt
		err   error
		sent  bool // goes on to send
		want  want
	}{
		"absent after 10 s: looks again": {doubt{sentAt: noon.Add(-10 * time.Second)}, nil, false, want{"look_again", alert.Sending, 20 * time.Second, 0, "x"}},
		"absent after 30 s is sent":      {doubt{sentAt: noon.Add(-30 * time.Second)}, nil, true, want{}},
		"absent after the last attempt":  {doubt{last: true, sentAt: noon.Add(-30 * time.Second)}, nil, false, want{"dead", alert.Dead, 0, 0, "gave up after 24h0m0s: x"}},
		"can't look: sent":               {doubt{}, cannot, true, want{}},
		"odd error: sent":                {doubt{}, fail(alert.ClassUnknown, "odd"), true, want{}},
		"can't look after the last":      {doubt{last: true}, cannot, false, want{"dead", alert.Dead, 0, 0, "perhaps shown, could not look: missing_scope"}},
		"network down: looks again":      {doubt{}, fail(alert.ClassTransient, "dial"), false, want{"look_again", alert.Sending, 2 * time.Second, 0, "could not look yet: dial"}},
		"no answer: looks again later":   {doubt{looks: 3}, errors.New("cut"), false, want{"look_again", alert.Sending, 8 * time.Second, 0, "could not look yet: no_answer: cut"}},
		"throttled: looks when told": {doubt{}, &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: time.Minute}, false,
			want{"look_again", alert.Sending, time.Minute, 0, "could not look yet: ratelimited"}},
		"refused as an app: looks after the probe": {doubt{}, fail(alert.ClassAuth, "token_revoked"), false, want{"look_again", alert.Sending, time.Minute, 0, "could not look yet: token_revoked"}},
		"looks enough: sent":                       {doubt{looks: maxLooks}, fail(alert.ClassTransient, "dial"), true, want{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			job := alert.Job{Delivery: alert.Delivery{Kind: alert.Post, Priority: 1, CreatedAt: noon, StartedAt: noon, Unsure: true, Reason: "x"}}
			job, v, ok := p.decideAfterLook(noon, job, c.doubt, c.err)
			if ok == c.sent {
				t.Fatalf("sends: %t, want %t", !ok, c.sent)
			}
			if ok {
				check(t, v, c.want)
			} else if !job.Unsure && !job.PossibleDuplicate {
				t.Error("it is not marked as a possible duplicate")
			}
		})
	}
}

func TestLooksAreSpreadOverHalfAMinuteUnlessSomethingUrgentWaits(t *testing.T) {
	p := testPolicy()
	second := time.Second
	for name, c := range map[string]struct {
		priority int
		followed bool
		looks    []time.Duration
	}{
		"alone":               {1, false, []time.Duration{2 * second, 10 * second, 30 * second}},
		"critical":            {0, false, []time.Duration{2 * second, 5 * second, 10 * second}},
		"something waits":     {1, true, []time.Duration{2 * second, 5 * second, 10 * second}},
		"critical in a crowd": {0, true, []time.Duration{2 * second, 5 * second, 10 * second}},
	} {
		t.Run(name, func(t *testing.T) {
			job := alert.Job{Delivery: alert.Delivery{Kind: alert.Post, Priority: c.priority, CreatedAt: noon, StartedAt: noon, Unsure: true}, Followed: c.followed}
			for n, after := range c.looks {
				sent, v, done := p.decideAfterLook(noon.Add(after), job, doubt{sentAt: noon}, nil)
				switch last := n == len(c.looks)-1; {
				case last && (done || sent.Unsure || !sent.PossibleDuplicate):
					t.Errorf("after %v it is not sent as a possible duplicate: %+v", after, v.Outcome)
				case !last && !v.NextAt.Equal(noon.Add(c.looks[n+1])):
					t.Errorf("after %v it is looked for again at %v", after, v.NextAt)
				}
			}
		})
	}
}

func TestOneLookLongAfterTheAttemptIsEnough(t *testing.T) {
	job := alert.Job{Delivery: alert.Delivery{Kind: alert.Post, Priority: 1, CreatedAt: noon, StartedAt: noon, Unsure: true}}
	if job, _, done := testPolicy().decideAfterLook(noon.Add(time.Hour), job, doubt{sentAt: noon}, nil); done || !job.PossibleDuplicate {
		t.Error("it is looked for again")
	}
}

func TestWhatCannotBeLookedForWaitsForAPersonWhereThatIsWanted(t *testing.T) {
	p := testPolicy()
	p.holdUnsure = func(alert.Job) bool { return true }
	cannot, down := fail(alert.ClassDestination, "not_in_channel"), fail(alert.ClassTransient, "dial")
	cases := map[string]struct {
		created time.Time
		looks   int
		err     error
		want    want
	}{
		"can't look":                       {noon, 0, cannot, want{"dead", alert.Dead, 0, 0, "perhaps shown, could not look: not_in_channel"}},
		"network down: looks again":        {noon, maxLooks, down, want{"look_again", alert.Sending, 5 * time.Minute, 0, "could not look yet: dial"}},
		"network down for as long as goes": {noon.Add(-24 * time.Hour), maxLooks, down, want{"dead", alert.Dead, 0, 0, "perhaps shown, could not look: dial"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			job := alert.Job{Delivery: alert.Delivery{Kind: alert.Post, CreatedAt: c.created, Unsure: true}}
			_, v, ok := p.decideAfterLook(noon, job, doubt{looks: c.looks}, c.err)
			if !ok {
				t.Fatal("it is sent again")
			}
			check(t, v, c.want)
		})
	}
	job := alert.Job{Delivery: alert.Delivery{Kind: alert.Post, CreatedAt: noon, Unsure: true}}
	if job, _, ok := p.decideAfterLook(noon, job, doubt{sentAt: noon.Add(-time.Hour)}, nil); ok || job.Unsure {
		t.Error("what the looks have not found is not sent")
	}
	job.Class = alert.ClassUnsure // and no attempt: a person had it tried again
	if job, _, ok := p.decideAfterLook(noon, job, doubt{}, cannot); ok || !job.Unsure {
		t.Error("what a person wants sent again is not sent")
	}
}

func TestBackoffStaysBelowItsCeiling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := testPolicy()
		p.jitter = func() float64 { return rapid.Float64Range(0, 1).Draw(t, "jitter") }
		n := rapid.IntRange(0, 1<<40).Draw(t, "attempts")
		d := p.backoff(n)
		if d < 0 || d > 5*time.Minute || (n < 5 && d > time.Second<<n) {
			t.Fatalf("after %d attempts: %v", n, d)
		}
	})
}
