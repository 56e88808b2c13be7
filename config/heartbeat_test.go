package config_test

import (
	"reflect"
	"testing"
	"time"

	"tocsin/alert"
)

func TestHeartbeatsAreReadWithTheirTerms(t *testing.T) {
	c := load(t, environment{files: map[string]string{etc: `
ingest:
  heartbeats:
    - {name: nightly-backup, every: 1d, grace: 1h, severity: P2, channel: "#backups", labels: [team=db, "site = ham"]}
    - {name: pump, every: 30s, labels: {team: water, "room": 7}}
    - name: fan
      every: 1m
      labels:
        - team: air
        - floor=2
`}})
	want := map[string]alert.Terms{
		"nightly-backup": {Every: 24 * time.Hour, Grace: time.Hour, Severity: alert.Error, Channel: "#backups", Labels: map[string]string{"team": "db", "site": "ham"}},
		"pump":           {Every: 30 * time.Second, Labels: map[string]string{"team": "water", "room": "7"}},
		"fan":            {Every: time.Minute, Labels: map[string]string{"team": "air", "floor": "2"}},
	}
	if !reflect.DeepEqual(c.Ingest.Heartbeats, want) {
		t.Errorf("read %+v", c.Ingest.Heartbeats)
	}
}
