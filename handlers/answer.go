package handlers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// ask is what somebody wants in words, however the words came.
type ask struct {
	words []token
	// direct words stand without a slash: a direct message or a mention.
	direct bool
	// once is Slack's name of the request, the same if it is handled twice.
	once string
}

// words are all a person can begin with.
func words() []string { return []string{"help", "status", "test"} }

// answer does what was asked and returns what to say.
func (h *Handlers) answer(ctx context.Context, a ask) render.Message {
	if len(a.words) == 0 {
		return h.help(a)
	}
	first := strings.TrimPrefix(a.words[0].key, "/")
	switch first {
	case "notify":
		a.words = a.words[1:]
		return h.answer(ctx, a)
	case "test", "notify-test":
		return h.test(ctx, a.words[1:], a)
	case "status":
		return h.status(ctx)
	case "help", "?", "hi", "hello", "hey", "hallo":
		return h.help(a)
	}
	near := nearest(first, words())
	if a.direct {
		return render.Unknown(a.words[0].raw, near, "help")
	}
	if near != "" {
		near = "/notify " + near
	}
	return render.Unknown(a.words[0].raw, near, "/notify help")
}

func (h *Handlers) help(a ask) render.Message {
	return render.Help(render.HelpView{Direct: a.direct, Shell: h.shell(), Version: h.opts.Version})
}

// test reads what kind of test alert is wanted, and sends it; a person who only
// asks what could be written there is told.
func (h *Handlers) test(ctx context.Context, words []token, a ask) render.Message {
	if len(words) == 1 && slices.Contains([]string{"help", "?", "--help", "-h"}, words[0].key) {
		return h.help(a)
	}
	order, bad := parseTest(words)
	if bad != nil {
		return render.Refused(bad.Message, bad.Hint)
	}
	return h.sendTest(ctx, order, a.once)
}

// respond answers so that only the person who asked sees it.
func (h *Handlers) respond(ctx context.Context, to bot.Caller, m render.Message) error {
	return h.patiently(ctx, func() error { return h.opts.Slack.Respond(ctx, to, m) })
}

// maxPatience is how often Slack is asked again.
const maxPatience = 5

// patiently tries again what Slack throttled or certainly did not do, as long
// as ctx lasts: a person who is not answered asks again and makes it worse.
func (h *Handlers) patiently(ctx context.Context, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		pause, again := pauseAfter(err)
		if !again || attempt == maxPatience {
			return err
		}
		if until, ok := ctx.Deadline(); ok && time.Until(until) < pause {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// pauseAfter tells whether an error passes by waiting, and how long that takes.
func pauseAfter(err error) (pause time.Duration, again bool) {
	var sent *alert.SendError
	if !errors.As(err, &sent) || !slices.Contains([]alert.Class{alert.ClassThrottled, alert.ClassTransient}, sent.Class) {
		return 0, false
	}
	return max(sent.RetryAfter, time.Second), true
}
