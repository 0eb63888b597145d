-- Whose a record is, read from the authentication that it keeps: the column is
-- computed, so that rows from before have it too and no row can contradict itself.
-- An interaction in which nobody has logged in has none.

-- +goose Up
-- The call of an administrator that ended the grant; a later try of it knows it.
ALTER TABLE grants ADD COLUMN revoked_by BYTEA;
ALTER TABLE grants ADD COLUMN subject TEXT COLLATE "C" GENERATED ALWAYS AS (authentication::json ->> 'sub') STORED;
CREATE INDEX grants_of_subject ON grants (subject, revoked, id);
DROP INDEX grants_of_client;
CREATE INDEX grants_of_client ON grants (client_id, revoked, id);

ALTER TABLE sessions ADD COLUMN subject TEXT COLLATE "C" GENERATED ALWAYS AS (authentication::json ->> 'sub') STORED;
CREATE INDEX sessions_of_subject ON sessions (subject);

ALTER TABLE interactions ADD COLUMN subject TEXT COLLATE "C" GENERATED ALWAYS AS (authentication::json ->> 'sub') STORED;
CREATE INDEX interactions_of_subject ON interactions (subject);
