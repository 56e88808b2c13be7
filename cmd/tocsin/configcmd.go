package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"tocsin/config"
)

type configCmd struct {
	Check   configCheckCmd   `cmd:"" help:"Say everything that is wrong with the configuration; exit 2 if anything is."`
	Show    configShowCmd    `cmd:"" help:"Show every option, its value, and where it came from. Secrets are masked."`
	Routes  configRoutesCmd  `cmd:"" help:"Explain where an alert with these labels would go, and why."`
	Example configExampleCmd `cmd:"" help:"Print a commented configuration file with every option."`
}

// input is where this process reads its configuration from.
func (w world) input(flags map[string]string) config.Input {
	in := config.Process(flags)
	in.Getenv = w.getenv
	return in
}

type configCheckCmd struct {
	daemonFlags
	JSON bool `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (configCheckCmd) Help() string {
	return "Example: tocsin config check --config /etc/tocsin/tocsin.yaml"
}

// Run checks the configuration.
func (c configCheckCmd) Run(w world) error {
	cfg, err := config.Load(w.input(c.given()))
	wrong, ok := errors.AsType[*config.Errors](err)
	switch {
	case ok && c.JSON:
		return errors.Join(writeJSON(w.stdout, checked("", wrong.Problems, wrong.Warnings)), err)
	case err != nil:
		return err
	}
	cfg.Warnings = append(cfg.Warnings, missingProgram(cfg.LastResort)...)
	if c.JSON {
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

// checked is what config check says to programs.
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

type configShowCmd struct {
	daemonFlags
	JSON bool `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (configShowCmd) Help() string { return "Example: tocsin config show --json" }

// Run shows the configuration.
func (c configShowCmd) Run(w world) error {
	cfg, err := config.Load(w.input(c.given()))
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, cfg)
	}
	return cfg.Show(w.stdout)
}

type configExampleCmd struct{}

// Run prints config/example.yaml.
func (configExampleCmd) Run(w world) error {
	_, err := io.WriteString(w.stdout, config.Example())
	return err
}

// writeJSON prints v, indented for people.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
