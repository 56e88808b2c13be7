package main

import (
	"io"

	"github.com/spf13/cobra"

	"tocsin/config"
)

func newConfigExample(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print a commented configuration file with every option",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(w.stdout, config.Example())
			return err
		},
	}
}
