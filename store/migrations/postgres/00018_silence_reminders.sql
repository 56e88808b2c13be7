-- Reminders that a silence begins.

-- +goose Up
ALTER TABLE silences ADD COLUMN channel TEXT NOT NULL DEFAULT ''; -- in which it was made; empty: not known
ALTER TABLE silences ADD COLUMN reminded_of BIGINT NOT NULL DEFAULT 0; -- microseconds; the latest beginning that people were reminded of
