package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

type queueListCmd struct {
	clientFlags
	state string
	lane  string
	limit int
	json  bool
}

func newQueueList(w world) *cobra.Command {
	var c queueListCmd
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries, the latest first",
		Example: `  tocsin queue list --state dead
  tocsin queue list --lane '#ops' --limit 500
  tocsin queue list --state dead --json | jq -r '.[].id' | xargs tocsin queue retry`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), w) },
	}
	c.register(cmd)
	cmd.Flags().StringVar(&c.state, "state", "dead,pending,sending", "only in this `STATE`: dead, pending, sending, delivered, superseded, dropped,\nseveral with commas, or all")
	cmd.Flags().StringVar(&c.lane, "lane", "", "only those of the conversation with this `NAME`")
	cmd.Flags().IntVar(&c.limit, "limit", 50, "show at most this `NUMBER`")
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	completeFlag(cmd, "state", oneOf("dead", "pending", "sending", "delivered", "superseded", "dropped", "all"))
	completeFlag(cmd, "lane", c.completeConversation(w))
	return cmd
}

// deliveryPage is one answer of GET /v1/deliveries.
type deliveryPage struct {
	Deliveries []alert.Delivery `json:"deliveries"`
	Next       string           `json:"next"`
}

func (c *queueListCmd) run(ctx context.Context, w world) error {
	list, more, err := c.list(ctx, w)
	if err != nil {
		return err
	}
	if c.json {
		return writeJSON(w.stdout, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(w.stdout, "no delivery is "+strings.ReplaceAll(c.state, ",", " or "))
		return err
	}
	err = table(w.stdout, func(line func(cells ...any)) {
		line("ID", "STATE", "LANE", "INCIDENT", "KIND", "ATTEMPTS", "SINCE", "REASON")
		for _, d := range list {
			line(d.ID, d.State, d.Lane, d.Incident, d.Kind, d.Attempts, clock(since(d)), brief(d.Reason))
		}
	})
	if err == nil && more {
		_, err = fmt.Fprintf(w.stdout, "and more: --limit %d shows them\n", c.limit*10)
	}
	return err
}

// since is when a delivery was done, or else when it was created.
func since(d alert.Delivery) time.Time {
	if !d.DoneAt.IsZero() {
		return d.DoneAt
	}
	return d.CreatedAt
}

// mostListed is how many the daemon lists in one answer.
const mostListed = 1000

// list asks page by page.
func (c *queueListCmd) list(ctx context.Context, w world) (list []alert.Delivery, more bool, err error) {
	if c.limit < 1 {
		return nil, false, &usageError{fmt.Errorf("--limit is %d: write a number from 1 up", c.limit)}
	}
	list = []alert.Delivery{}
	for cursor := ""; len(list) < c.limit; {
		q := url.Values{"state": {c.state}, "lane": {c.lane}, "cursor": {cursor}, "limit": {strconv.Itoa(min(c.limit-len(list), mostListed))}}
		var p deliveryPage
		if err := c.get(ctx, w, "/v1/deliveries?"+q.Encode(), &p); err != nil {
			return nil, false, err
		}
		list = append(list, p.Deliveries...)
		if cursor = p.Next; cursor == "" {
			return list, false, nil
		}
	}
	return list, true, nil
}
