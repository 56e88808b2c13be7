-- Times are microseconds since 1970 in UTC, 0 for none. Labels, links, lanes
-- and notes are JSON, empty for none. The numbers (n) are given by the daemon,
-- in order of acceptance, so that every index on them grows at its right end.

-- +goose Up
CREATE TABLE incidents (
    n           BIGINT PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    key         TEXT    NOT NULL,
    route       TEXT    NOT NULL,
    version     BIGINT NOT NULL,
    state       TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    urgency     BIGINT NOT NULL, -- 4 for critical down to 1 for info: the order people read in
    source      TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    text        TEXT    NOT NULL,
    labels      TEXT    NOT NULL,
    links       TEXT    NOT NULL,
    mention     TEXT    NOT NULL,
    count       BIGINT NOT NULL,
    first_at    BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    acked_by    TEXT    NOT NULL,
    acked_at    BIGINT NOT NULL,
    resolved_at BIGINT NOT NULL,
    lanes       TEXT    NOT NULL
);
CREATE INDEX incidents_board ON incidents (state, urgency, last_at);

-- The latest incident of each route of each key.
CREATE TABLE latest (
    key      TEXT    NOT NULL,
    route    TEXT    NOT NULL,
    incident BIGINT NOT NULL,
    PRIMARY KEY (key, route)
);

CREATE TABLE cards (
    incident     BIGINT NOT NULL REFERENCES incidents (n) ON DELETE CASCADE,
    lane         TEXT    NOT NULL,
    conversation TEXT    NOT NULL,
    ts           TEXT    NOT NULL,
    version      BIGINT NOT NULL,
    PRIMARY KEY (incident, lane)
);

-- Slack's own id of each lane that was ever reached.
CREATE TABLE lanes (
    lane         TEXT NOT NULL PRIMARY KEY,
    conversation TEXT NOT NULL
);

CREATE TABLE alerts (
    n               BIGINT PRIMARY KEY,
    id              TEXT    NOT NULL UNIQUE,
    source          TEXT    NOT NULL,
    key             TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    severity        TEXT    NOT NULL,
    title           TEXT    NOT NULL,
    text            TEXT    NOT NULL,
    labels          TEXT    NOT NULL,
    links           TEXT    NOT NULL,
    channel         TEXT    NOT NULL,
    mention         TEXT    NOT NULL,
    at              BIGINT NOT NULL,
    idempotency_key TEXT    NOT NULL,
    accepted_at     BIGINT NOT NULL,
    incident        BIGINT, -- incidents.n
    lane            TEXT    NOT NULL,
    version         BIGINT NOT NULL,
    delivery        BIGINT, -- deliveries.n of the post it opened
    standing        TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    shown           BIGINT  -- deliveries.n of the one that accounted for it
);
CREATE UNIQUE INDEX alerts_idempotency ON alerts (idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX alerts_pending ON alerts (incident, lane, version) WHERE standing = 'pending';

CREATE TABLE deliveries (
    n                  BIGINT PRIMARY KEY,
    id                 TEXT    NOT NULL UNIQUE,
    lane               TEXT    NOT NULL,
    kind               TEXT    NOT NULL,
    state              TEXT    NOT NULL,
    incident           BIGINT NOT NULL, -- incidents.n
    -- null: finished; 0: behind an earlier one of its incident in its lane;
    -- 1: a post or reply whose turn it is; 2: an update whose turn it is
    stage              BIGINT,
    priority           BIGINT NOT NULL,
    note               TEXT    NOT NULL,
    attempts           BIGINT NOT NULL,
    created_at         BIGINT NOT NULL,
    next_at            BIGINT NOT NULL,
    started_at         BIGINT NOT NULL,
    done_at            BIGINT NOT NULL,
    plain              BIGINT NOT NULL,
    possible_duplicate BIGINT NOT NULL,
    -- what a failed attempt leaves for the next: away from its thread, and why
    top_level          BIGINT NOT NULL DEFAULT 0,
    class              TEXT    NOT NULL DEFAULT '',
    reason             TEXT    NOT NULL,
    conversation       TEXT    NOT NULL,
    ts                 TEXT    NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (lane, stage, priority, n) WHERE stage IS NOT NULL;
CREATE INDEX deliveries_turn ON deliveries (incident, lane, n) WHERE stage IS NOT NULL;

-- The ledger: how many alerts stand where. Kept in the same transactions.
CREATE TABLE counts (
    lane     TEXT    NOT NULL,
    standing TEXT    NOT NULL,
    alerts   BIGINT NOT NULL,
    PRIMARY KEY (lane, standing)
);

CREATE TABLE inbox (
    n           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    dedupe      TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    payload     BYTEA    NOT NULL, -- emptied when it was handled
    received_at BIGINT NOT NULL,
    handled     BIGINT NOT NULL
);
CREATE UNIQUE INDEX inbox_dedupe ON inbox (dedupe) WHERE dedupe <> '';
CREATE INDEX inbox_handled ON inbox (handled, received_at);

CREATE TABLE homes (
    person TEXT NOT NULL PRIMARY KEY,
    hash   TEXT NOT NULL
);
