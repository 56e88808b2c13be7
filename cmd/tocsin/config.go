package main

import (
	"github.com/spf13/cobra"

	"tocsin/config"
)

func newConfig(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show or explain the configuration",
		Args:  noArgs,
		RunE:  subcommandRequired,
	}
	cmd.AddCommand(newConfigCheck(w), newConfigShow(w), newConfigRoutes(w), newConfigExample(w))
	return cmd
}

// input is where this process reads its configuration from.
func (w world) input(flags map[string]string) config.Input {
	in := config.Process(flags)
	in.Getenv = w.getenv
	return in
}
