package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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

// running runs the publishing of Homes until the test ends.
func running(t *testing.T, h *handlers.Handlers) *handlers.Handlers {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = h.Run(ctx) })
	t.Cleanup(func() {
		stop()
		run.Wait()
	})
	return h
}

// pass lets time pass in a bubble, and all that happens in it.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestTheHomeIsPublishedWhenWhatItShowsHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		h := running(t, d.handlers())
		open := func(h *handlers.Handlers, hash string, want int, why string) {
			t.Helper()
			ok(t, h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "home", Hash: hash}))
			synctest.Wait()
			if len(d.homes) != want {
				t.Errorf("%s: %d publishes, want %d", why, len(d.homes), want)
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
		d.open = []alert.Incident{{ID: "k7f2", State: alert.Open, Severity: alert.Error, Title: "disk full", Count: 1}}
		open(h, "x", 3, "an incident")
		d.wishes = []alert.Subscription{{Person: "U0ANN"}}
		open(h, "x", 4, "a subscription")
		d.silences = []alert.Silence{{ID: "s-k7f2", EndsAt: time.Unix(1795452000, 0)}}
		open(h, "x", 5, "a silence")
		heard := time.Unix(1795442000, 0)
		d.heartbeats = []alert.Heartbeat{{Name: "nightly-backup", Terms: alert.Terms{Every: time.Hour}, BeganAt: heard, LastAt: heard, DueAt: heard.Add(90 * time.Minute)}}
		open(h, "x", 6, "a heartbeat")
		d.heartbeats[0].LastAt = heard.Add(time.Second)
		open(h, "x", 6, "the heartbeat again")
		d.heartbeats[0].MissingAt = time.Unix(1795442045, 0)
		open(h, "x", 7, "the heartbeat is missing")
		d.heartbeats[0].MissingAt = time.Unix(1795442046, 0)
		open(h, "x", 7, "a change of a heartbeat below a minute")
		open(running(t, d.handlers()), "x", 7, "after a restart")
		open(h, "", 8, "Slack has lost the view")
	})
}

func TestOpeningTheHomeAgainAndAgainIsOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		h := running(t, d.handlers())
		for range 5 {
			ok(t, h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "home", Hash: "x"}))
			synctest.Wait()
			d.open = append(d.open, alert.Incident{ID: "k7f2"})
			d.later += 100 * time.Millisecond
		}
		ok(t, h.Home(t.Context(), bot.Home{User: "U0BOB", Tab: "home"}))
		synctest.Wait()
		if len(d.homes) != 2 {
			t.Errorf("%d publishes for two people", len(d.homes))
		}
	})
}

func TestAThousandPeopleAtOnceStayBelowSlacksPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		var at []time.Time
		d.homeErr = func(render.HomeTab) error {
			at = append(at, time.Now())
			return nil
		}
		h := running(t, d.handlers())
		for n := range 1000 {
			for range 2 {
				ok(t, h.Home(t.Context(), bot.Home{User: fmt.Sprintf("U%04d", n), Tab: "home"}))
			}
		}
		pass(15 * time.Minute)
		slices.Sort(d.homes) // who opens it again after it was published gets it again
		if n := len(slices.Compact(d.homes)); n != 1000 {
			t.Fatalf("%d of 1000 people see their Home", n)
		}
		for n := range at {
			behind := slices.IndexFunc(at, func(b time.Time) bool { return b.Sub(at[n]) >= time.Minute })
			if behind > 0 && behind-n > 100 {
				t.Fatalf("%d publishes in a minute", behind-n)
			}
		}
	})
}

func TestAThrottledHomeIsPublishedLater(t *testing.T) {
	for name, hash := range map[string]string{"the first opening": "", "an opening after a change": "x"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { openThrottledHome(t, hash) })
		})
	}
}

