package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var _ store.Store = (*Store)(nil)

// Store is an open database. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
	// schemaVersion is the one to which Open has brought the database.
	schemaVersion int64
}

// ErrUnfit means that the database cannot keep what the contract promises.
var ErrUnfit = errors.New("the database is not fit for the store")

// The pool: connections are renewed, so that load comes to a host that was added
// and leaves one that is to go; our own choices.
const (
	connectionLife     = 30 * time.Minute
	connectionLifeMore = 5 * time.Minute // at random, so that they do not all end at once
	connectionIdle     = 5 * time.Minute
	pingTime           = 2 * time.Second
)

// Open opens the database, checks it, and brings its schema up to date. It
// refuses, with an error that says what to do: a database that cannot be reached,
// one that is not fit (ErrUnfit), and a schema newer than it knows (ErrNewerSchema).
func Open(ctx context.Context, settings Settings) (*Store, error) {
	s, err := open(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("open the database %s at %v: %w", settings.Database, settings.Hosts, err)
	}
	return s, nil
}

func open(ctx context.Context, settings Settings) (_ *Store, err error) {
	config, err := poolConfig(settings)
	if err != nil {
		return nil, err
	}
	version, err := prepare(ctx, config.ConnConfig)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Store{pool: pool, schemaVersion: version}, nil
}

func poolConfig(settings Settings) (*pgxpool.Config, error) {
	// Only what ParseConfig made is taken by the pool; the connection is ours.
	config, err := pgxpool.ParseConfig("host=localhost port=5432 user=x password=x dbname=x sslmode=disable")
	if err != nil {
		return nil, err
	}
	if config.ConnConfig, err = settings.connection(); err != nil {
		return nil, err
	}
	config.BeforeConnect = func(_ context.Context, next *pgx.ConnConfig) error {
		cancelNothing(next)
		return settings.complete(next)
	}
	config.MaxConns = int32(settings.MaxConnections)
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = connectionLife, connectionLifeMore
	config.MaxConnIdleTime = connectionIdle
	config.PingTimeout = pingTime
	return config, nil
}

var errNotCanceled = errors.New("a statement that has begun is not canceled")

// cancelNothing keeps the driver from asking the database to cancel what a lost
// connection was doing. A commit that waits for its synchronous standby is nothing
// to cancel: the database would give up the wait, and show and acknowledge from
// then on what no standby has. Uncanceled, it keeps its locks, and nobody sees it
// before the standby has it. What else runs ends after statementTime.
func cancelNothing(next *pgx.ConnConfig) {
	dial := next.DialFunc
	var connected atomic.Bool
	next.AfterConnect = func(context.Context, *pgconn.PgConn) error {
		connected.Store(true)
		return nil
	}
	// The driver cancels over a connection of its own, to which this one's dialer takes it.
	next.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if connected.Load() {
			return nil, errNotCanceled
		}
		return dial(ctx, network, address)
	}
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var revision int64
	if err := s.row(ctx, selectClientRevision, []any{&revision}); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

// Schema tells in which form the database is kept; see store.Store.
func (s *Store) Schema() store.Schema {
	return store.Schema{Backend: "postgres", Version: s.schemaVersion}
}

// Close waits for the operations that have begun.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// FinishCheck has nothing to do: the database's own administrator checks it.
func (s *Store) FinishCheck(context.Context) (checked bool, err error) { return false, nil }
