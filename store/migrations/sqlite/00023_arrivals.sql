-- Requests that a standby has accepted, until the active replica has decided them. Only
-- PostgreSQL has standbys: here are those that a copy of such a store brings along.

-- +goose Up
CREATE TABLE arrivals (
    n          INTEGER PRIMARY KEY, -- their order
    id         TEXT    NOT NULL UNIQUE,
    request    TEXT    NOT NULL, -- JSON of the engine
    arrived_at INTEGER NOT NULL
);
