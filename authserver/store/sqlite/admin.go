package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/column"
)

const (
	selectGrants = `SELECT ` + grantColumns + ` FROM grants AS g WHERE ` + inForce + ` AND g.id > ?1 AND g.expires_at > ?2`

	grantsOfSubject = `SELECT id FROM grants WHERE subject = ?1 AND revoked = 0 ORDER BY id LIMIT ?2`
	grantsOfClient  = `SELECT id FROM grants WHERE client_id = ?1 AND revoked = 0 ORDER BY id LIMIT ?2`

	endSessionsOfSubject = `DELETE FROM sessions WHERE rowid IN
		(SELECT rowid FROM sessions WHERE subject = ? ORDER BY rowid LIMIT ?)`
	// Interactions that their pushed request has ended are left to expire.
	endInteractionsOfSubject = `DELETE FROM interactions WHERE rowid IN
		(SELECT i.rowid FROM interactions AS i JOIN pushed_requests AS p ON p.uri = i.request_uri
			WHERE i.subject = ? AND p.consumed = 0 ORDER BY i.rowid LIMIT ?)`
)

// ListGrants lists grants in force; see store.Administration.
func (s *Store) ListGrants(ctx context.Context, filter store.GrantFilter, after string, limit int, now time.Time) ([]store.Grant, error) {
	query, arguments := filtered(filter, after, limit, now)
	var grants []store.Grant
	err := s.reads.rows(ctx, query, func(rows *sql.Rows) error {
		var grant store.Grant
		err := rows.Scan(grantScan(&grant)...)
		grants = append(grants, grant)
		return err
	}, arguments...)
	if err != nil {
		return nil, fmt.Errorf("list grants: %w", err)
	}
	return grants, nil
}

// filtered has a text for each combination of what is filtered by, so that each
// is prepared once and goes by an index.
func filtered(filter store.GrantFilter, after string, limit int, now time.Time) (query string, arguments []any) {
	const page = ` ORDER BY g.id LIMIT ?3`
	arguments = []any{after, column.Micros(now), limit}
	switch {
	case filter.Subject != "" && filter.ClientID != "":
		// The + keeps to the person's index: a client may have a thousand times as many grants.
		return selectGrants + ` AND g.subject = ?4 AND +g.client_id = ?5` + page, append(arguments, filter.Subject, filter.ClientID)
	case filter.Subject != "":
		return selectGrants + ` AND g.subject = ?4` + page, append(arguments, filter.Subject)
	case filter.ClientID != "":
		return selectGrants + ` AND g.client_id = ?4` + page, append(arguments, filter.ClientID)
	}
	return selectGrants + page, arguments
}

// RevokeGrantOnce ends a grant and tells whether it did; see store.Administration.
func (s *Store) RevokeGrantOnce(ctx context.Context, id string, now time.Time) (ended bool, err error) {
	err = s.writer.do(ctx, func(tx transaction) (err error) {
		ended, err = revoke(tx, id, now)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("revoke grant: %w", err)
	}
	return ended, nil
}

// RevokeGrantsOfSubject ends grants of a person; see store.Administration.
func (s *Store) RevokeGrantsOfSubject(ctx context.Context, subject string, limit int, now time.Time) (int, error) {
	return s.revokeGrants(ctx, "subject", grantsOfSubject, subject, limit, now)
}

// RevokeGrantsOfClient ends grants of a client; see store.Administration.
func (s *Store) RevokeGrantsOfClient(ctx context.Context, clientID string, limit int, now time.Time) (int, error) {
	return s.revokeGrants(ctx, "client", grantsOfClient, clientID, limit, now)
}

func (s *Store) revokeGrants(ctx context.Context, whose, selected, value string, limit int, now time.Time) (ended int, err error) {
	if err = checkBatch(limit); err == nil {
		err = s.writer.do(ctx, func(tx transaction) (err error) {
			ended, err = revokeEach(tx, now, selected, value, limit)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("revoke the grants of a %s: %w", whose, err)
	}
	return ended, nil
}

func revokeEach(tx transaction, now time.Time, selected, value string, limit int) (int, error) {
	ids, err := tx.texts(selected, value, limit)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if _, err := revoke(tx, id, now); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// EndSessionsOfSubject ends a person's sessions; see store.Administration.
func (s *Store) EndSessionsOfSubject(ctx context.Context, subject string, limit int) (int, error) {
	return s.endOfSubject(ctx, "sessions", endSessionsOfSubject, subject, limit)
}

// EndInteractionsOfSubject ends a person's interactions; see store.Administration.
func (s *Store) EndInteractionsOfSubject(ctx context.Context, subject string, limit int) (int, error) {
	return s.endOfSubject(ctx, "interactions", endInteractionsOfSubject, subject, limit)
}

func (s *Store) endOfSubject(ctx context.Context, what, statement, subject string, limit int) (ended int, err error) {
	if err = checkBatch(limit); err == nil {
		err = s.writer.do(ctx, func(tx transaction) error {
			deleted, err := tx.exec(statement, subject, limit)
			ended = int(deleted)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("end the %s of a person: %w", what, err)
	}
	return ended, nil
}

// checkBatch refuses a batch of none, whose 0 would look like the end.
func checkBatch(limit int) error {
	if limit < 1 {
		return fmt.Errorf("a batch of %d; give at least 1", limit)
	}
	return nil
}
