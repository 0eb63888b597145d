package faults

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// TestKillsOnSQLite: the one server is killed in the middle of the load and started again.
func TestKillsOnSQLite(t *testing.T) {
	prepared := fapitest.Prepare(t)
	killOver(t, "SQLite, one server", prepared, func() *sql.DB {
		db, err := sql.Open("sqlite", filepath.Join(filepath.Dir(prepared.ConfigFile), "authserver.db"))
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

// TestKillsOnPostgreSQL is the same with the other store, whose database goes on.
func TestKillsOnPostgreSQL(t *testing.T) {
	database := pgcluster.Start(t, pgcluster.Durable).Database(t)
	killOver(t, "PostgreSQL, one server", fapitest.PrepareOn(t, database), func() *sql.DB { return stdlib.OpenDB(*database.Config(t)) })
}

// TestKillsOfReplicas: of three replicas behind a plain load balancer one is
// killed, and started again, one after the other.
func TestKillsOfReplicas(t *testing.T) {
	database := pgcluster.Start(t, pgcluster.Durable).Database(t)
	issuer := fapitest.PrepareOn(t, database)
	group := startReplicas(t, issuer)
	load := newLoad(t, issuer, group)
	load.start(t)
	r := row{what: "PostgreSQL, three replicas", kills: kills()}
	for i := range r.kills {
		load.move(t)
		victim := group.replicas[i%len(group.replicas)]
		victim.kill()
		load.move(t) // while two are left
		r.restarts = append(r.restarts, victim.start(t))
	}
	finish(t, r, load, stdlib.OpenDB(*database.Config(t)))
}

// replicas is the service while at least one of them runs: there is nothing to wait for.
type replicas struct{ replicas []*replica }

func (r *replicas) await(context.Context) {}

func startReplicas(t *testing.T, issuer *fapitest.Server) *replicas {
	t.Helper()
	const count = 3
	group := &replicas{}
	var public, mtls, private []string
	for range count {
		prepared := issuer.PrepareReplica(t)
		at := prepared.Listeners()
		public, mtls, private = append(public, at.Public), append(mtls, at.MTLS), append(private, at.Private)
		group.replicas = append(group.replicas, newReplica(t, prepared))
	}
	at := issuer.Listeners()
	balance(t, at.Public, public)
	balance(t, at.MTLS, mtls)
	balance(t, at.Private, private)
	for _, replica := range group.replicas {
		replica.start(t)
	}
	return group
}

// killOver kills the one server over and over, and also while it starts.
func killOver(t *testing.T, what string, prepared *fapitest.Server, open func() *sql.DB) {
	t.Helper()
	one := &single{replica: newReplica(t, prepared), started: make(chan struct{})}
	one.up(t)
	load := newLoad(t, prepared, one)
	load.start(t)
	r := row{what: what, kills: kills()}
	for i := range r.kills {
		load.move(t)
		one.down()
		if i%killWhileStarting == killWhileStarting-1 {
			one.failToStart(t)
		}
		r.restarts = append(r.restarts, one.up(t))
	}
	finish(t, r, load, open())
	one.check(t)
}

const (
	// killWhileStarting: so many kills later the next start is killed, too.
	killWhileStarting = 5
	// startingFor is the most that such a start gets; our own choice, as long as a start takes.
	startingFor = 200 * time.Millisecond
)

// single is the service while one server runs.
type single struct {
	*replica
	mu      sync.Mutex
	started chan struct{} // closed while the server runs
}

func (s *single) await(ctx context.Context) {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	select {
	case <-started:
	case <-ctx.Done():
	}
}

func (s *single) up(t *testing.T) time.Duration {
	t.Helper()
	took := s.start(t)
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.started)
	return took
}

func (s *single) down() {
	s.mu.Lock()
	s.started = make(chan struct{})
	s.mu.Unlock()
	s.kill()
}

// failToStart starts the server and kills it before, or just when, it is ready.
func (s *single) failToStart(t *testing.T) {
	t.Helper()
	s.spawn(t)
	<-time.After(rand.N(startingFor))
	s.kill()
}

// restartTarget is how long a restart may take until the server is ready, without
// a migration.
const restartTarget = time.Second

// finish stops the load, checks all that was acknowledged, and looks in the
// database itself for a code that was redeemed twice without anybody's knowledge.
func finish(t *testing.T, r row, load *load, db *sql.DB) {
	t.Helper()
	load.stop()
	if twice := grantsWithTwoRefreshTokens(t, db); twice > 0 {
		load.ledger.double("a code was redeemed by an unanswered and by an answered request")
	}
	load.audit(t)
	if median := r.median(); median > restartTarget {
		t.Errorf("a restart takes %s, want at most %s", median, restartTarget)
	}
	r.ledger = load.ledger
	table.add(r)
}

func grantsWithTwoRefreshTokens(t *testing.T, db *sql.DB) (count int) {
	t.Helper()
	defer func() { _ = db.Close() }() // It was only read.
	const query = `SELECT count(*) FROM (SELECT grant_id FROM refresh_tokens GROUP BY grant_id HAVING count(*) > 1) AS twice`
	if err := db.QueryRowContext(t.Context(), query).Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}
