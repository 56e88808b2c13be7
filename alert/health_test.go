package alert

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestProblemsAreWhatMakesNoProgressForLongerThanItsLimit(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	limits := Limits{Connection: time.Minute, Delivery: 2 * time.Minute, Store: 5 * time.Second}
	late := func(lane string, since time.Duration) Undelivered {
		return Undelivered{Lane: lane, Since: ago(since), Reason: "no route to " + lane}
	}
	for name, c := range map[string]struct {
		progress Progress
		want     []string
		since    time.Duration
		says     string
	}{
		"all is well":           {progress: Progress{Connected: now}},
		"everything is in time": {progress: Progress{Connected: ago(time.Minute), StoreRead: ago(5 * time.Second), StoreWrite: ago(5 * time.Second), Undelivered: []Undelivered{late("#a", 2*time.Minute)}}},
		"no connection":         {progress: Progress{Connected: ago(61 * time.Second), ConnectionError: "no hello"}, want: []string{ProblemConnection}, since: 61 * time.Second, says: "no hello"},
		"a write is stuck":      {progress: Progress{Connected: now, StoreWrite: ago(6 * time.Second)}, want: []string{ProblemStoreStuck}, since: 6 * time.Second, says: "a write does not return"},
		"a read is stuck":       {progress: Progress{Connected: now, StoreRead: ago(7 * time.Second), StoreWrite: ago(6 * time.Second)}, want: []string{ProblemStoreStuck}, since: 7 * time.Second, says: "a read does not return"},
		"one lane is late":      {progress: Progress{Connected: now, Undelivered: []Undelivered{late("#a", time.Minute), late("#b", 3*time.Minute)}}, want: []string{ProblemDelivery}, since: 3 * time.Minute, says: "messages to #b do not get through: no route to #b"},
		"two lanes are late":    {progress: Progress{Connected: now, Undelivered: []Undelivered{late("#a", 4*time.Minute), late("#b", 3*time.Minute)}}, want: []string{ProblemDelivery}, since: 4 * time.Minute, says: "messages to 2 conversations do not get through: no route to #a"},
		"lanes wait for a stuck store": {
			progress: Progress{Connected: now, StoreRead: ago(time.Hour), Undelivered: []Undelivered{late("#a", time.Hour)}}, want: []string{ProblemStoreStuck}, since: time.Hour,
		},
		"Slack is gone": {
			progress: Progress{Connected: ago(time.Hour), Undelivered: []Undelivered{late("#a", time.Hour)}}, want: []string{ProblemDelivery, ProblemConnection}, since: time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var codes []string
			for _, p := range c.progress.Problems(now, limits) {
				codes = append(codes, p.Code)
				if !p.Since.Equal(ago(c.since)) || !strings.Contains(p.What, c.says) || p.Fix == "" {
					t.Errorf("the problem is %+v", p)
				}
				if !slices.Contains(ProblemCodes(), p.Code) {
					t.Errorf("%q is not among the codes", p.Code)
				}
			}
			if !slices.Equal(codes, c.want) {
				t.Errorf("the problems are %q, want %q", codes, c.want)
			}
		})
	}
}

func TestWhileSlackRefusesTheAppDeliveriesAreNotWell(t *testing.T) {
	h := Health{Held: "token_expired", Waiting: 1, Problems: []Problem{{Code: ProblemRefused, What: "Slack refuses the app: token_expired", Fix: "switch token rotation off"}}}
	var wrong []string
	for _, c := range h.Judged() {
		if c.Result == CheckError {
			wrong = append(wrong, c.Name)
			if c.Fix != "switch token rotation off" || !strings.Contains(c.Found, "token_expired") {
				t.Errorf("%s found %q, to be mended by %q", c.Name, c.Found, c.Fix)
			}
		}
	}
	if !slices.Equal(wrong, []string{"app", "deliveries"}) {
		t.Errorf("wrong are %q", wrong)
	}
}
