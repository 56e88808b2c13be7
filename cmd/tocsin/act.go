package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

// actFlags are what ack and resolve have in common.
type actFlags struct {
	clientFlags
	note string
	as   string
	json bool
}

func (f *actFlags) register(cmd *cobra.Command) {
	f.clientFlags.register(cmd)
	cmd.Flags().StringVarP(&f.note, "note", "m", "", "add a note with this `TEXT` to the thread and the history")
	cmd.Flags().StringVar(&f.as, "as", "", "act under this `NAME` (default: your user name)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print as JSON")
}

var incidentsRequired = arguments(1, manyArguments, "which incidents? give their ids (tocsin incidents lists them)")

// actAnswer is the daemon's answer to one act.
type actAnswer struct {
	Effect   alert.ActEffect `json:"effect"`
	Incident alert.Incident  `json:"incident"`
}

// by is who acts, for the daemon: empty where it can see that for itself.
func (f *clientFlags) by(w world, as string) string {
	if as == "" && f.server != "" {
		return w.getenv("USER")
	}
	return as
}

// act has the daemon do verb with each incident, and continues after an error.
func (f *actFlags) act(ctx context.Context, w world, ids []string, verb alert.Verb) error {
	body := map[string]string{"note": f.note}
	if by := f.by(w, f.as); by != "" {
		body["by"] = by
	}
	answers := []actAnswer{}
	var failed error
	for _, id := range ids {
		var answer actAnswer
		err := f.call(ctx, w, request{http.MethodPost, incidentPath(id) + "/" + string(verb), body}, &answer)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		answers = append(answers, answer)
		if !f.json {
			if _, err := fmt.Fprintln(w.stdout, answer.summary(verb)); err != nil {
				return err
			}
		}
	}
	if f.json {
		failed = errors.Join(failed, writeJSON(w.stdout, answers))
	}
	return failed
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
