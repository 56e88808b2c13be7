package ingest

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// BenchmarkGroup is the time to recognize and read a group of 60 alerts.
func BenchmarkGroup(b *testing.B) {
	sample, err := os.ReadFile("testdata/alertmanager-0.34.0-firing.json")
	if err != nil {
		b.Fatal(err)
	}
	var group struct {
		Alerts []json.RawMessage `json:"alerts"`
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(sample, &group) != nil || json.Unmarshal(sample, &all) != nil {
		b.Fatal("the sample is not JSON")
	}
	var alerts []json.RawMessage
	for range 60 {
		alerts = append(alerts, group.Alerts[0])
	}
	if all["alerts"], err = json.Marshal(alerts); err != nil {
		b.Fatal(err)
	}
	body, err := json.Marshal(all)
	if err != nil {
		b.Fatal(err)
	}
	for name, do := range map[string]func(){
		"recognize": func() { Recognize(request(body)) },
		"read":      func() { _, err = alertmanager().Read(request(body)) },
	} {
		b.Run(fmt.Sprintf("%s-%d", name, len(alerts)), func(b *testing.B) {
			for b.Loop() {
				do()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/60, "µs/alert")
		})
	}
}
