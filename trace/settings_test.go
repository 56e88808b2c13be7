package trace

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"tocsin/alert"
)

func TestMistakesInTheSettingsSayWhatToWrite(t *testing.T) {
	for name, vars := range map[string]string{
		"OTEL_BSP_MAX_QUEUE_SIZE": "-1", "OTEL_BSP_SCHEDULE_DELAY": "5s", "OTEL_RESOURCE_ATTRIBUTES": "a=b,c", "OTEL_TRACES_SAMPLER": "jaeger_remote",
		"OTEL_TRACES_SAMPLER_ARG": "NaN",
	} {
		_, err := readSettings(func(asked string) string {
			switch asked {
			case name:
				return vars
			case "OTEL_EXPORTER_OTLP_ENDPOINT":
				return "http://c"
			case "OTEL_TRACES_SAMPLER":
				return "traceidratio"
			}
			return ""
		}, nil, "1")
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "write") {
			t.Errorf("%s=%s: the error is %v", name, vars, err)
		}
	}
}

// manyAlerts is a store of one alert for each delivery, with the delivery's id, all sent in one
// trace.
type manyAlerts alert.Traceparent

func (sent manyAlerts) Delivery(_ context.Context, id string) (alert.DeliveryDetail, error) {
	return alert.DeliveryDetail{Alerts: []alert.Record{{Alert: alert.Alert{ID: id, Traceparent: alert.Traceparent(sent)}}}}, nil
}

// recorded returns how many of so many alerts, and of their deliveries, are recorded.
func recorded(t *testing.T, sent alert.Traceparent, sampler, arg string) (alerts, deliveries int) {
	t.Helper()
	s, err := readSettings(func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": arg}[name]
	}, nil, "1")
	if err != nil {
		t.Fatal(err)
	}
	tracer := &Tracer{settings: s, store: manyAlerts(sent), queue: make(chan span, 4*sampleSize)}
	for n := range sampleSize {
		id := fmt.Sprint(n)
		tracer.Pushed(t.Context(), time.Now(), []alert.Alert{{Traceparent: sent}}, []alert.Accepted{{ID: id}})
		_, ended := tracer.Attempt(t.Context(), alert.Job{Delivery: alert.Delivery{ID: id, Kind: alert.Post}})
		ended("delivered", alert.Outcome{State: alert.Delivered})
	}
	close(tracer.queue)
	for s := range tracer.queue {
		switch s.Name {
		case "accept alert":
			alerts++
		case "deliver post":
			deliveries++
		}
	}
	return alerts, deliveries
}

const sampleSize = 1000

func TestTheSamplerDecidesOnceForATrace(t *testing.T) {
	const yes, no = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
	for _, c := range []struct {
		sent         alert.Traceparent
		sampler, arg string
		least, most  int
	}{
		{"", "", "", sampleSize, sampleSize},
		{yes, "", "", sampleSize, sampleSize},
		{no, "", "", 0, 0},
		{no, "always_on", "", sampleSize, sampleSize},
		{yes, "always_off", "", 0, 0},
		{"", "parentbased_always_off", "", 0, 0},
		{yes, "parentbased_always_off", "", sampleSize, sampleSize},
		{"", "parentbased_traceidratio", "0.25", sampleSize / 5, sampleSize * 3 / 10},
		{yes, "parentbased_traceidratio", "0", sampleSize, sampleSize},
	} {
		alerts, deliveries := recorded(t, c.sent, c.sampler, c.arg)
		if alerts < c.least || alerts > c.most || deliveries != alerts {
			t.Errorf("%+v: %d alerts and %d deliveries are recorded", c, alerts, deliveries)
		}
	}
}

func TestALongReasonIsCutAndStaysText(t *testing.T) {
	a := attribute("tocsin.reason", strings.Repeat("é", longestText))
	if text := *a.Value.String; len(text) > longestText+len("…") || !strings.HasSuffix(text, "é…") {
		t.Errorf("it is %d bytes, and ends with %q", len(text), text[len(text)-8:])
	}
	if _, err := json.Marshal(a); err != nil {
		t.Error(err)
	}
}

func TestClosingSendsWhatIsLeftAndWaitsForNobody(t *testing.T) {
	tracer, err := New(Options{Version: "1", Log: zap.NewNop(), Getenv: func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	tracer.Pushed(t.Context(), time.Now(), []alert.Alert{{}}, []alert.Accepted{{ID: "a"}})
	tracer.Close() // the collector is not there
	if len(tracer.queue) != 0 {
		t.Errorf("%d spans are left", len(tracer.queue))
	}
}
