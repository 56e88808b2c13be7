package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// Needs are what a configuration needs of Slack.
type Needs struct {
	// Conversations are those to which alerts go, as alert.ParseConversation writes them.
	Conversations []string
	// Mentions are who is mentioned (see alert.ParseMention), Permitted who has
	// permissions: people, user groups and conversations.
	Mentions, Permitted []string
	// HTTP is set if requests come by HTTP, for which there is no app-level token.
	HTTP bool
}

// The names of the checks of Examine.
const (
	checkSlack        = "slack"
	checkBotToken     = "bot token"
	checkRotation     = "token rotation"
	checkClock        = "clock"
	checkAppToken     = "app token"
	checkSocketMode   = "socket mode"
	checkSameApp      = "same app"
	checkGhosts       = "other connections"
	checkScopes       = "scopes"
	checkConversation = "conversation"
	checkMention      = "mention"
	checkPermission   = "permission"
)

// Examine looks at the tokens, the scopes, Socket Mode, and at every conversation and
// person in needs. It posts nothing, joins nothing and uses no cache. Without a socket it
// opens one connection for a moment.
func (b *Bot) Examine(ctx context.Context, needs Needs, socket *Socket) []alert.Check {
	x := &examination{bot: b, needs: needs}
	x.app(ctx, socket, x.identify(ctx))
	if x.id.UserID == "" {
		x.skipRest()
		return x.checks
	}
	x.scopes()
	for _, c := range needs.Conversations {
		x.conversation(ctx, c)
	}
	for _, who := range needs.Mentions {
		x.person(ctx, checkMention, who)
	}
	for _, who := range needs.Permitted {
		x.person(ctx, checkPermission, who)
	}
	return x.checks
}

// examination is one run of Examine.
type examination struct {
	bot    *Bot
	needs  Needs
	id     Identity // empty if Slack does not accept the bot token
	why    string   // why the rest is skipped, then
	checks []alert.Check
	// public are the ids of public channels by name, and groups those of user groups by
	// handle; nil until somebody asks.
	public, groups map[string]string
}

func (x *examination) add(name, about string, result alert.CheckResult, found, fix string) {
	x.checks = append(x.checks, alert.Check{Name: name, About: about, Result: result, Found: found, Fix: fix})
}

func (x *examination) ok(name, about, found string) { x.add(name, about, alert.CheckOK, found, "") }

func (x *examination) skip(name, about, why string) {
	x.add(name, about, alert.CheckSkipped, why, "")
}

// failed adds what an error means. What Slack does not answer at the moment says nothing.
func (x *examination) failed(name, about string, err error) {
	e := sendError(err)
	switch {
	case isTemporary(e):
		x.skip(name, about, "Slack does not answer at the moment: "+e.Error())
	case alert.ExplainSlackError(e.Code).Method:
		x.add(name, about, alert.CheckWarning, "can't be looked at: "+e.Code, e.Hint)
	default:
		x.add(name, about, alert.CheckError, found(e), e.Hint)
	}
}

// found is what is wrong with a conversation or a person.
func found(e *alert.SendError) string {
	// A clause begins with which, who or where.
	if _, clause, ok := strings.Cut(alert.ExplainSlackError(e.Code).Clause, " "); ok {
		return clause + " (" + e.Code + ")"
	}
	return "Slack answers " + e.Code
}

func sendError(err error) *alert.SendError {
	if e, ok := errors.AsType[*alert.SendError](err); ok {
		return e
	}
	return &alert.SendError{Class: alert.ClassUnknown, Code: err.Error()}
}

// identify looks at the bot token and all that one call of auth.test tells. It reports
// whether Slack answered.
func (x *examination) identify(ctx context.Context) (reached bool) {
	if _, token := x.bot.opts.Tokens(); token == "" {
		x.why = "there is no bot token"
		x.skip(checkBotToken, "", x.why)
		return true
	}
	sent := x.bot.opts.Now()
	header, err := x.bot.authTest(ctx)
	if err != nil && isTemporary(sendError(err)) {
		x.why = "Slack can't be reached"
		x.unreachable(err)
		return false
	}
	x.clock(header, sent, x.bot.opts.Now())
	if err != nil {
		e := sendError(err)
		x.why = "Slack does not accept the bot token"
		x.add(checkBotToken, "", alert.CheckError, "Slack refuses it: "+e.Code, e.Hint)
		return true
	}
	id := x.bot.Identity()
	if id.BotID == "" {
		x.why = "the bot token is none"
		x.add(checkBotToken, "", alert.CheckError, "it is valid and not a bot's", alert.ExplainSlackError("not_allowed_token_type").Hint)
		return true
	}
	x.id = id
	x.ok(checkBotToken, "", fmt.Sprintf("@%s in the workspace %s (%s)", id.Name, id.Team, id.TeamID))
	x.rotation()
	return true
}

