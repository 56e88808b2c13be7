package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"tocsin/config"
)

func newConfigCheck(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Report every mistake in the configuration; exit 2 if there is one",
		Example: "  tocsin config check --config /etc/tocsin/tocsin.yaml",
		Args:    noArgs,
	}
	flags := daemonFlags(cmd)
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
	cfg.Warnings = append(cfg.Warnings, missingProgram(cfg.LastResort)...)
	if asJSON {
		return writeJSON(w.stdout, checked(cfg.File, nil, cfg.Warnings))
	}
	for _, p := range cfg.Warnings {
		if _, err := fmt.Fprintf(w.stdout, "warning: %s\n", p); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w.stdout, "The configuration is good (%s)%s.\n", cmp.Or(cfg.File, "environment, flags and defaults"), count(cfg.Warnings))
	return err
}

// checked is the result of config check as JSON.
func checked(file string, problems, warnings []config.Problem) map[string]any {
	none := []config.Problem{} // a list in JSON too
	return map[string]any{"ok": len(problems) == 0, "file": file, "problems": append(none, problems...), "warnings": append(none, warnings...)}
}

func count(warnings []config.Problem) string {
	switch len(warnings) {
	case 0:
		return ""
	case 1:
		return ", with 1 warning"
	}
	return fmt.Sprintf(", with %d warnings", len(warnings))
}
