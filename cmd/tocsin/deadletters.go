package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

// deadLetterFlags are what queue retry and queue drop have in common.
type deadLetterFlags struct {
	clientFlags
	all  bool
	lane string
	json bool
}

func (f *deadLetterFlags) register(cmd *cobra.Command, w world) {
	f.clientFlags.register(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "all dead letters")
	cmd.Flags().StringVar(&f.lane, "lane", "", "with --all: only those of the conversation with this `NAME`")
	cmd.Flags().BoolVar(&f.json, "json", false, "print as JSON")
	completeFlag(cmd, "lane", f.completeConversation(w))
	cmd.ValidArgsFunction = f.complete(w, deliveryIDs("dead"))
}

// check wants either ids or --all.
func (f *deadLetterFlags) check(ids []string) error {
	switch {
	case f.all && len(ids) > 0:
		return &usageError{errors.New("give ids or --all, not both")}
	case !f.all && f.lane != "":
		return &usageError{errors.New("--lane goes with --all")}
	case !f.all && len(ids) == 0:
		return &usageError{errors.New("say which: ids, or --all (with --lane NAME for one conversation)")}
	}
	return nil
}

// decide has the daemon retry or drop dead letters, and adds up what it did.
func (f *deadLetterFlags) decide(ctx context.Context, w world, ids []string, verb string) (alert.RetryResult, error) {
	if f.all {
		q := url.Values{"all": {"true"}}
		if f.lane != "" {
			q = url.Values{"lane": {f.lane}}
		}
		var result alert.RetryResult
		err := f.call(ctx, w, request{method: http.MethodPost, path: "/v1/deliveries/" + verb + "?" + q.Encode()}, &result)
		return result, err
	}
	sum := alert.RetryResult{Lanes: []string{}}
	for _, id := range ids {
		var result alert.RetryResult
		if err := f.call(ctx, w, request{method: http.MethodPost, path: "/v1/deliveries/" + url.PathEscape(id) + "/" + verb}, &result); err != nil {
			return sum, err
		}
		sum.Deliveries += result.Deliveries
		sum.Alerts += result.Alerts
		for _, lane := range result.Lanes {
			if !slices.Contains(sum.Lanes, lane) {
				sum.Lanes = append(sum.Lanes, lane)
			}
		}
	}
	return sum, nil
}
