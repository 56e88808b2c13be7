package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"tocsin/alert"
)

// incidentsCmd is the family of commands that look at incidents.
type incidentsCmd struct {
	List incidentsListCmd `cmd:"" default:"withargs" help:"List incidents, worst first (the default)."`
	Show incidentsShowCmd `cmd:"" help:"Show an incident with its history."`
}

type incidentsListCmd struct {
	clientFlags
	Matchers []string `arg:"" optional:"" name:"matchers" help:"Only what matches, in Alertmanager's syntax: team=web, severity!=info, service=~'db-.*'."`
	State    string   `placeholder:"STATE" default:"open,acked" help:"open, acked, resolved, several with commas, or all (default: ${default})."`
	Limit    int      `default:"50" help:"At most so many, up to 1000 (default: ${default})."`
	JSON     bool     `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (incidentsListCmd) Help() string {
	return `Examples:
  tocsin incidents
  tocsin incidents severity=critical 'service=~db-.*' --state all
  tocsin incidents team=web --json | jq -r '.[].id' | xargs tocsin ack`
}

// incidentPage is an answer of GET /v1/incidents.
type incidentPage struct {
	Incidents []alert.Incident `json:"incidents"`
	Total     int              `json:"total"`
}

// Run lists incidents.
func (c incidentsListCmd) Run(ctx context.Context, w world) error {
	matchers, err := parseMatchers(c.Matchers)
	if err != nil {
		return err
	}
	q := url.Values{"state": {c.State}, "limit": {strconv.Itoa(c.Limit)}}
	if len(matchers) > 0 {
		q.Set("match", matchers.String())
	}
	var page incidentPage
	if err := c.ask(ctx, w, http.MethodGet, "/v1/incidents?"+q.Encode(), &page); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(w.stdout, page.Incidents)
	}
	return c.print(w, page, matchers)
}

func (c incidentsListCmd) print(w world, page incidentPage, matchers alert.Matchers) error {
	if len(page.Incidents) == 0 {
		what := "nothing: no incident is " + strings.ReplaceAll(c.State, ",", " or ")
		if c.State == "all" {
			what = "nothing: there is no incident"
		}
		if len(matchers) > 0 {
			what += " and matches " + matchers.String()
		}
		_, err := fmt.Fprintln(w.stdout, what)
		return err
	}
	err := table(w.stdout, func(line func(cells ...any)) {
		line("ID", "STATE", "SEVERITY", "FIRED", "SINCE", "WHO", "WHERE", "TITLE")
		for _, i := range page.Incidents {
			line(i.ID, stateOf(i), i.Severity, fmt.Sprintf("%d×", i.Count), clock(i.FirstAt), cmp.Or(who(carer(i)), "-"), strings.Join(i.Lanes, " "), brief(i.Title))
		}
	})
	if more := page.Total - len(page.Incidents); err == nil && more > 0 {
		_, err = fmt.Fprintf(w.stdout, "and %d more: --limit %d shows them\n", more, min(page.Total, mostAsked))
	}
	return err
}

// stateOf is an incident's state, and whether a silence keeps it quiet.
func stateOf(i alert.Incident) string {
	if i.Silence != "" && i.State != alert.StateResolved {
		return string(i.State) + " (silenced)"
	}
	return string(i.State)
}

// carer is who is to care for an incident.
func carer(i alert.Incident) alert.Person {
	if i.Assignee != (alert.Person{}) {
		return i.Assignee
	}
	return i.AckedBy
}

// who is what to call a person.
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
			return nil, &usageError{hinted(err)}
		}
		all = append(all, matchers...)
	}
	return all, nil
}

// hinted is err with its remedy.
func hinted(err error) error {
	var bad *alert.InputError
	if errors.As(err, &bad) && bad.Hint != "" {
		return fmt.Errorf("%w; %s", err, bad.Hint)
	}
	return err
}
