package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	selectGrants          = `SELECT ` + grantColumns + ` FROM grants AS g WHERE ` + inForce + ` AND g.id > $1 AND g.expires_at > $2`
	selectGrantsPage      = ` ORDER BY g.id LIMIT $3`
	selectGrantsOfBoth    = selectGrants + ` AND g.subject = $4 AND g.client_id = $5` + selectGrantsPage
	selectGrantsOfSubject = selectGrants + ` AND g.subject = $4` + selectGrantsPage
	selectGrantsOfClient  = selectGrants + ` AND g.client_id = $4` + selectGrantsPage

	// chosen is what this call revokes, or has revoked in a try whose answer was lost;
	// whoever else revokes the same waits for the rows, and then finds them revoked.
	revokeChosen = `, revoked AS (
			UPDATE grants SET revoked = TRUE, revoked_by = $3, expires_at = least(expires_at,
				greatest($2, coalesce((SELECT max(c.expires_at) FROM codes AS c WHERE c.grant_id = grants.id), $2)))
			WHERE id IN (SELECT id FROM chosen) RETURNING id),
		forgotten AS (DELETE FROM refresh_tokens WHERE grant_id IN (SELECT id FROM chosen))
		SELECT count(*) FROM revoked`
	revokeGrantOnce       = `WITH chosen AS (SELECT id FROM grants WHERE id = $1 AND (NOT revoked OR revoked_by = $3) FOR UPDATE)` + revokeChosen
	revokeGrantsOfSubject = `WITH chosen AS (SELECT id FROM grants WHERE subject = $1 AND (NOT revoked OR revoked_by = $3) ORDER BY id LIMIT $4 FOR UPDATE)` + revokeChosen
	revokeGrantsOfClient  = `WITH chosen AS (SELECT id FROM grants WHERE client_id = $1 AND (NOT revoked OR revoked_by = $3) ORDER BY id LIMIT $4 FOR UPDATE)` + revokeChosen

	endSessionsOfSubject = `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE subject = $1 LIMIT $2 FOR UPDATE)`
	// Interactions that their pushed request has ended are left to expire.
	endInteractionsOfSubject = `DELETE FROM interactions WHERE id IN
		(SELECT i.id FROM interactions AS i JOIN pushed_requests AS p ON p.uri = i.request_uri
			WHERE i.subject = $1 AND p.consumed_by IS NULL LIMIT $2 FOR UPDATE OF i)`
)

// ListGrants lists grants in force; see store.Administration.
func (s *Store) ListGrants(ctx context.Context, filter store.GrantFilter, after string, limit int, now time.Time) (grants []store.Grant, err error) {
	query, arguments := filtered(filter, after, limit, now)
	err = s.attempt(ctx, nil, func(on session) error {
		grants = nil
		return on.rows(query, func(rows pgx.Rows) error {
			var grant store.Grant
			err := rows.Scan(grantScan(&grant)...)
			grants = append(grants, grant)
			return err
		}, arguments...)
	})
	if errors.Is(err, store.ErrNotFound) { // What is not text names nobody.
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	return grants, nil
}

// filtered has a text for each combination of what is filtered by, so that each
// is prepared once and goes by an index.
func filtered(filter store.GrantFilter, after string, limit int, now time.Time) (query string, arguments []any) {
	arguments = []any{after, column.Micros(now), limit}
	switch {
	case filter.Subject != "" && filter.ClientID != "":
		return selectGrantsOfBoth, append(arguments, filter.Subject, filter.ClientID)
	case filter.Subject != "":
		return selectGrantsOfSubject, append(arguments, filter.Subject)
	case filter.ClientID != "":
		return selectGrantsOfClient, append(arguments, filter.ClientID)
	}
	return selectGrants + selectGrantsPage, arguments
}

// RevokeGrantOnce ends a grant and tells whether it did; see store.Administration.
func (s *Store) RevokeGrantOnce(ctx context.Context, id string, now time.Time) (bool, error) {
	ended, err := s.count(ctx, revokeGrantOnce, id, column.Micros(now), newCall())
	if err != nil {
		return false, fmt.Errorf("revoke grant: %w", err)
	}
	return ended == 1, nil
}

// RevokeGrantsOfSubject ends grants of a person; see store.Administration.
func (s *Store) RevokeGrantsOfSubject(ctx context.Context, subject string, limit int, now time.Time) (int, error) {
	return s.revokeGrants(ctx, "subject", revokeGrantsOfSubject, subject, limit, now)
}

// RevokeGrantsOfClient ends grants of a client; see store.Administration.
func (s *Store) RevokeGrantsOfClient(ctx context.Context, clientID string, limit int, now time.Time) (int, error) {
	return s.revokeGrants(ctx, "client", revokeGrantsOfClient, clientID, limit, now)
}

func (s *Store) revokeGrants(ctx context.Context, whose, statement, value string, limit int, now time.Time) (ended int, err error) {
	if err = checkBatch(limit); err == nil {
		ended, err = s.count(ctx, statement, value, column.Micros(now), newCall(), limit)
	}
	if err != nil {
		return 0, fmt.Errorf("revoke the grants of a %s: %w", whose, err)
	}
	return ended, nil
}

// count gives the one number that a statement answers with; 0 for what is no text.
func (s *Store) count(ctx context.Context, statement string, args ...any) (counted int, err error) {
	err = s.row(ctx, statement, []any{&counted}, args...)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return counted, err
}

// EndSessionsOfSubject ends a person's sessions; see store.Administration. After a
// lost answer less is counted than has ended.
func (s *Store) EndSessionsOfSubject(ctx context.Context, subject string, limit int) (int, error) {
	return s.endOfSubject(ctx, "sessions", endSessionsOfSubject, subject, limit)
}

// EndInteractionsOfSubject ends a person's interactions; see store.Administration.
// After a lost answer less is counted than has ended.
func (s *Store) EndInteractionsOfSubject(ctx context.Context, subject string, limit int) (int, error) {
	return s.endOfSubject(ctx, "interactions", endInteractionsOfSubject, subject, limit)
}

func (s *Store) endOfSubject(ctx context.Context, what, statement, subject string, limit int) (int, error) {
	ended := int64(0)
	err := checkBatch(limit)
	if err == nil {
		ended, err = s.exec(ctx, statement, subject, limit)
	}
	if errors.Is(err, store.ErrNotFound) { // What is not text names nobody.
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("end the %s of a person: %w", what, err)
	}
	return int(ended), nil
}

// checkBatch refuses a batch of none, whose 0 would look like the end.
func checkBatch(limit int) error {
	if limit < 1 {
		return fmt.Errorf("a batch of %d; give at least 1", limit)
	}
	return nil
}
