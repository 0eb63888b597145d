package sqlite

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/storetest"
)

func openStore(t testing.TB) *Store {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "store.db"))
}

func openAt(t testing.TB, path string) *Store {
	t.Helper()
	opened, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return opened
}

// TestContract holds the store to its contract, and then every statement that
// this has run to its plan.
func TestContract(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var opened []*Store
	t.Run("contract", func(t *testing.T) {
		storetest.Run(t, func(t testing.TB) store.Store {
			s := openStore(t)
			mu.Lock()
			defer mu.Unlock()
			opened = append(opened, s)
			return s
		})
	})
	texts := map[string]bool{}
	for _, s := range opened {
		for _, ran := range []*statements{s.reads, s.writer.tx.statements} {
			for statement := range ran.prepared {
				texts[statement] = true
			}
		}
	}
	checkPlans(t, texts)
}

// smallTables may be scanned: one row, a few, and the installations that a caller may act for.
var smallTables = []string{"client_revision", "server_keys", "json_each"}

func checkPlans(t *testing.T, texts map[string]bool) {
	t.Helper()
	s := openStore(t)
	explained := 0
	for statement := range texts {
		if strings.HasSuffix(statement, " change") || strings.HasPrefix(statement, "BEGIN") || statement == "COMMIT" {
			continue
		}
		explained++
		for _, step := range planOf(t, s, statement) {
			if scansGrowingTable(step) {
				t.Errorf("%s\nhas the step %q", statement, step)
			}
		}
	}
	if explained < 35 {
		t.Errorf("the contract ran %d statements; it is expected to run all of them", explained)
	}
}

func scansGrowingTable(step string) bool {
	if strings.Contains(step, "AUTOMATIC") {
		return true
	}
	scanned, isScan := strings.CutPrefix(step, "SCAN ")
	if !isScan || scanned == "CONSTANT ROW" {
		return false
	}
	table, _, _ := strings.Cut(scanned, " ")
	for _, small := range smallTables {
		if table == small {
			return false
		}
	}
	return true
}

func planOf(t *testing.T, s *Store, statement string) []string {
	t.Helper()
	arguments := make([]any, 11)
	rows, err := s.pool.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, arguments...)
	if err != nil {
		t.Fatalf("explain %s: %v", statement, err)
	}
	defer func() { _ = rows.Close() }()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("explain %s: %v", statement, err)
	}
	return steps
}

// TestScansAreSeen shows that the check of plans can fail.
func TestScansAreSeen(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for statement, want := range map[string]bool{
		`SELECT id FROM grants WHERE scope = ?`:            true,
		`SELECT client_id FROM allowed_origins`:            true,
		`DELETE FROM single_use WHERE value = ?`:           true,
		`SELECT id FROM grants WHERE client_id = ?`:        false,
		`SELECT revision FROM client_revision`:             false,
		`DELETE FROM codes WHERE used = 1 AND digest = ?`:  false,
		`SELECT count(*) FROM revoked_access_tokens`:       true,
		`DELETE FROM sessions WHERE expires_at + 1 < ?`:    true,
		`DELETE FROM sessions WHERE expires_at < ?`:        false,
		`SELECT id FROM server_keys ORDER BY created_at`:   false,
		`UPDATE pushed_requests SET consumed = 1`:          true,
		`SELECT g.id FROM grants AS g WHERE g.revoked = ?`: true,
	} {
		got := false
		for _, step := range planOf(t, s, statement) {
			got = got || scansGrowingTable(step)
		}
		if got != want {
			t.Errorf("%s: scans a growing table: %t, want %t", statement, got, want)
		}
	}
}

// TestForeignKeysAreIndexed: without an index on the referring column, deleting
// one row scans the table that refers to it.
func TestForeignKeysAreIndexed(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	rows, err := s.pool.QueryContext(t.Context(),
		`SELECT m.name, k."from" FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS k WHERE m.type = 'table'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	references := map[string]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		references[table] = column
	}
	if len(references) != 6 {
		t.Errorf("found %d foreign keys, want 6: %v", len(references), references)
	}
	for table, column := range references {
		for _, step := range planOf(t, s, "DELETE FROM "+table+" WHERE "+column+" = ?") {
			if scansGrowingTable(step) {
				t.Errorf("%s.%s: %s", table, column, step)
			}
		}
	}
}
