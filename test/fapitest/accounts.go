package fapitest

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/resource"
	"github.com/fapi-operator/fapi-operator/test/accounts"
)

// Accounts is a resource server of its own, with scope accounts, behind package
// resource. It introspects access tokens at the authorization server.
type Accounts struct {
	// URL is where the accounts are.
	URL string
	// Client is the resource server's own registration.
	Client *Registered

	log func() string
}

// Log is what the resource server, and its authorization server, have logged.
func (a *Accounts) Log() string { return a.log() }

// ResourceServer says how a resource server recognizes revoked tokens.
type ResourceServer struct {
	// CacheFor is resource.Introspection's; Signed too.
	CacheFor time.Duration
	Signed   bool
	// Unchecked switches the check of revocation off.
	Unchecked bool
}

// StartAccounts registers a resource server and starts it; it ends with the test.
func (s *Server) StartAccounts(t testing.TB, clientID string, settings ResourceServer) *Accounts {
	t.Helper()
	api := &Accounts{log: s.Log, Client: s.Register(t, clientID, Profile{
		AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Change: IntrospectsAccounts,
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "https://localhost:" + portOf(listener)
	api.URL = base + accounts.Path
	guard, err := resource.New(t.Context(), s.ResourceConfig(api.Client, base, settings))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, listener, &http.Server{
		Handler: accounts.Handler(guard, "accounts"), TLSConfig: accounts.TLS(s.Authority.Server(t).TLS(t)), ReadHeaderTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.NewTextHandler(s.log, nil), slog.LevelInfo),
	})
	return api
}

// IntrospectsAccounts makes a client the resource server of DefaultResource.
func IntrospectsAccounts(metadata *registration.Metadata) {
	metadata.GrantTypes, metadata.ResponseTypes, metadata.RedirectURIs = []string{oauth.GrantClientCredentials}, nil, nil
	metadata.IntrospectionResources = []string{DefaultResource}
}

// ResourceConfig is the configuration of a resource server at base.
func (s *Server) ResourceConfig(client *Registered, base string, settings ResourceServer) resource.Config {
	config := resource.Config{
		Issuer: s.Issuer, Resource: DefaultResource, BaseURLs: []string{base}, Roots: s.Authority.Pool(),
		Now: s.Clock.Now, Log: slog.New(slog.NewTextHandler(s.log, nil)), RevocationUnchecked: settings.Unchecked,
	}
	if !settings.Unchecked {
		config.Introspection = &resource.Introspection{
			ClientID: client.ClientID, SigningKey: client.SigningKey, Signed: settings.Signed, CacheFor: settings.CacheFor,
		}
	}
	return config
}

func portOf(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // A listener's address has a port.
	return port
}

func serve(t testing.TB, listener net.Listener, server *http.Server) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.ServeTLS(listener, "", "") // It always ends with an error, when the test closes it.
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-ended
	})
}

// StepAccounts is the step at the accounts API.
const StepAccounts = "accounts"

// GetAccounts calls the accounts API with the access token.
func (c *Client) GetAccounts(ctx context.Context, address, accessToken string) (map[string]any, error) {
	header, err := c.proofHeader(http.MethodGet, address, accessToken)
	if err != nil {
		return nil, err
	}
	header.Set("Authorization", c.scheme()+" "+accessToken)
	var found map[string]any
	return found, c.callJSON(ctx, call{step: StepAccounts, method: http.MethodGet, url: address, header: header, mutual: c.bindsToCertificate()}, http.StatusOK, &found)
}
