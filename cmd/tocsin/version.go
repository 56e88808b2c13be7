package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker: -X main.version=v1.2.3.
var version = ""

type versionCmd struct {
	JSON bool `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (versionCmd) Help() string { return "Example: tocsin version --json" }

// Run prints the version, and what it was built with.
func (c versionCmd) Run(w world) error {
	v := versionName()
	if c.JSON {
		return json.NewEncoder(w.stdout).Encode(map[string]string{"version": v, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
	}
	_, err := fmt.Fprintf(w.stdout, "tocsin %s (%s, %s/%s)\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// versionName is the release, or what the build knows of its commit.
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
