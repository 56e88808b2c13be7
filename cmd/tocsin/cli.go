package main

import (
	"errors"
	"os"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"
)

const description = `Takes alerts in over a Unix socket or loopback HTTP and gets them to the right Slack
conversation: accepted means kept, in order, at Slack's pace, not twice.

  Try it without a workspace:   tocsin demo
  Run it with one:              tocsin serve     (first: tocsin manifest)
  Push an alert:                tocsin send 'disk full on db-3'
                                curl -d 'disk full' http://127.0.0.1:8126/v1/alerts`

// cli is the command line: one field and one file for each command.
type cli struct {
	Help      helpFlag     `short:"h" help:"Show help for a command."`
	Serve     serveCmd     `cmd:"" help:"Run the daemon."`
	Demo      demoCmd      `cmd:"" help:"Run the daemon against a small Slack in this process, with a web page."`
	Send      sendCmd      `cmd:"" help:"Push an alert to the running daemon."`
	Incidents incidentsCmd `cmd:"" help:"List what is open, or show an incident with its history."`
	Ack       ackCmd       `cmd:"" help:"Acknowledge incidents: you take care of them."`
	Resolve   resolveCmd   `cmd:"" help:"Resolve incidents: they are over."`
	Silence   silenceCmd   `cmd:"" help:"Keep what matches quiet for a time; list or end silences."`
	Queue     queueCmd     `cmd:"" help:"Show where alerts stand; list, retry or drop what could not be delivered."`
	Config    configCmd    `cmd:"" help:"Check or show the configuration."`
	Manifest  manifestCmd  `cmd:"" help:"Print the Slack app's manifest and the link that creates the app from it."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

var errHelpShown = errors.New("help was shown")

// helpFlag prints the help of the command it stands at and ends parsing.
type helpFlag bool

// IgnoreDefault tells kong that there is no default to set.
func (helpFlag) IgnoreDefault() {}

// BeforeReset runs before a missing argument could be complained about.
func (helpFlag) BeforeReset(ctx *kong.Context) error {
	if err := ctx.PrintUsage(false); err != nil {
		return err
	}
	return errHelpShown
}

// daemonFlags choose what config.Load calls flags; see config.FlagNames.
type daemonFlags struct {
	Config         string `placeholder:"FILE" help:"Read this YAML file (default: /etc/tocsin/tocsin.yaml, else ~/.config/tocsin/tocsin.yaml)."`
	Listen         string `placeholder:"ADDR" help:"TCP address to take alerts at, or off (default: 127.0.0.1:8126)."`
	Socket         string `placeholder:"PATH" help:"Unix socket to take alerts at, or off."`
	Store          string `placeholder:"URL" help:"Where to remember: sqlite:PATH or postgres://…"`
	DefaultChannel string `placeholder:"NAME" help:"Conversation of alerts that name none: C…, #name, @user, user@mail."`
	SlackAPIURL    string `placeholder:"URL" name:"slack-api-url" help:"Root of Slack's Web API; for playgrounds and GovSlack."`
	DigestAbove    string `placeholder:"NUMBER" help:"How many alerts may wait for one conversation before a digest stands for them (default: 5)."`
	GiveUpAfter    string `placeholder:"DURATION" help:"Age at which a delivery that never worked is given up (default: 24h)."`
	LogLevel       string `placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat      string `placeholder:"FORMAT" help:"auto, json or console."`
}

// given lists the flags that were given, by the names config knows.
func (f daemonFlags) given() map[string]string {
	return map[string]string{
		"config": f.Config, "listen": f.Listen, "socket": f.Socket, "store": f.Store,
		"default-channel": f.DefaultChannel, "slack-api-url": f.SlackAPIURL, "give-up-after": f.GiveUpAfter, "digest-above": f.DigestAbove,
		"log-level": f.LogLevel, "log-format": f.LogFormat,
	}
}

// isTerminal tells whether f is a terminal that a person looks at.
func isTerminal(f any) bool {
	file, ok := f.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}
