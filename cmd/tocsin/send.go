package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/handlers"
)

type sendCmd struct {
	*clientCmd
	alertFlags
	file    string
	resolve bool
	wait    bool
	timeout time.Duration
	timed   bool // timeout was given
	reached bool // the daemon refuses an alert that would reach no conversation
}

// sendFor is how long send tries before the alert goes to the spool: long enough for a
// daemon to be restarted.
const sendFor = 5 * time.Second

func newSend(w world) *cobra.Command {
	var c sendCmd
	cmd := &cobra.Command{
		Use:   "send [TEXT...]",
		Short: "Push an alert to the running daemon",
		Long: `Push an alert to the running daemon. TEXT says what happened; without it, or with -, the
text is read from standard input. Several words may begin with a conversation and a severity,
and so may one text that names a channel, as in Slack: 'to #ops: critical disk full'. Quote the
#: a shell takes what follows it as a comment. With --channel or --title, one text stays as it is.

With --file, each line of a file is an alert as in the HTTP API. Lines are sent in order; those
that are refused are named, and the exit status is then 1. If it is interrupted, send the same
file again: an alert's idempotency key is made from the file's content and the line, so that
nothing counts twice. Alerts from a pipe that no daemon accepts wait in the spool.

TRACEPARENT and TRACESTATE, as programs with OpenTelemetry set them, say in which trace the
alert is sent.`,
		Example: `  tocsin send 'disk full on db-3'
  tocsin send 'to #ops: rebooting db-3'
  tocsin send -s critical -k db-3/disk -l host=db-3 -l mount=/var 'disk full'
  tocsin send -k db-3/disk --resolve 'disk has room again'
  journalctl -u backup -n 50 | tocsin send -t 'backup failed' -c '#ops' --wait -
  tocsin send --file alerts.ndjson
  0 3 * * *  backup.sh || tocsin send -s error -k backup 'backup failed'     (crontab)`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if c.file != "" {
				if err := fileArguments(cmd, args); err != nil {
					return err
				}
				return c.sendFile(cmd.Context())
			}
			if err := c.readWords(cmd.Context(), args); err != nil {
				return err
			}
			return c.run(cmd.Context())
		},
	}
	c.clientCmd = newClientCmd(w, cmd)
	c.register(c.clientCmd, cmd)
	c.registerMore(cmd)
	return cmd
}

// readWords takes the text from the arguments: one is the text as it is, unless it names its
// channel, and several are a sentence as in Slack, in which flags count more than words.
func (c *sendCmd) readWords(ctx context.Context, args []string) error {
	text := strings.Join(args, " ")
	if commented(args) {
		return &usageError{fmt.Errorf("the text ends in %q, as if a # followed, behind which a shell sees a comment: quote it, as in tocsin send '%s #ops: rebooting'", args[len(args)-1], text)}
	}
	plain := c.alert.Channel != "" || c.alert.Title != "" || !handlers.NamesChannel(text)
	if len(args) < 2 && plain {
		c.alert.Text = text
		return nil
	}
	said, unknown, err := handlers.ReadAlert(handlers.Literal(text), func(conversation string) bool { return c.known(ctx, conversation) })
	if err != nil {
		return &usageError{withHint(err)}
	}
	if unknown != "" && c.alert.Channel == "" {
		c.say(fmt.Sprintf("\"to %s\" is part of the text, because no conversation #%[1]s is known; to send it there, write \"to %[1]s:\"", unknown))
	}
	c.alert.Text = said.Text
	c.alert.Channel, c.alert.Severity = cmp.Or(c.alert.Channel, said.Channel), cmp.Or(c.alert.Severity, said.Severity)
	return nil
}

// commented reports whether the last of the words is one that a channel follows, which a
// shell has taken as a comment if its # was not quoted.
func commented(args []string) bool {
	last := len(args) - 1
	return last >= 0 && (strings.EqualFold(args[last], "to") || last == 0 && strings.EqualFold(args[0], "in"))
}

// known reports whether alerts go to a conversation, as far as the daemon can be asked.
func (c *sendCmd) known(ctx context.Context, conversation string) bool {
	ctx, cancel := context.WithTimeout(ctx, sendFor)
	defer cancel()
	var ledger alert.Ledger
	var page onCallPage
	if c.get(ctx, "/v1/ledger", &ledger) != nil || c.get(ctx, "/v1/oncall", &page) != nil {
		return false
	}
	for _, r := range page.Routes {
		if slices.Contains(r.To, conversation) {
			return true
		}
	}
	return slices.ContainsFunc(ledger.Lanes, func(l alert.LaneCounts) bool { return l.Lane == conversation })
}

