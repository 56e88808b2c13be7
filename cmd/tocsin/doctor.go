package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/config"
	"tocsin/store"
)

// doctorCmd looks for what is wrong.
type doctorCmd struct {
	*clientCmd
	// noDaemon has it look itself although a daemon runs.
	noDaemon bool
	// click has it ask for something to be done in Slack, for which it waits for so long.
	click    bool
	patience time.Duration
}

func newDoctor(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, from the configuration to Slack, and say how to mend it",
		Long: `Look for what is wrong and say how to mend it: the configuration, the tokens and the scopes
they have, Socket Mode, every conversation, person and group that the configuration names,
the clock and the store's disk. It posts nothing and changes nothing.

A daemon that runs is asked to look, with its own configuration and tokens, and also says how
its store, listeners, connections, deliveries and spool are. Without one, everything that this
command can see is looked at.

The exit status is 0 if everything works, 1 if there are only warnings, and 2 if something
does not work. What can't be looked at is skipped, with the reason.`,
		Example: `  tocsin doctor
  tocsin doctor --click
  tocsin doctor --json | jq -r '.checks[] | select(.result == "error") | .hint'
  tocsin doctor --no-daemon --config new.yaml`,
		Args: noArgs,
	}
	c := doctorCmd{clientCmd: newClientCmd(w, cmd)}
	cmd.Flags().BoolVar(&c.click, "click", false, "also ask for an event, a click and a command in Slack, and see whether the daemon gets them")
	c.patience = longestClick
	cmd.Flags().Func("timeout", "wait for these for this `DURATION` (default: 1m)", func(text string) (err error) {
		c.patience, err = alert.ParseDuration(text)
		return err
	})
	cmd.Flags().BoolVar(&c.noDaemon, "no-daemon", false, "do not ask a running daemon")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if c.click && c.noDaemon {
			return &usageError{errors.New("--click needs the daemon: leave out --no-daemon")}
		}
		found := alert.NewCheckup(c.look(cmd.Context()))
		if err := c.print(found, doctorText(found.Checks)); err != nil {
			return err
		}
		return doctorStatus(found.Result)
	}
	return cmd
}

// doctorStatus is the exit status for a result.
func doctorStatus(worst alert.CheckResult) error {
	switch worst {
	case alert.CheckWarning:
		return &statusError{status: exitFailure}
	case alert.CheckError:
		return &statusError{status: exitUsage}
	}
	return nil
}

// longestCheckup is how long a daemon may look.
const longestCheckup = 5 * time.Minute

// look asks the daemon, or looks itself if there is none.
func (c *doctorCmd) look(ctx context.Context) []alert.Check {
	in := thisHost(c.world).asService(ctx, c.input(map[string]string{"config": c.config, "socket": c.socket}))
	if c.noDaemon {
		return examine(ctx, in)
	}
	daemon, err := c.connect()
	if err != nil { // a mistake in the configuration
		return examine(ctx, in)
	}
	ctx, cancel := context.WithTimeout(ctx, longestCheckup)
	defer cancel()
	var found alert.Checkup
	err = daemon.call(ctx, http.MethodGet, "/v1/doctor", nil, &found)
	checks := append(found.Checks, spoolChecks(ownSpools(daemon))...)
	_, answered := errors.AsType[*answerError](err)
	switch {
	case err == nil && c.click:
		return append(checks, c.awaitClick(ctx, daemon)...)
	case err == nil:
		return checks
	case answered || errors.Is(err, fs.ErrPermission):
		// Another connection to Slack would take away what is for the daemon.
		return append(checks, alert.Check{Name: "daemon", Result: alert.CheckError, Found: "does not say what it sees: " + err.Error()})
	}
	if c.click {
		checks = append(checks, alert.Check{Name: fromSlackCheck, Result: alert.CheckSkipped, Found: "no daemon runs that would get it"})
	}
	none := alert.Check{Name: "daemon", Result: alert.CheckSkipped, Found: err.Error()}
	if c.server != "" {
		none.Result = alert.CheckError
	}
	return append(append(examine(ctx, in), none), checks...)
}

// examine looks at everything that can be looked at without a daemon.
func examine(ctx context.Context, in config.Input) []alert.Check {
	cfg, checks := examineConfig(in)
	if cfg == nil {
		return append(checks, alert.Check{Name: "slack", Result: alert.CheckSkipped, Found: "the configuration has mistakes"})
	}
	in.ReadFile = fromFiles(in.ReadFile)
	slack := bot.New(bot.Options{APIURL: cfg.Slack.APIURL, Authorities: cfg.Slack.Authorities, Tokens: newTokens(cfg, in, zap.NewNop()).read})
	checks = append(checks, slack.Examine(ctx, slackNeeds(cfg), nil)...)
	checks = append(checks, examineDisk(cfg.Store)...)
	return append(checks, examineSnapshot(ctx, cfg.Store))
}

