package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

type incidentsShowCmd struct {
	clientFlags
	json bool
}

func newIncidentsShow(w world) *cobra.Command {
	var c incidentsShowCmd
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show an incident with its history",
		Example: "  tocsin incidents show k7f2",
		Args:    arguments(1, 1, "which incident? give one id (tocsin incidents lists them)"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), w, args[0]) },
	}
	c.register(cmd)
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	cmd.ValidArgsFunction = c.completeOne(w, incidentIDs("all"))
	return cmd
}

// incidentDetail is an incident with its history.
type incidentDetail struct {
	alert.Incident
	History []alert.Event `json:"history"`
}

func (c *incidentsShowCmd) run(ctx context.Context, w world, id string) error {
	var i incidentDetail
	if err := c.get(ctx, w, incidentPath(id), &i); err != nil {
		return err
	}
	if c.json {
		return writeJSON(w.stdout, i)
	}
	return i.print(w.stdout)
}

// incidentPath is an incident's path in the API; ids have no capitals.
func incidentPath(id string) string {
	return "/v1/incidents/" + url.PathEscape(strings.ToLower(strings.TrimSpace(id)))
}

func (i incidentDetail) print(out io.Writer) error {
	err := table(out, func(line func(cells ...any)) {
		for _, f := range i.fields() {
			if f[1] != "" && f[1] != "-" {
				line(f[0]+":", strings.Map(visible, f[1]))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(i.Labels)) {
			line("label:", strings.Map(visible, name+"="+i.Labels[name]))
		}
		for _, link := range i.Links {
			line("link:", strings.Map(visible, link.Label+" "+link.URL))
		}
	})
	if err == nil && i.Text != "" {
		_, err = fmt.Fprintf(out, "\n%s\n", strings.TrimRight(strings.Map(visible, i.Text), "\n"))
	}
	if err != nil || len(i.History) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(out, "\nHistory:"); err != nil {
		return err
	}
	return table(out, func(line func(cells ...any)) {
		for _, e := range i.History {
			line("  "+clock(e.At), eventText(e))
		}
	})
}

func (i incidentDetail) fields() [][2]string {
	fields := [][2]string{
		{"incident", i.ID}, {"title", i.Title}, {"state", stateOf(i.Incident)}, {"severity", string(i.Severity)}, {"fired", fmt.Sprintf("%d×", i.Count)},
		{"first", clock(i.FirstAt)}, {"last", clock(i.LastAt)}, {"key", i.Key}, {"source", i.Source}, {"route", i.Route},
		{"acknowledged", byAt(i.AckedBy, i.AckedAt)}, {"assigned to", who(i.Assignee)}, {"resolved", byAt(i.ResolvedBy, i.ResolvedAt)},
	}
	return append(fields, i.whereabouts()...)
}

// whereabouts say where the incident is shown, or why it is not.
func (i incidentDetail) whereabouts() (fields [][2]string) {
	over := i.State == alert.StateResolved
	if over && i.Silence != "" && !i.Waiting {
		return [][2]string{{"never shown", "it ended while " + i.Silence + " hid it"}}
	}
	if i.Silence != "" && !over {
		fields = append(fields, [2]string{"silenced", "until " + clock(i.SilencedUntil) + " by " + i.Silence})
	}
	if !i.HeldUntil.IsZero() {
		fields = append(fields, [2]string{"held back", "until " + clock(i.HeldUntil)})
	}
	for _, lane := range i.Lanes {
		if card := i.Card(lane); card.TS != "" {
			fields = append(fields, [2]string{"shown in", lane + " (" + card.Conversation + " " + card.TS + ")"})
			continue
		}
		fields = append(fields, [2]string{"not yet in", lane})
	}
	return fields
}

func byAt(p alert.Person, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	if name := who(p); name != "" {
		return clock(at) + " by " + name
	}
	return clock(at)
}

// eventText is one line of the history in words.
func eventText(e alert.Event) string {
	words := map[alert.Verb]string{
		alert.VerbAck: "acknowledged", alert.VerbResolve: "resolved", alert.VerbAssign: "assigned", alert.VerbNote: "noted",
		alert.VerbOpen: "opened", alert.VerbReopen: "opened again", alert.VerbSilence: "silenced", alert.VerbUnsilence: "silence ended",
		alert.VerbEscalate: "escalated", alert.VerbRemind: "reminded", alert.VerbHold: "held back", alert.VerbShow: "shown",
	}
	what := words[e.Verb]
	if what == "" {
		what = string(e.Verb)
	}
	if e.Silence != "" {
		what += " (" + e.Silence + ")"
	}
	if to := who(e.To); to != "" {
		what += " to " + to
	}
	if by := who(e.By); by != "" {
		what += " by " + by
	}
	if e.Text != "" {
		what += ": " + brief(e.Text)
	}
	return what
}
