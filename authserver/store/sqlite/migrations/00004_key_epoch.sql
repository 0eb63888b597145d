-- Which time between two revocations of a client's keys a grant belongs to: the
-- revision of the revocation before it. 0 is that of clients none of whose keys was
-- ever revoked, and of grants from before; a replica of the previous version, which
-- knows of no revocation, keeps its grants there.

-- +goose Up
ALTER TABLE clients ADD COLUMN key_epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN key_epoch INTEGER NOT NULL DEFAULT 0;
