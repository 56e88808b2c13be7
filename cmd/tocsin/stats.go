package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

func newStats(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stats [TIME]",
		Short: "Count the alerts of the last 24 hours, or of another time up to 30 days",
		Example: `  tocsin stats
  tocsin stats 7d --json | jq '.noisiest[0].key'`,
		Args: arguments(0, 1, "give one length of time, such as 24h or 7d"),
	}
	c := newClientCmd(w, cmd)
	c.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		window := "24h"
		if len(args) > 0 {
			window = args[0]
		}
		asked := url.Values{"window": {window}}
		if zone := localZone(w.getenv); zone != time.Local {
			asked.Set("zone", zone.String())
		}
		return c.show(cmd.Context(), func(ctx context.Context) (any, string, error) {
			var s alert.Stats
			if err := c.get(ctx, "/v1/stats?"+asked.Encode(), &s); err != nil {
				return nil, "", err
			}
			return s, statsText(s), nil
		})
	}
	return cmd
}

func statsText(s alert.Stats) string {
	var severities []string
	for _, severity := range alert.Severities() {
		if n := s.BySeverity[severity]; n > 0 {
			severities = append(severities, fmt.Sprintf("%d %s", n, severity))
		}
	}
	text := fields([][2]string{
		{"since", ago(s.From)}, {"alerts", fmt.Sprint(s.Alerts)}, {"severities", strings.Join(severities, ", ")}, {"incidents", fmt.Sprint(s.Incidents)},
		{"until acknowledged", typical(s.ToAck)}, {"until resolved", typical(s.ToResolve)}, {"until shown", latency(s)},
	})
	if s.Alerts == 0 {
		return text
	}
	return text + "\n" + histogram(s.Buckets) + "\n" + table(func(line func(cells ...any)) {
		line("ALERTS", "INCIDENT", "KEY", "TITLE")
		for _, k := range s.Noisiest {
			line(k.Alerts, k.Incident, brief(k.Key), brief(k.Title))
		}
	})
}

func typical(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return roughly(d) + " (median)"
}

func latency(s alert.Stats) string {
	if s.LatencyMost == 0 {
		return ""
	}
	return fmt.Sprintf("%v (median), %v (99 %%)", s.Latency.Round(time.Millisecond), s.LatencyMost.Round(time.Millisecond))
}

// barWidth is the length of the longest bar.
const barWidth = 40

// histogram draws a line for each part of the time that has alerts, or had some before and
// after.
func histogram(buckets []alert.Bucket) string {
	counts := make([]int64, len(buckets))
	most := int64(1)
	for n, b := range buckets {
		for _, count := range b.BySeverity {
			counts[n] += count
		}
		most = max(most, counts[n])
	}
	named := func(at time.Time) string { return at.Local().Format("Mon 15:04") }
	if len(buckets) > 1 && buckets[1].At.Sub(buckets[0].At) > 20*time.Hour {
		named = func(at time.Time) string { return at.Format("Mon 2 Jan") } // the day as it was cut
	}
	return table(func(line func(cells ...any)) {
		for n, b := range buckets {
			bar := strings.Repeat("█", int((counts[n]*barWidth+most-1)/most))
			line(named(b.At), counts[n], bar)
		}
	})
}
