-- Times are integers: microseconds since 1970-01-01T00:00:00Z.
-- Credentials (request_uri, code, refresh token, cookies, jti) are SHA-256 digests: 32 bytes.

-- +goose Up
CREATE TABLE clients (
    client_id          TEXT    NOT NULL PRIMARY KEY,
    owner_installation TEXT    NOT NULL,
    owner_namespace    TEXT    NOT NULL,
    owner_name         TEXT    NOT NULL,
    generation         INTEGER NOT NULL,
    revision           INTEGER NOT NULL,
    content_hash       TEXT    NOT NULL,
    metadata           TEXT    NOT NULL,
    updated_at         INTEGER NOT NULL
) STRICT;

-- One row: the revision of the latest write or deletion of any client.
CREATE TABLE client_revision (
    revision INTEGER NOT NULL
) STRICT;
INSERT INTO client_revision VALUES (0);

-- The web origins of the clients that are not suspended.
CREATE TABLE allowed_origins (
    origin    TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
    PRIMARY KEY (origin, client_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX allowed_origins_of_client ON allowed_origins (client_id);

CREATE TABLE pushed_requests (
    uri        BLOB    NOT NULL PRIMARY KEY,
    client_id  TEXT    NOT NULL REFERENCES clients ON DELETE CASCADE,
    request    TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The request_uri expires while a person logs in; that it was consumed must be
    -- remembered for as long as any interaction over it may complete.
    kept_until INTEGER NOT NULL,
    consumed   INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX pushed_requests_of_client ON pushed_requests (client_id);
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (kept_until);

CREATE TABLE interactions (
    id             BLOB    NOT NULL PRIMARY KEY,
    request_uri    BLOB    NOT NULL REFERENCES pushed_requests ON DELETE CASCADE,
    request        TEXT    NOT NULL,
    authentication TEXT,
    expires_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX interactions_of_request ON interactions (request_uri);
CREATE INDEX interactions_by_expiry ON interactions (expires_at);

CREATE TABLE sessions (
    id             BLOB    NOT NULL PRIMARY KEY,
    authentication TEXT    NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE grants (
    id             TEXT    NOT NULL PRIMARY KEY,
    client_id      TEXT    NOT NULL REFERENCES clients ON DELETE CASCADE,
    request        TEXT    NOT NULL,
    authentication TEXT    NOT NULL,
    scope          TEXT,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    revoked        INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX grants_of_client ON grants (client_id);
CREATE INDEX grants_by_expiry ON grants (expires_at);

CREATE TABLE codes (
    digest     BLOB    NOT NULL PRIMARY KEY,
    grant_id   TEXT    NOT NULL REFERENCES grants ON DELETE CASCADE,
    client_id  TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX codes_of_grant ON codes (grant_id);
CREATE INDEX codes_by_expiry ON codes (expires_at);

CREATE TABLE refresh_tokens (
    digest     BLOB    NOT NULL PRIMARY KEY,
    grant_id   TEXT    NOT NULL REFERENCES grants ON DELETE CASCADE,
    client_id  TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX refresh_tokens_of_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

CREATE TABLE revoked_access_tokens (
    jti        TEXT    NOT NULL PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX revoked_access_tokens_by_expiry ON revoked_access_tokens (expires_at);

CREATE TABLE single_use (
    space      TEXT    NOT NULL,
    value      BLOB    NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (space, value)
) STRICT;
CREATE INDEX single_use_by_expiry ON single_use (expires_at);

CREATE TABLE server_keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    use        TEXT    NOT NULL,
    algorithm  TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
