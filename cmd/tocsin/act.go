package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

func newAck(w world) *cobra.Command {
	return newAct(w, alert.VerbAck, "open", &cobra.Command{
		Use:   "ack ID...",
		Short: "Acknowledge incidents",
		Long: `Acknowledge incidents, which also assigns them. The card and its thread show it in Slack,
and nobody is notified about them again.`,
		Example: `  tocsin ack k7f2
  tocsin ack k7f2 m3xq -m 'looking at the raid controller'`,
	})
}

func newResolve(w world) *cobra.Command {
	return newAct(w, alert.VerbResolve, "open,acked", &cobra.Command{
		Use:   "resolve ID...",
		Short: "Resolve incidents",
		Long: `Resolve incidents. The card turns green in Slack. If one fires again soon, it reopens in the
same thread.`,
		Example: `  tocsin resolve k7f2 -m 'disk replaced'`,
	})
}

// newAct makes cmd do verb with incidents. It completes those in the given states.
func newAct(w world, verb alert.Verb, states string, cmd *cobra.Command) *cobra.Command {
	c := newClientCmd(w, cmd)
	c.addAs(cmd)
	note := cmd.Flags().StringP("note", "m", "", "add a note with this `TEXT` to the thread and the history")
	cmd.Args = arguments(1, manyArguments, "which incidents? give their ids (tocsin incidents lists them)")
	cmd.ValidArgsFunction = c.complete(manyArguments, incidentIDs(states))
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		body := map[string]string{"note": *note, "by": c.by()}
		return forEach(c, ids, func(id string) (answer actAnswer, err error) {
			err = c.call(cmd.Context(), http.MethodPost, incidentPath(id)+"/"+string(verb), body, &answer)
			return answer, err
		}, func(a actAnswer) string { return a.summary(verb) })
	}
	return cmd
}

// forEach does something with each id, and continues after an error. It prints a
// line for each answer, or all answers as JSON.
func forEach[T any](c *clientCmd, ids []string, do func(id string) (T, error), line func(T) string) error {
	answers := []T{}
	var failed error
	for _, id := range ids {
		answer, err := do(id)
		if err != nil {
			failed = errors.Join(failed, err)
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
}

// summary is the outcome of an act, on one line.
func (a actAnswer) summary(verb alert.Verb) string {
	i := a.Incident
	title := brief(i.Title)
	switch {
	case a.Effect == alert.ActDone && verb == alert.VerbAck:
		return fmt.Sprintf("%s acknowledged by %s: %s", i.ID, who(i.AckedBy), title)
	case a.Effect == alert.ActDone:
		return fmt.Sprintf("%s resolved by %s: %s", i.ID, who(i.ResolvedBy), title)
	case i.State == alert.StateResolved:
		return fmt.Sprintf("%s was resolved already, %s: %s", i.ID, byAt(i.ResolvedBy, i.ResolvedAt), title)
	}
	return fmt.Sprintf("%s was acknowledged already, %s: %s", i.ID, byAt(i.AckedBy, i.AckedAt), title)
}
