package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

// newQueue shows the ledger itself, as its command ledger does.
func newQueue(w world) *cobra.Command {
	cmd := newQueueLedger(w)
	cmd.Use = "queue"
	cmd.Short = "Show the state of every alert; list, retry or drop dead letters"
	cmd.AddCommand(newQueueLedger(w), newQueueList(w), newQueueShow(w), newQueueRetry(w), newQueueDrop(w))
	return cmd
}

type queueLedgerCmd struct {
	clientFlags
	json bool
}

func newQueueLedger(w world) *cobra.Command {
	var c queueLedgerCmd
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Count the alerts in each state, by conversation",
		Long: `Count the alerts in each state, by conversation. Every accepted alert is in exactly one
column, so the columns add up to what was accepted since the store was created.`,
		Example: `  tocsin queue
  tocsin queue --json | jq .total.pending`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), w) },
	}
	c.register(cmd)
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	return cmd
}

func (c *queueLedgerCmd) run(ctx context.Context, w world) error {
	var l alert.Ledger
	if err := c.get(ctx, w, "/v1/ledger", &l); err != nil {
		return err
	}
	if c.json {
		return writeJSON(w.stdout, l)
	}
	err := table(w.stdout, func(line func(cells ...any)) {
		line("LANE", "ACCEPTED", "PENDING", "DELIVERED", "FOLDED", "SILENCED", "DEAD")
		for _, lane := range append(l.Lanes, alert.LaneCounts{Lane: "total", Counts: l.Total}) {
			line(lane.Lane, lane.Accepted, lane.Pending, lane.Delivered, lane.Folded, lane.Silenced, lane.Dead)
		}
	})
	if err != nil || l.PossibleDuplicates == 0 {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "\n%s may be shown twice in %s\n", counted(l.PossibleDuplicates, "message"), lanesWithDuplicates(l))
	return err
}

// lanesWithDuplicates lists the lanes in which messages may be shown twice.
func lanesWithDuplicates(l alert.Ledger) string {
	var lanes []string
	for _, lane := range l.Lanes {
		if lane.PossibleDuplicates > 0 {
			lanes = append(lanes, fmt.Sprintf("%s (%d)", lane.Lane, lane.PossibleDuplicates))
		}
	}
	return strings.Join(lanes, ", ")
}