// doctor looks at everything.
func (d *daemon) doctor(ctx context.Context) alert.Checkup {
	return d.checkup(ctx, d.health, d.store)
}

// checkup looks at what every replica can see, once at a time. db is nil on a standby, which
// says of the store only what health does.
func (d *daemon) checkup(ctx context.Context, health func() alert.Health, db *store.DB) alert.Checkup {
	select {
	case d.examining <- struct{}{}:
		defer func() { <-d.examining }()
	case <-ctx.Done():
		return alert.NewCheckup([]alert.Check{{Name: "daemon", Result: alert.CheckSkipped, Found: "still looks for somebody else"}})
	}
	_, checks := examineConfig(d.in) // as it is on disk now
	var socket *bot.Socket           // nil where requests come by HTTP
	if receiver := d.receiver.Load(); receiver != nil {
		socket, _ = (*receiver).(*bot.Socket)
	}
	checks = append(checks, d.identity.Load().Examine(ctx, slackNeeds(d.latest.Load()), socket)...)
	checks = append(checks, examineDisk(d.cfg.Store)...)
	if db != nil {
		checks = append(checks, storeContent(ctx, db.Intact))
	}
	checks = append(checks, d.examineSocket()...)
	return alert.NewCheckup(append(checks, health().Checks...))
}

// longestRead is how long the whole store may take to read.
const longestRead = 20 * time.Second

// storeContent is the check of what read says about the whole store.
func storeContent(ctx context.Context, read func(ctx context.Context) error) alert.Check {
	ctx, cancel := context.WithTimeout(ctx, longestRead)
	defer cancel()
	c := alert.Check{Name: "store content", Result: alert.CheckOK, Found: "is intact"}
	switch err := read(ctx); {
	case ctx.Err() != nil:
		c.Result, c.Found = alert.CheckSkipped, fmt.Sprintf("can't be read in %s", longestRead)
	case errors.Is(err, fs.ErrPermission):
		c.Result, c.Found = alert.CheckSkipped, err.Error()
	case err != nil:
		c.Result, c.Found, c.Fix = alert.CheckError, err.Error(), "stop the daemon, keep a copy of the file, and restore it from a backup"
	}
	return c
}

// examineSnapshot reads the whole store without a daemon, if there is one yet.
func examineSnapshot(ctx context.Context, at config.StoreURL) alert.Check {
	if path, ok := strings.CutPrefix(at.Reveal(), "sqlite:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			return alert.Check{Name: "store content", Result: alert.CheckSkipped, Found: "there is no store yet"}
		}
	}
	return storeContent(ctx, func(ctx context.Context) error {
		s, err := store.OpenSnapshot(ctx, at.Reveal())
		if err != nil {
			return err
		}
		found, err := s.Check(ctx)
		if err == nil && !found.OK {
			err = errors.New(strings.Join(found.Problems, "; "))
		}
		return errors.Join(err, s.Close())
	})
}

// examineSocket looks who may connect to the Unix socket, and so act.
func (d *daemon) examineSocket() []alert.Check {
	if d.unix == nil {
		return nil
	}
	path := d.cfg.Listen.Socket
	info, err := os.Stat(path)
	if err != nil {
		return nil // health says so
	}
	mode := info.Mode().Perm()
	c := alert.Check{Name: "socket", About: path, Result: alert.CheckOK, Found: fmt.Sprintf("has the mode %04o", mode)}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		c.Found += " and the group " + groupName(stat.Gid)
	}
	if mode&0o002 != 0 {
		c.Result, c.Found = alert.CheckWarning, c.Found+": every user of this machine may read and act"
		c.Fix = "give it the mode 0660 (SocketMode= in tocsin.socket), and add those who may to its group"
	}
	return []alert.Check{c}
}

func groupName(id uint32) string {
	number := strconv.FormatUint(uint64(id), 10)
	if g, err := user.LookupGroupId(number); err == nil {
		return g.Name
	}
	return number
}

