package alert

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestSpellingsAreMergedUnlessBothHaveAnID(t *testing.T) {
	naming := func(all ...string) Naming { return Naming{Lane: all[0], Spellings: all} }
	for name, c := range map[string]struct {
		older, newer Naming
		want         string // the lane; empty: they stay two
	}{
		"a name is shown instead of an id":         {naming("C0123OPS1"), naming("#ops"), "#ops"},
		"whichever was there first":                {naming("#ops"), naming("C0123OPS1"), "#ops"},
		"two channels are never one":               {naming("#ops", "C0123OPS1"), naming("C0123DB01"), ""},
		"not even under the same name":             {naming("#ops", "C0123OPS1"), naming("#ops", "C0123DB01"), ""},
		"a person and the direct messages are one": {naming("U0123ANN1"), naming("D0123ANN1"), "U0123ANN1"},
		"two people are never one":                 {naming("@ann", "U0123ANN1"), naming("U0123BOB1", "D0123BOB1"), ""},
		"@name is shown instead of a mail address": {naming("ann@example.com", "D0123ANN1"), naming("@ann", "U0123ANN1"), "@ann"},
		"of two names the older lane's is shown":   {naming("#ops", "C0123OPS1"), naming("#operations"), "#ops"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := c.older.Merge(c.newer)
			if ok != (c.want != "") || ok && got.Lane != c.want {
				t.Errorf("got %+v, %v, want lane %q", got, ok, c.want)
			}
			if ok && len(got.Spellings) != len(c.older.Spellings)+len(c.newer.Spellings) {
				t.Errorf("got spellings %q", got.Spellings)
			}
		})
	}
}

func TestAChannelIsShownByTheNameSlackUsesNow(t *testing.T) {
	n := Naming{Lane: "#ops", Spellings: []string{"#ops", "C0123OPS1", "#operations"}}
	if got := n.Named("#operations"); got.Lane != "#operations" || len(got.Spellings) != 3 {
		t.Errorf("got %+v", got)
	}
	if got := n.Named("C0123OPS1"); got.Lane != "#ops" {
		t.Errorf("got %+v, want the name to stay", got)
	}
}

