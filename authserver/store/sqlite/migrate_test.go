package sqlite

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// openSchema makes a database as the version of the server that had this schema did.
func openSchema(t *testing.T, path string, version int64) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dataSource(path))
	must(t, err)
	files, err := fs.Sub(migrations, "migrations")
	must(t, err)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	must(t, err)
	_, err = provider.UpTo(t.Context(), version)
	must(t, err)
	_, err = db.ExecContext(t.Context(), "PRAGMA application_id = 0x46415049")
	must(t, err)
	return db
}

// What was granted before the store knew persons by a column is found by its
// person all the same, however JSON writes the name.
func TestRecordsFromBeforeTheSubjectColumnAreFound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	old := openSchema(t, path, 1)
	for _, statement := range []string{
		`INSERT INTO clients VALUES ('web', 'i', 'n', 'o', 1, 1, 'hash', '{}', 0)`,
		`INSERT INTO grants VALUES ('grant', 'web', '{"client_id":"web"}', '{"sub":"zo\u00eb \u003c\"x\"","auth_time":"2030-01-02T03:04:05Z"}', NULL, 0, 9999999999999999, 0)`,
		`INSERT INTO sessions VALUES (zeroblob(32), '{"sub":"zo\u00eb \u003c\"x\"","auth_time":"2030-01-02T03:04:05Z"}', 9999999999999999)`,
	} {
		_, err := old.ExecContext(t.Context(), statement)
		must(t, err)
	}
	must(t, old.Close())

	const subject = `zoë <"x"`
	s := openAt(t, path)
	grants, err := s.ListGrants(t.Context(), store.GrantFilter{Subject: subject}, "", 10, now)
	if err != nil || len(grants) != 1 || grants[0].Authentication.Subject != subject {
		t.Errorf("listed %v, %v", grants, err)
	}
	if ended, err := s.RevokeGrantsOfSubject(t.Context(), subject, 10, now); err != nil || ended != 1 {
		t.Errorf("revoked %d, %v", ended, err)
	}
	if ended, err := s.EndSessionsOfSubject(t.Context(), subject, 10); err != nil || ended != 1 {
		t.Errorf("ended %d sessions, %v", ended, err)
	}
}

// A client from before epochs is in the first one until it is suspended: its
// access tokens, which name none, stay good over the upgrade.
func TestAClientFromBeforeEpochsIsInTheFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	old := openSchema(t, path, 2)
	_, err := old.ExecContext(t.Context(), `INSERT INTO clients VALUES ('web', 'i', 'n', 'o', 1, 1, 'hash', '{"client_id":"web"}', 0)`)
	must(t, err)
	must(t, old.Close())
	s := openAt(t, path)
	write := store.ClientWrite{Owner: registration.Owner{Installation: "i", Namespace: "n", Name: "o"}, Metadata: registration.Metadata{ClientID: "web"}, Now: now}
	for _, test := range []struct{ suspended, first bool }{{false, true}, {true, false}, {false, false}} {
		write.Generation++
		write.Metadata.Suspended = &test.suspended
		record, _, err := s.PutClient(t.Context(), write)
		if err != nil || (record.Epoch == 0) != test.first {
			t.Errorf("suspended %t: epoch %d, %v", test.suspended, record.Epoch, err)
		}
	}
}
