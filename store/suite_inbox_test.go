package store

import (
	"reflect"
	"testing"
	"time"

	"tocsin/alert"
)

func testInbox(t *testing.T, d *DB) {
	e := alert.Envelope{ID: "e1", Dedupe: "Ev1", Type: "events_api", Payload: []byte(`{"a":"é"}`), ReceivedAt: at(1)}
	for _, c := range []struct {
		name  string
		e     alert.Envelope
		fresh bool
	}{
		{"first", e, true},
		{"same id", alert.Envelope{ID: "e1", ReceivedAt: at(2)}, false},
		{"same content", alert.Envelope{ID: "e2", Dedupe: "Ev1", ReceivedAt: at(2)}, false},
		{"no identity", alert.Envelope{ID: "e3", Type: "interactive", ReceivedAt: at(1)}, true},
		{"no identity either", alert.Envelope{ID: "e0", ReceivedAt: at(3)}, true},
	} {
		fresh, err := d.Receive(t.Context(), c.e)
		must(t, err)
		if fresh != c.fresh {
			t.Errorf("%s: fresh is %v, want %v", c.name, fresh, c.fresh)
		}
	}
	must(t, d.Handled(t.Context(), "e3"))
	got, err := d.Unhandled(t.Context())
	must(t, err)
	if len(got) != 2 || !reflect.DeepEqual(got[0], e) || got[1].ID != "e0" {
		t.Errorf("unhandled are %+v", got)
	}
	must(t, d.Handled(t.Context(), "e1"))
	if fresh, err := d.Receive(t.Context(), e); err != nil || fresh {
		t.Errorf("a handled envelope is fresh again: %v %v", fresh, err)
	}
}

func testPrune(t *testing.T, d *DB) {
	for n := range 2*pruneBatch + 10 {
		e := alert.Envelope{ID: alert.NewID(), Payload: []byte("{}"), ReceivedAt: at(n)}
		if _, err := d.Receive(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if n > 4 {
			must(t, d.Handled(t.Context(), e.ID))
		}
	}
	last := 2*pruneBatch + 9
	must(t, d.Prune(t.Context(), at(last).Add(24*time.Hour)))
	var left, unhandled int
	must(t, d.each(t.Context(), "SELECT count(*), sum(1 - handled) FROM inbox",
		func(s scanner) error { return s.Scan(&left, &unhandled) }))
	if left != 6 || unhandled != 5 {
		t.Errorf("%d envelopes are left, %d of them unhandled; want 6 and 5", left, unhandled)
	}
}

func testHome(t *testing.T, d *DB) {
	for _, want := range []string{"", "one", "two"} {
		if want != "" {
			must(t, d.SetHomeHash(t.Context(), "U1", want))
		}
		got, err := d.HomeHash(t.Context(), "U1")
		must(t, err)
		if got != want {
			t.Errorf("hash is %q, want %q", got, want)
		}
	}
}
