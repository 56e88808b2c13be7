package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tocsin/alert"
)

// Limits of what a person may ask for.
const (
	// maxActs is how many incidents one request may act on.
	maxActs = 1000
	// maxNote is the most characters of a note, maxWhy those of a silence's reason.
	maxNote = 20_000
	maxWhy  = 1000
)

// Act performs acts on incidents, all or none, and returns the result of each. The
// error is an *alert.InputError for an invalid act, or wraps alert.ErrOverloaded, alert.ErrUnavailable or alert.ErrInternal.
// If ctx ends first, its error is returned and the acts may have been done or not.
func (e *Engine) Act(ctx context.Context, acts []alert.Act) ([]alert.Acted, error) {
	if len(acts) == 0 || len(acts) > maxActs {
		return nil, &alert.InputError{Message: fmt.Sprintf("there are %d incidents in the request", len(acts)), Hint: fmt.Sprintf("name 1 to %d of them", maxActs)}
	}
	for _, a := range acts {
		if err := checkAct(a); err != nil {
			return nil, err
		}
	}
	keys, err := e.reopenedKeys(ctx, acts)
	if err != nil {
		return nil, fmt.Errorf("act: %w", err)
	}
	r, err := e.submit(ctx, input{acts: slices.Clone(acts), keys: keys})
	if err != nil {
		return nil, fmt.Errorf("act: %w", err)
	}
	return r.acted, nil
}

// reopenedKeys returns the keys of the incidents to reopen, which never change: the
// decision needs to know whether a key has a newer incident.
func (e *Engine) reopenedKeys(ctx context.Context, acts []alert.Act) ([]string, error) {
	var ids, keys []string
	for _, a := range acts {
		if a.Verb == alert.VerbReopen {
			ids = append(ids, a.Incident)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := e.store.Load(ctx, alert.Query{IDs: ids})
	for _, i := range found.Incidents {
		keys = append(keys, i.Key)
	}
	return keys, err
}

func checkAct(a alert.Act) error {
	switch a.Verb {
	case alert.VerbAck, alert.VerbUnack, alert.VerbResolve, alert.VerbReopen, alert.VerbAssign, alert.VerbNote:
	default:
		return &alert.InputError{Message: fmt.Sprintf("unknown verb %q", string(a.Verb)), Hint: "write ack, unack, resolve, reopen, assign or note"}
	}
	if a.Verb == alert.VerbAssign && a.To == (alert.Person{}) {
		return &alert.InputError{Message: "the assignee is missing", Hint: "name a person"}
	}
	if a.Verb == alert.VerbNote && strings.TrimSpace(a.Text) == "" {
		return &alert.InputError{Message: "the note is empty", Hint: "write what others should know"}
	}
	for _, s := range []string{a.Incident, a.RequestID, a.By.ID, a.By.Name, a.To.ID, a.To.Name} {
		if err := checkWritten("a name", s, alert.MaxKey); err != nil {
			return err
		}
	}
	return checkWritten("the note", a.Text, maxNote)
}

// checkWritten refuses text that no store can keep.
func checkWritten(what, s string, most int) error {
	switch {
	case !alert.ValidText(s):
		return &alert.InputError{Message: what + " is not valid text", Hint: "send text encoded as UTF-8, without NUL characters"}
	case utf8.RuneCountInString(s) > most:
		return &alert.InputError{Message: fmt.Sprintf("%s is longer than %d characters", what, most), Hint: "write less"}
	}
	return nil
}

// Silence creates a silence with the matchers, times, person and reason of s. With an ID it
// changes that one, or puts a new one in its place if they can't be the same (see
// alert.Silence.CanBecome); its hours and its channel stay. It returns the silence as stored.
// The errors are those of Act; one wraps alert.ErrNotFound for an unknown ID.
func (e *Engine) Silence(ctx context.Context, s alert.Silence) (alert.Silence, error) {
	now := e.now()
	s.Matchers, s.Why = slices.Clone(s.Matchers), strings.TrimSpace(s.Why)
	s.StartsAt, s.EndsAt = s.StartsAt.UTC().Truncate(time.Microsecond), s.EndsAt.UTC().Truncate(time.Microsecond)
	s = alert.Silence{ID: s.ID, Matchers: s.Matchers, StartsAt: s.StartsAt, EndsAt: s.EndsAt, Every: s.Every, By: s.By, Why: s.Why, Channel: s.Channel}
	if err := checkSilence(s, now); err != nil {
		return alert.Silence{}, err
	}
	r, err := e.submit(ctx, input{silence: &s})
	if err != nil {
		return alert.Silence{}, fmt.Errorf("silence: %w", err)
	}
	return r.silence, nil
}

func checkSilence(s alert.Silence, now time.Time) error {
	switch {
	case s.Matchers.Everything():
		return &alert.InputError{Message: "this would silence everything", Hint: `say what to silence, such as service="db"`}
	case !s.EndsAt.After(now):
		return &alert.InputError{Message: "the end of the silence is in the past", Hint: "write an end in the future"}
	case s.EndsAt.After(now.AddDate(1, 0, 0)):
		return &alert.InputError{Message: "the silence would last longer than a year", Hint: "write an end within a year"}
	case s.StartsAt.After(s.EndsAt):
		return &alert.InputError{Message: "the silence would end before it begins", Hint: "write an end after its beginning"}
	case !s.Active(now) && s.Next(now).IsZero():
		return &alert.InputError{Message: "the silence would never hide anything", Hint: "write an end after the hours at which it begins"}
	}
	for _, text := range []string{s.Matchers.String(), s.By.ID, s.By.Name} {
		if err := checkWritten("a matcher or name", text, maxNote); err != nil {
			return err
		}
	}
	return checkWritten("the reason", s.Why, maxWhy)
}

// Unsilence ends a silence early and returns it. One that has ended stays as it is.
// The error wraps alert.ErrNotFound for an unknown id, or is one of Act's.
func (e *Engine) Unsilence(ctx context.Context, id string, by alert.Person) (alert.Silence, error) {
	r, err := e.submit(ctx, input{unsilence: &endRequest{id: id, by: by}})
	if err != nil {
		return alert.Silence{}, fmt.Errorf("end silence: %w", err)
	}
	return r.silence, nil
}
