package main

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
	"github.com/fapi-operator/fapi-operator/test/testenv/pgcluster"
)

// wants checks a program's outcome and that it tells of each passage.
func (o outcome) wants(t *testing.T, status int, passages ...string) {
	t.Helper()
	if o.status != status {
		t.Errorf("exit status %d, want %d", o.status, status)
	}
	for _, passage := range passages {
		if !strings.Contains(o.output+o.errors, passage) {
			t.Errorf("%q is not told", passage)
		}
	}
	if t.Failed() {
		t.Fatalf("output:\n%s\nerrors:\n%s", o.output, o.errors)
	}
}

func database(server *fapitest.Server) string { return beside(server, "authserver.db") }

// beside names a file in the directory of the server's configuration.
func beside(server *fapitest.Server, name string) string {
	return filepath.Join(filepath.Dir(server.ConfigFile), name)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

var dpopClient = fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true}

// What was granted before a backup is good after its restoration, and what came
// later is gone.
func TestABackupBesideTheServerIsRestored(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.shop", dpopClient).Client
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "backup.db")
	authserver(t, "backup", "--config", server.ConfigFile, "--to", copied).wants(t, 0, copied, "key-encryption key")
	if info, err := os.Stat(copied); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup is %v, %v", info, err)
	}
	if _, err := client.Refresh(t.Context(), tokens.RefreshToken, ""); err != nil {
		t.Errorf("the server was disturbed by the backup: %v", err)
	}
	_, later, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	for _, file := range []string{database(server), database(server) + "-wal", database(server) + "-shm"} {
		_ = os.Remove(file) // The log is gone already where the server ended well.
	}
	write(t, database(server), read(t, copied))
	authserver(t, "check", "--config", server.ConfigFile).wants(t, 0, "sound")

	server.Start(t)
	t.Cleanup(server.Stop)
	if _, err := client.Refresh(t.Context(), tokens.RefreshToken, ""); err != nil {
		t.Errorf("a grant from before the backup: %v", err)
	}
	if _, err := client.Refresh(t.Context(), later.RefreshToken, ""); err == nil {
		t.Error("a grant from after the backup is there")
	}
}

func TestABackupOverwritesNothing(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	directory := t.TempDir()
	taken := filepath.Join(directory, "backup.db")
	write(t, taken, []byte("last night's"))
	authserver(t, "backup", "--config", server.ConfigFile, "--to", taken).wants(t, 1, taken, "never overwritten")
	if !bytes.Equal(read(t, taken), []byte("last night's")) {
		t.Error("the backup of last night is gone")
	}
	authserver(t, "backup", "--config", server.ConfigFile, "--to", filepath.Join(directory, "missing", "backup.db")).wants(t, 1, "directory")
	authserver(t, "backup", "--config", server.ConfigFile, "--to", database(server)).wants(t, 1, "never overwritten")
	authserver(t, "backup", "--config", server.ConfigFile).wants(t, 1, "--to FILE is missing")
	files, err := filepath.Glob(filepath.Join(directory, "*"))
	hidden, hiddenErr := filepath.Glob(filepath.Join(directory, ".*"))
	if err != nil || hiddenErr != nil || len(files) != 1 || len(hidden) != 0 {
		t.Errorf("there are left %v and %v", files, hidden)
	}
}

// Whoever would write into a database that a server has is refused, and told why.
func TestTwoProcessesNeverShareADatabase(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for _, arguments := range [][]string{{"--config"}, {"migrate", "--config"}} {
		authserver(t, append(arguments, server.ConfigFile)...).wants(t, 1, database(server), "in use by another server process", "stop the other process")
	}
	if _, err := server.Register(t, "bank.shop", dpopClient).ClientCredentials(t.Context(), "accounts"); err != nil {
		t.Errorf("the server was disturbed: %v", err)
	}
}

func TestMigrateMakesAndKeepsTheSchema(t *testing.T) {
	t.Parallel()
	server := fapitest.Prepare(t)
	for range 2 {
		authserver(t, "migrate", "--config", server.ConfigFile).wants(t, 0, database(server), "schema version")
	}
	server.Start(t)
	t.Cleanup(server.Stop)
}

