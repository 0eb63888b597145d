package postgres

import (
	"os"
	"testing"
	"time"

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

func openStore(t testing.TB) *Store {
	t.Helper()
	return openWith(t, settingsOf(pgcluster.New(t)))
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

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) store.Store { return openStore(t) })
}

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
