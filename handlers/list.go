package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tocsin/alert"
	"tocsin/bot"
	"tocsin/render"
)

// page is the page of a list. It is the value of the buttons below the list, so that
// they work as long as the message exists.
type page struct {
	Matchers string        `json:"m,omitempty"`
	Words    []string      `json:"w,omitempty"`
	States   []alert.State `json:"s"`
	Mine     string        `json:"u,omitempty"`
	From     int           `json:"f,omitempty"`
}

// at is the button value for the page that begins at from.
func (p page) at(from int) string {
	other := p
	other.From = from
	value, err := json.Marshal(other)
	if err != nil {
		return ""
	}
	return string(value)
}

func (p page) filter() (alert.IncidentFilter, error) {
	matchers, err := alert.ParseMatchers(p.Matchers)
	return alert.IncidentFilter{States: p.States, Matchers: matchers, Words: p.Words, Mine: p.Mine, Offset: p.From, Limit: render.ListRows, Members: true}, err
}

func (p page) title() string {
	name := "Incidents"
	switch {
	case slices.Equal(p.States, unresolved()):
		name = "Unresolved incidents"
	case len(p.States) == 1:
		name = map[alert.State]string{alert.Open: "Open incidents", alert.Acked: "Acknowledged incidents", alert.StateResolved: "Resolved incidents"}[p.States[0]]
	}
	if p.Mine != "" {
		name = "Your " + strings.ToLower(name[:1]) + name[1:]
	}
	if len(p.Words) > 0 {
		name += " with " + strings.Join(p.Words, " ")
	}
	if p.Matchers != "" {
		name += " with " + p.Matchers
	}
	return name
}

func (h *Handlers) list(ctx context.Context, a ask) render.Message {
	t := a.order.Target
	p := page{Matchers: t.Matchers.String(), Words: t.Words, States: t.States}
	if len(p.States) == 0 {
		p.States = unresolved()
	}
	if t.Mine {
		p.Mine = a.by.User
	}
	m, err := h.page(ctx, p)
	if err != nil {
		return h.apology("I can't read the list.", err)
	}
	return m
}

// page draws one page of a list, or the last one if the list has become shorter.
func (h *Handlers) page(ctx context.Context, p page) (render.Message, error) {
	filter, err := p.filter()
	if err != nil {
		return render.Message{}, err
	}
	total, err := h.count(ctx, filter)
	if err != nil {
		return render.Message{}, err
	}
	if p.From < 0 || p.From >= total {
		p.From = max(0, total-1) / render.ListRows * render.ListRows
		filter.Offset = p.From
	}
	rows, err := h.opts.Store.Incidents(ctx, filter)
	if err != nil {
		return render.Message{}, fmt.Errorf("read incidents: %w", err)
	}
	return render.List(p.view(rows, total)), nil
}

// view is the page with its rows, of total incidents.
func (p page) view(rows []alert.Incident, total int) render.ListView {
	view := render.ListView{Title: p.title(), Incidents: rows, From: p.From, Total: total, Here: p.at(p.From)}
	if p.From > 0 {
		view.Newer = p.at(max(0, p.From-render.ListRows))
	}
	if len(rows) == render.ListRows && p.From+len(rows) < total {
		view.Older = p.at(p.From + len(rows))
	}
	if near := nearList(p.Words); total == 0 && near != "" {
		view.Hint = "Did you mean " + near + "? The states are open, acked, resolved, all, and mine."
	}
	if m := (Target{Words: p.Words}).Labelled(); total == 0 && m != "" {
		view.Hint = "Did you mean `list " + m + "`?"
	}
	return view
}

// count counts incidents.
func (h *Handlers) count(ctx context.Context, f alert.IncidentFilter) (int, error) {
	n, err := h.opts.Store.Count(ctx, f)
	if err != nil {
		return 0, fmt.Errorf("count incidents: %w", err)
	}
	return n, nil
}

// showPage shows another page. It replaces a message that only this person sees;
// otherwise it is a private answer, because others are still reading the message.
func (h *Handlers) showPage(ctx context.Context, a bot.Action) error {
	var p page
	if json.Unmarshal([]byte(a.Value), &p) != nil {
		return h.respond(ctx, a.Caller, render.Gone())
	}
	m, err := h.page(ctx, p)
	if err != nil {
		return h.respond(ctx, a.Caller, h.apology("I can't read the list.", err))
	}
	return h.inPlace(ctx, a, m)
}

// inPlace replaces the message that was clicked if nobody else sees it, and answers
// privately otherwise.
func (h *Handlers) inPlace(ctx context.Context, a bot.Action, m render.Message) error {
	if !private(a) {
		return h.respond(ctx, a.Caller, m)
	}
	return h.say(ctx, a.Caller, m, func() error { return h.opts.Slack.Replace(ctx, a.Caller, m) })
}

// private reports whether nobody else sees the message that was clicked.
func private(a bot.Action) bool { return a.Ephemeral || strings.HasPrefix(a.Channel, "D") }
