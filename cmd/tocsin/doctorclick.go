package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"tocsin/alert"
)

// longestClick is how long a person has to do what doctor --click asks for.
const longestClick = time.Minute

const fromSlackCheck = "from slack"

// arrival is what comes from Slack when a person does something there.
type arrival struct {
	// envelope is its type, name what people call it.
	envelope, name string
	// by is what a person does, fix what is wrong if it does not come.
	by, fix string
}

func arrivals() []arrival {
	const again = ", as in tocsin manifest, and reinstall the app; another daemon with the same tokens takes some of them"
	return []arrival{
		{"events_api", "event", "opening Home", "switch on Event Subscriptions with the event app_home_opened" + again},
		{"interactive", "click", "pressing a button", "switch on Interactivity" + again},
		{"slash_commands", "command", "typing /notify", "create the command /notify" + again},
	}
}

// awaitClick asks the person to do something in Slack, waits until all of it has come to the
// daemon, and says what has.
func (c *doctorCmd) awaitClick(ctx context.Context, daemon *client) (checks []alert.Check) {
	before, err := envelopes(ctx, daemon)
	if err != nil {
		return []alert.Check{{Name: fromSlackCheck, Result: alert.CheckSkipped, Found: err.Error()}}
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	c.say(fmt.Sprintf("in Slack, open the app's Home tab, press Refresh there, and type /notify help anywhere; waiting for up to %s", c.patience))
	missing := arrivals()
	for len(missing) > 0 && pause(ctx, time.Second/4) {
		now, err := envelopes(ctx, daemon)
		if err != nil {
			continue // it may be restarting
		}
		var still []arrival
		for _, a := range missing {
			if now[a.envelope] == before[a.envelope] {
				still = append(still, a)
				continue
			}
			c.say(fmt.Sprintf("the %s has arrived", a.name))
			checks = append(checks, alert.Check{Name: fromSlackCheck, About: a.name, Result: alert.CheckOK, Found: "arrived after " + a.by})
		}
		missing = still
	}
	for _, a := range missing {
		checks = append(checks, alert.Check{Name: fromSlackCheck, About: a.name, Result: alert.CheckWarning, Found: fmt.Sprintf("none has arrived within %s by %s", c.patience, a.by), Fix: a.fix})
	}
	return checks
}

var envelopeCount = regexp.MustCompile(`(?m)^tocsin_slack_envelopes_total\{type="(\w+)"\} (\S+)$`)

// envelopes counts, as text, what has come from Slack since the daemon's start, by type.
func envelopes(ctx context.Context, daemon *client) (map[string]string, error) {
	resp, err := daemon.ask(ctx, request{method: http.MethodGet, path: "/metrics"})
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return nil, daemon.answer(resp, nil)
	}
	var text strings.Builder
	if _, err := io.Copy(&text, resp.Body); err != nil {
		return nil, fmt.Errorf("read the daemon's metrics: %w", err)
	}
	counts := map[string]string{}
	for _, m := range envelopeCount.FindAllStringSubmatch(text.String(), -1) {
		counts[m[1]] = m[2]
	}
	return counts, nil
}
