-- A lean schema. What an alert says is stored once, with the alert. States, kinds,
-- standings and severities are numbers (words.go), and so are lanes. What no query
-- looks into is JSON in one column.

-- +goose Up
CREATE TABLE words (word TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL);
INSERT INTO words (word, n) VALUES
    ('', 0), ('pending', 1), ('sending', 2), ('delivered', 3), ('dead', 4), ('superseded', 5), ('dropped', 6), ('folded', 7), ('silenced', 8), ('post', 9), ('update', 10), ('reply', 11), ('digest', 12), ('list', 13), ('open', 14), ('acked', 15), ('resolved', 16), ('firing', 17), ('info', 18), ('warning', 19), ('error', 20), ('critical', 21);

ALTER TABLE lanes RENAME TO old_lanes;
ALTER TABLE incidents RENAME TO old_incidents;
ALTER TABLE latest RENAME TO old_latest;
ALTER TABLE cards RENAME TO old_cards;
ALTER TABLE alerts RENAME TO old_alerts;
ALTER TABLE deliveries RENAME TO old_deliveries;
ALTER TABLE counts RENAME TO old_counts;
ALTER TABLE history RENAME TO old_history;
ALTER TABLE destinations RENAME TO old_destinations;

-- The conversations, by number. conversation is Slack's id; empty: not known yet.
CREATE TABLE lanes (
    n            INTEGER PRIMARY KEY,
    name         TEXT NOT NULL UNIQUE,
    conversation TEXT NOT NULL DEFAULT ''
);
INSERT INTO lanes (n, name, conversation)
    SELECT row_number() OVER (ORDER BY lane), lane, max(conversation) FROM (
        SELECT lane, conversation FROM old_lanes
        UNION ALL SELECT DISTINCT lane, '' FROM old_alerts
        UNION ALL SELECT DISTINCT lane, '' FROM old_deliveries
        UNION ALL SELECT DISTINCT lane, '' FROM old_cards
        UNION ALL SELECT DISTINCT lane, '' FROM old_counts
        UNION ALL SELECT lane, '' FROM old_destinations) q GROUP BY lane;

CREATE TABLE alerts (
    n               INTEGER PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    key             TEXT NOT NULL,
    status          INTEGER NOT NULL,
    severity        INTEGER NOT NULL,
    accepted_at     INTEGER NOT NULL,
    incident        INTEGER, -- incidents.n
    lane            INTEGER NOT NULL, -- lanes.n
    version         INTEGER NOT NULL,
    standing        INTEGER NOT NULL,
    delivery        INTEGER, -- deliveries.n of the post it opened
    shown           INTEGER, -- deliveries.n of the one that accounted for it
    idempotency_key TEXT, -- null: none
    reason          TEXT NOT NULL,
    body            TEXT NOT NULL, -- JSON: title, source, labels, links, mention, channel, at
    text            TEXT NOT NULL
);
INSERT INTO alerts (n, id, key, status, severity, accepted_at, incident, lane, version, standing, delivery, shown,
        idempotency_key, reason, body, text)
    SELECT a.n, a.id, a.key, (SELECT w.n FROM words w WHERE w.word = a.status), (SELECT w.n FROM words w WHERE w.word = a.severity),
        a.accepted_at, a.incident, (SELECT l.n FROM lanes l WHERE l.name = a.lane), a.version, (SELECT w.n FROM words w WHERE w.word = a.standing),
        a.delivery, a.shown, nullif(a.idempotency_key, ''), a.reason,
        '{"title":' || json_quote(a.title)
        || CASE WHEN a.source <> '' THEN ',"source":' || json_quote(a.source) ELSE '' END
        || CASE WHEN a.labels <> '' THEN ',"labels":' || a.labels ELSE '' END
        || CASE WHEN a.links <> '' THEN ',"links":' || a.links ELSE '' END
        || CASE WHEN a.mention <> '' THEN ',"mention":' || json_quote(a.mention) ELSE '' END
        || CASE WHEN a.channel <> '' THEN ',"channel":' || json_quote(a.channel) ELSE '' END
        || ',"at":' || a.at || '}',
        a.text
    FROM old_alerts a ORDER BY a.n;

