package alert_test

import (
	"testing"

	"tocsin/alert"
)

func TestWhatTheEndOfADeliveryMeansForItsAlerts(t *testing.T) {
	for _, c := range []struct {
		what string
		e    alert.Ended
		want alert.Settlement
	}{
		{"a post is shown", alert.Ended{Kind: alert.Post, State: alert.Delivered, Sent: 3}, alert.Settlement{Card: true, Shown: 3}},
		{"an edit is shown", alert.Ended{Kind: alert.Update, State: alert.Delivered, Sent: 4, Shown: 2}, alert.Settlement{Card: true, Shown: 4}},
		{"a reply shows no alert", alert.Ended{Kind: alert.Reply, State: alert.Delivered, Sent: 4, Shown: 2}, alert.Settlement{}},
		{"the card shows it already", alert.Ended{Kind: alert.Update, State: alert.Superseded, Shown: 2}, alert.Settlement{Shown: 2}},
		{"a post is dead", alert.Ended{Kind: alert.Post, State: alert.Dead, Shown: 2, Redraws: true, Held: true}, alert.Settlement{Dead: true}},
		{"an edit is dead", alert.Ended{Kind: alert.Update, State: alert.Dead, Shown: 2}, alert.Settlement{Shown: 2, Dead: true}},
		{"but another follows", alert.Ended{Kind: alert.Update, State: alert.Dead, Shown: 2, Redraws: true}, alert.Settlement{Shown: 2}},
		{"but a card will", alert.Ended{Kind: alert.Reply, State: alert.Dead, Held: true}, alert.Settlement{}},
		{"a reply is dead", alert.Ended{Kind: alert.Reply, State: alert.Dead, Shown: 2}, alert.Settlement{Shown: 2, Dead: true}},
		{"a reply to a digest is dead", alert.Ended{Kind: alert.Reply, State: alert.Dead, Shown: 2, InDigest: true}, alert.Settlement{Shown: 2}},
		{"an edit of an old digest is dead", alert.Ended{Kind: alert.Update, State: alert.Dead, Shown: 2, InDigest: true}, alert.Settlement{Shown: 2, Dead: true}},
		{"it goes on", alert.Ended{Kind: alert.Post, State: alert.Pending, Shown: 2}, alert.Settlement{}},
	} {
		if got := c.e.Settle(); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.what, got, c.want)
		}
	}
}

func TestADeadLetterThatMayHaveBeenShownIsLookedFor(t *testing.T) {
	for class, want := range map[alert.Class]alert.DeliveryState{
		alert.ClassUnsure: alert.Sending, alert.ClassDestination: alert.Pending, alert.ClassPayload: alert.Pending, "": alert.Pending,
	} {
		if state, kept := class.Retried(); state != want || (kept == class) != (class == alert.ClassUnsure || class == "") {
			t.Errorf("%q is retried as %s, class %q", class, state, kept)
		}
	}
}

func TestWhatTheEndOfADigestMeans(t *testing.T) {
	for _, c := range []struct {
		kind     alert.Kind
		state    alert.DeliveryState
		gathered bool
		want     alert.DigestEnding
	}{
		{alert.Digest, alert.Delivered, true, alert.DigestPosted},
		{alert.Digest, alert.Delivered, false, alert.DigestPosted},
		{alert.Digest, alert.Dead, true, alert.DigestUndone},
		{alert.Digest, alert.Dead, false, alert.DigestLost},
		{alert.Update, alert.Delivered, false, alert.DigestEdited},
		{alert.Update, alert.Superseded, false, alert.DigestCurrent},
		{alert.Update, alert.Dead, false, alert.DigestLost},
		{alert.Update, alert.Dead, true, alert.DigestLost},
		{alert.List, alert.Delivered, false, alert.DigestUnchanged},
		{alert.List, alert.Dead, false, alert.DigestUnchanged},
		{alert.List, alert.Superseded, false, alert.DigestUnchanged},
	} {
		if got := alert.EndDigest(c.kind, c.state, c.gathered); got != c.want {
			t.Errorf("%s %s (gathered %v): %d, want %d", c.state, c.kind, c.gathered, got, c.want)
		}
	}
}
