package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/handlers"
)

// newIncidents lists incidents itself, as its command list does.
func newIncidents(w world) *cobra.Command {
	cmd := newIncidentsList(w)
	cmd.Aliases = nil
	cmd.Use = "incidents [MATCHER...]"
	cmd.Short = "List incidents, or show one with its history"
	cmd.AddCommand(newIncidentsList(w), newIncidentsShow(w))
	return cmd
}

// newWhat is incidents list as people ask for it: tocsin what is open.
func newWhat(w world) *cobra.Command {
	cmd := newIncidentsList(w)
	cmd.Use, cmd.Aliases, cmd.Hidden = "what [is] [WHICH...]", []string{"whats", "what's"}, true
	cmd.Example = "  tocsin what is open"
	return cmd
}

// newOpen is the list of what is open, under the word that lists it in Slack.
func newOpen(w world) *cobra.Command {
	cmd := newIncidentsList(w)
	cmd.Use, cmd.Hidden, cmd.Example = "open [WHICH...]", true, "  tocsin open"
	state := cmd.Flags().Lookup("state")
	state.DefValue = string(alert.Open)
	_ = state.Value.Set(state.DefValue) // any text is a value
	return cmd
}

type incidentPage struct {
	Incidents []alert.Incident `json:"incidents"`
	Total     int              `json:"total"`
	Notes     []string         `json:"notes"`
}

func newIncidentsList(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [WHICH...]", Aliases: []string{"ls"},
		Short: "List incidents, the worst first",
		Long: `List incidents, the worst first: those that match every matcher in Alertmanager's syntax
(team=web, severity!=info, service=~'db-.*') and contain every other word in their title, key
or labels. Words for states and severities mean these: list open critical db-3.`,
		Example: `  tocsin incidents
  tocsin list db-3
  tocsin incidents severity=critical 'service=~db-.*' --state all
  tocsin incidents team=web --json | jq -r '.[].id' | xargs tocsin ack`,
	}
	c := newClientCmd(w, cmd)
	state := cmd.Flags().String("state", "open,acked", "only in this `STATE`: open, acked, resolved, several with commas, or all")
	limit := cmd.Flags().Int("limit", 50, "show at most this `NUMBER`, up to 1000")
	completeFlag(cmd, "state", oneOf("open", "acked", "resolved", "all"))
	c.addAs(cmd)
	c.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := listTarget(args)
		if err != nil {
			return orMistyped(cmd, args, err)
		}
		q := c.query(t, t.States, 0)
		if len(t.States) == 0 || cmd.Flags().Changed("state") {
			q.Set("state", *state)
		}
		q.Set("limit", strconv.Itoa(*limit))
		return c.show(cmd.Context(), func(ctx context.Context) (any, string, error) {
			var page incidentPage
			if err := c.get(ctx, "/v1/incidents?"+q.Encode(), &page); err != nil {
				return nil, "", err
			}
			if len(page.Incidents) == 0 {
				c.sayAll(page.Notes)
				return page.Incidents, noIncident(q.Get("state"), t) + "\n", nil
			}
			return page.Incidents, page.text(), nil
		})
	}
	return cmd
}

// listTarget reads which incidents to list.
func listTarget(args []string) (handlers.Target, error) {
	o, err := handlers.Parse("list " + words(args).text)
	if err != nil {
		return o.Target, &usageError{withHint(err)}
	}
	return o.Target, nil
}

func noIncident(state string, t handlers.Target) string {
	what := "no incident"
	if about := t.String(); about != "" {
		what += " with " + about
	}
	if m := t.Labelled(); m != "" {
		return what + "; did you mean the label " + m + "?"
	}
	if state == "all" || state == "" {
		return what + " exists"
	}
	return what + " is " + strings.ReplaceAll(state, ",", " or ")
}

func (p incidentPage) text() string {
	list := table(func(line func(cells ...any)) {
		now := time.Now()
		line("ID", "STATE", "SEVERITY", "FIRED", "AGE", "WHO", "WHERE", "TITLE")
		for _, i := range p.Incidents {
			line(i.ID, stateOf(i), i.Severity, fmt.Sprintf("%d×", i.Count), age(i.Began(), now), cmp.Or(who(i.Owner()), "-"), strings.Join(i.Lanes, " "), brief(i.Headline()))
		}
	})
	if more := p.Total - len(p.Incidents); more > 0 {
		list += fmt.Sprintf("and %d more: --limit %d shows them\n", more, min(p.Total, mostListed))
	}
	return list
}

// hiding is what hides an incident, in a word.
func hiding(i alert.Incident) string {
	if i.InhibitedBy != "" {
		return "inhibited"
	}
	return "silenced"
}

