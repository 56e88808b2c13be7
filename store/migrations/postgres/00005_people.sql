-- What people and the clock do to incidents. A person is U0ANN|ann, an id or a
-- name; mentions are JSON.

-- +goose Up
-- 0: at first_at
ALTER TABLE incidents ADD COLUMN opened_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN assignee TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN resolved_by TEXT NOT NULL DEFAULT '';
-- silences.id of the one that keeps it quiet; empty for none
ALTER TABLE incidents ADD COLUMN silence TEXT NOT NULL DEFAULT '';
ALTER TABLE incidents ADD COLUMN silenced_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN held_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN escalated BIGINT NOT NULL DEFAULT 0;
-- when the clock has to look at it next; 0 for never
ALTER TABLE incidents ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE incidents ADD COLUMN mentions TEXT NOT NULL DEFAULT '';
CREATE INDEX incidents_due ON incidents (due_at, n) WHERE due_at <> 0;
CREATE INDEX incidents_silence ON incidents (silence) WHERE silence <> '';

CREATE TABLE silences (
    n          BIGINT PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    matchers   TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    by_whom    TEXT    NOT NULL,
    why        TEXT    NOT NULL,
    ended_by   TEXT    NOT NULL,
    hidden     BIGINT NOT NULL -- alerts it has kept out so far
);
CREATE INDEX silences_end ON silences (ends_at);

CREATE TABLE subscriptions (
    n          BIGINT PRIMARY KEY,
    person     TEXT    NOT NULL,
    matchers   TEXT    NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX subscriptions_once ON subscriptions (person, matchers);

-- Lines are added and never changed; they go with their incident or silence.
CREATE TABLE history (
    n        BIGINT PRIMARY KEY,
    incident BIGINT REFERENCES incidents (n) ON DELETE CASCADE, -- null: the silence's own
    silence  TEXT    NOT NULL,
    at       BIGINT NOT NULL,
    verb     TEXT    NOT NULL,
    by_whom  TEXT    NOT NULL,
    to_whom  TEXT    NOT NULL,
    text     TEXT    NOT NULL,
    once     TEXT    NOT NULL -- the name of the request, so that it is done once
);
CREATE INDEX history_incident ON history (incident, n) WHERE incident IS NOT NULL;
CREATE INDEX history_silence ON history (silence, n) WHERE silence <> '';
CREATE UNIQUE INDEX history_once ON history (once, coalesce(incident, 0), silence) WHERE once <> '';
