package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/handlers"
)

// newSilence creates a silence itself, as its command new does.
func newSilence(w world) *cobra.Command {
	cmd := newSilenceNew(w)
	cmd.Use, cmd.Aliases = "silence WHICH...", nil
	cmd.Short = "Silence matching alerts for a time; list or end silences"
	cmd.AddCommand(newSilenceNew(w), newSilenceList(w), newSilenceEnd(w))
	return cmd
}

// silenceAnswer is the daemon's answer when a silence begins or ends.
type silenceAnswer struct {
	Silence   alert.Silence `json:"silence"`
	Incidents int           `json:"incidents"`
	Notes     []string      `json:"notes,omitempty"`
}

func newSilenceNew(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "new WHICH...",
		Aliases: []string{"add"},
		Short:   "Silence matching alerts for a time",
		Long: `Silence the alerts that match every matcher, in Alertmanager's syntax (team=web,
severity!=critical, service=~'db-.*'), for a time. WHICH may also be an id, last, or words of
an incident's labels. They are accepted, kept and counted as silenced, but not shown in Slack.
What is still open when the silence ends is shown then. The channel is told when a critical
alert is hidden.`,
		Example: `  tocsin silence service=db-3 --for 2h --because 'new disks'
  tocsin silence postgres 2h because new disks
  tocsin silence service=db from tomorrow 22:00 for 6h
  tocsin silence service=db every saturday 02:00 for 3h
  tocsin silence team=web 'severity!=critical' --until 18:00
  tocsin silence list
  tocsin silence end s-k7f2`,
	}
	c := newClientCmd(w, cmd)
	c.addAs(cmd)
	length := cmd.Flags().StringP("for", "d", "", "silence for this `DURATION`: 90m, 2h, 7d")
	until := cmd.Flags().String("until", "", "silence until this `TIME`: 18:00, tomorrow 9am, friday, or 2026-01-02 18:00")
	because := cmd.Flags().StringP("because", "c", "", "`REASON` for other people to see")
	alsoCalled(cmd, map[string]string{"duration": "for", "comment": "because", "note": "because", "reason": "because", "end": "until"})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		matchers, err := parseMatchers(args)
		if _, other := parseUntil(*until, time.Now()); err != nil || *until != "" && *length == "" && other != nil && len(args) > 0 {
			args = slices.Concat(args, timeWords(*length, *until), becauseOf(*because))
			if err = c.silenceWords(cmd.Context(), "silence", args); err != nil {
				return orMistyped(cmd, args, err)
			}
			return nil
		}
		body, err := silenceBody(matchers, *length, *until)
		if err != nil {
			return &usageError{err}
		}
		body["why"] = *because
		return c.silence(cmd.Context(), body)
	}
	return cmd
}

// newMute silences for an hour unless a time is named.
func newMute(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "mute WHICH... [for DURATION] [because REASON]",
		Aliases: []string{"snooze"},
		Short:   "Silence in words, for an hour unless a time is named",
		Example: `  tocsin mute db-3
  tocsin mute k7f2 until 18:00 because new disks`,
		Args: arguments(1, manyArguments, "what should be muted? give an id, a word, or matchers such as team=web"),
	}
	c := newClientCmd(w, cmd)
	c.addAs(cmd)
	cmd.ValidArgsFunction = c.complete(1, incidentIDs("open,acked"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.silenceWords(cmd.Context(), "mute", args) }
	return cmd
}

// timeWords say when a silence ends.
func timeWords(length, until string) (words []string) {
	if length != "" {
		words = append(words, "for", length)
	}
	if until != "" {
		words = append(words, "until", until)
	}
	return words
}

// becauseOf says why.
func becauseOf(reason string) []string {
	if reason == "" {
		return nil
	}
	return []string{"because", reason}
}

