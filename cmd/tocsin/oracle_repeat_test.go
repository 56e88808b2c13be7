package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/playground"
	"tocsin/render"
)

// clockMark is how the mark of a turned clock begins.
const clockMark = "clock turned by "

// replaced finds messages that were rightly sent again, by their numbers in the journal;
// the later message counts instead, unless the daemon has found the earlier one after all and
// goes on with that. When a clock is turned forward between two runs, the
// daemon can't know that its last look comes before a history that lags shows the message.
// It must say then that it may be a duplicate.
func (x *exhibit) replaced() map[int64]bool {
	replaced, latest := map[int64]bool{}, map[string]playground.Entry{}
	for _, e := range x.journal {
		if e.Kind != playground.KindMessage || e.Message == nil {
			continue
		}
		for _, id := range deliveriesOf(*e.Message) {
			before, again := latest[id]
			if again && markedTwice(*e.Message) && x.lagged(before.Seq, e.Seq) && x.clockForward(before.At, e.At) {
				if x.recorded != nil && x.recorded(id) == before.Message.TS {
					replaced[e.Seq] = true
					continue
				}
				replaced[before.Seq] = true
			}
			latest[id] = e
		}
	}
	return replaced
}

// deliveriesOf are the deliveries that a message shows: its own, or those of its files.
func deliveriesOf(m playground.Message) (ids []string) {
	if id := deliveryOf(m); id != "" {
		ids = append(ids, id)
	}
	for _, f := range m.Files {
		ids = append(ids, f.Name)
	}
	return ids
}

func markedTwice(m playground.Message) bool {
	return strings.Contains(m.Text, render.Twice) || slices.ContainsFunc(m.Files, func(f playground.File) bool { return strings.HasSuffix(f.Title, render.FileTwice) })
}

// lagged reports whether the history lagged at some time between two entries.
func (x *exhibit) lagged(from, to int64) bool {
	lags := false
	for _, e := range x.journal {
		switch {
		case e.Seq >= to:
			return lags
		case e.Kind != playground.KindFaults:
		case e.Reason == playground.FaultLag:
			lags = true
		case e.Reason == "" && e.Seq < from: // all faults were cleared
			lags = false
		}
	}
	return lags
}

// clockForward reports whether the daemon's clock was turned forward between two times.
func (x *exhibit) clockForward(from, to time.Time) bool {
	for _, m := range x.marks {
		by, turned := strings.CutPrefix(m.what, clockMark)
		if turned && !strings.HasPrefix(by, "-") && m.at.After(from) && m.at.Before(to) {
			return true
		}
	}
	return false
}

func TestTheOracleAcceptsARepeatedMessageOnlyIfItIsMarkedAndNobodyCouldKnow(t *testing.T) {
	const marked = "🟠 Error: oracle a0000001 of p0n1\n" + render.Twice
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	for name, c := range map[string]struct {
		fault, text, turned string
		want                bool
	}{
		"a lag, and the clock forward":    {playground.FaultLag, marked, "12s", true},
		"without a mark":                  {playground.FaultLag, "🟠 Error: oracle a0000001 of p0n1", "12s", false},
		"a lag, and the clock put back":   {playground.FaultLag, marked, "-12s", false},
		"the clock forward without a lag": {playground.FaultLost, marked, "12s", false},
	} {
		posted := func(seq int64, text string) playground.Entry {
			return playground.Entry{Seq: seq, At: at(seq), Kind: playground.KindMessage, Message: &playground.Message{
				Text: text, Metadata: &playground.Metadata{EventPayload: json.RawMessage(`{"delivery_id":"d-1"}`)},
			}}
		}
		x := &exhibit{marks: []mark{{at: at(3), what: clockMark + c.turned}}, journal: []playground.Entry{
			posted(1, "🟠 Error: oracle a0000001 of p0n1"), {Seq: 2, Kind: playground.KindFaults, Reason: c.fault}, posted(4, c.text),
		}}
		if got := x.replaced()[1]; got != c.want {
			t.Errorf("%s: accepted %t, want %t", name, got, c.want)
		}
		x.recorded = func(string) string { return "" } // that of the earlier message, which has none here
		if got := x.replaced(); c.want && (got[1] || !got[4]) {
			t.Errorf("%s: where the daemon goes on with the earlier message, it replaced %v", name, got)
		}
	}
}
