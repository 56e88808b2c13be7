package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/config"
)

func newDoctor(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, from the configuration to Slack, and say how to mend it",
		Long: `Look for what is wrong and say how to mend it: the configuration, the tokens and the scopes
they have, Socket Mode, every conversation, person and group that the configuration names,
and the clock. It posts nothing and changes nothing, in Slack or here.

The exit status is 0 if everything works, 1 if there are only warnings, and 2 if something
does not work. What can't be looked at is skipped, with the reason.`,
		Example: `  tocsin doctor
  tocsin doctor --json | jq -r '.checks[] | select(.result == "error") | .hint'`,
		Args: noArgs,
	}
	flags := daemonFlags(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		found := examine(cmd.Context(), w.input(flags()))
		if err := w.print(*asJSON, found, doctorText(found)); err != nil {
			return err
		}
		return doctorStatus(found.Result)
	}
	return cmd
}

// examined is everything that doctor has looked at.
type examined struct {
	// Result is the worst of them.
	Result alert.CheckResult `json:"result"`
	Checks []alert.Check     `json:"checks"`
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

// examine looks at everything that can be looked at without a daemon.
func examine(ctx context.Context, in config.Input) examined {
	cfg, checks := examineConfig(in)
	if cfg == nil {
		checks = append(checks, alert.Check{Name: "slack", Result: alert.CheckSkipped, Found: "the configuration has mistakes"})
	} else {
		slack := bot.New(bot.Options{APIURL: cfg.Slack.APIURL, Tokens: newTokens(cfg, in, zap.NewNop()).read})
		checks = append(checks, slack.Examine(ctx, slackNeeds(cfg), nil)...)
	}
	return examined{Result: alert.Worst(checks), Checks: checks}
}

// examineConfig reads the configuration; it is nil if that has mistakes. A token that is
// missing is an error here.
func examineConfig(in config.Input) (*config.Config, []alert.Check) {
	cfg, err := config.Load(in)
	if wrong, ok := errors.AsType[*config.Errors](err); ok {
		tokens := in.Tokens()
		for _, p := range tokens.Warnings {
			if !slices.Contains(wrong.Warnings, p) {
				wrong.Warnings = append(wrong.Warnings, p)
			}
		}
		return nil, append(problemChecks(alert.CheckError, wrong.Problems), warningChecks(wrong.Warnings, tokens.App, tokens.Bot)...)
	}
	if err != nil {
		return nil, []alert.Check{{Name: configCheck, Result: alert.CheckError, Found: err.Error()}}
	}
	if warnings := slices.Concat(cfg.Warnings, missingProgram(cfg.LastResort)); len(warnings) > 0 {
		return cfg, warningChecks(warnings, cfg.Slack.AppToken, cfg.Slack.BotToken)
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
func warningChecks(warnings []config.Problem, app, bot alert.Secret) []alert.Check {
	checks := problemChecks(alert.CheckWarning, warnings)
	for n, c := range checks {
		if c.About == "SLACK_APP_TOKEN" && app == "" || c.About == "SLACK_BOT_TOKEN" && bot == "" {
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
	for _, who := range [][]string{cfg.Permissions.Ack, cfg.Permissions.Silence, cfg.Permissions.Send, cfg.Permissions.External} {
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
func doctorText(found examined) string {
	lines := strings.SplitAfter(columns("", func(line func(cells ...any)) {
		for _, c := range found.Checks {
			line(c.Result, strings.TrimSpace(c.Name+" "+c.About), flat(c.Found))
		}
	}), "\n")
	var b strings.Builder
	for n, c := range found.Checks {
		b.WriteString(lines[n])
		if c.Fix != "" {
			b.WriteString("         what to do: " + flat(c.Fix) + "\n")
		}
	}
	return b.String()
}