// spoolChecks are those of this user's spools in which something is.
func spoolChecks(spools []spoolState) (checks []alert.Check) {
	for _, s := range spools {
		if s.Waiting > 0 {
			checks = append(checks, alert.Check{
				Name: "your spool", About: s.Dir, Result: alert.CheckWarning, Found: counted(s.Waiting, "request") + " wait for a daemon, the oldest since " + ago(s.Oldest),
				Fix: "start the daemon, which takes them; or send another alert, which takes them along",
			})
		}
		if s.Refused > 0 {
			checks = append(checks, alert.Check{
				Name: "your spool", About: s.Dir, Result: alert.CheckWarning, Found: counted(s.Refused, "file") + " can't be used" + s.because(), Fix: "look at them in " + s.refusedIn() + ", and remove them",
			})
		}
	}
	return checks
}

// examineConfig reads the configuration; it is nil if that has mistakes. A token that is
// missing is an error here.
func examineConfig(in config.Input) (*config.Config, []alert.Check) {
	cfg, err := config.Load(in)
	if wrong, ok := errors.AsType[*config.Errors](err); ok {
		for _, p := range in.Tokens().Warnings {
			if !slices.Contains(wrong.Warnings, p) && !slices.Contains(wrong.Problems, p) {
				wrong.Warnings = append(wrong.Warnings, p)
			}
		}
		return nil, append(problemChecks(alert.CheckError, wrong.Problems), warningChecks(wrong.Warnings)...)
	}
	if err != nil {
		return nil, []alert.Check{{Name: configCheck, Result: alert.CheckError, Found: err.Error()}}
	}
	if warnings := slices.Concat(cfg.Warnings, missingProgram(cfg.LastResort)); len(warnings) > 0 {
		return cfg, warningChecks(warnings)
	}
	from := cmp.Or(cfg.File, "environment, flags and defaults")
	return cfg, []alert.Check{{Name: configCheck, Result: alert.CheckOK, Found: "has no mistakes (" + from + ")"}}
}

const configCheck = "configuration"

func problemChecks(result alert.CheckResult, problems []config.Problem) []alert.Check {
	var checks []alert.Check
	for _, p := range problems {
		checks = append(checks, alert.Check{Name: configCheck, About: p.Where, Result: result, Found: p.Message, Fix: p.Fix})
	}
	return checks
}

// warningChecks are those of warnings, of which that of a missing token is an error.
func warningChecks(warnings []config.Problem) []alert.Check {
	checks := problemChecks(alert.CheckWarning, warnings)
	for n, p := range warnings {
		if p.Missing {
			checks[n].Result = alert.CheckError
		}
	}
	return checks
}

// slackNeeds are the conversations and people that a configuration names.
func slackNeeds(cfg *config.Config) (n bot.Needs) {
	to := func(lanes ...string) { n.Conversations = alert.Union(n.Conversations, without(lanes)) }
	mention := func(who ...string) {
		n.Mentions = alert.Union(n.Mentions, without(who, "here", "channel", "everyone", "nobody"))
	}
	n.HTTP = cfg.Slack.Mode == config.HTTPMode
	to(cfg.DefaultChannel, cfg.FallbackChannel)
	for _, r := range cfg.Routing.Routes {
		to(r.To...)
		mention(r.Mention...)
		for _, step := range r.Escalate {
			to(step.To...)
			mention(step.Mention...)
		}
	}
	for _, h := range cfg.Ingest.Heartbeats {
		to(h.Channel)
		mention(h.Mention)
	}
	for _, channel := range cfg.Ingest.Services {
		to(channel)
	}
	mention(cfg.Routing.Mentionable...)
	for _, who := range [][]string{cfg.Permissions.Ack, cfg.Permissions.Silence, cfg.Permissions.Send, cfg.Permissions.Admin, cfg.Permissions.External} {
		for _, one := range without(who, "everyone", "nobody") {
			if !strings.HasPrefix(one, "T") && !strings.HasPrefix(one, "E") { // teams can't be looked up
				n.Permitted = alert.Union(n.Permitted, []string{one})
			}
		}
	}
	return n
}

// without is a list without some words and empty ones.
func without(list []string, words ...string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" || slices.Contains(words, s) })
}

// doctorText is a table with a line for the remedy below each finding.
func doctorText(checks []alert.Check) string {
	lines := strings.SplitAfter(checksText(checks), "\n")
	var b strings.Builder
	for n, c := range checks {
		b.WriteString(lines[n])
		if c.Fix != "" {
			b.WriteString("         what to do: " + string(markText) + flat(c.Fix) + "\n")
		}
	}
	return b.String()
}

// checksText is a table with a line for each check.
func checksText(checks []alert.Check) string {
	return texts(func(line func(cells ...any)) {
		for _, c := range checks {
			line(c.Result, strings.TrimSpace(c.Name+" "+c.About), flat(c.Found))
		}
	})
}
