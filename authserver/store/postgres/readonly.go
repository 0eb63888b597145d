package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var _ store.Examined = (*Store)(nil)

var (
	// ErrNoSchema means that no server has used the database yet.
	ErrNoSchema = errors.New("the database has no tables of this server; correct its name, or start the server, which makes them")
	// ErrUnsound means that the database misses what keeps its records right, or holds records that are wrong.
	ErrUnsound = errors.New("the database is unsound; restore it from a backup, or put right what is named")
)

// OpenReadOnly opens the database that the servers use to be read, beside them:
// it brings no schema up to date, and its sessions are read-only. It refuses a
// database without a schema (ErrNoSchema) and a schema newer than it knows
// (ErrNewerSchema).
func OpenReadOnly(ctx context.Context, settings Settings) (*Store, error) {
	s, err := openReadOnly(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("read the database %s at %v: %w", settings.Database, settings.Hosts, err)
	}
	return s, nil
}

func openReadOnly(ctx context.Context, settings Settings) (*Store, error) {
	config, err := readOnlyConfig(settings)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &Store{pool: pool}
	if _, _, err := s.SchemaVersion(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func readOnlyConfig(settings Settings) (*pgxpool.Config, error) {
	config, err := poolConfig(settings)
	if err != nil {
		return nil, err
	}
	// The host that the servers write to: a standby may lag behind.
	config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	config.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
	config.ConnConfig.RuntimeParams["statement_timeout"] = "0" // Whole tables are read.
	return config, nil
}

// SchemaVersion gives the version of the database's schema, and the newest that
// this program knows; ErrNewerSchema when it is beyond that, ErrNoSchema when
// there is none.
func (s *Store) SchemaVersion(ctx context.Context) (version, known int64, err error) {
	var made bool
	if err := s.row(ctx, `SELECT to_regclass($1) IS NOT NULL`, []any{&made}, versionTable); err != nil {
		return 0, 0, fmt.Errorf("look for its schema: %w", err)
	}
	if !made {
		return 0, 0, ErrNoSchema
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer func() { err = errors.Join(err, db.Close()) }() // It gives back connections, and leaves the pool open.
	provider, err := newProvider(db)
	if err != nil {
		return 0, 0, fmt.Errorf("load migrations: %w", err)
	}
	return schemaVersions(ctx, provider)
}

// keyed are the tables of the schema: each has a primary key, on which exactly
// once and the absence of scans rest.
var keyed = []string{
	"allowed_origins", "client_revision", "clients", "codes", "grants", "interactions", "pushed_requests",
	"refresh_tokens", "revoked_access_tokens", "server_keys", "sessions", "single_use",
}

// reference is a foreign key: what hangs on a record ends with it.
type reference struct{ table, column, referred, key string }

var references = []reference{
	{"allowed_origins", "client_id", "clients", "client_id"},
	{"codes", "grant_id", "grants", "id"},
	{"grants", "client_id", "clients", "client_id"},
	{"interactions", "request_uri", "pushed_requests", "uri"},
	{"pushed_requests", "client_id", "clients", "client_id"},
	{"refresh_tokens", "grant_id", "grants", "id"},
}

const (
	primaryKeys = `SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
		WHERE i.indisprimary AND i.indisvalid AND c.relnamespace = current_schema()::regnamespace`
	invalidIndexes = `SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
		WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace ORDER BY 1`
	// One whose triggers somebody has switched off, as a restoration of data alone may, checks nothing.
	foreignKeys = `SELECT c.relname::text FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
		WHERE k.contype = 'f' AND k.convalidated AND c.relnamespace = current_schema()::regnamespace
			AND NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgconstraint = k.oid AND tgenabled IN ('D', 'R'))`
)

// CheckIntegrity tells whether the database keeps its records right, and has
// done so: every primary key and every index is there and valid, every foreign key
// is in force, and no record hangs on one that is gone. It reads those tables from
// end to end, and neither compares indexes with their tables nor looks at pages:
// that is pg_amcheck's.
func (s *Store) CheckIntegrity(ctx context.Context) error {
	inForce := make([]string, 0, len(references))
	for _, reference := range references {
		inForce = append(inForce, reference.table)
	}
	return errors.Join(
		s.hasAll(ctx, "primary key", primaryKeys, keyed),
		s.hasAll(ctx, "foreign key in force", foreignKeys, inForce),
		s.noInvalidIndex(ctx),
		s.referencesHold(ctx),
	)
}

// hasAll demands that the query names each of the tables.
func (s *Store) hasAll(ctx context.Context, what, query string, tables []string) error {
	found, err := s.names(ctx, query)
	if err != nil {
		return err
	}
	var missing []error
	for _, table := range tables {
		if !slices.Contains(found, table) {
			missing = append(missing, fmt.Errorf("%w: the table %s has no %s", ErrUnsound, table, what))
		}
	}
	return errors.Join(missing...)
}

func (s *Store) noInvalidIndex(ctx context.Context) error {
	invalid, err := s.names(ctx, invalidIndexes)
	if err != nil || len(invalid) == 0 {
		return err
	}
	return fmt.Errorf("%w: REINDEX the invalid indexes %v", ErrUnsound, invalid)
}

func (s *Store) referencesHold(ctx context.Context) error {
	var broken []error
	for _, r := range references {
		var orphans int64
		// Not tried again like a request's statement, which has seconds: this may take minutes.
		err := s.pool.QueryRow(ctx, fmt.Sprintf(`SELECT count(*) FROM %s AS r WHERE NOT EXISTS (SELECT 1 FROM %s AS k WHERE k.%s = r.%s)`,
			r.table, r.referred, r.key, r.column)).Scan(&orphans)
		if err != nil {
			return fmt.Errorf("check the references of %s: %w", r.table, err)
		}
		if orphans > 0 {
			broken = append(broken, fmt.Errorf("%w: %d records of %s hang on ones of %s that are gone", ErrUnsound, orphans, r.table, r.referred))
		}
	}
	return errors.Join(broken...)
}

// names gives the one text column of every row.
func (s *Store) names(ctx context.Context, query string) (names []string, err error) {
	rows, err := s.pool.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read the catalog: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("read the catalog: %w", err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
