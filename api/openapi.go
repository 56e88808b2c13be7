package api

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"net/http"
	"strings"
)

// openAPI is openapi.json, which describes this package's paths in OpenAPI 3.1, compressed:
// it is a fourteenth as large. A test writes both from the types of the handlers
// (go test ./api -run Description -update), and holds them against what they answer.
//
//go:embed openapi.json.gz
var openAPI []byte

const (
	openAPIPath = "/v1/openapi.json"
	// maxOpenAPI is more bytes than the description has uncompressed, about 0.1 MB.
	maxOpenAPI = 1 << 20
)

func serveOpenAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(openAPI) // the caller has gone
		return
	}
	if unzip, err := gzip.NewReader(bytes.NewReader(openAPI)); err == nil { // it is our own
		_, _ = io.Copy(w, io.LimitReader(unzip, maxOpenAPI)) // the caller has gone
	}
}
