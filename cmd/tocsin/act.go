package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/handlers"
)

func newAck(w world) *cobra.Command {
	return newAct(w, alert.VerbAck, &cobra.Command{
		Use:     "ack WHICH...",
		Aliases: []string{"acknowledge", "take"},
		Short:   "Acknowledge incidents",
		Long: `Acknowledge incidents, which also assigns them. The card and its thread show it in Slack,
and nobody is notified about them again.` + whichHelp,
		Example: `  tocsin ack k7f2
  tocsin ack k7f2 m3xq -m 'looking at the raid controller'
  tocsin ack last
  tocsin ack all service=db`,
	})
}

func newUnack(w world) *cobra.Command {
	return newAct(w, alert.VerbUnack, &cobra.Command{
		Use:     "unack WHICH...",
		Aliases: []string{"unacknowledge"},
		Short:   "Undo an acknowledgement",
		Long:    `Undo an acknowledgement: the incidents are open again, and escalation goes on.` + whichHelp,
		Example: `  tocsin unack k7f2`,
	})
}

func newResolve(w world) *cobra.Command {
	return newAct(w, alert.VerbResolve, &cobra.Command{
		Use:     "resolve WHICH...",
		Aliases: []string{"close", "done", "fixed"}, SuggestFor: []string{"fix"},
		Short: "Resolve incidents",
		Long: `Resolve incidents. The card turns green in Slack. If one fires again soon, it reopens in the
same thread.` + whichHelp,
		Example: `  tocsin resolve k7f2 -m 'disk replaced'
  tocsin resolve all team=web`,
	})
}

func newReopen(w world) *cobra.Command {
	return newAct(w, alert.VerbReopen, &cobra.Command{
		Use:     "reopen WHICH...",
		Aliases: []string{"unresolve"},
		Short:   "Undo a resolution",
		Long:    `Undo a resolution: the incidents are open again, in their old threads.` + whichHelp,
		Example: `  tocsin reopen last`,
	})
}

func newAssign(w world) *cobra.Command {
	return newAct(w, alert.VerbAssign, &cobra.Command{
		Use:     "assign WHICH... [to] WHO",
		Aliases: []string{"give"}, SuggestFor: []string{"page"},
		Short: "Assign incidents to somebody",
		Long: `Assign incidents to somebody, who is named as in Slack (bob, @bob, a mail address, an id), or
to me.` + whichHelp,
		Example: `  tocsin assign k7f2 bob
  tocsin assign all service=db to @ann`,
	})
}

func newNote(w world) *cobra.Command {
	return newAct(w, alert.VerbNote, &cobra.Command{
		Use:     "note WHICH... TEXT",
		Aliases: []string{"comment"},
		Short:   "Add a note to incidents",
		Long:    `Add a note to the threads and histories of incidents.` + whichHelp,
		Example: `  tocsin note k7f2 the backup was still running
  tocsin note disk db-3: the backup was still running`,
	})
}

// actCmd does verb with incidents.
type actCmd struct {
	*clientCmd
	verb alert.Verb
	note string
	yes  bool
}

// newAct makes cmd do verb with incidents. It completes those in the states that verb
// can change.
func newAct(w world, verb alert.Verb, cmd *cobra.Command) *cobra.Command {
	c := &actCmd{clientCmd: newClientCmd(w, cmd), verb: verb}
	c.addAs(cmd)
	cmd.Flags().StringVarP(&c.note, "note", "m", "", "add a note with this `TEXT` to the thread and the history")
	alsoCalled(cmd, map[string]string{"comment": "note", "because": "note", "message": "note"})
	cmd.Flags().BoolVarP(&c.yes, "yes", "y", false, "do not ask when words mean several incidents")
	cmd.Args = arguments(1, manyArguments, "which incidents? give their ids (tocsin incidents lists them)")
	cmd.ValidArgsFunction = c.complete(manyArguments, incidentIDs(joined(handlers.StatesFor(verb), ",")))
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) }
	return cmd
}

