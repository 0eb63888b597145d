package sqlite

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
	inForce = `g.revoked = 0 AND g.key_epoch = (SELECT owner.key_epoch FROM clients AS owner WHERE owner.client_id = g.client_id)`

	insertGrant = `INSERT INTO grants (id, client_id, request, authentication, scope, created_at, expires_at, key_epoch)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce((SELECT key_epoch FROM clients WHERE client_id = ?2), 0))`
	selectGrant = `SELECT ` + grantColumns + ` FROM grants AS g WHERE g.id = ? AND ` + inForce

	insertCode = `INSERT INTO codes (digest, grant_id, client_id, expires_at) VALUES (?, ?, ?, ?)`
	selectCode = `SELECT c.digest, c.grant_id, c.client_id, c.expires_at, c.used, ` + grantColumns + `
		FROM codes AS c JOIN grants AS g ON g.id = c.grant_id
		WHERE c.digest = ? AND c.expires_at > ? AND ` + inForce
	redeemCode = `UPDATE codes SET used = 1 WHERE digest = ? AND expires_at > ? AND used = 0
		AND EXISTS (SELECT 1 FROM grants AS g WHERE g.id = grant_id AND ` + inForce + `) RETURNING grant_id, client_id`
	selectUsedCode = `SELECT grant_id FROM codes WHERE digest = ? AND used = 1`

	insertRefreshToken = `INSERT INTO refresh_tokens (digest, grant_id, client_id, expires_at) VALUES (?, ?, ?, ?)`
	selectRefreshToken = `SELECT r.digest, r.grant_id, r.client_id, r.expires_at, ` + grantColumns + `
		FROM refresh_tokens AS r JOIN grants AS g ON g.id = r.grant_id
		WHERE r.digest = ? AND r.expires_at > ? AND ` + inForce

	// A revoked grant is remembered only while a replay of its code must still be
	// recognized; a grant that is forgotten counts as revoked.
	revokeGrant = `UPDATE grants SET revoked = 1, expires_at = min(expires_at,
			max(?2, coalesce((SELECT max(c.expires_at) FROM codes AS c WHERE c.grant_id = grants.id), ?2)))
		WHERE id = ?1 AND revoked = 0`
	deleteRefreshTokens = `DELETE FROM refresh_tokens WHERE grant_id = ?`

	revokeAccessToken = `INSERT INTO revoked_access_tokens (jti, expires_at) VALUES (?, ?)
		ON CONFLICT (jti) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`
	accessTokenActive = `SELECT NOT EXISTS (SELECT 1 FROM revoked_access_tokens WHERE jti = ?1)
		AND (?2 = '' OR EXISTS (SELECT 1 FROM grants AS g WHERE g.id = ?2 AND ` + inForce + `))`
)

func keepGrant(tx transaction, grant store.Grant) error {
	_, err := tx.exec(insertGrant, grant.ID, grant.Request.ClientID, column.Document(grant.Request), column.Document(grant.Authentication),
		column.Document(&grant.Scope), column.Micros(grant.CreatedAt), column.Micros(grant.ExpiresAt))
	return err
}

func keepCode(tx transaction, code store.Code) error {
	_, err := tx.exec(insertCode, code.Digest[:], code.GrantID, code.ClientID, column.Micros(code.ExpiresAt))
	return err
}

func grantScan(grant *store.Grant) []any {
	return []any{&grant.ID, column.Document(&grant.Request), column.Document(&grant.Authentication), column.Document(&grant.Scope),
		column.Instant(&grant.CreatedAt), column.Instant(&grant.ExpiresAt)}
}

