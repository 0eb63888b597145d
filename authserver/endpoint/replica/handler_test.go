package replica_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/openapitest"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/replica"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

const (
	operator = "spiffe://cluster.local/ns/fapi-system/sa/fapi-operator"
	// administrator passes the listener, and may not register.
	administrator = "spiffe://cluster.local/ns/fapi-system/sa/fapi-administrator"

	thirtyDays = 30 * 24 * time.Hour
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

var endpoints = registration.Endpoints{
	Authorization: "https://auth.bank.example/authorize",
	Token:         "https://auth.bank.example/token",
	MTLSAliases:   registration.EndpointAliases{Token: "https://mtls.auth.bank.example/token"},
}

// api is the handler over a real store and real keys.
type api struct {
	t       *testing.T
	handler *replica.Handler
	store   *sqlite.Store
	log     *bytes.Buffer
}

func newAPI(t *testing.T) api {
	t.Helper()
	kept, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "authserver.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	log := &bytes.Buffer{}
	return api{t, &replica.Handler{
		Issuer: "https://auth.bank.example", MTLSBaseURL: "https://mtls.auth.bank.example",
		MetadataURL: "https://auth.bank.example/.well-known/openid-configuration", Endpoints: endpoints,
		Host: "authserver-0", StartedAt: now.Add(-time.Hour), Version: "v1.2.3",
		Schema: kept.Schema(), ClientRevision: kept.ClientRevision, Keys: openKeys(t, kept),
		Callers: func(caller *x509.Certificate) bool {
			return slices.ContainsFunc(caller.URIs, func(name *url.URL) bool { return name.String() == operator })
		},
		Log:   slog.New(slog.NewTextHandler(log, nil)),
		Count: func(*http.Request, error) {},
	}, kept, log}
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
		Store: kept, KeyEncryptionKeys: encryption, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Policy: keys.Policy{Interval: thirtyDays, Takeover: time.Hour, SignatureRetention: 25 * time.Hour, EncryptionRetention: 26 * time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// send makes one request as the owner of a certificate with the URI.
func (a api) send(caller, method, target string) *httptest.ResponseRecorder {
	a.t.Helper()
	request := httptest.NewRequestWithContext(a.t.Context(), method, target, nil)
	name, err := url.Parse(caller)
	if err != nil {
		a.t.Fatal(err)
	}
	request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{URIs: []*url.URL{name}}}}
	response := httptest.NewRecorder()
	a.handler.ServeHTTP(response, request)
	return response
}

// register makes the client's revision the latest.
func (a api) register(clientID string) {
	a.t.Helper()
	if _, _, err := a.store.PutClient(a.t.Context(), store.ClientWrite{
		Owner: registration.Owner{Installation: "i", Namespace: "n", Name: "o"}, Metadata: registration.Metadata{ClientID: clientID}, Now: now,
	}); err != nil {
		a.t.Fatal(err)
	}
}

func TestAReplicaTellsWhatItIsAndServes(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	api.register("bank.shop")
	api.register("bank.budget")
	response := api.send(operator, http.MethodGet, replica.Path)
	if response.Code != http.StatusOK || response.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d, %v: %s", response.Code, response.Header(), response.Body)
	}
	var told registration.Replica
	if err := json.Unmarshal(response.Body.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	if told.MetadataURL != "https://auth.bank.example/.well-known/openid-configuration" || told.Endpoints != endpoints {
		t.Errorf("told is %q, and %+v", told.MetadataURL, told.Endpoints)
	}
	if told.Issuer != "https://auth.bank.example" || told.MTLSBaseURL != "https://mtls.auth.bank.example" || told.Host != "authserver-0" ||
		!told.StartedAt.Equal(now.Add(-time.Hour)) || told.Version != "v1.2.3" || told.Store.Backend != "sqlite" || told.ClientRevision != 2 {
		t.Errorf("told is %+v", told)
	}
	want := registration.ReplicaKey{
		ID: "sig/PS256/1", KeyID: api.handler.Keys.Signer(jose.PS256).KeyID(), Use: "sig", Algorithm: "PS256", State: "current",
		CreatedAt: now, SuccessorAt: now.Add(thirtyDays),
	}
	if !slices.Contains(told.Keys, want) {
		t.Errorf("the keys are %+v; %+v is not among them", told.Keys, want)
	}
}

func TestOnlyWhoMayRegisterIsTold(t *testing.T) {
	t.Parallel()
	api := newAPI(t)
	if response := api.send(administrator, http.MethodGet, replica.Path); response.Code != http.StatusForbidden {
		t.Errorf("status %d: %s", response.Code, response.Body)
	}
	if !strings.Contains(api.log.String(), administrator) {
		t.Errorf("the log does not name the caller: %s", api.log)
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	t.Parallel()
	response := newAPI(t).send(operator, http.MethodPost, replica.Path)
	if response.Code != http.StatusMethodNotAllowed || response.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("status %d, %v", response.Code, response.Header())
	}
}

// A failure is told without its cause, which goes to the log.
func TestTheDocumentIsServed(t *testing.T) {
	t.Parallel()
	document := openapitest.Read(t)
	api := newAPI(t)
	const route = "GET /server"
	document.See(t, route, api.send(operator, http.MethodGet, replica.Path))
	document.See(t, route, api.send(operator, http.MethodGet, replica.Path+"?verbose=true"))
	document.See(t, route, api.send(administrator, http.MethodGet, replica.Path))
	api.handler.ClientRevision = func(context.Context) (int64, error) { return 7, nil }
	if err := api.store.Close(); err != nil {
		t.Fatal(err)
	}
	withoutKeys := api.send(operator, http.MethodGet, replica.Path)
	api.handler.ClientRevision = api.store.ClientRevision
	withoutStore := api.send(operator, http.MethodGet, replica.Path)
	for _, failed := range []*httptest.ResponseRecorder{withoutKeys, withoutStore} {
		if text := strings.TrimSpace(failed.Body.String()); text != `{"error":"server_error"}` {
			t.Errorf("the failure tells %s", text)
		}
		document.See(t, route, failed)
	}
	document.WantAllSeen(t)
	if strings.Count(api.log.String(), "level=ERROR") != 2 {
		t.Errorf("the causes are not in the log:\n%s", api.log)
	}
}
