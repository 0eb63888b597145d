package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// statements runs SQL texts of this package, each prepared once for each connection.
type statements struct {
	preparer interface {
		PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
	}
	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

func newStatements(on interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}) *statements {
	return &statements{preparer: on, prepared: map[string]*sql.Stmt{}}
}

func (s *statements) prepare(query string) (*sql.Stmt, error) {
	s.mu.RLock()
	statement, known := s.prepared[query]
	s.mu.RUnlock()
	if known {
		return statement, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if statement, known = s.prepared[query]; known {
		return statement, nil
	}
	// It outlives the call that needed it first.
	statement, err := s.preparer.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	s.prepared[query] = statement
	return statement, nil
}

// close gives the prepared statements back. A connection that has one left does
// not really close, and the log is then never emptied into the file.
func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, statement := range s.prepared {
		errs = append(errs, statement.Close())
	}
	return errors.Join(errs...)
}

// exec runs a change and tells how many rows it changed.
func (s *statements) exec(ctx context.Context, query string, args ...any) (int64, error) {
	statement, err := s.prepare(query)
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(ctx, args...)
	if err != nil {
		return 0, storeError(err)
	}
	return result.RowsAffected()
}

// row reads one row into the columns; store.ErrNotFound when there is none.
func (s *statements) row(ctx context.Context, query string, columns []any, args ...any) error {
	statement, err := s.prepare(query)
	if err != nil {
		return err
	}
	return storeError(statement.QueryRowContext(ctx, args...).Scan(columns...))
}

// rows hands every row to scan.
func (s *statements) rows(ctx context.Context, query string, scan func(*sql.Rows) error, args ...any) (err error) {
	statement, err := s.prepare(query)
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return storeError(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// storeError says it in the contract's words: a broken foreign key means that
// what the record hangs on is gone.
func storeError(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	var failure *driver.Error
	if !errors.As(err, &failure) {
		return err
	}
	switch failure.Code() {
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return store.ErrNotFound
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return store.ErrAlreadyExists
	}
	return err
}
