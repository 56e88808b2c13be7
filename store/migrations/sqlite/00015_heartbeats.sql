-- Senders that are missing when they are not heard in time.

-- +goose Up
CREATE TABLE heartbeats (
    name       TEXT   NOT NULL PRIMARY KEY,
    configured INTEGER NOT NULL, -- 1: the configuration names it
    began_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL, -- 0: never heard
    due_at     INTEGER NOT NULL, -- 0: missing
    missing_at INTEGER NOT NULL, -- 0: not missing
    terms      TEXT   NOT NULL  -- JSON
);
CREATE INDEX heartbeats_due ON heartbeats (due_at) WHERE due_at <> 0;
