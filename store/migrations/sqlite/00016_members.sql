-- The alerts of which the incident of a group consists.

-- +goose Up
CREATE TABLE members (
    id             INTEGER PRIMARY KEY, -- a hash of the incident's id and the alert's key
    incident       INTEGER NOT NULL REFERENCES incidents (n) ON DELETE CASCADE,
    key            INTEGER NOT NULL, -- a hash of the alert's key
    n              INTEGER NOT NULL, -- the place in the order of arrival
    rank           INTEGER NOT NULL, -- 0 for critical to 3 for info, 5 for silenced, 6 for resolved
    severity       INTEGER NOT NULL, -- the rank when it fires
    began_at       INTEGER NOT NULL,
    last_at        INTEGER NOT NULL,
    ended_at       INTEGER NOT NULL, -- 0: it fires
    expires_at     INTEGER NOT NULL, -- 0: never
    silence        TEXT    NOT NULL,
    silenced_until INTEGER NOT NULL,
    closed         INTEGER NOT NULL, -- 1: a person resolved it with its incident
    due_at         INTEGER NOT NULL, -- 0: never
    body           TEXT    NOT NULL  -- JSON
);
CREATE INDEX members_worst ON members (incident, rank, n);
CREATE INDEX members_order ON members (incident, n);
CREATE INDEX members_due ON members (incident, due_at) WHERE due_at <> 0;
CREATE INDEX members_firing ON members (key) WHERE rank < 6;
CREATE INDEX members_silenced ON members (silence) WHERE silence <> '';
