package playground

import (
	"strconv"
	"testing"
	"time"
)

func TestOneChannelTakesABurstAndThenOnePostASecond(t *testing.T) {
	w := newWebTest(t, Limits{})
	say := func(channel string) response {
		return w.call("chat.postMessage", form{"channel": channel, "text": "x"})
	}
	for i := range 4 {
		if r := say("C0OPS"); r.code() != "" {
			t.Fatalf("post %d of the burst: %s", i, r.raw)
		}
	}
	for range 3 {
		r := say("C0OPS")
		if r.status != 429 || r.code() != "ratelimited" || r.header.Get("Retry-After") != "1" {
			t.Errorf("over the burst: %d %s, Retry-After %q", r.status, r.raw, r.header.Get("Retry-After"))
		}
	}
	if got := w.s.Throttled(); got == 0 {
		t.Error("nothing is counted as throttled")
	}
	if c := w.lastCall(); c.RetryAfter != 1 || c.Status != 429 {
		t.Errorf("journal: %+v", c)
	}
	if r := say("C0ALERTS"); r.code() != "" {
		t.Errorf("another channel: %s", r.raw)
	}
	for i := range 5 {
		w.clock.advance(time.Second)
		if r := say("#ops"); r.code() != "" {
			t.Errorf("second %d: %s", i, r.raw)
		}
	}
	w.clock.advance(999 * time.Millisecond)
	if r := say("C0OPS"); r.status != 429 {
		t.Errorf("a little early: %s", r.raw)
	}
}

func TestWorkspaceTakesSixHundredPostsAMinute(t *testing.T) {
	l := newLimiter(Limits{PostsPerMinute: 3}.withDefaults())
	now := time.Unix(1767225600, 0)
	for i, channel := range []string{"a", "b", "c"} {
		if wait := l.allowPost(channel, now.Add(time.Duration(i)*time.Second)); wait != 0 {
			t.Fatalf("post %d has to wait %d s", i, wait)
		}
	}
	if wait := l.allowPost("d", now.Add(10*time.Second)); wait != 50 {
		t.Errorf("wait %d s, want 50", wait)
	}
	if wait := l.allowPost("d", now.Add(60*time.Second)); wait != 0 {
		t.Errorf("wait %d s in the next minute", wait)
	}
	if got := (Limits{}).withDefaults().PostsPerMinute; got != 600 {
		t.Errorf("default %d", got)
	}
}

func TestTiersGiveEachMethodItsOwnMinute(t *testing.T) {
	rows := []struct {
		method string
		args   form
		budget int
	}{
		{"conversations.list", nil, 20},
		{"conversations.info", form{"channel": "C0OPS"}, 50},
		{"users.info", form{"user": "U0ANN"}, 100},
		{"conversations.members", form{"channel": "C0OPS"}, 100},
		{"conversations.join", form{"channel": "C0OPS"}, 50},
		{"usergroups.list", nil, 20},
		{"users.list", nil, 20},
		{"users.lookupByEmail", form{"email": "ann@example.com"}, 50},
		{"views.publish", form{"user_id": "U0ANN", "view": `{"type":"home","blocks":[{"type":"divider"}]}`}, 100},
		{"auth.test", nil, 600},
	}
	for _, row := range rows {
		t.Run(row.method, func(t *testing.T) {
			w := newWebTest(t, Limits{})
			for i := range row.budget {
				if r := w.call(row.method, row.args); r.code() != "" {
					t.Fatalf("call %d: %s", i, r.raw)
				}
			}
			w.clock.advance(15 * time.Second)
			r := w.call(row.method, row.args)
			if wait, err := strconv.Atoi(r.header.Get("Retry-After")); r.status != 429 || err != nil || wait != 45 {
				t.Errorf("over the budget: %d %s, Retry-After %q", r.status, r.raw, r.header.Get("Retry-After"))
			}
			w.ok("chat.getPermalink", form{"channel": "C0OPS", "message_ts": w.post("C0OPS", "x")})
			w.clock.advance(45 * time.Second)
			w.ok(row.method, row.args)
		})
	}
}

func TestStrictHistoryGivesOneShortPageAMinute(t *testing.T) {
	w := newWebTest(t, Limits{StrictHistory: true, PostBurst: 100})
	for range 20 {
		w.post("C0OPS", "x")
	}
	if got := len(texts(w.ok("conversations.history", form{"channel": "C0OPS"}))); got != 15 {
		t.Errorf("%d messages, want 15", got)
	}
	if r := w.call("conversations.history", form{"channel": "C0OPS"}); r.status != 429 {
		t.Errorf("second call: %s", r.raw)
	}
}

func TestNoLimitsHasNone(t *testing.T) {
	w := newWebTest(t, NoLimits())
	for range 30 {
		w.post("C0OPS", "x")
		w.ok("conversations.list", nil)
	}
}