// silenceWords silences what a person says in words, as in Slack.
func (c *clientCmd) silenceWords(ctx context.Context, command string, args []string) error {
	o, err := c.order(ctx, command, args)
	if err != nil {
		return err
	}
	s, err := o.Silence(time.Now().In(localZone(c.getenv)))
	if err != nil {
		return &usageError{withHint(err)}
	}
	matchers := o.Target.Matchers
	if len(matchers) == 0 {
		if matchers, err = c.meant(ctx, o.Target); err != nil {
			return err
		}
	}
	return c.silence(ctx, map[string]any{"matchers": matchers.String(), "starts_at": s.StartsAt, "ends_at": s.EndsAt, "every": s.Every, "why": o.Text, "renew": true})
}

// localZone is this machine's time zone under its own name, which a silence that recurs
// needs: Go calls it Local. It is Local if it has no name.
func localZone(getenv func(string) string) *time.Location {
	name := strings.TrimPrefix(getenv("TZ"), ":")
	if name == "" {
		if target, err := os.Readlink("/etc/localtime"); err == nil {
			_, name, _ = strings.Cut(target, "zoneinfo/")
		}
	}
	if zone, err := time.LoadLocation(name); err == nil && name != "" {
		return zone
	}
	if _, offset := time.Now().Zone(); offset == 0 {
		return time.UTC
	}
	return time.Local
}

// silence begins a silence.
func (c *clientCmd) silence(ctx context.Context, body map[string]any) error {
	body["by"] = c.by()
	var answer silenceAnswer
	if err := c.call(ctx, http.MethodPost, "/v1/silences", body, &answer); err != nil {
		return err
	}
	c.sayAll(answer.Notes)
	s := answer.Silence
	return c.print(answer, fmt.Sprintf("%s silences %s %s (%s); tocsin silence end %s ends it\n",
		s.ID, s.Matchers, silenceTimes(s), counted(answer.Incidents, "open incident"), s.ID))
}

// silencesMeant returns the ids of the silences that are named by their ids, or the one
// that words surely mean.
func (c *clientCmd) silencesMeant(ctx context.Context, named []string) ([]string, error) {
	u, err := handlers.ReadUnsilence(words(named).text)
	if err != nil {
		return nil, &usageError{withHint(err)}
	}
	if len(u.IDs) > 0 {
		return u.IDs, nil
	}
	var page silencePage
	if err := c.get(ctx, "/v1/silences?limit="+strconv.Itoa(mostListed), &page); err != nil {
		return nil, err
	}
	var incident alert.Incident
	if u.Incident != "" {
		if incident, _, err = c.incident(ctx, u.Incident); err != nil {
			return nil, err
		}
	}
	meant, sure := u.Among(page.Silences, incident)
	switch {
	case sure:
		return []string{meant[0].ID}, nil
	case len(meant) == 0:
		return nil, withHint(u.None)
	}
	return nil, &usageError{fmt.Errorf("%s: end one by its id\n%s", mayMean(len(meant)), strings.TrimSuffix(screen{}.draw(silencePage{meant}.text()), "\n"))}
}

// mayMean says how many silences may be meant, of which none was ended.
func mayMean(n int) string {
	if n == 1 {
		return "you may mean this silence, which was not ended"
	}
	return fmt.Sprintf("these are %d silences", n)
}

// silenceTimes says when a silence hides alerts.
func silenceTimes(s alert.Silence) string {
	until := "until " + clock(s.EndsAt)
	switch {
	case s.Every != nil:
		return "every " + s.Every.String() + ", " + until
	case !s.StartsAt.IsZero():
		return "from " + clock(s.StartsAt) + " " + until
	}
	return until
}