// Where the state is in PostgreSQL every command serves beside running servers,
// but for backup, which names the database's own tools.
func TestCommandsOnPostgreSQL(t *testing.T) {
	t.Parallel()
	database := pgcluster.New(t)
	server := fapitest.PrepareOn(t, database)
	for _, command := range []string{"check", "check-clients"} {
		authserver(t, command, "--config", server.ConfigFile).wants(t, 1, "no tables of this server")
	}
	for range 2 {
		authserver(t, "migrate", "--config", server.ConfigFile).wants(t, 0, "the database "+database.Name+" has schema version", "the newest")
	}
	server.Start(t)
	t.Cleanup(server.Stop)
	authserver(t, "check", "--config", server.ConfigFile).wants(t, 0,
		"the newest", "in force", "pg_amcheck", "opens every one of the", "server keys")
	authserver(t, "backup", "--config", server.ConfigFile, "--to", beside(server, "copy.db")).wants(t, 1,
		"backup: the state is in PostgreSQL", "pg_basebackup", "pg_dump", "docs/store.md")
	clientsAreJudged(t, server)
}

func TestCheckFindsOnPostgreSQL(t *testing.T) {
	t.Parallel()
	database := pgcluster.New(t)
	server := fapitest.StartServerOn(t, database)
	database.Exec(t, "ALTER TABLE codes DISABLE TRIGGER ALL")
	write(t, beside(server, "key-encryption-key"), []byte(keys.GenerateKeyEncryptionKey()+"\n"))
	authserver(t, "check", "--config", server.ConfigFile).wants(t, 1,
		"the newest", "codes has no foreign key in force", "open server key", "put that key back")
	database.Exec(t, "UPDATE authserver_schema_version SET version_id = version_id + 900")
	authserver(t, "check", "--config", server.ConfigFile).wants(t, 1, "newer version of the server")
}

func TestCheckBesideTheServer(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	authserver(t, "check", "--config", server.ConfigFile).wants(t, 0, "the newest", "sound", "opens every one of the", "server keys")
}

func TestCheckFinds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		harm func(t *testing.T, server *fapitest.Server)
		says []string
	}{
		"another key-encryption key": {func(t *testing.T, server *fapitest.Server) {
			write(t, beside(server, "key-encryption-key"), []byte(keys.GenerateKeyEncryptionKey()+"\n"))
		}, []string{"open server key", "sig", "enc", "put that key back"}},
		"damage": {func(t *testing.T, server *fapitest.Server) {
			content := read(t, database(server))
			for page := 4096; page < len(content); page += 4096 {
				copy(content[page:], bytes.Repeat([]byte{0xaa}, 512))
			}
			write(t, database(server), content)
		}, []string{"malformed"}},
		"no database": {func(t *testing.T, server *fapitest.Server) {
			if err := os.Remove(database(server)); err != nil {
				t.Fatal(err)
			}
		}, []string{"there is no database"}},
		"a file of another kind": {func(t *testing.T, server *fapitest.Server) {
			write(t, database(server), nil)
		}, []string{"not a database of this server"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stopped := fapitest.StartServer(t)
			stopped.Stop()
			test.harm(t, stopped)
			authserver(t, "check", "--config", stopped.ConfigFile).wants(t, 1, test.says...)
		})
	}
}

// A database too large to be checked within a start's second is checked once the
// server serves. Damage ends the server, and it does not start on that file again.
func TestDamageInALargeDatabaseEndsTheServer(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	server.Stop()
	makeLarge(t, database(server))
	damaged := authserver(t, "--config", server.ConfigFile)
	damaged.wants(t, 1, "listening", database(server), "restore it from a backup")
	again := authserver(t, "--config", server.ConfigFile)
	again.wants(t, 1, database(server), "restore it from a backup")
	if strings.Contains(again.errors, "listening") {
		t.Errorf("it served from the damaged database:\n%s", again.errors)
	}
}

