package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tocsin/config"
)

func newConfig(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show, explain or reload the configuration",
		Args:  noArgs,
		RunE:  subcommandRequired,
	}
	cmd.AddCommand(newConfigCheck(w), newConfigShow(w), newConfigRoutes(w), newConfigPreview(w), newConfigWebhook(w), newConfigImport(w), newConfigReload(w), newConfigExample(w))
	return cmd
}

// input is where this process reads its configuration from.
func (w world) input(flags map[string]string) config.Input {
	return config.Input{Getenv: w.getenv, ReadFile: readFile, Flags: flags, UID: os.Getuid(), Expressions: expressions()}
}

func newConfigCheck(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Report every mistake in the configuration; exit 2 if there is one",
		Example: "  tocsin config check --config /etc/tocsin/tocsin.yaml",
		Args:    noArgs,
	}
	flags := configFlag(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(*cobra.Command, []string) error { return checkConfig(w, flags(), *asJSON) }
	return cmd
}

func checkConfig(w world, flags map[string]string, asJSON bool) error {
	cfg, err := config.Load(w.input(flags))
	wrong, ok := errors.AsType[*config.Errors](err)
	switch {
	case ok && asJSON:
		return errors.Join(writeJSON(w.stdout, checked("", wrong.Problems, wrong.Warnings)), err)
	case err != nil:
		return err
	}
	warnings := append(cfg.Warnings, missingProgram(cfg.LastResort)...)
	text := ""
	for _, p := range warnings {
		text += fmt.Sprintf("warning: %s\n", p)
	}
	text += fmt.Sprintf("The configuration is good (%s)", cmp.Or(cfg.File, "environment, flags and defaults"))
	if len(warnings) > 0 {
		text += ", with " + counted(len(warnings), "warning")
	}
	return w.print(asJSON, checked(cfg.File, nil, warnings), text+".\n")
}

func checked(file string, problems, warnings []config.Problem) map[string]any {
	none := []config.Problem{} // a list in JSON too
	return map[string]any{"ok": len(problems) == 0, "file": file, "problems": append(none, problems...), "warnings": append(none, warnings...)}
}

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
		return w.print(*asJSON, cfg, table(func(line func(cells ...any)) {
			for _, s := range cfg.Settings() {
				line(s.Key, cmp.Or(s.Value, "(not set)"), s.Origin)
			}
		}))
	}
	return cmd
}

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
