-- The daemons that share this database, and which of them is active. All times are by the
-- database's clock.

-- +goose Up
CREATE TABLE replicas (
    id        TEXT        NOT NULL PRIMARY KEY,
    host      TEXT        NOT NULL,
    version   TEXT        NOT NULL,
    config    TEXT        NOT NULL, -- a hash of its configuration
    workspace TEXT        NOT NULL, -- T…; empty until Slack has said it
    sockets   BIGINT      NOT NULL, -- its connections to Slack
    since     TIMESTAMPTZ NOT NULL,
    seen      TIMESTAMPTZ NOT NULL
);

-- Each time that another daemon becomes active, the term is one more. It has one row.
CREATE TABLE leader (
    one     BOOLEAN     NOT NULL PRIMARY KEY CHECK (one),
    term    BIGINT      NOT NULL,
    replica TEXT        NOT NULL, -- empty for a command
    pid     BIGINT      NOT NULL, -- of the session that has the lock and is never silent for long; 0 for a command
    since   TIMESTAMPTZ NOT NULL
);
