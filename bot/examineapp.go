package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"tocsin/alert"
)

// linkDisabled is why Slack ends connections while Socket Mode is switched off
// (docs/slack.md §1.6), socketModeHint what to do then.
const (
	linkDisabled   = "link_disabled"
	socketModeHint = "switch on Socket Mode in the app's settings, under Socket Mode"
)

// errSocketModeOff is the error of a connection that Slack ends because Socket Mode is off.
var errSocketModeOff = errors.New("Socket Mode is switched off in the app's settings")

// app looks at the app-level token and at Socket Mode: at the connections of socket, or
// at one that is opened for a moment.
func (x *examination) app(ctx context.Context, socket *Socket, reached bool) {
	token, _ := x.bot.opts.Tokens()
	switch {
	case x.needs.HTTP:
		x.ok(checkAppToken, "", "not needed: requests come by HTTP")
		return
	case token == "":
		x.skip(checkAppToken, "", "there is no app-level token")
		return
	case !reached:
		x.skip(checkAppToken, "", x.why)
		return
	}
	if socket != nil {
		if app, connections := socket.app(); connections > 0 {
			x.ok(checkAppToken, "", "Slack accepts it")
			x.ok(checkSocketMode, "", fmt.Sprintf("is on: %d of %d connections are up", connections, slots))
			x.sameApp(token, app)
			return
		}
	}
	x.openOne(ctx, token)
}

// openOne looks at the app-level token by opening a connection.
func (x *examination) openOne(ctx context.Context, token alert.Secret) {
	first, err := x.bot.greet(ctx)
	if e, ok := errors.AsType[*alert.SendError](err); ok {
		x.refusedApp(e)
		return
	}
	x.ok(checkAppToken, "", "Slack accepts it")
	x.sameApp(token, first.app)
	switch {
	case errors.Is(err, errSocketModeOff):
		x.add(checkSocketMode, "", alert.CheckError, "is off: nothing that people do in Slack arrives", socketModeHint)
	case err != nil:
		x.add(checkSocketMode, "", alert.CheckError, "no connection can be opened: "+err.Error(),
			"check that this machine can open a WebSocket to Slack (network, HTTPS_PROXY, firewall)")
	default:
		x.ok(checkSocketMode, "", "is on: a connection could be opened")
		x.ghosts(first.connections - 1)
	}
}

// refusedApp says what Slack's refusal of the app-level token means.
func (x *examination) refusedApp(e *alert.SendError) {
	if isTemporary(e) {
		x.skip(checkAppToken, "", "Slack does not answer at the moment: "+e.Error())
		return
	}
	x.add(checkAppToken, "", alert.CheckError, "Slack refuses it: "+e.Code, e.Hint)
	x.skip(checkSocketMode, "", "Slack does not accept the app-level token")
}

// sameApp compares the apps of the two tokens. That of the app-level token is told by
// Slack, or else is the third part of the token.
func (x *examination) sameApp(token alert.Secret, app string) {
	if parts := strings.Split(token.Reveal(), "-"); app == "" && len(parts) > 3 && strings.HasPrefix(parts[2], "A") {
		app = parts[2]
	}
	switch {
	case x.id.AppID == "" || app == "":
		x.skip(checkSameApp, "", "Slack does not say of which app the tokens are")
	case x.id.AppID != app:
		x.add(checkSameApp, "", alert.CheckError,
			fmt.Sprintf("the app-level token is of the app %s, the bot token of %s: commands and clicks do not arrive", app, x.id.AppID),
			"take both tokens from the pages of one app, installed in the workspace "+x.id.Team)
	default:
		x.ok(checkSameApp, "", "both tokens are of the app "+app)
	}
}

// ghosts looks at connections of the app that are not ours. Health judges those of a daemon.
func (x *examination) ghosts(unknown int) {
	if unknown <= 0 {
		x.ok(checkGhosts, "", "Slack counts no others of this app")
		return
	}
	x.add(checkGhosts, "", alert.CheckWarning, fmt.Sprintf("Slack counts %d more of this app: they get some of what people do", unknown), alert.UnknownConnectionsHint)
}

// greet opens a connection, waits for its hello and closes it. What people do meanwhile is
// not acked: Slack sends events again.
func (b *Bot) greet(ctx context.Context) (hello, error) {
	app, _ := b.opts.Tokens()
	address, err := b.socketURL(ctx, app)
	if err != nil {
		return hello{}, err
	}
	ws, err := dial(ctx, newDialer(b.opts.Authorities), address)
	if err != nil {
		return hello{}, err
	}
	c := newConnection(ws, zap.NewNop(), idleLimit, func(c *connection, _ socketmode.Request) { c.acked() })
	go c.run()
	defer func() {
		c.close()
		<-c.done
	}()
	select {
	case greeting := <-c.hello:
		return greeting, nil
	case <-c.disconnecting:
	case <-c.ended:
		if !isClosed(c.disconnecting) { // else Slack has said why before it closed
			return hello{}, c.err
		}
	case <-ctx.Done():
		return hello{}, ctx.Err()
	}
	if c.disconnectReason == linkDisabled {
		return hello{}, errSocketModeOff
	}
	return hello{}, errors.New("slack closes the connection: " + c.disconnectReason)
}
