package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

func newQueueRetry(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retry [ID...]",
		Short: "Deliver dead letters again, in their old places",
		Long: `Deliver dead letters again, in their old places. Their alerts become pending. One that may
have been shown already is looked for in Slack first.`,
		Example: `  tocsin queue retry 01964f2e-7c1d-7f00-8000-0123456789ab
  tocsin queue retry --all --lane '#ops'`,
	}
	c := newDeadLetterCmd(w, cmd)
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		result, err := c.decide(cmd.Context(), ids, "retry")
		if err != nil && result.Deliveries == 0 {
			return err
		}
		text := fmt.Sprintf("%s will be retried, %s pending\n", counted(result.Deliveries, "dead letter"), counted(result.Alerts, "alert"))
		return errors.Join(c.print(result, text), err)
	}
	return cmd
}

func newQueueDrop(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drop [ID...]",
		Short: "Drop deliveries that nobody needs any more: dead letters, or pending ones by id",
		Long: `Drop deliveries that nobody needs any more: dead letters, or pending ones by their ids. They
are not sent, and their alerts are dead, with the reason "dropped by a person"; the daemon's
log names each. On a terminal it asks first.`,
		Example: `  tocsin queue drop 01964f2e-7c1d-7f00-8000-0123456789ab
  tocsin queue drop --all --lane '#gone' --yes`,
	}
	c := newDeadLetterCmd(w, cmd)
	cmd.ValidArgsFunction = c.complete(manyArguments, deliveryIDs("dead,pending"))
	yes := cmd.Flags().BoolP("yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		if !*yes && isTerminal(w.stdin) {
			if err := c.confirm(len(ids)); err != nil {
				return err
			}
		}
		result, err := c.decide(cmd.Context(), ids, "drop")
		if err != nil && result.Deliveries == 0 {
			return err
		}
		are := "are"
		if result.Alerts == 1 {
			are = "is"
		}
		text := fmt.Sprintf("%s dropped, %s %s dead\n", countedDeliveries(result.Deliveries), counted(result.Alerts, "alert"), are)
		return errors.Join(c.print(result, text), err)
	}
	return cmd
}

func countedDeliveries(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return fmt.Sprintf("%d deliveries", n)
}

// deadLetterCmd is what queue retry and queue drop have in common.
type deadLetterCmd struct {
	*clientCmd
	all  bool
	lane string
}

func newDeadLetterCmd(w world, cmd *cobra.Command) *deadLetterCmd {
	c := &deadLetterCmd{clientCmd: newClientCmd(w, cmd)}
	cmd.Flags().BoolVar(&c.all, "all", false, "all dead letters")
	cmd.Flags().StringVar(&c.lane, "lane", "", "with --all: only those of the conversation with this `NAME`")
	completeFlag(cmd, "lane", c.completeConversation())
	cmd.ValidArgsFunction = c.complete(manyArguments, deliveryIDs("dead"))
	cmd.Args = c.check
	return c
}

func (c *deadLetterCmd) check(_ *cobra.Command, ids []string) error {
	switch {
	case c.all && len(ids) > 0:
		return &usageError{errors.New("give ids or --all, not both")}
	case !c.all && c.lane != "":
		return &usageError{errors.New("--lane goes with --all")}
	case !c.all && len(ids) == 0:
		return &usageError{errors.New("say which: ids, or --all (with --lane NAME for one conversation)")}
	}
	return nil
}

func (c *deadLetterCmd) confirm(ids int) error {
	what := countedDeliveries(ids)
	switch {
	case c.lane != "":
		what = "all dead letters of " + c.lane
	case c.all:
		what = "all dead letters"
	}
	return ask(c.world, fmt.Sprintf("Drop %s? Their alerts will not be shown in Slack.", what), "nothing was dropped")
}

// decide has the daemon retry or drop dead letters, and adds up what it did. An id that
// fails does not keep the others from it; the error names all that failed.
func (c *deadLetterCmd) decide(ctx context.Context, ids []string, verb string) (alert.RetryResult, error) {
	var paths []string
	switch {
	case c.lane != "":
		paths = append(paths, "/v1/deliveries/"+verb+"?"+url.Values{"lane": {c.lane}}.Encode())
	case c.all:
		paths = append(paths, "/v1/deliveries/"+verb+"?all=true")
	}
	for _, id := range ids {
		paths = append(paths, "/v1/deliveries/"+url.PathEscape(id)+"/"+verb)
	}
	sum := alert.RetryResult{Lanes: []string{}}
	var failed error
	for _, path := range paths {
		var result alert.RetryResult
		if err := c.call(ctx, http.MethodPost, path, nil, &result); err != nil {
			failed = errors.Join(failed, err)
			if _, answered := errors.AsType[*answerError](err); !answered {
				break
			}
			continue
		}
		sum.Deliveries += result.Deliveries
		sum.Alerts += result.Alerts
		sum.Lanes = append(sum.Lanes, result.Lanes...)
	}
	slices.Sort(sum.Lanes)
	sum.Lanes = slices.Compact(sum.Lanes)
	return sum, failed
}
