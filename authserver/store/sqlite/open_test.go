package sqlite

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

func TestOpenMakesAPrivateFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "odd name?mode=memory&x=%41#1.db")
	s := openAt(t, path)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", info.Name(), info.Mode())
		}
	}
}

func TestConnectionsAreDurableAndStrict(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "trusted_schema": "0", "temp_store": "2"} {
		var got string
		if err := s.writer.tx.row("PRAGMA "+pragma, []any{&got}); err != nil || got != want {
			t.Errorf("the writer's %s is %q (%v), want %q", pragma, got, err, want)
		}
	}
	if _, err := s.reads.exec(t.Context(), deleteSession, []byte("x")); err == nil {
		t.Error("a reading connection wrote")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    error
		says    string
	}{
		"text":                  {writes([]byte("apiVersion: v1\nkind: ConfigMap\n")), ErrNotOurs, "left as it was"},
		"a short file":          {writes([]byte("x")), ErrNotOurs, "left as it was"},
		"random bytes":          {writes(bytes.Repeat([]byte{0x9f, 0x00, 0x31}, 5000)), ErrNotOurs, "left as it was"},
		"a header and garbage":  {writes(append([]byte("SQLite format 3\x00"), bytes.Repeat([]byte{0xfe}, 9000)...)), nil, "not a database"},
		"another program's":     {executes(`CREATE TABLE photos (id)`), ErrNotOurs, "left as it was"},
		"another program's id":  {executes(`PRAGMA application_id = 7`), ErrNotOurs, "left as it was"},
		"a directory":           {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, nil, "regular file"},
		"a newer schema":        {newerSchema, ErrNewerSchema, "start that version"},
		"a database in use":     {func(t *testing.T, path string) { openAt(t, path) }, ErrInUse, "one replica"},
		"in use, behind a link": {inUseBehindLink, ErrInUse, "one replica"},
		"a damaged database":    {damaged, nil, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			test.prepare(t, path)
			before, _ := os.ReadFile(path)
			opened, err := Open(t.Context(), path)
			if err == nil {
				must(t, opened.Close())
				t.Fatal("it was opened")
			}
			t.Log(err)
			if test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %v that says %q", err, test.want, test.says)
			}
			if !strings.Contains(err.Error(), path) {
				t.Error("the error does not name the file")
			}
			if after, _ := os.ReadFile(path); errors.Is(test.want, ErrNotOurs) && !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenRefusesAPathThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, path := range []string{filepath.Join(t.TempDir(), "missing", "store.db"), filepath.Join(file, "store.db"), "/proc/store.db"} {
		opened, err := Open(t.Context(), path)
		if err == nil {
			must(t, opened.Close())
			t.Fatalf("%s was opened", path)
		}
		if !strings.Contains(err.Error(), "directory") {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writes(content []byte) func(*testing.T, string) {
	return func(t *testing.T, path string) { must(t, os.WriteFile(path, content, 0o600)) }
}

func executes(statements ...string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		db, err := sql.Open("sqlite", path)
		must(t, err)
		for _, statement := range statements {
			_, err = db.ExecContext(t.Context(), statement)
			must(t, err)
		}
		must(t, db.Close())
	}
}

func newerSchema(t *testing.T, path string) {
	must(t, openAt(t, path).Close())
	executes(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)(t, path)
}

func inUseBehindLink(t *testing.T, path string) {
	target := filepath.Join(t.TempDir(), "real.db")
	openAt(t, target)
	must(t, os.Symlink(target, path))
}

func damaged(t *testing.T, path string) {
	s := openAt(t, path)
	registerClient(t, s)
	for i := range 200 {
		pushRequest(t, s, oauth.Digest{byte(i)})
	}
	must(t, s.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	for page := 4096; page < len(content); page += 4096 {
		copy(content[page:], bytes.Repeat([]byte{0xaa}, 512))
	}
	must(t, os.WriteFile(path, content, 0o600))
}

func registerClient(t testing.TB, s *Store) {
	t.Helper()
	_, _, err := s.PutClient(t.Context(), store.ClientWrite{
		Owner: registration.Owner{Name: "web"}, Generation: 1, Now: now,
		Metadata: registration.Metadata{ClientID: "web", AllowedOrigins: []string{"https://app.example"}},
	})
	must(t, err)
}

func pushRequest(t testing.TB, s *Store, uri oauth.Digest) {
	t.Helper()
	must(t, s.PushRequest(t.Context(), store.PushedRequest{
		URI: uri, Request: store.AuthorizationRequest{ClientID: "web"}, ExpiresAt: now.Add(time.Minute),
	}))
}

// completeGrant takes the names' request to its grant and code.
func completeGrant(t testing.TB, s *Store, id string, code oauth.Digest) {
	t.Helper()
	request := store.AuthorizationRequest{ClientID: "web", State: "af0ifjsldkj"}
	uri, visit := oauth.SecretFrom("uri "+id).Digest(), oauth.SecretFrom("visit "+id).Digest()
	must(t, s.PushRequest(t.Context(), store.PushedRequest{URI: uri, Request: request, ExpiresAt: now.Add(time.Minute)}))
	must(t, s.BeginInteraction(t.Context(), store.Interaction{ID: visit, RequestURI: uri, Request: request, ExpiresAt: now.Add(time.Minute)}, nil))
	must(t, s.CompleteAuthorization(t.Context(), visit,
		store.Grant{ID: id, Request: request, CreatedAt: now, ExpiresAt: now.Add(time.Hour)},
		store.Code{Digest: code, GrantID: id, ClientID: "web", ExpiresAt: now.Add(time.Minute)}, now))
}

func TestEverythingSurvivesReopening(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	registerClient(t, s)
	code := oauth.NewSecret().Digest()
	completeGrant(t, s, "grant", code)
	revision, err := s.ClientRevision(t.Context())
	must(t, err)
	must(t, s.RedeemCode(t.Context(), code, nil, now))
	must(t, s.Close())

	s = openAt(t, path)
	if again, err := s.ClientRevision(t.Context()); err != nil || again != revision {
		t.Errorf("the revision is %d (%v), want %d", again, err, revision)
	}
	if _, err := s.Grant(t.Context(), "grant"); err != nil {
		t.Error(err)
	}
	if err := s.RedeemCode(t.Context(), code, nil, now); !errors.Is(err, store.ErrAlreadyUsed) {
		t.Errorf("redeeming again gave %v, want ErrAlreadyUsed", err)
	}
}

func TestCloseEmptiesTheLogIntoTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	registerClient(t, s)
	if _, err := s.Client(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	must(t, s.Close())
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the log is still there (%v): a connection did not close", err)
	}
}

func TestTheFileHoldsNoSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openAt(t, path)
	registerClient(t, s)
	secrets := []oauth.Secret{oauth.NewSecret(), oauth.NewSecret(), oauth.NewSecret(), oauth.NewSecret(), oauth.NewSecret(), oauth.NewSecret()}
	requestURI, cookie, code, refresh, session, jti := secrets[0], secrets[1], secrets[2], secrets[3], secrets[4], secrets[5]
	request := store.AuthorizationRequest{ClientID: "web", State: "visible-state"}
	must(t, s.PushRequest(t.Context(), store.PushedRequest{URI: requestURI.Digest(), Request: request, ExpiresAt: now.Add(time.Minute)}))
	must(t, s.BeginInteraction(t.Context(), store.Interaction{ID: cookie.Digest(), RequestURI: requestURI.Digest(), Request: request, ExpiresAt: now.Add(time.Minute)}, nil))
	must(t, s.CompleteAuthorization(t.Context(), cookie.Digest(),
		store.Grant{ID: "grant", Request: request, ExpiresAt: now.Add(time.Hour)},
		store.Code{Digest: code.Digest(), GrantID: "grant", ClientID: "web", ExpiresAt: now.Add(time.Minute)}, now))
	must(t, s.RedeemCode(t.Context(), code.Digest(),
		&store.RefreshToken{Digest: refresh.Digest(), GrantID: "grant", ClientID: "web", ExpiresAt: now.Add(time.Hour)}, now))
	must(t, s.BeginSession(t.Context(), store.Session{ID: session.Digest(), ExpiresAt: now.Add(time.Hour)}))
	_, err := s.UseOnce(t.Context(), store.SpaceDPoPProof, jti.Digest(), now.Add(time.Minute))
	must(t, err)

	log, err := os.ReadFile(path + "-wal")
	must(t, err)
	must(t, s.Close())
	file, err := os.ReadFile(path)
	must(t, err)
	for _, content := range [][]byte{log, file} {
		if !bytes.Contains(content, []byte("visible-state")) {
			t.Fatal("the file does not show even what is no secret: this test looks in the wrong place")
		}
		for i, secret := range secrets {
			if bytes.Contains(content, []byte(secret.Reveal())) {
				t.Errorf("secret %d is in the file", i)
			}
		}
	}
}
