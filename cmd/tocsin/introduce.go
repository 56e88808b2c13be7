package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/config"
)

// introduceAgain is how often Slack is asked again whether it accepts the app. A new
// token is used within 15 s.
const introduceAgain = 10 * time.Second

// introduction authenticates with Slack at start, so that a wrong token is known
// before the first alert has to wait for it.
type introduction struct {
	probe func(ctx context.Context) error
	log   *zap.Logger

	mu      sync.Mutex
	problem *alert.Problem
}

// run tries until Slack has accepted the token once.
func (i *introduction) run(ctx context.Context) error {
	for !i.known(ctx) && pause(ctx, introduceAgain) {
	}
	return nil
}

// known tries once. If ctx ended meanwhile, the result says nothing about Slack.
func (i *introduction) known(ctx context.Context) bool {
	err := i.probe(ctx)
	if ctx.Err() == nil {
		i.note(err)
	}
	return err == nil
}

// note keeps the problem, and logs it when it is new.
func (i *introduction) note(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.problem
	i.problem = nil
	if err == nil {
		return
	}
	i.problem = &alert.Problem{Code: alert.ProblemConnection, What: "authentication with Slack failed: " + err.Error(), Fix: "alerts are accepted and kept until it succeeds"}
	var said *alert.SendError
	if errors.As(err, &said) && said.Hint != "" {
		i.problem.Fix = said.Hint
		if said.Err == nil { // there was an answer
			i.problem.Code, i.problem.What = alert.ProblemRefused, "authentication with Slack failed: "+said.Code
		}
	}
	if before == nil || *before != *i.problem {
		i.log.Warn("slack authentication failed", zap.Error(err), zap.Duration("again_in", introduceAgain))
	}
}

// problems is empty once Slack has accepted the token.
func (i *introduction) problems() []alert.Problem {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.problem == nil {
		return nil
	}
	return []alert.Problem{*i.problem}
}

// tokens are Slack's tokens, read again for each connection and probe.
type tokens struct {
	in  config.Input
	log *zap.Logger

	mu       sync.Mutex
	app, bot alert.Secret
	// signs is the signing secret as of the latest reload.
	signs alert.Secret
	// refusedApp and refusedBot are those that a reload has found out not to work.
	refusedApp, refusedBot alert.Secret
	// accepted are those that Slack has accepted, whatever they look like.
	accepted map[alert.Secret]bool
	warnings []config.Problem
	// broken is set while the file can't be read.
	broken bool
}

func newTokens(cfg *config.Config, in config.Input, log *zap.Logger) *tokens {
	in.Mode = cfg.Slack.Mode
	t := &tokens{in: in, log: log, accepted: map[alert.Secret]bool{}}
	t.take(cfg)
	return t
}

// take uses the tokens of cfg, where it has some, and logs its warnings.
func (t *tokens) take(cfg *config.Config) {
	now := t.in.Tokens()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.app, t.bot = cmp.Or(cfg.Slack.AppToken, t.app), cmp.Or(cfg.Slack.BotToken, t.bot)
	t.signs = cfg.Slack.SigningSecret
	t.refusedApp, t.refusedBot, t.warnings, t.broken = "", "", now.Warnings, now.Broken
	for _, p := range cfg.Warnings { // also those that are not about tokens
		t.warn(p)
	}
}

// changed returns the tokens of s that are others than those in use, and empty ones for the
// rest.
func (t *tokens) changed(s config.Slack) (app, bot alert.Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.AppToken != t.app {
		app = s.AppToken
	}
	if s.BotToken != t.bot {
		bot = s.BotToken
	}
	return app, bot
}

// signing is the secret that verifies Slack's requests.
func (t *tokens) signing() alert.Secret {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.signs
}

// refuse remembers tokens that do not work, so that they do not replace those that do.
func (t *tokens) refuse(app, bot alert.Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusedApp, t.refusedBot = app, bot
}

// read returns the tokens that the environment, credentials and files hold now,
// or the last good ones if those can't be read.
func (t *tokens) read() (app, bot alert.Secret) {
	now := t.in.Tokens()
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.App != "" && now.App != t.refusedApp {
		t.app = now.App
	}
	if now.Bot != "" && now.Bot != t.refusedBot {
		t.bot = now.Bot
	}
	t.broken = now.Broken
	if fmt.Sprint(now.Warnings) != fmt.Sprint(t.warnings) {
		t.warnings = now.Warnings
		for _, p := range t.warnings {
			t.warn(p)
		}
	}
	return t.app, t.bot
}

func (t *tokens) warn(p config.Problem) {
	t.log.Warn("configuration", zap.String("where", p.Where), zap.String("what", p.Message), zap.String("hint", p.Fix))
}

// accept notes that Slack has accepted a token.
func (t *tokens) accept(token alert.Secret) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if token != "" {
		t.accepted[token] = true
	}
}

// problems lists the tokens that can't work, and as notes those that work although they look
// wrong. While the file is being edited, those that there were can.
func (t *tokens) problems() (problems, notes []alert.Problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken && t.app != "" && t.bot != "" {
		return nil, nil
	}
	for _, p := range t.warnings {
		said := alert.Problem{Code: alert.ProblemToken, What: p.Where + ": " + p.Message, Fix: p.Fix}
		switch {
		case p.Tolerated:
		case t.accepted[p.Token]:
			notes = append(notes, said)
		default:
			problems = append(problems, said)
		}
	}
	return problems, notes
}