// makeLarge takes the database beyond 64 MiB, and has one page in it belong to nothing.
func makeLarge(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO pushed_requests (uri, client_id, request, expires_at, kept_until) VALUES (zeroblob(32), 'gone', hex(zeroblob(40000000)), 0, 9e18)`,
		`PRAGMA writable_schema = 1`,
		`DELETE FROM sqlite_schema WHERE name = 'single_use_by_expiry'`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// A rule that became stricter is named with the client that breaks it, beside the
// server that still serves it.
func TestClientsThatTodaysRulesRefuseAreNamed(t *testing.T) {
	t.Parallel()
	clientsAreJudged(t, fapitest.StartServer(t))
}

func clientsAreJudged(t *testing.T, server *fapitest.Server) {
	t.Helper()
	server.Register(t, "bank.shop", dpopClient)
	slow := dpopClient
	slow.Change = func(metadata *registration.Metadata) { metadata.AccessTokenLifetime = new(int64(3600)) }
	server.Register(t, "bank.slow", slow)
	authserver(t, "check-clients", "--config", server.ConfigFile).wants(t, 0, "all 2 registered clients")

	stricter := beside(server, "stricter.yaml")
	write(t, stricter, append(read(t, server.ConfigFile), "accessToken: {maxLifetime: 10m}\n"...))
	found := authserver(t, "check-clients", "--config", stricter)
	found.wants(t, 1, "bank.slow (of test/bank/bank.slow) breaks 1", "LOCAL-ACCESS-TOKEN-LIFETIME", "1 of 2 registered clients")
	if strings.Contains(found.output, "bank.shop") {
		t.Errorf("a client that keeps the rules is named:\n%s", found.output)
	}
}

func TestAKeyEncryptionKeyIsCreatedOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key-encryption-key")
	authserver(t, "create-key-encryption-key", path).wants(t, 0, path, "new key-encryption key")
	created := read(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if _, err := keys.ReadKeyEncryptionKeys(path); err != nil {
		t.Error(err)
	}
	again := authserver(t, "create-key-encryption-key", path)
	again.wants(t, 0, "left as it was")
	if strings.Contains(again.output, strings.TrimSpace(string(created))) {
		t.Error("the key is told")
	}
	if !bytes.Equal(read(t, path), created) {
		t.Error("the key was overwritten")
	}
	write(t, path, []byte("garbage\n"))
	authserver(t, "create-key-encryption-key", path).wants(t, 1, path, "left as it was")
	if string(read(t, path)) != "garbage\n" {
		t.Error("what is no key was overwritten")
	}
	authserver(t, "create-key-encryption-key").wants(t, 1, "name the FILE")
	authserver(t, "create-key-encryption-key", path, path).wants(t, 1, "unexpected argument")
}

// Of many that create a file at once, one does, and the others find it whole.
func TestCreatorsOfOneKeyAgree(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key-encryption-key")
	ended := make(chan error)
	const creators = 16
	for range creators {
		go func() { ended <- createKeyEncryptionKey(t.Context(), []string{path}, nil, &strings.Builder{}) }()
	}
	for range creators {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if lines := strings.Count(string(read(t, path)), "\n"); lines != 1 {
		t.Errorf("the file has %d lines", lines)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("there are left %v, %v", left, err)
	}
}

func TestCommandsSayWhatTheyNeed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"check", "check-clients", "migrate", "backup"} {
		authserver(t, name).wants(t, 1, name+": --config FILE is missing")
		authserver(t, name, "--store", "x").wants(t, 1, "-store", "authserver --help")
		authserver(t, name, "--config", "absent.yaml", "more").wants(t, 1, `unexpected argument "more"`)
		authserver(t, name, "--config", "absent.yaml").wants(t, 1, "absent.yaml")
	}
	authserver(t, "hash-password", "hunter2").wants(t, 1, "unexpected argument")
	help := authserver(t, "--help")
	for name := range commands {
		if !strings.Contains(help.errors, "authserver "+name) {
			t.Errorf("the usage does not tell of %s", name)
		}
	}
}