// newTest sends a test alert as /notify-test does, and waits until Slack shows it.
func newTest(w world) *cobra.Command {
	c := sendCmd{wait: true, timeout: 30 * time.Second, timed: true, reached: true}
	cmd := &cobra.Command{
		Use:   "test [CHANNEL] [SEVERITY]",
		Short: "Send a test alert, and say where it landed and how long that took",
		Example: `  tocsin test
  tocsin test '#ops' warning`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if c.alert, err = handlers.ReadTest(strings.Join(args, " ")); err != nil {
				return &usageError{withHint(err)}
			}
			c.alert.Key = c.alert.Source + "-" + alert.NewID()
			c.noSpool = true
			return c.run(cmd.Context())
		},
	}
	c.clientCmd = newClientCmd(w, cmd)
	return cmd
}

func (c *sendCmd) registerMore(cmd *cobra.Command) {
	f, a := cmd.Flags(), &c.alert
	f.StringVar((*string)(&a.Format), "format", "", "how to read the text, as `FORMAT`: text, markdown or mrkdwn\n(default: text, which is shown as it is written)")
	f.StringVarP(&c.file, "file", "f", "", "send the alerts of `FILE`, a JSON object a line; - for standard input")
	f.BoolVarP(&c.resolve, "resolve", "r", false, "resolve the incident with this key")
	c.readLoosely(f, "at", "`TIME` of the event, such as 2026-01-02T15:04:05Z or seconds since 1970 (default: now)", func(text string) (err error) {
		a.At, err = alert.ParseTime(text)
		return err
	})
	c.readLoosely(f, "expires-in", "resolve it as expired after this `DURATION`, unless it fires again, or never with forever\n(default: what the routes say; 1h for info)", func(text string) (err error) {
		a.ExpiresIn, err = alert.ParseExpiry(text)
		return err
	})
	c.readLoosely(f, "ends-at", "resolve it as expired at this `TIME`, unless it fires again", func(text string) (err error) {
		a.EndsAt, err = alert.ParseTime(text)
		return err
	})
	f.StringVar(&a.IdempotencyKey, "idempotency-key", "", "alerts with the same `KEY` count once\n(default: a new key, so that retrying is safe)")
	f.BoolVar(&a.Strict, "strict", false, "refuse the alert where it would be repaired")
	f.BoolVarP(&c.wait, "wait", "w", false, "wait until Slack shows the alert; exit 1 if that takes longer than --timeout")
	c.addSpool(cmd)
	c.timeout = 30 * time.Second
	f.Func("timeout", "keep trying, and waiting with --wait, for this `DURATION`\n(default: 5s; 30s with --wait, --no-spool or --file)", func(text string) (err error) {
		c.timed = true
		c.timeout, err = alert.ParseDuration(text)
		return err
	})
	completeFlag(cmd, "file", completeFile)
	completeFlag(cmd, "format", oneOf("text", "markdown", "mrkdwn"))
}

func (c *sendCmd) run(ctx context.Context) error {
	a, err := c.buildAlert()
	if err == nil {
		err = check(a)
	}
	if err != nil {
		return err
	}
	c.sayAll(a.Notes)
	daemon, err := c.connect()
	if err != nil {
		return err
	}
	deadline, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	accepted, file, err := c.sendDecided(deadline, daemon, a)
	switch {
	case err != nil:
		return err
	case file != "" && c.wait:
		return errors.New("the alert is kept, but no daemon has it yet")
	case file != "" && c.json:
		return c.print(map[string]string{"spooled": file}, "")
	case file != "":
		return nil
	case !c.wait:
		return c.print(accepted, acceptedText(accepted))
	}
	return c.waitFor(deadline, daemon, accepted)
}

// acceptedText says what an alert did.
func acceptedText(a alert.Accepted) string {
	switch a.Effect {
	case alert.EffectQueued:
		return "accepted: queued until a replica is active\n"
	case alert.EffectIgnored:
		return "accepted: ignored, because nothing is open\n"
	}
	return fmt.Sprintf("accepted: incident %s %s (alert %s)\n", a.Incident, a.Effect, a.ID)
}

// check says what every daemon would refuse, so that it does not go to the spool.
func check(a alert.Alert) error {
	a.Labels, a.Links = maps.Clone(a.Labels), slices.Clone(a.Links)
	if err := a.Prepare(time.Now()); err != nil {
		return &usageError{withHint(err)}
	}
	return nil
}

// buildAlert returns the alert that the flags and standard input describe.
func (c *sendCmd) buildAlert() (alert.Alert, error) {
	a := c.build()
	if c.resolve {
		a.Status = alert.Resolved
	}
	if a.IdempotencyKey == "" {
		a.IdempotencyKey = alert.NewID()
	}
	err := c.readText(&a)
	return a, err
}

// readText reads the alert's text from standard input if the arguments have
// none.
func (c *sendCmd) readText(a *alert.Alert) error {
	none := a.Text == "" && a.Title == ""
	if none && isTerminal(c.stdin) {
		return &usageError{errors.New("there is nothing to send: write a text after send, quoted if it has a #, or pipe one in")}
	}
	if !none && a.Text != "-" {
		return nil
	}
	text, err := io.ReadAll(c.stdin)
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	if !utf8.Valid(text) { // JSON, which the daemon reads, has nothing else
		a.Notes = append(a.Notes, "bytes that are not UTF-8 are shown as \ufffd")
	}
	a.Text = string(text)
	return nil
}

