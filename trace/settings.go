package trace

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// settings are what OpenTelemetry's variables say
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
type settings struct {
	target
	resource resource
	// ratio of the traces are recorded, from 0 to 1. parentBased has the sender of a trace
	// decide about that.
	ratio       float64
	parentBased bool
	// queueSize is how many spans may wait, and delay for how long; batchSize of them are sent
	// at once, and each batch may take exportTimeout.
	queueSize, batchSize int
	delay, exportTimeout time.Duration
}

// readSettings reads the variables. The endpoint is empty if there are to be no traces.
func readSettings(getenv func(string) string, readFile func(string) ([]byte, error), version string) (s settings, err error) {
	if s.target, err = readTarget(getenv, readFile); err != nil || s.endpoint == "" {
		return settings{}, err
	}
	if s.resource, err = readResource(getenv, version); err != nil {
		return settings{}, err
	}
	if s.ratio, s.parentBased, err = readSampler(getenv); err != nil {
		return settings{}, err
	}
	var delay, timeout int
	for _, n := range []struct {
		name     string
		put      *int
		standard int
	}{
		{"OTEL_BSP_MAX_QUEUE_SIZE", &s.queueSize, 2048}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &s.batchSize, 512},
		{"OTEL_BSP_SCHEDULE_DELAY", &delay, 5000}, {"OTEL_BSP_EXPORT_TIMEOUT", &timeout, 30_000},
	} {
		text := cmp.Or(strings.TrimSpace(getenv(n.name)), strconv.Itoa(n.standard))
		if *n.put, err = strconv.Atoi(text); err != nil || *n.put <= 0 || *n.put > largestNumber {
			return settings{}, fmt.Errorf("%s is %q: write a number such as %d", n.name, text, n.standard)
		}
	}
	s.batchSize = min(s.batchSize, s.queueSize)
	s.delay, s.exportTimeout = time.Duration(delay)*time.Millisecond, time.Duration(timeout)*time.Millisecond
	return s, nil
}

// largestNumber bounds the queue, of which each span takes some hundred bytes at once.
const largestNumber = 1_000_000

// readResource is what is said about the daemon with its spans.
func readResource(getenv func(string) string, version string) (r resource, err error) {
	name := strings.TrimSpace(getenv("OTEL_SERVICE_NAME"))
	for pair := range strings.SplitSeq(getenv("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, text, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		if text, err = url.PathUnescape(strings.TrimSpace(text)); err != nil || !ok || key == "" {
			return r, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES can't be read at %q: write name=value,name=value, and other characters as %%20", pair)
		}
		switch key {
		case "service.name":
			name = cmp.Or(name, text)
		case "service.version":
			version = text
		default:
			r.Attributes = append(r.Attributes, attribute(key, text))
		}
	}
	r.Attributes = append(r.Attributes, attribute("service.name", cmp.Or(name, "tocsin")), attribute("service.version", version))
	return r, nil
}

// readSampler says which traces are recorded: all, unless their senders say otherwise.
func readSampler(getenv func(string) string) (ratio float64, parentBased bool, err error) {
	name := strings.ToLower(strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER")))
	kind, parentBased := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	switch kind {
	case "always_on":
		return 1, parentBased, nil
	case "always_off":
		return 0, parentBased, nil
	case "traceidratio":
		text := cmp.Or(strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER_ARG")), "1")
		if ratio, err = strconv.ParseFloat(text, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
			return 0, false, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q: write a number from 0 to 1", text)
		}
		return ratio, parentBased, nil
	}
	return 0, false, fmt.Errorf("OTEL_TRACES_SAMPLER is %q: write always_on, always_off or traceidratio, with parentbased_ before it or not", name)
}
