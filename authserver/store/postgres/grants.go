package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	grantColumns = `g.id, g.request, g.authentication, g.scope, g.created_at, g.expires_at`

	// inForce leaves out grants from before a key of their client was revoked: one
	// write of the client ends them all.
	inForce = `NOT g.revoked AND g.key_epoch = (SELECT owner.key_epoch FROM clients AS owner WHERE owner.client_id = g.client_id)`

	selectGrant = `SELECT ` + grantColumns + ` FROM grants AS g WHERE g.id = $1 AND ` + inForce

	selectCode = `SELECT c.digest, c.grant_id, c.client_id, c.expires_at, c.used_by IS NOT NULL, ` + grantColumns + `
		FROM codes AS c JOIN grants AS g ON g.id = c.grant_id
		WHERE c.digest = $1 AND c.expires_at > $2 AND ` + inForce
	redeemCode = `UPDATE codes SET used_by = $3 WHERE digest = $1 AND (used_by = $3 OR used_by IS NULL AND expires_at > $2
		AND EXISTS (SELECT 1 FROM grants AS g WHERE g.id = grant_id AND ` + inForce + `))`
	// The refresh token is there already when this call kept it in a try before. Should
	// it be another grant's, which 256 random bits exclude, the code counts as replayed.
	redeemCodeAndKeep = `WITH redeemed AS (` + redeemCode + ` AND grant_id = $5 AND client_id = $6 RETURNING grant_id, client_id)
		INSERT INTO refresh_tokens (digest, grant_id, client_id, expires_at)
		SELECT $4::bytea, grant_id, client_id, $7::bigint FROM redeemed
		ON CONFLICT (digest) DO UPDATE SET expires_at = excluded.expires_at WHERE refresh_tokens.grant_id = excluded.grant_id`
	selectUsedCode = `SELECT grant_id FROM codes WHERE digest = $1 AND used_by IS NOT NULL`

	selectRefreshToken = `SELECT r.digest, r.grant_id, r.client_id, r.expires_at, ` + grantColumns + `
		FROM refresh_tokens AS r JOIN grants AS g ON g.id = r.grant_id
		WHERE r.digest = $1 AND r.expires_at > $2 AND ` + inForce

	// A revoked grant is remembered only while a replay of its code must still be
	// recognized; a grant that is forgotten counts as revoked.
	revokeGrant = `WITH revoked AS (
			UPDATE grants SET revoked = TRUE, expires_at = least(expires_at,
				greatest($2, coalesce((SELECT max(c.expires_at) FROM codes AS c WHERE c.grant_id = grants.id), $2)))
			WHERE id = $1 AND NOT revoked)
		DELETE FROM refresh_tokens WHERE grant_id = $1`

	revokeAccessToken = `INSERT INTO revoked_access_tokens (jti, expires_at) VALUES ($1, $2)
		ON CONFLICT (jti) DO UPDATE SET expires_at = greatest(revoked_access_tokens.expires_at, excluded.expires_at)`
	accessTokenActive = `SELECT NOT EXISTS (SELECT 1 FROM revoked_access_tokens WHERE jti = $1)
		AND ($2 = '' OR EXISTS (SELECT 1 FROM grants AS g WHERE g.id = $2 AND ` + inForce + `))`
)

func grantScan(grant *store.Grant) []any {
	return []any{&grant.ID, column.Document(&grant.Request), column.Document(&grant.Authentication), column.Document(&grant.Scope),
		column.Instant(&grant.CreatedAt), column.Instant(&grant.ExpiresAt)}
}

// Grant gives a grant; see store.Grants.
func (s *Store) Grant(ctx context.Context, id string) (store.Grant, error) {
	var grant store.Grant
	if err := s.row(ctx, selectGrant, grantScan(&grant), id); err != nil {
		return store.Grant{}, fmt.Errorf("read grant: %w", err)
	}
	return grant, nil
}

