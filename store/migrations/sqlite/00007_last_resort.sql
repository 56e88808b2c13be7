-- What was told to somebody outside Slack, and what in place of Slack's answer.

-- +goose Up
-- 1: the last resort has taken it
ALTER TABLE deliveries ADD COLUMN rescued INTEGER NOT NULL DEFAULT 0;
-- 1: that it is dead was said in the fallback conversation
ALTER TABLE deliveries ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET told = 1 WHERE state = 'dead';
