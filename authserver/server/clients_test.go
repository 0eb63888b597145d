package server

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

func machine(id string, lifetime int64) registration.Metadata {
	return registration.Metadata{
		ClientID: id, TokenEndpointAuthMethod: "private_key_jwt", GrantTypes: []string{"client_credentials"},
		Scope: "accounts", JWKSURI: "https://app.example.com/jwks", AccessTokenLifetime: &lifetime,
	}
}

func put(t *testing.T, clients store.Clients, metadata registration.Metadata) {
	t.Helper()
	write := store.ClientWrite{Owner: registration.Owner{Installation: "i", Namespace: "n", Name: metadata.ClientID}, Metadata: metadata, Now: time.Now()}
	if _, _, err := clients.PutClient(t.Context(), write); err != nil {
		t.Fatal(err)
	}
}

func openDirectory(t *testing.T, log *bytes.Buffer) *directory {
	t.Helper()
	backend, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "server.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := backend.Close(); err != nil {
			t.Error(err)
		}
	})
	d, err := newDirectory(backend, fapi.Limits{MaxAccessTokenLifetime: 10 * time.Minute}, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A write of one client makes no other be judged again, and is seen at once.
func TestAClientIsAdmittedOnceForEachRevision(t *testing.T) {
	t.Parallel()
	d := openDirectory(t, &bytes.Buffer{})
	put(t, d.store, machine("bank.one", 60))
	first, err := d.Client(t.Context(), "bank.one")
	if err != nil {
		t.Fatal(err)
	}
	put(t, d.store, machine("bank.two", 60))
	if again, err := d.Client(t.Context(), "bank.one"); err != nil || again != first {
		t.Errorf("another client's write made this one be judged again (%v)", err)
	}
	put(t, d.store, machine("bank.one", 120))
	changed, err := d.Client(t.Context(), "bank.one")
	if err != nil || changed.AccessTokenLifetime() != 2*time.Minute {
		t.Errorf("the client's own write is not seen: %v", err)
	}
}

// A rule that became stricter disables a client by name, in the log, once; to a
// stranger there is no such client.
func TestAClientThatTodaysRulesRefuseIsDisabledByName(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	d := openDirectory(t, &log)
	put(t, d.store, machine("bank.slow", 3600))
	for range 3 {
		if _, err := d.Client(t.Context(), "bank.slow"); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("got %v", err)
		}
	}
	if got := strings.Count(log.String(), "bank.slow"); got != 1 || !strings.Contains(log.String(), "LOCAL-ACCESS-TOKEN-LIFETIME") {
		t.Errorf("the log names the client %d times:\n%s", got, log.String())
	}
}