CREATE TABLE incidents (
    n           INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    key         TEXT NOT NULL,
    route       TEXT NOT NULL,
    version     INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    severity    INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    opened_at   INTEGER NOT NULL DEFAULT 0, -- 0: at first_at
    acked_at    INTEGER NOT NULL DEFAULT 0,
    resolved_at INTEGER NOT NULL DEFAULT 0,
    silence     TEXT NOT NULL DEFAULT '', -- silences.id of the one that hides it
    held_until  INTEGER NOT NULL DEFAULT 0,
    due_at      INTEGER NOT NULL DEFAULT 0, -- when the clock has to look at it next; 0: never
    body        TEXT NOT NULL, -- JSON: lanes, mentions, people, silenced_until, escalated, waiting, remind_at
    content     INTEGER, -- alerts.n of the latest firing alert, which has what the incident says
    -- what it says where no alert has it: as alerts.body and alerts.text
    says        TEXT,
    text        TEXT
);
CREATE INDEX old_alerts_incident ON old_alerts (incident, n) WHERE status = 'firing';
INSERT INTO incidents (n, id, key, route, version, state, severity, count, first_at, last_at, opened_at, acked_at,
        resolved_at, silence, held_until, due_at, body, content, says, text)
    SELECT i.n, i.id, i.key, i.route, i.version, (SELECT w.n FROM words w WHERE w.word = i.state), (SELECT w.n FROM words w WHERE w.word = i.severity),
        i.count, i.first_at, i.last_at, i.opened_at, i.acked_at, i.resolved_at, i.silence, i.held_until, i.due_at,
        '{"lanes":' || CASE WHEN i.lanes = '' THEN '[]' ELSE i.lanes END
        || CASE WHEN i.mentions <> '' THEN ',"mentions":' || i.mentions ELSE '' END
        || CASE WHEN i.acked_by <> '' THEN ',"acked_by":' || json_quote(i.acked_by) ELSE '' END
        || CASE WHEN i.assignee <> '' THEN ',"assignee":' || json_quote(i.assignee) ELSE '' END
        || CASE WHEN i.resolved_by <> '' THEN ',"resolved_by":' || json_quote(i.resolved_by) ELSE '' END
        || CASE WHEN i.silenced_until <> 0 THEN ',"silenced_until":' || i.silenced_until ELSE '' END
        || CASE WHEN i.escalated <> 0 THEN ',"escalated":' || i.escalated ELSE '' END
        || CASE WHEN i.held_until <> 0 AND (i.silence = '' OR i.held_until <> i.silenced_until) THEN ',"waiting":true' ELSE '' END
        || CASE WHEN i.state = 'acked' AND i.silence = '' AND i.held_until = 0 AND i.due_at <> 0
            THEN ',"remind_at":' || i.due_at ELSE '' END || '}',
        s.n,
        CASE WHEN s.n IS NULL THEN '{"title":' || json_quote(i.title)
        || CASE WHEN i.source <> '' THEN ',"source":' || json_quote(i.source) ELSE '' END
        || CASE WHEN i.labels <> '' THEN ',"labels":' || i.labels ELSE '' END
        || CASE WHEN i.links <> '' THEN ',"links":' || i.links ELSE '' END
        || CASE WHEN i.mention <> '' THEN ',"mention":' || json_quote(i.mention) ELSE '' END || '}' END,
        CASE WHEN s.n IS NULL THEN i.text END
    FROM old_incidents i LEFT JOIN old_alerts s ON s.n = (SELECT max(a.n) FROM old_alerts a
            WHERE a.incident = i.n AND a.status = 'firing')
        AND s.title = i.title AND s.text = i.text AND s.source = i.source AND s.mention = i.mention
        AND s.labels = i.labels AND s.links = i.links
    ORDER BY i.n;

