package handlers

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// origin is where a dialog was opened from. It comes back with the dialog.
type origin struct {
	Incident string `json:"i,omitempty"`
	Channel  string `json:"c,omitempty"`
	Thread   string `json:"t,omitempty"`
	Home     bool   `json:"h,omitempty"`
	// Digest is that of the button, in place of an incident.
	Digest string `json:"d,omitempty"`
	// Message is set when the dialog was opened on a message that everybody sees.
	Message string `json:"m,omitempty"`
}

func originOf(a bot.Action) string {
	o := origin{Incident: a.Value, Channel: a.Channel, Thread: a.Thread, Home: atHome(a)}
	if !a.Ephemeral {
		o.Message = a.MessageTS
	}
	if render.ActionOf(a.ActionID) == render.ActionSilenceAll {
		o.Incident, o.Digest = "", a.Value
	}
	private, err := json.Marshal(o)
	if err != nil {
		return ""
	}
	return string(private)
}

// openedFrom is the click that opened the dialog of s, as far as its work needs it.
// Most of it is empty if an older version wrote the origin.
func openedFrom(s bot.Submission) bot.Action {
	var o origin
	_ = json.Unmarshal([]byte(s.Private), &o)
	a := bot.Action{
		Caller: bot.Caller{User: s.User, Name: s.Name, Team: s.Team, Outside: s.Outside, Lost: s.Lost, Channel: o.Channel, Thread: o.Thread},
		Value:  o.Incident, MessageTS: o.Message, TriggerID: s.TriggerID,
	}
	if o.Home {
		a.ViewID = s.ViewID
	}
	return a
}

// openView opens a dialog. Slack's trigger is valid for three seconds, so there is no
// second try.
func (h *Handlers) openView(ctx context.Context, a bot.Action, view render.Modal) error {
	err := h.opts.Slack.OpenView(ctx, a.TriggerID, view)
	if err == nil {
		return nil
	}
	h.opts.Log.Warn("open dialog", zap.String("user", a.User), zap.Error(err))
	return h.respond(ctx, a.Caller, render.Refused("I could not open the dialog in time.", "Please click again."))
}

func (h *Handlers) openTest(ctx context.Context, a bot.Action) error {
	return h.openView(ctx, a, render.TestModal(h.rules.Load().DefaultChannel))
}

// openSilence opens the dialog for a silence, prefilled for the incident.
func (h *Handlers) openSilence(ctx context.Context, a bot.Action, i alert.Incident) error {
	view, err := h.silenceView(ctx, suggested(i), originOf(a))
	if err != nil {
		return h.respond(ctx, a.Caller, h.apology("I can't read what is open.", err))
	}
	return h.openView(ctx, a, render.SilenceModal(view))
}

// fitting are the first matchers, as many as the dialog for a silence has room for, and
// how many that leaves out.
func fitting(matchers alert.Matchers) (some alert.Matchers, left int) {
	some = matchers
	for len(some.String()) > render.MaxMatchers {
		some = some[:len(some)-1]
	}
	return some, len(matchers) - len(some)
}

// silenceView counts what a silence would match; private is originOf the button.
func (h *Handlers) silenceView(ctx context.Context, matchers alert.Matchers, private string) (render.SilenceView, error) {
	matchers, left := fitting(matchers)
	v := render.SilenceView{Matchers: matchers.String(), Left: left, Private: private}
	if len(matchers) == 0 {
		return v, nil
	}
	var err error
	if v.Matching, err = h.matching(ctx, matchers); err != nil {
		return v, err
	}
	var o origin
	if json.Unmarshal([]byte(private), &o) == nil && o.Digest != "" {
		listed, err := h.opts.Store.Count(ctx, alert.IncidentFilter{States: unresolved(), Matchers: matchers, Digest: o.Digest, Members: true})
		v.OfDigest, v.Others = true, max(0, v.Matching-listed)
		return v, err
	}
	return v, nil
}

// maxSuggested is the most labels of a suggestion, and maxSuggestedLabel the most
// bytes of each: with more, nobody can tell which ones matter.
const (
	maxSuggested      = 8
	maxSuggestedLabel = 200
)

// suggested returns matchers for alerts with the same labels as an incident, like
// Alertmanager. Without labels, or with very many or very long ones, they match its
// key.
func suggested(i alert.Incident) alert.Matchers {
	if len(i.Labels) == 0 || len(i.Labels) > maxSuggested {
		return sameKey(i)
	}
	var all alert.Matchers
	for name, value := range i.Labels {
		m := alert.LabelMatcher(name, value)
		if value != "" && m.Match(i.Subject()) && len(name)+len(value) <= maxSuggestedLabel {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b alert.Matcher) int { return strings.Compare(a.Name, b.Name) })
	if len(all) == 0 {
		return sameKey(i)
	}
	return all
}

// recount updates the dialog for a silence after its matchers were changed. Invalid
// matchers are reported when it is submitted.
func (h *Handlers) recount(ctx context.Context, a bot.Action) error {
	matchers, err := alert.ParseMatchers(a.Value)
	if err != nil || a.ViewID == "" {
		return nil //nolint:nilerr // reported at the field when it is submitted
	}
	view, err := h.silenceView(ctx, matchers, a.Private)
	if err != nil {
		return err
	}
	view.Matchers, view.Left = a.Value, 0
	return h.opts.Slack.UpdateView(ctx, a.ViewID, a.ViewHash, render.SilenceModal(view))
}

func (h *Handlers) openAssign(ctx context.Context, a bot.Action, i alert.Incident) error {
	return h.openView(ctx, a, render.AssignModal(i, originOf(a)))
}

func (h *Handlers) openNote(ctx context.Context, a bot.Action, i alert.Incident) error {
	return h.openView(ctx, a, render.NoteModal(i, originOf(a)))
}

func (h *Handlers) openDetails(ctx context.Context, a bot.Action, i alert.Incident) error {
	view, err := h.details(ctx, i, 0)
	if err != nil {
		return h.respond(ctx, a.Caller, h.apology("I can't read its history.", err))
	}
	return h.openView(ctx, a, view)
}

// details are everything about an incident, with a page of its members that begins after the
// first from.
func (h *Handlers) details(ctx context.Context, i alert.Incident, from int) (render.Modal, error) {
	history, err := h.opts.Store.History(ctx, i.ID)
	if err == nil {
		err = h.addMembers(ctx, &i, from, render.DetailMembers)
	}
	return render.Details(i, history), err
}

// turnMembers shows another page of members in Details.
func (h *Handlers) turnMembers(ctx context.Context, a bot.Action) error {
	id, from, _ := strings.Cut(a.Value, " ")
	begin, err := strconv.Atoi(from)
	if err != nil || begin < 0 || a.ViewID == "" {
		return h.respond(ctx, a.Caller, render.Gone())
	}
	i, no := h.incident(ctx, id, forgotten)
	if no != nil {
		return h.respond(ctx, a.Caller, *no)
	}
	view, err := h.details(ctx, i, begin)
	if err != nil {
		return h.respond(ctx, a.Caller, h.apology("I can't read its alerts.", err))
	}
	return h.opts.Slack.UpdateView(ctx, a.ViewID, a.ViewHash, view)
}
