package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/config"
)

// The limits of one run of the last resort.
const (
	lastResortTime   = time.Minute
	lastResortOutput = 4096 // bytes of its output that are logged
)

// missingProgram warns when the program of the last resort can't be run.
func missingProgram(command []string) []config.Problem {
	if len(command) == 0 {
		return nil
	}
	_, err := exec.LookPath(command[0])
	if err == nil {
		return nil
	}
	return []config.Problem{{
		Where: "delivery.last_resort", Message: "can't be run: " + err.Error(),
		Fix: "install it, or write the full path of a program that exists",
	}}
}

// lastResort returns a function that passes alerts which can't be shown anywhere in
// Slack to a program, without a shell; nil if no program is configured.
func lastResort(command []string, log *zap.Logger) func(context.Context, alert.Stranded) error {
	if len(command) == 0 {
		return nil
	}
	for _, p := range missingProgram(command) {
		log.Warn("configuration", zap.String("where", p.Where), zap.String("what", p.Message), zap.String("hint", p.Fix))
	}
	return func(ctx context.Context, s alert.Stranded) error {
		ctx, cancel := context.WithTimeout(ctx, lastResortTime)
		defer cancel()
		text, err := strandedText(ctx, s)
		if err != nil {
			return fmt.Errorf("read the undeliverable alerts: %w", err)
		}
		return runProgram(ctx, command, text, log)
	}
}

// runProgram runs a program in its own process group, which is killed when ctx ends.
func runProgram(ctx context.Context, command []string, text string, log *zap.Logger) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // for a child that keeps its output open
	cmd.Stdin = strings.NewReader(text)
	cmd.Env = withoutSecrets(os.Environ())
	output := &head{}
	cmd.Stdout, cmd.Stderr = output, output
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it succeeded, and a child of it is still running
	}
	log.Info("last-resort program exited", zap.String("program", command[0]), zap.String("output", output.String()), zap.Error(err))
	if ctx.Err() != nil {
		return fmt.Errorf("%s took too long: %w", command[0], ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return nil
}

// withoutSecrets is an environment without the variables that are for Tocsin only.
func withoutSecrets(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "SLACK_") || strings.HasPrefix(name, "TOCSIN_") || strings.HasPrefix(name, "WATCHDOG_") ||
			name == "CREDENTIALS_DIRECTORY" || name == "NOTIFY_SOCKET"
	})
}

// head keeps the first lastResortOutput bytes written to it.
type head struct{ buf bytes.Buffer }

// Write takes everything and never fails.
func (h *head) Write(p []byte) (int, error) {
	h.buf.Write(p[:min(len(p), lastResortOutput-h.buf.Len())])
	return len(p), nil
}

func (h *head) String() string { return strings.TrimSpace(h.buf.String()) }

func strandedText(ctx context.Context, s alert.Stranded) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "Tocsin can't show %s in Slack.\n\nConversation: %s\nReason: %s\n", counted(len(s.Jobs), "message"), s.Lane, reason(s.Destination))
	if s.Fallback.Lane != "" {
		fmt.Fprintf(&b, "The fallback %s can't be reached either: %s\n", s.Fallback.Lane, reason(s.Fallback))
	}
	b.WriteString("All of it stays pending and is shown in Slack once this is fixed.\n")
	for _, j := range s.Jobs {
		if i := j.Incident; j.Digest == nil {
			l := alert.Line{ID: i.ID, Severity: i.Severity, State: i.State, Title: i.Title, Text: i.Text, Labels: i.Labels, Links: i.Links, Count: i.Count}
			strandedAlert(&b, l, fmt.Sprintf(", first %s, last %s\n  key %s, delivery %s",
				i.FirstAt.UTC().Format(time.RFC3339), i.LastAt.UTC().Format(time.RFC3339), flat(i.Key), j.ID))
			continue
		}
		lines, err := j.Digest.Read(ctx)
		if err != nil {
			return "", err
		}
		for _, l := range lines {
			strandedAlert(&b, l, "")
		}
	}
	return b.String(), nil
}

func reason(d alert.Destination) string {
	if d.Hint == "" {
		return d.Code
	}
	return d.Code + " (" + d.Hint + ")"
}

// strandedAlert describes an alert, with details that a digest does not have.
func strandedAlert(b *strings.Builder, l alert.Line, details string) {
	fmt.Fprintf(b, "\n%s: %s\n  incident %s, %s, fired %s%s\n", strings.ToUpper(string(l.Severity)), flat(l.Title), l.ID, l.State, counted(l.Count, "time"), details)
	for _, name := range slices.Sorted(maps.Keys(l.Labels)) {
		fmt.Fprintf(b, "  %s\n", flat(name+"="+l.Labels[name]))
	}
	for _, link := range l.Links {
		fmt.Fprintf(b, "  %s %s\n", flat(link.Label), flat(link.URL))
	}
	b.WriteString(indented(l.Text))
}
