package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/resource"
	"github.com/fapi-operator/fapi-operator/test/accounts"
)

const (
	// accountsResource is the audience of access tokens for the accounts.
	accountsResource = "https://api.bank.example"
	accountsClientID = "accounts-api"
	accountsScope    = "accounts"
)

// accountsAPI is a resource server beside the authorization server, which it asks
// whether an access token was revoked.
type accountsAPI struct {
	url     string
	serving *http.Server
}

// startAccounts registers the resource server and starts it.
func (s *server) startAccounts(ctx context.Context, settings settings, serving pair) error {
	certificate, err := tls.X509KeyPair(serving.certificate, serving.key)
	if err != nil {
		return fmt.Errorf("start the accounts API: %w", err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(settings.listen, "0"))
	if err != nil {
		return fmt.Errorf("start the accounts API: %w", err)
	}
	base := fmt.Sprintf("https://%s:%d", settings.host, listener.Addr().(*net.TCPAddr).Port)
	guard, err := s.guardAccounts(ctx, base)
	if err != nil {
		return errors.Join(fmt.Errorf("start the accounts API: %w", err), listener.Close())
	}
	s.accounts = accountsAPI{base + accounts.Path, &http.Server{
		Handler: accounts.Handler(guard, accountsScope), TLSConfig: accounts.TLS(certificate), ReadHeaderTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo), // The suite's TLS probes are meant to fail.
	}}
	go func() { _ = s.accounts.serving.ServeTLS(listener, "", "") }() // It always ends with an error, when it is stopped.
	return nil
}

func (s *server) guardAccounts(ctx context.Context, base string) (*resource.Guard, error) {
	key, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	err = s.put(ctx, registration.Metadata{
		ClientID: accountsClientID, ClientName: "Accounts API", GrantTypes: []string{oauth.GrantClientCredentials},
		TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT, JWKS: publicKeys(key), DPoPBoundAccessTokens: new(true),
		IntrospectionResources: []string{accountsResource},
	})
	if err != nil {
		return nil, err
	}
	return resource.New(ctx, resource.Config{
		Issuer: s.issuer, Resource: accountsResource, BaseURLs: []string{base}, Roots: s.authority.pool(),
		Introspection: &resource.Introspection{ClientID: accountsClientID, SigningKey: key},
		Now:           time.Now, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
}

// stop ends the resource server, if it was started.
func (a accountsAPI) stop() error {
	if a.serving == nil {
		return nil
	}
	return a.serving.Close()
}
