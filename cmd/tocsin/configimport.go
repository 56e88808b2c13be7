package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"tocsin/config"
)

func newConfigImport(w world) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Print a configuration made of Alertmanager's",
		Long: `Print a configuration made of Alertmanager's, which may be in a Secret of Kubernetes: its
routes in the order in which Alertmanager looks at them, with the channels and templates of
their receivers, the files of templates, groups, inhibition rules and time intervals. What can't be carried over is in
comments, and listed on standard error with its line.`,
		Example: `  tocsin config import /etc/alertmanager/alertmanager.yml > tocsin.yaml
  tocsin config check --config tocsin.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return importConfig(w, args[0]) },
	}
}

func importConfig(w world, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	made, err := config.ImportAlertmanager(content, func(pattern string) []string { return filesLike(filepath.Dir(path), pattern) })
	if err != nil {
		return fmt.Errorf("import %s: %w", path, err)
	}
	if _, err := fmt.Fprint(w.stdout, made.YAML); err != nil {
		return err
	}
	text := ""
	for _, l := range made.Left {
		text += fmt.Sprintf("%s:%d: %s\n", path, l.Line, l.What)
	}
	if len(made.Left) > 0 {
		text += counted(len(made.Left), "setting") + " could not be carried over, or only in part: see the lines above.\n"
	}
	_, err = fmt.Fprint(w.stderr, text+importProblems(made))
	return err
}

// filesLike are the contents of the files that a pattern matches, in a folder unless it names
// one itself.
func filesLike(folder, pattern string) (all []string) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(folder, pattern)
	}
	names, _ := filepath.Glob(pattern) // a bad pattern matches nothing
	for _, name := range names {
		if content, err := os.ReadFile(name); err == nil {
			all = append(all, string(content))
		}
	}
	return all
}

// importProblems are the mistakes in what was made, if Alertmanager takes what Tocsin does
// not.
func importProblems(made config.Imported) string {
	const name = "tocsin.yaml"
	in := config.Input{
		Getenv: func(string) string { return "" },
		Flags:  map[string]string{"config": name, "store": "sqlite:/tocsin.db"},
		ReadFile: func(path string) ([]byte, error) {
			if path == name {
				return []byte(made.YAML), nil
			}
			return nil, fs.ErrNotExist
		},
	}
	_, err := config.Load(in)
	wrong, ok := errors.AsType[*config.Errors](err)
	if !ok {
		return ""
	}
	text := ""
	for _, p := range wrong.Problems {
		text += fmt.Sprintf("in what was printed, %s\n", p)
	}
	return text
}
