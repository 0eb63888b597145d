package clientauth

import (
	"context"
	"crypto/x509"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// byCertificate is tls_client_auth or self_signed_tls_client_auth (RFC 8705, 2).
func (a *Authenticator) byCertificate(ctx context.Context, clientID string, presented []*x509.Certificate) (*fapi.Client, *oauth.Error) {
	client, refusal := a.lookUp(ctx, clientID)
	if refusal != nil {
		return nil, refusal
	}
	facts := fapi.ClientCertificate{Client: client, Fault: errUnknownClient}
	if client != nil {
		facts.Fault = a.verifyCertificate(ctx, client, presented)
	}
	if refusal := fapi.CheckClientCertificate(facts); refusal != nil {
		return nil, refusal
	}
	return client, nil
}

// verifyCertificate needs keys only for the certificates that they carry; those
// at a jwks_uri are read again before an unknown certificate is refused.
func (a *Authenticator) verifyCertificate(ctx context.Context, client *fapi.Client, presented []*x509.Certificate) error {
	if client.AuthMethod() != oauth.AuthSelfSignedTLS {
		return asError(a.VerifyCertificate(client, nil, presented))
	}
	keys, err := a.Keys.ClientKeys(ctx, client)
	if err != nil {
		return keysError{err}
	}
	if refusal := a.VerifyCertificate(client, keys, presented); refusal == nil {
		return nil
	}
	if keys, err = a.Keys.RefreshedClientKeys(ctx, client); err != nil {
		return keysError{err}
	}
	return asError(a.VerifyCertificate(client, keys, presented))
}

// asError keeps a nil *oauth.Error from becoming an error that is not nil.
func asError(refusal *oauth.Error) error {
	if refusal == nil {
		return nil
	}
	return refusal
}
