-- Conversations that take no messages until somebody mends something there, and
-- what stands in for them.

-- +goose Up
CREATE TABLE destinations (
    lane     TEXT    NOT NULL PRIMARY KEY,
    code     TEXT    NOT NULL, -- Slack's word for why
    hint     TEXT    NOT NULL,
    since    BIGINT NOT NULL,
    probe_at BIGINT NOT NULL
);
-- where a card is, and where the latest attempt went, in place of the lane
ALTER TABLE cards ADD COLUMN via TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN via TEXT NOT NULL DEFAULT '';
