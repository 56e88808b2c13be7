package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

type silenceEndCmd struct {
	clientFlags
	as   string
	json bool
}

func newSilenceEnd(w world) *cobra.Command {
	var c silenceEndCmd
	cmd := &cobra.Command{
		Use:     "end ID...",
		Short:   "End silences early; what is still open is shown then",
		Example: "  tocsin silence end s-k7f2",
		Args:    arguments(1, manyArguments, "which silences? give their ids (tocsin silence list lists them)"),
		RunE:    func(cmd *cobra.Command, ids []string) error { return c.run(cmd.Context(), w, ids) },
	}
	c.register(cmd)
	cmd.Flags().StringVar(&c.as, "as", "", "act under this `NAME` (default: your user name)")
	cmd.Flags().BoolVar(&c.json, "json", false, "print as JSON")
	cmd.ValidArgsFunction = c.complete(w, silenceIDs)
	return cmd
}

// run ends silences, and continues after an error.
func (c *silenceEndCmd) run(ctx context.Context, w world, ids []string) error {
	ended := []alert.Silence{}
	var failed error
	for _, id := range ids {
		path := "/v1/silences/" + url.PathEscape(strings.ToLower(id))
		if by := c.by(w, c.as); by != "" {
			path += "?" + url.Values{"by": {by}}.Encode()
		}
		var answer silenceAnswer
		if err := c.call(ctx, w, request{method: http.MethodDelete, path: path}, &answer); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		s := answer.Silence
		ended = append(ended, s)
		if !c.json {
			if _, err := fmt.Fprintf(w.stdout, "%s ended by %s; it hid %s\n", s.ID, who(s.EndedBy), alertCount(s.Hidden)); err != nil {
				return err
			}
		}
	}
	if c.json {
		failed = errors.Join(failed, writeJSON(w.stdout, ended))
	}
	return failed
}
