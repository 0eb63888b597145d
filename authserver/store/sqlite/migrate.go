package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the file as ours (https://www.sqlite.org/pragma.html#pragma_application_id): "FAPI".
const applicationID = 0x46415049

// ErrNewerSchema means that a later version of the server has migrated the database.
var ErrNewerSchema = errors.New("the database was written by a newer version of the server; start that version, or restore a backup from before the upgrade")

// migrate brings the database's schema up to date, and gives its version.
func migrate(ctx context.Context, db *sql.DB) (version int64, err error) {
	// First of all: a start that is killed in the middle must leave a file that the next one knows.
	if _, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return 0, fmt.Errorf("mark it as this server's: %w", err)
	}
	provider, err := migrationsOf(db)
	if err != nil {
		return 0, err
	}
	_, known, err := schemaVersions(ctx, provider)
	if err != nil {
		return 0, err
	}
	if _, err := provider.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate its schema: %w", err)
	}
	return known, nil
}

func migrationsOf(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return nil, fmt.Errorf("load migrations: %w", err)
	}
	return provider, nil
}

// schemaVersions gives the database's version and the newest that is known;
// ErrNewerSchema when the database is beyond that.
func schemaVersions(ctx context.Context, provider *goose.Provider) (current, known int64, err error) {
	current, known, err = provider.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read its schema version: %w", err)
	}
	if current > known {
		return current, known, fmt.Errorf("schema version %d, known up to %d: %w", current, known, ErrNewerSchema)
	}
	return current, known, nil
}
