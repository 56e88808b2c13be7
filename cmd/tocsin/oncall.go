package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

func newOnCall(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "oncall",
		Aliases: []string{"on-call"},
		Short:   "Say who is notified of which alerts, and who works on what",
		Example: "  tocsin oncall --json",
		Args:    noArgs,
	}
	c := newClientCmd(w, cmd)
	c.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.show(cmd.Context(), func(ctx context.Context) (any, string, error) {
			var page onCallPage
			if err := c.get(ctx, "/v1/oncall", &page); err != nil {
				return nil, "", err
			}
			return page, page.text(time.Now()), nil
		})
	}
	return cmd
}

// newWho is oncall as people ask for it: tocsin who is on call.
func newWho(w world) *cobra.Command {
	cmd := newOnCall(w)
	cmd.Use, cmd.Aliases, cmd.Hidden, cmd.Args = "who [is on call]", []string{"whos", "who's"}, true, cobra.ArbitraryArgs
	cmd.Example = "  tocsin who is on call"
	return cmd
}

// onCallPage is the answer of GET /v1/oncall.
type onCallPage struct {
	Routes []struct {
		Route    string   `json:"route"`
		Matchers string   `json:"matchers"`
		To       []string `json:"to"`
		Mention  []string `json:"mention"`
		Steps    []struct {
			After   string   `json:"after"`
			To      []string `json:"to"`
			Mention []string `json:"mention"`
		} `json:"steps"`
		Quiet time.Time      `json:"quiet_until,omitzero"`
		Below alert.Severity `json:"quiet_below,omitempty"`
		Held  string         `json:"held_by,omitempty"`
	} `json:"routes"`
	Taken []alert.Incident `json:"taken"`
}

func (p onCallPage) text(now time.Time) string {
	text := table(func(line func(cells ...any)) {
		line("ROUTE", "WHEN", "TO", "NOTIFIES", "ALERTS")
		for n, r := range p.Routes {
			which := r.Matchers
			switch {
			case which == "" && n == len(p.Routes)-1 && n > 0:
				which = "all others"
			case which == "":
				which = "all"
			}
			when := "at once"
			if !r.Quiet.IsZero() {
				when = r.Held
				if r.Below != "" {
					when = "quiet below " + string(r.Below)
				}
				when += ", " + strings.TrimPrefix(age(r.Quiet, now), "in ") + " left"
			}
			line(r.Route, when, strings.Join(r.To, " "), people(r.Mention), which)
			for _, s := range r.Steps {
				line("", "after "+shortDuration(s.After), cmp.Or(strings.Join(s.To, " "), "-"), people(s.Mention), "while nobody acknowledges")
			}
		}
	})
	if len(p.Taken) == 0 {
		return text + "\nnobody works on an incident\n"
	}
	return text + "\n" + table(func(line func(cells ...any)) {
		line("WHO", "INCIDENT", "SEVERITY", "AGE", "TITLE")
		for _, i := range p.Taken {
			line(who(i.Owner()), i.ID, i.Severity, age(i.AckedAt, now), brief(i.Title))
		}
	})
}

// people are who is mentioned.
func people(mention []string) string { return cmp.Or(strings.Join(mention, " "), "-") }

// shortDuration is a duration of Go without parts that are zero.
func shortDuration(text string) string {
	d, err := time.ParseDuration(text)
	if err != nil {
		return text
	}
	return short(d)
}
