package bot

import (
	"cmp"
	"errors"
	"strings"

	"tocsin/alert"
)

// ErrStale is wrapped by errors about a screen that has changed since (a spent
// trigger_id, a newer view): the person has to do it again.
var ErrStale = errors.New("the screen has changed since")

// hint says what a person can do about a code, or is empty.
func (c *call) hint(code string) string {
	known := alert.ExplainSlackError(code)
	if known.Class == alert.ClassAuth && c.app {
		return appTokenHint
	}
	missing := "the missing scope"
	if c.answer.Needed != "" {
		missing = "the scope " + c.answer.Needed
	}
	return strings.NewReplacer("{where}", cmp.Or(c.where, "the conversation"), "{bot}", c.botName(), "{scope}", missing).Replace(known.Hint)
}

// appTokenHint is for every refusal of apps.connections.open.
const appTokenHint = "set SLACK_APP_TOKEN to an App-Level Token (xapp-…) with the scope connections:write, from Basic Information > App-Level Tokens, and switch on Socket Mode"

func (c *call) botName() string {
	if name := c.bot.Identity().Name; name != "" {
		return name
	}
	return "tocsin"
}
