// Command tocsin takes alerts in and gets them to Slack, exactly as promised.
//
// This package is the wiring and the command line; what the daemon does lives
// in the packages beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	_ "time/tzdata" // quiet hours have zones, and a small container has no files for them

	"github.com/alecthomas/kong"

	"tocsin/config"
)

// The exit statuses of every command.
const (
	exitOK      = 0
	exitFailure = 1 // it was tried and did not work
	exitUsage   = 2 // flags, environment or configuration are wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv})
	stop()
	os.Exit(code)
}

// world is what a command sees of the process it runs in.
type world struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
}

// run is the program: it parses args, does what they say until ctx ends, and
// returns the exit status.
func run(ctx context.Context, args []string, w world) int {
	args = asMeant(args)
	var c cli
	parser, err := kong.New(&c,
		kong.Name("tocsin"), kong.Description(description), kong.NoDefaultHelp(),
		kong.Writers(w.stdout, w.stderr), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(w),
	)
	if err != nil {
		return report(w, fmt.Errorf("build command line: %w", err))
	}
	parsed, err := parser.Parse(args)
	if errors.Is(err, errHelpShown) {
		return exitOK
	}
	if err != nil {
		return report(w, &usageError{err})
	}
	return report(w, parsed.Run())
}

// asMeant turns what people try first into what kong understands: no argument
// at all, "help", "help send" and "--version".
func asMeant(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case args[0] == "--version":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string {
	return e.err.Error() + "\nRun tocsin --help to see what there is."
}
func (e *usageError) Unwrap() error { return e.err }

// report writes err for a person and returns the exit status that goes with it.
func report(w world, err error) int {
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(w.stderr, "tocsin: %v\n", err) // the status says it too
	var usage *usageError
	var wrong *config.Errors
	if errors.As(err, &usage) || errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailure
}
