package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

type heartbeatCmd struct {
	*clientCmd
	every, grace time.Duration
}

func newHeartbeat(w world) *cobra.Command {
	var c heartbeatCmd
	cmd := &cobra.Command{
		Use:   "heartbeat NAME",
		Short: "Say that something works; an alert comes when it stops saying so",
		Long: `Say that something works; an alert comes when it stops saying so. The first heartbeat says
with --every how often to expect one, unless the configuration does; a later one may change
it. Without a daemon it waits in the spool and counts by the time at which it was sent.`,
		Example: `  0 3 * * *  backup.sh && tocsin heartbeat nightly-backup --every 1d --grace 1h     (crontab)
  tocsin heartbeat queue-worker --every 5m`,
		Args: arguments(1, 1, "name one heartbeat, as in tocsin heartbeat nightly-backup --every 1d"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.clientCmd = newClientCmd(w, cmd)
	for name, flag := range map[string]struct {
		value *time.Duration
		usage string
	}{
		"every": {&c.every, "expect one each `DURATION`, from 1s to 365d"},
		"grace": {&c.grace, "it may be later by this `DURATION` (default: half of --every, at most 1h)"},
	} {
		cmd.Flags().Func(name, flag.usage, func(text string) (err error) {
			*flag.value, err = alert.ParseSeconds(text)
			return err
		})
	}
	c.addSpool(cmd)
	return cmd
}

// checkHeartbeatName refuses also the commands of tocsin heartbeats.
func checkHeartbeatName(name string) error {
	switch name {
	case "list":
		return errors.New("list is not the name of a heartbeat: tocsin heartbeats lists them")
	case "forget":
		return errors.New("forget is not the name of a heartbeat: write tocsin heartbeats forget NAME")
	}
	return alert.CheckHeartbeatName(name)
}

func (c *heartbeatCmd) run(ctx context.Context, name string) error {
	err := checkHeartbeatName(name)
	if err == nil {
		err = alert.Terms{Every: c.every, Grace: c.grace}.Check()
	}
	if err != nil {
		return &usageError{withHint(err)}
	}
	daemon, err := c.connect()
	if err != nil {
		return err
	}
	var answer struct {
		Notes []string `json:"notes"`
	}
	var raw json.RawMessage
	file, err := c.push(ctx, daemon, c.parcel(name), &raw)
	switch {
	case err != nil:
		return err
	case file != "" && c.json:
		return c.print(map[string]string{"spooled": file}, "")
	case file != "":
		return nil
	case c.json:
		return c.print(raw, "")
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	for _, note := range answer.Notes {
		c.say(note)
	}
	return nil
}

// parcel is a heartbeat on its way. Of several that wait, the last one says it all.
func (c *heartbeatCmd) parcel(name string) parcel {
	query := url.Values{}
	if c.every > 0 {
		query.Set("every", c.every.String())
	}
	if c.grace > 0 {
		query.Set("grace", c.grace.String())
	}
	return parcel{
		what: "the heartbeat", about: about{Thing: "heartbeat " + name, Latest: true},
		spooled: spooled{Path: strings.TrimSuffix(heartbeatsPath+"/"+url.PathEscape(name)+"?"+query.Encode(), "?")},
	}
}
