-- Every spelling of a conversation that is known, so that it is one lane.

-- +goose Up
CREATE TABLE aliases (
    spelling TEXT NOT NULL PRIMARY KEY,
    lane     BIGINT NOT NULL -- lanes.n
);
INSERT INTO aliases (spelling, lane) SELECT name, n FROM lanes;

-- Lanes that have become one keep their numbers, for what is over, and have one name.
ALTER TABLE lanes RENAME TO old_lanes;
ALTER INDEX lanes_pkey RENAME TO old_lanes_pkey;
CREATE TABLE lanes (
    n            BIGINT PRIMARY KEY,
    name         TEXT NOT NULL, -- the spelling that people see
    conversation TEXT NOT NULL DEFAULT '', -- Slack's id; empty: not known yet
    main         BIGINT NOT NULL -- lanes.n of the lane that this one is part of, or its own
);
INSERT INTO lanes (n, name, conversation, main) SELECT n, name, conversation, n FROM old_lanes;
DROP TABLE old_lanes;
