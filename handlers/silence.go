package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// silence silences alerts: MATCHERS for 2h [because …]. What an id or words mean is looked up.
func (h *Handlers) silence(ctx context.Context, a ask) render.Message {
	o := a.order
	s, bad := h.planned(ctx, o.times, a.by)
	if bad != nil {
		return refused(bad)
	}
	matchers := o.Target.Matchers
	if len(matchers) == 0 && o.Target.Digest != "" {
		return h.silenceListed(ctx, o, s)
	}
	if len(matchers) == 0 {
		options, no := h.silenceable(ctx, o.Target)
		if no != nil {
			return *no
		}
		if len(options) > 1 {
			return h.silenceChoice(ctx, options, s, o.Text)
		}
		matchers = options[0]
	}
	s.Matchers, s.Why = matchers, o.Text
	m, _ := h.createSilence(ctx, s, a.by)
	return m
}

// sameKey matches the alerts of one key, and no others.
func sameKey(i alert.Incident) alert.Matchers {
	return alert.Matchers{{Name: "key", Op: "=", Value: i.Key}}
}

// zoneOf is the time zone of a person, which a time that they name depends on.
func (h *Handlers) zoneOf(ctx context.Context, by bot.Caller) (*time.Location, *alert.InputError) {
	zone, err := h.opts.Slack.Zone(ctx, by.User)
	if err != nil {
		h.opts.Log.Warn("look up a time zone", zap.String("user", by.User), zap.Error(err))
		return nil, &alert.InputError{Message: "I can't see your time zone at the moment, so I don't know which time that is", Hint: "Write for example `for 2h`, or add UTC to the time."}
	}
	return zone, nil
}

// createSilence creates a person's silence, or changes the end of their own with the same
// matchers, and reports whether one is active now.
func (h *Handlers) createSilence(ctx context.Context, s alert.Silence, by bot.Caller) (m render.Message, holds bool) {
	s.CreatedAt, s.By = h.opts.Now(), h.person(ctx, by)
	if !strings.HasPrefix(by.Channel, "D") {
		s.Channel = by.Channel
	}
	holding, err := h.opts.Store.Silences(ctx, alert.SilenceFilter{At: s.CreatedAt})
	if err != nil {
		return h.apology("I can't read the silences.", fmt.Errorf("read silences: %w", err)), false
	}
	n, err := h.matching(ctx, s.Matchers)
	if err != nil {
		return h.apology("I can't read what is open.", err), false
	}
	s, held := s.Renewing(holding)
	if held {
		return render.AlreadySilenced(s, n), true
	}
	made, err := h.opts.Engine.Silence(ctx, s)
	if err != nil {
		return h.refusal("Nothing was silenced", err), false
	}
	return render.Silenced(made, n), true
}

func (h *Handlers) matching(ctx context.Context, matchers alert.Matchers) (int, error) {
	return h.count(ctx, alert.IncidentFilter{States: unresolved(), Matchers: matchers, Members: true})
}

const maxSilences = 50

func (h *Handlers) silences(ctx context.Context, _ ask) render.Message {
	all, more, err := h.activeSilences(ctx)
	if err != nil {
		return h.apology("I can't read the silences.", err)
	}
	return render.Silences(all, more)
}

// activeSilences reads the active silences, and whether there are more.
func (h *Handlers) activeSilences(ctx context.Context) (all []alert.Silence, more bool, err error) {
	all, err = h.opts.Store.Silences(ctx, alert.SilenceFilter{At: h.opts.Now(), Limit: maxSilences + 1})
	if err != nil {
		return nil, false, fmt.Errorf("read silences: %w", err)
	}
	for n, s := range all {
		all[n] = s.Listed(h.opts.Now())
	}
	if len(all) > maxSilences {
		return all[:maxSilences], true, nil
	}
	return all, false, nil
}

// doubleClick is how long after its end a silence counts as ended by the same request, for
// double clicks.
const doubleClick = time.Second

func (h *Handlers) endSilence(ctx context.Context, id string, by alert.Person) render.Message {
	asked := h.opts.Now()
	ended, err := h.opts.Engine.Unsilence(ctx, id, by)
	switch {
	case err == nil && ended.EndsAt.Before(asked.Add(-doubleClick)):
		return alreadyEnded(id)
	case err == nil:
		return render.Unsilenced(ended)
	case errors.Is(err, alert.ErrNotFound):
		return h.noSilence(ctx, id)
	}
	return h.refusal("The silence was not ended", err)
}

// noSilence answers an id without an active silence: it has ended, or the id is
// wrong.
func (h *Handlers) noSilence(ctx context.Context, id string) render.Message {
	known, err := h.opts.Store.Silences(ctx, alert.SilenceFilter{ID: id})
	if err == nil && len(known) > 0 {
		return alreadyEnded(id)
	}
	holding, _, err := h.activeSilences(ctx)
	if err != nil {
		h.opts.Log.Warn("look for a similar silence", zap.Error(err))
	}
	var ids []string
	for _, s := range holding {
		ids = append(ids, s.ID)
	}
	if near := nearest(id, ids); near != "" {
		return render.Refused("There is no silence "+id+".", "Did you mean `"+near+"`? `silences` lists them.")
	}
	return render.Refused("There is no silence "+id+".", "`silences` lists the active ones.")
}

func alreadyEnded(id string) render.Message {
	return render.Refused("The silence "+id+" has already ended.", "`silences` lists the active ones.")
}
