package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tocsin/alert"
)

type sendCmd struct {
	clientFlags
	Text           string            `arg:"" optional:"" help:"What happened; - or nothing reads it from standard input."`
	Title          string            `short:"t" help:"Title (default: the text's first line)."`
	Severity       string            `short:"s" placeholder:"SEVERITY" help:"critical, error, warning or info (default: error)."`
	Channel        string            `short:"c" placeholder:"NAME" help:"Conversation: C…, #name, @user, user@mail (default: the daemon's)."`
	Key            string            `short:"k" help:"What it is about: alerts with one key share a card (default: by source, labels and title)."`
	Resolve        bool              `short:"r" help:"It is over: resolve the incident of this key."`
	Source         string            `placeholder:"NAME" help:"Who sends it."`
	Label          map[string]string `short:"l" placeholder:"NAME=VALUE" mapsep:"none" help:"A label; may be repeated."`
	Link           []string          `placeholder:"LABEL=URL" sep:"none" help:"A link shown as a button; may be repeated."`
	Mention        string            `placeholder:"WHO" help:"Whom it concerns."`
	At             time.Time         `placeholder:"TIME" help:"When it happened, as 2026-01-02T15:04:05Z (default: now)."`
	IdempotencyKey string            `placeholder:"KEY" help:"The same key is counted once (default: a new one, so that trying again is safe)."`
	Wait           bool              `short:"w" help:"Wait until Slack shows it; exit 1 if it does not within --timeout."`
	Timeout        time.Duration     `default:"30s" help:"How long to go on trying while the daemon restarts, and to --wait."`
	JSON           bool              `help:"Print as JSON."`
}

// Help shows examples under the command's help.
func (sendCmd) Help() string {
	return `Examples:
  tocsin send 'disk full on db-3'
  tocsin send -s critical -k db-3/disk -l host=db-3 -l mount=/var 'disk full'
  tocsin send -k db-3/disk --resolve 'disk has room again'
  journalctl -u backup -n 50 | tocsin send -t 'backup failed' -c '#ops' --wait -
  0 3 * * *  backup.sh || tocsin send -s error -k backup 'backup failed'     (crontab)`
}

// Run sends the alert.
func (c sendCmd) Run(ctx context.Context, w world) error {
	a, err := c.alert(w)
	if err != nil {
		return err
	}
	daemon, err := c.connect(w)
	if err != nil {
		return err
	}
	deadline, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	accepted, err := c.push(deadline, w, daemon, a)
	if err != nil {
		return err
	}
	if !c.Wait {
		return c.printAccepted(w, accepted)
	}
	return c.waitFor(deadline, w, daemon, accepted)
}

// alert puts the flags into words the daemon takes; it checks nothing itself.
func (c sendCmd) alert(w world) (alert.Alert, error) {
	a := alert.Alert{
		Title: c.Title, Text: c.Text, Severity: alert.Severity(c.Severity), Channel: c.Channel, Key: c.Key,
		Source: c.Source, Labels: c.Label, Mention: c.Mention, At: c.At, IdempotencyKey: c.IdempotencyKey,
	}
	if c.Resolve {
		a.Status = alert.Resolved
	}
	var err error
	if a.Links, err = c.links(); err != nil {
		return a, err
	}
	if a.IdempotencyKey == "" {
		a.IdempotencyKey = alert.NewID()
	}
	if a.Text == "" && a.Title == "" && isTerminal(w.stdin) {
		return a, &usageError{errors.New("there is nothing to send: write the text behind send, or pipe it in")}
	}
	if a.Text == "-" || a.Text == "" && a.Title == "" {
		text, err := io.ReadAll(w.stdin)
		if err != nil {
			return a, fmt.Errorf("read standard input: %w", err)
		}
		a.Text = string(text)
	}
	return a, nil
}

// links are those given, in their order; an address may hold more signs of
// equality.
func (c sendCmd) links() ([]alert.Link, error) {
	var links []alert.Link
	for _, link := range c.Link {
		label, target, ok := strings.Cut(link, "=")
		if !ok {
			return nil, &usageError{fmt.Errorf("--link %s: write it as LABEL=URL, for example --link Runbook=https://example.com/disk", link)}
		}
		links = append(links, alert.Link{Label: label, URL: target})
	}
	return links, nil
}

