package trace

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestACollectorOfAnotherAuthorityIsTrustedWithItsCertificate(t *testing.T) {
	taken := 0
	collector := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { taken++ }))
	collector.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	defer collector.Close()
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	authority := file("ca", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: collector.Certificate().Raw}))
	for name, c := range map[string]struct {
		vars map[string]string
		err  string // a part of it
	}{
		"none":                 {err: x509.UnknownAuthorityError{}.Error()},
		"its own":              {vars: map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": authority}},
		"for traces only":      {vars: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": authority}},
		"no certificate":       {vars: map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": file("none", []byte("x"))}, err: "has no certificate"},
		"no file":              {vars: map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": filepath.Join(dir, "nope")}, err: "no such file"},
		"half of a client's":   {vars: map[string]string{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": authority}, err: "OTEL_EXPORTER_OTLP_CLIENT_KEY"},
		"a client's, no match": {vars: map[string]string{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": authority, "OTEL_EXPORTER_OTLP_CLIENT_KEY": authority}, err: "OTEL_EXPORTER_OTLP_CLIENT_KEY"},
	} {
		before := taken
		to, err := readTarget(func(name string) string {
			if name == "OTEL_EXPORTER_OTLP_ENDPOINT" {
				return collector.URL
			}
			return c.vars[name]
		}, os.ReadFile)
		if err == nil {
			err = newExporter(to, zap.NewNop()).post(t.Context(), []byte("{}"))
		}
		if c.err == "" && (err != nil || taken != before+1) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
	}
}
