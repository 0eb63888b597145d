package main

import (
	"database/sql"
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
