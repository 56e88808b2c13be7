package api

import (
	"net/http"
	"time"

	"tocsin/alert"
)

// onCallRoute is who is notified of the alerts of one route.
type onCallRoute struct {
	Route    string         `json:"route"`
	Matchers string         `json:"matchers"`
	To       []string       `json:"to"`
	Mention  []string       `json:"mention"`
	Steps    []onCallStep   `json:"steps"`
	Quiet    time.Time      `json:"quiet_until,omitzero"`
	Below    alert.Severity `json:"quiet_below,omitempty"`
	Held     string         `json:"held_by,omitempty"`
}

// onCallStep is who else is notified while nobody acknowledges.
type onCallStep struct {
	After   string   `json:"after"`
	To      []string `json:"to"`
	Mention []string `json:"mention"`
}

// onCallList is who is notified of which alerts, and the incidents that people work on.
type onCallList struct {
	Routes []onCallRoute    `json:"routes"`
	Taken  []alert.Incident `json:"taken"`
}

// readOnCall answers who is notified of which alerts, the default route last, and who
// works on what.
func (a *API) readOnCall(r *http.Request) (any, error) {
	taken, err := a.opts.Store.Incidents(r.Context(), alert.IncidentFilter{States: []alert.State{alert.Acked}, Limit: mostListed})
	if err != nil {
		return nil, err
	}
	routing, now := a.opts.Routing, a.opts.Now()
	routes := []onCallRoute{}
	for _, route := range routing.Routes {
		routes = append(routes, onCall(route, routing.Default, now))
	}
	routes = append(routes, onCall(alert.Route{Name: alert.DefaultRoute}, routing.Default, now))
	return onCallList{routes, append([]alert.Incident{}, taken...)}, nil
}

func onCall(route alert.Route, otherwise string, now time.Time) onCallRoute {
	shown := onCallRoute{Route: route.Name, Matchers: route.Matchers.String(), To: strs(route.To), Mention: strs(route.Mention), Steps: []onCallStep{}}
	if len(shown.To) == 0 {
		shown.To = []string{otherwise}
	}
	for _, step := range route.Escalate {
		shown.Steps = append(shown.Steps, onCallStep{step.After.String(), strs(step.To), strs(step.Mention)})
	}
	if held, ok := route.Hold().At(now, alert.Info); ok {
		shown.Quiet, shown.Held = held.Until, held.Why
		if !held.Muted {
			shown.Below = route.Quiet.Below
		}
	}
	return shown
}

// strs is a list in JSON, also without elements.
func strs(all []string) []string { return append([]string{}, all...) }
