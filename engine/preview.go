package engine

import (
	"time"

	"tocsin/alert"
)

// Preview returns what alerts would change, and what was repaired in each, if nothing were
// known before them. Nothing is stored. The error is that of Push.
func Preview(o Options, now time.Time, alerts []alert.Alert) (c alert.Change, notes [][]string, err error) {
	o.Now = func() time.Time { return now }
	e := New(nil, o)
	prepared, err := prepare(e.current, now, alerts)
	if err != nil {
		return c, nil, err
	}
	for _, a := range prepared {
		notes = append(notes, a.Notes)
	}
	r := e.rules()
	r.inhibition = alert.NewInhibition(o.Routing.Inhibit)
	c, _ = decide(r, now, alert.Snapshot{}, []input{{alerts: prepared}})
	return c, notes, nil
}
