package engine

import (
	"testing"
	"time"

	"tocsin/alert"
)

// until9 are the times until 09:00 of every day.
func until9(name string) []alert.Times {
	return []alert.Times{{Name: name, Intervals: []alert.Interval{{Minutes: []alert.Span{{First: 0, Last: 9*60 - 1}}}}}}
}

func TestWhatIsMutedIsSilencedAndShownAtTheEndIfItStillFires(t *testing.T) {
	day := []alert.Times{{Name: "day", Intervals: []alert.Interval{{Minutes: []alert.Span{{First: 9 * 60, Last: 1439}}}}}}
	for why, route := range map[string]alert.Route{
		"muted by night":            {Name: "all", To: []string{"#a"}, Mute: until9("night")},
		"not active outside of day": {Name: "all", To: []string{"#a"}, Active: day},
	} {
		route.Escalate = []alert.Step{{After: 10 * time.Minute, Mention: []string{"U1"}}}
		w := newWorld(t, route)
		w.now = at(3, 0)
		d := w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Critical}, alert.Alert{Key: "web", Title: "b"}, alert.Alert{Key: "db", Title: "a", Severity: alert.Critical})
		wantDeliveries(t, d)
		wantStanding(t, d, alert.StandSilenced, alert.StandSilenced, alert.StandSilenced)
		if a := d.change.Alerts[0]; a.Reason != why || a.Silence != "" {
			t.Errorf("it is silenced by %q because of %q, want %s", a.Silence, a.Reason, why)
		}
		if h := d.change.History; len(h) != 2 || h[0].Verb != alert.VerbHold || h[0].Text != why+" until Fri 09:00 UTC" {
			t.Errorf("the history says %+v", h)
		}
		w.now = at(4, 0)
		d = w.push(alert.Alert{Key: "web", Title: "b", Status: alert.Resolved}, alert.Alert{Key: "never", Title: "c", Status: alert.Resolved})
		wantDeliveries(t, d)
		wantStanding(t, d, alert.StandSilenced, alert.StandSilenced)
		if got := d.change.Alerts[0].Reason; got != why {
			t.Errorf("its end is silenced because of %q", got)
		}
		wantDeliveries(t, w.until(at(8, 59)))
		wantDeliveries(t, w.until(at(9, 0)), "#a post")
		wantDeliveries(t, w.until(at(9, 9)))
		wantDeliveries(t, w.until(at(9, 10)), "#a reply unanswered @U1 broadcast")
		wantDeliveries(t, w.push(alert.Alert{Key: "new", Title: "d"}), "#a post")
	}
}

func TestWhatWaitsInQuietTimesIsPendingAndShownThoughItHasEnded(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", To: []string{"#a"}, Quiet: &alert.Quiet{Times: until9("night"), Below: alert.Critical}})
	w.now = at(3, 0)
	d := w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Error}, alert.Alert{Key: "web", Title: "b", Severity: alert.Critical})
	wantDeliveries(t, d, "#a post")
	wantStanding(t, d, alert.StandPending, alert.StandPending)
	wantDeliveries(t, w.push(alert.Alert{Key: "db", Title: "a", Severity: alert.Error, Status: alert.Resolved}))
	wantDeliveries(t, w.until(at(9, 0)), "#a post")
}

func TestWhatIsMutedForeverIsShownWithinADayOfAnotherConfiguration(t *testing.T) {
	always := []alert.Times{{Name: "always", Intervals: []alert.Interval{{}}}}
	w := newWorld(t, alert.Route{Name: "all", To: []string{"#a"}, Mute: always})
	d := w.push(alert.Alert{Key: "db", Title: "a"}, alert.Alert{Key: "db", Title: "a"})
	if len(d.change.History) != 1 {
		t.Errorf("the history says %+v", d.change.History)
	}
	wantDeliveries(t, w.after(100*time.Hour))
	w.rules.routing.Routes[0].Mute = nil
	wantDeliveries(t, w.after(recheck), "#a post")
}

func TestASilenceAndAMuteHideUntilTheLaterEnd(t *testing.T) {
	w := newWorld(t, alert.Route{Name: "all", To: []string{"#a"}, Mute: until9("night")})
	w.now = at(3, 0)
	w.push(alert.Alert{Key: "short", Title: "a"}, alert.Alert{Key: "long", Title: "b"})
	w.silence(`key="short"`, time.Hour)
	w.silence(`key="long"`, 7*time.Hour)
	wantDeliveries(t, w.until(at(8, 59)))
	wantDeliveries(t, w.until(at(9, 0)), "#a post")
	wantDeliveries(t, w.until(at(10, 0)), "#a post")
}
