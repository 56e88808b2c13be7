// Package config reads Tocsin's settings from flags, the environment, systemd
// credentials, secret files and one YAML file, and reports every mistake at once,
// each with its place and what to write instead. It opens only the files that it reads
// settings from: whether a port is free or a store can be opened is not checked here.
//
// The first of these places that has a value counts: socket of systemd, flag,
// environment, systemd credential or secret file, YAML, default. An empty environment variable or flag is
// ignored.
//
// SLACK_SIGNING_SECRET has no effect unless slack.mode is http: Socket Mode does not sign
// its requests.
package config

import (
	"crypto/x509"
	"time"

	"tocsin/alert"
)

// Config is a complete, checked and normalized configuration.
type Config struct {
	// File is the path of the YAML file that was read, or empty when there was none.
	File string

	Slack    Slack
	Listen   Listen
	Ingest   Ingest
	Store    StoreURL
	Delivery Delivery
	// Health is how long something may make no progress before the daemon is not ready.
	Health alert.Limits
	Log    Log

	// Routing says where alerts go and how they escalate.
	Routing alert.Routing
	// Permissions say who may do what in Slack.
	Permissions Permissions

	// DefaultChannel is where alerts go that name no conversation and match no route: a
	// channel id, #name, @user or user@mail.
	DefaultChannel string
	// LastResort is the program, with its arguments, that gets alerts that can't be
	// delivered to any conversation; empty for none.
	LastResort []string
	// FallbackChannel gets the messages for conversations that can't be reached; empty
	// for none.
	FallbackChannel string

	// Warnings are mistakes that do not keep a daemon from starting, such as a token of
	// the wrong kind. They should be logged.
	Warnings []Problem

	settings []Setting
	states   map[string]state
}

// Slack is how to reach the workspace.
type Slack struct {
	// AppToken opens Socket Mode (xapp-…); empty when none was given, and in HTTPMode.
	AppToken alert.Secret
	// BotToken calls the Web API (xoxb-…); empty when none was given.
	BotToken alert.Secret
	// Mode says how requests from Slack come: SocketMode or HTTPMode.
	Mode string
	// SigningSecret verifies requests in HTTPMode; empty when none was given.
	SigningSecret alert.Secret
	// Listen is host:port where requests come to in HTTPMode.
	Listen string
	// APIURL is the Web API's base and always ends in a slash.
	APIURL string
	// TraceURL is the address of a trace, with alert.TraceIDPlaceholder; empty for no links.
	TraceURL string
	// CAFile is the path of certificates that are trusted in addition to the system's; empty for none.
	CAFile string
	// Authorities are the system's and those of CAFile; nil without CAFile.
	Authorities *x509.CertPool
}

// Listen is where the daemon listens. At least one of TCP and Socket is set.
type Listen struct {
	// TCP is host:port, or empty when the TCP listener is off.
	TCP string
	// Socket is the absolute path of the Unix socket, or empty when it is off.
	// Its folder need not exist yet; whoever binds it makes it with mode 0700.
	Socket string
	// Token is the bearer token that TCP clients must send; empty for none. Load allows
	// neither this nor Tokens only on loopback.
	Token alert.Secret
	// Tokens are those that restrict their senders. Each may be sent in place of Token.
	Tokens []alert.Token
	// TrustLoopback lets TCP clients act although there is no token.
	TrustLoopback bool
	// TLS encrypts TCP; of the zero value it does not.
	TLS TLS
}

// Delivery is how alerts are delivered, how many may wait for that, and how long
// finished work is kept.
type Delivery struct {
	// DigestAbove is how many posts may wait for one conversation before they are sent
	// as one digest.
	DigestAbove int
	// FlappingTimes is how often an incident has to be reopened within FlappingWithin to
	// count as flapping.
	FlappingTimes  int
	FlappingWithin time.Duration
	// GiveUpAfter is the age at which a delivery becomes a dead letter.
	GiveUpAfter time.Duration
	// ProbeEvery is how often a broken destination is probed.
	ProbeEvery time.Duration
	// MaxPending is how many alerts may be pending; more are refused.
	MaxPending int64
	// Retention is how long finished work is kept.
	Retention time.Duration
	// DeadRetention is how long dead letters are kept; 0 for forever.
	DeadRetention time.Duration
}

// Permissions say who may do what. Each is everyone, nobody, or a list of people (U…,
// @name, user@mail), user groups (S…, @name) and channels (C…, #name), which means
// their members.
type Permissions struct {
	Ack     []string
	Silence []string
	Send    []string
	// Admin is who may see what doctor finds.
	Admin []string
	// External are the people of other workspaces who may use the app, and also teams
	// (T…, E…).
	External []string
}

// Log is what is logged and how.
type Log struct {
	// Level is debug, info, warn or error.
	Level string
	// Format is auto, json or console; auto means console on a terminal and
	// JSON everywhere else.
	Format string
}

// Load reads every source of in and returns a checked configuration, or an *Errors
// that lists all mistakes. Tokens that Slack will not accept are only
// Config.Warnings, because a daemon without a valid token still accepts alerts.
func Load(in Input) (*Config, error) {
	l := newLoader(in)
	l.readDocument()
	l.readTimes()
	l.readRoutes()
	l.readInhibit()
	l.readServices()
	l.readHeartbeats()
	l.readSenders()
	l.readWebhooks()
	for _, o := range options() {
		l.resolve(o)
	}
	l.checkFlags()
	l.checkTogether()
	l.checkTokens()
	if len(l.problems) > 0 {
		return nil, &Errors{Problems: inOrder(l.problems), Warnings: inOrder(l.warnings)}
	}
	return l.finish(), nil
}

// finish returns the configuration that the options were set in.
func (l *loader) finish() *Config {
	c := l.config
	c.File, c.Warnings, c.settings = l.doc.path, inOrder(append(l.warnings, l.absent...)), l.settings()
	c.states = l.states(c.settings)
	// The check has removed quotes and blanks around the tokens.
	c.Slack.AppToken, c.Slack.BotToken = l.appToken(), alert.Secret(l.value(keyBotToken))
	c.Slack.SigningSecret = alert.Secret(l.value(keySigning))
	for _, route := range l.routes {
		c.Routing.Routes = append(c.Routing.Routes, route.Route)
	}
	return c
}