func TestAliasesGiveAnIncidentAndARoutingEachLaneOnce(t *testing.T) {
	a := NewAliases(map[string]string{"#ops": "#ops", "C0123OPS1": "#ops", "@ann": "@ann", "U0123ANN1": "@ann"})
	got := a.Incident(Incident{
		Route: "channel:C0123OPS1", Lanes: []string{"C0123OPS1", "#db", "#ops"},
		Mentions: map[string][]string{"#ops": {"here"}, "C0123OPS1": {"U0123ANN1"}},
	})
	want := Incident{Route: "channel:#ops", Lanes: []string{"#ops", "#db"}, Mentions: map[string][]string{"#ops": {"here", "U0123ANN1"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	r := Routing{Default: "C0123OPS1", Routes: []Route{{Name: "people", To: []string{"@ann", "U0123ANN1"}, Escalate: []Step{{To: []string{"C0123OPS1"}}}}}}
	mapped := a.Routing(r)
	if mapped.Default != "#ops" || !slices.Equal(mapped.Routes[0].To, []string{"@ann"}) || mapped.Routes[0].Escalate[0].To[0] != "#ops" {
		t.Errorf("got %+v", mapped)
	}
	if r.Routes[0].Escalate[0].To[0] != "C0123OPS1" {
		t.Error("the routing that was given has changed")
	}
}

func TestAMatcherTakesEverySpellingOfAChannel(t *testing.T) {
	a := NewAliases(map[string]string{"#ops": "#ops", "C0123OPS1": "#ops"})
	for text, want := range map[string]bool{
		`channel="C0123OPS1"`: true, `channel="#ops"`: true, `channel="#db"`: false,
		`channel!="C0123OPS1"`: false, `channel!="#db"`: true,
		`channel=~"C0123.*"`: true, `channel!~"C0123.*"`: false, `channel!~"C9.*"`: true,
	} {
		ms, err := ParseMatchers(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, spelling := range []string{"#ops", "C0123OPS1"} {
			if got := ms.Match(a.Subject(Subject{Channel: spelling})); got != want {
				t.Errorf("%s with channel %s: got %v, want %v", text, spelling, got, want)
			}
		}
	}
}

func TestMergedQueuesShowEachThingOnce(t *testing.T) {
	pending := func(seq int64, kind Kind) Waiting {
		return Waiting{Delivery: Delivery{Seq: seq, Kind: kind, State: Pending}}
	}
	claimable := func(w Waiting) Waiting { w.Claimable = true; return w }
	sending := func(w Waiting) Waiting { w.State, w.Claimable = Sending, true; return w }
	gathered := func(w Waiting) Waiting { w.Gathered = true; return w }
	over := func(w Waiting) Waiting { w.State, w.Claimable = Superseded, false; return w }
	note := func(seq int64, text string) Waiting {
		w := pending(seq, Reply)
		w.CreatedAt, w.Note = time.UnixMicro(5), &Note{Topic: TopicNote, Text: text}
		return w
	}
	for name, c := range map[string]struct {
		shown         bool
		waiting, want []Waiting
	}{
		"one post for two": {
			waiting: []Waiting{claimable(pending(2, Post)), claimable(pending(1, Post))},
			want:    []Waiting{claimable(pending(1, Post)), over(claimable(pending(2, Post)))},
		},
		"a post becomes an edit of the card that is there": {
			shown:   true,
			waiting: []Waiting{claimable(pending(3, Post))},
			want:    []Waiting{claimable(pending(3, Update))},
		},
		"a post behind one that is being sent becomes its edit": {
			waiting: []Waiting{claimable(pending(1, Post)), sending(pending(2, Post))},
			want:    []Waiting{pending(1, Update), sending(pending(2, Post))},
		},
		"an edit that waits shows what a post would": {
			shown:   true,
			waiting: []Waiting{claimable(pending(1, Update)), claimable(pending(2, Post))},
			want:    []Waiting{claimable(pending(1, Update)), over(pending(2, Post))},
		},
		"two that are being sent stay": {
			waiting: []Waiting{sending(pending(1, Post)), sending(pending(2, Post)), pending(3, Update)},
			want:    []Waiting{sending(pending(1, Post)), sending(pending(2, Post)), pending(3, Update)},
		},
		"a digest keeps its posts, and the rest waits for it": {
			waiting: []Waiting{gathered(pending(1, Post)), claimable(pending(2, Post)), pending(3, Reply)},
			want:    []Waiting{gathered(pending(1, Post)), pending(2, Update), pending(3, Reply)},
		},
		"a note is written once": {
			shown:   true,
			waiting: []Waiting{claimable(note(1, "look")), claimable(note(2, "look")), note(3, "done")},
			want:    []Waiting{claimable(note(1, "look")), over(note(2, "look")), note(3, "done")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := MergeQueues(c.shown, c.waiting); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestOfTwoCardsTheOwnAndEarlierStays(t *testing.T) {
	early, late := Card{TS: "1.0001"}, Card{TS: "1.0002"}
	digest := Card{TS: "1.0000", Digest: true}
	if !early.Stays(late) || late.Stays(early) || !late.Stays(digest) || digest.Stays(late) {
		t.Error("the wrong card stays")
	}
}

func TestOneBrokenMarkStays(t *testing.T) {
	now := time.Unix(1000, 0)
	broken := Destination{Lane: "#ops", Code: "is_archived", Since: now.Add(-time.Hour), ProbeAt: now.Add(time.Hour)}
	if got := (Destination{Lane: "C0123OPS1"}).Merge(broken, now); got.Lane != "C0123OPS1" || got.Code != "is_archived" || !got.ProbeAt.Equal(now) {
		t.Errorf("got %+v, want the mark, to be checked at once", got)
	}
	older := broken
	older.Since = now.Add(-2 * time.Hour)
	if got := broken.Merge(older, now); !got.Since.Equal(older.Since) || !got.ProbeAt.Equal(broken.ProbeAt) {
		t.Errorf("got %+v", got)
	}
	if got := (Destination{}).Merge(Destination{}, now); !got.Since.IsZero() {
		t.Errorf("got %+v, want none", got)
	}
}
