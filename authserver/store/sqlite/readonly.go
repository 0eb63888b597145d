package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var _ store.Examined = (*Store)(nil)

var (
	// ErrReadOnly means that the database was opened to be read.
	ErrReadOnly = errors.New("the database was opened to be read, and nothing is changed in it")
	// ErrNoDatabase means that there is nothing at the path.
	ErrNoDatabase = errors.New("there is no database; correct the path, or start the server, which makes one")
)

// OpenReadOnly opens a database to be read, also beside the server process that
// has it: without its lock, and without bringing its schema up to date. Every
// change is refused with ErrReadOnly. It refuses what is no database of this
// server (ErrNoDatabase, ErrNotOurs) and a schema newer than it knows
// (ErrNewerSchema).
//
// It must not be called in the server's own process before Open: see prepareFile.
func OpenReadOnly(ctx context.Context, path string) (*Store, error) {
	s, err := openReadOnly(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read the database %s: %w", path, err)
	}
	return s, nil
}

func openReadOnly(ctx context.Context, path string) (_ *Store, err error) {
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	if err := checkRegular(path); err != nil {
		return nil, err
	}
	s := &Store{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if s.pool, err = sql.Open("sqlite", dataSource(path)+"&mode=ro"); err != nil {
		return nil, err
	}
	s.reads = newStatements(s.pool)
	if err = checkOwner(ctx, s.pool, false); err != nil {
		return nil, err
	}
	_, _, err = s.SchemaVersion(ctx)
	return s, err
}

// checkRegular looks at the file without opening it: closing it again would drop
// the locks of a server in this process (https://www.sqlite.org/howtocorrupt.html, 2.2).
func checkRegular(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoDatabase
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return ErrNotOurs
	}
	return nil
}

// SchemaVersion gives the version of the database's schema, and the newest that
// this program knows; ErrNewerSchema when it is beyond that.
func (s *Store) SchemaVersion(ctx context.Context) (version, known int64, err error) {
	provider, err := migrationsOf(s.pool)
	if err != nil {
		return 0, 0, err
	}
	return schemaVersions(ctx, provider)
}

// CheckIntegrity reads the whole database and tells whether it is sound: its
// pages, its indexes, and that no record hangs on one that is gone.
func (s *Store) CheckIntegrity(ctx context.Context) error {
	if err := checkIntegrity(ctx, s.pool, "PRAGMA integrity_check(1)"); err != nil {
		return err
	}
	var table string
	err := s.pool.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check its references: %w", err)
	}
	return fmt.Errorf("a record of %s hangs on one that is gone; restore the database from a backup", table)
}

// Backup copies the database as it stands at one moment, while a server may be
// at work on it, into a file that must be absent or empty. The copy is checked,
// and on the disk when Backup returns.
func Backup(ctx context.Context, path, to string) (err error) {
	s, err := OpenReadOnly(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if _, err := s.pool.ExecContext(ctx, "VACUUM INTO ?", to); err != nil {
		return fmt.Errorf("copy the database %s to %s: %w", path, to, err)
	}
	return errors.Join(checkCopy(ctx, to), flush(to))
}

func checkCopy(ctx context.Context, path string) (err error) {
	s, err := OpenReadOnly(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.CheckIntegrity(ctx)
}

// flush has the file's content on the disk.
func flush(path string) (err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return file.Sync()
}
