package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manDir is where "make man" wants the man pages. They are made by a test so
// that what makes them is not part of the product.
var manDir = flag.String("man", "", "write the man pages to this folder")

func TestEachCommandHasAManPage(t *testing.T) {
	dir := *manDir
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root := newRoot(world{})
	root.DisableAutoGenTag = true
	if err := doc.GenManTree(root, &doc.GenManHeader{Source: "Tocsin " + versionName(), Manual: "Tocsin"}, dir); err != nil {
		t.Fatal(err)
	}
	checkManPage(t, dir, root)
}

// checkManPage wants a page for cmd and those below it, with all of their flags.
func checkManPage(t *testing.T, dir string, cmd *cobra.Command) {
	t.Helper()
	name := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
	page, err := os.ReadFile(filepath.Join(dir, name+".1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{".SH NAME", ".SH SYNOPSIS", cmd.Short} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%s.1 lacks %q", name, want)
		}
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			checkManPage(t, dir, sub)
		}
	}
}
