package render

import (
	"cmp"
	"fmt"
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
	text := heartbeatText("💓 *Heartbeats*", all, now, len(all))
	return Message{Text: said(text), Blocks: []slack.Block{section(text)}}
}

// heartbeatText is a head and the most urgent heartbeats, a line each: at most so many,
// and as many as fit into a section.
func heartbeatText(head string, all []alert.Heartbeat, now time.Time, most int) string {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b alert.Heartbeat) int { return cmp.Compare(urgency(a, now), urgency(b, now)) })
	const foot = 100 // room for the last line
	l := newLines(min(maxText, maxSection) - foot)
	l.add(head)
	fitting := 0
	for _, h := range all[:min(len(all), most)] {
		if !l.add(heartbeatRow(h, now)) {
			break
		}
		fitting++
	}
	text := l.text()
	if hidden := len(all) - fitting; hidden > 0 {
		text += "\nand " + plural(hidden, "other")
	}
	return text
}

// homeHeartbeatBlocks count the heartbeats and list those that are missing or late.
func homeHeartbeatBlocks(all []alert.Heartbeat, now time.Time) []slack.Block {
	if len(all) == 0 {
		return nil
	}
	urgent := slices.DeleteFunc(slices.Clone(all), func(h alert.Heartbeat) bool { return urgency(h, now) == calm })
	text := heartbeatText(heartbeatCounts(all, now), urgent, now, homeHeartbeats)
	if len(urgent) > homeHeartbeats {
		text += ": `/notify heartbeats` lists them"
	}
	return []slack.Block{slack.NewDividerBlock(), header("Heartbeats"), section(text)}
}

// heartbeatCounts tells how many heartbeats have each status: 🔴 1 missing, 🟢 12 up.
func heartbeatCounts(all []alert.Heartbeat, now time.Time) string {
	count := alert.CountHeartbeats(all, now)
	var parts []string
	for _, s := range alert.HeartbeatStatuses() {
		if n := count[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s *%d* %s", heartbeatSign(s), n, s))
		}
	}
	return strings.Join(parts, dot)
}

// calm is the urgency of a heartbeat that is neither missing nor late.
const calm = 2

// urgency orders heartbeats: missing, late, then the others.
func urgency(h alert.Heartbeat, now time.Time) int {
	switch h.Status(now) {
	case alert.HeartbeatMissing:
		return 0
	case alert.HeartbeatLate:
		return 1
	}
	return calm
}

func heartbeatSign(s alert.HeartbeatStatus) string {
	return map[alert.HeartbeatStatus]string{alert.HeartbeatMissing: "🔴", alert.HeartbeatLate: "🟡", alert.HeartbeatUp: "🟢", alert.HeartbeatNew: "⚪"}[s]
}

// heartbeatRow has its times in whole minutes, as Slack shows them, so that one of each
// second does not change the Home tab each second.
func heartbeatRow(h alert.Heartbeat, now time.Time) string {
	minute := func(t time.Time) string { return date(t.Truncate(time.Minute)) }
	status := h.Status(now)
	heard := "never heard"
	if !h.LastAt.IsZero() {
		heard = "last heard " + minute(h.LastAt)
	}
	due := "missing since " + minute(h.MissingAt)
	if status != alert.HeartbeatMissing {
		due = "due by " + minute(h.DueAt)
	}
	return strings.Join([]string{heartbeatSign(status) + " " + bold(oneLine(h.Name), 100) + " " + string(status), heard, "every " + span(h.Every), due}, dot)
}
