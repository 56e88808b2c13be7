package trace

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestTheCollectorIsReadFromOpenTelemetrysVariables(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	type vars map[string]string
	for name, c := range map[string]struct {
		vars vars
		want target
		err  string // a part of it
	}{
		"nothing":         {},
		"disabled":        {vars: vars{endpoint: "http://c:4318", "OTEL_SDK_DISABLED": "True"}},
		"no exporter":     {vars: vars{endpoint: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}},
		"base":            {vars: vars{endpoint: "http://c:4318/"}, want: target{endpoint: "http://c:4318/v1/traces", timeout: defaultTimeout}},
		"base and path":   {vars: vars{endpoint: "https://c/otlp"}, want: target{endpoint: "https://c/otlp/v1/traces", timeout: defaultTimeout}},
		"for traces only": {vars: vars{endpoint: "http://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://d/x"}, want: target{endpoint: "http://d/x", timeout: defaultTimeout}},
		"the rest": {
			vars: vars{endpoint: "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=b%20c, x-y = z,", "OTEL_EXPORTER_OTLP_TIMEOUT": "5", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "250", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
			want: target{endpoint: "http://c/v1/traces", timeout: 250 * time.Millisecond, gzip: true, header: http.Header{"A": {"b c"}, "X-Y": {"z"}}},
		},
		"protobuf":         {vars: vars{endpoint: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, want: target{endpoint: "http://c/v1/traces", timeout: defaultTimeout}},
		"grpc":             {vars: vars{endpoint: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, err: "http/json"},
		"no address":       {vars: vars{endpoint: "c:4318"}, err: endpoint},
		"another exporter": {vars: vars{endpoint: "http://c", "OTEL_TRACES_EXPORTER": "zipkin"}, err: "zipkin"},
		"a bad timeout":    {vars: vars{endpoint: "http://c", "OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, err: "milliseconds"},
		"a bad header":     {vars: vars{endpoint: "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "secret%zz=1"}, err: "OTEL_EXPORTER_OTLP_HEADERS"},
		"no header":        {vars: vars{endpoint: "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "secret"}, err: "OTEL_EXPORTER_OTLP_HEADERS"},
	} {
		got, err := readTarget(func(name string) string { return c.vars[name] }, nil)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: the error is %v, want one with %q", name, err, c.err)
			}
		case err != nil || got.endpoint != c.want.endpoint || got.timeout != c.want.timeout || got.gzip != c.want.gzip || !maps.EqualFunc(got.header, c.want.header, func(a, b []string) bool { return strings.Join(a, ",") == strings.Join(b, ",") }):
			t.Errorf("%s: read as %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestAPasswordInTheEndpointIsNotSaid(t *testing.T) {
	if got := (target{endpoint: "http://user:secret@c:4318/v1/traces"}).place(); strings.Contains(got, "secret") || !strings.Contains(got, "c:4318") {
		t.Errorf("it says %s", got)
	}
}

func TestWithoutACollectorThereIsNoTracer(t *testing.T) {
	if got, err := New(Options{Getenv: func(string) string { return "" }, Log: zap.NewNop()}); got != nil || err != nil {
		t.Errorf("there is %v, %v", got, err)
	}
}