// stateOf is an incident's state, and whether something hides it or it has expired.
func stateOf(i alert.Incident) string {
	if i.Hidden() && i.State != alert.StateResolved {
		return string(i.State) + " (" + hiding(i) + ")"
	}
	if i.Expired {
		return string(i.State) + " (expired)"
	}
	return string(i.State)
}

func who(p alert.Person) string { return cmp.Or(p.Name, p.ID) }

// bareMatcher is one argument with a value of several words. A blank in front of it is only
// meant where there is one in front of the operator too.
var bareMatcher = regexp.MustCompile(`^([^=!~<>"'{},\s]+)(\s+(?:=~|!~|!=|=)\s*|=~|!~|!=|=)([^"'<>=!{}~,\s*|][^"'<>=!{}*|]*)$`)

// parseMatchers reads matchers as a shell leaves them: without their quotes.
func parseMatchers(args []string) (alert.Matchers, error) {
	var all alert.Matchers
	for _, arg := range args {
		matchers, err := alert.ParseMatchers(arg)
		if found := bareMatcher.FindStringSubmatch(arg); err != nil && found != nil {
			matchers, err = alert.ParseMatchers(found[1] + found[2] + `"` + strings.ReplaceAll(found[3], `\`, `\\`) + `"`)
		}
		if err != nil {
			return nil, &usageError{withHint(err)}
		}
		all = append(all, matchers...)
	}
	return all, nil
}

// withHint is err with its remedy, as people at a command line need it.
func withHint(err error) error {
	bad, ok := errors.AsType[*alert.InputError](err)
	if !ok || bad.Hint == "" {
		return err
	}
	return errors.New(inCommands(withRemedy(err.Error(), bad.Hint)))
}

// withRemedy is what is wrong and what to do about it, as one sentence unless what is wrong
// is a question.
func withRemedy(wrong, remedy string) string {
	if strings.HasSuffix(wrong, "?") {
		return wrong + " " + remedy
	}
	first, size := utf8.DecodeRuneInString(remedy)
	if next, _ := utf8.DecodeRuneInString(remedy[size:]); unicode.IsLower(next) {
		remedy = string(unicode.ToLower(first)) + remedy[size:]
	}
	return wrong + "; " + strings.TrimSuffix(remedy, ".")
}

type incidentDetail struct {
	alert.Incident
	Members     []alert.GroupMember `json:"members,omitempty"`
	MoreMembers int                 `json:"more_members,omitempty"`
	History     []alert.Event       `json:"history"`
	Inhibits    int                 `json:"inhibits,omitempty"`
}

func newIncidentsShow(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "show WHICH",
		Aliases: []string{"details", "incident", "info", "history"},
		Short:   "Show an incident with its history",
		Long:    "Show an incident with its history. WHICH is an id, last, or words of its title, key or labels.",
		Example: `  tocsin show k7f2
  tocsin show disk db-3`,
		Args: arguments(1, manyArguments, "which incident? give one id (tocsin incidents lists them)"),
	}
	c := newClientCmd(w, cmd)
	cmd.ValidArgsFunction = c.complete(1, incidentIDs("all"))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := c.showID(cmd.Context(), args)
		if err != nil {
			return err
		}
		var i incidentDetail
		if err := c.get(cmd.Context(), incidentPath(id), &i); err != nil {
			return err
		}
		return c.print(i, i.text())
	}
	return cmd
}

// showID is the id of the one incident that a person wants to see.
func (c *clientCmd) showID(ctx context.Context, args []string) (string, error) {
	o, err := c.order(ctx, "show", args)
	switch {
	case err != nil:
		return "", err
	case len(o.Target.IDs) > 0 && len(o.Target.Words) == 0:
		return o.Target.IDs[0], nil
	}
	found, err := c.mustSearch(ctx, o.Target, nil)
	if len(found) > 1 && len(o.Target.Words) > 0 {
		left := slices.DeleteFunc(slices.Clone(found), func(i alert.Incident) bool { return i.State == alert.StateResolved })
		if len(left) == 0 {
			left = found
		}
		narrow := narrowed(left, o.Target.Words)
		found = slices.DeleteFunc(found, func(i alert.Incident) bool { return !narrow.Selects(i.Subject()) })
	}
	if err == nil && len(found) > 1 {
		err = several(found, "show one by its id")
	}
	if err != nil {
		return "", err
	}
	return found[0].ID, nil
}

// incidentPath is an incident's path in the API; ids have no capitals.
func incidentPath(id string) string {
	return "/v1/incidents/" + url.PathEscape(strings.ToLower(strings.TrimSpace(id)))
}

