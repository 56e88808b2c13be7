-- One message that shows many incidents: a digest. What stands for it in
-- incidents has the state digest; its own deliveries and card are as any
-- incident's.

-- +goose Up
-- the digest (incidents.n) whose message a card is; null: one of its own
ALTER TABLE cards ADD COLUMN digest INTEGER;
-- the digest that a post was gathered in, or a list is of; null: none
ALTER TABLE deliveries ADD COLUMN digest INTEGER;
-- the highest alerts.n there was when the latest attempt was drawn
ALTER TABLE deliveries ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_digest ON deliveries (digest, kind) WHERE digest IS NOT NULL;
CREATE INDEX cards_digest ON cards (digest) WHERE digest IS NOT NULL;
