package ingest_test

import (
	"testing"
	"time"

	"tocsin/ingest"
)

func TestAWatchdogIsAHeartbeatOfItsClusterAndNoAlert(t *testing.T) {
	read := func(status, labels, externalURL string) (name string, stopped bool) {
		t.Helper()
		body := `{"version":"4","groupKey":"{}","status":"` + status + `","externalURL":"` + externalURL + `","alerts":[
			{"status":"` + status + `","labels":{"alertname":"Watchdog","severity":"none"` + labels + `},"fingerprint":"1"},
			{"status":"firing","labels":{"alertname":"Other"},"fingerprint":"2"}]}`
		for _, f := range ingest.Formats() {
			if f.Name != "alertmanager" {
				continue
			}
			in, err := f.Read(ingest.Request{Body: []byte(body)})
			if err != nil || len(in.Alerts) != 1 || in.Alerts[0].Title != "Other" || len(in.Beats) != 1 {
				t.Fatalf("read %+v, %v", in, err)
			}
			b := in.Beats[0]
			if b.Default.Every != 12*time.Hour || b.Terms.Labels["severity"] != "" || b.Terms.Severity != "" {
				t.Errorf("the terms are %+v, %+v", b.Terms, b.Default)
			}
			name, stopped = b.Name, b.Stopped
		}
		return name, stopped
	}
	for _, c := range []struct{ labels, externalURL, want string }{
		{`,"prometheus":"monitoring/k8s"`, "http://alertmanager-main-0:9093", "watchdog-alertmanager-main-monitoring-k8s"},
		{`,"prometheus":"monitoring/k8s"`, "http://alertmanager-main-1:9093", "watchdog-alertmanager-main-monitoring-k8s"},
		{`,"cluster":"Prod EU"`, "http://am.example.com", "watchdog-prod-eu"},
		{``, "https://am-1.example.com/alertmanager", "watchdog-am-1.example.com"},
		{``, "", "watchdog"},
	} {
		if name, stopped := read("firing", c.labels, c.externalURL); name != c.want || stopped {
			t.Errorf("%s at %s is %s (stopped: %v), not %s", c.labels, c.externalURL, name, stopped, c.want)
		}
	}
	if _, stopped := read("resolved", "", ""); !stopped {
		t.Error("a resolved one has not stopped")
	}
}
