package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"tocsin/alert"
	"tocsin/playground"
)

// watchLedger looks at the ledger all the time and returns the first thing that
// is wrong with it.
func (o *oracle) watchLedger(ctx context.Context) error {
	var before alert.Counts
	var doors []*client // each keeps its connection
	for _, d := range o.all {
		doors = append(doors, d.client())
	}
	for n := 0; pause(ctx, 50*time.Millisecond); n++ {
		var l alert.Ledger
		low := o.accepted.Load()
		limited, cancel := context.WithTimeout(ctx, time.Second)
		err := doors[n%len(doors)].call(limited, "GET", "/v1/ledger", nil, &l)
		cancel()
		if err != nil {
			continue // it is dead at the moment
		}
		o.looks.Add(1)
		if err := o.balanced(l, low); err != nil {
			return err
		}
		if l.Total.Delivered < before.Delivered || l.Total.Folded < before.Folded || l.Total.Accepted < before.Accepted {
			return fmt.Errorf("the ledger went back from %+v to %+v", before, l.Total)
		}
		before = l.Total
	}
	return nil
}

// balanced checks one look at the ledger; low is how many alerts had been
// answered with 202 before it.
func (o *oracle) balanced(l alert.Ledger, low int64) error {
	var sum alert.Counts
	for _, lane := range append(l.Lanes, alert.LaneCounts{Counts: l.Total}) {
		c := lane.Counts
		if c.Accepted != c.Pending+c.Delivered+c.Folded+c.Silenced+c.Dead {
			return fmt.Errorf("the ledger of lane %q does not balance: %+v", lane.Lane, c)
		}
		if lane.Lane != "" {
			sum.Accepted += c.Accepted
			sum.Pending += c.Pending
		}
	}
	high := o.tried.Load()
	switch {
	case sum.Accepted != l.Total.Accepted || sum.Pending != l.Total.Pending:
		return fmt.Errorf("the lanes add up to %+v, the total is %+v", sum, l.Total)
	case l.Total.Accepted < low:
		return fmt.Errorf("LOST: %d alerts were answered with 202, the ledger has %d", low, l.Total.Accepted)
	case l.Total.Accepted > high:
		return fmt.Errorf("the ledger has %d alerts, no more than %d were sent", l.Total.Accepted, high)
	case l.Total.Dead > 0:
		return fmt.Errorf("alerts died: %+v", l.Total)
	}
	return nil
}

// compareLedger compares the ledger's end with what was accepted and shown. An
// alert without an answer was accepted if and only if it is shown. Of the alerts of groups,
// only how many there are of each kind is known from their records.
func (o *oracle) compareLedger(x *exhibit, l alert.Ledger, groups alert.Counts) {
	o.t.Helper()
	accepted, delivered := o.accepted.Load(), groups.Delivered
	for _, p := range o.pushers {
		for _, s := range p.order {
			if _, ok := x.first(s); ok && s.doubtful {
				accepted++
			}
			if want, _ := x.standing(s, s.opened()); want == alert.StandDelivered {
				delivered++
			}
		}
	}
	if l.Total.Accepted != accepted || l.Total.Delivered != delivered || l.Total.Silenced != groups.Silenced || l.Total.Folded != accepted-delivered-groups.Silenced {
		o.t.Errorf("the ledger ends with %+v; %d alerts were accepted or shown, %d of them first on a card, %d silenced", l.Total, accepted, delivered, groups.Silenced)
	}
}

