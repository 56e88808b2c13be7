package trace

import (
	"strconv"
	"time"

	"tocsin/alert"
)

// What follows is a request of OTLP as JSON
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids are hexadecimal,
// enums are numbers, and 64-bit numbers are text.
type (
	exportRequest struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	span struct {
		TraceID           string           `json:"traceId"`
		SpanID            string           `json:"spanId"`
		TraceState        alert.Tracestate `json:"traceState,omitempty"`
		ParentSpanID      string           `json:"parentSpanId,omitempty"`
		Flags             int              `json:"flags"` // 1: sampled
		Name              string           `json:"name"`
		Kind              int              `json:"kind"`
		StartTimeUnixNano string           `json:"startTimeUnixNano"`
		EndTimeUnixNano   string           `json:"endTimeUnixNano"`
		Attributes        []keyValue       `json:"attributes,omitempty"`
		Events            []event          `json:"events,omitempty"`
		Links             []link           `json:"links,omitempty"`
		Status            status           `json:"status"`
	}
	event struct {
		TimeUnixNano string     `json:"timeUnixNano"`
		Name         string     `json:"name"`
		Attributes   []keyValue `json:"attributes,omitempty"`
	}
	link struct {
		TraceID    string           `json:"traceId"`
		SpanID     string           `json:"spanId"`
		TraceState alert.Tracestate `json:"traceState,omitempty"`
		Attributes []keyValue       `json:"attributes,omitempty"`
	}
	status struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	keyValue struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	// value has one of them.
	value struct {
		String *string `json:"stringValue,omitempty"`
		Int    *string `json:"intValue,omitempty"`
	}
)

const statusError = 2

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// attribute is one whose value is a text or a whole number.
func attribute(name string, v any) keyValue {
	switch v := v.(type) {
	case int:
		return keyValue{name, value{Int: new(strconv.Itoa(v))}}
	case string:
		return keyValue{name, value{String: new(short(v))}}
	}
	return keyValue{Key: name}
}
