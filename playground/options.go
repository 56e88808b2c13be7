package playground

import (
	"context"
	"crypto/tls"
	"time"
)

// Options are the settings of a playground. The zero value is a Slack with its real limits and times on a free loopback port.
type Options struct {
	// Listen is the TCP address, "127.0.0.1:0" when empty.
	Listen string
	// Certificate encrypts the Web API, Socket Mode and the page; nil leaves them plain.
	Certificate *tls.Certificate
	// Team is the workspace's name, "Tocsin Playground" when empty.
	Team string
	// TeamID is the workspace's id, "T0PLAYGROUND" when empty.
	TeamID string
	// Clock tells the time, time.Now when nil.
	Clock func() time.Time
	// Limits are the rate limits; the zero value is Slack's, NoLimits() has none.
	Limits Limits
	// Seed feeds the random choices (which socket, which request a Percent fault hits).
	Seed uint64
	// ConnectionTime is approximate_connection_time of a socket, after which it is refreshed; 18060 s when zero.
	ConnectionTime time.Duration
	// PingEvery is the period of the server's WebSocket pings, 10 s when zero: Slack's client for Node gives up after 30 s without one.
	PingEvery time.Duration
	// RetryScale multiplies the waits before events are sent again (0, 60 s, 300 s); 1 when zero.
	RetryScale float64
	// AckTimeout is how long an envelope may stay without an ack, 3 s when zero.
	AckTimeout time.Duration
	// GhostFor is how long a socket that was lost by Cut or Freeze stays registered, 5 h when zero.
	GhostFor time.Duration
	// FileScan is how long Slack checks an uploaded file, during which blocks that show it are refused (invalid slack file); 300 ms when
	// zero. How long Slack takes is not documented; files.info shows when it is over.
	FileScan time.Duration
	// RequestURL is the app's address for requests by HTTP, to which /slack/events, /slack/commands and /slack/interactive are added; empty
	// for Socket Mode.
	RequestURL string
	// Commands are the slash commands the app has registered, offered by the page's composer.
	Commands []Command
	// Push hands a sample alert (JSON) to the daemon under the page; nil means that there is none.
	Push func(ctx context.Context, alert []byte) error
}

// Command is one slash command as the app's manifest declares it.
type Command struct {
	Command     string `json:"command"`
	Description string `json:"description"`
	UsageHint   string `json:"usage_hint"`
	// ShouldEscape makes mentions in the command's text arrive as <@U…|name> and <#C…|name> instead of as typed.
	ShouldEscape bool `json:"should_escape,omitempty"`
}

func (o Options) withDefaults() Options {
	o.Listen = orDefault(o.Listen, "127.0.0.1:0")
	o.Team, o.TeamID = orDefault(o.Team, "Tocsin Playground"), orDefault(o.TeamID, "T0PLAYGROUND")
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.Limits = o.Limits.withDefaults()
	o.ConnectionTime = orDefault(o.ConnectionTime, 18060*time.Second)
	o.PingEvery = orDefault(o.PingEvery, 10*time.Second)
	o.RetryScale = orDefault(o.RetryScale, 1)
	o.AckTimeout = orDefault(o.AckTimeout, 3*time.Second)
	o.FileScan = orDefault(o.FileScan, 300*time.Millisecond)
	o.GhostFor = orDefault(o.GhostFor, 5*time.Hour)
	return o
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
