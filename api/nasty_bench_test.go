package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tocsin/api"
)

// nasty are bodies of nearly 1 MiB that say little.
func nasty() map[string]string {
	const room = 1<<20 - 100
	fill := func(begin, part, end string) string { return begin + strings.Repeat(part, room/len(part)) + end }
	return map[string]string{
		"brackets":           strings.Repeat("[", room),
		"balanced brackets":  strings.Repeat("[", room/2) + strings.Repeat("]", room/2),
		"nested in a label":  `{"title":"x","labels":{"a":` + strings.Repeat("[", room/2) + strings.Repeat("]", room/2) + `}}`,
		"objects":            fill("", `{"a":`, ""),
		"empty arrays":       fill("[", "[],", "[]]"),
		"arrays in a member": fill(`{"title":"x","y":[`, "[],", "[]]}"),
		"numbers":            fill("[", "1e9,", "0]"),
		"one number":         fill(`{"title":`, "9", "}"),
		"keys":               fill(`{"title":"x"`, `,"k":1`, "}"),
		"escapes":            fill(`{"title":"`, `\ud83d\ude00`, `"}`),
		"lone surrogates":    fill(`{"title":"`, `\ud83d`, `"}`),
		"quotes":             fill(`{"title":"`, `\"`, `"}`),
		"expires_in":         fill(`{"title":"x","expires_in":"`, "1h", `"}`),
		"labels in a text":   fill(`{"title":"x","labels":"`, "a=b,", `"}`),
		"links in a text":    fill(`{"title":"x","links":"`, "http://a/b,", `"}`),
		"one string":         fill(`"`, "x", `"`),
		"lines of brackets":  fill("", "[[[[[[[[\n", ""),
	}
}

// BenchmarkNastyJSON is the time until 1 MiB of JSON that says nothing is refused, or
// accepted by an engine that does nothing.
func BenchmarkNastyJSON(b *testing.B) {
	bodies := nasty()
	var keys strings.Builder
	for n := 0; keys.Len() < 1<<20-100; n++ {
		fmt.Fprintf(&keys, `,"%x":1`, n)
	}
	bodies["different keys"] = `{"title":"x"` + keys.String() + `}`
	for name, body := range bodies {
		for _, kind := range []string{"application/json", "application/x-ndjson"} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				opts := hooks()
				opts.Engine, opts.Store = &engine{}, knows{&reader{}, &queue{}}
				h := api.New(opts).Handler()
				for b.Loop() {
					req := httptest.NewRequest(http.MethodPost, "http://tocsin/v1/alerts", strings.NewReader(body))
					req.Header.Set("Content-Type", kind)
					h.ServeHTTP(httptest.NewRecorder(), req)
				}
			})
		}
	}
}
