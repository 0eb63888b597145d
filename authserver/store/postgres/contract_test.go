package postgres

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/storetest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

func TestMain(m *testing.M) { os.Exit(pgcluster.Main(m)) }

// settingsOf reach the database over its Unix socket.
func settingsOf(database *pgcluster.Database) Settings {
	return Settings{
		Hosts: []string{database.Socket()}, Database: database.Name,
		User: pgcluster.User, PasswordFile: database.PasswordFile, MaxConnections: 8,
	}
}

func openWith(t testing.TB, settings Settings) *Store {
	t.Helper()
	opened, err := Open(t.Context(), settings)
	must(t, err)
	t.Cleanup(func() { must(t, opened.Close()) })
	return opened
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func registerClient(t testing.TB, s *Store) {
	t.Helper()
	_, _, err := s.PutClient(t.Context(), store.ClientWrite{
		Owner: registration.Owner{Name: "web"}, Generation: 1, Now: now,
		Metadata: registration.Metadata{ClientID: "web", AllowedOrigins: []string{"https://app.example"}},
	})
	must(t, err)
}

// TestContract also holds every statement that the contract runs, and every check
// of a foreign key, to its index.
func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) store.Store {
		database := pgcluster.New(t)
		countScans(t, database)
		t.Cleanup(func() { noneScanned(t, database) })
		return openWith(t, settingsOf(database))
	})
}

// countScans makes the tables and begins to count how often one is read from end
// to end, which from now on is done only where no index can help.
func countScans(t testing.TB, database *pgcluster.Database) {
	t.Helper()
	must(t, openWith(t, settingsOf(database)).Close())
	connection := alone(t, database)
	for _, statement := range []string{"SELECT pg_stat_reset()", "ALTER DATABASE " + database.Name + " SET enable_seqscan = off"} {
		_, err := connection.Exec(t.Context(), statement)
		must(t, err)
	}
	must(t, connection.Close(t.Context()))
}

// noneScanned demands that no table which grows was read so. The store has been closed.
func noneScanned(t testing.TB, database *pgcluster.Database) {
	t.Helper()
	connection := alone(t, database)
	rows, err := connection.Query(context.Background(), `SELECT relname FROM pg_stat_user_tables WHERE seq_scan > 0`)
	must(t, err)
	scanned, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	must(t, connection.Close(context.Background()))
	for _, table := range scanned {
		if !slices.Contains(smallTables, table) {
			t.Errorf("%s was read from end to end", table)
		}
	}
}

// alone connects and waits until every other connection has ended, and with it
// has told what it counted.
func alone(t testing.TB, database *pgcluster.Database) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	config, err := settingsOf(database).connection()
	must(t, err)
	connection, err := pgx.ConnectConfig(ctx, config)
	must(t, err)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for others := 1; others > 0; <-poll.C {
		must(t, connection.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&others))
	}
	return connection
}

// smallTables may be: one row, and a few.
var smallTables = []string{"client_revision", "server_keys", versionTable}

// TestScansAreSeen shows that the check can fail.
func TestScansAreSeen(t *testing.T) {
	t.Parallel()
	database := pgcluster.New(t)
	countScans(t, database)
	s := openWith(t, settingsOf(database))
	_, err := s.exec(t.Context(), `DELETE FROM grants WHERE scope = 'unindexed'`)
	must(t, err)
	must(t, s.Close())
	seen := &failures{TB: t}
	noneScanned(seen, database)
	if seen.count != 1 {
		t.Errorf("%d tables were seen to be read from end to end, want 1", seen.count)
	}
}

// failures counts what a check finds, in place of failing.
type failures struct {
	testing.TB
	count int
}

func (f *failures) Errorf(string, ...any) { f.count++ }

// TestSerializableContract: nothing depends on the isolation level, which the
// database's administrator sets and other databases know only one of.
func TestSerializableContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) store.Store {
		database := pgcluster.New(t)
		database.Exec(t, "ALTER DATABASE "+database.Name+" SET default_transaction_isolation = 'serializable'")
		return openWith(t, settingsOf(database))
	})
}
