package outbox

import (
	"testing"
	"time"

	"tocsin/alert"
)

func withBroken(fallback string, lanes ...string) reachability {
	r := reachability{fallback: fallback, broken: map[string]mark{}}
	for _, l := range lanes {
		r.broken[l] = mark{Destination: alert.Destination{Lane: l, Code: "is_archived", Since: noon}}
	}
	return r
}

func TestWhereAJobGoes(t *testing.T) {
	shown := func(via string) alert.Card { return alert.Card{Lane: "ops", TS: "1.0", Via: via} }
	trial := withBroken("f", "ops")
	trial.broken["ops"] = mark{trial: true}
	cases := map[string]struct {
		reach   reachability
		kind    alert.Kind
		top     bool
		card    alert.Card
		via     string
		newCard bool
	}{
		"all is well":                             {withBroken("f"), alert.Post, false, alert.Card{}, "", false},
		"broken, without a fallback":              {withBroken("", "ops"), alert.Post, false, alert.Card{}, "", false},
		"broken: to the fallback":                 {withBroken("f", "ops"), alert.Post, false, alert.Card{}, "f", false},
		"on trial: to the lane":                   {trial, alert.Post, false, alert.Card{}, "", false},
		"both broken: stays":                      {withBroken("f", "ops", "f"), alert.Post, false, alert.Card{}, "", false},
		"the fallback itself is broken":           {withBroken("ops", "ops"), alert.Post, false, alert.Card{}, "", false},
		"an edit goes where the card is":          {withBroken("f"), alert.Update, false, shown("f"), "f", false},
		"a reply goes where the card is":          {withBroken("f"), alert.Reply, false, shown("f"), "f", false},
		"a digest is posted again":                {withBroken("f", "ops"), alert.Digest, false, shown(""), "f", false},
		"an edit nobody would see":                {withBroken("f", "ops"), alert.Update, false, shown(""), "f", true},
		"a reply nobody would see":                {withBroken("f", "ops"), alert.Reply, false, shown(""), "f", true},
		"a list nobody would see":                 {withBroken("f", "ops"), alert.List, false, shown(""), "f", true},
		"a reply beside its card":                 {withBroken("f", "ops"), alert.Reply, true, shown(""), "f", false},
		"the fallback broke, the lane is back":    {withBroken("f", "f"), alert.Update, false, shown("f"), "", true},
		"both broken: an edit waits at its card":  {withBroken("f", "ops", "f"), alert.Update, false, shown("f"), "f", false},
		"the card is in a fallback of other days": {withBroken("f", "ops"), alert.Update, false, shown("old"), "old", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			job := alert.Job{Delivery: alert.Delivery{Lane: "ops", Kind: c.kind, TopLevel: c.top}, Card: c.card}
			if via, newCard := c.reach.route(job); via != c.via || newCard != c.newCard {
				t.Errorf("goes via %q newCard=%t, want %q %t", via, newCard, c.via, c.newCard)
			}
		})
	}
}

func TestWhatIsMovedBecomesANewCard(t *testing.T) {
	r := withBroken("f", "ops")
	cases := map[string]struct {
		job   alert.Job
		kind  alert.Kind
		first bool
	}{
		"an edit":          {alert.Job{Delivery: alert.Delivery{Kind: alert.Update}}, alert.Post, false},
		"a reply":          {alert.Job{Delivery: alert.Delivery{Kind: alert.Reply}}, alert.Reply, true},
		"an edited digest": {alert.Job{Delivery: alert.Delivery{Kind: alert.Update}, Digest: &alert.Summary{}}, alert.Digest, false},
		"a digest's list":  {alert.Job{Delivery: alert.Delivery{Kind: alert.List, Plain: true}, Digest: &alert.Summary{}}, alert.Digest, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.job.Lane, c.job.Card = "ops", alert.Card{Lane: "ops", TS: "1.0"}
			v, ok := r.reroute(noon, c.job)
			if !ok || v.State != alert.Pending || v.Kind != c.kind || v.CardFirst != c.first || v.Plain || !v.NextAt.Equal(noon) {
				t.Errorf("decided %+v %t", v, ok)
			}
		})
	}
	unsure := alert.Job{Delivery: alert.Delivery{Lane: "ops", Kind: alert.Post, Unsure: true}}
	if v, ok := r.reroute(noon, unsure); !ok || !v.PossibleDuplicate {
		t.Errorf("a doubt that can't be settled is not marked: %+v", v)
	}
	if _, ok := r.reroute(noon, alert.Job{Delivery: alert.Delivery{Lane: "ops", Via: "f", Kind: alert.Post}}); ok {
		t.Error("what is where it belongs is moved")
	}
}

