package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tocsin/alert"
	"tocsin/ingest"
	"tocsin/playground"
)

// described is what the daemon says of its API.
type described struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct{ Content map[string]any }
	}
	schemas *jsonschema.Compiler
}

func (p *process) description() described {
	p.t.Helper()
	var body json.RawMessage
	if err := p.ask("/v1/openapi.json", &body); err != nil {
		p.t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	d := described{schemas: jsonschema.NewCompiler()}
	if err == nil {
		err = d.schemas.AddResource("openapi.json", document)
	}
	if err == nil {
		err = json.Unmarshal(body, &d)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

// TestTheDaemonAnswersAsItsDescriptionSays asks for everything that can be read, while there
// is nothing and once there is something. The tests of api do the same for every other
// request and for errors.
func TestTheDaemonAnswersAsItsDescriptionSays(t *testing.T) {
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	d := p.description()
	p.readAll(d, nil)

	receipts := p.mustPush(map[string]any{"title": "disk full", "labels": map[string]string{"host": "db-3"}, "links": []any{"https://wiki.example/disk"}, "expires_in": "2h"})
	p.settle(receipts...)
	ack := map[string]any{"by": "ann", "note": "on it"}
	if err := p.client().call(t.Context(), http.MethodPost, "/v1/incidents/"+receipts[0].Incident+"/ack", ack, &struct{}{}); err != nil {
		t.Fatal(err)
	}
	var made struct{ Silence alert.Silence }
	quiet := map[string]any{"matchers": "host=web-1", "for": "1h"}
	if err := p.client().call(t.Context(), http.MethodPost, "/v1/silences", quiet, &made); err != nil {
		t.Fatal(err)
	}
	var list struct{ Deliveries []alert.Delivery }
	if err := p.ask("/v1/deliveries", &list); err != nil || len(list.Deliveries) == 0 {
		t.Fatalf("the deliveries are %+v (%v)", list, err)
	}
	p.readAll(d, map[string]string{
		"/v1/alerts/{id}": receipts[0].ID, "/v1/incidents/{id}": receipts[0].Incident, "/v1/deliveries/{id}": list.Deliveries[0].ID,
		"/api/v2/silence/{id}": made.Silence.ID,
	})
}

// readAll asks for everything that can be read, with these ids, and holds the answers
// against the description.
func (p *process) readAll(d described, ids map[string]string) {
	p.t.Helper()
	for path, methods := range d.Paths {
		get, ok := methods["get"]
		if _, isJSON := get.Responses["200"].Content["application/json"]; !ok || !isJSON || strings.Contains(path, "{id}") && ids[path] == "" {
			continue
		}
		var answer json.RawMessage
		if err := p.ask(strings.Replace(path, "{id}", ids[path], 1), &answer); err != nil {
			p.t.Errorf("%s: %v", path, err)
			continue
		}
		schema, err := d.schemas.Compile(fmt.Sprintf("openapi.json#/paths/%s/get/responses/200/content/application~1json/schema",
			url.PathEscape(strings.ReplaceAll(path, "/", "~1"))))
		if err != nil {
			p.t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer))
		if err == nil {
			err = schema.Validate(value)
		}
		if err != nil {
			p.t.Errorf("%s answers %s: %#v", path, answer, err)
		}
	}
}

func TestThePathOfEachToolIsDescribed(t *testing.T) {
	s := slack(t, playground.Options{})
	p := prepare(t, s, nil)
	p.start()
	d := p.description()
	for _, f := range ingest.Formats() {
		path := f.Path
		if strings.HasPrefix(path, "/v1/webhooks/") {
			path = "/v1/webhooks/{name}"
		}
		if _, ok := d.Paths[path]["post"]; !ok {
			t.Errorf("%s is not described: add it to Operations in api", f.Path)
		}
	}
}
