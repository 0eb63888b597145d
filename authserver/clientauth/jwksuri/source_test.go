package jwksuri

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// publisher is a client's web server that serves its jwks_uri over TLS.
type publisher struct {
	*httptest.Server
	requests atomic.Int64
	respond  atomic.Pointer[http.HandlerFunc]
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		(*p.respond.Load())(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) serve(handler http.HandlerFunc) { p.respond.Store(&handler) }

func (p *publisher) publish(t *testing.T, keys ...*jose.SigningKey) {
	t.Helper()
	public := make([]jose.PublicKey, len(keys))
	for i, key := range keys {
		public[i] = key.Public()
	}
	document, err := json.Marshal(jose.NewKeySet(public...))
	if err != nil {
		t.Fatal(err)
	}
	p.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) })
}

func (p *publisher) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate())
	return pool
}

// clock is moved by hand.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1780315200, c.nanoseconds.Load()) }

func (c *clock) pass(d time.Duration) { c.nanoseconds.Add(int64(d)) }

func newKey(t *testing.T) *jose.SigningKey {
	t.Helper()
	key, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func clientAt(t *testing.T, edit func(*registration.Metadata)) *fapi.Client {
	t.Helper()
	metadata := registration.Metadata{
		ClientID: "team.app", TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT,
		GrantTypes: []string{oauth.GrantClientCredentials}, Scope: "accounts",
	}
	edit(&metadata)
	client, violations := fapi.AdmitClient(metadata, fapi.Limits{})
	if len(violations) > 0 {
		t.Fatal(violations)
	}
	return client
}

// setUp gives a source that may reach the publisher, and a client of it.
func setUp(t *testing.T) (*publisher, *Source, *fapi.Client, *clock) {
	t.Helper()
	p, c := newPublisher(t), &clock{}
	source := New(Config{AllowedNetworks: loopback, RootCAs: p.roots(), Now: c.now})
	client := clientAt(t, func(m *registration.Metadata) { m.JWKSURI = strings.Replace(p.URL, "127.0.0.1", "example.com", 1) + "/jwks" })
	return p, source, client, c
}

func requireKeys(t *testing.T, keys *jose.KeySet, err error, want ...*jose.SigningKey) {
	t.Helper()
	if err != nil || keys.Len() != len(want) {
		t.Fatalf("%d keys, %v; want %d", keys.Len(), err, len(want))
	}
	for i, key := range keys.Keys() {
		if key.Thumbprint() != want[i].Public().Thumbprint() {
			t.Errorf("key %d is another one", i)
		}
	}
}