func TestACardThatCanBeEditedAgainIsNotPostedAgain(t *testing.T) {
	post := alert.Job{Delivery: alert.Delivery{Lane: "ops", Kind: alert.Post, Class: alert.ClassDestination}, Card: alert.Card{Lane: "ops", TS: "1.0"}}
	if v, ok := withBroken("f").reroute(noon, post); !ok || v.Kind != alert.Update {
		t.Errorf("the lane is back, decided %+v %t", v, ok)
	}
	lost := post
	lost.Class, lost.Via = alert.ClassUnsure, "f"
	if v, ok := withBroken("f").reroute(noon, lost); !ok || v.Kind != alert.Update {
		t.Errorf("the lane is back and nothing is in the fallback, decided %+v %t", v, ok)
	}
	retried := post
	retried.Class = "" // after it was given up, and another delivery has become the card
	if v, ok := withBroken("f").reroute(noon, retried); !ok || v.Kind != alert.Update {
		t.Errorf("another delivery has posted it, decided %+v %t", v, ok)
	}
	for name, change := range map[string]func(*alert.Job){
		"it is gone":          func(j *alert.Job) { j.Class = alert.ClassGone },
		"there is none":       func(j *alert.Job) { j.Card.TS = "" },
		"it is a digest":      func(j *alert.Job) { j.Card.Digest = true },
		"a post may be shown": func(j *alert.Job) { j.Unsure = true },
		"that was throttled":  func(j *alert.Job) { j.Class = alert.ClassThrottled },
	} {
		job := post
		change(&job)
		if v, ok := withBroken("f").reroute(noon, job); ok {
			t.Errorf("%s: decided %+v", name, v)
		}
	}
}

func TestWhatAnAttemptSaysAboutItsDestination(t *testing.T) {
	p := testPolicy()
	archived := &alert.SendError{Class: alert.ClassDestination, Code: "is_archived", Hint: "unarchive it"}
	old := noon.Add(-48 * time.Hour)
	cases := map[string]struct {
		reach   reachability
		via     string
		created time.Time
		err     error
		state   alert.DeliveryState
		at      time.Duration
		broken  string
		mended  string
	}{
		"the first refusal, with a fallback":  {withBroken("f"), "", noon, archived, alert.Pending, 0, "ops", ""},
		"however old it is":                   {withBroken("f"), "", old, archived, alert.Pending, 0, "ops", ""},
		"the first refusal, without":          {withBroken(""), "", noon, archived, alert.Pending, time.Second, "ops", ""},
		"too old, without":                    {withBroken(""), "", old, archived, alert.Dead, 0, "ops", ""},
		"the fallback refuses, too":           {withBroken("f", "ops"), "f", noon, archived, alert.Pending, 0, "f", ""},
		"and then it waits":                   {withBroken("f", "ops", "f"), "", noon, archived, alert.Pending, time.Second, "ops", ""},
		"delivered to the fallback":           {withBroken("f", "ops"), "f", noon, nil, alert.Delivered, 0, "", ""},
		"delivered where nobody could before": {withBroken("f", "ops"), "", noon, nil, alert.Delivered, 0, "", "ops"},
		"a failure of another kind":           {withBroken("f"), "", noon, fail(alert.ClassTransient, "dial"), alert.Pending, time.Second, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			job := alert.Job{Delivery: alert.Delivery{Lane: "ops", Via: c.via, Kind: alert.Post, CreatedAt: c.created}}
			v := c.reach.withDestination(p.decide(noon, job, alert.Sent{}, c.err), job, time.Minute)
			broken := ""
			if v.Broken != nil {
				broken = v.Broken.Lane
				if !v.Broken.ProbeAt.Equal(noon.Add(time.Minute)) || !v.Broken.Since.Equal(noon) {
					t.Errorf("marked %+v", v.Broken)
				}
			}
			if v.State != c.state || broken != c.broken || v.Mended != c.mended || v.State == alert.Pending && v.NextAt.Sub(noon) != c.at {
				t.Errorf("decided %s at %v, broken %q, mended %q; want %+v", v.State, v.NextAt.Sub(noon), broken, v.Mended, c)
			}
		})
	}
}
