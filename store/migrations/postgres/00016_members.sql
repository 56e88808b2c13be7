-- The alerts of which the incident of a group consists.

-- +goose Up
CREATE TABLE members (
    id             BIGINT  PRIMARY KEY, -- a hash of the incident's id and the alert's key
    incident       BIGINT  NOT NULL REFERENCES incidents (n) ON DELETE CASCADE,
    key            BIGINT  NOT NULL, -- a hash of the alert's key
    n              BIGINT  NOT NULL, -- the place in the order of arrival
    rank           BIGINT  NOT NULL, -- 0 for critical to 3 for info, 5 for silenced, 6 for resolved
    severity       BIGINT  NOT NULL, -- the rank when it fires
    began_at       BIGINT  NOT NULL,
    last_at        BIGINT  NOT NULL,
    ended_at       BIGINT  NOT NULL, -- 0: it fires
    expires_at     BIGINT  NOT NULL, -- 0: never
    silence        TEXT    NOT NULL,
    silenced_until BIGINT  NOT NULL,
    closed         BIGINT  NOT NULL, -- 1: a person resolved it with its incident
    due_at         BIGINT  NOT NULL, -- 0: never
    body           TEXT    NOT NULL  -- JSON
);
CREATE INDEX members_worst ON members (incident, rank, n);
CREATE INDEX members_order ON members (incident, n);
CREATE INDEX members_due ON members (incident, due_at) WHERE due_at <> 0;
CREATE INDEX members_firing ON members (key) WHERE rank < 6;
CREATE INDEX members_silenced ON members (silence) WHERE silence <> '';
