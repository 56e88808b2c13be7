package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

type silenceListCmd struct {
	clientFlags
	all  bool
	json bool
}

func newSilenceList(w world) *cobra.Command {
	var c silenceListCmd
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the silences in effect",
		Example: "  tocsin silence list --all --json",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), w) },
	}
	c.register(cmd)
	cmd.Flags().BoolVar(&c.all, "all", false, "also those that have ended")
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	return cmd
}

// silencePage is an answer of GET /v1/silences.
type silencePage struct {
	Silences []alert.Silence `json:"silences"`
}

func (c *silenceListCmd) run(ctx context.Context, w world) error {
	var page silencePage
	path := "/v1/silences"
	if c.all {
		path += "?state=all"
	}
	if err := c.get(ctx, w, path, &page); err != nil {
		return err
	}
	if c.json {
		return writeJSON(w.stdout, page.Silences)
	}
	if len(page.Silences) == 0 {
		_, err := fmt.Fprintln(w.stdout, "no silence is in effect")
		return err
	}
	return table(w.stdout, func(line func(cells ...any)) {
		line("ID", "UNTIL", "HIDDEN", "BY", "MATCHERS", "WHY")
		for _, s := range page.Silences {
			until := clock(s.EndsAt)
			if by := who(s.EndedBy); by != "" {
				until += " (ended by " + by + ")"
			}
			line(s.ID, until, s.Hidden, who(s.By), strings.Map(visible, s.Matchers.String()), brief(s.Why))
		}
	})
}
