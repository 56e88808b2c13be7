package main

import (
	"github.com/spf13/cobra"

	"tocsin/alert"
)

func newResolve(w world) *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use:   "resolve ID...",
		Short: "Resolve incidents",
		Long: `Resolve incidents. The card turns green in Slack. If one fires again soon, it reopens in the
same thread.`,
		Example: `  tocsin resolve k7f2 -m 'disk replaced'`,
		Args:    incidentsRequired,
		RunE:    func(cmd *cobra.Command, ids []string) error { return f.act(cmd.Context(), w, ids, alert.VerbResolve) },
	}
	f.register(cmd)
	cmd.ValidArgsFunction = f.complete(w, incidentIDs("open,acked"))
	return cmd
}
