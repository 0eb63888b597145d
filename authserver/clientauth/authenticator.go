// Package clientauth finds out which client sends a request: by private_key_jwt
// or by mutual TLS, the two ways that FAPI allows (FAPI 2.0 Security Profile,
// 5.3.2.1-6), and never by more than one.
package clientauth

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Clients gives registered clients. There being none is store.ErrNotFound.
type Clients interface {
	Client(ctx context.Context, clientID string) (*fapi.Client, error)
}

// ClientKeys gives the keys of a client, wherever they are.
type ClientKeys interface {
	// ClientKeys gives the keys that are known: registered by value, or read
	// from jwks_uri some time ago.
	ClientKeys(ctx context.Context, client *fapi.Client) (*jose.KeySet, error)
	// RefreshedClientKeys reads a jwks_uri again, at a bounded rate, because no
	// known key fits. It gives the known keys where there is nothing to read.
	RefreshedClientKeys(ctx context.Context, client *fapi.Client) (*jose.KeySet, error)
}

// Authenticator authenticates clients. It is safe for concurrent use.
type Authenticator struct {
	// Issuer is the server's issuer identifier, the one audience of client assertions.
	Issuer  string
	Clients Clients
	Keys    ClientKeys
	// Replay remembers the client assertions that were accepted.
	Replay store.SingleUse
	// VerifyCertificate judges a presented certificate, the client's own first,
	// for a client that is registered for mutual TLS.
	VerifyCertificate func(client *fapi.Client, keys *jose.KeySet, presented []*x509.Certificate) *oauth.Error
	Now               func() time.Time
}

// Caller is an authenticated client.
type Caller struct {
	Client *fapi.Client
	// Certificate is what was presented in the TLS handshake, nil without one. It
	// has authenticated the client only if that is how it is registered; tokens
	// may be bound to it in any case, since the handshake proves its key.
	Certificate *x509.Certificate
}

// CertificateThumbprint is the certificate's x5t#S256 (RFC 8705, 3.1); empty without one.
func (c Caller) CertificateThumbprint() string {
	if c.Certificate == nil {
		return ""
	}
	return jose.CertificateThumbprint(c.Certificate)
}

// Authenticate finds out which client sends the form. certificates are what was
// presented in the TLS handshake, unverified; authorization is the Authorization
// header, which must be empty.
//
// A refusal is invalid_client (or invalid_request for repeated parameters) and
// does not tell an unknown client from a wrong credential; its cause, for the
// log, does. A store that fails is server_error.
func (a *Authenticator) Authenticate(ctx context.Context, form oauth.Form, certificates []*x509.Certificate, authorization string) (Caller, *oauth.Error) {
	credentials := fapi.ClientCredentials{Parameters: form, Authorization: authorization, HasCertificate: len(certificates) > 0}
	if refusal := fapi.CheckClientCredentials(credentials); refusal != nil {
		return Caller{}, refusal
	}
	client, refusal := a.identify(ctx, credentials, certificates)
	if refusal != nil {
		return Caller{}, refusal
	}
	if refusal := fapi.CheckAuthenticatedClient(client); refusal != nil {
		return Caller{}, refusal
	}
	caller := Caller{Client: client}
	if len(certificates) > 0 {
		caller.Certificate = certificates[0]
	}
	return caller, nil
}

func (a *Authenticator) identify(ctx context.Context, credentials fapi.ClientCredentials, certificates []*x509.Certificate) (*fapi.Client, *oauth.Error) {
	if credentials.HasAssertion() {
		return a.byAssertion(ctx, credentials.Parameters)
	}
	return a.byCertificate(ctx, credentials.Parameters.Get(oauth.ParamClientID), certificates)
}

// lookUp gives nil for a client that is not registered.
func (a *Authenticator) lookUp(ctx context.Context, clientID string) (*fapi.Client, *oauth.Error) {
	client, err := a.Clients.Client(ctx, clientID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, &oauth.Error{Code: oauth.ServerError, Cause: fmt.Errorf("look up the client: %w", err)}
	}
	return client, nil
}
