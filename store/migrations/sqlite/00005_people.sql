-- What people and the clock do to incidents. A person is U0ANN|ann, an id or a
-- name; mentions are JSON.

-- +goose Up
-- 0: at first_at
ALTER TABLE incidents ADD COLUMN opened_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN assignee TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN resolved_by TEXT NOT NULL DEFAULT '';
-- silences.id of the one that keeps it quiet; empty for none
ALTER TABLE incidents ADD COLUMN silence TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN silenced_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN held_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN escalated INTEGER NOT NULL DEFAULT 0;
-- when the clock has to look at it next; 0 for never
ALTER TABLE incidents ADD COLUMN due_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN mentions TEXT NOT NULL DEFAULT '';
CREATE INDEX incidents_due ON incidents (due_at) WHERE due_at <> 0;
CREATE INDEX incidents_silence ON incidents (silence) WHERE silence <> '';

CREATE TABLE silences (
    n          INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    matchers   TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    by_whom    TEXT    NOT NULL,
    why        TEXT    NOT NULL,
    ended_by   TEXT    NOT NULL,
    hidden     INTEGER NOT NULL -- alerts it has kept out so far
);
CREATE INDEX silences_end ON silences (ends_at);

CREATE TABLE subscriptions (
    n          INTEGER PRIMARY KEY,
    person     TEXT    NOT NULL,
    matchers   TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX subscriptions_once ON subscriptions (person, matchers);

-- Lines are added and never changed; they go with their incident or silence.
CREATE TABLE history (
    n        INTEGER PRIMARY KEY,
    incident INTEGER REFERENCES incidents (n) ON DELETE CASCADE, -- null: the silence's own
    silence  TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    verb     TEXT    NOT NULL,
    by_whom  TEXT    NOT NULL,
    to_whom  TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    once     TEXT    NOT NULL -- the name of the request, so that it is done once
);
CREATE INDEX history_incident ON history (incident) WHERE incident IS NOT NULL;
CREATE INDEX history_silence ON history (silence) WHERE silence <> '';
CREATE UNIQUE INDEX history_once ON history (once, coalesce(incident, 0), silence) WHERE once <> '';
