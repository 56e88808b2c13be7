package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

// newSilence creates a silence itself, as its command new does.
func newSilence(w world) *cobra.Command {
	cmd := newSilenceNew(w)
	cmd.Use = "silence MATCHER..."
	cmd.Short = "Silence matching alerts for a time; list or end silences"
	cmd.AddCommand(newSilenceNew(w), newSilenceList(w), newSilenceEnd(w))
	return cmd
}

type silenceNewCmd struct {
	clientFlags
	length  string
	until   string
	because string
	as      string
	json    bool
}

func newSilenceNew(w world) *cobra.Command {
	var c silenceNewCmd
	cmd := &cobra.Command{
		Use:   "new MATCHER...",
		Short: "Silence matching alerts for a time",
		Long: `Silence the alerts that match every MATCHER, in Alertmanager's syntax (team=web,
severity!=critical, service=~'db-.*'), for a time. They are accepted, kept and counted as
silenced, but not shown in Slack. What is still open when the silence ends is shown then.
The channel is told when a critical alert is hidden.`,
		Example: `  tocsin silence service=db-3 --for 2h --because 'new disks'
  tocsin silence team=web 'severity!=critical' --until 18:00
  tocsin silence list
  tocsin silence end s-k7f2`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		matchers, err := parseMatchers(args)
		if err != nil {
			return orMistyped(cmd, args, err)
		}
		return c.run(cmd.Context(), w, matchers)
	}
	c.register(cmd)
	cmd.Flags().StringVar(&c.length, "for", "", "silence for this `DURATION`: 90m, 2h, 7d")
	cmd.Flags().StringVar(&c.until, "until", "", "silence until this `TIME`: 18:00, 2026-01-02 18:00, or 2026-01-02T18:00:00Z")
	cmd.Flags().StringVar(&c.because, "because", "", "`REASON` for other people to see")
	cmd.Flags().StringVar(&c.as, "as", "", "act under this `NAME` (default: your user name)")
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	return cmd
}

// silenceAnswer is the daemon's answer to a new silence.
type silenceAnswer struct {
	Silence   alert.Silence `json:"silence"`
	Incidents int           `json:"incidents"`
}

func (c *silenceNewCmd) run(ctx context.Context, w world, matchers alert.Matchers) error {
	if err := c.check(matchers); err != nil {
		return &usageError{err}
	}
	body := map[string]any{"matchers": matchers.String(), "why": c.because}
	if by := c.by(w, c.as); by != "" {
		body["by"] = by
	}
	if c.length != "" {
		body["for"] = c.length
	} else {
		end, err := parseUntil(c.until, time.Now())
		if err != nil {
			return &usageError{err}
		}
		body["ends_at"] = end
	}
	var answer silenceAnswer
	if err := c.call(ctx, w, request{http.MethodPost, "/v1/silences", body}, &answer); err != nil {
		return err
	}
	if c.json {
		return writeJSON(w.stdout, answer)
	}
	s := answer.Silence
	_, err := fmt.Fprintf(w.stdout, "%s silences %s until %s (%s); tocsin silence end %s ends it\n",
		s.ID, s.Matchers, clock(s.EndsAt), counted(int64(answer.Incidents), "open incident"), s.ID)
	return err
}

// check wants matchers and one end.
func (c *silenceNewCmd) check(matchers alert.Matchers) error {
	switch {
	case len(matchers) == 0:
		return errors.New("what should be silenced? give matchers such as team=web")
	case c.length == "" && c.until == "":
		return errors.New("until when? add --for 2h or --until 18:00")
	case c.length != "" && c.until != "":
		return errors.New("--for and --until both say when the silence ends; give one of them")
	}
	return nil
}

// parseUntil reads a time, in this machine's time zone where it names none. A
// time of day is the next one.
func parseUntil(s string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return at, nil
		}
	}
	at, err := time.Parse("15:04", s)
	if err != nil {
		return at, fmt.Errorf("--until is %q: write a time such as 18:00, 2026-01-02 18:00 or 2026-01-02T18:00:00Z", s)
	}
	today := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location())
	if !today.After(now) {
		return today.AddDate(0, 0, 1), nil
	}
	return today, nil
}
