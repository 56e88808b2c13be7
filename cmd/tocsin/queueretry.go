package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newQueueRetry(w world) *cobra.Command {
	var f deadLetterFlags
	cmd := &cobra.Command{
		Use:   "retry [ID...]",
		Short: "Deliver dead letters again, in their old places",
		Long: `Deliver dead letters again, in their old places. Their alerts become pending. One that may
have been shown already is looked for in Slack first.`,
		Example: `  tocsin queue retry 01964f2e-7c1d-7f00-8000-0123456789ab
  tocsin queue retry --all --lane '#ops'`,
		RunE: func(cmd *cobra.Command, ids []string) error { return f.retry(cmd.Context(), w, ids) },
	}
	f.register(cmd, w)
	return cmd
}

func (f *deadLetterFlags) retry(ctx context.Context, w world, ids []string) error {
	if err := f.check(ids); err != nil {
		return err
	}
	result, err := f.decide(ctx, w, ids, "retry")
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(w.stdout, result)
	}
	_, err = fmt.Fprintf(w.stdout, "%s will be retried, %s pending\n", letterCount(result.Deliveries), alertCount(result.Alerts))
	return err
}
