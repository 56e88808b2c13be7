package api

import (
	_ "embed"
	"net/http"
)

// openAPI describes this package's paths in OpenAPI 3.1. A test writes it from the types
// of the handlers (go test ./api -update), and holds it against what they answer.
//
//go:embed openapi.json
var openAPI []byte

const openAPIPath = "/v1/openapi.json"

func serveOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(openAPI) // the caller has gone
}
