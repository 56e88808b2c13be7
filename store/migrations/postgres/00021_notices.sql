-- A reminder that a silence begins is a notice (22), not an incident that is over (16).

-- +goose Up
UPDATE incidents SET state = 22, key = '' WHERE state = 16 AND severity = 18 AND key LIKE 'silence:s-%' AND says::json -> 'message' -> 'begins' IS NOT NULL;

CREATE OR REPLACE VIEW v_incidents AS SELECT
    i.id,
    CASE i.state WHEN 14 THEN 'open' WHEN 15 THEN 'acked' WHEN 16 THEN 'resolved' END AS state,
    CASE i.severity WHEN 18 THEN 'info' WHEN 19 THEN 'warning' WHEN 20 THEN 'error' WHEN 21 THEN 'critical' END AS severity,
    coalesce(i.says, said.body)::json ->> 'title' AS title,
    coalesce(i.says, said.body)::json ->> 'source' AS source,
    coalesce(coalesce(i.says, said.body)::jsonb -> 'labels', '{}') AS labels,
    i.key,
    i.route,
    coalesce(i.body::jsonb -> 'lanes', '[]') AS lanes,
    i.count AS alerts,
    to_timestamp(nullif(i.first_at, 0) / 1000000.0) AS first_at,
    to_timestamp(nullif(i.last_at, 0) / 1000000.0) AS last_at,
    to_timestamp(nullif(i.acked_at, 0) / 1000000.0) AS acked_at,
    i.body::json ->> 'acked_by' AS acked_by,
    i.body::json ->> 'assignee' AS assignee,
    to_timestamp(nullif(i.resolved_at, 0) / 1000000.0) AS resolved_at,
    i.body::json ->> 'resolved_by' AS resolved_by,
    nullif(i.silence, '') AS hidden_by
FROM incidents i LEFT JOIN alerts said ON said.n = i.content
WHERE i.state NOT IN (12, 22); -- a digest, a notice

CREATE OR REPLACE VIEW v_deliveries AS SELECT
    d.id,
    l.name AS lane,
    CASE d.kind WHEN 9 THEN 'post' WHEN 10 THEN 'update' WHEN 11 THEN 'reply' WHEN 12 THEN 'digest' WHEN 13 THEN 'list' END AS kind,
    CASE d.state WHEN 1 THEN 'pending' WHEN 2 THEN 'sending' WHEN 3 THEN 'delivered' WHEN 4 THEN 'dead' WHEN 5 THEN 'superseded' WHEN 6 THEN 'dropped' END AS state,
    i.id AS incident,
    to_timestamp(nullif(d.created_at, 0) / 1000000.0) AS created_at,
    CASE WHEN d.state IN (1, 2) THEN to_timestamp(nullif(d.next_at, 0) / 1000000.0) END AS next_at,
    to_timestamp(nullif(d.started_at, 0) / 1000000.0) AS started_at,
    to_timestamp(nullif(d.done_at, 0) / 1000000.0) AS done_at,
    d.attempts,
    nullif(d.class, '') AS class,
    nullif(d.reason, '') AS reason,
    nullif(d.conversation, '') AS conversation,
    nullif(d.ts, '') AS ts,
    nullif(d.via, '') AS via,
    d.possible_duplicate <> 0 AS possible_duplicate
FROM deliveries d JOIN lanes l ON l.n = d.lane
    LEFT JOIN incidents i ON i.n = d.incident AND i.state NOT IN (12, 22);
