package trace

import (
	"encoding/json"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// What follows is a request of OTLP as JSON
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids are hexadecimal,
// enums are numbers, and 64-bit numbers are text.
type (
	exportRequest struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resourceOf   `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resourceOf struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	span struct {
		TraceID           string     `json:"traceId"`
		SpanID            string     `json:"spanId"`
		ParentSpanID      string     `json:"parentSpanId,omitempty"`
		Flags             uint32     `json:"flags"`
		Name              string     `json:"name"`
		Kind              int        `json:"kind"`
		StartTimeUnixNano string     `json:"startTimeUnixNano"`
		EndTimeUnixNano   string     `json:"endTimeUnixNano"`
		Attributes        []keyValue `json:"attributes,omitempty"`
		DroppedAttributes int        `json:"droppedAttributesCount,omitempty"`
		Events            []event    `json:"events,omitempty"`
		DroppedEvents     int        `json:"droppedEventsCount,omitempty"`
		Links             []link     `json:"links,omitempty"`
		DroppedLinks      int        `json:"droppedLinksCount,omitempty"`
		Status            status     `json:"status"`
	}
	event struct {
		TimeUnixNano string     `json:"timeUnixNano"`
		Name         string     `json:"name"`
		Attributes   []keyValue `json:"attributes,omitempty"`
	}
	link struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Attributes []keyValue `json:"attributes,omitempty"`
	}
	status struct {
		Code    int    `json:"code,omitempty"`
		Message string `json:"message,omitempty"`
	}
	keyValue struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String *string  `json:"stringValue,omitempty"`
		Bool   *bool    `json:"boolValue,omitempty"`
		Int    *string  `json:"intValue,omitempty"`
		Double *float64 `json:"doubleValue,omitempty"`
	}
)

// encode writes spans of one resource.
func encode(spans []sdk.ReadOnlySpan) ([]byte, error) {
	var request exportRequest
	scopes := map[instrumentation.Scope]int{}
	for _, s := range spans {
		if len(request.ResourceSpans) == 0 {
			request.ResourceSpans = []resourceSpans{{Resource: resourceOf{attributes(s.Resource().Attributes())}}}
		}
		in := s.InstrumentationScope()
		n, known := scopes[in]
		all := &request.ResourceSpans[0].ScopeSpans
		if !known {
			n = len(*all)
			scopes[in], *all = n, append(*all, scopeSpans{Scope: scope{in.Name, in.Version}})
		}
		(*all)[n].Spans = append((*all)[n].Spans, spanOf(s))
	}
	return json.Marshal(request)
}

func spanOf(s sdk.ReadOnlySpan) span {
	written := span{
		TraceID: s.SpanContext().TraceID().String(), SpanID: s.SpanContext().SpanID().String(), Flags: uint32(s.SpanContext().TraceFlags()),
		Name: s.Name(), Kind: int(s.SpanKind()), StartTimeUnixNano: nanos(s.StartTime()), EndTimeUnixNano: nanos(s.EndTime()),
		Attributes: attributes(s.Attributes()), DroppedAttributes: s.DroppedAttributes(), DroppedEvents: s.DroppedEvents(), DroppedLinks: s.DroppedLinks(),
		Status: statusOf(s.Status()),
	}
	if s.Parent().SpanID().IsValid() {
		written.ParentSpanID = s.Parent().SpanID().String()
	}
	for _, e := range s.Events() {
		written.Events = append(written.Events, event{nanos(e.Time), e.Name, attributes(e.Attributes)})
	}
	for _, l := range s.Links() {
		written.Links = append(written.Links, link{l.SpanContext.TraceID().String(), l.SpanContext.SpanID().String(), attributes(l.Attributes)})
	}
	return written
}

// statusOf has the numbers of OTLP, which are not those of the SDK.
func statusOf(s sdk.Status) status {
	switch s.Code {
	case codes.Ok:
		return status{1, s.Description}
	case codes.Error:
		return status{2, s.Description}
	}
	return status{}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func attributes(all []attribute.KeyValue) (written []keyValue) {
	for _, a := range all {
		written = append(written, keyValue{string(a.Key), valueOf(a.Value)})
	}
	return written
}

// valueOf is a value in its own type, or a list as text.
func valueOf(v attribute.Value) value {
	switch v.Type() {
	case attribute.BOOL:
		return value{Bool: new(v.AsBool())}
	case attribute.INT64:
		return value{Int: new(strconv.FormatInt(v.AsInt64(), 10))}
	case attribute.FLOAT64:
		return value{Double: new(v.AsFloat64())}
	}
	return value{String: new(v.String())}
}
