package register_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/register"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/fapi/vectors"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

const (
	issuer   = "https://auth.bank.example"
	operator = "spiffe://cluster.local/ns/fapi-system/sa/fapi-operator"
	// retailOperator may register clients of installations retail and outlet alone.
	retailOperator = "spiffe://retail.example/ns/fapi-system/sa/fapi-operator"
	// administrator passes the listener, and may not register.
	administrator = "spiffe://cluster.local/ns/fapi-system/sa/fapi-administrator"
)

var now = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// api is the handler over a real store.
type api struct {
	t       *testing.T
	handler *register.Handler
	store   *sqlite.Store
	log     *bytes.Buffer
}

func newAPI(t *testing.T) api {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "authserver.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	log := &bytes.Buffer{}
	return api{t, &register.Handler{
		Count: func(*http.Request, error) {},
		Store: store,
		Callers: func(caller *x509.Certificate) bool {
			return caller.URIs[0].String() == operator || caller.URIs[0].String() == retailOperator
		},
		Installations: func(caller *x509.Certificate) registration.Installations {
			if caller.URIs[0].String() == operator {
				return registration.Installations{Any: true}
			}
			return registration.Installations{Named: []string{"retail", "outlet"}}
		},
		Limits: fapi.Limits{TrustBundles: []string{vectors.TrustBundle}, Scopes: vectors.Scopes(), Resources: vectors.Resources(), AuthorizationDetailsTypes: vectors.AuthorizationDetailsTypes()},
		Issuer: issuer,
		Now:    func() time.Time { return now },
		Log:    slog.New(slog.NewTextHandler(log, nil)),
	}, store, log}
}

// send makes one request as the operator.
func (a api) send(method, target, body string, header http.Header) *httptest.ResponseRecorder {
	a.t.Helper()
	return a.sendAs(operator, method, target, body, header)
}

// sendAs makes one request as the owner of a certificate with the URI.
func (a api) sendAs(caller, method, target, body string, header http.Header) *httptest.ResponseRecorder {
	a.t.Helper()
	request := httptest.NewRequestWithContext(a.t.Context(), method, target, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	maps.Copy(request.Header, header)
	name, err := url.Parse(caller)
	if err != nil {
		a.t.Fatal(err)
	}
	request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{DNSNames: []string{"operator.svc"}, URIs: []*url.URL{name}}}}
	response := httptest.NewRecorder()
	a.handler.ServeHTTP(response, request)
	return response
}

// sendAsRetail makes one request as the operator that is bound to its installations.
func (a api) sendAsRetail(method, target, body string) *httptest.ResponseRecorder {
	a.t.Helper()
	return a.sendAs(retailOperator, method, target, body, nil)
}

// put registers payments, or fails the test.
func (a api) put(body string) registration.Record {
	a.t.Helper()
	response := a.send(http.MethodPut, payments, body, nil)
	if response.Code != http.StatusOK && response.Code != http.StatusCreated {
		a.t.Fatalf("status %d: %s", response.Code, response.Body)
	}
	return decoded[registration.Record](a.t, response)
}

func decoded[T any](t *testing.T, response *httptest.ResponseRecorder) T {
	t.Helper()
	var value T
	if contentType := response.Header().Get("Content-Type"); contentType != "application/json" {
		t.Errorf("Content-Type %q", contentType)
	}
	if err := json.Unmarshal(response.Body.Bytes(), &value); err != nil {
		t.Fatalf("%s: %v", response.Body, err)
	}
	return value
}

const (
	payments = "/clients/team-a.payments"
	ownedBy  = "?installation=prod&namespace=team-a&name=payments"
)

var (
	owner   = registration.Owner{Installation: "prod", Namespace: "team-a", Name: "payments"}
	another = registration.Owner{Installation: "prod", Namespace: "team-b", Name: "payments"}
)

// machine is a client that the rule book admits: client credentials over mutual TLS.
func machine() registration.Metadata {
	return registration.Metadata{
		GrantTypes:               []string{"client_credentials"},
		TokenEndpointAuthMethod:  "tls_client_auth",
		TLSClientAuthSANURI:      "spiffe://cluster.local/ns/team-a/sa/payments",
		TLSClientAuthTrustBundle: vectors.TrustBundle,
		Scope:                    "payments",
	}
}

func body(t *testing.T, owner registration.Owner, generation int64, metadata registration.Metadata) string {
	t.Helper()
	return encoded(t, registration.Request{Owner: owner, Generation: generation, Metadata: metadata})
}

func encoded(t *testing.T, request registration.Request) string {
	t.Helper()
	encoded, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
