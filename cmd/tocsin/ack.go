package main

import (
	"github.com/spf13/cobra"

	"tocsin/alert"
)

func newAck(w world) *cobra.Command {
	var f actFlags
	cmd := &cobra.Command{
		Use:   "ack ID...",
		Short: "Acknowledge incidents",
		Long: `Acknowledge incidents, which also assigns them. The card and its thread show it in Slack,
and nobody is notified about them again.`,
		Example: `  tocsin ack k7f2
  tocsin ack k7f2 m3xq -m 'looking at the raid controller'`,
		Args: incidentsRequired,
		RunE: func(cmd *cobra.Command, ids []string) error { return f.act(cmd.Context(), w, ids, alert.VerbAck) },
	}
	f.register(cmd)
	cmd.ValidArgsFunction = f.complete(w, incidentIDs("open"))
	return cmd
}
