package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/api"
)

// heartbeatPage is the daemon's list of heartbeats.
type heartbeatPage struct {
	Heartbeats []api.Heartbeat `json:"heartbeats"`
}

func newHeartbeats(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "heartbeats",
		Short:   "List the heartbeats, those that are missing first; forget one",
		Example: "  tocsin heartbeats\n  tocsin heartbeats forget nightly-backup",
		Args:    noArgs,
	}
	c := newClientCmd(w, cmd)
	c.addWatch(cmd)
	cmd.AddCommand(newHeartbeatsForget(w))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.show(cmd.Context(), func(ctx context.Context) (any, string, error) {
			var page heartbeatPage
			if err := c.get(ctx, heartbeatsPath, &page); err != nil {
				return nil, "", err
			}
			page.sort()
			return page.Heartbeats, page.text(), nil
		})
	}
	return cmd
}

// sort puts those that are missing first, then by name.
func (p heartbeatPage) sort() {
	present := func(h api.Heartbeat) int {
		if h.Status == alert.HeartbeatMissing {
			return 0
		}
		return 1
	}
	slices.SortFunc(p.Heartbeats, func(a, b api.Heartbeat) int {
		return cmp.Or(cmp.Compare(present(a), present(b)), cmp.Compare(a.Name, b.Name))
	})
}

func (p heartbeatPage) text() string {
	if len(p.Heartbeats) == 0 {
		return "there are no heartbeats; tocsin heartbeat NAME --every 1d makes one\n"
	}
	return table(func(line func(cells ...any)) {
		line("NAME", "STATUS", "EVERY", "GRACE", "LAST HEARD", "DUE")
		for _, h := range p.Heartbeats {
			due := ago(h.DueAt)
			if h.Status == alert.HeartbeatMissing {
				due = "missing since " + ago(h.MissingSince)
			}
			line(h.Name, h.Status, h.Every, h.Grace, cmp.Or(ago(h.LastAt), "never"), due)
		}
	})
}

// summary says how many heartbeats there are and which are missing; nothing if there are none.
func (p heartbeatPage) summary() string {
	missing := slices.DeleteFunc(slices.Clone(p.Heartbeats), func(h api.Heartbeat) bool { return h.Status != alert.HeartbeatMissing })
	switch {
	case len(p.Heartbeats) == 0:
		return ""
	case len(missing) == 0:
		return counted(len(p.Heartbeats), "heartbeat") + ", none missing"
	}
	text := fmt.Sprintf("%s, %d missing: %s", counted(len(p.Heartbeats), "heartbeat"), len(missing), missing[0].Name)
	if len(missing) > 1 {
		text += " and others"
	}
	return text
}

func newHeartbeatsForget(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "forget NAME...",
		Short:   "Forget heartbeats that are no longer sent",
		Example: "  tocsin heartbeats forget nightly-backup",
		Args:    arguments(1, manyArguments, "which heartbeats? tocsin heartbeats lists them"),
	}
	c := newClientCmd(w, cmd)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		return forEach(c, names, func(name string) (h api.Heartbeat, err error) {
			err = c.call(cmd.Context(), http.MethodDelete, heartbeatsPath+"/"+url.PathEscape(name), nil, &h)
			return h, err
		}, func(h api.Heartbeat) string { return h.Name + " is forgotten" })
	}
	return cmd
}
