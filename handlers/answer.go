package handlers

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// ask is a request in words: a slash command, a direct message or a mention.
type ask struct {
	by bot.Caller
	// said is what follows the command; order is what it means, for commands that parse it.
	said  phrase
	order Order
	// direct is set for words without a slash: a direct message or a mention.
	direct bool
	// requestID identifies the request in Slack; it is the same when the request is handled twice.
	requestID string
}

type reply struct {
	render.Message
	// chart is what to draw with a chart, instead of Message.
	chart *figures
}

func (h *Handlers) answer(ctx context.Context, a ask) reply {
	c, rest, near := commandIn(a.said)
	if c.do == nil {
		said := a.said.words[0]
		if id := strings.TrimPrefix(said.key, "#"); idShape.MatchString(id) {
			if _, err := h.opts.Store.Incident(ctx, id); err == nil {
				show, _ := commandOf("show")
				return h.do(ctx, show, a)
			}
		}
		return reply{Message: unknown(said.raw, near, a.direct)}
	}
	a.said = rest
	return h.do(ctx, c, a)
}

// do runs a command if the person has the permission. Its help is for everybody.
func (h *Handlers) do(ctx context.Context, c command, a ask) reply {
	if len(a.said.words) == 1 && slices.Contains([]string{"help", "?", "--help", "-h"}, a.said.words[0].key) {
		a.said = read(c.name)
		return reply{Message: h.help(ctx, a)}
	}
	if no, ok := h.allowed(ctx, a.by, c.needs, c.name+" "+beginning(a.said.text)); !ok {
		return reply{Message: no}
	}
	if c.parse != nil {
		var no *render.Message
		if a.order, no = h.order(ctx, c, a); no != nil {
			return reply{Message: *no}
		}
	}
	return c.do(h, ctx, a)
}

// order reads what follows a command. If that is not possible, the message says why.
func (h *Handlers) order(ctx context.Context, c command, a ask) (Order, *render.Message) {
	o, bad, err := h.settled(ctx, c, a.said)
	if err == nil && !o.Target.named() {
		if here, digest := h.threadOf(ctx, c, a.by); here != "" && (digest == "" || c.needs == rightAck || len(o.Target.Words) == 0) {
			if other := h.otherMeant(ctx, c, o.Target, here); other != nil && digest == "" {
				return o, other
			}
			o, bad, err = h.settledIn(ctx, c, a.said, here, digest)
		}
	}
	var no render.Message
	switch {
	case bad != nil:
		no = refused(bad)
	case err != nil:
		no = h.apology("I can't read what is open.", fmt.Errorf("look up ids: %w", err))
	default:
		return o, nil
	}
	return o, &no
}

// settledIn reads what follows a command in the thread of a card, or of a digest.
func (h *Handlers) settledIn(ctx context.Context, c command, said phrase, here, digest string) (Order, *alert.InputError, error) {
	said = read(here + " " + c.withoutThis(said).text)
	if digest == "" {
		return h.settled(ctx, c, said)
	}
	o, bad := c.order(said)
	o.Target = Target{Digest: digest}
	return o, bad, nil
}

// otherMeant asks which incident is meant in the thread of a card, if the words behind a verb
// are in other incidents and not in that one. Otherwise they are a note.
func (h *Handlers) otherMeant(ctx context.Context, c command, t Target, here string) *render.Message {
	verb := alert.Verb(c.name)
	if len(t.Words) == 0 || c.needs != rightAck || verb == alert.VerbAssign || verb == alert.VerbNote {
		return nil
	}
	f := t.Filter(append(unresolved(), StatesFor(verb)...)...)
	f.Wholes = true
	ids, err := h.opts.Store.IDs(ctx, f)
	if err != nil || len(ids) == 0 || slices.Contains(ids, here) {
		return nil // an error is met again by what acts
	}
	m := h.choiceOf(ctx, choice{Verb: verb}, append([]string{here}, ids...))
	return &m
}

