package store

import (
	"slices"
	"testing"

	"tocsin/alert"
)

// beforeAliases is what a store may hold in which two lanes were found to be one
// conversation: a post that waits in both, and a card in each.
const beforeAliases = `
INSERT INTO lanes (lane, conversation) VALUES ('#ops', 'C0123OPS1'), ('C0123OPS1', 'C0123OPS1'), ('#db', 'C0123DB01');
INSERT INTO incidents (n, id, key, route, version, state, severity, urgency, source, title, text, labels, links, mention,
	count, first_at, last_at, acked_by, acked_at, resolved_at, lanes) VALUES
	(1, 'k7f2', 'a', 'default', 1, 'open', 'error', 3, '', 'disk full', '', '', '', '', 1, 1, 1, '', 0, 0, '["#ops","C0123OPS1"]'),
	(2, 'k7f3', 'b', 'channel:C0123OPS1', 1, 'open', 'error', 3, '', 'disk slow', '', '', '', '', 1, 1, 1, '', 0, 0, '["C0123OPS1"]');
INSERT INTO latest (key, route, incident) VALUES ('a', 'default', 1), ('b', 'channel:C0123OPS1', 2);
INSERT INTO deliveries (n, id, lane, kind, state, incident, stage, priority, note, attempts, created_at, next_at, started_at,
	done_at, plain, possible_duplicate, reason, conversation, ts) VALUES
	(1, 'd1', 'C0123OPS1', 'post', 'delivered', 2, NULL, 1, '', 0, 1, 1, 0, 0, 0, 0, '', 'C0123OPS1', '100.1'),
	(2, 'd2', '#ops', 'post', 'pending', 1, 1, 1, '', 0, 1, 1, 0, 0, 0, 0, '', '', ''),
	(3, 'd3', 'C0123OPS1', 'post', 'pending', 1, 1, 1, '', 0, 1, 1, 0, 0, 0, 0, '', '', '');
INSERT INTO cards (incident, lane, conversation, ts, version) VALUES (2, 'C0123OPS1', 'C0123OPS1', '100.1', 1);
INSERT INTO alerts (n, id, source, key, status, severity, title, text, labels, links, channel, mention, at, idempotency_key,
	accepted_at, incident, lane, version, delivery, standing, reason, shown) VALUES
	(1, 'a1', '', 'a', 'firing', 'error', 'disk full', '', '', '', '', '', 1, '', 1, 1, '#ops', 1, 2, 'pending', '', NULL),
	(2, 'a2', '', 'b', 'firing', 'error', 'disk slow', '', '', '', 'C0123OPS1', '', 1, '', 1, 2, 'C0123OPS1', 1, 1, 'delivered', '', 1);
INSERT INTO counts (lane, standing, alerts) VALUES ('#ops', 'pending', 1), ('C0123OPS1', 'delivered', 1);
`

func TestAStoreFromBeforeAliasesMergesItsLanes(t *testing.T) {
	fromEachSchema(t, beforeAliases, mergesLanes)
}

func mergesLanes(t *testing.T, d *DB) {
	wantLanes(t, d, "#ops")
	if l := balanced(t, d); len(l.Lanes) != 1 || l.Total != (alert.Counts{Accepted: 2, Pending: 1, Delivered: 1}) {
		t.Errorf("ledger is %+v", l)
	}
	i, err := d.Incident(t.Context(), "k7f3")
	must(t, err)
	if i.Card("#ops").TS != "100.1" || !slices.Equal(i.Lanes, []string{"#ops"}) || i.Route != "channel:#ops" {
		t.Errorf("the incident is %+v", i)
	}
	j := claim(t, d, "#ops", at(1))
	if j.ID != "d2" || j.Known != "C0123OPS1" {
		t.Errorf("claimed %+v", j)
	}
	deliverTo(t, d, j, "C0123OPS1", "100.2", 1)
	if _, _, err := d.Claim(t.Context(), alert.Claim{Lane: "#ops", Now: at(2), Posts: true, Updates: true}); err != nil {
		t.Error(err)
	}
	wantLanes(t, d) // the second post was needless
	if got := d.Aliases().Lane("C0123DB01"); got != "#db" {
		t.Errorf("C0123DB01 is %s", got)
	}
}
