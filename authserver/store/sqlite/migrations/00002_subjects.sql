-- Whose a record is, read from the authentication that it keeps: the column is
-- computed, so that rows from before have it too and no row can contradict itself.
-- An interaction in which nobody has logged in has none.

-- +goose Up
ALTER TABLE grants ADD COLUMN subject TEXT GENERATED ALWAYS AS (json_extract(authentication, '$.sub')) VIRTUAL;
CREATE INDEX grants_of_subject ON grants (subject, revoked, id);
DROP INDEX grants_of_client;
CREATE INDEX grants_of_client ON grants (client_id, revoked, id);

ALTER TABLE sessions ADD COLUMN subject TEXT GENERATED ALWAYS AS (json_extract(authentication, '$.sub')) VIRTUAL;
CREATE INDEX sessions_of_subject ON sessions (subject);

ALTER TABLE interactions ADD COLUMN subject TEXT GENERATED ALWAYS AS (json_extract(authentication, '$.sub')) VIRTUAL;
CREATE INDEX interactions_of_subject ON interactions (subject);
