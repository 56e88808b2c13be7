-- What people may read with SQL: docs/sql.md describes it. Their names and columns stay. A
-- migration that changes a table below them drops the views first and makes them again.

-- +goose Up
CREATE VIEW v_incidents AS SELECT
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
WHERE i.state <> 12; -- a digest

CREATE VIEW v_alerts AS SELECT
    a.id,
    to_timestamp(nullif(a.accepted_at, 0) / 1000000.0) AS accepted_at,
    CASE a.status WHEN 17 THEN 'firing' WHEN 16 THEN 'resolved' END AS status,
    CASE a.severity WHEN 18 THEN 'info' WHEN 19 THEN 'warning' WHEN 20 THEN 'error' WHEN 21 THEN 'critical' END AS severity,
    CASE a.standing WHEN 1 THEN 'pending' WHEN 3 THEN 'delivered' WHEN 7 THEN 'folded' WHEN 8 THEN 'silenced' WHEN 4 THEN 'dead' END AS standing,
    nullif(a.reason, '') AS reason,
    i.id AS incident,
    l.name AS lane,
    a.key,
    a.body::json ->> 'title' AS title,
    a.text,
    a.body::json ->> 'source' AS source,
    coalesce(a.body::jsonb -> 'labels', '{}') AS labels,
    a.idempotency_key,
    CASE WHEN a.standing IN (3, 7) THEN to_timestamp(nullif(d.done_at, 0) / 1000000.0) END AS delivered_at,
    d.id AS delivery
FROM alerts a JOIN lanes l ON l.n = a.lane
    LEFT JOIN incidents i ON i.n = a.incident
    LEFT JOIN deliveries d ON d.n = a.shown;

CREATE VIEW v_deliveries AS SELECT
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
    LEFT JOIN incidents i ON i.n = d.incident AND i.state <> 12;
