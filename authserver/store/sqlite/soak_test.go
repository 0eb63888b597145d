package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/storetest"
)

// TestSoak counts the file and its log, which SQLite bounds by itself: nobody tidies.
func TestSoak(t *testing.T) {
	t.Parallel()
	storetest.Soak(t, func(t testing.TB) storetest.Soaked {
		path := filepath.Join(t.TempDir(), "store.db")
		s := openAt(t, path)
		return storetest.Soaked{
			Replicas: []store.Store{s, s, s}, // One process, whose rounds overlap.
			Rows:     func(t testing.TB) map[string]int { return rowsOf(t, s) },
			Tidy:     func(testing.TB) {},
			Bytes:    func(t testing.TB) int64 { return sizeOf(t, path) + sizeOf(t, path+"-wal") },
		}
	})
}

func rowsOf(t testing.TB, s *Store) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, table := range []string{"pushed_requests", "interactions", "sessions", "grants", "codes",
		"refresh_tokens", "revoked_access_tokens", "single_use"} {
		var count int
		must(t, s.pool.QueryRowContext(t.Context(), fmt.Sprintf("SELECT count(*) FROM %s", table)).Scan(&count))
		counts[table] = count
	}
	return counts
}

func sizeOf(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}