// redeem finds out what has become of the alerts that were queued: sent again, they get the
// receipts of duplicates.
func (o *oracle) redeem() {
	o.t.Helper()
	for _, p := range o.pushers {
		for _, s := range p.order {
			for _, a := range s.alerts {
				if a.receipt.Effect != alert.EffectQueued {
					continue
				}
				if err := o.redeemOne(a); err != nil {
					o.t.Errorf("alert %s of %s, which was queued: %v", a.tag, describe(s), err)
				} else if first := s.opened().receipt.Incident; a.receipt.Incident != first {
					o.t.Errorf("alert %s of %s, which was queued, went to incident %s", a.tag, describe(s), a.receipt.Incident)
				}
				o.accepted.Add(1)
			}
		}
	}
	for _, g := range o.groupers {
		for _, m := range g.members() {
			for _, a := range m.alerts {
				if a.receipt.Effect != alert.EffectQueued {
					continue
				}
				if err := o.redeemOne(a); err != nil {
					o.t.Errorf("alert %s of %s, which was queued: %v", a.tag, m.key, err)
				} else if m.group.incident = cmp.Or(m.group.incident, a.receipt.Incident); a.receipt.Incident != m.group.incident {
					o.t.Errorf("alert %s of %s, which was queued, went to incident %s, the group's is %s", a.tag, m.key, a.receipt.Incident, m.group.incident)
				}
				o.accepted.Add(1)
			}
		}
	}
}

func (o *oracle) redeemOne(a *sent) error {
	if a.receipt.ID != "" {
		var rec alert.Record
		err := o.daemon.ask("/v1/alerts/"+a.receipt.ID, &rec)
		a.receipt.Incident = rec.Incident
		return err
	}
	got, err := o.daemon.push(a.body())
	if err != nil {
		return err
	}
	if a.receipt = got[0]; a.receipt.Effect != alert.EffectDuplicate {
		return fmt.Errorf("LOST: sent again, it gets %+v", a.receipt)
	}
	return nil
}

// compareRecords compares each alert's record with how and where it is shown.
func (o *oracle) compareRecords(x *exhibit) {
	var found []string
	for _, p := range o.pushers {
		for _, s := range p.order {
			for _, a := range s.alerts {
				if s.doubtful {
					continue // nobody knows its id
				}
				var rec alert.Record
				if err := o.daemon.ask("/v1/alerts/"+a.receipt.ID, &rec); err != nil {
					o.t.Errorf("alert %s of %s: %v", a.tag, describe(s), err)
					return
				}
				if wrong := x.misrecorded(s, a, rec); wrong != "" {
					found = append(found, fmt.Sprintf("alert %s of %s: %s\n    its record: %s\n%s%s%s", a.tag, describe(s), wrong,
						asJSON(rec), o.delivery(rec.Delivery), x.lines(s.key), x.logged(s)))
				}
			}
		}
	}
	o.tell(found)
}

// misrecorded says how the record of an alert differs from what is shown, or is empty.
func (x *exhibit) misrecorded(s *story, a *sent, rec alert.Record) string {
	shown := slices.Concat(x.cards[s.key], x.listed[s.key])
	if !slices.ContainsFunc(shown, func(e playground.Entry) bool { return rec.TS == e.Message.TS && rec.Conversation == e.Channel }) {
		return fmt.Sprintf("it is %s at %q %q, where it is not shown", rec.Standing, rec.Conversation, rec.TS)
	}
	if want, why := x.standing(s, a); rec.Standing != want {
		return fmt.Sprintf("MISCOUNTED: it is %s, want %s: %s", rec.Standing, want, why)
	}
	return ""
}

// standing is how an alert has to end, and why: the first one of a story is
// delivered if its own card showed it first, and all others are folded.
func (x *exhibit) standing(s *story, a *sent) (want alert.Standing, why string) {
	first, ok := x.first(s)
	switch {
	case !ok:
		return alert.StandPending, "nothing shows it"
	case a != s.opened():
		return alert.StandFolded, "its incident was there already"
	case slices.ContainsFunc(x.cards[s.key], func(e playground.Entry) bool { return e.Seq == first.Seq }):
		return alert.StandDelivered, fmt.Sprintf("the card #%d showed it first", first.Seq)
	}
	return alert.StandFolded, fmt.Sprintf("the digest #%d showed it first", first.Seq)
}

// delivery is what the daemon says of a delivery.
func (o *oracle) delivery(id string) string {
	if id == "" {
		return ""
	}
	var d alert.DeliveryDetail
	if err := o.daemon.ask("/v1/deliveries/"+id, &d); err != nil {
		return fmt.Sprintf("    its delivery: %v\n", err)
	}
	return fmt.Sprintf("    its delivery: %s\n", asJSON(d.Delivery))
}
