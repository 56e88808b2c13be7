package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

// newQueue shows the ledger itself, as its command ledger does.
func newQueue(w world) *cobra.Command {
	cmd := newQueueLedger(w)
	cmd.Use = "queue"
	cmd.Short = "Count alerts by state; list, retry or drop deliveries"
	cmd.AddCommand(newQueueLedger(w), newQueueList(w), newQueueShow(w), newQueueRetry(w), newQueueDrop(w))
	return cmd
}

func newQueueLedger(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Count the alerts in each state, by conversation",
		Long: `Count the alerts in each state, by conversation. Every accepted alert is in exactly one
column, so the columns add up to what was accepted since the store was created.`,
		Example: `  tocsin queue
  tocsin queue --json | jq .total.pending`,
		Args: noArgs,
	}
	c := newClientCmd(w, cmd)
	c.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.show(cmd.Context(), func(ctx context.Context) (any, string, error) {
			var l alert.Ledger
			if err := c.get(ctx, "/v1/ledger", &l); err != nil {
				return nil, "", err
			}
			return l, ledgerText(l, c.screen().width), nil
		})
	}
	return cmd
}

// ledgerText shows the ledger on a screen of a width; 0 for any. A narrow one would leave out
// a column, and they add up to what was accepted: there, each conversation has a sentence.
func ledgerText(l alert.Ledger, width int) string {
	all := append(slices.Clone(l.Lanes), alert.LaneCounts{Lane: "total", Counts: l.Total})
	text := texts(func(line func(cells ...any)) {
		for _, lane := range all {
			line(lane.Lane, stateCounts(lane.Counts))
		}
	})
	if width == 0 || width >= wideQueue {
		text = table(func(line func(cells ...any)) {
			line("LANE", "ACCEPTED", "PENDING", "DELIVERED", "FOLDED", "SILENCED", "DEAD")
			for _, lane := range all {
				line(lane.Lane, lane.Accepted, lane.Pending, lane.Delivered, lane.Folded, lane.Silenced, lane.Dead)
			}
		})
	}
	var duplicates []string
	for _, lane := range l.Lanes {
		if lane.PossibleDuplicates > 0 {
			duplicates = append(duplicates, fmt.Sprintf("%s (%d)", lane.Lane, lane.PossibleDuplicates))
		}
	}
	if l.PossibleDuplicates > 0 {
		text += fmt.Sprintf("\n%s may be shown twice in %s\n", counted(l.PossibleDuplicates, "message"), strings.Join(duplicates, ", "))
	}
	return text
}

// stateCounts says in which states alerts are: 13 accepted: 5 delivered, 8 folded.
func stateCounts(n alert.Counts) string {
	var parts []string
	for _, state := range []struct {
		name string
		n    int64
	}{{"pending", n.Pending}, {"delivered", n.Delivered}, {"folded", n.Folded}, {"silenced", n.Silenced}, {"dead", n.Dead}} {
		if state.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", state.n, state.name))
		}
	}
	if len(parts) == 0 {
		return "0 accepted"
	}
	return fmt.Sprintf("%d accepted: %s", n.Accepted, strings.Join(parts, ", "))
}

type deliveryPage struct {
	Deliveries []alert.Delivery `json:"deliveries"`
	Next       string           `json:"next"`
}

type queueListCmd struct {
	*clientCmd
	state string
	lane  string
	limit int
}

func newQueueList(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries, the latest first",
		Example: `  tocsin queue list --state dead
  tocsin queue list --lane '#ops' --limit 500
  tocsin queue list --state dead --json | jq -r '.[].id' | xargs tocsin queue retry`,
		Args: noArgs,
	}
	c := queueListCmd{clientCmd: newClientCmd(w, cmd)}
	cmd.Flags().StringVar(&c.state, "state", "dead,pending,sending", "only in this `STATE`: dead, pending, sending, delivered, superseded, dropped,\nseveral with commas, or all")
	cmd.Flags().StringVar(&c.lane, "lane", "", "only those of the conversation with this `NAME`")
	cmd.Flags().IntVar(&c.limit, "limit", 50, "show at most this `NUMBER`")
	completeFlag(cmd, "state", oneOf("dead", "pending", "sending", "delivered", "superseded", "dropped", "all"))
	completeFlag(cmd, "lane", c.completeConversation())
	c.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.show(cmd.Context(), c.read) }
	return cmd
}

func noDelivery(state string) string {
	if state == "all" {
		return "there are no deliveries\n"
	}
	return "no delivery is " + strings.ReplaceAll(state, ",", " or ") + "\n"
}

func (c *queueListCmd) read(ctx context.Context) (any, string, error) {
	list, more, err := c.list(ctx)
	switch {
	case err != nil:
		return nil, "", err
	case len(list) == 0:
		return list, noDelivery(c.state), nil
	}
	text := deliveriesText(list, c.screen().width, time.Now())
	if more {
		text += fmt.Sprintf("and more: --limit %d shows them\n", c.limit*10)
	}
	return list, text, nil
}

// wideQueue is the width of a screen from which a delivery is one line.
const wideQueue = 80

