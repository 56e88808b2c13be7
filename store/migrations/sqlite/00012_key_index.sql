-- The table latest is written late, in the order of its keys (keyindex.go).

-- +goose Up
-- up to which incident (incidents.n) it is complete
CREATE TABLE latest_upto (incident INTEGER NOT NULL);
INSERT INTO latest_upto (incident) SELECT coalesce(max(n), 0) FROM incidents;
