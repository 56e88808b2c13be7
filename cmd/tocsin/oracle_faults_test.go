package main

import (
	"fmt"
	"time"

	"tocsin/playground"
)

// misbehave has Slack do something that it should not, or clears the faults first.
func (o *oracle) misbehave() {
	if o.random.IntN(2) == 0 {
		o.slack.ClearFaults()
	}
	deeds := []func(){o.cutSockets, o.archive, o.archive, o.askForALongPause}
	if o.plan.lag > 0 {
		deeds = append(deeds, func() { o.fault(playground.Fault{Kind: playground.FaultLag, Delay: o.plan.lag}) })
	}
	for _, f := range []playground.Fault{
		{Kind: playground.FaultThrottle, RetryAfter: 1, Percent: 40},
		{Kind: playground.FaultThrottle, Method: "chat.update", RetryAfter: 2, Percent: 60},
		{Kind: "500", Percent: 40},
		{Kind: "503", Method: "chat.postMessage", Percent: 60},
		{Kind: "502", Method: "conversations.history", Percent: 60},
		{Kind: playground.FaultSlow, Delay: 400 * time.Millisecond, Percent: 60},
		{Kind: playground.FaultLost, Percent: 50},
		{Kind: playground.FaultLost, Method: "chat.postMessage"},
		{Kind: playground.FaultStoredError, Percent: 40},
		{Kind: playground.FaultStoredError, Method: "chat.postMessage", Error: "fatal_error", Percent: 70},
		{Kind: playground.FaultRefuse, Percent: 40},
	} {
		deeds = append(deeds, func() { o.fault(f) })
	}
	deeds[o.random.IntN(len(deeds))]()
}

func (o *oracle) fault(f playground.Fault) {
	o.t.Helper()
	o.mark(fmt.Sprintf("fault %s %s %s %d%% %ds", f.Kind, f.Method, f.Channel, f.Percent, f.RetryAfter))
	if err := o.slack.SetFault(f); err != nil {
		o.t.Fatal(err)
	}
}

// askForALongPause throttles one conversation for much longer than its pace.
func (o *oracle) askForALongPause() {
	o.t.Helper()
	o.fault(playground.Fault{
		Kind: playground.FaultThrottle, Method: "chat.postMessage", Channel: o.lanes[o.random.IntN(len(o.lanes))],
		RetryAfter: 1 + int(o.wait(o.plan.longPause)/time.Second), Times: 1,
	})
}

func (o *oracle) cutSockets() {
	o.mark("sockets cut")
	for _, socket := range o.slack.Sockets() {
		if socket.State == "live" {
			_ = o.slack.Cut(socket.ID) // it may have gone by itself meanwhile
		}
	}
}

// The conversation that is archived now and then, and what replaces it.
const (
	shakyLane    = "#lane-0"
	fallbackLane = "#fallback"
)

// archive archives the shaky lane, or opens it again.
func (o *oracle) archive() {
	o.t.Helper()
	change, what := o.slack.Archive, "archived"
	if o.archived {
		change, what = o.slack.Unarchive, "opened again"
	}
	o.archived = !o.archived
	o.mark(shakyLane + " " + what)
	archive(o.t, change, shakyLane)
}

// hasty finds posts to a conversation before the end of a pause that Slack has asked
// for there. A daemon that was killed meanwhile does not know of it, and one that has
// not learnt yet that two names are one conversation does not know it of the other name.
func (x *exhibit) hasty() []string {
	var all []string
	pauses := map[string]playground.Entry{} // by conversation, the one that ends last
	for _, e := range x.journal {
		if e.Call == nil || e.Call.Method != "chat.postMessage" || e.Call.Args["metadata"] == "" {
			continue
		}
		before, asked := pauses[e.Channel]
		if asked && e.Call.At.Before(pauseEnd(before)) && x.oneLane(e.Channel, before.Call.At) && !x.outageBetween(before.Call.At, e.Call.At) {
			all = append(all, fmt.Sprintf("HASTY: Slack asked at %s for %d s without posts to %s, call #%d came at %s",
				before.Call.At.Format(clockFormat), before.Call.RetryAfter, e.Channel, e.Seq, e.Call.At.Format(clockFormat)))
		}
		answered := e.Call.Status != 0
		if answered && e.Call.RetryAfter > 0 && (!asked || pauseEnd(e).After(pauseEnd(before))) {
			pauses[e.Channel] = e
		}
	}
	return all
}

// oneLane reports whether the daemon knew at a time that all that it sends to a
// conversation is in one lane.
func (x *exhibit) oneLane(channel string, at time.Time) bool {
	for lane, id := range x.ids {
		if learnt, known := x.learnt[lane]; id == channel && (!known || learnt.After(at)) {
			return false
		}
	}
	return true
}

func pauseEnd(e playground.Entry) time.Time {
	return e.Call.At.Add(time.Duration(e.Call.RetryAfter) * time.Second)
}

func (x *exhibit) outageBetween(from, to time.Time) bool {
	for _, m := range x.marks {
		if m.until.After(from) && m.at.Before(to) {
			return true
		}
	}
	return false
}