// isTemporary reports whether an error says nothing about what was asked: Slack did not
// answer, or asks for a pause.
func isTemporary(e *alert.SendError) bool {
	return e.Class == alert.ClassThrottled || e.Class == alert.ClassTransient || e.Class == alert.ClassUnsure
}

// unreachable says why nothing is known about Slack. A proxy is named without its
// password.
func (x *examination) unreachable(err error) {
	e := sendError(err)
	fix := e.Hint
	if fix == "" {
		fix = "check the network, DNS, the firewall and https://slack-status.com"
	}
	via, wrong := proxyFor(http.ProxyFromEnvironment, x.bot.opts.APIURL)
	switch {
	case wrong != nil:
		fix = "correct HTTPS_PROXY: " + wrong.Error()
	case via != nil && e.Hint == "":
		fix = "check the proxy " + via.Host + " (HTTPS_PROXY), or add Slack's hosts to NO_PROXY"
	}
	x.add(checkSlack, "", alert.CheckError, "can't be reached: "+e.Error(), fix)
	x.skip(checkBotToken, "", x.why)
}

// rotation looks whether the bot token ends.
func (x *examination) rotation() {
	if x.id.ExpiresIn <= 0 {
		x.ok(checkRotation, "", "is off: the bot token does not end")
		return
	}
	x.add(checkRotation, "", alert.CheckError,
		fmt.Sprintf("is on: the bot token ends in %s, and then nothing is posted", time.Duration(x.id.ExpiresIn)*time.Second),
		"switch it off under OAuth & Permissions and install the app again; if Slack does not offer that, create the app again with tocsin manifest")
}

// clockHint is what to do about a clock that is wrong.
const clockHint = "have the clock set by NTP (timedatectl set-ntp true)"

// The differences of clocks that matter: findMargin is how long before an attempt Tocsin
// looks for a message whose answer was lost.
const clockWarning = 10 * time.Second

// clock compares this machine's clock with Slack's, which was read between sent and
// received. Slack's has whole seconds.
func (x *examination) clock(header http.Header, sent, received time.Time) {
	theirs, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		x.skip(checkClock, "", "Slack's answer has no time")
		return
	}
	off := max(sent.Sub(theirs)-time.Second, 0)
	direction := "ahead of"
	if behind := theirs.Sub(received); behind > 0 {
		off, direction = behind, "behind"
	}
	said := fmt.Sprintf("this machine is %s %s Slack", off.Round(time.Second), direction)
	switch {
	case off > findMargin:
		x.add(checkClock, "", alert.CheckError, said+": a message whose answer is lost may be posted twice, and times on cards are wrong", clockHint)
	case off > clockWarning:
		x.add(checkClock, "", alert.CheckWarning, said, clockHint)
	default:
		x.ok(checkClock, "", "agrees with Slack's")
	}
}

// scopes compares those that are granted with those that the configuration needs.
func (x *examination) scopes() {
	if len(x.id.Scopes) == 0 {
		x.skip(checkScopes, "", "Slack does not say which are granted")
		return
	}
	var spare []string
	missing := false
	for _, s := range wantedScopes() {
		switch {
		case slices.Contains(x.id.Scopes, s.name):
		case !s.neededBy(x.needs):
			spare = append(spare, s.name)
		default:
			missing = true
			result := alert.CheckWarning
			if s.vital {
				result = alert.CheckError
			}
			x.add(checkScopes, s.name, result, "is not granted; it is needed for "+s.use, scopeHint(s.name))
		}
	}
	if missing {
		return
	}
	found := "all that this configuration needs"
	if len(spare) > 0 {
		found += "; not granted, and not needed: " + strings.Join(spare, ", ")
	}
	x.ok(checkScopes, "", found)
}

func scopeHint(name string) string {
	return strings.ReplaceAll(alert.ExplainSlackError("missing_scope").Hint, "{scope}", "the scope "+name)
}

// skipRest says of everything that needs the bot token why it is not looked at.
func (x *examination) skipRest() {
	x.skip(checkScopes, "", x.why)
	for _, c := range x.needs.Conversations {
		x.skip(checkConversation, c, x.why)
	}
	for _, who := range x.needs.Mentions {
		x.skip(checkMention, who, x.why)
	}
	for _, who := range x.needs.Permitted {
		x.skip(checkPermission, who, x.why)
	}
}