func openThrottledHome(t *testing.T, hash string) {
	t.Helper()
	d := &desk{}
	times := 0
	d.homeErr = func(render.HomeTab) error {
		if times++; times == 1 {
			return &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 30 * time.Second}
		}
		return nil
	}
	h := running(t, d.handlers())
	start := time.Now()
	ok(t, h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "home", Hash: hash}))
	synctest.Wait()
	pass(31 * time.Second)
	if len(d.homes) != 1 || time.Since(start) < 30*time.Second {
		t.Errorf("published for %v", d.homes)
	}
}

func TestALongPauseForOneHomeKeepsNobodyWaitingForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{}
		times := 0
		d.homeErr = func(render.HomeTab) error {
			if times++; times == 1 {
				return &alert.SendError{Class: alert.ClassThrottled, Code: "ratelimited", RetryAfter: 24 * time.Hour}
			}
			return nil
		}
		h := running(t, d.handlers())
		for _, user := range []string{"U0ANN", "U0BOB"} {
			ok(t, h.Home(t.Context(), bot.Home{User: user, Tab: "home"}))
			synctest.Wait()
		}
		pass(2 * time.Minute)
		if len(d.homes) != 2 {
			t.Errorf("%d of 2 people see their Home", len(d.homes))
		}
	})
}

func TestWhereSlackRefusesItsOwnChartTheHomeShowsAPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var buckets []alert.Bucket
		for n := range 24 {
			buckets = append(buckets, alert.Bucket{At: time.Unix(1795440000, 0).Add(time.Duration(n) * time.Hour), BySeverity: map[alert.Severity]int64{alert.Error: int64(n)}})
		}
		d := &desk{stats: alert.Stats{Alerts: 3, Buckets: buckets, Until: time.Unix(1795440000, 0).Add(24 * time.Hour)}}
		scans := 0
		d.homeErr = func(view render.HomeTab) error {
			for _, b := range view.Blocks.BlockSet {
				switch b.BlockType() {
				case "data_visualization":
					return &alert.SendError{Class: alert.ClassPayload, Code: "invalid_arguments"}
				case "image":
					if scans++; scans == 1 {
						return &alert.SendError{Class: alert.ClassPayload, Code: "invalid_blocks"} // not looked at yet
					}
				}
			}
			return nil
		}
		h := running(t, d.handlers())
		for _, user := range []string{"U0ANN", "U0BOB"} {
			ok(t, h.Home(t.Context(), bot.Home{User: user, Tab: "home"}))
			synctest.Wait()
			pass(5 * time.Second)
		}
		if len(d.homes) != 2 || d.uploads != 1 || scans != 3 {
			t.Errorf("%d Homes, %d uploads, a picture shown %d times", len(d.homes), d.uploads, scans)
		}
	})
}

func TestWithoutTheStoreTheHomeAndTheStatusSayWhatIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var views []string
		d := &desk{readErr: alert.ErrUnavailable, health: alert.Health{Problems: []alert.Problem{{What: "the disk is frozen", Fix: "thaw it"}}}}
		d.homeErr = func(view render.HomeTab) error {
			body, err := json.Marshal(view)
			views = append(views, string(body))
			return err
		}
		h := running(t, d.handlers())
		ok(t, h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "home"}))
		synctest.Wait()
		for _, part := range []string{"can't read what is open", "the disk is frozen", "thaw it"} {
			if len(views) != 1 || !strings.Contains(views[0], part) || strings.Contains(views[0], "All quiet") {
				t.Errorf("the Home lacks %q: %q", part, views)
			}
		}
		ok(t, h.Command(t.Context(), bot.Command{Caller: bot.Caller{User: "U0ANN"}, Name: "/notify", Text: "status"}))
		d.wantAnswer(t, "can't read what is open")
		d.wantAnswer(t, "the disk is frozen")

		d.readErr, d.later = nil, time.Minute
		ok(t, h.Home(t.Context(), bot.Home{User: "U0ANN", Tab: "home", Hash: "shown"}))
		synctest.Wait()
		if len(views) != 2 || !strings.Contains(views[1], "All quiet") {
			t.Errorf("after that, the Homes are %q", views)
		}
	})
}
