package main

import (
	"database/sql"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// Without its key-encryption key the server does not start, rather than serve
// under other keys. Once the keys that nobody can open are thrown away, it starts
// with new ones: what was signed is worth nothing any more, and registrations,
// grants and refresh tokens go on, as docs/administration.md says.
func TestALostKeyEncryptionKey(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.shop", dpopClient).Client
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	write(t, beside(server, "key-encryption-key"), []byte(keys.GenerateKeyEncryptionKey()+"\n"))
	authserver(t, "--config", server.ConfigFile).wants(t, 1, "open the server's keys", "put that key back")

	throwServerKeysAway(t, database(server))
	server.Start(t)
	t.Cleanup(server.Stop)
	if _, err := client.UserInfo(t.Context(), tokens.AccessToken); err == nil {
		t.Error("an access token outlived the key that signed it")
	}
	fresh := client.With(fapitest.Misbehave{})
	refreshed, err := fresh.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.UserInfo(t.Context(), refreshed.AccessToken); err != nil {
		t.Error(err)
	}
}

// Where somebody else has the key-encryption key, every server key is dropped under
// a new one, as docs/administration.md says: the server runs on, the old key
// opens nothing any more, and what was signed before is worth nothing.
func TestAStolenKeyEncryptionKey(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.shop", dpopClient).Client
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := os.ReadFile(server.KeyEncryptionKeyFile)
	if err != nil {
		t.Fatal(err)
	}
	replacement := []byte(keys.GenerateKeyEncryptionKey() + "\n")
	restartWith(t, server, append(slices.Clone(replacement), stolen...))
	administrator := server.PrivateCaller(t, fapitest.AdministratorSAN)
	_, answer, err := server.Private(t, administrator, http.MethodGet, "/administration/keys")
	listed, _ := answer["keys"].([]any)
	if err != nil || len(listed) == 0 {
		t.Fatalf("listed are %v, %v", answer, err)
	}
	for _, key := range listed {
		kid, _ := key.(map[string]any)["kid"].(string)
		status, answer, err := server.Private(t, administrator, http.MethodDelete, "/administration/keys/"+kid)
		if err != nil || status != http.StatusOK || answer["keys_dropped"] != 1.0 {
			t.Fatalf("dropping %s: status %d, %v, %v", kid, status, answer, err)
		}
	}
	restartWith(t, server, replacement)
	t.Cleanup(server.Stop)
	fresh := client.With(fapitest.Misbehave{})
	if _, err := fresh.UserInfo(t.Context(), tokens.AccessToken); err == nil {
		t.Error("an access token outlived the key that signed it")
	}
	refreshed, err := fresh.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.UserInfo(t.Context(), refreshed.AccessToken); err != nil {
		t.Error(err)
	}
}

func restartWith(t *testing.T, server *fapitest.Server, keyEncryptionKeys []byte) {
	t.Helper()
	server.Stop()
	write(t, server.KeyEncryptionKeyFile, keyEncryptionKeys)
	server.Start(t)
}

func throwServerKeysAway(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "DELETE FROM server_keys"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