// Code gives a code and its grant; see store.Grants.
func (s *Store) Code(ctx context.Context, code oauth.Digest, now time.Time) (store.Code, store.Grant, error) {
	var found store.Code
	var grant store.Grant
	columns := append([]any{column.Digest(&found.Digest), &found.GrantID, &found.ClientID, column.Instant(&found.ExpiresAt), &found.Used},
		grantScan(&grant)...)
	if err := s.row(ctx, selectCode, columns, code[:], column.Micros(now)); err != nil {
		return store.Code{}, store.Grant{}, fmt.Errorf("read code: %w", err)
	}
	return found, grant, nil
}

// RedeemCode redeems a code once; see store.Grants. The first statement redeems;
// of concurrent calls it changes the code's row for one, and the others, which
// have waited for that row, find the code used and revoke the grant.
//
// When an answer is lost, the next try finds the code used by this call and
// succeeds: it is no replay, and the grant stays. It succeeds also when another
// call has replayed the code meanwhile: this one was first, and what it got is
// revoked.
func (s *Store) RedeemCode(ctx context.Context, code oauth.Digest, refresh *store.RefreshToken, now time.Time) error {
	statement, args := redeemCode, []any{code[:], column.Micros(now), newCall()}
	if refresh != nil {
		statement = redeemCodeAndKeep
		args = append(args, refresh.Digest[:], refresh.GrantID, refresh.ClientID, column.Micros(refresh.ExpiresAt))
	}
	err := s.attempt(ctx, nil, func(on session) error {
		redeemed, err := on.exec(statement, args...)
		if err != nil || redeemed == 1 {
			return err
		}
		return revokeReplayed(on, code, now)
	})
	if err != nil {
		return fmt.Errorf("redeem code: %w", err)
	}
	return nil
}

// revokeReplayed gives ErrAlreadyUsed once it has revoked the used code's grant;
// ErrNotFound when the code was not used.
func revokeReplayed(on session, code oauth.Digest, now time.Time) error {
	var grantID string
	if err := on.row(selectUsedCode, []any{&grantID}, code[:]); err != nil {
		return err
	}
	if _, err := on.exec(revokeGrant, grantID, column.Micros(now)); err != nil {
		return err
	}
	return store.ErrAlreadyUsed
}

// RefreshToken gives a refresh token and its grant; see store.Grants.
func (s *Store) RefreshToken(ctx context.Context, token oauth.Digest, now time.Time) (store.RefreshToken, store.Grant, error) {
	var found store.RefreshToken
	var grant store.Grant
	columns := append([]any{column.Digest(&found.Digest), &found.GrantID, &found.ClientID, column.Instant(&found.ExpiresAt)}, grantScan(&grant)...)
	if err := s.row(ctx, selectRefreshToken, columns, token[:], column.Micros(now)); err != nil {
		return store.RefreshToken{}, store.Grant{}, fmt.Errorf("read refresh token: %w", err)
	}
	return found, grant, nil
}

// RevokeGrant ends a grant and all that hangs on it; see store.Grants. A try
// after a lost answer finds it revoked and changes nothing.
func (s *Store) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	if _, err := s.exec(ctx, revokeGrant, id, column.Micros(now)); err != nil {
		return fmt.Errorf("revoke grant: %w", err)
	}
	return nil
}

// RevokeAccessToken ends one access token; see store.Grants. A try after a lost
// answer keeps the same again.
func (s *Store) RevokeAccessToken(ctx context.Context, jti string, expiresAt time.Time) error {
	if _, err := s.exec(ctx, revokeAccessToken, jti, column.Micros(expiresAt)); err != nil {
		return fmt.Errorf("revoke access token: %w", err)
	}
	return nil
}

// AccessTokenActive tells whether an access token is still good; see store.Grants.
func (s *Store) AccessTokenActive(ctx context.Context, jti, grantID string) (active bool, err error) {
	err = s.row(ctx, accessTokenActive, []any{&active}, jti, grantID)
	if errors.Is(err, store.ErrNotFound) { // What is not text names no grant.
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("check access token: %w", err)
	}
	return active, nil
}
