package resource

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// publish serves a metadata document as an issuer whose address it gives.
func publish(t *testing.T, describe func(issuer string) map[string]any) Config {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/oauth-authorization-server/tenant" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(describe(server.URL + "/tenant"))
	})
	t.Cleanup(server.Close)
	key, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Issuer: server.URL + "/tenant", Resource: "https://api.example", BaseURLs: []string{"https://api.example"},
		Roots:         server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
		Introspection: &Introspection{ClientID: "bank.api", SigningKey: key},
		Now:           time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

func complete(issuer string) map[string]any {
	return map[string]any{"issuer": issuer, "jwks_uri": issuer + "/jwks", "introspection_endpoint": issuer + "/introspect"}
}

func TestNewReadsTheIssuersMetadata(t *testing.T) {
	t.Parallel()
	if _, err := New(t.Context(), publish(t, complete)); err != nil {
		t.Fatal(err)
	}
}

// What is missing is said by name, and nothing is left to chance.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	with := func(member string, value any) func(string) map[string]any {
		return func(issuer string) map[string]any {
			described := complete(issuer)
			described[member] = value
			return described
		}
	}
	for name, test := range map[string]struct {
		describe func(issuer string) map[string]any
		change   func(*Config)
		says     string
	}{
		"another issuer":               {with("issuer", "https://evil.example"), nil, `describes the issuer "https://evil.example"`},
		"plain jwks_uri":               {with("jwks_uri", "http://evil.example/jwks"), nil, "no https jwks_uri"},
		"plain introspection_endpoint": {with("introspection_endpoint", "http://evil.example/"), nil, "no https introspection_endpoint"},
		"no metadata":                  {complete, func(c *Config) { c.Issuer = strings.TrimSuffix(c.Issuer, "/tenant") + "/other" }, "HTTP status 404"},
		"an issuer without TLS":        {complete, func(c *Config) { c.Issuer = "http://as.example" }, "not an https URL"},
		"an unknown authority":         {complete, func(c *Config) { c.Roots = nil }, "certificate"},
		"no address":                   {complete, func(c *Config) { c.BaseURLs = nil }, "BaseURLs"},
		"revocation left open":         {complete, func(c *Config) { c.Introspection = nil }, "RevocationUnchecked"},
		"revocation both ways":         {complete, func(c *Config) { c.RevocationUnchecked = true }, "exclude each other"},
		"no credential":                {complete, func(c *Config) { c.Introspection.SigningKey = nil }, "either a SigningKey or a Certificate"},
		"no alias for a certificate": {complete, func(c *Config) {
			c.Introspection.SigningKey, c.Introspection.Certificate = nil, &tls.Certificate{}
		}, "no https introspection_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := publish(t, test.describe)
			if test.change != nil {
				test.change(&config)
			}
			_, err := New(t.Context(), config)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want an error that says: %s", err, test.says)
			}
		})
	}
}
