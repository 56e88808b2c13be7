package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

// cluster is what a daemon knows of those that share its store.
type cluster struct {
	Replicas []alert.Replica `json:"replicas"`
	Lag      *alert.Lag      `json:"lag,omitempty"`
	// AsOf is when that was read, if the store can't be read now.
	AsOf     time.Time       `json:"as_of,omitzero"`
	Problems []alert.Problem `json:"problems,omitempty"`
	Notes    []alert.Problem `json:"notes,omitempty"`
}

func newCluster(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "List the daemons that share the store, and say which one is active",
		Long: `List the daemons that share a PostgreSQL store, and say which one is active. Any of them
answers. How many requests standbys have accepted that are not decided yet is said, and for
how long the oldest waits. Times are by the database's clock. A daemon over SQLite is alone.`,
		Example: `  tocsin cluster
  tocsin cluster --json | jq -r '.replicas[] | select(.state == "active").host'`,
		Args: noArgs,
	}
	c := statusCmd{newClientCmd(w, cmd)}
	c.addWatch(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return c.show(cmd.Context(), c.cluster) }
	return cmd
}

func (c *statusCmd) cluster(ctx context.Context) (any, string, error) {
	daemon, err := c.connect()
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	defer cancel()
	health, err := daemon.health(ctx)
	if err != nil && !errors.Is(err, errNotReady) {
		return nil, "", err
	}
	only := func(all []alert.Problem, codes ...string) []alert.Problem {
		return slices.DeleteFunc(slices.Clone(all), func(p alert.Problem) bool { return !slices.Contains(codes, p.Code) })
	}
	found := cluster{
		Replicas: append([]alert.Replica{}, health.Replicas...), Lag: health.Lag, AsOf: health.ReplicasAsOf,
		Problems: only(health.Problems, alert.ProblemStore, alert.ProblemStoreStuck),
		Notes:    only(health.Notes, alert.ProblemReplicas, alert.ProblemLeaderless),
	}
	if len(found.Problems) == 0 {
		err = nil // the list is what was asked for
	}
	return found, found.text(), err
}

func (c cluster) text() string {
	if len(c.Replicas) == 0 && len(c.Problems) == 0 {
		return "the daemon is alone: replicas need a PostgreSQL store\n"
	}
	text := ""
	if !c.AsOf.IsZero() {
		text = "as of " + ago(c.AsOf) + ": the store can't be reached\n\n"
	}
	text += table(func(line func(cells ...any)) {
		line("HOST", "STATE", "ACTIVE SINCE", "UP SINCE", "NOT HEARD", "SLACK", "VERSION", "CONFIG")
		for _, r := range c.Replicas {
			host := r.Host
			if r.Self {
				host += " (this one)"
			}
			unheard := ""
			if r.Unseen > 0 {
				unheard = fmt.Sprintf("for %.0f s", r.Unseen)
			}
			line(host, r.State, ago(r.ActiveSince), ago(r.Since), unheard, r.Connections, r.Version, r.Config)
		}
	})
	if c.Lag != nil {
		text += "\n" + c.Lag.String() + "\n"
	}
	return text + problemsText("problem", c.Problems) + problemsText("note", c.Notes)
}