// deliveriesText lists deliveries for a screen of a width; 0 for any. On a narrow one the id,
// which is long, is in a line of its own.
func deliveriesText(list []alert.Delivery, width int, now time.Time) string {
	narrow := width > 0 && width < wideQueue
	return table(func(line func(cells ...any)) {
		if !narrow {
			line("ID", "STATE", "LANE", "INCIDENT", "KIND", "ATTEMPTS", "AGE", "NEXT", "REASON")
		}
		for _, d := range list {
			if narrow {
				line(d.ID)
				line("  "+string(d.State), d.Lane, d.Incident, age(since(d), now), brief(d.Reason))
				continue
			}
			line(d.ID, d.State, d.Lane, d.Incident, d.Kind, d.Attempts, age(since(d), now), age(nextAttempt(d), now), brief(d.Reason))
		}
	})
}

// since is when a delivery was done, or else when it was created.
func since(d alert.Delivery) time.Time {
	if !d.DoneAt.IsZero() {
		return d.DoneAt
	}
	return d.CreatedAt
}

// nextAttempt is when a delivery that waits is attempted next; zero if it does not wait.
func nextAttempt(d alert.Delivery) time.Time {
	if d.State == alert.Pending || d.State == alert.Sending {
		return d.NextAt
	}
	return time.Time{}
}

// mostListed is how many the daemon lists in one answer.
const mostListed = 1000

// list asks page by page.
func (c *queueListCmd) list(ctx context.Context) (list []alert.Delivery, more bool, err error) {
	if c.limit < 1 {
		return nil, false, &usageError{fmt.Errorf("--limit is %d: write a number from 1 up", c.limit)}
	}
	list = []alert.Delivery{}
	for cursor := ""; len(list) < c.limit; {
		q := url.Values{"state": {c.state}, "lane": {c.lane}, "cursor": {cursor}, "limit": {strconv.Itoa(min(c.limit-len(list), mostListed))}}
		var p deliveryPage
		if err := c.get(ctx, "/v1/deliveries?"+q.Encode(), &p); err != nil {
			return nil, false, err
		}
		list = append(list, p.Deliveries...)
		if cursor = p.Next; cursor == "" {
			return list, false, nil
		}
	}
	return list, true, nil
}

func newQueueShow(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a delivery with its incident and its alerts in full",
		Example: "  tocsin queue show 01964f2e-7c1d-7f00-8000-0123456789ab",
		Args:    arguments(1, 1, "which delivery? give one id (tocsin queue list lists them)"),
	}
	c := newClientCmd(w, cmd)
	cmd.ValidArgsFunction = c.complete(1, deliveryIDs("dead,pending,sending"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var d alert.DeliveryDetail
		if err := c.get(cmd.Context(), "/v1/deliveries/"+url.PathEscape(args[0]), &d); err != nil {
			return err
		}
		return c.print(d, deliveryText(d))
	}
	return cmd
}

func deliveryText(d alert.DeliveryDetail) string {
	text := fields(deliveryFields(d))
	if d.AlertCount > int64(len(d.Alerts)) {
		text += fmt.Sprintf("\nThe first %d of its %d alerts:\n", len(d.Alerts), d.AlertCount)
	}
	for _, a := range d.Alerts {
		text += "\n" + recordText(a)
	}
	return text
}

func deliveryFields(d alert.DeliveryDetail) [][2]string {
	all := [][2]string{
		{"delivery", d.ID}, {"state", string(d.State)}, {"reason", brief(d.Reason)}, {"lane", d.Lane}, {"kind", string(d.Kind)},
		{"attempts", fmt.Sprint(d.Attempts)}, {"created", ago(d.CreatedAt)}, {"last attempt", ago(d.StartedAt)}, {"done", ago(d.DoneAt)},
	}
	if next := nextAttempt(d.Delivery); !next.IsZero() {
		all = append(all, [2]string{"next attempt", ago(next)})
	}
	if d.TS != "" {
		all = append(all, [2]string{"shown as", d.Conversation + " " + d.TS})
	}
	if d.PossibleDuplicate {
		all = append(all, [2]string{"note", "possibly shown twice"})
	}
	if d.Note != nil {
		for _, n := range d.Note.Notes() {
			all = append(all, [2]string{"text", n.Text})
		}
	}
	if i := d.About; i != nil {
		all = append(all, [2]string{"incident", fmt.Sprintf("%s (%s, %s, fired %d×): %s", i.ID, i.State, i.Severity, i.Count, brief(i.Title))})
	}
	return append(all, [2]string{"alerts", fmt.Sprint(d.AlertCount)})
}

// recordText is an alert in full.
func recordText(a alert.Record) string {
	all := [][2]string{
		{"alert", a.ID}, {"state", strings.TrimSuffix(string(a.Standing)+", "+brief(a.Reason), ", ")},
		{"accepted", ago(a.AcceptedAt)}, {"key", a.Key}, {"severity", string(a.Severity)},
	}
	text := fields(append(append(all, labelsAndLinks(a.Labels, a.Links)...), [2]string{"title", a.Title}))
	if a.Text != "" {
		text += indented(a.Text)
	}
	return text
}