-- The latest incident of each route of each key; the migration after this fills it.
-- key is a hash (keyHash), so that the index is small.
CREATE TABLE latest (
    key      INTEGER NOT NULL,
    route    TEXT NOT NULL,
    incident INTEGER NOT NULL, -- incidents.n
    PRIMARY KEY (key, route)
) WITHOUT ROWID;

CREATE TABLE cards (
    incident     INTEGER NOT NULL REFERENCES incidents (n) ON DELETE CASCADE,
    lane         INTEGER NOT NULL, -- lanes.n
    conversation TEXT NOT NULL,
    ts           TEXT NOT NULL,
    version      INTEGER NOT NULL,
    digest       INTEGER, -- incidents.n of the digest whose message it is; null: its own
    via          TEXT NOT NULL DEFAULT '', -- the conversation it is in instead of the lane
    PRIMARY KEY (incident, lane)
) WITHOUT ROWID;
INSERT INTO cards (incident, lane, conversation, ts, version, digest, via)
    SELECT c.incident, (SELECT l.n FROM lanes l WHERE l.name = c.lane), c.conversation, c.ts, c.version, c.digest, c.via
    FROM old_cards c;

CREATE TABLE deliveries (
    n                  INTEGER PRIMARY KEY,
    id                 TEXT NOT NULL UNIQUE,
    lane               INTEGER NOT NULL, -- lanes.n
    kind               INTEGER NOT NULL,
    state              INTEGER NOT NULL,
    incident           INTEGER NOT NULL, -- incidents.n
    -- null: finished; 0: behind an earlier one of its incident in its lane;
    -- 1: a post or reply that can be claimed; 2: an update that can be claimed;
    -- 3: a post that a digest stands for
    stage              INTEGER,
    priority           INTEGER NOT NULL,
    created_at         INTEGER NOT NULL,
    next_at            INTEGER NOT NULL,
    note               TEXT NOT NULL, -- JSON
    must_say           INTEGER NOT NULL,
    top_level          INTEGER NOT NULL, -- 1: beside its thread
    class              TEXT NOT NULL, -- of the latest attempt that failed
    started_at         INTEGER NOT NULL DEFAULT 0,
    done_at            INTEGER NOT NULL DEFAULT 0,
    drawn              INTEGER NOT NULL DEFAULT 0, -- the highest alerts.n when the latest attempt was drawn
    attempts           INTEGER NOT NULL DEFAULT 0,
    plain              INTEGER NOT NULL DEFAULT 0,
    possible_duplicate INTEGER NOT NULL DEFAULT 0,
    rescued            INTEGER NOT NULL DEFAULT 0, -- 1: the last resort has taken it
    reported           INTEGER NOT NULL DEFAULT 0, -- 1: that it is dead was reported
    digest             INTEGER, -- incidents.n of the digest that a post was gathered in, or a list is of
    reason             TEXT NOT NULL DEFAULT '',
    conversation       TEXT NOT NULL DEFAULT '',
    ts                 TEXT NOT NULL DEFAULT '',
    via                TEXT NOT NULL DEFAULT '' -- where the latest attempt went instead of the lane
);
INSERT INTO deliveries (n, id, lane, kind, state, incident, stage, priority, created_at, next_at, note, must_say, top_level,
        class, started_at, done_at, drawn, attempts, plain, possible_duplicate, rescued, reported, digest, reason,
        conversation, ts, via)
    SELECT d.n, d.id, (SELECT l.n FROM lanes l WHERE l.name = d.lane), (SELECT w.n FROM words w WHERE w.word = d.kind), (SELECT w.n FROM words w WHERE w.word = d.state),
        d.incident, d.stage, d.priority, d.created_at, d.next_at, d.note, d.must_say, d.top_level,
        d.class, d.started_at, d.done_at, d.drawn, d.attempts, d.plain, d.possible_duplicate, d.rescued, d.told, d.digest, d.reason,
        d.conversation, d.ts, d.via
    FROM old_deliveries d ORDER BY d.n;

