package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// overTLS reach the database over loopback.
func overTLS(database *pgcluster.Database) Settings {
	settings := settingsOf(database)
	settings.Hosts, settings.CAFile = []string{database.Address()}, database.CAFile
	return settings
}

func TestOpenOverTLS(t *testing.T) {
	t.Parallel()
	s := openWith(t, overTLS(pgcluster.New(t)))
	var encrypted bool
	must(t, s.row(t.Context(), `SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()`, []any{&encrypted}))
	if !encrypted {
		t.Error("the connection is not encrypted")
	}
}

func TestOpenPassesOverHostsThatTakeNoWrites(t *testing.T) {
	t.Parallel()
	standby, primary := pgcluster.Start(t, pgcluster.Forgetful), pgcluster.New(t)
	standby.Exec(t, "CREATE DATABASE "+primary.Name)
	standby.Exec(t, fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", pgcluster.User, primary.Password))
	standby.Password = primary.Password
	standby.Exec(t, "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
	settings := settingsOf(primary)
	settings.Hosts = []string{filepath.Join(t.TempDir(), "nobody") + ":5432", standby.Socket(), primary.Socket()}
	registerClient(t, openWith(t, settings))
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	const wrongPassword = "a-password-that-must-not-be-told"
	for name, test := range map[string]struct {
		prepare func(t *testing.T, database *pgcluster.Database, settings *Settings)
		want    error
		says    string
	}{
		"a newer schema": {func(t *testing.T, database *pgcluster.Database, settings *Settings) {
			must(t, openWith(t, *settings).Close())
			database.Exec(t, "INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (999, true)")
		}, ErrNewerSchema, "start that version"},
		"commits that may be lost": {func(t *testing.T, database *pgcluster.Database, _ *Settings) {
			database.Exec(t, "ALTER DATABASE "+database.Name+" SET synchronous_commit = off")
		}, ErrUnfit, "set it to on"},
		"another encoding": {func(t *testing.T, database *pgcluster.Database, settings *Settings) {
			settings.Database = "latin_" + database.Name
			database.Exec(t, "CREATE DATABASE "+settings.Database+" ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
		}, ErrUnfit, "ENCODING 'UTF8'"},
		"another program's tables": {func(t *testing.T, database *pgcluster.Database, _ *Settings) {
			database.Exec(t, "CREATE TABLE clients (photo BYTEA)")
		}, nil, `"clients" already exists`},
		"no such database": {func(_ *testing.T, _ *pgcluster.Database, settings *Settings) { settings.Database = "nowhere" }, nil, `"nowhere" does not exist`},
		"a wrong password": {func(t *testing.T, _ *pgcluster.Database, settings *Settings) {
			settings.PasswordFile = testca.WriteFile(t, t.TempDir(), "password", []byte(wrongPassword+"\n"))
		}, nil, "password authentication failed"},
		"no password file": {func(_ *testing.T, _ *pgcluster.Database, settings *Settings) {
			settings.PasswordFile = "/nowhere/password"
		}, nil, "/nowhere/password"},
		"an unknown CA": {func(t *testing.T, _ *pgcluster.Database, settings *Settings) {
			settings.CAFile = testca.WriteFile(t, t.TempDir(), "ca.crt", testca.New(t, "another", time.Now()).PEM())
		}, nil, "certificate"},
		"the system's CAs": {func(_ *testing.T, _ *pgcluster.Database, settings *Settings) { settings.CAFile = "" }, nil, "certificate"},
		"another host name": {func(_ *testing.T, _ *pgcluster.Database, settings *Settings) {
			settings.Hosts[0] = strings.Replace(settings.Hosts[0], "localhost", "127.0.0.2", 1)
		}, nil, "127.0.0.2"},
		"no host":           {func(_ *testing.T, _ *pgcluster.Database, settings *Settings) { settings.Hosts = nil }, nil, "no host"},
		"a host of no port": {func(_ *testing.T, _ *pgcluster.Database, settings *Settings) { settings.Hosts = []string{"localhost"} }, nil, "missing port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := pgcluster.New(t)
			settings := overTLS(database)
			test.prepare(t, database, &settings)
			opened, err := Open(t.Context(), settings)
			if err == nil {
				must(t, opened.Close())
				t.Fatal("it was opened")
			}
			t.Log(err)
			if test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v that says %q", err, test.want, test.says)
			}
			for _, secret := range []string{wrongPassword, database.Password} {
				if strings.Contains(err.Error(), secret) {
					t.Error("the error tells the password")
				}
			}
		})
	}
}

// A commit that does not wait for the synchronous standby is as good as any where
// there is none, and not where there is one.
func TestLocalCommitsAndSynchronousStandbys(t *testing.T) {
	t.Parallel()
	cluster := pgcluster.Start(t, pgcluster.Forgetful)
	database := cluster.Database(t)
	database.Exec(t, "ALTER DATABASE "+database.Name+" SET synchronous_commit = local")
	must(t, openWith(t, settingsOf(database)).Close())

	database.Exec(t, "ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")
	database.Await(t, "SELECT current_setting('synchronous_standby_names') = 'standby'")
	opened, err := Open(t.Context(), settingsOf(database))
	if err == nil {
		must(t, opened.Close())
	}
	if !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "(standby)") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

// The environment of libpq does not change where the server connects, nor how.
func TestTheEnvironmentIsIgnored(t *testing.T) {
	settings := overTLS(pgcluster.New(t))
	for name, value := range map[string]string{
		"PGHOST": "nowhere.example", "PGUSER": "nobody", "PGPASSWORD": "x", "PGSSLMODE": "disable", "PGDATABASE": "nowhere",
		"PGOPTIONS": "-c synchronous_commit=off", "PGTARGETSESSIONATTRS": "read-only",
	} {
		t.Setenv(name, value)
	}
	registerClient(t, openWith(t, settings))
}

// A password that is renewed is taken for the next connection.
func TestARenewedPassword(t *testing.T) {
	t.Parallel()
	cluster := pgcluster.Start(t, pgcluster.Forgetful)
	settings := settingsOf(cluster.Database(t))
	s := openWith(t, settings)
	registerClient(t, s)
	cluster.Exec(t, "ALTER ROLE "+pgcluster.User+" PASSWORD 'renewed'")
	must(t, os.WriteFile(settings.PasswordFile, []byte("renewed\n"), 0o600))
	s.pool.Reset()
	must(t, s.Ping(t.Context()))
}

// TestReplicasStartAtOnce: one migrates, and the others find it done.
func TestReplicasStartAtOnce(t *testing.T) {
	t.Parallel()
	settings := settingsOf(pgcluster.New(t))
	const replicas = 6
	stores, errs := make([]*Store, replicas), make([]error, replicas)
	var starting sync.WaitGroup
	for i := range replicas {
		starting.Go(func() { stores[i], errs[i] = Open(t.Context(), settings) })
	}
	starting.Wait()
	must(t, errors.Join(errs...))
	for _, s := range stores {
		must(t, s.Ping(t.Context()))
		must(t, s.Close())
	}
}

// TestALaterVersionMigrates under a server that runs: columns are added to every
// table, and the statements that it has prepared go on.
func TestALaterVersionMigrates(t *testing.T) {
	t.Parallel()
	database := pgcluster.New(t)
	s := openWith(t, settingsOf(database))
	registerClient(t, s)
	completeGrant(t, s, "before")
	for _, table := range []string{"clients", "client_revision", "allowed_origins", "pushed_requests", "interactions", "sessions",
		"grants", "codes", "refresh_tokens", "revoked_access_tokens", "single_use", "server_keys"} {
		database.Exec(t, "ALTER TABLE "+table+" ADD COLUMN later BIGINT NOT NULL DEFAULT 0")
	}
	completeGrant(t, s, "after")
	for _, id := range []string{"before", "after"} {
		if _, _, err := s.Code(t.Context(), digestOf("code "+id), now); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		must(t, s.RedeemCode(t.Context(), digestOf("code "+id), refreshOf(id), now))
	}
}

// TestARevisionComesWithItsWrite: whoever reads revision N finds all N writes,
// while two replicas write as fast as they can.
func TestARevisionComesWithItsWrite(t *testing.T) {
	t.Parallel()
	settings := settingsOf(pgcluster.New(t))
	replicas := []*Store{openWith(t, settings), openWith(t, settings)}
	const writers, writes = 8, 25
	var writing sync.WaitGroup
	for writer := range writers {
		writing.Go(func() {
			for i := range writes {
				id := fmt.Sprintf("client-%d-%d", writer, i)
				_, _, err := replicas[writer%2].PutClient(t.Context(), store.ClientWrite{
					Owner: registration.Owner{Name: id}, Generation: 1, Now: now, Metadata: registration.Metadata{ClientID: id},
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for revision := int64(0); revision < writers*writes && !t.Failed(); {
		var err error
		revision, err = replicas[0].ClientRevision(t.Context())
		must(t, err)
		records, err := replicas[1].ListClients(t.Context(), registration.Installations{Any: true}, "", writers*writes)
		must(t, err)
		seen := map[int64]bool{}
		for _, record := range records {
			seen[record.Revision] = true
		}
		for n := range revision {
			if !seen[n+1] {
				t.Fatalf("revision %d was read, and the write of %d is not there", revision, n+1)
			}
		}
	}
	writing.Wait()
}

// TestReplicasDeleteTogether: what has expired goes once, whoever deletes it.
func TestReplicasDeleteTogether(t *testing.T) {
	t.Parallel()
	settings := settingsOf(pgcluster.New(t))
	replicas := []*Store{openWith(t, settings), openWith(t, settings), openWith(t, settings)}
	const values = 300
	for i := range values {
		_, err := replicas[0].UseOnce(t.Context(), store.SpaceDPoPProof, digestOf(i), now)
		must(t, err)
	}
	var deleting sync.WaitGroup
	removed := make([]int, len(replicas))
	for i, replica := range replicas {
		deleting.Go(func() {
			for range values / 10 {
				n, err := replica.DeleteExpired(t.Context(), now.Add(time.Second), 10)
				if err != nil {
					t.Error(err)
				}
				removed[i] += n
			}
		})
	}
	deleting.Wait()
	if total := removed[0] + removed[1] + removed[2]; total != values {
		t.Errorf("%v rows were removed, want %d in all", removed, values)
	}
}
