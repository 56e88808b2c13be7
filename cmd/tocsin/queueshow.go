package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

type queueShowCmd struct {
	clientFlags
	json bool
}

func newQueueShow(w world) *cobra.Command {
	var c queueShowCmd
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show a delivery with its incident and its alerts in full",
		Example: "  tocsin queue show 01964f2e-7c1d-7f00-8000-0123456789ab",
		Args:    arguments(1, 1, "which delivery? give one id (tocsin queue list lists them)"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), w, args[0]) },
	}
	c.register(cmd)
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	cmd.ValidArgsFunction = c.completeOne(w, deliveryIDs("dead,pending,sending"))
	return cmd
}

func (c *queueShowCmd) run(ctx context.Context, w world, id string) error {
	var d alert.DeliveryDetail
	if err := c.get(ctx, w, "/v1/deliveries/"+url.PathEscape(id), &d); err != nil {
		return err
	}
	if c.json {
		return writeJSON(w.stdout, d)
	}
	return showDelivery(w.stdout, d)
}

func showDelivery(w io.Writer, d alert.DeliveryDetail) error {
	err := table(w, func(line func(cells ...any)) {
		for _, f := range deliveryFields(d) {
			if f[1] != "" {
				line(f[0]+":", strings.Map(visible, f[1]))
			}
		}
	})
	if err == nil && d.AlertCount > int64(len(d.Alerts)) {
		_, err = fmt.Fprintf(w, "\nThe first %d of its %d alerts:\n", len(d.Alerts), d.AlertCount)
	}
	for _, a := range d.Alerts {
		if err == nil {
			err = showRecord(w, a)
		}
	}
	return err
}

func deliveryFields(d alert.DeliveryDetail) [][2]string {
	fields := [][2]string{
		{"delivery", d.ID}, {"state", string(d.State)}, {"reason", brief(d.Reason)}, {"lane", d.Lane}, {"kind", string(d.Kind)},
		{"attempts", fmt.Sprint(d.Attempts)}, {"created", clock(d.CreatedAt)}, {"last attempt", clock(d.StartedAt)}, {"done", clock(d.DoneAt)},
	}
	if d.State == alert.Pending || d.State == alert.Sending {
		fields = append(fields, [2]string{"next attempt", clock(d.NextAt)})
	}
	if d.TS != "" {
		fields = append(fields, [2]string{"shown as", d.Conversation + " " + d.TS})
	}
	if d.PossibleDuplicate {
		fields = append(fields, [2]string{"note", "possibly shown twice"})
	}
	if d.Note != nil && d.Note.Text != "" {
		fields = append(fields, [2]string{"text", d.Note.Text})
	}
	if i := d.About; i != nil {
		fields = append(fields, [2]string{"incident", fmt.Sprintf("%s (%s, %s, fired %d×): %s", i.ID, i.State, i.Severity, i.Count, brief(i.Title))})
	}
	return append(fields, [2]string{"alerts", fmt.Sprint(d.AlertCount)})
}

// showRecord prints an alert in full.
func showRecord(w io.Writer, a alert.Record) error {
	err := table(w, func(line func(cells ...any)) {
		line()
		line("alert:", a.ID)
		line("state:", strings.TrimSuffix(string(a.Standing)+", "+brief(a.Reason), ", "))
		line("accepted:", clock(a.AcceptedAt))
		line("key:", strings.Map(visible, a.Key))
		line("severity:", a.Severity)
		for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
			line("label:", strings.Map(visible, name+"="+a.Labels[name]))
		}
		for _, link := range a.Links {
			line("link:", strings.Map(visible, link.Label+" "+link.URL))
		}
		line("title:", strings.Map(visible, a.Title))
	})
	if err == nil && a.Text != "" {
		_, err = fmt.Fprintln(w, strings.Map(visible, a.Text))
	}
	return err
}
