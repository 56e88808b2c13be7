package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// introduceAgain is how long after Slack did not know us it is asked again.
const introduceAgain = 15 * time.Second

// introduction finds out at start who we are in Slack, so that a token that is
// wrong is known before the first alert has to wait for it.
type introduction struct {
	probe func(ctx context.Context) error
	log   *zap.Logger

	mu      sync.Mutex
	problem *alert.Problem
}

// run asks until Slack has answered once.
func (i *introduction) run(ctx context.Context) error {
	for !i.known(ctx) && pause(ctx, introduceAgain) {
	}
	return nil
}

// known asks once; an end that came meanwhile says nothing about Slack.
func (i *introduction) known(ctx context.Context) bool {
	err := i.probe(ctx)
	if ctx.Err() == nil {
		i.note(err)
	}
	return err == nil
}

// note keeps what Slack has against us, and logs it when it is new.
func (i *introduction) note(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.problem
	i.problem = nil
	if err == nil {
		return
	}
	i.problem = &alert.Problem{What: "Slack did not let us in: " + err.Error(), Fix: "alerts are accepted and kept until it does"}
	var said *alert.SendError
	if errors.As(err, &said) && said.Hint != "" {
		i.problem.What, i.problem.Fix = "Slack did not let us in: "+said.Code, said.Hint
	}
	if before == nil || *before != *i.problem {
		i.log.Warn("slack did not let us in", zap.Error(err), zap.Duration("again_in", introduceAgain))
	}
}

// problems is empty once Slack knows us.
func (i *introduction) problems() []alert.Problem {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.problem == nil {
		return nil
	}
	return []alert.Problem{*i.problem}
}
