package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
)

type runCmd struct {
	*clientCmd
	alertFlags
	on      string
	timeout time.Duration
}

// When run alerts.
const (
	onFailure = "failure"
	onAlways  = "always"
	onChange  = "change"
)

// runRetry is how long an alert about a failure is tried before it goes to the spool. It
// is short, because whoever runs the command waits.
const runRetry = 2 * time.Second

func newRun(w world) *cobra.Command {
	var c runCmd
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT]...",
		Short: "Run a command, and alert if it fails",
		Long: `Run a command, and alert if it fails, with the last lines of its output. The next success
resolves the incident.

Input, output and exit status are the command's: 128 and the number of the signal that has
ended it, 127 if it is not found, 126 if it can't be run, 124 after --timeout, which ends
all of its processes. SIGTERM, SIGINT, SIGHUP and SIGQUIT are passed on to it. Without a
daemon it runs all the same, and the alert waits in the spool.

The card shows the command line unless --title is given: pass passwords in another way.`,
		Example: `  tocsin run -- backup.sh --all
  0 3 * * *  tocsin run -k backup -s critical --timeout 2h -- backup.sh     (crontab)
  ExecStart=/usr/local/bin/tocsin run --on change -- /usr/local/bin/check   (systemd)`,
		Args: arguments(1, manyArguments, "write the command to run behind --, as in tocsin run -- backup.sh"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args) },
	}
	c.clientCmd = newClientCmd(w, cmd)
	f := cmd.Flags()
	f.SetInterspersed(false) // flags behind the command are the command's
	c.register(c.clientCmd, cmd)
	f.Lookup("title").Usage = "`TITLE` of the alert (default: the command line, and that it failed)"
	f.Lookup("key").Usage = "`KEY` of the incident (default: made from command, host, user and folder)"
	f.Lookup("source").Usage = "`NAME` of the sender (default: run)"
	c.on = onFailure
	f.Func("on", "`WHEN` to alert: failure; always, at each end; or change, if the exit status is not\nthat of the last run (default: failure)", func(text string) error {
		if !slices.Contains([]string{onFailure, onAlways, onChange}, text) {
			return errors.New("write failure, always or change")
		}
		c.on = text
		return nil
	})
	f.Func("timeout", "end the command after this `DURATION`: with SIGTERM, and with SIGKILL ten seconds later", func(text string) (err error) {
		c.timeout, err = alert.ParseDuration(text)
		return err
	})
	c.addSpool(cmd)
	completeFlag(cmd, "on", oneOf(onFailure, onAlways, onChange))
	return cmd
}

// run runs the command. Whatever goes wrong with the alert is only said: the exit status
// is the command's.
func (c *runCmd) run(ctx context.Context, args []string) error {
	a := c.build()
	c.sayAll(a.Notes)
	c.complete(&a, args)
	command := child{
		stdin: c.stdin, stdout: c.stdout, stderr: c.stderr, timeout: c.timeout, killAfter: runKillAfter,
		foreground: isTerminal(c.stdin) || isTerminal(c.stdout) || isTerminal(c.stderr),
	}
	o := command.run(ctx, args)
	if o.reason != "" && o.took == 0 {
		c.say(args[0] + ": " + o.reason)
	}
	command.await(outputGrace)
	if !o.interrupted {
		// The signal that has ended the command has ended ctx.
		if err := c.report(context.WithoutCancel(ctx), a, args, o, &command.tail); err != nil {
			c.say(err.Error())
		}
	}
	if !o.timedOut {
		command.copies.Wait()
	}
	if o.status == exitOK {
		return nil
	}
	return &statusError{status: o.status}
}

