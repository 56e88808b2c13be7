package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker: -X main.version=v1.2.3.
var version = ""

func newVersion(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  tocsin version --json",
		Args:    noArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(*cobra.Command, []string) error { return printVersion(w, *asJSON) }
	return cmd
}

// printVersion prints the version, and what it was built with.
func printVersion(w world, asJSON bool) error {
	built := map[string]string{"version": versionName(), "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	return w.print(asJSON, built, fmt.Sprintf("tocsin %s (%s, %s)\n", built["version"], built["go"], built["platform"]))
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