func (c *actCmd) run(ctx context.Context, args []string) error {
	o, err := c.order(ctx, string(c.verb), args)
	if err != nil {
		return err
	}
	body := map[string]string{"note": cmp.Or(c.note, o.Text), "by": c.by(), "to": o.To}
	switch {
	case c.verb == alert.VerbNote && body["note"] == "":
		return &usageError{errors.New("there is no note: write it behind the id, or behind words and a colon, as in tocsin note k7f2 'what you found' or tocsin note 'disk: what you found'")}
	case o.To == "me" || o.To == "myself":
		if body["to"] = cmp.Or(c.by(), c.user()); body["to"] == "" {
			return &usageError{errors.New("this shell does not say who you are: name yourself with --as NAME")}
		}
	}
	ids, err := c.choose(ctx, o.Target)
	if err != nil {
		return err
	}
	return forEach(c.clientCmd, ids, func(id string) (answer actAnswer, err error) {
		err = c.call(ctx, http.MethodPost, incidentPath(id)+"/"+string(c.verb), body, &answer)
		c.sayAll(answer.Notes)
		return answer, err
	}, func(a actAnswer) string { return a.summary(c.verb) })
}

// forEach does something with each id, and continues after an error. It prints a
// line for each answer, or all answers as JSON.
func forEach[T any](c *clientCmd, ids []string, do func(id string) (T, error), line func(T) string) error {
	answers := []T{}
	var failed error
	for _, id := range ids {
		answer, err := do(id)
		if err != nil {
			if failed == nil || failed.Error() != err.Error() { // many may fail alike
				failed = errors.Join(failed, err)
			}
			if _, answered := errors.AsType[*answerError](err); !answered {
				break // it would be the same error for the others
			}
			continue
		}
		answers = append(answers, answer)
		if !c.json {
			if _, err := io.WriteString(c.stdout, visible(line(answer))+"\n"); err != nil {
				return err
			}
		}
	}
	if c.json {
		failed = errors.Join(failed, writeJSON(c.stdout, answers))
	}
	return failed
}

// actAnswer is the daemon's answer to one act.
type actAnswer struct {
	Effect   alert.ActEffect `json:"effect"`
	Incident alert.Incident  `json:"incident"`
	Notes    []string        `json:"notes,omitempty"`
}

// summary is the outcome of an act, on one line.
func (a actAnswer) summary(verb alert.Verb) string {
	i := a.Incident
	title := brief(i.Title)
	if a.Effect != alert.ActDone {
		return fmt.Sprintf("%s %s: %s", i.ID, a.unchanged(verb), title)
	}
	switch verb {
	case alert.VerbAck:
		return fmt.Sprintf("%s acknowledged by %s: %s", i.ID, who(i.AckedBy), title)
	case alert.VerbResolve:
		return fmt.Sprintf("%s resolved by %s: %s", i.ID, who(i.ResolvedBy), title)
	case alert.VerbAssign:
		return fmt.Sprintf("%s assigned to %s: %s", i.ID, who(i.Assignee), title)
	case alert.VerbNote:
		return fmt.Sprintf("%s noted: %s", i.ID, title)
	}
	return fmt.Sprintf("%s is open again: %s", i.ID, title)
}

// unchanged says why an act changed nothing.
func (a actAnswer) unchanged(verb alert.Verb) string {
	i := a.Incident
	switch {
	case a.Effect == alert.ActNewer:
		return "is the incident now: its key has fired again since"
	case verb == alert.VerbAssign && i.State != alert.StateResolved:
		return "is assigned to " + who(i.Assignee) + " already"
	case i.State == alert.StateResolved:
		return "was resolved already, " + byAt(i.ResolvedBy, i.ResolvedAt)
	case verb == alert.VerbUnack || verb == alert.VerbReopen:
		return "is " + string(i.State) + ", so nothing had to be done"
	}
	return "was acknowledged already, " + byAt(i.AckedBy, i.AckedAt)
}
