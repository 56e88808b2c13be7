package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/config"
)

// parcel is a request that must not be lost: what no daemon accepts waits in the spool.
type parcel struct {
	spooled
	about about
	// what it is, in messages.
	what string
	// retry is how long to try again; zero for one try.
	retry time.Duration
	// terse does not say that it is tried again, quiet not even that it goes to the spool.
	terse, quiet bool
}

// oneTry is how long one try may take, because a daemon may hang.
const oneTry = 5 * time.Second

// addSpool adds the flag that does without a spool.
func (c *clientCmd) addSpool(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.noSpool, "no-spool", false, "fail if no daemon accepts it, instead of keeping it in the spool")
}

// spools are the folders of found that can be used.
func spools(found *config.Client) (all []spool) {
	for _, dir := range found.Spools {
		if filepath.Dir(dir) == config.SystemState {
			if _, err := os.Stat(config.SystemState); err != nil { // only its daemon creates it
				continue
			}
		}
		all = append(all, spool{dir})
	}
	return all
}

// push sends what waits for the daemon, and then p. If the daemon does not accept it now,
// it is written to the spool, and waits is the file. It must not overtake what waits.
func (c *clientCmd) push(ctx context.Context, daemon *client, p parcel, into any) (waits string, err error) {
	p.Written, p.To, p.Traceparent, p.Tracestate = time.Now(), daemon.addresses, c.getenv("TRACEPARENT"), c.getenv("TRACESTATE")
	p.about.Thing = aboutAt(p.about.Thing, daemon)
	err = c.tryFor(ctx, daemon, p, into)
	switch {
	case err == nil || isFinal(err):
		return "", err
	case c.noSpool && p.retry > 0 && !p.terse: // why has been said
		return "", fmt.Errorf("%s was not accepted within %s", p.what, p.retry)
	case c.noSpool:
		return "", fmt.Errorf("%s was not accepted: %w", p.what, err)
	}
	return c.keep(daemon.spools, p, err)
}

// tryFor tries for as long as p says. The error is the last one.
func (c *clientCmd) tryFor(ctx context.Context, daemon *client, p parcel, into any) error {
	limited, cancel := context.WithTimeout(ctx, cmp.Or(p.retry, oneTry))
	defer cancel()
	for said := ""; ; {
		err := c.try(limited, daemon, p.spooled, into)
		if err == nil || isFinal(err) {
			return err
		}
		if reason := err.Error(); p.retry > 0 && !p.terse && reason != said && limited.Err() == nil {
			said = reason
			c.say(fmt.Sprintf("%s\ntocsin: trying again for up to %s", reason, p.retry))
		}
		if p.retry == 0 || !pause(limited, time.Second) {
			return err
		}
	}
}

// aboutAt names a thing of one daemon.
func aboutAt(thing string, daemon *client) string {
	if thing == "" {
		return ""
	}
	return fmt.Sprintf("%q %q", thing, daemon.addresses)
}

// try sends what waits, and then e.
func (c *clientCmd) try(ctx context.Context, daemon *client, e spooled, into any) error {
	if err := c.sendWaiting(ctx, daemon); err != nil {
		return err
	}
	return daemon.send(ctx, e, into)
}

// sendWaiting sends what waits in the spools of this user.
func (c *clientCmd) sendWaiting(ctx context.Context, daemon *client) error {
	for _, s := range daemon.spools {
		if _, err := s.deliver(ctx, daemon, c.sayRefused); err != nil {
			return err
		}
	}
	return nil
}

// say tells a person something on standard error.
func (c *clientCmd) say(text string) {
	_, _ = fmt.Fprintf(c.stderr, "tocsin: %s\n", visible(text)) // nobody may be there
}

func (c *clientCmd) sayRefused(file string, why error) {
	c.say(fmt.Sprintf("%s can't be sent and is set aside in %s: %s", file, refusedFolder, why))
}

// keep writes p to the first of the spools that can be used, because of reason.
func (c *clientCmd) keep(spools []spool, p parcel, reason error) (file string, err error) {
	all := errors.New("set HOME, XDG_STATE_HOME or STATE_DIRECTORY")
	for n, s := range spools {
		file, err := s.write(p.spooled, p.about)
		switch {
		case err == nil:
			if !p.quiet {
				c.say(fmt.Sprintf("%s; %s waits in %s and will be sent", shortly(reason), p.what, file))
			}
			return file, nil
		case errors.Is(err, errSpoolFull):
			return "", &statusError{exitTempFail, fmt.Errorf("%s; %s is lost: %w: look into %s", shortly(reason), p.what, err, s.dir)}
		case n == 0:
			all = err
		default:
			all = errors.Join(all, err)
		}
	}
	return "", fmt.Errorf("%s; %s is lost, because it can't be kept: %w", shortly(reason), p.what, all)
}

// shortly is why a daemon did not accept something.
func shortly(reason error) string {
	if refusal, ok := errors.AsType[*answerError](reason); ok {
		return refusal.What
	}
	return "no daemon answers"
}

// isFinal reports whether sending again can't help.
func isFinal(err error) bool {
	refusal, answered := errors.AsType[*answerError](err)
	if !answered {
		return errors.Is(err, fs.ErrPermission)
	}
	again := refusal.status == http.StatusTooManyRequests || refusal.status == http.StatusRequestTimeout
	return isRefused(err) || refusal.status/100 == 4 && !again
}

// alertParcel is an alert on its way. It is about the incident with its key.
func alertParcel(a alert.Alert) (parcel, error) {
	p := parcel{what: "the alert", spooled: spooled{Path: alertsPath}, about: about{Thing: a.Key}}
	if a.Strict {
		p.Path += "?strict=1"
	}
	var err error
	p.Body, err = json.Marshal(wire(a))
	return p, err
}

// receipt is a daemon's answer to one alert.
type receipt struct {
	Alerts []alert.Accepted `json:"alerts"`
	Notes  []string         `json:"notes"`
}
