package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// introduceAgain is the time between two attempts to authenticate with Slack.
const introduceAgain = 15 * time.Second

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
	i.problem = &alert.Problem{What: "authentication with Slack failed: " + err.Error(), Fix: "alerts are accepted and kept until it succeeds"}
	var said *alert.SendError
	if errors.As(err, &said) && said.Hint != "" {
		i.problem.What, i.problem.Fix = "authentication with Slack failed: "+said.Code, said.Hint
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
