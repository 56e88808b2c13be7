package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
)

type queueDropCmd struct {
	clientFlags
	letters
	Yes bool `short:"y" help:"Do not ask."`
}

// Help shows examples under the command's help.
func (queueDropCmd) Help() string {
	return `Their alerts stay dead, with the reason "dropped by a person", and the daemon's log names each.
On a terminal it asks first.

Examples:
  tocsin queue drop 01964f2e-7c1d-7f00-8000-0123456789ab
  tocsin queue drop --all --lane '#gone' --yes`
}

// Run drops dead letters.
func (c queueDropCmd) Run(ctx context.Context, w world) error {
	if !c.Yes && isTerminal(w.stdin) {
		if err := c.confirm(w); err != nil {
			return err
		}
	}
	moved, err := c.decide(ctx, w, c.clientFlags, "drop")
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, moved)
	}
	stay := "stay"
	if moved.Alerts == 1 {
		stay = "stays"
	}
	_, err = fmt.Fprintf(w.stdout, "%s dropped, %s %s dead\n", letterCount(moved.Deliveries), alertCount(moved.Alerts), stay)
	return err
}

// confirm asks the person at the terminal.
func (c queueDropCmd) confirm(w world) error {
	what := counted(int64(len(c.IDs)), "dead letter")
	switch {
	case c.All && c.Lane != "":
		what = "all dead letters of " + c.Lane
	case c.All:
		what = "all dead letters"
	}
	if _, err := fmt.Fprintf(w.stderr, "Drop %s? Their alerts will not be shown in Slack. [y/N] ", what); err != nil {
		return err
	}
	answer, err := bufio.NewReader(w.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	if err != nil && answer == "" {
		return fmt.Errorf("read the answer: %w", err)
	}
	return errors.New("nothing was dropped")
}
