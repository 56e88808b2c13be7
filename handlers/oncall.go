package handlers

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
	"tocsin/render"
)

// oncall shows who is notified of which alerts, and who has acknowledged what.
func (h *Handlers) oncall(ctx context.Context, a ask) render.Message {
	const most = 10
	taken, err := h.opts.Store.Incidents(ctx, alert.IncidentFilter{States: []alert.State{alert.Acked}, Limit: most + 1})
	if err != nil {
		return h.apology("I can't read who works on what.", fmt.Errorf("read incidents: %w", err))
	}
	routing := h.rules.Load().Routing
	view := render.OnCallView{Routing: routing, Taken: taken[:min(len(taken), most)], More: len(taken) > most, Now: h.opts.Now()}
	view.Names = h.names(ctx, mentions(routing))
	return render.OnCall(view)
}

func mentions(r alert.Routing) []string {
	var all []string
	for _, route := range r.Routes {
		all = alert.Union(all, route.Mention)
		for _, step := range route.Escalate {
			all = alert.Union(all, step.Mention)
		}
	}
	return all
}

// Limits of names: mentions, people of each group, and time.
const (
	maxNames   = 20
	maxInGroup = 5
	namesLimit = 3 * time.Second
)

// names looks up mentions: the name of a person, the members of a group. Those that
// Slack does not return in time are left out.
func (h *Handlers) names(ctx context.Context, mentions []string) map[string]string {
	ctx, cancel := context.WithTimeout(ctx, namesLimit)
	defer cancel()
	names := map[string]string{}
	for _, m := range mentions[:min(len(mentions), maxNames)] {
		if m == "here" || m == "channel" || ctx.Err() != nil {
			continue
		}
		people, err := h.opts.Slack.Members(ctx, m)
		if err != nil {
			h.opts.Log.Debug("look up a mention", zap.String("mention", m), zap.Error(err))
			continue
		}
		if name := h.namesOf(ctx, people); name != "" && isPerson(m) {
			names[m] = name
		} else if name != "" && !strings.Contains(m, "@") {
			names[m] = "a group (" + name + ")"
		} else if name != "" {
			names[m] = m + " (" + name + ")"
		}
	}
	return names
}

// namesOf lists people by their names: ann, bob and 3 more.
func (h *Handlers) namesOf(ctx context.Context, people []string) string {
	var all []string
	for _, id := range people[:min(len(people), maxInGroup)] {
		if name, err := h.opts.Slack.Name(ctx, id); err == nil && name != "" {
			all = append(all, name)
		}
	}
	if hidden := len(people) - len(all); hidden > 0 && len(all) > 0 {
		all = append(all, fmt.Sprintf("%d more", hidden))
	}
	return strings.Join(all, ", ")
}