// sendDecided is sendOne, which is repeated with --wait while the alert is queued: it counts
// once, and a later receipt names the alert that does.
func (c *sendCmd) sendDecided(ctx context.Context, daemon *client, a alert.Alert) (got alert.Accepted, file string, err error) {
	got, file, err = c.sendOne(ctx, daemon, a)
	again := *c
	again.noSpool = true // it is kept already
	for c.wait && got.Effect == alert.EffectQueued {
		if pause(ctx, time.Second) {
			var later alert.Accepted
			if later, _, err = again.sendOne(ctx, daemon, a); err == nil {
				got = later
				continue
			}
		}
		return got, "", fmt.Errorf("the alert is accepted and kept, but no replica was active within %s", c.timeout)
	}
	return got, file, err
}

// sendOne sends a. If no daemon accepts it, it waits in a file. The idempotency key keeps
// a second try from counting twice.
func (c *sendCmd) sendOne(ctx context.Context, daemon *client, a alert.Alert) (got alert.Accepted, file string, err error) {
	p, err := alertParcel(a)
	if err != nil {
		return got, "", err
	}
	p.retry, p.Reached = c.timeout, c.reached
	if !c.wait && !c.noSpool && !c.timed {
		p.retry = sendFor
	}
	var answer receipt
	file, err = c.push(ctx, daemon, p, &answer)
	if err != nil || file != "" {
		return got, file, err
	}
	if len(answer.Alerts) != 1 {
		return got, "", fmt.Errorf("the daemon answered for %d alerts, not one", len(answer.Alerts))
	}
	c.sayAll(answer.Notes)
	return answer.Alerts[0], "", nil
}

// wire is a as the daemon reads it, without the fields that the daemon sets.
func wire(a alert.Alert) map[string]any {
	m := map[string]any{
		"title": a.Title, "text": a.Text, "format": a.Format, "severity": a.Severity, "status": a.Status, "channel": a.Channel, "key": a.Key,
		"source": a.Source, "labels": a.Labels, "links": a.Links, "mention": a.Mention, "idempotency_key": a.IdempotencyKey,
	}
	if !a.At.IsZero() {
		m["at"] = a.At
	}
	if !a.EndsAt.IsZero() {
		m["ends_at"] = a.EndsAt
	}
	if a.OnlyIfOpen {
		m["only_if_open"] = true
	}
	switch {
	case a.ExpiresIn < 0:
		m["expires_in"] = "forever"
	case a.ExpiresIn > 0:
		m["expires_in"] = a.ExpiresIn.String()
	}
	return m
}

// pause waits for d; it returns false if ctx ended first.
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

// waitFor waits until Slack shows the alert.
func (c *sendCmd) waitFor(ctx context.Context, daemon *client, got alert.Accepted) error {
	began := time.Now()
	rec, err := c.await(ctx, daemon, got)
	if err != nil {
		return fmt.Errorf("the alert is accepted and kept (incident %s), but it is not known whether Slack shows it: %w", got.Incident, err)
	}
	text := ""
	switch rec.Standing {
	case alert.StandPending, alert.StandQueued:
		err = fmt.Errorf("the alert is accepted and kept (incident %s), but Slack has not shown it within %s: %s",
			got.Incident, c.timeout, cmp.Or(rec.Reason, "tocsin status says why"))
	case alert.StandDead:
		err = fmt.Errorf("the alert was given up (incident %s): %s", got.Incident, rec.Reason)
	default:
		text = fmt.Sprintf("%s: incident %s in %s (%s), after %s\n",
			rec.Standing, got.Incident, rec.Lane, rec.Conversation, time.Since(began).Round(time.Millisecond))
	}
	return errors.Join(c.print(rec, text), err)
}

// await asks until the alert is no longer pending or ctx ends, across restarts
// of the daemon. The error is the last one, if the daemon never answered.
func (c *sendCmd) await(ctx context.Context, daemon *client, got alert.Accepted) (alert.Record, error) {
	deadline, _ := ctx.Deadline()
	var rec alert.Record
	for {
		wait := min(longestCall, max(time.Until(deadline)-time.Second/2, time.Millisecond)).Round(time.Millisecond)
		err := daemon.call(ctx, http.MethodGet, "/v1/alerts/"+url.PathEscape(got.ID)+"?wait="+wait.String(), nil, &rec)
		refusal, refused := errors.AsType[*answerError](err)
		switch {
		case err == nil && rec.Standing != alert.StandPending && rec.Standing != alert.StandQueued, refused && refusal.status == http.StatusNotFound:
			return rec, err
		case err != nil && !pause(ctx, time.Second):
			return rec, err
		case time.Until(deadline) < time.Second:
			return rec, nil
		}
	}
}
