package api

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/alert"
)

// amSilence, amPosted, amMatcher and amMade are what Alertmanager's API calls
// gettableSilence, postableSilence and matcher, and the answer to a posted silence.
type amSilence struct {
	amPosted
	Status struct {
		State string `json:"state" enum:"pending,active,expired"`
	} `json:"status"`
	UpdatedAt time.Time `json:"updatedAt"`
}

type amPosted struct {
	ID        string      `json:"id"`
	Matchers  []amMatcher `json:"matchers" required:"true" minItems:"1"`
	StartsAt  time.Time   `json:"startsAt" required:"true"`
	EndsAt    time.Time   `json:"endsAt" required:"true"`
	CreatedBy string      `json:"createdBy" required:"true"`
	Comment   string      `json:"comment" required:"true"`
}

type amMatcher struct {
	Name    string `json:"name" required:"true"`
	Value   string `json:"value" required:"true"`
	IsRegex bool   `json:"isRegex" required:"true"`
	// IsEqual is true if it is missing.
	IsEqual *bool `json:"isEqual"`
}

type amMade struct {
	SilenceID string `json:"silenceID"`
}

// mostSilences is how many silences are listed that have ended, and that have not.
const mostSilences = 1000

// amSilences answers the silences, those that have ended too.
func (a *API) amSilences(r *http.Request) (any, error) {
	matchers, err := amFilterMatchers(r.URL.Query())
	if err != nil {
		return nil, err
	}
	now := a.opts.Now()
	all := []amSilence{}
	for _, f := range []alert.SilenceFilter{{At: now, Limit: mostSilences}, {Limit: mostSilences}} {
		list, err := a.opts.Store.Silences(r.Context(), f)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			one := amSilenceOf(s, now)
			if s.Over(now) == f.At.IsZero() && amMatch(matchers, one.patterns()) {
				all = append(all, one)
			}
		}
	}
	return all, nil
}

// isUUID reports whether id is formed as those of Alertmanager's silences.
func isUUID(id string) bool {
	_, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	return err == nil && len(id) == len("00000000-0000-0000-0000-000000000000")
}

// amSilenceID is the id of a silence that a path names.
func amSilenceID(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !alert.IsSilenceID(id) && !isUUID(id) {
		return id, amMalformed{amFormat, fmt.Sprintf("silenceID in path must be of type uuid: %q", id)}
	}
	return id, nil
}

func (a *API) amSilence(r *http.Request) (any, error) {
	id, err := amSilenceID(r)
	if err != nil {
		return nil, err
	}
	list, err := a.opts.Store.Silences(r.Context(), alert.SilenceFilter{ID: id})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("silence %s: %w", id, alert.ErrNotFound)
	}
	return amSilenceOf(list[0], a.opts.Now()), nil
}

func amSilenceOf(s alert.Silence, now time.Time) amSilence {
	one := amSilence{UpdatedAt: s.UpdatedAt, amPosted: amPosted{
		ID: s.ID, StartsAt: s.Begins(), EndsAt: s.EndsAt, CreatedBy: cmp.Or(s.By.Name, s.By.ID), Comment: s.Why, Matchers: []amMatcher{},
	}}
	switch one.Status.State = "pending"; {
	case s.Over(now):
		one.Status.State = "expired"
	case s.Active(now):
		one.Status.State = "active"
	}
	for _, m := range s.Matchers {
		one.Matchers = append(one.Matchers, amMatcherOf(m))
	}
	return one
}

// patterns are what a silence's matchers compare with, by name.
func (s amSilence) patterns() map[string]string {
	all := make(map[string]string, len(s.Matchers))
	for _, m := range s.Matchers {
		all[m.Name] = m.Value
	}
	return all
}

// labelPrefix has a matcher compare a label and nothing else, and severityLabel is the label
// that Tocsin reads otherwise.
const (
	labelPrefix   = "labels."
	severityLabel = "severity"
)

// amMatcherOf is a matcher as Alertmanager knows them: one that compares severities becomes
// a regular expression.
func amMatcherOf(m alert.Matcher) amMatcher {
	equal := m.Op == "=" || m.Op == "=~"
	switch m.Op {
	case "=", "!=", "=~", "!~":
		return amMatcher{Name: strings.TrimPrefix(m.Name, labelPrefix), Value: m.Value, IsRegex: strings.HasSuffix(m.Op, "~"), IsEqual: &equal}
	}
	var fitting []string
	for _, s := range alert.Severities() {
		if m.Match(alert.Subject{Severity: s}) {
			fitting = append(fitting, string(s))
		}
	}
	equal = true
	return amMatcher{Name: m.Name, Value: strings.Join(fitting, "|"), IsRegex: true, IsEqual: &equal}
}

func (m amMatcher) op() string {
	op := "="
	if m.IsEqual != nil && !*m.IsEqual {
		op = "!"
	}
	switch {
	case m.IsRegex:
		return op + "~"
	case op == "!":
		return "!="
	}
	return op
}

func (m amMatcher) equal(to amMatcher) bool {
	return m.Name == to.Name && m.op() == to.op() && m.Value == to.Value
}

