package alert

import (
	"regexp"
	"strings"
)

// Traceparent says in which trace a sender has sent an alert, as the header of that name does
// (https://www.w3.org/TR/trace-context/), always as version 00. It is empty for none.
type Traceparent string

// The places of a trace's id, of the sender's span and of the flags in a Traceparent.
const (
	traceAt, traceEnd   = 3, 35
	parentAt, parentEnd = 36, 52
)

// traceparentForm is the header of any version but the last, ff, which is none.
var traceparentForm = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})(-.*)?$`)

// ParseTraceparent reads the header. It is empty if that is not as the specification says.
// What a later version adds is left out.
func ParseTraceparent(header string) Traceparent {
	parts := traceparentForm.FindStringSubmatch(header)
	if parts == nil || parts[1] == "ff" || parts[1] == "00" && parts[3] != "" {
		return ""
	}
	t := Traceparent("00-" + parts[2])
	if strings.Trim(t.TraceID(), "0") == "" || strings.Trim(t.Parent(), "0") == "" {
		return ""
	}
	return t
}

// Tracestate is what tracing systems add to a trace: the header of that name, which belongs to a
// Traceparent. It is empty for none.
type Tracestate string

// longestTracestate is how long one is that has to be passed on, and mostTracestates how many
// members it may have.
const (
	longestTracestate = 512
	mostTracestates   = 32
)

var tracestateMember = regexp.MustCompile(`^[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$`)

// ParseTracestate reads the header, which may come in parts. It is empty if that is longer than
// has to be passed on, or not as the specification says.
func ParseTracestate(headers []string) Tracestate {
	var members []string
	for member := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if member = strings.Trim(member, " \t"); member == "" {
			continue
		}
		if !tracestateMember.MatchString(member) {
			return ""
		}
		members = append(members, member)
	}
	all := strings.Join(members, ",")
	if len(all) > longestTracestate || len(members) > mostTracestates {
		return ""
	}
	return Tracestate(all)
}

// TraceID is the id of the trace, 32 hexadecimal digits; empty for none.
func (t Traceparent) TraceID() string {
	if t == "" {
		return ""
	}
	return string(t[traceAt:traceEnd])
}

// Parent is the id of the span in which it was sent, 16 hexadecimal digits; empty for none.
func (t Traceparent) Parent() string {
	if t == "" {
		return ""
	}
	return string(t[parentAt:parentEnd])
}

// Sampled reports whether the sender records the trace.
func (t Traceparent) Sampled() bool {
	return t != "" && strings.ContainsRune("13579bdf", rune(t[len(t)-1]))
}

// TraceIDPlaceholder is what the id of a trace replaces in the address of a trace.
const TraceIDPlaceholder = "{{trace_id}}"

// Link leads to the trace, at an address with TraceIDPlaceholder. ok is false if there is no
// trace or no address.
func (t Traceparent) Link(address string) (link Link, ok bool) {
	if t == "" || address == "" {
		return Link{}, false
	}
	return Link{Label: "Trace", URL: strings.ReplaceAll(address, TraceIDPlaceholder, t.TraceID())}, true
}
