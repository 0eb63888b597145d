-- Which registration of a client, and which time between two suspensions, an access
-- token belongs to: the revision with which it began. 0 is that of clients, and of
-- tokens, from before; a replica of the previous version leaves it as it is.

-- +goose Up
ALTER TABLE clients ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
