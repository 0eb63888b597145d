package interaction

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHashPasswordVerifies(t *testing.T) {
	t.Parallel()
	text := HashPassword(testPassword)
	if !strings.HasPrefix(text, "$argon2id$v=19$m=65536,t=3,p=4$") {
		t.Errorf("hash = %q", text)
	}
	hash, err := parsePasswordHash(text)
	if err != nil {
		t.Fatal(err)
	}
	if !hash.matches(testPassword) || hash.matches(testPassword+" ") {
		t.Error("the hash matches another password, or not its own")
	}
	if HashPassword(testPassword) == text {
		t.Error("two hashes of one password are equal: the salt is not fresh")
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	users := testUsers(t)
	user, err := users.Authenticate(t.Context(), alice, testPassword)
	if err != nil || user.Username != alice || user.DisplayName() != "Alice Example" {
		t.Fatalf("user = %+v, %v", user, err)
	}
	for _, username := range []string{"mallory", "", "Alice", " alice"} {
		// Everybody has the same password here, so the decoy's hash matches too.
		if _, err := users.Authenticate(t.Context(), username, testPassword); !errors.Is(err, ErrWrongCredentials) {
			t.Errorf("%q: %v", username, err)
		}
	}
	long := strings.Repeat("x", maxPasswordBytes+1)
	if _, err := users.Authenticate(t.Context(), alice, long); !errors.Is(err, ErrWrongCredentials) {
		t.Errorf("a password of %d bytes: %v", len(long), err)
	}
}

// An unknown name costs a whole hash. Without one it would be faster by some
// thousand times; a factor of ten is far outside of what a busy machine explains.
func TestAnUnknownNameTakesAsLongAsAKnownOne(t *testing.T) {
	t.Parallel()
	users := testUsers(t)
	known, unknown := medianDuration(t, users, alice), medianDuration(t, users, "mallory")
	if unknown*10 < known || known*10 < unknown {
		t.Errorf("a known name takes %v, an unknown one %v", known, unknown)
	}
}

// A server of clients without persons has a list that is empty on purpose.
func TestWithoutUsersNobodyLogsIn(t *testing.T) {
	t.Parallel()
	users, err := ParseUsers([]byte("users: []"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := users.Authenticate(t.Context(), alice, testPassword); !errors.Is(err, ErrWrongCredentials) {
		t.Error(err)
	}
	if _, known := users.BySubject(derivedSubject(alice)); known {
		t.Error("a user is known who is in no list")
	}
}

func medianDuration(t *testing.T, users *Users, username string) time.Duration {
	t.Helper()
	durations := make([]time.Duration, 5)
	for i := range durations {
		begin := time.Now()
		if _, err := users.Authenticate(t.Context(), username, "wrong"); !errors.Is(err, ErrWrongCredentials) {
			t.Fatal(err)
		}
		durations[i] = time.Since(begin)
	}
	slices.Sort(durations)
	return durations[len(durations)/2]
}

// The memory of concurrent logins is bounded: when all turns are taken, the next waits.
func TestLoginsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	users := testUsers(t)
	for range maxConcurrentHashes {
		users.hashing <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := users.Authenticate(ctx, alice, testPassword); !errors.Is(err, context.Canceled) {
		t.Errorf("no turn is free, and the login ended with %v", err)
	}
	<-users.hashing
	if _, err := users.Authenticate(t.Context(), alice, testPassword); err != nil {
		t.Errorf("a turn is free: %v", err)
	}
}

func TestSubjects(t *testing.T) {
	t.Parallel()
	users, err := ParseUsers(fmt.Appendf(nil, `
users:
- {username: alice, passwordHash: %[1]q}
- {username: carol, passwordHash: %[1]q, subject: ~carol-2}
`, testHash()))
	if err != nil {
		t.Fatal(err)
	}
	// The derived subject is part of what clients keep: it must never change.
	const derived = "~iWN1P-yHNsOMojmiBqk3jrjZ0Y0MamzrlrE3g5qYIzk"
	if user, ok := users.BySubject(derived); !ok || user.Username != alice {
		t.Errorf("alice's subject is not %s: %+v", derived, users.all[0].User)
	}
	if user, ok := users.BySubject("~carol-2"); !ok || user.Username != "carol" {
		t.Error("the stated subject is not used")
	}
	if _, ok := users.BySubject("alice"); ok {
		t.Error("a username is taken for a subject")
	}
}

func TestUsersFileIsStrict(t *testing.T) {
	t.Parallel()
	hash := testHash()
	entry := func(members string) string { return "users:\n- {" + members + "}\n" }
	valid := "username: alice, passwordHash: '" + hash + "'"
	weak := passwordHash{memoryKiB: 8, passes: 1, threads: 1, salt: make([]byte, 16), tag: make([]byte, 32)}.String()
	costly := passwordHash{memoryKiB: 1 << 20, passes: 3, threads: 1, salt: make([]byte, 16), tag: make([]byte, 32)}.String()
	shortSalt := passwordHash{memoryKiB: 65536, passes: 3, threads: 4, salt: make([]byte, 8), tag: make([]byte, 32)}.String()
	cases := []struct{ name, content, want string }{
		{"empty", "", "no list of users"},
		{"no list", "users:", "no list of users"},
		{"not YAML", "users: [", "yaml"},
		{"unknown member", entry(valid + ", admin: true"), "admin"},
		{"unknown claim", entry(valid + ", claims: {sub: x}"), "sub"},
		{"birthdate of another form", entry(valid + ", claims: {birthdate: 12.4.1990}"), "birthdate"},
		{"picture without TLS", entry(valid + ", claims: {picture: 'http://alice.example/a.png'}"), "picture"},
		{"address that says nothing", entry(valid + ", claims: {address: {}}"), "address"},
		{"update before 1970", entry(valid + ", claims: {updated_at: -1}"), "updated_at"},
		{"update as text", entry(valid + ", claims: {updated_at: yesterday}"), "yesterday"},
		{"two documents", entry(valid) + "---\n" + entry(valid), "more than one YAML document"},
		{"no username", entry("passwordHash: '" + hash + "'"), "username"},
		{"username with a space", entry("username: 'a b', passwordHash: '" + hash + "'"), `username "a b"`},
		{"same name twice", entry(valid) + "- {" + valid + "}\n", "alice stands twice"},
		{"same subject twice", entry(valid+", subject: ~x") + "- {username: bob, subject: ~x, passwordHash: '" + hash + "'}\n", "belongs to another user"},
		{"subject like a client_id", entry(valid + ", subject: shop.web"), "use ~"},
		{"no hash", entry("username: alice"), "PHC string format"},
		{"a password in place of the hash", entry("username: alice, passwordHash: hunter2"), "PHC string format"},
		{"another algorithm", entry("username: alice, passwordHash: '" + strings.Replace(hash, "argon2id", "argon2i", 1) + "'"), "PHC string format"},
		{"weak", entry("username: alice, passwordHash: '" + weak + "'"), "too weak"},
		{"too costly", entry("username: alice, passwordHash: '" + costly + "'"), "costs too much"},
		{"short salt", entry("username: alice, passwordHash: '" + shortSalt + "'"), "salt"},
	}
	for _, c := range cases {
		_, err := ParseUsers([]byte(c.content))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something about %q", c.name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), hash)) {
			t.Errorf("%s: the error repeats the secret: %v", c.name, err)
		}
	}
}

func TestLoadUsersNamesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "users.yaml")
	if _, err := LoadUsers(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("users:"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadUsers(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("no list: %v", err)
	}
}
