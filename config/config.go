// Package config reads Tocsin's settings from flags, the environment, systemd
// credentials, secret files and one YAML file, and says everything that is
// wrong with them at once, each mistake with its place and what to write
// instead. It opens nothing but the files it reads settings from: whether a
// port is free or a store can be opened is found out by whoever uses them.
//
// A value given twice is taken from the higher of these places: flag,
// environment, systemd credential or secret file, YAML, default. An
// environment variable or flag that is empty counts as not given.
//
// SLACK_SIGNING_SECRET is accepted and has no effect: Socket Mode does not
// sign its requests.
package config

import (
	"time"

	"tocsin/alert"
)

// Config is what a daemon runs with: complete, checked and normalised.
type Config struct {
	// File is the path of the YAML file that was read, or empty when there was none.
	File string

	Slack    Slack
	Listen   Listen
	Store    StoreURL
	Delivery Delivery
	Log      Log

	// Routing says where alerts go and what is done about them.
	Routing alert.Routing
	// Permissions say who may do what in Slack.
	Permissions Permissions

	// DefaultChannel is where an alert goes that names no conversation and
	// that no route claims: a channel id, #name, @user or user@mail.
	DefaultChannel string
	// LastResort is the program, with its arguments, that is told of what nothing
	// in Slack can take; empty for none.
	LastResort []string
	// FallbackChannel is where goes what is meant for a conversation that can't
	// be reached, or empty.
	FallbackChannel string

	// Warnings are what a daemon starts in spite of, such as a token of the
	// wrong kind. Each deserves a line in the log.
	Warnings []Problem

	settings []Setting
}

// Slack is how to reach the workspace.
type Slack struct {
	// AppToken opens Socket Mode (xapp-…); empty when none was given.
	AppToken alert.Secret
	// BotToken calls the Web API (xoxb-…); empty when none was given.
	BotToken alert.Secret
	// APIURL is the Web API's base and always ends in a slash.
	APIURL string
}

// Listen is where alerts come in. At least one of TCP and Socket is set.
type Listen struct {
	// TCP is host:port, or empty when the TCP listener is off.
	TCP string
	// Socket is the absolute path of the Unix socket, or empty when it is off.
	// Its folder need not exist yet; whoever binds it makes it with mode 0700.
	Socket string
	// Token is the bearer token TCP clients must show; empty means none,
	// which Load allows on loopback only.
	Token alert.Secret
}

// Delivery is how alerts go out, how much may wait for that, and how long it is
// remembered.
type Delivery struct {
	// DigestAbove is how many posts may wait for one conversation before a
	// digest stands for them.
	DigestAbove int
	// GiveUpAfter is the age at which a delivery that never succeeded dies.
	GiveUpAfter time.Duration
	// ProbeEvery is how often a conversation that can't be reached is looked at.
	ProbeEvery time.Duration
	// MaxPending is how many alerts may wait for Slack; more are not accepted.
	MaxPending int64
	// Retention is how long is remembered what is over.
	Retention time.Duration
	// DeadRetention is how long dead letters are kept; 0 is for ever.
	DeadRetention time.Duration
}

// Permissions are who may do what: each is a list of everyone or nobody alone,
// or of people (U…, @name, user@mail), user groups (S…, @name), and channels
// (C…, #name), whose members may.
type Permissions struct {
	Ack     []string
	Silence []string
	Send    []string
}

// Log is what is logged and how.
type Log struct {
	// Level is debug, info, warn or error.
	Level string
	// Format is auto, json or console; auto means console on a terminal and
	// JSON everywhere else.
	Format string
}

// Load reads every source of in and returns a checked configuration. When
// anything is wrong it returns an *Errors that lists all of it. Tokens that
// Slack will not accept are no errors but Config.Warnings, because a daemon
// without a good token still accepts and keeps alerts.
func Load(in Input) (*Config, error) {
	l := newLoader(in)
	l.readDocument()
	for _, o := range options() {
		l.resolve(o)
	}
	l.checkFlags()
	l.checkTogether()
	l.checkTokens()
	if len(l.problems) > 0 {
		return nil, &Errors{Problems: inOrder(l.problems), Warnings: inOrder(l.warnings)}
	}
	return l.config(), nil
}

// Tokens returns the app-level and the bot token as Load found them.
func (c *Config) Tokens() (app, bot alert.Secret) {
	return c.Slack.AppToken, c.Slack.BotToken
}

func (l *loader) config() *Config {
	c := &Config{File: l.doc.path, Warnings: inOrder(append(l.warnings, l.absent...)), settings: l.settings()}
	for _, set := range l.sets {
		set(c)
	}
	// Checking the tokens removes what surrounds them.
	c.Slack.AppToken, c.Slack.BotToken = alert.Secret(l.value(keyAppToken)), alert.Secret(l.value(keyBotToken))
	for _, route := range l.routes {
		c.Routing.Routes = append(c.Routing.Routes, route.Route)
	}
	return c
}