// complete adds what the alert has by default.
func (c *runCmd) complete(a *alert.Alert, args []string) {
	host, _ := os.Hostname() // an empty one is none
	folder, _ := os.Getwd()
	name := c.user()
	if u, err := user.Current(); err == nil {
		name = u.Username // the environment may be another user's, or cron's
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", args, host, name, folder))
	a.Source = cmp.Or(a.Source, "run")
	a.Key = cmp.Or(a.Key, fmt.Sprintf("%s-%s", filepath.Base(args[0]), hex.EncodeToString(sum[:8])))
	labels := map[string]string{"host": host, "user": name}
	maps.Copy(labels, a.Labels)
	a.Labels = labels
}

// report sends what is to be said about an outcome, if anything.
func (c *runCmd) report(ctx context.Context, a alert.Alert, args []string, o outcome, output *tail) error {
	daemon, err := c.connect()
	if err != nil {
		return err
	}
	last := lastRun{spools: daemon.spools, key: aboutAt(a.Key, daemon)}
	if c.on == onChange && last.read() == strconv.Itoa(o.status) {
		return nil
	}
	a.Labels["status"], a.Labels["duration"] = strconv.Itoa(o.status), elapsed(o.took)
	a.IdempotencyKey = alert.NewID()
	p, err := c.parcel(a, args, o, output)
	if err != nil {
		return err
	}
	var answer receipt
	if _, err := c.push(ctx, daemon, p, &answer); err != nil {
		return err
	}
	for _, note := range answer.Notes {
		c.say(note)
	}
	if c.on == onChange {
		return last.write(strconv.Itoa(o.status))
	}
	return nil
}

// parcel is what is sent about an outcome. A success resolves, and says something only
// where an incident is open; with --on always it is an alert of its own as well.
func (c *runCmd) parcel(a alert.Alert, args []string, o outcome, output *tail) (parcel, error) {
	name := brief(commandLine(args))
	a.Text = outcomeText(cmp.Or(o.reason, "succeeded"), o, output)
	if o.status != exitOK {
		if a.Title == "" {
			a.Title = name + " failed: " + o.reason
			a.Text = outcomeText(o.withoutReason(), o, output)
		}
		p, err := alertParcel(a)
		p.retry, p.terse = runRetry, true
		return p, err
	}
	over := a
	over.Status, over.OnlyIfOpen = alert.Resolved, true
	over.Title = cmp.Or(a.Title, name+" succeeded")
	over.Text = "succeeded after " + elapsed(o.took)
	p, err := alertParcel(over)
	p.quiet, p.about.Latest = true, true
	if c.on != onAlways || err != nil {
		return p, err
	}
	success := a
	success.Title, success.Severity, success.Key, success.IdempotencyKey = over.Title, alert.Info, a.Key+"/success", a.IdempotencyKey+"/success"
	p.quiet, p.about.Latest = false, false
	p.Body, err = json.Marshal([]any{wire(over), wire(success)})
	return p, err
}

// outcomeText is what the alert says: how the command ended, in words, and the end of the
// output.
func outcomeText(ended string, o outcome, output *tail) string {
	head := ended + " after " + elapsed(o.took)
	text, missing := output.text()
	switch {
	case o.took == 0:
		return ended
	case text == "":
		return head + ", without output"
	case missing > 0:
		return fmt.Sprintf("%s; the end of the output, after %s:\n%s", head, counted(missing, "line"), fenced(text))
	}
	return head + "; the output:\n" + fenced(text)
}

// withoutReason says how a failure ended, below a title that says why.
func (o outcome) withoutReason() string {
	if o.took == 0 {
		return "not started"
	}
	return "failed"
}

// elapsed is a duration as people read it.
func elapsed(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// commandLine is a command as it would be typed.
func commandLine(args []string) string {
	words := make([]string, len(args))
	for n, arg := range args {
		words[n] = arg
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'\\$&|;<>()*?`#!") {
			words[n] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// lastRun is the exit status of a command's last run, in a file beside the spool.
type lastRun struct {
	spools []spool
	key    string
}

func (l lastRun) path(s spool) string {
	sum := sha256.Sum256([]byte(l.key))
	return filepath.Join(filepath.Dir(s.dir), "runs", hex.EncodeToString(sum[:12]))
}

// read returns 0 for the first run: a success then changes nothing.
func (l lastRun) read() string {
	for _, s := range l.spools {
		if text, err := os.ReadFile(l.path(s)); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return "0"
}

// write writes it where it can be.
func (l lastRun) write(status string) error {
	all := errors.New("there is no folder for it")
	for _, s := range l.spools {
		path := l.path(s)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte(status+"\n"), 0o600)
		}
		if err == nil {
			return nil
		}
		all = err
	}
	return fmt.Errorf("the exit status is not remembered, so the next run will alert again: %w", all)
}
