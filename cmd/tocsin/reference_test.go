package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "rewrite docs/cli.md")

func TestTheReferenceOfTheCommandLineIsItsHelp(t *testing.T) {
	const file = "../../docs/cli.md"
	var page bytes.Buffer
	page.WriteString("# The command line\n\nThis is `tocsin help` for every command; `make man` makes man pages of it. The page is generated: `go test ./cmd/tocsin -run Reference -update`.\n")
	root := newRoot(world{})
	root.InitDefaultHelpCmd()
	writeReference(t, &page, root)
	if *update {
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if page.String() != read(t, file) {
		t.Error("docs/cli.md is not what the help says; write it with -update")
	}
}

// writeReference writes the help of cmd and of the commands below it.
func writeReference(t *testing.T, page *bytes.Buffer, cmd *cobra.Command) {
	t.Helper()
	var help bytes.Buffer
	cmd.SetOut(&help)
	cmd.InitDefaultHelpFlag() // cobra does it only for the command that runs
	if err := cmd.Help(); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(page, "\n## %s\n\n```text\n%s\n```\n", cmd.CommandPath(), strings.TrimSpace(help.String()))
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			writeReference(t, page, sub)
		}
	}
}
