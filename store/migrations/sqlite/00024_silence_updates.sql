-- When a silence was changed.

-- +goose Up
ALTER TABLE silences ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0; -- microseconds; when people made, changed or ended it last
UPDATE silences SET updated_at = CASE WHEN ended_by <> '' THEN ends_at ELSE created_at END;
