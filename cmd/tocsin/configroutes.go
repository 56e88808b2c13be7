package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tocsin/alert"
	"tocsin/config"
)

func newConfigRoutes(w world) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "routes [LABEL=VALUE...]",
		Short: "Explain where an alert with these labels would go, and why",
		Long: `Explain where an alert with these labels would go, and why. Besides labels an alert has
severity (error unless given), source, key, title and channel. Only the configuration is
read; no daemon is needed.`,
		Example: `  tocsin config routes severity=critical service=db-3
  tocsin config routes --at 2026-01-03T03:00:00+01:00 severity=warning team=web --json`,
	}
	flags := configFlag(cmd)
	var at time.Time
	cmd.Flags().Var(timeFlag{&at}, "at", "`TIME` of the alert, such as 2026-01-02T23:00:00Z, for quiet hours and times (default: now)")
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		subject, err := parseSubject(args)
		if err != nil {
			return &usageError{err}
		}
		cfg, err := config.Load(w.input(flags()))
		if err != nil {
			return err
		}
		if at.IsZero() {
			at = time.Now()
		}
		x := explain(cfg.Routing, subject, at)
		return w.print(*asJSON, x, x.text())
	}
	return cmd
}

func parseSubject(fields []string) (alert.Subject, error) {
	s := alert.Subject{Severity: alert.Error, Labels: map[string]string{}}
	for _, field := range fields {
		name, value, ok := strings.Cut(field, "=")
		if !ok || name == "" {
			return s, fmt.Errorf("%s: write it as LABEL=VALUE, for example service=db-3", field)
		}
		switch name {
		case "severity":
			s.Severity = alert.Severity(value)
		case "source":
			s.Source = value
		case "key":
			s.Key = value
		case "title":
			s.Title = value
		case "channel":
			channel, err := alert.ParseConversation(value)
			if err != nil {
				return s, err
			}
			s.Channel = channel
		default:
			s.Labels[name] = value
		}
	}
	severity, ok := alert.ParseSeverity(string(s.Severity))
	if !ok {
		return s, fmt.Errorf("unknown severity %q; write one of critical, error, warning, info", s.Severity)
	}
	s.Severity = severity
	return s, nil
}
