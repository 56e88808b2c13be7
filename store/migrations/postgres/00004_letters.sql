-- Dead letters are found, shown and pruned without looking at anything else.

-- +goose Up
CREATE INDEX deliveries_dead ON deliveries (n) WHERE state = 'dead';
CREATE INDEX deliveries_dead_of ON deliveries (incident) WHERE state = 'dead';
-- Which alerts a delivery has accounted for.
CREATE INDEX alerts_shown ON alerts (shown) WHERE shown IS NOT NULL;
