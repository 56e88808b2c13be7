package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"tocsin/alert"
	"tocsin/playground"
)

// pushUnder pushes a body under the idempotency key of a request.
func (p *process) pushUnder(key, kind, body string) (got []alert.Accepted, status int) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.client().base+"/v1/alerts", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("Content-Type", kind)
	resp, err := p.client().http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	var answer struct{ Alerts []alert.Accepted }
	err = p.client().answer(resp, &answer)
	if refusal, refused := errors.AsType[*answerError](err); refused && refusal.Hint == "" {
		p.t.Errorf("%v comes without a hint", err)
	}
	return answer.Alerts, resp.StatusCode
}

func TestAnIdempotencyKeyIsForOneBody(t *testing.T) {
	t.Parallel()
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	const one, lines = "application/json", "application/x-ndjson"
	for _, c := range []struct{ name, kind, first, other string }{
		{"an object", one, `{"title": "disk full", "labels": {"a": "1", "b": "2"}}`, `{"title": "disk full", "labels": {"a": "12"}}`},
		{"a text", "text/plain", "disk full", "disk fuller"},
		{"an array", one, `[{"title": "a"}, {"title": "b"}]`, `[{"title": "a"}, {"title": "c"}]`},
		{"a shorter array", one, `[{"title": "a"}, {"title": "b"}, {"title": "c"}]`, `[{"title": "a"}, {"title": "b"}]`},
		{"an object, then an array", one, `{"title": "a"}`, `[{"title": "a"}, {"title": "b"}]`},
		{"an array, then an object", one, `[{"title": "a"}, {"title": "b"}]`, `{"title": "a"}`},
		{"lines", lines, "{\"title\": \"a\"}\n{\"title\": \"b\"}", "{\"title\": \"a\"}\n{\"title\": \"b\", \"severity\": \"critical\"}"},
	} {
		first, status := p.pushUnder(c.name, c.kind, c.first)
		if status != http.StatusAccepted {
			t.Fatalf("%s: got %d", c.name, status)
		}
		again, status := p.pushUnder(c.name, c.kind, c.first)
		if status != http.StatusAccepted || len(again) != len(first) || again[0].ID != first[0].ID || again[0].Effect != alert.EffectDuplicate {
			t.Errorf("%s again: got %d, %+v, want the receipts %+v", c.name, status, again, first)
		}
		before := p.ledger().Total.Accepted
		if _, status = p.pushUnder(c.name, c.kind, c.other); status != http.StatusConflict {
			t.Errorf("%s with another body: got %d, want %d", c.name, status, http.StatusConflict)
		}
		if after := p.ledger().Total.Accepted; after != before {
			t.Errorf("%s with another body: %d alerts were accepted", c.name, after-before)
		}
	}
	field := map[string]any{"title": "a", "idempotency_key": "field"}
	p.mustPush(field)
	field["title"] = "b"
	if _, err := p.push(field); err == nil {
		t.Error("the field was taken for two bodies")
	}
	if _, err := p.push(map[string]any{"title": "a", "idempotency_key": "twice"}, map[string]any{"title": "b", "idempotency_key": "twice"}); err == nil {
		t.Error("one request was taken with two bodies under one key")
	}
	p.kill()
	p.change(`UPDATE alerts SET body = json_remove(body, '$.hash') WHERE idempotency_key = 'a text'`) // as an earlier version wrote it
	p.start()
	if _, status := p.pushUnder("a text", "text/plain", "something else"); status != http.StatusAccepted {
		t.Errorf("an alert without a known body refuses another one with %d", status)
	}
	if _, status := p.pushUnder("an object", one, `{"title": "x"}`); status != http.StatusConflict {
		t.Errorf("after a restart: got %d", status)
	}
}
