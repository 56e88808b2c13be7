-- That a silence hides something critical is told once in each conversation.

-- +goose Up
-- the conversations that were told, as JSON
ALTER TABLE silences ADD COLUMN told TEXT NOT NULL DEFAULT '';
