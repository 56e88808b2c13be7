package main

import (
	"context"
	"fmt"
	"slices"
)

type queueRetryCmd struct {
	clientFlags
	letters
}

// Help shows examples under the command's help.
func (queueRetryCmd) Help() string {
	return `Their alerts are pending again. One that may have been shown is looked for first.

Examples:
  tocsin queue retry 01964f2e-7c1d-7f00-8000-0123456789ab
  tocsin queue retry --all --lane '#ops'`
}

// Run retries dead letters.
func (c queueRetryCmd) Run(ctx context.Context, w world) error {
	moved, err := c.decide(ctx, w, c.clientFlags, "retry")
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, moved)
	}
	_, err = fmt.Fprintf(w.stdout, "%s owed again, %s pending\n", letterCount(moved.Deliveries), alertCount(moved.Alerts))
	return err
}

func letterCount(n int) string  { return counted(int64(n), "dead letter") }
func alertCount(n int64) string { return counted(n, "alert") }

func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// union adds to a what b has besides.
func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}