// silenceBody asks the daemon for a silence, which needs matchers and one end.
func silenceBody(matchers alert.Matchers, length, until string) (map[string]any, error) {
	switch {
	case len(matchers) == 0:
		return nil, errors.New("what should be silenced? give matchers such as team=web")
	case length == "" && until == "":
		return nil, errors.New("until when? add --for 2h or --until 18:00")
	case length != "" && until != "":
		return nil, errors.New("--for and --until both say when the silence ends; give one of them")
	case length != "":
		return map[string]any{"matchers": matchers.String(), "for": length}, nil
	}
	end, err := parseUntil(until, time.Now())
	return map[string]any{"matchers": matchers.String(), "ends_at": end}, err
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

// newSilences is silence list under the word that Slack has for it.
func newSilences(w world) *cobra.Command {
	cmd := newSilenceList(w)
	cmd.Use, cmd.Aliases, cmd.Example = "silences", []string{"mutes"}, "  tocsin silences --all"
	return cmd
}

// newUnsilence is silence end under the word that Slack has for it.
func newUnsilence(w world) *cobra.Command {
	cmd := newSilenceEnd(w)
	cmd.Use, cmd.Aliases, cmd.Example = "unsilence ID...|WORDS...", []string{"unmute", "unsnooze", "expire"}, "  tocsin unsilence s-k7f2\n  tocsin unmute db-3"
	return cmd
}

type silencePage struct {
	Silences []alert.Silence `json:"silences"`
}

func newSilenceList(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the silences in effect",
		Example: "  tocsin silence list --all --json",
		Args:    noArgs,
	}
	c := newClientCmd(w, cmd)
	all := cmd.Flags().Bool("all", false, "also those that have ended")
	c.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		path := "/v1/silences"
		if *all {
			path += "?state=all"
		}
		return c.show(cmd.Context(), func(ctx context.Context) (any, string, error) {
			var page silencePage
			if err := c.get(ctx, path, &page); err != nil {
				return nil, "", err
			}
			return page.Silences, page.text(), nil
		})
	}
	return cmd
}

func (p silencePage) text() string {
	if len(p.Silences) == 0 {
		return "no silence is in effect\n"
	}
	return table(func(line func(cells ...any)) {
		line("ID", "UNTIL", "MATCHERS", "NEXT", "HIDDEN", "BY", "WHY")
		now := time.Now()
		for _, s := range p.Silences {
			next, until := "now", fmt.Sprintf("in %s (%s)", roughly(s.EndsAt.Sub(now)), clock(s.EndsAt))
			if s.Over(now) {
				next, until = "", ago(s.EndsAt)
			} else if !s.Active(now) {
				next = ago(s.Next(now))
			}
			if s.Every != nil {
				next += " (every " + s.Every.String() + ")"
			}
			if by := who(s.EndedBy); by != "" {
				until += " (ended by " + by + ")"
			}
			line(s.ID, until, s.Matchers, next, s.Hidden, who(s.By), brief(s.Why))
		}
	})
}

func newSilenceEnd(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "end ID...|WORDS...",
		Aliases: []string{"expire"},
		Short:   "End silences early; what is still open is shown then",
		Example: "  tocsin silence end s-k7f2\n  tocsin silence end db-3",
		Args:    arguments(1, manyArguments, "which silences? give their ids (tocsin silence list lists them)"),
	}
	c := newClientCmd(w, cmd)
	c.addAs(cmd)
	cmd.ValidArgsFunction = c.complete(manyArguments, silenceIDs())
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		query := "?" + url.Values{"by": {c.by()}}.Encode()
		ids, err := c.silencesMeant(cmd.Context(), ids)
		if err != nil {
			return err
		}
		return forEach(c, ids, func(id string) (alert.Silence, error) {
			var answer silenceAnswer
			err := c.call(cmd.Context(), http.MethodDelete, "/v1/silences/"+url.PathEscape(strings.ToLower(id))+query, nil, &answer)
			return answer.Silence, err
		}, endedText)
	}
	return cmd
}

// endedText says who ended a silence, or when its time was over.
func endedText(s alert.Silence) string {
	how := "ended by " + who(s.EndedBy)
	if s.EndedBy == (alert.Person{}) {
		how = "had ended at " + clock(s.EndsAt)
	}
	return fmt.Sprintf("%s %s; it hid %s", s.ID, how, counted(s.Hidden, "alert"))
}