// Grant gives a grant; see store.Grants.
func (s *Store) Grant(ctx context.Context, id string) (store.Grant, error) {
	var grant store.Grant
	if err := s.reads.row(ctx, selectGrant, grantScan(&grant), id); err != nil {
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
	if err := s.reads.row(ctx, selectCode, columns, code[:], column.Micros(now)); err != nil {
		return store.Code{}, store.Grant{}, fmt.Errorf("read code: %w", err)
	}
	return found, grant, nil
}

// RedeemCode redeems a code once; see store.Grants.
func (s *Store) RedeemCode(ctx context.Context, code oauth.Digest, refresh *store.RefreshToken, now time.Time) error {
	replayed := false
	err := s.writer.do(ctx, func(tx transaction) error {
		err := redeem(tx, code, refresh, now)
		if !errors.Is(err, store.ErrAlreadyUsed) {
			return err
		}
		replayed = true // The revocation must be committed, so it is no refusal to the writer.
		return nil
	})
	if replayed && err == nil {
		err = store.ErrAlreadyUsed
	}
	if err != nil {
		return fmt.Errorf("redeem code: %w", err)
	}
	return nil
}

// redeem gives ErrAlreadyUsed once it has revoked the replayed code's grant.
func redeem(tx transaction, code oauth.Digest, refresh *store.RefreshToken, now time.Time) error {
	var grantID, clientID string
	err := tx.row(redeemCode, []any{&grantID, &clientID}, code[:], column.Micros(now))
	if errors.Is(err, store.ErrNotFound) {
		return revokeReplayed(tx, code, now)
	}
	if err != nil || refresh == nil {
		return err
	}
	if refresh.GrantID != grantID || refresh.ClientID != clientID {
		return errors.New("the refresh token is of another grant or client than the code")
	}
	_, err = tx.exec(insertRefreshToken, refresh.Digest[:], grantID, clientID, column.Micros(refresh.ExpiresAt))
	return err
}

func revokeReplayed(tx transaction, code oauth.Digest, now time.Time) error {
	var grantID string
	if err := tx.row(selectUsedCode, []any{&grantID}, code[:]); err != nil {
		return err
	}
	if _, err := revoke(tx, grantID, now); err != nil {
		return err
	}
	return store.ErrAlreadyUsed
}

// RefreshToken gives a refresh token and its grant; see store.Grants.
func (s *Store) RefreshToken(ctx context.Context, token oauth.Digest, now time.Time) (store.RefreshToken, store.Grant, error) {
	var found store.RefreshToken
	var grant store.Grant
	columns := append([]any{column.Digest(&found.Digest), &found.GrantID, &found.ClientID, column.Instant(&found.ExpiresAt)}, grantScan(&grant)...)
	if err := s.reads.row(ctx, selectRefreshToken, columns, token[:], column.Micros(now)); err != nil {
		return store.RefreshToken{}, store.Grant{}, fmt.Errorf("read refresh token: %w", err)
	}
	return found, grant, nil
}

// RevokeGrant ends a grant and all that hangs on it; see store.Grants.
func (s *Store) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	_, err := s.RevokeGrantOnce(ctx, id, now)
	return err
}

// revoke tells whether the grant was in force until now.
func revoke(tx transaction, grantID string, now time.Time) (ended bool, err error) {
	revoked, err := tx.exec(revokeGrant, grantID, column.Micros(now))
	if err != nil {
		return false, err
	}
	_, err = tx.exec(deleteRefreshTokens, grantID)
	return revoked == 1, err
}

// RevokeAccessToken ends one access token; see store.Grants.
func (s *Store) RevokeAccessToken(ctx context.Context, jti string, expiresAt time.Time) error {
	err := s.writer.do(ctx, func(tx transaction) error {
		_, err := tx.exec(revokeAccessToken, jti, column.Micros(expiresAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke access token: %w", err)
	}
	return nil
}

// AccessTokenActive tells whether an access token is still good; see store.Grants.
func (s *Store) AccessTokenActive(ctx context.Context, jti, grantID string) (active bool, err error) {
	if err := s.reads.row(ctx, accessTokenActive, []any{&active}, jti, grantID); err != nil {
		return false, fmt.Errorf("check access token: %w", err)
	}
	return active, nil
}
