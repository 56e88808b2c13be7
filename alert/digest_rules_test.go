package alert_test

import (
	"fmt"
	"testing"
	"time"

	"tocsin/alert"
)

func TestADigestDoesNotReplaceWhatHasToBeSaid(t *testing.T) {
	for topic, must := range map[alert.Topic][4]bool{ // bare, with a text, with a mention, outside its thread
		alert.TopicMore:       {false, false, true, true},
		alert.TopicResolved:   {false, false, true, true},
		alert.TopicReopened:   {false, false, true, true},
		alert.TopicEscalated:  {false, false, true, true},
		alert.TopicRefired:    {false, false, true, true},
		alert.TopicFormer:     {false, false, true, true},
		alert.TopicOthers:     {false, false, true, true},
		alert.TopicSilenced:   {false, false, true, true},
		alert.TopicUnsilenced: {false, false, true, true},
		alert.TopicAcked:      {false, true, true, true},
		alert.TopicAssigned:   {false, true, true, true},
		alert.TopicNote:       {true, true, true, true},
		alert.TopicUnanswered: {true, true, true, true},
		alert.TopicReminder:   {true, true, true, true},
		alert.TopicHidden:     {true, true, true, true},
	} {
		for n, d := range []alert.Delivery{
			{Note: &alert.Note{Topic: topic}},
			{Note: &alert.Note{Topic: topic, Text: "looking"}},
			{Note: &alert.Note{Topic: topic, Mention: []string{"here"}}},
			{Note: &alert.Note{Topic: topic}, TopLevel: true},
		} {
			if d.Kind = alert.Reply; d.MustSay() != must[n] {
				t.Errorf("%s, form %d: %v, want %v", topic, n, !must[n], must[n])
			}
			if d.Kind = alert.List; d.MustSay() {
				t.Errorf("%s: a list must be said", topic)
			}
		}
	}
	if (alert.Delivery{Kind: alert.Reply, TopLevel: true}).MustSay() {
		t.Error("a reply without a note must be said")
	}
}

func TestOnlyALoudOpenCriticalNeedsACard(t *testing.T) {
	for _, c := range []struct {
		i    alert.Incident
		want bool
	}{
		{alert.Incident{State: alert.Open, Severity: alert.Critical}, true},
		{alert.Incident{State: alert.Open, Severity: alert.Error}, false},
		{alert.Incident{State: alert.Acked, Severity: alert.Critical}, false},
		{alert.Incident{State: alert.StateResolved, Severity: alert.Critical}, false},
		{alert.Incident{State: alert.Open, Severity: alert.Critical, Silence: "s-1"}, false},
	} {
		if c.i.NeedsCard() != c.want {
			t.Errorf("%+v: %v", c.i, !c.want)
		}
	}
}

func TestADigestIsMadeOfPostsThatHaveWaited(t *testing.T) {
	old, young := noon.Add(-10*time.Second), noon.Add(-time.Second)
	post := alert.Delivery{Kind: alert.Post, State: alert.Pending, CreatedAt: old}
	late, sending, reply := post, post, post
	late.CreatedAt, sending.State, reply.Kind = young, alert.Sending, alert.Reply
	edge := post
	edge.CreatedAt = noon.Add(-5 * time.Second)
	next, ahead := post, post
	next.CreatedAt, ahead.CreatedAt = noon.Add(time.Second), noon.Add(20*time.Minute)
	for _, c := range []struct {
		what  string
		above int
		front []alert.Delivery
		want  bool
	}{
		{"more than enough", 2, []alert.Delivery{post, post, post}, true},
		{"just as many", 2, []alert.Delivery{post, post}, false},
		{"replies among them", 2, []alert.Delivery{post, reply, post, reply, post}, true},
		{"one too young", 2, []alert.Delivery{post, post, late}, false},
		{"one just old enough", 2, []alert.Delivery{post, post, edge}, true},
		{"one that came during the claim", 2, []alert.Delivery{post, post, next}, false},
		{"one from before the clock was put back", 2, []alert.Delivery{post, post, ahead}, true},
		{"one that is being sent", 2, []alert.Delivery{sending, post, post}, false},
		{"never", 0, []alert.Delivery{post, post, post}, false},
	} {
		claim := alert.Claim{Now: noon, DigestAbove: c.above, DigestAfter: 5 * time.Second}
		if claim.Flooded(c.front) != c.want {
			t.Errorf("%s: %v", c.what, !c.want)
		}
	}
	future, twice := post, post
	twice.PossibleDuplicate = true
	future.NextAt = noon.Add(time.Minute)
	for what, c := range map[string]struct {
		d    alert.Delivery
		want bool
	}{
		"a post": {post, true}, "a young post": {late, true}, "one that is being sent": {sending, false},
		"a reply": {reply, false}, "one that has to wait": {future, false}, "one that may be shown already": {twice, false},
	} {
		if (alert.Claim{Now: noon}).Gathers(c.d) != c.want {
			t.Errorf("%s: gathered %v", what, !c.want)
		}
	}
}

func TestADigestTakesThePlaceOfItsFirstPost(t *testing.T) {
	for priority, severity := range []alert.Severity{alert.Critical, alert.Error} {
		first := alert.Delivery{ID: "d1", Lane: "#db", Kind: alert.Post, Priority: priority, CreatedAt: noon.Add(-time.Minute), NextAt: noon.Add(-time.Second)}
		i, d := alert.NewDigest(first, 12, noon)
		if i.State != alert.StateDigest || i.Severity != severity || i.Count != 12 || i.Title != "12 alerts in one digest" || i.Lanes[0] != "#db" {
			t.Errorf("the digest is %+v", i)
		}
		if d.Kind != alert.Digest || d.Incident != i.ID || d.Priority != priority || !d.CreatedAt.Equal(first.CreatedAt) || !d.NextAt.Equal(noon) || d.ID == first.ID {
			t.Errorf("its delivery is %+v", d)
		}
	}
}

