package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/config"
)

type configRoutesCmd struct {
	at   time.Time
	json bool
}

func newConfigRoutes(w world) *cobra.Command {
	var c configRoutesCmd
	cmd := &cobra.Command{
		Use:   "routes [LABEL=VALUE...]",
		Short: "Explain where an alert with these labels would go, and why",
		Long: `Explain where an alert with these labels would go, and why. Besides labels an alert has
severity (error unless given), source, key, title and channel. Only the configuration is
read; no daemon is needed.`,
		Example: `  tocsin config routes severity=critical service=db-3
  tocsin config routes --at 2026-01-03T03:00:00+01:00 severity=warning team=web --json`,
	}
	flags := daemonFlags(cmd)
	cmd.Flags().TimeVar(&c.at, "at", time.Time{}, []string{time.RFC3339Nano}, "`TIME` of the alert, such as 2026-01-02T23:00:00Z, for quiet hours (default: now)")
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	cmd.RunE = func(_ *cobra.Command, fields []string) error { return c.run(w, flags(), fields) }
	return cmd
}

func (c *configRoutesCmd) run(w world, flags map[string]string, fields []string) error {
	subject, err := parseSubject(fields)
	if err != nil {
		return &usageError{err}
	}
	cfg, err := config.Load(w.input(flags))
	if err != nil {
		return err
	}
	at := c.at
	if at.IsZero() {
		at = time.Now()
	}
	x := explain(cfg.Routing, subject, at)
	if c.json {
		return writeJSON(w.stdout, x)
	}
	return x.print(w.stdout)
}

// parseSubject reads what the arguments say about the alert.
func parseSubject(fields []string) (alert.Subject, error) {
	s := alert.Subject{Severity: alert.Error, Labels: map[string]string{}}
	for _, field := range fields {
		name, value, ok := strings.Cut(field, "=")
		if !ok || name == "" {
			return s, fmt.Errorf("%s: write it as LABEL=VALUE, for example service=db-3", field)
		}
		switch name {
		case "severity":
			s.Severity = alert.Severity(value)
		case "source":
			s.Source = value
		case "key":
			s.Key = value
		case "title":
			s.Title = value
		case "channel":
			channel, err := alert.ParseConversation(value)
			if err != nil {
				return s, err
			}
			s.Channel = channel
		default:
			s.Labels[name] = value
		}
	}
	if !slices.Contains(alert.Severities(), s.Severity) {
		return s, fmt.Errorf("unknown severity %q; write one of critical, error, warning, info", s.Severity)
	}
	return s, nil
}

// explanation is why an alert goes where it goes.
type explanation struct {
	Severity   alert.Severity    `json:"severity"`
	Channel    string            `json:"channel,omitempty"`
	Labels     map[string]string `json:"labels"`
	Routes     []askedRoute      `json:"routes"`
	Route      string            `json:"route"`
	To         []stop            `json:"to"`
	Quiet      *quietNow         `json:"quiet"`
	Escalation []step            `json:"escalation"`
	Remind     string            `json:"remind,omitempty"`
	Thread     string            `json:"thread"`
	Broadcast  bool              `json:"broadcast"`
	WhenUnsure string            `json:"when_unsure"`
}

// askedRoute is one route, whether it was asked, and what it answered.
type askedRoute struct {
	Name     string         `json:"name"`
	Asked    bool           `json:"asked"`
	Takes    bool           `json:"takes"`
	Continue bool           `json:"continue"`
	Matchers []askedMatcher `json:"matchers"`
}

type askedMatcher struct {
	Matcher string `json:"matcher"`
	Value   string `json:"value"`
	True    bool   `json:"matches"`
}

type stop struct {
	Conversation string   `json:"conversation"`
	Pings        []string `json:"pings"`
}

// quietNow is a plan's quiet hours and whether they hold the alert back.
type quietNow struct {
	From  string         `json:"from"`
	Till  string         `json:"till"`
	Zone  string         `json:"zone"`
	Days  []string       `json:"days,omitempty"`
	Below alert.Severity `json:"below"`
	Holds bool           `json:"holds"`
	Until time.Time      `json:"until,omitzero"`
}

// step is one of an escalation: who gets a card, and where the thread and the
// channel say that nobody has answered.
type step struct {
	After string `json:"after"`
	Posts []stop `json:"posts"`
	Tells []stop `json:"tells"`
}

func explain(r alert.Routing, s alert.Subject, at time.Time) explanation {
	plan := r.Plan(s)
	x := explanation{
		Severity: s.Severity, Channel: s.Channel, Labels: s.Labels, Routes: []askedRoute{}, Route: plan.Route, To: []stop{},
		Thread: string(plan.Thread), Broadcast: plan.Broadcast, WhenUnsure: "resend",
	}
	if plan.HoldUnsure {
		x.WhenUnsure = "hold"
	}
	if plan.Remind > 0 {
		x.Remind = short(plan.Remind)
	}
	going := true
	for n, route := range r.Routes {
		takes := slices.Contains(plan.Taken, n)
		x.Routes = append(x.Routes, askRoute(route, s, going, takes))
		going = going && (!takes || route.Continue)
	}
	for _, st := range plan.Stops {
		x.To = append(x.To, stop{st.Lane, orNone(st.Mention)})
	}
	x.Quiet = explainQuiet(plan.Quiet, s.Severity, at)
	x.Escalation = explainSteps(plan)
	return x
}