// String is the matcher as it is written.
func (m amMatcher) String() string {
	return alert.Matcher{Name: m.Name, Op: m.op(), Value: m.Value}.String()
}

// amPostSilence creates a silence, or changes the one whose id it has.
func (a *API) amPostSilence(r *http.Request) (any, error) {
	sent, err := readBody(r)
	if err != nil {
		return nil, err
	}
	var body amPosted
	if len(sent) == 0 {
		return nil, amMalformed{amRequired, "silence in body is required"}
	}
	if err := json.Unmarshal(sent, &body); err != nil {
		return nil, amMalformed{http.StatusBadRequest, `parsing silence body from "" failed, because ` + err.Error()}
	}
	if err := requireAM(sent); err != nil {
		return nil, err
	}
	s, err := a.readAMSilence(r, body)
	if err != nil {
		return nil, err
	}
	if body.ID != "" {
		if s, err = a.changed(r, s, body); err != nil {
			return nil, err
		}
	}
	if s, err = a.opts.Engine.Silence(r.Context(), s); err != nil {
		return nil, err
	}
	return amMade{s.ID}, nil
}

// changed is a silence that was sent with an id, where what is as it was answered stays as it
// is kept: Tocsin's own matchers and persons can't all be written as Alertmanager's.
func (a *API) changed(r *http.Request, s alert.Silence, body amPosted) (alert.Silence, error) {
	list, err := a.opts.Store.Silences(r.Context(), alert.SilenceFilter{ID: body.ID})
	if err != nil {
		return s, err
	}
	if len(list) == 0 {
		return s, fmt.Errorf("silence %s: %w", body.ID, alert.ErrNotFound)
	}
	old := list[0]
	answered := amSilenceOf(old, a.opts.Now())
	if slices.EqualFunc(answered.Matchers, body.Matchers, amMatcher.equal) {
		s.Matchers = old.Matchers
	}
	if answered.CreatedBy == body.CreatedBy {
		s.By = old.By
	}
	s.ID = old.ID
	return s, nil
}

// requireAM refuses a silence in which something is missing that Alertmanager requires. sent
// is one that can be read.
func requireAM(sent []byte) error {
	var has struct {
		Comment, CreatedBy, EndsAt, StartsAt json.RawMessage
		Matchers                             []struct{ IsRegex, Name, Value json.RawMessage }
	}
	if err := json.Unmarshal(sent, &has); err != nil {
		return err
	}
	type member struct {
		name  string
		value json.RawMessage
	}
	members := []member{{"comment", has.Comment}, {"createdBy", has.CreatedBy}, {"endsAt", has.EndsAt}, {"startsAt", has.StartsAt}}
	for n, m := range has.Matchers {
		at := fmt.Sprintf("matchers.%d.", n)
		members = append(members, member{at + "isRegex", m.IsRegex}, member{at + "name", m.Name}, member{at + "value", m.Value})
	}
	for _, m := range members {
		if len(m.value) == 0 || string(m.value) == "null" {
			return amMalformed{amRequired, m.name + " in body is required"}
		}
	}
	switch {
	case has.Matchers == nil:
		return amMalformed{amRequired, "matchers in body is required"}
	case len(has.Matchers) == 0:
		return amMalformed{amTooFew, "matchers in body should have at least 1 items"}
	}
	return nil
}

func (a *API) readAMSilence(r *http.Request, body amPosted) (alert.Silence, error) {
	by, err := person("createdBy", alert.ParsePerson(body.CreatedBy))
	if err != nil {
		return alert.Silence{}, err
	}
	written := make([]string, len(body.Matchers))
	for n, m := range body.Matchers {
		if m.Name == severityLabel { // the word that was sent, not every alert that is as severe
			if known, _ := alert.ParseSeverity(m.Value); !m.IsRegex && known.IsWord(m.Value) {
				m.Value = string(known)
			}
		}
		m.Name = alert.LabelMatcher(m.Name, "").Name
		written[n] = m.String()
	}
	matchers, err := alert.ParseMatchers(strings.Join(written, ", "))
	switch now := a.opts.Now(); {
	case err != nil:
		return alert.Silence{}, err
	case !body.EndsAt.After(body.StartsAt):
		return alert.Silence{}, &httpError{http.StatusBadRequest, "Failed to create silence: start time must be before end time", ""}
	case body.EndsAt.Before(now):
		return alert.Silence{}, &httpError{http.StatusBadRequest, "Failed to create silence: end time can't be in the past", ""}
	}
	return alert.Silence{
		Matchers: matchers, StartsAt: body.StartsAt, EndsAt: body.EndsAt, Why: strings.TrimSpace(body.Comment), By: a.inSlack(r.Context(), orCaller(by, r)),
	}, nil
}

func (a *API) amEndSilence(r *http.Request) (any, error) {
	id, err := amSilenceID(r)
	if err != nil {
		return nil, err
	}
	_, err = a.opts.Engine.Unsilence(r.Context(), id, orCaller(alert.Person{}, r))
	return nil, err
}
