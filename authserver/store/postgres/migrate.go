package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Tables of our own, since another program in the same database may use goose too.
const (
	versionTable = "authserver_schema_version"
	lockTable    = "authserver_schema_lock"
)

// A replica that starts while another one migrates asks so often, and so many
// times, whether that has finished; our own choices.
const (
	migrationPoll  = time.Second
	migrationPolls = 120
)

// ErrNewerSchema means that a later version of the server has migrated the database.
var ErrNewerSchema = errors.New("the database was written by a newer version of the server; start that version, or restore a backup from before the upgrade")

// prepare checks the database and migrates it over connections of its own, which
// may take longer than a request has. It gives the schema's version.
func prepare(ctx context.Context, config *pgx.ConnConfig) (version int64, err error) {
	config = config.Copy()
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["lock_timeout"] = milliseconds(lockTime)
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := check(ctx, db); err != nil {
		return 0, err
	}
	return migrate(ctx, db)
}

// durability asks what an acknowledged commit has reached. Databases that only
// speak the protocol need not know of standbys.
const durability = `SELECT current_setting('synchronous_commit'), coalesce(current_setting('synchronous_standby_names', TRUE), ''),
	current_setting('server_encoding')`

// check refuses a database that would lose what it has acknowledged, or change text.
func check(ctx context.Context, db *sql.DB) error {
	var commit, standbys, encoding string
	if err := db.QueryRowContext(ctx, durability).Scan(&commit, &standbys, &encoding); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if commit == "off" {
		return fmt.Errorf("%w: synchronous_commit is off, so that a code which was redeemed could come back; set it to on for this role", ErrUnfit)
	}
	if commit == "local" && standbys != "" {
		return fmt.Errorf("%w: synchronous_commit is local, so that a commit does not wait for the synchronous standbys (%s), and a code which was redeemed "+
			"could come back when one of them takes over; set it to on for this role", ErrUnfit, standbys)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("%w: its encoding is %s; create it with ENCODING 'UTF8'", ErrUnfit, encoding)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB) (version int64, err error) {
	provider, err := newProvider(db)
	if err != nil {
		return 0, fmt.Errorf("load migrations: %w", err)
	}
	current, known, err := schemaVersions(ctx, provider)
	if err != nil || current == known {
		return known, err
	}
	if _, err := provider.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate its schema: %w", err)
	}
	return known, nil
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

// newProvider locks with a row that has a lease: of replicas that start at the
// same time one migrates, and the others find it done.
func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableName(lockTable),
		lock.WithTableLockTimeout(migrationPoll, migrationPolls),
		lock.WithTableLogger(slog.New(slog.DiscardHandler)), // What fails is in the error.
	)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(versionTable), goose.WithLocker(locker))
}