-- The ledger: how many alerts of each lane stand where.
CREATE TABLE counts (
    lane                INTEGER PRIMARY KEY, -- lanes.n
    pending             INTEGER NOT NULL,
    delivered           INTEGER NOT NULL,
    folded              INTEGER NOT NULL,
    silenced            INTEGER NOT NULL,
    dead                INTEGER NOT NULL,
    possible_duplicates INTEGER NOT NULL -- deliveries
);
INSERT INTO counts (lane, pending, delivered, folded, silenced, dead, possible_duplicates)
    SELECT (SELECT l.n FROM lanes l WHERE l.name = c.lane),
        sum(CASE c.standing WHEN 'pending' THEN c.alerts ELSE 0 END),
        sum(CASE c.standing WHEN 'delivered' THEN c.alerts ELSE 0 END),
        sum(CASE c.standing WHEN 'folded' THEN c.alerts ELSE 0 END),
        sum(CASE c.standing WHEN 'silenced' THEN c.alerts ELSE 0 END),
        sum(CASE c.standing WHEN 'dead' THEN c.alerts ELSE 0 END),
        sum(CASE c.standing WHEN 'possible_duplicate' THEN c.alerts ELSE 0 END)
    FROM old_counts c GROUP BY c.lane;

CREATE TABLE destinations (
    lane     INTEGER PRIMARY KEY, -- lanes.n
    code     TEXT NOT NULL, -- Slack's word for why
    hint     TEXT NOT NULL,
    since    INTEGER NOT NULL,
    probe_at INTEGER NOT NULL
);
INSERT INTO destinations (lane, code, hint, since, probe_at)
    SELECT (SELECT l.n FROM lanes l WHERE l.name = b.lane), b.code, b.hint, b.since, b.probe_at FROM old_destinations b;

CREATE TABLE history (
    n         INTEGER PRIMARY KEY,
    incident  INTEGER REFERENCES incidents (n) ON DELETE CASCADE, -- null: the silence's own
    silence   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    verb      TEXT NOT NULL,
    by_whom   TEXT NOT NULL,
    to_whom   TEXT NOT NULL,
    text      TEXT NOT NULL,
    once      TEXT NOT NULL -- the request's id, so that it is done once
);
INSERT INTO history (n, incident, silence, at, verb, by_whom, to_whom, text, once)
    SELECT n, incident, silence, at, verb, by_whom, to_whom, text, once FROM old_history ORDER BY n;

DROP TABLE old_history;
DROP TABLE old_cards;
DROP TABLE old_lanes;
DROP TABLE old_counts;
DROP TABLE old_destinations;
DROP TABLE old_deliveries;
DROP TABLE old_alerts;
DROP TABLE old_incidents;
DROP TABLE words;

CREATE UNIQUE INDEX alerts_idempotency ON alerts (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX alerts_pending ON alerts (incident, lane, version) WHERE standing = 1;
CREATE INDEX alerts_shown ON alerts (shown) WHERE shown IS NOT NULL;
CREATE INDEX incidents_board ON incidents (state, severity, last_at);
CREATE INDEX incidents_due ON incidents (due_at) WHERE due_at <> 0;
CREATE INDEX incidents_silence ON incidents (silence) WHERE silence <> '';
CREATE INDEX cards_digest ON cards (digest) WHERE digest IS NOT NULL;
CREATE INDEX deliveries_due ON deliveries (lane, stage, priority) WHERE stage IS NOT NULL;
CREATE INDEX deliveries_card ON deliveries (incident, lane) WHERE stage IS NOT NULL;
CREATE INDEX deliveries_digest ON deliveries (digest, kind) WHERE digest IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (n) WHERE state = 4;
CREATE INDEX deliveries_dead_of ON deliveries (incident) WHERE state = 4;
CREATE INDEX history_incident ON history (incident) WHERE incident IS NOT NULL;
CREATE INDEX history_silence ON history (silence) WHERE silence <> '';
CREATE UNIQUE INDEX history_once ON history (once, coalesce(incident, 0), silence) WHERE once <> '';
