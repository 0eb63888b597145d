package admin_test

import (
	"bytes"
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
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/admin"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

const (
	administrator = "spiffe://cluster.local/ns/fapi-system/sa/fapi-administrator"
	// operator passes the listener, and may not administer.
	operator = "spiffe://cluster.local/ns/fapi-system/sa/fapi-operator"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// api is the handler over a real store.
type api struct {
	t       *testing.T
	handler *admin.Handler
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
	return api{t, &admin.Handler{
		Count: func(*http.Request, error) {},
		Store: kept,
		Callers: func(caller *x509.Certificate) bool {
			return slices.ContainsFunc(caller.URIs, func(name *url.URL) bool { return name.String() == administrator })
		},
		Now: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(log, nil)),
	}, kept, log}
}

// withKeys gives the server keys of its own, which take a while to make.
func (a api) withKeys() *keys.Ring {
	a.t.Helper()
	file := filepath.Join(a.t.TempDir(), "key-encryption-key")
	a.must(os.WriteFile(file, []byte(keys.GenerateKeyEncryptionKey()), 0o600))
	encryption, err := keys.ReadKeyEncryptionKeys(file)
	a.must(err)
	a.handler.Keys, err = keys.Open(a.t.Context(), keys.Config{
		Store: a.store, KeyEncryptionKeys: encryption, Now: a.handler.Now, Log: slog.New(slog.DiscardHandler),
		Policy: keys.Policy{Interval: 30 * 24 * time.Hour, Takeover: time.Hour, SignatureRetention: 25 * time.Hour, EncryptionRetention: 26 * time.Hour},
	})
	a.must(err)
	return a.handler.Keys
}

// send makes one request as the administrator.
func (a api) send(method, target string) *httptest.ResponseRecorder {
	a.t.Helper()
	return a.sendAs(administrator, method, target)
}

// sendAs makes one request as the owner of a certificate with the URI.
func (a api) sendAs(caller, method, target string) *httptest.ResponseRecorder {
	a.t.Helper()
	request := httptest.NewRequestWithContext(a.t.Context(), method, target, nil)
	name, err := url.Parse(caller)
	if err != nil {
		a.t.Fatal(err)
	}
	request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{DNSNames: []string{"caller.svc"}, URIs: []*url.URL{name}}}}
	response := httptest.NewRecorder()
	a.handler.ServeHTTP(response, request)
	return response
}

func decoded[T any](t *testing.T, response *httptest.ResponseRecorder) T {
	t.Helper()
	var value T
	header := response.Header()
	if header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", header)
	}
	if err := json.Unmarshal(response.Body.Bytes(), &value); err != nil {
		t.Fatalf("%s: %v", response.Body, err)
	}
	return value
}

// secretOf is a credential that hangs on a grant or a person.
func secretOf(what, name string) oauth.Secret { return oauth.SecretFrom(what + "-secret-of-" + name) }

// grant has the person grant something to the client, who has redeemed the code.
func (a api) grant(id, clientID, subject string) {
	a.t.Helper()
	a.register(clientID)
	request := store.AuthorizationRequest{ClientID: clientID, State: "confidential-state", Nonce: "confidential-nonce", Scope: []string{"openid", "accounts"},
		AuthorizationDetails: json.RawMessage(details)}
	visit := a.interact(id, request)
	code, refresh := secretOf("code", id).Digest(), secretOf("refresh", id).Digest()
	a.must(a.store.CompleteAuthorization(a.t.Context(), visit, store.Grant{
		ID: id, Request: request, Authentication: store.Authentication{Subject: subject, Time: now}, Scope: request.Scope,
		CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}, store.Code{Digest: code, GrantID: id, ClientID: clientID, ExpiresAt: now.Add(time.Minute)}, now))
	a.must(a.store.RedeemCode(a.t.Context(), code,
		&store.RefreshToken{Digest: refresh, GrantID: id, ClientID: clientID, ExpiresAt: now.Add(time.Hour)}, now))
}

func (a api) interact(name string, request store.AuthorizationRequest) oauth.Digest {
	a.t.Helper()
	uri, visit := secretOf("uri", name).Digest(), secretOf("visit", name).Digest()
	a.must(a.store.PushRequest(a.t.Context(), store.PushedRequest{URI: uri, Request: request, ExpiresAt: now.Add(time.Minute)}))
	a.must(a.store.BeginInteraction(a.t.Context(), store.Interaction{ID: visit, RequestURI: uri, Request: request, ExpiresAt: now.Add(time.Minute)}, nil))
	return visit
}

func (a api) register(clientID string) {
	a.t.Helper()
	_, _, err := a.store.PutClient(a.t.Context(), store.ClientWrite{
		Owner: registration.Owner{Installation: "i", Namespace: "n", Name: "o"}, Metadata: registration.Metadata{ClientID: clientID}, Now: now,
	})
	a.must(err)
}

func (a api) session(name, subject string) oauth.Digest {
	a.t.Helper()
	id := secretOf("session", name).Digest()
	a.must(a.store.BeginSession(a.t.Context(), store.Session{
		ID: id, Authentication: store.Authentication{Subject: subject, Time: now}, ExpiresAt: now.Add(time.Hour),
	}))
	return id
}

// inForce tells which of the grants have not ended.
func (a api) inForce(ids ...string) []string {
	a.t.Helper()
	var active []string
	for _, id := range ids {
		good, err := a.store.AccessTokenActive(a.t.Context(), "jti", id)
		a.must(err)
		if good {
			active = append(active, id)
		}
	}
	return active
}

func (a api) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

const (
	grants = "/administration/grants"
	// details is what every grant of the tests holds.
	details = `[{"type":"payment_initiation","amount":"123.50"}]`
	ofAlice = "/administration/subjects/~alice/grants"
	toShop  = "/administration/clients/bank.shop/grants"

	serverKeys = "/administration/keys"
)
