package handlers

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// ackDigest acknowledges what is open in a digest. Of several it first says how many.
func (h *Handlers) ackDigest(ctx context.Context, a bot.Action) error {
	c := choice{Verb: alert.VerbAck, Digest: a.Value, Asked: h.opts.Now().UnixMicro()}
	ids, err := h.members(ctx, c.filter())
	switch {
	case err != nil:
		return h.respond(ctx, a.Caller, h.apology("I can't read what is open.", fmt.Errorf("read a digest: %w", err)))
	case len(ids) == 0:
		return h.respond(ctx, a.Caller, render.Refused("None of these incidents is open any more.", "`/notify list` shows what is open."))
	case len(ids) == 1:
		wanted := alert.Act{Verb: c.Verb, By: h.person(ctx, a.Caller), RequestID: a.TriggerID}
		return h.respond(ctx, a.Caller, h.act(ctx, wanted, ids))
	}
	return h.respond(ctx, a.Caller, h.choice(ctx, c, ids))
}

// members are the incidents of a digest that a filter keeps. Somebody may click before the
// store knows that the digest is shown.
func (h *Handlers) members(ctx context.Context, f alert.IncidentFilter) ([]string, error) {
	ids, err := h.opts.Store.IDs(ctx, f)
	if err != nil || len(ids) > 0 || !sleep(ctx, cardDelay) {
		return ids, err
	}
	return h.opts.Store.IDs(ctx, f)
}

// maxShared is how many incidents of a digest are looked at for what they have in common.
const maxShared = 500

// silenceDigest opens the dialog for a silence that matches what is unresolved in a digest.
func (h *Handlers) silenceDigest(ctx context.Context, a bot.Action) error {
	found, err := h.shownBy(ctx, a.Value)
	var view render.SilenceView
	if err == nil {
		view, err = h.silenceView(ctx, shared(found), originOf(a))
	}
	if err != nil {
		return h.respond(ctx, a.Caller, h.apology("I can't read what is open.", fmt.Errorf("read a digest: %w", err)))
	}
	return h.openView(ctx, a, render.SilenceModal(view))
}

// shownBy are the unresolved incidents of a digest, at most maxShared.
func (h *Handlers) shownBy(ctx context.Context, digest string) ([]alert.Incident, error) {
	f := alert.IncidentFilter{States: unresolved(), Digest: digest, Limit: maxShared}
	if _, err := h.members(ctx, f); err != nil {
		return nil, err
	}
	return h.opts.Store.Incidents(ctx, f)
}

// silenceListed asks whether to silence what the incidents of a digest have in common.
func (h *Handlers) silenceListed(ctx context.Context, o Order, s alert.Silence) render.Message {
	found, err := h.shownBy(ctx, o.Target.Digest)
	if err != nil {
		return h.apology("I can't read what is open.", fmt.Errorf("read a digest: %w", err))
	}
	matchers := shared(found)
	switch {
	case len(found) == 0:
		return render.Refused("None of these incidents is open any more.", "`list` shows what is open.")
	case len(matchers) == 0:
		return render.Refused("These incidents have no label in common.", "Say which alerts, for example `silence service=db for 2h`.")
	}
	return h.silenceChoice(ctx, []alert.Matchers{matchers}, s, o.Text)
}

// shared are matchers for the labels that all of the incidents have, or for their keys if
// there are none and the keys are few. Nothing is suggested that matches only some of them.
func shared(incidents []alert.Incident) alert.Matchers {
	anything := func(value, _ string) bool { return value != "" }
	var all alert.Matchers
	for _, m := range labelsWith("", incidents, anything) {
		differs := func(i alert.Incident) bool { return i.Labels[m.Name] != m.Value || !m.Match(i.Subject()) }
		if len(all) < maxSuggested && !slices.ContainsFunc(incidents, differs) {
			all = append(all, m)
		}
	}
	if len(all) > 0 || len(incidents) == 0 || len(incidents) == maxShared {
		return all
	}
	keys := make([]string, len(incidents))
	for n, i := range incidents {
		keys[n] = regexp.QuoteMeta(i.Key)
	}
	slices.Sort(keys)
	byKey, err := alert.ParseMatchers("key=~" + strconv.Quote(strings.Join(slices.Compact(keys), "|")))
	if err != nil || len(byKey.String()) > render.MaxMatchers {
		return nil
	}
	return byKey
}
