package outbox

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

// tokenHint is what to do when Slack doesn't say more.
const tokenHint = "check the bot token (SLACK_BOT_TOKEN, xoxb-…) and the app's scopes; sending resumes by itself once Slack accepts them"

// gate holds all lanes while Slack refuses the app.
type gate struct {
	// closed tells the prober that the gate was closed.
	closed chan struct{}

	mu   sync.Mutex
	why  *alert.Problem
	open chan struct{} // closed when lanes may go on; nil when they may now
}

// wait returns a channel that is closed when the gate opens, or nil when it is
// open.
func (g *gate) wait() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// problem returns why lanes are held, or nil.
func (g *gate) problem() *alert.Problem {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}

// close closes the gate and reports whether it was open. If it was closed
// already, the new reason replaces the old one, which began it.
func (g *gate) close(why alert.Problem) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.why != nil {
		why.Since = g.why.Since
	}
	g.why = &why
	if g.open != nil {
		return false
	}
	g.open = make(chan struct{})
	signal(g.closed)
	return true
}

func (g *gate) reopen() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.open)
	g.open, g.why = nil, nil
}

// hold stops all lanes until a probe succeeds.
func (o *Outbox) hold(fail *alert.SendError) {
	if o.gate.close(heldBecause(fail)) {
		o.log.Error("all deliveries are held: Slack refuses the app", zap.String("reason", fail.Error()))
	}
}

// heldWhat begins the problem of an outbox that is held; the reason follows.
const heldWhat = "nothing is being sent: "

func heldBecause(fail *alert.SendError) alert.Problem {
	return alert.Problem{
		Code: alert.ProblemRefused, Since: time.Now(),
		What: heldWhat + "Slack refuses the app: " + fail.Code,
		Fix:  hint(fail, tokenHint),
	}
}

// probeWhenHeld asks Slack about the app while lanes are held, at once and then
// every Options.ProbeEvery, and opens the gate when Slack accepts the app.
func (o *Outbox) probeWhenHeld(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.gate.closed:
		}
		for !o.probe(ctx) {
			if !sleep(ctx, o.opts.Load().ProbeEvery) {
				return
			}
		}
		o.gate.reopen()
		o.log.Info("Slack accepts the app again: sending resumes")
	}
}

// probe asks once and reports whether Slack accepts the app.
func (o *Outbox) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := o.sender.Probe(ctx)
	if err == nil {
		return true
	}
	fail := failure(err)
	if fail.Class == alert.ClassAuth {
		o.gate.close(heldBecause(fail))
	}
	o.recent.set(time.Now(), "probe: "+fail.Error())
	o.log.Debug("probe", zap.String("reason", fail.Error()), zap.Time("next_at", time.Now().Add(o.opts.Load().ProbeEvery)))
	return false
}
