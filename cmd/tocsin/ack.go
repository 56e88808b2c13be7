package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"tocsin/alert"
)

// acts are what ack and resolve have in common.
type acts struct {
	IDs  []string `arg:"" name:"id" help:"Ids of incidents (see tocsin incidents)."`
	Note string   `short:"m" placeholder:"TEXT" help:"A note for the thread and the history."`
	As   string   `placeholder:"NAME" help:"Who does it (default: your user name)."`
	JSON bool     `help:"Print as JSON."`
}

// actAnswer is what the daemon says of one act.
type actAnswer struct {
	Effect   alert.ActEffect `json:"effect"`
	Incident alert.Incident  `json:"incident"`
}

// by is who acts, for the daemon: empty where it sees that for itself.
func (f clientFlags) by(w world, as string) string {
	if as == "" && f.Server != "" {
		return w.getenv("USER")
	}
	return as
}

// act has the daemon do verb with each incident, and goes on after an error.
func (a acts) act(ctx context.Context, w world, f clientFlags, verb alert.Verb) error {
	body := map[string]string{"note": a.Note}
	if by := f.by(w, a.As); by != "" {
		body["by"] = by
	}
	answers := []actAnswer{}
	var failed error
	for _, id := range a.IDs {
		var answer actAnswer
		err := f.tell(ctx, w, message{http.MethodPost, incidentPath(id) + "/" + string(verb), body}, &answer)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		answers = append(answers, answer)
		if !a.JSON {
			if _, err := fmt.Fprintln(w.stdout, answer.say(verb)); err != nil {
				return err
			}
		}
	}
	if a.JSON {
		failed = errors.Join(failed, writeJSON(w.stdout, answers))
	}
	return failed
}

// say is what became of an act, on a line.
func (a actAnswer) say(verb alert.Verb) string {
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

type ackCmd struct {
	clientFlags
	acts
}

// Help shows examples under the command's help.
func (ackCmd) Help() string {
	return `The card and its thread say so in Slack, and nobody is pinged any more about it.

Examples:
  tocsin ack k7f2
  tocsin ack k7f2 m3xq -m 'looking at the raid controller'`
}

// Run acknowledges.
func (c ackCmd) Run(ctx context.Context, w world) error {
	return c.act(ctx, w, c.clientFlags, alert.VerbAck)
}

type resolveCmd struct {
	clientFlags
	acts
}

// Help shows examples under the command's help.
func (resolveCmd) Help() string {
	return `The card turns green in Slack. If it fires again soon, it opens again in the same thread.

Example: tocsin resolve k7f2 -m 'disk replaced'`
}

// Run resolves.
func (c resolveCmd) Run(ctx context.Context, w world) error {
	return c.act(ctx, w, c.clientFlags, alert.VerbResolve)
}
