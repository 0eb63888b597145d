package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

func openReadOnlyAt(t *testing.T, path string) *Store {
	t.Helper()
	opened, err := OpenReadOnly(t.Context(), path)
	must(t, err)
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return opened
}

// Beside the server or after it, everything is read and nothing is written.
func TestReadingBesideTheServer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	server := openAt(t, path)
	registerClient(t, server)
	for _, state := range []string{"open", "closed"} {
		reader := openReadOnlyAt(t, path)
		if _, err := reader.Client(t.Context(), "web"); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		if err := reader.CheckIntegrity(t.Context()); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		if version, known, err := reader.SchemaVersion(t.Context()); err != nil || version != known || version < 2 {
			t.Errorf("%s: schema version %d of %d, %v", state, version, known, err)
		}
		if err := reader.RevokeAccessToken(t.Context(), "jti", now); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: a change gave %v", state, err)
		}
		if _, err := reader.pool.ExecContext(t.Context(), "DELETE FROM clients"); err == nil {
			t.Errorf("%s: SQLite would have written", state)
		}
		must(t, reader.Close())
		must(t, server.Close())
	}
	if _, err := openAt(t, path).Client(t.Context(), "web"); err != nil {
		t.Errorf("the server does not open what was read: %v", err)
	}
}

func TestReadingRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    error
	}{
		"nothing":           {func(*testing.T, string) {}, ErrNoDatabase},
		"an empty file":     {writes(nil), ErrNotOurs},
		"text":              {writes([]byte(strings.Repeat("apiVersion: v1\n", 100))), nil},
		"another program's": {executes(`CREATE TABLE photos (id)`), ErrNotOurs},
		"a directory":       {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, ErrNotOurs},
		"a newer schema":    {newerSchema, ErrNewerSchema},
		"a link to nowhere": {func(t *testing.T, path string) { must(t, os.Symlink(path+"x", path)) }, ErrNoDatabase},
	} {
		path := filepath.Join(t.TempDir(), "store.db")
		test.prepare(t, path)
		opened, err := OpenReadOnly(t.Context(), path)
		if err == nil {
			must(t, opened.Close())
			t.Errorf("%s was opened", name)
			continue
		}
		if test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want %v", name, err, test.want)
		}
	}
}

func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		harm func(t *testing.T, path string)
		says string
	}{
		"a lost grant":      {executes(`PRAGMA foreign_keys = 0`, `DELETE FROM grants`), "codes"},
		"a lost index row":  {executes(`PRAGMA writable_schema = 1`, `UPDATE sqlite_schema SET sql = 'CREATE INDEX grants_by_expiry ON grants (created_at)' WHERE name = 'grants_by_expiry'`), "damaged"},
		"nothing is harmed": {func(*testing.T, string) {}, ""},
	} {
		path := filepath.Join(t.TempDir(), "store.db")
		s := openAt(t, path)
		registerClient(t, s)
		completeGrant(t, s, "grant", oauth.NewSecret().Digest())
		must(t, s.Close())
		test.harm(t, path)
		err := openReadOnlyAt(t, path).CheckIntegrity(t.Context())
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A backup that is made while the server writes is whole: it holds everything
// that was acknowledged before it began.
func TestABackupBesideAServerThatWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	server := openAt(t, path)
	registerClient(t, server)
	code := oauth.NewSecret().Digest()
	completeGrant(t, server, "acknowledged", code)
	must(t, server.RedeemCode(t.Context(), code, nil, now))
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if _, err := server.UseOnce(t.Context(), store.SpaceDPoPProof, oauth.NewSecret().Digest(), now.Add(time.Hour)); err != nil {
				ended <- err
				return
			}
		}
	}()
	copied := filepath.Join(t.TempDir(), "copy.db")
	must(t, Backup(t.Context(), path, copied))
	close(stop)
	must(t, <-ended)

	restored := openAt(t, copied)
	if _, err := restored.Grant(t.Context(), "acknowledged"); err != nil {
		t.Error(err)
	}
	if err := restored.RedeemCode(t.Context(), code, nil, now); !errors.Is(err, store.ErrAlreadyUsed) {
		t.Errorf("redeeming again gave %v", err)
	}
	if err := Backup(t.Context(), path, copied); err == nil {
		t.Error("a file that holds something was overwritten")
	}
}
