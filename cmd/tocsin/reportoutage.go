package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// outageRetry is how long to wait before a report that failed is tried again.
const outageRetry = time.Minute

// outage decides what is reported about Slack outside Slack: that it does not work, once,
// and that it works again.
type outage struct {
	reported bool      // that Slack does not work is the latest report
	began    time.Time // zero while Slack works
	over     time.Time // since when Slack works after what was reported; zero while it does not
}

// next returns what is to be reported, or "". An outage begins once Slack has not worked
// for limit, and is over once it has worked for as long: one that comes and goes is
// reported once.
func (o *outage) next(now time.Time, problems []alert.Problem, limit time.Duration) string {
	problems = slices.DeleteFunc(slices.Clone(problems), func(p alert.Problem) bool { return !aboutSlack(p) })
	if len(problems) > 0 {
		return o.fails(now, problems, limit)
	}
	if !o.reported {
		o.began = time.Time{}
		return ""
	}
	if o.over.IsZero() {
		o.over = now
	}
	if now.Sub(o.over) < limit {
		return ""
	}
	return fmt.Sprintf("Tocsin can use Slack again, since %s.\n\nIt could not since %s. What was accepted meanwhile is being delivered.\n", utc(o.over), utc(o.began))
}

func (o *outage) fails(now time.Time, problems []alert.Problem, limit time.Duration) string {
	o.over = time.Time{}
	if o.began.IsZero() {
		o.began = earliest(now, problems)
	}
	if o.reported || now.Sub(o.began) < limit {
		return ""
	}
	return outageText(o.began, problems)
}

// done notes that what next returned is reported.
func (o *outage) done() {
	o.reported = !o.reported
	if !o.reported {
		o.began = time.Time{}
	}
}

// aboutSlack says whether a problem keeps messages from Slack, or what people do there
// from Tocsin.
func aboutSlack(p alert.Problem) bool {
	return slices.Contains([]string{alert.ProblemToken, alert.ProblemRefused, alert.ProblemConnection, alert.ProblemDelivery}, p.Code)
}

// earliest is when the first of several problems began, which is at most now.
func earliest(now time.Time, problems []alert.Problem) time.Time {
	for _, p := range problems {
		if !p.Since.IsZero() && p.Since.Before(now) {
			now = p.Since
		}
	}
	return now
}

func outageText(began time.Time, problems []alert.Problem) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Tocsin can't use Slack, since %s.\n", utc(began))
	for _, p := range problems {
		fmt.Fprintf(&b, "\nProblem: %s\nWhat to do: %s\n", flat(p.What), flat(p.Fix))
	}
	b.WriteString("\nAlerts are accepted, kept, and delivered once this is fixed, which is then reported, too.\n")
	return b.String()
}

func utc(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// reportOutages passes reports about Slack to the program of the last resort.
func (d *daemon) reportOutages(ctx context.Context) error {
	log := d.log.Named("last-resort")
	var o outage
	for pause(ctx, statusEvery) {
		cfg := d.latest.Load()
		if len(cfg.LastResort) == 0 {
			o = outage{}
			continue
		}
		limits := cfg.Health
		text := o.next(time.Now(), d.health().Problems, min(limits.Connection, limits.Delivery))
		if text == "" {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, lastResortTime)
		err := runProgram(limited, cfg.LastResort, text, log)
		cancel()
		d.outbox.CountLastResort(err)
		if err == nil {
			o.done()
			continue
		}
		log.Error("the last resort failed", zap.Error(err))
		pause(ctx, outageRetry)
	}
	return nil
}
