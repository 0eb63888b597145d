-- A migration is only ever added to, and only adds: while it runs, replicas of the
-- previous version serve on the same tables. A column that they do not write has a
-- default; what they still read is dropped one version later.
--
-- Times are integers: microseconds since 1970-01-01T00:00:00Z.
-- Credentials (request_uri, code, refresh token, cookies, jti) are SHA-256 digests: 32 bytes.
-- Names compare by their bytes (COLLATE "C"): in any locale the same order, and
-- indexes that outlive another version of the operating system's collations.
-- A column ..._by names the call that used a value or made a row: the same call may try again.

-- +goose Up
CREATE TABLE clients (
    client_id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner_installation TEXT   NOT NULL,
    owner_namespace    TEXT   NOT NULL,
    owner_name         TEXT   NOT NULL,
    generation         BIGINT NOT NULL,
    revision           BIGINT NOT NULL,
    content_hash       TEXT   NOT NULL,
    metadata           TEXT   NOT NULL,
    updated_at         BIGINT NOT NULL
);

-- One row: the revision of the latest write or deletion of any client. Whoever
-- changes clients locks it first, so that revisions are committed in their order.
CREATE TABLE client_revision (
    single   BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (single),
    revision BIGINT  NOT NULL
);
INSERT INTO client_revision (revision) VALUES (0);

-- The web origins of the clients that are not suspended.
CREATE TABLE allowed_origins (
    origin    TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE,
    PRIMARY KEY (origin, client_id)
);
CREATE INDEX allowed_origins_of_client ON allowed_origins (client_id);

CREATE TABLE pushed_requests (
    uri          BYTEA  NOT NULL PRIMARY KEY,
    client_id    TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE,
    request      TEXT   NOT NULL,
    expires_at   BIGINT NOT NULL,
    -- The request_uri expires while a person logs in; that it was consumed must be
    -- remembered for as long as any interaction over it may complete.
    kept_until   BIGINT NOT NULL,
    -- How many interactions began over it; one statement counts and bounds them.
    interactions BIGINT NOT NULL DEFAULT 0,
    consumed_by  BYTEA
);
CREATE INDEX pushed_requests_of_client ON pushed_requests (client_id);
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (kept_until);

CREATE TABLE interactions (
    id             BYTEA  NOT NULL PRIMARY KEY,
    request_uri    BYTEA  NOT NULL REFERENCES pushed_requests ON DELETE CASCADE,
    request        TEXT   NOT NULL,
    authentication TEXT,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX interactions_of_request ON interactions (request_uri);
CREATE INDEX interactions_by_expiry ON interactions (expires_at);

CREATE TABLE sessions (
    id             BYTEA  NOT NULL PRIMARY KEY,
    authentication TEXT   NOT NULL,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE grants (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    client_id      TEXT COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE,
    request        TEXT    NOT NULL,
    authentication TEXT    NOT NULL,
    scope          TEXT,
    created_at     BIGINT  NOT NULL,
    expires_at     BIGINT  NOT NULL,
    revoked        BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX grants_of_client ON grants (client_id);
CREATE INDEX grants_by_expiry ON grants (expires_at);

CREATE TABLE codes (
    digest     BYTEA  NOT NULL PRIMARY KEY,
    grant_id   TEXT COLLATE "C" NOT NULL REFERENCES grants ON DELETE CASCADE,
    client_id  TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    used_by    BYTEA
);
CREATE INDEX codes_of_grant ON codes (grant_id);
CREATE INDEX codes_by_expiry ON codes (expires_at);

CREATE TABLE refresh_tokens (
    digest     BYTEA  NOT NULL PRIMARY KEY,
    grant_id   TEXT COLLATE "C" NOT NULL REFERENCES grants ON DELETE CASCADE,
    client_id  TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX refresh_tokens_of_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

CREATE TABLE revoked_access_tokens (
    jti        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_access_tokens_by_expiry ON revoked_access_tokens (expires_at);

CREATE TABLE single_use (
    space      TEXT COLLATE "C" NOT NULL,
    value      BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL,
    used_by    BYTEA  NOT NULL,
    PRIMARY KEY (space, value)
);
CREATE INDEX single_use_by_expiry ON single_use (expires_at);

CREATE TABLE server_keys (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    use        TEXT   NOT NULL,
    algorithm  TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    added_by   BYTEA  NOT NULL
);
