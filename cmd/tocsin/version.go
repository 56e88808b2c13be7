package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker: -X main.version=v1.2.3.
var version = ""

type versionCmd struct{ json bool }

func newVersion(w world) *cobra.Command {
	var c versionCmd
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  tocsin version --json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return c.run(w) },
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	return cmd
}

// run prints the version, and what it was built with.
func (c versionCmd) run(w world) error {
	v := versionName()
	if c.json {
		return json.NewEncoder(w.stdout).Encode(map[string]string{"version": v, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	_, err := fmt.Fprintf(w.stdout, "tocsin %s (%s, %s/%s)\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionName is the release, or else the commit it was built from.
func versionName() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
