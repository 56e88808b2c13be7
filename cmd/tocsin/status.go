package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/api"
)

type statusCmd struct{ *clientCmd }

func newStatus(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say whether the daemon works, what is wrong and what to do",
		Long: `Say whether the daemon works, what is wrong and what to do. It is answered even while
the store hangs. The exit status is 1 unless everything works. What waits in the spools, the
daemon's and yours, is counted.`,
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

// statusBody is a daemon's state with the spools of this user, where something is in them.
type statusBody struct {
	*readyBody
	OwnSpools  []spoolState    `json:"own_spools,omitempty"`
	Heartbeats []api.Heartbeat `json:"heartbeats,omitempty"`
}

var errNotReady = errors.New("the daemon is not ready")

func (c *statusCmd) read(ctx context.Context) (any, string, error) {
	daemon, err := c.connect()
	if err != nil {
		return nil, "", err
	}
	limited, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	body := statusBody{OwnSpools: ownSpools(daemon)}
	body.readyBody, err = daemon.health(limited)
	text := ""
	switch {
	case err == nil || errors.Is(err, errNotReady):
		var beats heartbeatPage
		if daemon.call(limited, http.MethodGet, heartbeatsPath, nil, &beats) == nil { // without a store there are none
			beats.sort()
			body.Heartbeats = beats.Heartbeats
		}
		text = statusText(*body.readyBody, beats)
	case len(body.OwnSpools) > 0:
		body.readyBody = nil
	default:
		return nil, "", err
	}
	return body, strings.TrimPrefix(text+spoolText(body.OwnSpools), "\n"), err
}

// health asks a daemon for its state. If it is not ready, the error is errNotReady.
func (c *client) health(ctx context.Context) (*readyBody, error) {
	body := &readyBody{}
	err := c.call(ctx, http.MethodGet, "/readyz", nil, body)
	if refusal, ok := errors.AsType[*answerError](err); ok && json.Unmarshal(refusal.body, body) == nil && len(body.Problems) > 0 {
		err = errNotReady
	}
	return body, err
}

// ownSpools are the spools of this user in which something is for the daemon.
func ownSpools(daemon *client) (all []spoolState) {
	for _, s := range daemon.spools {
		if state := s.state(daemon.addresses); state.Waiting+state.Refused > 0 {
			all = append(all, state)
		}
	}
	return all
}

func spoolText(spools []spoolState) (text string) {
	for _, s := range spools {
		waiting, refused := "", ""
		if s.Waiting > 0 {
			waiting = fmt.Sprintf("%s, the oldest since %s", counted(s.Waiting, "request"), ago(s.Oldest))
		}
		if s.Refused > 0 {
			refused = counted(s.Refused, "file") + " in " + s.refusedIn() + s.because()
		}
		text += "\n" + fields([][2]string{{"your spool", s.Dir}, {"waiting for a daemon", waiting}, {"can't be used", refused}})
	}
	return text
}

// spooledText is how much waits in a spool; nothing for nothing.
func spooledText(n int) string {
	if n == 0 {
		return ""
	}
	return counted(n, "request")
}

func statusText(r readyBody, beats heartbeatPage) string {
	state := map[bool]string{true: "ready", false: "not ready"}[r.Ready]
	if r.Standby {
		state += ", on standby"
	}
	if blocked := slices.ContainsFunc(r.Notes, func(p alert.Problem) bool { return p.Blocks }); r.Ready && blocked {
		state = "ready, but not every conversation can be reached"
	}
	waiting, dead := counted(r.Waiting, "conversation"), fmt.Sprint(r.DeadLetters)
	if r.Standby { // the active replica says it
		waiting, dead = "", ""
	}
	text := fields([][2]string{
		{"state", state}, {"Slack", r.Link()}, {"connected since", ago(r.ConnectedSince)},
		{"waiting", waiting}, {"held", brief(r.Held)}, {"replicas", r.Cluster()}, {"dead letters", dead}, {"in its spool", spooledText(r.Spooled)},
		{"heartbeats", beats.summary()},
		{"last error", brief(r.LastError)}, {"at", ago(r.LastErrorAt)},
	})
	if len(r.Checks) > 0 {
		text += "\n" + checksText(r.Checks)
	}
	return text + problemsText("problem", r.Problems) + problemsText("note", r.Notes)
}

// problemsText is each problem with its remedy.
func problemsText(name string, all []alert.Problem) (text string) {
	for _, p := range all {
		text += "\n" + fields([][2]string{{name, flat(p.What)}, {"since", ago(p.Since)}, {"what to do", flat(p.Fix)}})
	}
	return text
}
