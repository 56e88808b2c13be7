package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

// newIncidents lists incidents itself, as its command list does.
func newIncidents(w world) *cobra.Command {
	cmd := newIncidentsList(w)
	cmd.Use = "incidents [MATCHER...]"
	cmd.Short = "List incidents, or show one with its history"
	cmd.AddCommand(newIncidentsList(w), newIncidentsShow(w))
	return cmd
}

type incidentsListCmd struct {
	clientFlags
	state string
	limit int
	json  bool
}

func newIncidentsList(w world) *cobra.Command {
	var c incidentsListCmd
	cmd := &cobra.Command{
		Use:   "list [MATCHER...]",
		Short: "List incidents, the worst first",
		Long: `List incidents, the worst first: those that match every MATCHER, in Alertmanager's syntax
(team=web, severity!=info, service=~'db-.*').`,
		Example: `  tocsin incidents
  tocsin incidents severity=critical 'service=~db-.*' --state all
  tocsin incidents team=web --json | jq -r '.[].id' | xargs tocsin ack`,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		matchers, err := parseMatchers(args)
		if err != nil {
			return orMistyped(cmd, args, err)
		}
		return c.run(cmd.Context(), w, matchers)
	}
	c.register(cmd)
	cmd.Flags().StringVar(&c.state, "state", "open,acked", "only in this `STATE`: open, acked, resolved, several with commas, or all")
	cmd.Flags().IntVar(&c.limit, "limit", 50, "show at most this `NUMBER`, up to 1000")
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	completeFlag(cmd, "state", oneOf("open", "acked", "resolved", "all"))
	return cmd
}

// incidentPage is an answer of GET /v1/incidents.
type incidentPage struct {
	Incidents []alert.Incident `json:"incidents"`
	Total     int              `json:"total"`
}

func (c *incidentsListCmd) run(ctx context.Context, w world, matchers alert.Matchers) error {
	q := url.Values{"state": {c.state}, "limit": {strconv.Itoa(c.limit)}}
	if len(matchers) > 0 {
		q.Set("match", matchers.String())
	}
	var page incidentPage
	if err := c.get(ctx, w, "/v1/incidents?"+q.Encode(), &page); err != nil {
		return err
	}
	if c.json {
		return writeJSON(w.stdout, page.Incidents)
	}
	return c.print(w, page, matchers)
}

func (c *incidentsListCmd) print(w world, page incidentPage, matchers alert.Matchers) error {
	if len(page.Incidents) == 0 {
		what := "no incident"
		if len(matchers) > 0 {
			what += " that matches " + matchers.String()
		}
		what += " is " + strings.ReplaceAll(c.state, ",", " or ")
		if c.state == "all" {
			what = strings.TrimSuffix(what, " is all") + " exists"
		}
		_, err := fmt.Fprintln(w.stdout, what)
		return err
	}
	err := table(w.stdout, func(line func(cells ...any)) {
		line("ID", "STATE", "SEVERITY", "FIRED", "SINCE", "WHO", "WHERE", "TITLE")
		for _, i := range page.Incidents {
			line(i.ID, stateOf(i), i.Severity, fmt.Sprintf("%d×", i.Count), clock(i.FirstAt), cmp.Or(who(owner(i)), "-"), strings.Join(i.Lanes, " "), brief(i.Title))
		}
	})
	if more := page.Total - len(page.Incidents); err == nil && more > 0 {
		_, err = fmt.Fprintf(w.stdout, "and %d more: --limit %d shows them\n", more, min(page.Total, mostListed))
	}
	return err
}

// stateOf is an incident's state, and whether a silence hides it.
func stateOf(i alert.Incident) string {
	if i.Silence != "" && i.State != alert.StateResolved {
		return string(i.State) + " (silenced)"
	}
	return string(i.State)
}

// owner is the person an incident is assigned to, or who acknowledged it.
func owner(i alert.Incident) alert.Person {
	if i.Assignee != (alert.Person{}) {
		return i.Assignee
	}
	return i.AckedBy
}

// who is a person's name.
func who(p alert.Person) string { return strings.Map(visible, cmp.Or(p.Name, p.ID)) }

var bareMatcher = regexp.MustCompile(`^([^=!~"'{},\s]+)\s*(=~|!~|!=|=)\s*([^"']*)$`)

// parseMatchers reads matchers as a shell leaves them: without their quotes.
func parseMatchers(args []string) (alert.Matchers, error) {
	var all alert.Matchers
	for _, arg := range args {
		matchers, err := alert.ParseMatchers(arg)
		if found := bareMatcher.FindStringSubmatch(arg); err != nil && found != nil {
			var m alert.Matcher
			m, err = alert.NewMatcher(found[1], found[2], found[3])
			matchers = alert.Matchers{m}
		}
		if err != nil {
			return nil, &usageError{withHint(err)}
		}
		all = append(all, matchers...)
	}
	return all, nil
}

// withHint is err with its remedy.
func withHint(err error) error {
	if bad, ok := errors.AsType[*alert.InputError](err); ok && bad.Hint != "" {
		return fmt.Errorf("%w; %s", err, bad.Hint)
	}
	return err
}
