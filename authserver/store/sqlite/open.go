package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite", free of cgo

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var _ store.Store = (*Store)(nil)

// Store is an open database. It is safe for concurrent use.
type Store struct {
	path   string
	lock   *os.File
	writes *sql.DB // one connection
	pool   *sql.DB // connections that only read
	writer *writer
	reads  *statements
	// schemaVersion is the one to which Open has brought the database.
	schemaVersion int64
	// unchecked tells that the file was too large to be checked before it is served from.
	unchecked bool

	closeOnce sync.Once
	closeErr  error
}

// Open opens the database in the file at path, makes it if there is none, checks
// it, and brings its schema up to date. It refuses, with an error that says what
// to do: a file that is not its own or is damaged (ErrNotOurs), a path that it
// cannot write, a schema newer than it knows (ErrNewerSchema), and a database
// that is in use (ErrInUse). A file of more than 64 MiB is checked by FinishCheck.
func Open(ctx context.Context, path string) (*Store, error) {
	s, err := open(ctx, path, checkedFirst)
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	return s, nil
}

// open checks a file of at most so many bytes.
func open(ctx context.Context, path string, checkedFirst int64) (_ *Store, err error) {
	path, err = resolve(path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if s.lock, err = lock(path); err != nil {
		return nil, err
	}
	if err = prepareFile(path); err != nil {
		return nil, err
	}
	if err = s.connect(path); err != nil {
		return nil, err
	}
	// A connection of the pool changes nothing, not even the journal mode.
	if err = s.check(ctx, checkedFirst); err != nil {
		return nil, err
	}
	if s.schemaVersion, err = migrate(ctx, s.writes); err != nil {
		return nil, err
	}
	return s, s.start(ctx)
}

// connect declares one connection that writes, so that SQLite never has to
// refuse a second writer, and a pool that reads beside it.
func (s *Store) connect(path string) (err error) {
	s.writes, err = sql.Open("sqlite", dataSource(path,
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"journal_size_limit(67108864)", // bytes: a log that a burst has stretched shrinks again
	))
	if err != nil {
		return err
	}
	s.writes.SetMaxOpenConns(1)
	s.pool, err = sql.Open("sqlite", dataSource(path, "query_only(1)"))
	if err != nil {
		return err
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	s.pool.SetMaxOpenConns(readers)
	s.pool.SetMaxIdleConns(readers)
	return nil
}

func (s *Store) start(ctx context.Context) error {
	connection, err := s.writes.Conn(ctx)
	if err != nil {
		return err
	}
	s.writer = startWriter(connection)
	s.reads = newStatements(s.pool)
	return nil
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var revision int64
	if err := s.reads.row(ctx, selectClientRevision, []any{&revision}); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

// Schema tells in which form the database is kept; see store.Store.
func (s *Store) Schema() store.Schema {
	return store.Schema{Backend: "sqlite", Version: s.schemaVersion}
}

// Close waits for the changes that have begun, and gives the file free.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.release() })
	return s.closeErr
}

func (s *Store) release() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.reads != nil {
		errs = append(errs, s.reads.close())
	}
	if s.pool != nil {
		errs = append(errs, s.pool.Close())
	}
	if s.writes != nil {
		errs = append(errs, s.writes.Close()) // The last connection empties the log into the file.
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
