package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

type queueDropCmd struct {
	deadLetterFlags
	yes bool
}

func newQueueDrop(w world) *cobra.Command {
	var c queueDropCmd
	cmd := &cobra.Command{
		Use:   "drop [ID...]",
		Short: "Drop dead letters that nobody needs any more",
		Long: `Drop dead letters that nobody needs any more. Their alerts stay dead, with the reason
"dropped by a person", and the daemon's log names each. On a terminal it asks first.`,
		Example: `  tocsin queue drop 01964f2e-7c1d-7f00-8000-0123456789ab
  tocsin queue drop --all --lane '#gone' --yes`,
		RunE: func(cmd *cobra.Command, ids []string) error { return c.run(cmd.Context(), w, ids) },
	}
	c.register(cmd, w)
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask")
	return cmd
}

func (c *queueDropCmd) run(ctx context.Context, w world, ids []string) error {
	if err := c.check(ids); err != nil {
		return err
	}
	if !c.yes && isTerminal(w.stdin) {
		if err := c.confirm(w, len(ids)); err != nil {
			return err
		}
	}
	result, err := c.decide(ctx, w, ids, "drop")
	if err != nil {
		return err
	}
	if c.json {
		return writeJSON(w.stdout, result)
	}
	stay := "stay"
	if result.Alerts == 1 {
		stay = "stays"
	}
	_, err = fmt.Fprintf(w.stdout, "%s dropped, %s %s dead\n", letterCount(result.Deliveries), alertCount(result.Alerts), stay)
	return err
}

// confirm asks the person at the terminal.
func (c *queueDropCmd) confirm(w world, ids int) error {
	what := letterCount(ids)
	switch {
	case c.all && c.lane != "":
		what = "all dead letters of " + c.lane
	case c.all:
		what = "all dead letters"
	}
	if _, err := fmt.Fprintf(w.stderr, "Drop %s? Their alerts will not be shown in Slack. [y/N] ", what); err != nil {
		return err
	}
	answer, err := bufio.NewReader(w.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil && answer == "" {
		return fmt.Errorf("read the answer: %w", err)
	}
	return errors.New("nothing was dropped")
}
