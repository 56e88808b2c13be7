package api_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin/alert"
	"tocsin/api"
)

func TestAHeartbeatSaysHowOftenItComes(t *testing.T) {
	const form, object = "application/x-www-form-urlencoded", "application/json"
	for name, c := range map[string]struct {
		method, target, kind, body string
		status                     int
		want                       []alert.Terms // of the heartbeats that counted
	}{
		"in the address":      {"GET", "?every=5m&grace=1m", "", "", 202, []alert.Terms{{Every: 5 * time.Minute, Grace: time.Minute}}},
		"seconds":             {"GET", "?every=60", "", "", 202, []alert.Terms{{Every: time.Minute}}},
		"in JSON":             {"POST", "", object, `{"every":"1h","severity":"error"}`, 202, []alert.Terms{{Every: time.Hour, Severity: "error"}}},
		"seconds in JSON":     {"POST", "", object, `{"every":60,"grace":1.5}`, 202, []alert.Terms{{Every: time.Minute, Grace: 1500 * time.Millisecond}}},
		"null":                {"PUT", "?every=1h", object, `{"grace":null,"channel":null,"nonsense":null}`, 202, []alert.Terms{{Every: time.Hour}}},
		"empty":               {"GET", "?every=1h&grace=", "", "", 202, []alert.Terms{{Every: time.Hour}}},
		"in a form":           {"POST", "", form, "every=90", 202, []alert.Terms{{Every: 90 * time.Second}}},
		"a log comes along":   {"POST", "?every=1h", "text/plain", "every=1 of 3 done", 202, []alert.Terms{{Every: time.Hour}}},
		"too short":           {"GET", "?every=0", "", "", 400, nil},
		"too long":            {"POST", "", object, `{"every":1e9}`, 400, nil},
		"no duration":         {"POST", "", object, `{"every":true}`, 400, nil},
		"a link is looked at": {"HEAD", "?every=5m", "", "", 202, nil},
		"a link is wrong":     {"HEAD", "?every=often", "", "", 400, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := &engine{}
			h := api.New(api.Options{Engine: e, Store: knows{&reader{}, &queue{}}, Now: func() time.Time { return noon }}).Handler()
			r := httptest.NewRequest(c.method, "http://localhost/v1/heartbeats/backup"+c.target, strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			got := ask(t, h, r)
			if got.status != c.status || c.status == http.StatusBadRequest && !strings.Contains(got.Hint, "from 1s to 365d") || len(got.Notes) > 0 {
				t.Errorf("answered %d %s", got.status, got.body)
			}
			if len(e.beats) != len(c.want) {
				t.Fatalf("%d heartbeats counted", len(e.beats))
			}
			for n, want := range c.want {
				if terms := e.beats[n].Terms; !reflect.DeepEqual(terms, want) {
					t.Errorf("it says %+v", terms)
				}
			}
		})
	}
}

func TestAHeartbeatThatIsRefusedCostsNoAlertThatComesWithIt(t *testing.T) {
	for body, c := range map[string]struct{ status, alerts int }{"both": {202, 1}, "only the heartbeat": {400, 0}} {
		e, opts := &engine{}, hooks()
		opts.Engine, opts.Store = e, knows{&reader{}, &queue{}}
		opts.Webhooks[0].Read = func(body []byte, _ http.Header) (in alert.Intake, err error) {
			in.Beats = []alert.Beat{{Name: "watchdog", Default: alert.Terms{Every: time.Hour}}}
			if string(body) == "both" {
				in.Alerts = []alert.Alert{{Title: "disk full"}}
			}
			return in, nil
		}
		got := ask(t, api.New(opts).Handler(), httptest.NewRequest(http.MethodPost, "http://localhost/v1/webhooks/bell?every=often", strings.NewReader(body)))
		if got.status != c.status || len(e.got) != c.alerts || !strings.Contains(got.body, "every is") {
			t.Errorf("%s: answered %d %s, %d alerts", body, got.status, got.body, len(e.got))
		}
	}
}
