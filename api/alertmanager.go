package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"tocsin/alert"
)

// Alertmanager's API, version 2, so that amtool, Grafana, karma and its other clients work
// with Tocsin: an incident is an alert, a conversation is a receiver. Its description is
// https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml. Alerts are
// posted to it by a Webhook.

// AlertmanagerVersion is the version of Alertmanager whose API this is: clients look at it.
const AlertmanagerVersion = "0.25.0"

// mostShown is how many alerts are listed at most.
const mostShown = 50_000

// amReceiver, amAlert, amAlertStatus and amGroup are what Alertmanager's API calls receiver,
// gettableAlert, alertStatus and alertGroup.
type amReceiver struct {
	Name string `json:"name"`
}

type amAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	Receivers    []amReceiver      `json:"receivers"`
	Fingerprint  string            `json:"fingerprint"`
	StartsAt     time.Time         `json:"startsAt"`
	UpdatedAt    time.Time         `json:"updatedAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
	Status       amAlertStatus     `json:"status"`
	// in are the groups that it is in.
	in []amPlace
}

// amPlace is the group of an alert: the labels by which its alerts are grouped, its key, and the
// receivers that have it. Both are empty without groups. alone is set if each alert is one.
type amPlace struct {
	labels    map[string]string
	key       string
	alone     bool
	receivers []amReceiver
}

type amAlertStatus struct {
	State       string   `json:"state"`
	SilencedBy  []string `json:"silencedBy"`
	InhibitedBy []string `json:"inhibitedBy"`
	MutedBy     []string `json:"mutedBy"`
}

type amGroup struct {
	Labels   map[string]string `json:"labels"`
	Receiver amReceiver        `json:"receiver"`
	// RouteLabels are empty: routes have no labels. Clients since 0.35 need them.
	RouteLabels map[string]string `json:"routeLabels"`
	Alerts      []amAlert         `json:"alerts"`
}

// handleAlertmanager serves Alertmanager's API. With mayAct false, silences can only be
// read.
func (a *API) handleAlertmanager(mux router, mayAct bool) {
	for pattern, answer := range map[string]answer{
		"GET /api/v2/status":        a.amStatus,
		"GET /api/v2/receivers":     a.amReceivers,
		"GET /api/v2/alerts":        a.amAlerts,
		"GET /api/v2/alerts/groups": a.amGroups,
		"GET /api/v2/silences":      a.amSilences,
		"GET /api/v2/silence/{id}":  a.amSilence,
	} {
		mux.Handle(pattern, a.asAlertmanager(answer))
	}
	for pattern, answer := range map[string]answer{
		"POST /api/v2/silences":       a.amPostSilence,
		"DELETE /api/v2/silence/{id}": a.amEndSilence,
	} {
		if !mayAct {
			answer = refuseAct
		}
		mux.Handle(pattern, a.asAlertmanager(answer))
	}
	a.refuseAMPaths(mux)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) })
	mux.HandleFunc("GET /-/ready", a.readyz)
}

// asAlertmanager is handle with errors as Alertmanager's: a JSON string, an object about a
// malformed request, or nothing about what is not there.
func (a *API) asAlertmanager(answer answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		value, err := answer(r)
		switch {
		case err == nil && value == nil:
			w.WriteHeader(http.StatusOK)
		case err == nil:
			writeJSON(w, http.StatusOK, value)
		default:
			a.refuseAM(w, r, err)
		}
	})
}

// amPaths is how the paths of Alertmanager's API begin.
const amPaths = "/api/v2/"

func (a *API) refuseAM(w http.ResponseWriter, r *http.Request, err error) {
	var malformed amMalformed
	if errors.As(err, &malformed) {
		malformed.answer(w)
		return
	}
	switch e := a.refuse(w, r, err); {
	case e.status != http.StatusNotFound:
		writeJSON(w, e.status, strings.TrimSuffix(e.what+": "+e.hint, ": "))
	case r.Method == http.MethodPost:
		writeJSON(w, e.status, "silence not found")
	default:
		w.WriteHeader(e.status)
	}
}

// amMalformed is a request that is not as the API's description says: Alertmanager answers
// it with this object instead of a string.
type amMalformed struct {
	// Code is the status, or from 600 on a rule of the description: the status is 422 then.
	Code    int    `json:"code"`
	Message string `json:"message"`
}

const (
	amFormat   = 601
	amRequired = 602
	amTooFew   = 612
)

// Error is the message.
func (m amMalformed) Error() string { return m.Message }

func (m amMalformed) answer(w http.ResponseWriter) {
	status := m.Code
	if status >= 600 {
		status = http.StatusUnprocessableEntity
	}
	writeJSON(w, status, m)
}

// refuseAMPaths refuses paths and methods that the API does not have.
func (a *API) refuseAMPaths(mux router) {
	for path, methods := range map[string]string{
		"status": "GET", "receivers": "GET", "alerts": "GET,POST", "alerts/groups": "GET", "silences": "GET,POST", "silence/{id}": "DELETE,GET",
	} {
		mux.HandleFunc(amPaths+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", methods)
			amMalformed{http.StatusMethodNotAllowed, fmt.Sprintf("method %s is not allowed, but [%s] are", r.Method, methods)}.answer(w)
		})
	}
	mux.HandleFunc(amPaths, func(w http.ResponseWriter, r *http.Request) {
		amMalformed{http.StatusNotFound, fmt.Sprintf("path %s was not found", r.URL.Path)}.answer(w)
	})
}

// amStatus is what Alertmanager's API calls alertmanagerStatus.
type amStatus struct {
	Cluster struct {
		Status string   `json:"status"`
		Peers  []string `json:"peers"`
	} `json:"cluster"`
	VersionInfo amVersion `json:"versionInfo"`
	Config      struct {
		Original string `json:"original"`
	} `json:"config"`
	Uptime time.Time `json:"uptime"`
}

type amVersion struct {
	Version   string `json:"version"`
	Branch    string `json:"branch"`
	Revision  string `json:"revision"`
	BuildUser string `json:"buildUser"`
	BuildDate string `json:"buildDate"`
	GoVersion string `json:"goVersion"`
}

func (a *API) amStatus(*http.Request) (any, error) {
	status := amStatus{
		VersionInfo: amVersion{Version: AlertmanagerVersion, Branch: "tocsin", Revision: a.opts.Version}, Uptime: a.started.UTC(),
	}
	status.Cluster.Status, status.Cluster.Peers = "disabled", []string{}
	status.Config.Original = amConfig(a.opts.Routing)
	return status, nil
}

// amConfig is the routing as Alertmanager's configuration, for amtool config routes.
func amConfig(routing alert.Routing) string {
	var out strings.Builder
	fmt.Fprintf(&out, "route:\n  receiver: %s\n", strconv.Quote(routing.Default))
	if len(routing.Routes) > 0 {
		out.WriteString("  routes:\n")
	}
	for _, route := range routing.Routes {
		fmt.Fprintf(&out, "  - receiver: %s\n    continue: %t\n", strconv.Quote(receiverOf(route, routing)), route.Continue)
		writeGroupBy(&out, route.GroupBy)
		writeMatchers(&out, "    matchers:\n", route.Matchers)
	}
	if len(routing.Inhibit) > 0 {
		out.WriteString("inhibit_rules:\n")
	}
	for _, rule := range routing.Inhibit {
		fmt.Fprintf(&out, "- equal: %s\n", quotedList(rule.Equal))
		writeMatchers(&out, "  source_matchers:\n", rule.Source)
		writeMatchers(&out, "  target_matchers:\n", rule.Target)
	}
	out.WriteString("receivers:\n")
	for _, name := range receivers(routing) {
		fmt.Fprintf(&out, "- name: %s\n", strconv.Quote(name))
	}
	return out.String()
}

// amLabel matches the names of labels that Alertmanager 0.25 knows.
var amLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// writeGroupBy writes by which labels a route groups, unless Alertmanager would not load that.
func writeGroupBy(out *strings.Builder, names []string) {
	all := slices.Equal(names, []string{alert.AllLabels})
	if len(names) > 0 && (all || !slices.ContainsFunc(names, func(name string) bool { return !amLabel.MatchString(name) })) {
		fmt.Fprintf(out, "    group_by: %s\n", quotedList(names))
	}
}

func quotedList(texts []string) string {
	quoted := make([]string, len(texts))
	for n, text := range texts {
		quoted[n] = strconv.Quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// writeMatchers writes matchers as a list below head, or nothing without any.
func writeMatchers(out *strings.Builder, head string, matchers alert.Matchers) {
	if len(matchers) > 0 {
		out.WriteString(head)
	}
	for _, m := range matchers {
		fmt.Fprintf(out, "%s- %s\n", head[:strings.IndexFunc(head, unicode.IsLetter)], strconv.Quote(amMatcherOf(m).String()))
	}
}

// receiverOf is a route's conversations as the name of a receiver.
func receiverOf(route alert.Route, routing alert.Routing) string {
	if len(route.To) == 0 {
		return routing.Default
	}
	return strings.Join(route.To, ", ")
}

// receivers are the names of all receivers.
func receivers(routing alert.Routing) []string {
	names := []string{routing.Default}
	for _, route := range routing.Routes {
		names = append(names, receiverOf(route, routing))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (a *API) amReceivers(*http.Request) (any, error) {
	all := []amReceiver{}
	for _, name := range receivers(a.opts.Routing) {
		all = append(all, amReceiver{name})
	}
	return all, nil
}

// amAlerts answers the alerts whose incidents are not resolved, and of groups their members.
func (a *API) amAlerts(r *http.Request) (any, error) {
	f, err := readAMFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	all, err := a.unresolved(r.Context(), f)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(x, y amAlert) int { return cmp.Compare(x.Fingerprint, y.Fingerprint) })
	return append([]amAlert{}, all...), nil
}

// amGroups answers the same by group and receiver, in Alertmanager's order.
func (a *API) amGroups(r *http.Request) (any, error) {
	f, err := readAMFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	all, err := a.unresolved(r.Context(), f)
	if err != nil {
		return nil, err
	}
	type place struct{ receiver, group string }
	by := map[place]*amGroup{}
	for _, one := range all {
		for _, in := range one.in {
			for _, to := range in.receivers {
				if !f.receives(to) {
					continue
				}
				at := place{to.Name, in.key}
				if by[at] == nil {
					by[at] = &amGroup{Labels: in.labels, Receiver: to, RouteLabels: map[string]string{}}
				}
				by[at].Alerts = append(by[at].Alerts, one)
			}
		}
	}
	groups := []amGroup{}
	for _, at := range slices.SortedFunc(maps.Keys(by), func(x, y place) int {
		return cmp.Or(compareAMLabels(by[x].Labels, by[y].Labels), cmp.Compare(x.receiver, y.receiver), cmp.Compare(x.group, y.group))
	}) {
		groups = append(groups, *by[at])
	}
	return groups, nil
}

// amFilter is which alerts a request asks for.
type amFilter struct {
	active, silenced, inhibited bool
	matchers                    alert.Matchers
	receiver                    *regexp.Regexp
}

// maxReceiver is how long the expression for a receiver may be.
const maxReceiver = 1000

func readAMFilter(q url.Values) (amFilter, error) {
	f := amFilter{active: true, silenced: true, inhibited: true}
	for name, to := range map[string]*bool{"active": &f.active, "silenced": &f.silenced, "inhibited": &f.inhibited} {
		if text := q.Get(name); text != "" {
			*to = amTrue(text)
		}
	}
	var err error
	if f.matchers, err = amFilterMatchers(q); err != nil {
		return f, err
	}
	if text := q.Get("receiver"); text != "" {
		if f.receiver, err = regexp.Compile("^(?:" + text + ")$"); err != nil || len(text) > maxReceiver {
			return f, &httpError{http.StatusBadRequest, "failed to parse receiver param", "write a regular expression"}
		}
	}
	return f, nil
}

// amTrue is how Alertmanager reads a boolean: whatever does not say yes is no.
func amTrue(text string) bool {
	return slices.Contains([]string{"true", "1", "t", "yes", "y", "on", "ok", "enabled", "selected", "checked"}, strings.ToLower(text))
}

func (f amFilter) keeps(one amAlert) bool {
	shown := (f.active || one.Status.State != "active") && (f.silenced || len(one.Status.SilencedBy) == 0) &&
		(f.inhibited || len(one.Status.InhibitedBy) == 0)
	return shown && slices.ContainsFunc(one.Receivers, f.receives) && amMatch(f.matchers, one.Labels)
}

func (f amFilter) receives(r amReceiver) bool {
	return f.receiver == nil || f.receiver.MatchString(r.Name)
}

// unresolved lists the alerts that a request asks for, those that became so last first. What
// is several incidents is one alert.
func (a *API) unresolved(ctx context.Context, f amFilter) ([]amAlert, error) {
	list, err := a.opts.Store.Incidents(ctx, alert.IncidentFilter{States: []alert.State{alert.Open, alert.Acked}, Limit: mostShown})
	if err != nil {
		return nil, err
	}
	now, singles, n := a.opts.Now(), make([][]alert.Incident, len(list)), 0
	silences, err := a.opts.Store.Silences(ctx, alert.SilenceFilter{At: now, Limit: mostSilences})
	if err != nil {
		return nil, err
	}
	silences = slices.DeleteFunc(silences, func(s alert.Silence) bool { return !s.Active(now) })
	for at, i := range list {
		if singles[at], err = a.singly(ctx, i, mostShown-n); err != nil {
			return nil, err
		}
		n += len(singles[at])
	}
	inhibition := amInhibition(a.opts.Routing.Inhibit, singles)
	var all []amAlert
	known := map[string]int{} // places in all, by fingerprint
	for at, i := range list {
		in := a.amPlaceOf(i)
		for _, i := range singles[at] {
			one := amAlertOf(i, now)
			one.Status.SilencedBy = alert.Union(one.Status.SilencedBy, alsoSilencedBy(i, list[at].Key, silences))
			one.in = []amPlace{in.of(one)}
			// What a silence hides is not looked at here; Alertmanager looks at both.
			if by, inhibited := inhibition.Of(i.Subject(), i.InhibitedBy); inhibited && (by.ID == i.InhibitedBy || i.Silence != "") {
				one.Status.InhibitedBy = []string{by.Key} // Alertmanager names fingerprints
			}
			if at, has := known[one.Fingerprint]; has && maps.Equal(all[at].Labels, one.Labels) {
				all[at].merge(one)
				continue
			}
			known[one.Fingerprint] = len(all)
			all = append(all, one)
		}
	}
	return slices.DeleteFunc(all, func(one amAlert) bool { return !f.keeps(one) }), nil
}

// amInhibition knows the alerts that inhibit others.
func amInhibition(rules []alert.InhibitRule, singles [][]alert.Incident) *alert.Inhibition {
	known := alert.NewInhibition(rules)
	for _, i := range slices.Concat(singles...) {
		known.Set(i, nil)
	}
	return known
}

// alsoSilencedBy are the ids of the silences that match an alert which is hidden, by its own key or
// by that of its group.
func alsoSilencedBy(i alert.Incident, group string, active []alert.Silence) (ids []string) {
	if !i.Hidden() {
		return nil
	}
	own := i.Subject()
	grouped := own
	grouped.Key = group
	for _, s := range active {
		if s.Matchers.Match(own) || s.Matchers.Match(grouped) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// merge adds the same alert of another incident.
func (one *amAlert) merge(other amAlert) {
	for _, r := range other.Receivers {
		if !slices.Contains(one.Receivers, r) {
			one.Receivers = append(one.Receivers, r)
		}
	}
	one.in = append(one.in, other.in...)
	if other.StartsAt.Before(one.StartsAt) {
		one.StartsAt = other.StartsAt
	}
	if other.UpdatedAt.After(one.UpdatedAt) {
		one.UpdatedAt, one.EndsAt = other.UpdatedAt, other.EndsAt
	}
	one.Status.SilencedBy = alert.Union(one.Status.SilencedBy, other.Status.SilencedBy)
	one.Status.InhibitedBy = alert.Union(one.Status.InhibitedBy, other.Status.InhibitedBy)
	if other.Status.State == "active" {
		one.Status.State = other.Status.State
	}
}

// singly lists the firing members of a group, at most so many, as incidents of their own.
// Any other incident is one.
func (a *API) singly(ctx context.Context, i alert.Incident, most int) ([]alert.Incident, error) {
	if i.Group == nil {
		return []alert.Incident{i}, nil
	}
	fire := i.Group.All() - i.Group.Over()
	members, err := a.opts.Store.GroupMembers(ctx, i.ID, 0, max(min(fire, most), 0))
	var all []alert.Incident
	for _, m := range members {
		if m.Status == alert.Firing {
			all = append(all, i.Member(m))
		}
	}
	return all, err
}

// amAnnotations are the annotations of an incident as they were sent, or what it says where
// none were: by another tool, or before they were stored.
func amAnnotations(i alert.Incident) map[string]string {
	if i.Annotations != nil {
		return i.Annotations
	}
	all := map[string]string{"summary": cmp.Or(i.SentTitle, i.Title)}
	if i.Text != "" {
		all["description"] = i.Text
	}
	return all
}

// amAlertOf is an incident as an alert of Alertmanager's. If it is one, its labels are as they
// were sent.
func amAlertOf(i alert.Incident, now time.Time) amAlert {
	one := amAlert{
		Labels: map[string]string{}, Annotations: amAnnotations(i), Receivers: []amReceiver{},
		Fingerprint: i.Key, StartsAt: i.Began(), UpdatedAt: i.LastAt, EndsAt: i.ExpiresAt,
		Status: amAlertStatus{State: "active", SilencedBy: []string{}, InhibitedBy: []string{}, MutedBy: []string{}},
	}
	if i.Source != "prometheus" && i.Source != "alertmanager" {
		one.Labels["alertname"] = i.Title
	}
	if alert.LabelFingerprint(i.Labels) != i.Key { // its severity was a label, or it is not Alertmanager's
		one.Labels["severity"] = string(i.Severity)
	}
	maps.Copy(one.Labels, i.Labels)
	if n := slices.IndexFunc(i.Links, func(l alert.Link) bool { return l.Label == "Graph" }); n >= 0 {
		one.GeneratorURL = i.Links[n].URL
	}
	if i.Silence != "" {
		one.Status.State, one.Status.SilencedBy = "suppressed", []string{i.Silence}
	}
	if i.InhibitedBy != "" {
		one.Status.State, one.Status.InhibitedBy = "suppressed", []string{i.InhibitedBy}
	}
	if i.ExpiresAt.IsZero() { // Alertmanager's alerts always have an end
		one.EndsAt = now.Add(time.Hour).UTC().Truncate(time.Second)
	}
	one.Receivers = amReceiversOf(i)
	return one
}
