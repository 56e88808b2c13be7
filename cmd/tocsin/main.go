// Command tocsin accepts alerts and delivers them to Slack.
//
// This package is the wiring and the command line; what the daemon does lives
// in the packages beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // quiet hours have time zones, and a small container has no files for them

	"github.com/spf13/cobra"

	"tocsin/config"
	"tocsin/systemd"
)

// The exit statuses of every command.
const (
	exitOK      = 0
	exitFailure = 1 // it was tried and did not work
	exitUsage   = 2 // flags, environment or configuration are wrong, or the daemon says that a value is
	// exitTempFail is sysexits.h's EX_TEMPFAIL: what is to be sent can't even be kept.
	exitTempFail = 75
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

// run is the program: it parses args, runs the command they name until it is
// done or ctx ends, and returns the exit status.
func run(ctx context.Context, args []string, w world) int {
	root := newRoot(w)
	root.SetArgs(slices.Concat([]string{}, args)) // nil would stand for the process's own
	cmd, err := root.ExecuteContextC(ctx)
	return report(w, cmd, err)
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// statusError has an exit status of its own. Without an err there is nothing to say.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return fmt.Sprint(e.err) }
func (e *statusError) Unwrap() error { return e.err }

// report writes cmd's err for a person and returns the exit status that goes
// with it.
func report(w world, cmd *cobra.Command, err error) int {
	if err == nil {
		return exitOK
	}
	own, hasOwn := errors.AsType[*statusError](err)
	if hasOwn && own.err == nil {
		return own.status
	}
	said := "tocsin: " + visible(err.Error())
	if systemd.Managed() {
		said = errorPriority + strings.ReplaceAll(said, "\n", "\n"+errorPriority)
	}
	_, _ = fmt.Fprintln(w.stderr, said) // the status says it too
	if _, ok := errors.AsType[*usageError](err); ok {
		_, _ = fmt.Fprintf(w.stderr, "Run %s --help for usage.\n", strings.TrimSuffix(cmd.CommandPath(), " help"))
		return exitUsage
	}
	if _, ok := errors.AsType[*config.Errors](err); ok {
		return exitUsage
	}
	if hasOwn {
		return own.status
	}
	if refused, ok := errors.AsType[*answerError](err); ok && refused.status == http.StatusBadRequest && !refused.foreign {
		return exitUsage
	}
	return exitFailure
}
