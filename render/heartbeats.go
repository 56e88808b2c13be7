package render

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Heartbeats lists heartbeats as they are at now, missing ones first, as many as fit.
func Heartbeats(all []alert.Heartbeat, now time.Time) Message {
	if len(all) == 0 {
		return answer("💓 There are no heartbeats.", "A sender makes one with its first beat: `POST /v1/heartbeats/nightly-backup?every=1d` with its token. The configuration can name some under `heartbeats`, too.")
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b alert.Heartbeat) int { return cmp.Compare(urgency(a, now), urgency(b, now)) })
	const foot = 100 // room for the last line
	l := newLines(min(maxText, maxSection) - foot)
	l.add("💓 *Heartbeats*")
	fitting := 0
	for _, h := range all {
		if !l.add(heartbeatRow(h, now)) {
			break
		}
		fitting++
	}
	text := l.text()
	if hidden := len(all) - fitting; hidden > 0 {
		text += "\nand " + plural(hidden, "other")
	}
	return Message{Text: said(text), Blocks: []slack.Block{section(text)}}
}

// urgency orders heartbeats: missing, late, then the others.
func urgency(h alert.Heartbeat, now time.Time) int {
	switch h.Status(now) {
	case alert.HeartbeatMissing:
		return 0
	case alert.HeartbeatLate:
		return 1
	}
	return 2
}

func heartbeatRow(h alert.Heartbeat, now time.Time) string {
	status := h.Status(now)
	sign := map[alert.HeartbeatStatus]string{alert.HeartbeatMissing: "🔴", alert.HeartbeatLate: "🟡", alert.HeartbeatUp: "🟢", alert.HeartbeatNew: "⚪"}[status]
	heard := "never heard"
	if !h.LastAt.IsZero() {
		heard = "last heard " + date(h.LastAt)
	}
	due := "missing since " + date(h.MissingAt)
	if status != alert.HeartbeatMissing {
		due = "due by " + date(h.DueAt)
	}
	return strings.Join([]string{sign + " " + bold(oneLine(h.Name), 100) + " " + string(status), heard, "every " + span(h.Every), due}, dot)
}