// explainSteps is where each step of a plan is heard. One that names no
// conversation pings where the alert is shown already.
func explainSteps(plan alert.Plan) []step {
	steps, lanes := []step{}, plan.Lanes()
	for _, st := range plan.Steps {
		next := step{After: short(st.After), Posts: []stop{}, Tells: []stop{}}
		for _, lane := range lanes {
			tells := stop{lane, []string{}}
			if len(st.To) == 0 || slices.Contains(st.To, lane) {
				tells.Pings = orNone(st.Mention)
			}
			next.Tells = append(next.Tells, tells)
		}
		for _, lane := range st.To {
			if !slices.Contains(lanes, lane) {
				next.Posts = append(next.Posts, stop{lane, orNone(st.Mention)})
				lanes = append(lanes, lane)
			}
		}
		steps = append(steps, next)
	}
	return steps
}

func askRoute(route alert.Route, s alert.Subject, asked, takes bool) askedRoute {
	a := askedRoute{Name: route.Name, Asked: asked, Takes: takes, Continue: route.Continue, Matchers: []askedMatcher{}}
	for _, m := range route.Matchers {
		a.Matchers = append(a.Matchers, askedMatcher{m.String(), s.Value(m.Name), m.Match(s)})
	}
	return a
}

func explainQuiet(q *alert.Quiet, severity alert.Severity, at time.Time) *quietNow {
	if q == nil {
		return nil
	}
	x := &quietNow{From: timeOfDay(q.From), Till: timeOfDay(q.Till), Zone: q.Zone.String(), Below: q.Below}
	for _, day := range q.Days {
		x.Days = append(x.Days, strings.ToLower(day.String()[:3]))
	}
	x.Until, x.Holds = q.Until(at, severity)
	return x
}

func timeOfDay(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d/time.Hour), int(d%time.Hour/time.Minute))
}

func orNone(all []string) []string { return append([]string{}, all...) }

// short writes a length of time without the parts that are nothing: 10m, 1h30m.
func short(d time.Duration) string {
	s := d.String()
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

func (x explanation) print(out io.Writer) error {
	var b strings.Builder
	for _, r := range x.Routes {
		r.print(&b)
	}
	if len(x.Routes) == 0 {
		b.WriteString("There are no routes: everything goes to the default channel, or to the one it names.\n")
	}
	fmt.Fprintf(&b, "\nThe incident's route is %s. It goes to:\n", x.Route)
	for _, s := range x.To {
		fmt.Fprintf(&b, "  %s, %s\n", s.Conversation, pings(s.Pings))
	}
	x.printQuiet(&b)
	x.printEscalation(&b)
	if x.Remind != "" {
		fmt.Fprintf(&b, "Who acknowledged it is reminded every %s while it is open.\n", x.Remind)
	}
	broadcast := "not shown"
	if x.Broadcast {
		broadcast = "shown"
	}
	fmt.Fprintf(&b, "Threads tell %s; what matters there is %s in the channel as well. When Slack's answer is lost: %s.\n", x.Thread, broadcast, x.WhenUnsure)
	_, err := io.WriteString(out, strings.Map(visible, b.String()))
	return err
}

func (r askedRoute) print(b *strings.Builder) {
	says := "does not match"
	switch {
	case !r.Asked:
		says = "is not asked, since one above took it"
	case r.Takes && r.Continue:
		says = "takes it, and those below are asked as well"
	case r.Takes:
		says = "takes it"
	}
	fmt.Fprintf(b, "Route %s %s:\n", r.Name, says)
	if len(r.Matchers) == 0 {
		b.WriteString("  true   (it matches everything)\n")
	}
	for _, m := range r.Matchers {
		fmt.Fprintf(b, "  %-5t  %s, and it is %q\n", m.True, m.Matcher, m.Value)
	}
}

func (x explanation) printQuiet(b *strings.Builder) {
	q := x.Quiet
	if q == nil {
		b.WriteString("No quiet hours.\n")
		return
	}
	days := "each day"
	if len(q.Days) > 0 {
		days = strings.Join(q.Days, ", ")
	}
	says := "they do not hold it back now"
	if q.Holds {
		says = "they hold it back until " + q.Until.Format("Mon 2006-01-02 15:04 MST")
	}
	fmt.Fprintf(b, "Quiet hours are %s to %s in %s, %s, for what is below %s: %s.\n", q.From, q.Till, q.Zone, days, q.Below, says)
}

func (x explanation) printEscalation(b *strings.Builder) {
	if len(x.Escalation) == 0 {
		b.WriteString("No escalation.\n")
		return
	}
	b.WriteString("While nobody has acknowledged it:\n")
	for _, s := range x.Escalation {
		fmt.Fprintf(b, "  after %s\n", s.After)
		for _, to := range s.Posts {
			fmt.Fprintf(b, "    it is posted to %s, %s\n", to.Conversation, pings(to.Pings))
		}
		for _, to := range s.Tells {
			fmt.Fprintf(b, "    its thread in %s says so, %s\n", to.Conversation, pings(to.Pings))
		}
	}
}

func pings(who []string) string {
	if len(who) == 0 {
		return "pings nobody"
	}
	return "pings " + strings.Join(who, ", ")
}
