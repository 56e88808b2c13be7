package store

import (
	"reflect"
	"testing"
	"time"

	"tocsin/alert"
)

func testHeartbeats(t *testing.T, d *DB) {
	beat := func(name string, due int) alert.Heartbeat {
		return alert.Heartbeat{Name: name, BeganAt: at(1), LastAt: at(2), DueAt: at(due), Configured: name == "b", Terms: alert.Terms{
			Every: time.Minute, Grace: time.Second, Severity: alert.Error, Channel: "#ops", Mention: "U1", Labels: map[string]string{"team": "db"}, About: "Backups.",
		}}
	}
	a, b, c := beat("a", 9), beat("b", 5), beat("c", 7)
	commit(t, d, alert.Change{Heartbeats: []alert.Heartbeat{a, b, c}})
	missing := incident("k1", "#ops", 1)
	missing.Key = alert.HeartbeatKey("b")
	commit(t, d, alert.Change{Incidents: []alert.Incident{missing}})
	if got, err := d.Heartbeats(t.Context()); err != nil || !reflect.DeepEqual(got, []alert.Heartbeat{a, b, c}) {
		t.Errorf("listed are %+v, %v", got, err)
	}
	f := load(t, d, alert.Query{Now: at(6), Due: true})
	if !reflect.DeepEqual(f.Heartbeats, []alert.Heartbeat{b}) || !f.NextDue.Equal(at(5)) || !reflect.DeepEqual(idsOf(f.Incidents), []string{"k1"}) {
		t.Errorf("due are %+v with %v, next at %v", f.Heartbeats, idsOf(f.Incidents), f.NextDue)
	}
	b.MissingAt, b.DueAt = at(6), time.Time{}
	commit(t, d, alert.Change{Heartbeats: []alert.Heartbeat{b}, Forgotten: []string{"a"}})
	if f = load(t, d, alert.Query{Now: at(6), Due: true}); len(f.Heartbeats) != 0 || !f.NextDue.Equal(at(7)) {
		t.Errorf("due are %+v, next at %v", f.Heartbeats, f.NextDue)
	}
	if f = load(t, d, alert.Query{Heartbeats: []string{"a", "b"}}); !reflect.DeepEqual(f.Heartbeats, []alert.Heartbeat{b}) || f.HeartbeatCount != 2 {
		t.Errorf("found %+v of %d", f.Heartbeats, f.HeartbeatCount)
	}
	if f = load(t, d, alert.Query{AllHeartbeats: true}); !reflect.DeepEqual(f.Heartbeats, []alert.Heartbeat{b, c}) {
		t.Errorf("all are %+v", f.Heartbeats)
	}
}
