package alert_test

import (
	"testing"

	"tocsin/alert"
)

func TestWhereANewDeliveryGoes(t *testing.T) {
	open := &alert.Incident{State: alert.Open, Severity: alert.Error}
	critical := &alert.Incident{State: alert.Open, Severity: alert.Critical}
	update, reply, post := waiting(1, alert.Update).Delivery, waiting(1, alert.Reply).Delivery, waiting(1, alert.Post).Delivery
	toChannel := said(1).Delivery
	toChannel.TopLevel = true
	for _, c := range []struct {
		what  string
		queue alert.CardQueue
		d     alert.Delivery
		i     *alert.Incident
		want  alert.Placement
		kind  alert.Kind
	}{
		{"the first", alert.CardQueue{}, post, open, alert.Queued, alert.Post},
		{"an update behind a reply", alert.CardQueue{Waiting: true}, update, open, alert.Queued, alert.Update},
		{"an update that is drawn anyway", alert.CardQueue{Waiting: true, Redraws: true}, update, open, alert.LeftOut, alert.Update},
		{"a reply", alert.CardQueue{Waiting: true, Redraws: true}, reply, open, alert.Queued, alert.Reply},
		{"an update in a digest", alert.CardQueue{InDigest: true}, update, open, alert.ShownByDigest, alert.Update},
		{"a post in a digest", alert.CardQueue{InDigest: true}, post, open, alert.ShownByDigest, alert.Post},
		{"a reply in a digest", alert.CardQueue{InDigest: true}, reply, critical, alert.ShownByDigest, alert.Reply},
		{"what must be said", alert.CardQueue{InDigest: true}, said(1).Delivery, open, alert.Queued, alert.Reply},
		{"a critical one in a digest", alert.CardQueue{InDigest: true}, update, critical, alert.Queued, alert.Post},
		{"what a change says of another", alert.CardQueue{InDigest: true}, update, nil, alert.ShownByDigest, alert.Update},
		{"one that gets its own card", alert.CardQueue{InDigest: true, Waiting: true, Posts: true}, reply, open, alert.Queued, alert.Reply},
		{"a note that another reply says", alert.CardQueue{Waiting: true, Reply: said(1).Note}, said(1).Delivery, open, alert.Folded, alert.Reply},
		{"a reply to the channel", alert.CardQueue{Waiting: true, Reply: said(1).Note}, toChannel, open, alert.Queued, alert.Reply},
		{"an edit of that", alert.CardQueue{InDigest: true, Waiting: true, Posts: true, Redraws: true}, update, critical, alert.LeftOut, alert.Update},
	} {
		got := c.queue.Place(&c.d, c.i)
		if got != c.want || c.d.Kind != c.kind {
			t.Errorf("%s: %d as a %s, want %d as a %s", c.what, got, c.d.Kind, c.want, c.kind)
		}
	}
}

func TestACriticalIncidentGoesToTheFrontUntilItIsOver(t *testing.T) {
	for _, c := range []struct {
		severity alert.Severity
		state    alert.State
		want     bool
	}{
		{alert.Critical, alert.Open, true},
		{alert.Critical, alert.Acked, true},
		{alert.Critical, alert.StateResolved, false},
		{alert.Error, alert.Open, false},
	} {
		if (alert.Incident{Severity: c.severity, State: c.state}).Urgent() != c.want {
			t.Errorf("%s %s: %v", c.state, c.severity, !c.want)
		}
	}
}

func TestACardsQueueKnowsWhatWaits(t *testing.T) {
	for _, c := range []struct {
		kind  alert.Kind
		state alert.DeliveryState
		want  alert.CardQueue
	}{
		{alert.Post, alert.Pending, alert.CardQueue{Waiting: true, Redraws: true, Posts: true}},
		{alert.Post, alert.Sending, alert.CardQueue{Waiting: true, Posts: true}},
		{alert.Update, alert.Pending, alert.CardQueue{Waiting: true, Redraws: true}},
		{alert.Digest, alert.Pending, alert.CardQueue{Waiting: true, Redraws: true}},
		{alert.Update, alert.Sending, alert.CardQueue{Waiting: true}},
		{alert.Reply, alert.Pending, alert.CardQueue{Waiting: true}},
		{alert.List, alert.Pending, alert.CardQueue{Waiting: true}},
	} {
		var q alert.CardQueue
		if q.Count(c.kind, c.state); q != c.want {
			t.Errorf("%s %s: %+v", c.state, c.kind, q)
		}
	}
}
