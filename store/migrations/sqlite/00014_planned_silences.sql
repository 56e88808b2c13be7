-- Silences that begin later, or recur.

-- +goose Up
ALTER TABLE silences ADD COLUMN starts_at INTEGER NOT NULL DEFAULT 0; -- microseconds; 0: when it was created
ALTER TABLE silences ADD COLUMN every TEXT NOT NULL DEFAULT ''; -- the hours at which it hides alerts, as JSON
