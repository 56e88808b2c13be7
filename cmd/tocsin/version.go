package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version and commit are set by the linker: -X main.version=v1.2.3. The commit is also
// known where Go has stamped it.
var version, commit = "", ""

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

// build says what the program was built from and with.
type build struct {
	Version string `json:"version"`
	// Commit is the commit's full hash, and Changed is set if the files were not those of
	// the commit; empty where the sources came without git.
	Commit   string `json:"commit,omitempty"`
	Changed  bool   `json:"changed,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// printVersion prints the version, and what it was built from and with.
func printVersion(w world, asJSON bool) error {
	b := thisBuild()
	return w.print(asJSON, b, b.text())
}

// thisBuild says what this program was built from.
func thisBuild() build {
	info, _ := debug.ReadBuildInfo() // nil without module support, which is no build of ours
	b := buildOf(version, info)
	b.Commit = cmp.Or(b.Commit, commit)
	return b
}

func buildOf(version string, info *debug.BuildInfo) build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info != nil {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.modified":
				b.Changed = s.Value == "true"
			}
		}
	}
	switch {
	case b.Version != "":
	case b.Commit != "":
		b.Version = "devel-" + b.Commit[:min(12, len(b.Commit))]
	default:
		b.Version = "devel"
	}
	return b
}

func (b build) text() string {
	commit := ""
	if b.Commit != "" {
		commit = "commit " + b.Commit[:min(12, len(b.Commit))] + ", "
	}
	if b.Changed {
		commit = strings.TrimSuffix(commit, ", ") + " with changes, "
	}
	return fmt.Sprintf("tocsin %s (%s%s, %s)\n", b.Version, commit, b.Go, b.Platform)
}

// versionName is the release, or else the commit it was built from.
func versionName() string {
	info, _ := debug.ReadBuildInfo()
	return buildOf(version, info).Version
}
