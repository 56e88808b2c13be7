package store

import (
	"testing"

	"tocsin/alert"
)

// beforeDigests is what a store without digests may hold: a card, six posts that
// wait, and replies behind the first of them, of which those numbered from 20 on
// have to be sent.
const beforeDigests = `
INSERT INTO incidents (n, id, key, route, version, state, severity, urgency, source, title, text, labels, links, mention,
	count, first_at, last_at, acked_by, acked_at, resolved_at, lanes)
	SELECT n, 'i' || n, 'k' || n, 'default', 1, 'open', 'error', 3, '', 'disk full', '', '', '', '', 1, 1, 1, '', 0, 0, '["#db"]'
	FROM (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7) q;
INSERT INTO deliveries (n, id, lane, kind, state, incident, stage, priority, note, attempts, created_at, next_at, started_at,
	done_at, plain, possible_duplicate, reason, conversation, ts)
	SELECT n, 'd' || n, '#db', 'post', 'pending', n, 1, 1, '', 0, 1, 1, 0, 0, 0, 0, '', '', '' FROM incidents;
UPDATE deliveries SET state = 'delivered', stage = NULL, conversation = 'C1', ts = '1.1' WHERE n = 7;
INSERT INTO cards (incident, lane, conversation, ts, version) VALUES (7, '#db', 'C1', '1.1', 1);
INSERT INTO deliveries (n, id, lane, kind, state, incident, stage, priority, note, attempts, created_at, next_at, started_at,
	done_at, plain, possible_duplicate, reason, conversation, ts) VALUES
	(10, 'd10', '#db', 'reply', 'pending', 1, 0, 1, '{"topic":"refired","count":2}', 0, 1, 1, 0, 0, 0, 0, '', '', ''),
	(11, 'd11', '#db', 'reply', 'pending', 1, 0, 1, '{"topic":"acked","by":{"name":"ann"}}', 0, 1, 1, 0, 0, 0, 0, '', '', ''),
	(12, 'd12', '#db', 'reply', 'pending', 1, 0, 1, '{"topic":"more","text":"{\"topic\":\"note\",\"mention\":[1]}"}', 0, 1, 1, 0, 0, 0, 0, '', '', ''),
	(20, 'd20', '#db', 'reply', 'pending', 1, 0, 1, '{"topic":"acked","text":"looking"}', 0, 1, 1, 0, 0, 0, 0, '', '', ''),
	(21, 'd21', '#db', 'reply', 'pending', 1, 0, 1, '{"topic":"note","text":"restarted"}', 0, 1, 1, 0, 0, 0, 0, '', '', ''),
	(22, 'd22', '#db', 'reply', 'pending', 1, 0, 1, '{"topic":"resolved","mention":["here"]}', 0, 1, 1, 0, 0, 0, 0, '', '', ''),
	(23, 'd23', '#db', 'reply', 'dead', 2, NULL, 1, '{"topic":"unanswered","after":60}', 1, 1, 1, 1, 1, 0, 0, 'is_archived', '', '');
`

func TestAStoreFromBeforeDigestsMakesThem(t *testing.T) {
	fromEachSchema(t, beforeDigests, makesDigests)
}

func makesDigests(t *testing.T, d *DB) {
	i, err := d.Incident(t.Context(), "i7")
	must(t, err)
	if card := i.Card("#db"); card.TS != "1.1" || card.Digest {
		t.Errorf("the card is %+v", card)
	}
	retry(t, d, alert.DeadLetterSelector{ID: "d23"})
	j := claimDigest(t, d, 10, alert.Digest)
	if j.Digest.Total != 6 {
		t.Errorf("the digest is %+v", j.Digest)
	}
	deliver(t, d, j, 10)
	replies := ""
	for j := claimDigest(t, d, 11, alert.Reply); j.Kind == alert.Reply; j, _, err = d.Claim(t.Context(), digestClaim(11)) {
		must(t, err)
		replies += j.ID + " "
		deliver(t, d, j, 11)
	}
	must(t, err)
	if replies != "d20 d21 d22 d23 " {
		t.Errorf("then came the replies %s", replies)
	}
}