func (i incidentDetail) text() string {
	all := i.fields()
	for _, f := range i.Fields {
		all = append(all, [2]string{"field", f.Name + ": " + f.Value})
	}
	text := fields(append(all, labelsAndLinks(i.Labels, i.Links)...))
	if i.Text != "" {
		text += "\n" + indented(i.Text)
	}
	text += i.membersText()
	if len(i.History) == 0 {
		return text
	}
	return text + "\nHistory:\n" + texts(func(line func(cells ...any)) {
		for _, e := range i.History {
			line("  "+clock(e.At), eventText(e))
		}
	}) + i.longTexts()
}

// membersText lists the members of a group.
func (i incidentDetail) membersText() string {
	if len(i.Members) == 0 {
		return ""
	}
	text := "\nAlerts of the group:\n" + table(func(line func(cells ...any)) {
		for _, m := range i.Members {
			state, at := string(m.Status), m.BeganAt
			switch {
			case m.Status != alert.Firing:
				at = m.EndedAt
			case m.Silence != "":
				state = "silenced"
			case m.InhibitedBy != "":
				state = "inhibited by " + m.InhibitedBy
			}
			line("  "+state, m.Severity, "since "+clock(at), brief(m.Title))
		}
	})
	if i.MoreMembers > 0 {
		text += fmt.Sprintf("  and %d more: GET /v1/incidents/%s?members=%d\n", i.MoreMembers, i.ID, alert.MostListed)
	}
	return text
}

// longTexts are what the lines of the history say only the beginning of.
func (i incidentDetail) longTexts() (text string) {
	for _, e := range i.History {
		if brief(e.Text) != flat(e.Text) {
			e, whole := e, e.Text
			e.Text = ""
			text += "\n" + clock(e.At) + " " + eventText(e) + ":\n" + indented(whole)
		}
	}
	return text
}

func (i incidentDetail) fields() [][2]string {
	first, expires := "first", ""
	if !i.ReceivedLate().IsZero() {
		first = "began"
	}
	if i.State != alert.StateResolved && !i.ExpiresAt.IsZero() {
		expires = clock(i.ExpiresAt)
	}
	fields := [][2]string{
		{"incident", i.ID}, {"title", i.Headline()}, {"sent as", i.SentTitle}, {"state", stateOf(i.Incident)}, {"severity", string(i.Severity)}, {"fired", fmt.Sprintf("%d×", i.Count)},
		{first, ago(i.Began())}, {"last", ago(i.LastBegan())}, {"received", ago(i.ReceivedLate())}, {"expires", expires}, {"key", i.Key}, {"source", i.Source}, {"via token", i.TokenName}, {"route", i.Route},
		{"acknowledged", byAt(i.AckedBy, i.AckedAt)}, {"assigned to", who(i.Assignee)}, {"resolved", byAt(i.ResolvedBy, i.ResolvedAt)},
	}
	return append(fields, i.whereabouts()...)
}

// whereabouts say where the incident is shown, or why it is not.
func (i incidentDetail) whereabouts() [][2]string {
	if i.State == alert.StateResolved && !i.HeldUntil.IsZero() && !i.Waiting {
		why := "it was muted"
		if by := cmp.Or(i.Silence, i.InhibitedBy); by != "" {
			why = by + " hid it"
		}
		return [][2]string{{"never shown", "it ended while " + why}}
	}
	fields := i.hiding()
	for _, lane := range i.Lanes {
		if card := i.Card(lane); card.TS != "" {
			fields = append(fields, [2]string{"shown in", lane + " (" + card.Conversation + " " + card.TS + ")"})
			continue
		}
		fields = append(fields, [2]string{"not yet in", lane})
	}
	return fields
}

// hiding says what hides an incident, and how many it hides.
func (i incidentDetail) hiding() (fields [][2]string) {
	if i.Inhibits > 0 {
		fields = append(fields, [2]string{"inhibits", counted(i.Inhibits, "incident")})
	}
	switch over := i.State == alert.StateResolved; {
	case i.InhibitedBy != "" && !over:
		return append(fields, [2]string{"inhibited", "by " + i.InhibitedBy})
	case i.Silence != "" && !over:
		fields = append(fields, [2]string{"silenced", "until " + ago(i.SilencedUntil) + " by " + i.Silence})
	}
	if !i.HeldUntil.IsZero() {
		fields = append(fields, [2]string{"held back", "until " + ago(i.HeldUntil)})
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
		alert.VerbAck: "acknowledged", alert.VerbUnack: "no longer acknowledged", alert.VerbResolve: "resolved", alert.VerbAssign: "assigned", alert.VerbNote: "noted",
		alert.VerbOpen: "opened", alert.VerbReopen: "opened again", alert.VerbRefire: "fired again", alert.VerbSilence: "silenced", alert.VerbUnsilence: "silence ended",
		alert.VerbEscalate: "escalated", alert.VerbRemind: "reminded", alert.VerbHold: "held back", alert.VerbShow: "shown", alert.VerbExpire: "expired",
		alert.VerbInhibit: "hidden",
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