// settled reads what follows a command, and looks up which of its words are ids: the error is
// that of looking up.
func (h *Handlers) settled(ctx context.Context, c command, said phrase) (Order, *alert.InputError, error) {
	o, bad := c.order(said)
	if bad != nil {
		return o, bad, nil
	}
	o, err := o.Settled(func(id string) (bool, error) {
		_, err := h.opts.Store.Incident(ctx, id)
		if errors.Is(err, alert.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
	return o, nil, err
}

// cardAt is the incident whose card's thread somebody writes in; without an ID if there is
// none.
func (h *Handlers) cardAt(ctx context.Context, by bot.Caller) alert.Incident {
	i, err := h.opts.Store.IncidentAt(ctx, by.Channel, by.Thread)
	if err != nil && !errors.Is(err, alert.ErrNotFound) {
		h.opts.Log.Warn("look up the card of a thread", zap.String("channel", by.Channel), zap.String("thread", by.Thread), zap.Error(err))
	}
	return i
}

// threadOf returns the words for what a command means in a thread: the id of the card, or in
// that of a digest words that need no looking up, with the digest's id. They are empty in
// other threads, and for commands that always need a target.
func (h *Handlers) threadOf(ctx context.Context, c command, by bot.Caller) (here, digest string) {
	if !c.here || by.Thread == "" {
		return "", ""
	}
	if i := h.cardAt(ctx, by); i.ID != "" || c.needs == "" {
		return i.ID, ""
	}
	digest, err := h.opts.Store.DigestAt(ctx, by.Channel, by.Thread)
	switch {
	case err == nil:
		return "last", digest
	case !errors.Is(err, alert.ErrNotFound):
		h.opts.Log.Warn("look up the digest of a thread", zap.String("channel", by.Channel), zap.String("thread", by.Thread), zap.Error(err))
	}
	return "", ""
}

// withoutThis is a phrase without the word for the card in whose thread it is. A note may
// begin with it.
func (c command) withoutThis(p phrase) phrase {
	if c.name == string(alert.VerbNote) {
		return p
	}
	return withoutThis(p)
}

func withoutThis(p phrase) phrase {
	if len(p.words) > 0 && slices.Contains([]string{"this", "it", "that"}, p.words[0].key) {
		if p = p.from(1); len(p.words) > 0 && p.words[0].key == "one" {
			return p.from(1)
		}
	}
	return p
}

func beginning(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func unknown(said, near string, direct bool) render.Message {
	if direct {
		return render.Unknown(said, near, "help")
	}
	if near != "" {
		near = "/notify " + near
	}
	return render.Unknown(said, near, "/notify help")
}

func (h *Handlers) help(_ context.Context, a ask) render.Message {
	view := render.HelpView{Direct: a.direct, Shell: h.shell(), Version: h.opts.Version}
	if len(a.said.words) > 0 {
		word := a.said.words[0]
		c, near := commandOf(strings.TrimPrefix(word.key, "/"))
		if c.do == nil && !saysNothing(word.key) {
			if near == "" {
				return unknown(word.raw, "", a.direct)
			}
			return unknown(word.raw, "help "+near, a.direct)
		}
		view.Word = c.name
	}
	return render.Help(view)
}

func (h *Handlers) test(ctx context.Context, a ask) render.Message {
	order, bad := parseTest(a.said.words)
	if bad != nil {
		return refused(bad)
	}
	return h.sendTest(ctx, order, a.requestID)
}

// respond sends an answer that only the person who asked sees.
func (h *Handlers) respond(ctx context.Context, to bot.Caller, m render.Message) error {
	return h.say(ctx, to, m, func() error { return h.opts.Slack.Respond(ctx, to, m) })
}

// say sends an answer. A request that is in the inbox, and that the store could not do now, is
// done again: whoever asked is answered then.
func (h *Handlers) say(ctx context.Context, to bot.Caller, m render.Message, send func() error) error {
	if m.Waits != nil && !to.Lost {
		return m.Waits
	}
	return h.patiently(ctx, send)
}

func (h *Handlers) deliver(ctx context.Context, to bot.Caller, r reply, send func(m render.Message) error) error {
	if r.chart == nil {
		return h.say(ctx, to, r.Message, func() error { return send(r.Message) })
	}
	return h.charted(ctx, *r.chart, &h.charts.message, func(c render.Chart) error {
		return h.patiently(ctx, func() error { return send(render.Stats(r.chart.stats, c)) })
	})
}

// maxPatience is how often a call is tried that Slack certainly did not do.
const maxPatience = 5

// patiently retries what Slack throttled or certainly did not do, until ctx ends: a
// person without an answer would ask again and make it worse.
func (h *Handlers) patiently(ctx context.Context, try func() error) error {
	for failed := 0; ; {
		err := try()
		var sent *alert.SendError
		if !errors.As(err, &sent) {
			return err
		}
		pause := max(sent.RetryAfter, time.Second)
		switch sent.Class {
		case alert.ClassThrottled:
			pause += rand.N(pause) // or all who wait would try again in the same second
		case alert.ClassTransient:
			failed++
		default:
			return err
		}
		if until, ok := ctx.Deadline(); failed == maxPatience || ok && time.Until(until) < pause || !sleep(ctx, pause) {
			return err
		}
	}
}

// sleep waits and reports whether ctx has not ended.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
