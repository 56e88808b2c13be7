package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"tocsin/alert"
)

// Chart says how the chart of alerts over time is drawn. The zero Chart draws none.
type Chart struct {
	// Native draws it as Slack's own block (data_visualization), which messages
	// take and the App Home may not.
	Native bool
	// File is Slack's id of an uploaded Picture; it takes precedence over Native.
	File string
	// Zone is the time zone of the labels; nil is UTC.
	Zone *time.Location
}

// Slack's limits of the block, in slack-go's block_data_visualization.go.
const (
	maxPoints     = 20
	maxChartLabel = 20
	maxChartTitle = 50
	maxAlt        = 1000 // what an upload takes; a block would take 2,000
)

// chartBlocks draws the chart of s, or nothing when there is nothing to see.
func chartBlocks(s alert.Stats, c Chart) []slack.Block {
	used := severitiesOf(s.Buckets)
	switch {
	case len(used) == 0:
		return nil
	case fileID(c.File):
		return []slack.Block{slack.NewImageBlockSlackFile(&slack.SlackFileObject{ID: c.File}, PictureText(s, c.Zone), "", plain(chartTitle(s.Buckets, s.Until)+", "+zoneName(c.Zone)))}
	case !c.Native:
		return nil
	}
	buckets := merged(s.Buckets, maxPoints)
	names := labels(buckets, s.Until, c.Zone)
	var series []slack.DataVisualizationDataSeries
	for _, severity := range used {
		var points []slack.DataVisualizationDataPoint
		for n, b := range buckets {
			points = append(points, slack.NewDataVisualizationDataPoint(names[n], float64(b.BySeverity[severity])))
		}
		series = append(series, slack.NewDataVisualizationDataSeries(severityWord(severity), points...))
	}
	axis := slack.NewDataVisualizationAxisConfig(names...).WithXLabel("Times in " + zoneName(c.Zone))
	return []slack.Block{slack.NewDataVisualizationBlock(chartTitle(buckets, s.Until), slack.NewDataVisualizationBarChart(axis, series...))}
}

func fileID(s string) bool { return strings.HasPrefix(s, "F") && slackID(s) }

// severitiesOf are the severities that occur, worst first.
func severitiesOf(buckets []alert.Bucket) []alert.Severity {
	var used []alert.Severity
	for _, severity := range alert.Severities() {
		if slices.ContainsFunc(buckets, func(b alert.Bucket) bool { return b.BySeverity[severity] > 0 }) {
			used = append(used, severity)
		}
	}
	return used
}

// merged adds up neighbouring buckets until at most so many are left, all of the
// same length if possible.
func merged(buckets []alert.Bucket, most int) []alert.Bucket {
	least := (len(buckets) + most - 1) / most
	each := least
	for try := least; try <= 2*least; try++ {
		if try > 0 && len(buckets)%try == 0 {
			each = try
			break
		}
	}
	if each <= 1 {
		return buckets
	}
	var all []alert.Bucket
	for part := range slices.Chunk(buckets, each) {
		sum := alert.Bucket{At: part[0].At, BySeverity: map[alert.Severity]int64{}}
		for _, b := range part {
			for severity, n := range b.BySeverity {
				sum.BySeverity[severity] += n
			}
		}
		all = append(all, sum)
	}
	return all
}

// length is how much time one bucket covers; the first and the last one may cover less.
func length(buckets []alert.Bucket, until time.Time) time.Duration {
	longest, end := time.Duration(0), until
	for _, b := range slices.Backward(buckets) {
		longest, end = max(longest, end.Sub(b.At)), b.At
	}
	return longest
}

// daysIn is how many days a length of time is, some of which may have 23 or 25 hours; 0 if
// it is less than a day.
func daysIn(d time.Duration) int64 {
	if d < 23*time.Hour {
		return 0
	}
	return int64(math.Round(d.Hours() / 24))
}

func chartTitle(buckets []alert.Bucket, until time.Time) string {
	switch each := length(buckets, until); {
	case each == time.Hour:
		return "Alerts per hour"
	case daysIn(each) == 1:
		return "Alerts per day"
	case daysIn(each) > 1:
		return fmt.Sprintf("Alerts every %d days", daysIn(each))
	case each >= time.Hour && each%time.Hour == 0:
		return fmt.Sprintf("Alerts every %d hours", each/time.Hour)
	default:
		return cut("Alerts every "+span(each), maxChartTitle)
	}
}

// labels names each bucket by its beginning; no two names are equal.
func labels(buckets []alert.Bucket, until time.Time, zone *time.Location) []string {
	layout := "15:04"
	switch each := length(buckets, until); {
	case daysIn(each) > 0:
		layout = "Mon 2 Jan"
	case each*time.Duration(len(buckets)) > 48*time.Hour:
		layout = "Mon 2, 15:04"
	}
	seen := map[string]int{}
	names := make([]string, len(buckets))
	for n, b := range buckets {
		name := b.At.In(cmp.Or(zone, time.UTC)).Format(layout)
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s (%d)", name, seen[name])
		}
		names[n] = name
	}
	return names
}

// zoneName is the zone's name without characters that Slack reads as markup.
func zoneName(zone *time.Location) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("<>&", r) {
			return -1
		}
		return r
	}, oneLine(cmp.Or(zone, time.UTC).String()))
	return cut(name, 30)
}

// PictureText is Picture in words, in at most 1,000 characters.
func PictureText(s alert.Stats, zone *time.Location) string {
	used := severitiesOf(s.Buckets)
	if len(used) == 0 {
		return "No alerts."
	}
	names := labels(s.Buckets, s.Until, zone)
	total := map[alert.Severity]int64{}
	var parts []string
	for n, b := range s.Buckets {
		for severity, count := range b.BySeverity {
			total[severity] += count
		}
		if said := tallied(b.BySeverity, used); said != "" {
			parts = append(parts, names[n]+" "+said)
		}
	}
	text := fmt.Sprintf("%s, %s: %s.", chartTitle(s.Buckets, s.Until), zoneName(zone), tallied(total, used))
	const more = " And more."
	for _, part := range parts {
		if len([]rune(text+part))+len(more)+2 > maxAlt {
			return text + more
		}
		text += " " + part + "."
	}
	return text
}

// tallied is 1 critical, 2 error; empty when all are zero.
func tallied(counts map[alert.Severity]int64, used []alert.Severity) string {
	var parts []string
	for _, severity := range used {
		if n := counts[severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, severity))
		}
	}
	return strings.Join(parts, ", ")
}
