package render

import (
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Stats sums up the alerts of a period: how many of each severity, how fast people
// and Slack were, which keys were the noisiest, and a chart.
func Stats(s alert.Stats, c Chart) Message {
	head := "📊 *Alerts" + period(s)
	fields := []string{
		"*Alerts*\n" + alertCounts(s), "*Incidents*\n" + fmt.Sprint(s.Incidents),
		"*Until acknowledged*\n" + median(s.ToAck), "*Until resolved*\n" + median(s.ToResolve),
		"*From alert to Slack*\n" + latency(s),
	}
	noisy := noisiest(s.Noisiest)
	blocks := []slack.Block{section(head), fieldset(fields...)}
	blocks = append(blocks, chartBlocks(s, c)...)
	l := newLines(maxText)
	l.add(head)
	for _, f := range fields {
		l.add(strings.Replace(f, "\n", ": ", 1))
	}
	if len(noisy) > 0 {
		blocks = append(blocks, section("*Noisiest*\n"+strings.Join(noisy, "\n")))
		l.add("*Noisiest*")
		l.addAll(noisy...)
	}
	return Message{Text: said(l.text()), Blocks: blocks}
}

func period(s alert.Stats) string {
	line := "*"
	if !s.From.IsZero() && s.Until.After(s.From) {
		line = " of " + days(s) + "*"
	}
	if !s.From.IsZero() {
		line += ", since " + date(s.From)
	}
	return line
}

// days is how much time it is, in days if it is divided into them, or a whole number of them.
func days(s alert.Stats) string {
	const day = 24 * time.Hour
	all := s.Until.Sub(s.From)
	switch {
	case len(s.Buckets) > 1 && daysIn(length(s.Buckets, s.Until)) == 1:
		return plural(int64(len(s.Buckets)), "day")
	case all%day == 0:
		return plural(int64(all/day), "day")
	}
	return span(all)
}

func alertCounts(s alert.Stats) string {
	parts := []string{fmt.Sprintf("*%d*", s.Alerts)}
	for _, severity := range alert.Severities() {
		if n := s.BySeverity[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d %s", severitySign(severity), n, severity))
		}
	}
	return strings.Join(parts, "  ")
}

func median(d time.Duration) string {
	if d <= 0 {
		return "none yet"
	}
	return span(d) + " (median)"
}

func latency(s alert.Stats) string {
	if s.Latency <= 0 {
		return "none yet"
	}
	return brief(s.Latency) + " (median), " + brief(s.LatencyMost) + " (slowest 1 %)"
}

// noisiest are the keys with the most alerts, one line each.
func noisiest(keys []alert.KeyCount) []string {
	const most = 10
	var lines []string
	for _, k := range keys[:min(len(keys), most)] {
		line := fmt.Sprintf("• *%d*  %s", k.Alerts, titleIn(k.Title, 120))
		if key := oneLine(k.Key); visible(key) {
			line += dot + quoted(key)
		}
		lines = append(lines, line)
	}
	return lines
}
