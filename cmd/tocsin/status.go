package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

type statusCmd struct{ *clientCmd }

func newStatus(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether the daemon works, what is wrong and what to do",
		Long: `Say whether the daemon works, what is wrong and what to do. It is answered even while
the store hangs. The exit status is 1 unless everything works.`,
		Example: `  tocsin status
  tocsin status --json | jq -r '.problems[].hint'`,
		Args: noArgs,
	}
	c := statusCmd{newClientCmd(w, cmd)}
	c.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.show(cmd.Context(), c.read) }
	return cmd
}

// readyBody is the body of /readyz.
type readyBody struct {
	Ready bool `json:"ready"`
	alert.Health
}

var errNotReady = errors.New("the daemon is not ready")

func (c *statusCmd) read(ctx context.Context) (any, string, error) {
	var r readyBody
	err := c.get(ctx, "/readyz", &r)
	if refusal, ok := errors.AsType[*answerError](err); ok && json.Unmarshal(refusal.body, &r) == nil && len(r.Problems) > 0 {
		err = errNotReady
	}
	if err != nil && !errors.Is(err, errNotReady) {
		return nil, "", err
	}
	return r, statusText(r), err
}

func statusText(r readyBody) string {
	state := map[bool]string{true: "ready", false: "not ready"}[r.Ready]
	if blocked := slices.ContainsFunc(r.Notes, func(p alert.Problem) bool { return p.Blocks }); r.Ready && blocked {
		state = "ready, but not every conversation can be reached"
	}
	text := fields([][2]string{
		{"state", state}, {"connections to Slack", fmt.Sprintf("%d of 2", r.Connections)}, {"connected since", ago(r.ConnectedSince)},
		{"waiting", counted(r.Waiting, "conversation")}, {"held", brief(r.Held)}, {"dead letters", fmt.Sprint(r.DeadLetters)},
		{"last error", brief(r.LastError)}, {"at", ago(r.LastErrorAt)},
	})
	for _, list := range []struct {
		name string
		all  []alert.Problem
	}{{"problem", r.Problems}, {"note", r.Notes}} {
		for _, p := range list.all {
			text += "\n" + fields([][2]string{{list.name, flat(p.What)}, {"since", ago(p.Since)}, {"what to do", flat(p.Fix)}})
		}
	}
	return text
}
