package main

import (
	"github.com/spf13/cobra"

	"tocsin/config"
)

func newConfigShow(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show every option, its value and where it came from; secrets are masked",
		Example: "  tocsin config show --json",
		Args:    noArgs,
	}
	flags := daemonFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := config.Load(w.input(flags()))
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(w.stdout, cfg)
		}
		return cfg.Show(w.stdout)
	}
	return cmd
}
