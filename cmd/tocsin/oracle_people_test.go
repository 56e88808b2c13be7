package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/alert"
)

// person acknowledges, resolves or writes a note about the incident of a key.
func (p *pusher) person(ctx context.Context, key string) error {
	verb := []alert.Verb{alert.VerbAck, alert.VerbAck, alert.VerbResolve, alert.VerbNote}[p.random.IntN(4)]
	s := p.stories[key]
	if s == nil || s.doubtful || s.opened().receipt.Incident == "" {
		return nil
	}
	by := &sent{tag: fmt.Sprintf("%s %d of a person", verb, p.made), key: key, lane: s.lane}
	effect, err := p.insist(ctx, s.opened().receipt.Incident, verb, by)
	if err != nil {
		return err
	}
	if want := s.person(verb, by); effect != want {
		return fmt.Errorf("%s had the effect %q, want %q", describe(s), effect, want)
	}
	return nil
}

// insist does something to an incident, and asks again under the same name until there is
// an answer.
func (p *pusher) insist(ctx context.Context, incident string, verb alert.Verb, by *sent) (alert.ActEffect, error) {
	p.made++
	for began := time.Now(); ; {
		got, err := p.act(ctx, incident, verb, fmt.Sprintf("p%d-%s", p.n, by.tag))
		if err == nil {
			return got.Effect, nil
		}
		p.elsewhere()
		if refusedForGood(err) || time.Since(began) > patience || !pause(ctx, 20*time.Millisecond) {
			return "", fmt.Errorf("%s (%s): %w", by.tag, by.key, err)
		}
	}
}

// act asks the daemon once.
func (p *pusher) act(ctx context.Context, incident string, verb alert.Verb, once string) (got actAnswer, err error) {
	body := `{"by": "oracle"}`
	if verb == alert.VerbNote {
		body = `{"by": "oracle", "note": "seen"}`
	}
	ctx, cancel := context.WithTimeout(ctx, p.limit())
	defer cancel()
	if err := p.mayGoOn(ctx); err != nil {
		return got, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.client().base+incidentPath(incident)+"/"+string(verb), strings.NewReader(body))
	if err != nil {
		return got, err
	}
	req.Header.Set("Idempotency-Key", once)
	resp, err := p.client().http.Do(req)
	if err != nil {
		return got, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	return got, p.client().answer(resp, &got)
}