// The deliveries of the tables below, numbered by their order.
func waiting(seq int64, kind alert.Kind) alert.Waiting {
	w := alert.Waiting{Delivery: alert.Delivery{Seq: seq, Kind: kind, State: alert.Pending}}
	if kind == alert.Reply {
		w.Note = &alert.Note{Topic: alert.TopicRefired}
	}
	return w
}

func said(seq int64) alert.Waiting {
	w := waiting(seq, alert.Reply)
	w.Note = &alert.Note{Topic: alert.TopicNote, Text: "looking"}
	return w
}

func asks(seq int64, whom ...string) alert.Waiting {
	w := waiting(seq, alert.Reply)
	w.Note = &alert.Note{Topic: alert.TopicUnanswered, Mention: whom}
	return w
}

func gathered(seq int64) alert.Waiting {
	w := waiting(seq, alert.Post)
	w.State, w.Gathered = alert.Sending, true
	return w
}

func member(severity alert.Severity, waiting ...alert.Waiting) alert.Member {
	return alert.Member{Incident: alert.Incident{State: alert.Open, Severity: severity}, Waiting: waiting}
}

// followup is a Followup in one line.
func followup(f alert.Followup) string {
	list := func(all []alert.Waiting) (names []string) {
		for _, w := range all {
			names = append(names, fmt.Sprint(w.Kind, w.Seq))
		}
		return names
	}
	return fmt.Sprint("own ", list(f.OwnCards), " listed ", list(f.Listed), " repeated ", list(f.Repeated), " next ", list(f.Next))
}

func TestWhatWaitsBehindADigest(t *testing.T) {
	sent := func(w alert.Waiting) alert.Waiting { w.State = alert.Sending; return w }
	first := func(w alert.Waiting) alert.Waiting { w.Claimable = true; return w }
	outside := func(w alert.Waiting) alert.Waiting { w.TopLevel = true; return w }
	for _, c := range []struct {
		what    string
		decide  func([]alert.Member) alert.Followup
		members []alert.Member
		want    string
	}{
		{
			"gathering lists what only shows a state", alert.AfterGathering,
			[]alert.Member{member(alert.Critical, gathered(1), waiting(4, alert.Update), waiting(5, alert.Reply), said(6)), member(alert.Error, gathered(2))},
			"own [] listed [update4 reply5] repeated [] next []",
		},
		{
			"showing lists it too, and what must be said comes next", alert.AfterShowing,
			[]alert.Member{member(alert.Error, waiting(4, alert.Update), said(5), waiting(6, alert.Reply), said(7))},
			"own [] listed [update4 reply6] repeated [] next [reply5]",
		},
		{
			"what became critical gets its own card", alert.AfterShowing,
			[]alert.Member{member(alert.Critical, waiting(4, alert.Update), waiting(5, alert.Reply)), member(alert.Error, waiting(6, alert.Update))},
			"own [post4] listed [update6] repeated [] next [post4]",
		},
		{
			"in its turn", alert.AfterShowing,
			[]alert.Member{member(alert.Critical, said(3), waiting(4, alert.Update))},
			"own [post4] listed [] repeated [] next [reply3]",
		},
		{
			"a critical one without anything new stays", alert.AfterShowing,
			[]alert.Member{member(alert.Critical, waiting(5, alert.Reply))},
			"own [] listed [reply5] repeated [] next []",
		},
		{
			"what has left the digest that is posted again is left alone", alert.AfterShowing,
			[]alert.Member{member(alert.Critical, first(waiting(3, alert.Reply)), waiting(4, alert.Update)), member(alert.Error, first(waiting(5, alert.Update)), waiting(6, alert.Reply))},
			"own [] listed [] repeated [] next []",
		},
		{
			"the same is asked once", alert.AfterShowing,
			[]alert.Member{member(alert.Error, asks(7, "here"), said(9)), member(alert.Error, asks(5, "here")), member(alert.Error, asks(6, "U1"))},
			"own [] listed [] repeated [reply7] next [reply9 reply5 reply6]",
		},
		{
			"but what is being sent is left alone", alert.AfterAsking,
			[]alert.Member{member(alert.Error, first(asks(5, "here"))), member(alert.Error, first(sent(asks(6, "here")))), member(alert.Error, first(asks(8, "here")), said(9))},
			"own [] listed [] repeated [reply8] next [reply9]",
		},
		{
			"and so is what is posted outside its thread", alert.AfterAsking,
			[]alert.Member{member(alert.Error, asks(5, "here")), member(alert.Error, outside(asks(6, "here")))},
			"own [] listed [] repeated [] next []",
		},
		{
			"asking changes nothing else", alert.AfterAsking,
			[]alert.Member{member(alert.Critical, first(waiting(2, alert.Update)), asks(5, "here")), member(alert.Error, gathered(4), asks(6, "here"))},
			"own [] listed [] repeated [reply6] next []",
		},
		{
			"the next of each dead post", alert.AfterGivingUp,
			[]alert.Member{member(alert.Error, waiting(4, alert.Update), waiting(5, alert.Reply)), member(alert.Error, gathered(6)), member(alert.Error)},
			"own [] listed [] repeated [] next [update4]",
		},
	} {
		if got := followup(c.decide(c.members)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.what, got, c.want)
		}
	}
}
