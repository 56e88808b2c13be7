-- Which replies have to be sent even when a digest shows their incident is a
-- column, so that no query looks into a note.

-- +goose Up
ALTER TABLE deliveries ADD COLUMN must_say BIGINT NOT NULL DEFAULT 0;
-- Earlier versions wrote the topic of a note first, then its text. What is
-- delivered is never asked about again.
UPDATE deliveries SET must_say = 1 WHERE kind = 'reply' AND (stage IS NOT NULL OR state = 'dead')
	AND (note LIKE '%"mention":[%'
		OR note LIKE '{"topic":"note"%' OR note LIKE '{"topic":"unanswered"%' OR note LIKE '{"topic":"reminder"%'
		OR note LIKE '{"topic":"hidden"%' OR note LIKE '{"topic":"acked","text":%' OR note LIKE '{"topic":"assigned","text":%');
