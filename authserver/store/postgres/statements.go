package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// session runs SQL texts of this package on a connection, or in a transaction.
// The driver prepares each of them once for each connection.
type session struct {
	on interface {
		Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error)
		Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
		QueryRow(ctx context.Context, query string, args ...any) pgx.Row
	}
	// ctx ends with the time that a try has, and not with its caller.
	ctx context.Context
}

// exec runs a change and tells how many rows it changed.
func (s session) exec(query string, args ...any) (int64, error) {
	tag, err := s.on.Exec(s.ctx, query, args...)
	return tag.RowsAffected(), storeError(err)
}

// row reads one row into the columns; store.ErrNotFound when there is none.
func (s session) row(query string, columns []any, args ...any) error {
	return storeError(s.on.QueryRow(s.ctx, query, args...).Scan(columns...))
}

// rows hands every row to scan.
func (s session) rows(query string, scan func(pgx.Rows) error, args ...any) error {
	rows, err := s.on.Query(s.ctx, query, args...)
	if err != nil {
		return storeError(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return storeError(rows.Err())
}

// exec, row and rows of the Store are operations of one statement.

func (s *Store) exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	err = s.attempt(ctx, nil, func(on session) (err error) {
		changed, err = on.exec(query, args...)
		return err
	})
	return changed, err
}

func (s *Store) row(ctx context.Context, query string, columns []any, args ...any) error {
	return s.attempt(ctx, nil, func(on session) error { return on.row(query, columns, args...) })
}

// The codes of https://www.postgresql.org/docs/current/errcodes-appendix.html that mean something here.
const (
	foreignKeyViolation        = "23503"
	uniqueViolation            = "23505"
	untranslatableCharacter    = "22P05"
	characterNotInRepertoire   = "22021"
	readOnlyTransaction        = "25006"
	serializationFailure       = "40001"
	statementCompletionUnknown = "40003"
	deadlockDetected           = "40P01"
)

// storeError says it in the contract's words: a broken foreign key means that
// what the record hangs on is gone, and no row is named by what is not text.
func storeError(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNotFound
	}
	switch codeOf(err) {
	case foreignKeyViolation, characterNotInRepertoire, untranslatableCharacter:
		return store.ErrNotFound
	case uniqueViolation:
		return store.ErrAlreadyExists
	}
	return err
}

// codeOf is the SQLSTATE of the database's refusal; empty when there is none.
func codeOf(err error) string {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refusal.Code
	}
	return ""
}