// push sends a until the daemon took it: nothing listening and a store that
// can't write are worth another try, because both end by themselves, and the
// idempotency key keeps a second try from counting twice.
func (c sendCmd) push(ctx context.Context, w world, daemon *client, a alert.Alert) (alert.Accepted, error) {
	for told := false; ; told = true {
		var answer struct {
			Alerts []alert.Accepted `json:"alerts"`
		}
		err := daemon.call(ctx, http.MethodPost, "/v1/alerts", wire(a), &answer)
		if err == nil && len(answer.Alerts) == 1 {
			return answer.Alerts[0], nil
		}
		var said *answerError
		refused := errors.As(err, &said) && said.status != http.StatusServiceUnavailable && said.status != http.StatusTooManyRequests
		if refused || errors.Is(err, fs.ErrPermission) {
			return alert.Accepted{}, err
		}
		if !told {
			_, _ = fmt.Fprintf(w.stderr, "tocsin: %v\ntocsin: trying again for up to %s\n", err, c.Timeout)
		}
		if !pause(ctx, time.Second) {
			return alert.Accepted{}, fmt.Errorf("the alert was not accepted: %w", err)
		}
	}
}

// wire is a as the daemon reads it: what it fills in itself is left out.
func wire(a alert.Alert) map[string]any {
	m := map[string]any{
		"title": a.Title, "text": a.Text, "severity": a.Severity, "status": a.Status, "channel": a.Channel, "key": a.Key,
		"source": a.Source, "labels": a.Labels, "links": a.Links, "mention": a.Mention, "idempotency_key": a.IdempotencyKey,
	}
	if !a.At.IsZero() {
		m["at"] = a.At
	}
	return m
}

// pause waits for d and tells whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c sendCmd) printAccepted(w world, got alert.Accepted) error {
	if c.JSON {
		return writeJSON(w.stdout, got)
	}
	_, err := fmt.Fprintf(w.stdout, "accepted: incident %s %s (alert %s)\n", got.Incident, got.Effect, got.ID)
	return err
}

// waitFor waits until Slack shows the alert.
func (c sendCmd) waitFor(ctx context.Context, w world, daemon *client, got alert.Accepted) error {
	began := time.Now()
	rec, err := c.await(ctx, daemon, got)
	if err != nil {
		return fmt.Errorf("the alert is accepted and kept (incident %s), but it is not known whether Slack shows it: %w", got.Incident, err)
	}
	if c.JSON {
		if err := writeJSON(w.stdout, rec); err != nil {
			return err
		}
	}
	switch {
	case rec.Standing == alert.StandPending:
		return fmt.Errorf("the alert is accepted and kept (incident %s), but Slack has not shown it within %s: %s",
			got.Incident, c.Timeout, cmp.Or(rec.Reason, "see /readyz of the daemon"))
	case rec.Standing == alert.StandDead:
		return fmt.Errorf("the alert was given up (incident %s): %s", got.Incident, rec.Reason)
	case c.JSON:
		return nil
	}
	_, err = fmt.Fprintf(w.stdout, "%s: incident %s in %s (%s), after %s\n",
		rec.Standing, got.Incident, rec.Lane, rec.Conversation, time.Since(began).Round(time.Millisecond))
	return err
}

// longestAsk is how long one question to the daemon may stay open.
const longestAsk = time.Minute

// await asks until the alert is not pending or ctx ends, across restarts of the
// daemon. The error is the last one, if the daemon never answered.
func (c sendCmd) await(ctx context.Context, daemon *client, got alert.Accepted) (alert.Record, error) {
	deadline, _ := ctx.Deadline()
	var rec alert.Record
	for {
		wait := min(longestAsk, max(time.Until(deadline)-time.Second/2, time.Millisecond)).Round(time.Millisecond)
		err := daemon.call(ctx, http.MethodGet, "/v1/alerts/"+url.PathEscape(got.ID)+"?wait="+wait.String(), nil, &rec)
		var said *answerError
		switch {
		case err == nil && rec.Standing != alert.StandPending, errors.As(err, &said) && said.status == http.StatusNotFound:
			return rec, err
		case err != nil && !pause(ctx, time.Second):
			return rec, err
		case time.Until(deadline) < time.Second:
			return rec, nil
		}
	}
}
