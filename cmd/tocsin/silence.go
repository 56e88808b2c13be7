package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/alert"
)

// silenceCmd is the family of commands about silences.
type silenceCmd struct {
	New  silenceNewCmd  `cmd:"" default:"withargs" help:"Keep what matches quiet for a time (the default)."`
	List silenceListCmd `cmd:"" help:"List the silences that hold."`
	End  silenceEndCmd  `cmd:"" help:"End silences before their time; what is still open is shown then."`
}

type silenceNewCmd struct {
	clientFlags
	Matchers []string `arg:"" name:"matchers" help:"What to keep quiet, in Alertmanager's syntax: team=web, severity!=critical, service=~'db-.*'."`
	For      string   `placeholder:"DURATION" xor:"end" required:"" help:"How long: 90m, 2h, 7d."`
	Until    string   `placeholder:"TIME" xor:"end" required:"" help:"Until when: 18:00, 2026-01-02 18:00, or 2026-01-02T18:00:00Z."`
	Because  string   `placeholder:"TEXT" help:"Why, for those who wonder."`
	As       string   `placeholder:"NAME" help:"Who does it (default: your user name)."`
	JSON     bool     `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (silenceNewCmd) Help() string {
	return `What matches is accepted, kept and counted as silenced, and not shown in Slack. What is
still open when the silence ends is shown then. The channel is told when a critical alert
is hidden.

Examples:
  tocsin silence service=db-3 --for 2h --because 'new disks'
  tocsin silence team=web 'severity!=critical' --until 18:00
  tocsin silence list
  tocsin silence end s-k7f2`
}

// silenceAnswer is what the daemon says of a silence it began.
type silenceAnswer struct {
	Silence   alert.Silence `json:"silence"`
	Incidents int           `json:"incidents"`
}

// Run begins a silence.
func (c silenceNewCmd) Run(ctx context.Context, w world) error {
	matchers, err := parseMatchers(c.Matchers)
	if err != nil {
		return err
	}
	body := map[string]any{"matchers": matchers.String(), "why": c.Because}
	if by := c.by(w, c.As); by != "" {
		body["by"] = by
	}
	if c.For != "" {
		body["for"] = c.For
	} else {
		end, err := parseUntil(c.Until, time.Now())
		if err != nil {
			return &usageError{err}
		}
		body["ends_at"] = end
	}
	var answer silenceAnswer
	if err := c.tell(ctx, w, message{http.MethodPost, "/v1/silences", body}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, answer)
	}
	_, err = fmt.Fprintf(w.stdout, "%s keeps quiet until %s what matches %s (%s); tocsin silence end %s ends it\n",
		answer.Silence.ID, clock(answer.Silence.EndsAt), answer.Silence.Matchers, counted(int64(answer.Incidents), "open incident"), answer.Silence.ID)
	return err
}

// parseUntil reads a time, by the clock of this machine where it names no zone.
// A time of day is the next one.
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
		return at, fmt.Errorf("--until is %q: write a time as 18:00, 2026-01-02 18:00 or 2026-01-02T18:00:00Z", s)
	}
	today := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location())
	if !today.After(now) {
		return today.AddDate(0, 0, 1), nil
	}
	return today, nil
}

type silenceListCmd struct {
	clientFlags
	All  bool `help:"Also those that have ended."`
	JSON bool `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (silenceListCmd) Help() string { return "Example: tocsin silence list --all --json" }

// Run lists silences.
func (c silenceListCmd) Run(ctx context.Context, w world) error {
	var answer struct {
		Silences []alert.Silence `json:"silences"`
	}
	path := "/v1/silences"
	if c.All {
		path += "?state=all"
	}
	if err := c.ask(ctx, w, http.MethodGet, path, &answer); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, answer.Silences)
	}
	if len(answer.Silences) == 0 {
		_, err := fmt.Fprintln(w.stdout, "nothing: no silence holds")
		return err
	}
	return table(w.stdout, func(line func(cells ...any)) {
		line("ID", "UNTIL", "HIDDEN", "BY", "MATCHERS", "WHY")
		for _, s := range answer.Silences {
			until := clock(s.EndsAt)
			if by := who(s.EndedBy); by != "" {
				until += " (ended by " + by + ")"
			}
			line(s.ID, until, s.Hidden, who(s.By), strings.Map(visible, s.Matchers.String()), brief(s.Why))
		}
	})
}

type silenceEndCmd struct {
	clientFlags
	IDs  []string `arg:"" name:"id" help:"Ids of silences (see tocsin silence list)."`
	As   string   `placeholder:"NAME" help:"Who does it (default: your user name)."`
	JSON bool     `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (silenceEndCmd) Help() string { return "Example: tocsin silence end s-k7f2" }

// Run ends silences, and goes on after an error.
func (c silenceEndCmd) Run(ctx context.Context, w world) error {
	ended := []alert.Silence{}
	var failed error
	for _, id := range c.IDs {
		path := "/v1/silences/" + url.PathEscape(strings.ToLower(id))
		if by := c.by(w, c.As); by != "" {
			path += "?" + url.Values{"by": {by}}.Encode()
		}
		var answer struct {
			Silence alert.Silence `json:"silence"`
		}
		if err := c.ask(ctx, w, http.MethodDelete, path, &answer); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		s := answer.Silence
		ended = append(ended, s)
		if !c.JSON {
			if _, err := fmt.Fprintf(w.stdout, "%s ended by %s; it hid %s\n", s.ID, who(s.EndedBy), alertCount(s.Hidden)); err != nil {
				return err
			}
		}
	}
	if c.JSON {
		failed = errors.Join(failed, writeJSON(w.stdout, ended))
	}
	return failed
}
