package sqlite

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// everyFileIsLarge has no file checked before it is served from.
const everyFileIsLarge = -1

// harmTable damages the table's first page, which no start reads.
func harmTable(t *testing.T, path, table string) {
	t.Helper()
	reader, err := OpenReadOnly(t.Context(), path)
	must(t, err)
	var page, size int64
	must(t, reader.pool.QueryRowContext(t.Context(), "SELECT rootpage FROM sqlite_schema WHERE name = ?", table).Scan(&page))
	must(t, reader.pool.QueryRowContext(t.Context(), "PRAGMA page_size").Scan(&size))
	must(t, reader.Close())
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteAt(bytes.Repeat([]byte{0xaa}, int(size)), (page-1)*size)
	must(t, errors.Join(err, file.Close()))
}

// A large file is served from at once and checked meanwhile. Once damage was found
// nothing is served from it again, until it has been replaced by a sound one.
func TestALargeFileIsCheckedWhileItIsServed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	registerClient(t, s)
	completeGrant(t, s, "grant", oauth.NewSecret().Digest())
	must(t, s.Close())
	sound, err := os.ReadFile(path)
	must(t, err)

	large, err := open(t.Context(), path, everyFileIsLarge)
	must(t, err)
	if checked, err := large.FinishCheck(t.Context()); err != nil || !checked {
		t.Errorf("of a sound file: checked is %t, %v", checked, err)
	}
	must(t, large.Close())

	harmTable(t, path, "revoked_access_tokens")
	large, err = open(t.Context(), path, everyFileIsLarge)
	must(t, err)
	if _, err := large.Grant(t.Context(), "grant"); err != nil {
		t.Errorf("what is not damaged: %v", err)
	}
	if _, err := large.FinishCheck(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the damage was not found: %v", err)
	}
	must(t, large.Close())
	for range 2 {
		if again, err := open(t.Context(), path, everyFileIsLarge); err == nil {
			must(t, again.Close())
			t.Error("the damaged file is served from again")
		}
	}

	must(t, os.WriteFile(path, sound, 0o600))
	for _, wantChecked := range []bool{false, true} { // Checked first, and forgotten.
		restored, err := open(t.Context(), path, everyFileIsLarge)
		must(t, err)
		if checked, err := restored.FinishCheck(t.Context()); err != nil || checked != wantChecked {
			t.Errorf("after the restoration: checked is %t, want %t; %v", checked, wantChecked, err)
		}
		must(t, restored.Close())
	}
}

// A server that stops in the middle of the check has found no damage.
func TestACheckThatIsCutShort(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s, err := open(t.Context(), path, everyFileIsLarge)
	must(t, err)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.FinishCheck(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	must(t, s.Close())
	if _, err := os.Stat(path + damageSuffix); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("damage was noted: %v", err)
	}
}
