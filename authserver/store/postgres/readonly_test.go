package postgres

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

func openReadOnlyWith(t testing.TB, settings Settings) *Store {
	t.Helper()
	opened, err := OpenReadOnly(t.Context(), settings)
	must(t, err)
	t.Cleanup(func() { must(t, opened.Close()) })
	return opened
}

// Beside a server everything is read, and nothing can be written.
func TestReadingBesideAServer(t *testing.T) {
	t.Parallel()
	settings := settingsOf(pgcluster.New(t))
	server := openWith(t, settings)
	registerClient(t, server)
	completeGrant(t, server, "grant")
	reader := openReadOnlyWith(t, settings)
	if records, err := reader.ListClients(t.Context(), registration.Installations{Any: true}, "", 10); err != nil || len(records) != 1 {
		t.Errorf("%d clients, %v", len(records), err)
	}
	if version, known, err := reader.SchemaVersion(t.Context()); err != nil || version != known || version < 2 {
		t.Errorf("schema version %d of %d, %v", version, known, err)
	}
	must(t, reader.CheckIntegrity(t.Context()))
	if _, err := reader.pool.Exec(t.Context(), "DELETE FROM clients"); codeOf(storeError(err)) != readOnlyTransaction {
		t.Errorf("a change gave %v", err)
	}
	must(t, server.RedeemCode(t.Context(), digestOf("code grant"), refreshOf("grant"), now))
}

// tables are all that the database holds.
func tables(t testing.TB, database *pgcluster.Database) []string {
	t.Helper()
	return database.Texts(t, "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
}

// An older schema is read and stays as it is; where there is none, none is made.
func TestReadingMigratesNothing(t *testing.T) {
	t.Parallel()
	database := pgcluster.New(t)
	if opened, err := OpenReadOnly(t.Context(), settingsOf(database)); !errors.Is(err, ErrNoSchema) || opened != nil {
		t.Errorf("a database without a schema gave %v", err)
	}
	if made := tables(t, database); len(made) != 0 {
		t.Errorf("%v were made", made)
	}
	migrateTo(t, database, 1)
	before := tables(t, database)
	reader := openReadOnlyWith(t, settingsOf(database))
	if version, known, err := reader.SchemaVersion(t.Context()); err != nil || version != 1 || known < 2 {
		t.Errorf("schema version %d of %d, %v", version, known, err)
	}
	must(t, reader.CheckIntegrity(t.Context()))
	if difference := cmp.Diff(before, tables(t, database)); difference != "" {
		t.Errorf("the schema has changed:\n%s", difference)
	}
}

// migrateTo makes the schema as the version of the server that had it did.
func migrateTo(t testing.TB, database *pgcluster.Database, version int64) {
	t.Helper()
	config, err := settingsOf(database).connection()
	must(t, err)
	db := stdlib.OpenDB(*config)
	files, err := fs.Sub(migrations, "migrations")
	must(t, err)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(versionTable))
	must(t, err)
	_, err = provider.UpTo(t.Context(), version)
	must(t, errors.Join(err, db.Close()))
}

func TestReadingRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	database := pgcluster.New(t)
	must(t, openWith(t, settingsOf(database)).Close())
	database.Exec(t, "INSERT INTO "+versionTable+" (version_id, is_applied) VALUES (999, true)")
	if _, err := OpenReadOnly(t.Context(), settingsOf(database)); !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), "schema version 999") {
		t.Errorf("got %v", err)
	}
}

func TestUnsoundnessIsFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		harm []string
		says []string
	}{
		"nothing is harmed": {nil, nil},
		"a lost grant": {[]string{"SET session_replication_role = replica", "DELETE FROM grants"},
			[]string{"1 records of codes", "that are gone"}},
		"a lost client": {[]string{"SET session_replication_role = replica", "DELETE FROM clients"},
			[]string{"records of grants", "records of allowed_origins", "records of pushed_requests"}},
		"triggers switched off":         {[]string{"ALTER TABLE codes DISABLE TRIGGER ALL"}, []string{"codes has no foreign key in force"}},
		"a foreign key is gone":         {[]string{"ALTER TABLE codes DROP CONSTRAINT codes_grant_id_fkey"}, []string{"codes has no foreign key in force"}},
		"a primary key is gone":         {[]string{"ALTER TABLE single_use DROP CONSTRAINT single_use_pkey"}, []string{"single_use has no primary key"}},
		"an index that was never ready": {[]string{"UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'grants_by_expiry'::regclass"}, []string{"REINDEX", "grants_by_expiry"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := pgcluster.New(t)
			server := openWith(t, settingsOf(database))
			registerClient(t, server)
			completeGrant(t, server, "grant")
			database.Exec(t, test.harm...)
			err := openReadOnlyWith(t, settingsOf(database)).CheckIntegrity(t.Context())
			if len(test.says) == 0 {
				must(t, err)
				return
			}
			if !errors.Is(err, ErrUnsound) {
				t.Fatalf("got %v", err)
			}
			for _, passage := range test.says {
				if !strings.Contains(err.Error(), passage) {
					t.Errorf("%q is not told: %v", passage, err)
				}
			}
		})
	}
}

// TestWhatIsCheckedIsTheSchema: a table or a foreign key that a migration adds
// belongs on the lists.
func TestWhatIsCheckedIsTheSchema(t *testing.T) {
	t.Parallel()
	database := pgcluster.New(t)
	must(t, openWith(t, settingsOf(database)).Close())
	made := database.Texts(t, "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1")
	made = slices.DeleteFunc(made, func(table string) bool { return table == versionTable || table == lockTable })
	if difference := cmp.Diff(made, keyed); difference != "" {
		t.Errorf("the schema's tables (-) are not those that are checked (+):\n%s", difference)
	}
	declared := database.Texts(t, `SELECT concat_ws(' ', k.conrelid::regclass, a.attname, k.confrelid::regclass, b.attname)
		FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND ARRAY[a.attnum] = k.conkey
		JOIN pg_attribute AS b ON b.attrelid = k.confrelid AND ARRAY[b.attnum] = k.confkey WHERE k.contype = 'f' ORDER BY 1`)
	var checked []string
	for _, r := range references {
		checked = append(checked, strings.Join([]string{r.table, r.column, r.referred, r.key}, " "))
	}
	if difference := cmp.Diff(declared, checked); difference != "" {
		t.Errorf("the schema's foreign keys (-) are not those that are checked (+):\n%s", difference)
	}
}
