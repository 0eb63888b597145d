package registrar

import (
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/replica"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

// privateName is the private Service's; nothing here resolves it.
const privateName = "authserver-private.fapi-system.svc"

// realReplica is the real handler, which tells of the host and the revision.
func realReplica(t *testing.T, host string, revision int64) http.Handler {
	t.Helper()
	kept, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "authserver.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	return &replica.Handler{
		Issuer: "https://auth.bank.example", MTLSBaseURL: "https://mtls.auth.bank.example", Host: host, StartedAt: time.Now(), Version: "v1.2.3",
		Schema: kept.Schema(), ClientRevision: func(context.Context) (int64, error) { return revision, nil }, Keys: openKeys(t, kept),
		Callers: operators().In, Log: slog.New(slog.DiscardHandler), Count: func(*http.Request, error) {},
	}
}

func openKeys(t *testing.T, kept store.ServerKeys) *keys.Ring {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key-encryption-key")
	if err := os.WriteFile(file, []byte(keys.GenerateKeyEncryptionKey()), 0o600); err != nil {
		t.Fatal(err)
	}
	encryption, err := keys.ReadKeyEncryptionKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(t.Context(), keys.Config{
		Store: kept, KeyEncryptionKeys: encryption, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Policy: keys.Policy{Interval: 30 * 24 * time.Hour, Takeover: time.Hour, SignatureRetention: 25 * time.Hour, EncryptionRetention: 26 * time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestAReplicaTellsOfItself(t *testing.T) {
	t.Parallel()
	registrar := serve(t, realReplica(t, "authserver-0", 7)).registrar(t)
	told, err := registrar.Server(t.Context())
	if err != nil || told.Host != "authserver-0" || told.ClientRevision != 7 || told.Store.SchemaVersion < 1 || len(told.Keys) == 0 {
		t.Errorf("%+v, %v", told, err)
	}
}

// Each replica is asked at its own address, and proves to be the private Service.
func TestEachReplicaIsAskedAtItsAddress(t *testing.T) {
	t.Parallel()
	authority := testca.New(t, "CA", time.Now())
	first := serveAs(t, authority, privateName, realReplica(t, "authserver-0", 7))
	second := serveAs(t, authority, privateName, realReplica(t, "authserver-1", 8))
	other := serveAs(t, authority, "elsewhere.fapi-system.svc", realReplica(t, "elsewhere", 9))

	first.config.BaseURL = "https://" + privateName + ":8445"
	registrar := first.registrar(t)
	for want, address := range map[string]string{"authserver-0": first.address, "authserver-1": second.address} {
		told, err := registrar.ServerAt(t.Context(), address)
		if err != nil || told.Host != want {
			t.Errorf("at %s: %+v, %v; want %s", address, told, err, want)
		}
	}
	_, err := registrar.ServerAt(t.Context(), other.address)
	if err == nil || !strings.Contains(err.Error(), x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"elsewhere.fapi-system.svc"}}, Host: privateName}.Error()) {
		t.Errorf("what is not the private Service was believed: %v", err)
	}
}

func TestAnAnswerThatIsNoReplicasIsRefused(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"another page": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"empty JSON": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
		},
		"an older server": func(w http.ResponseWriter, r *http.Request) {
			handler, _ := realServer(t)
			handler.ServeHTTP(w, r)
		},
	} {
		if told, err := serve(t, answer).registrar(t).Server(t.Context()); err == nil {
			t.Errorf("%s: taken for %+v", name, told)
		}
	}
}
