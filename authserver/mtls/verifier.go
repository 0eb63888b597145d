// Package mtls judges the certificate that a client presented in the TLS
// handshake (RFC 8705, 2). The handshake has proven that the client holds its
// key; everything else about it is checked here, against the client's own
// registration and nobody else's.
package mtls

import (
	"crypto/x509"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Verifier authenticates clients by certificate. It is safe for concurrent use.
type Verifier struct {
	// Bundles are the trust anchors that the server's configuration names.
	Bundles map[string]*x509.CertPool
	Now     func() time.Time
}

// Verify authenticates the client by tls_client_auth or
// self_signed_tls_client_auth, whichever it is registered for. presented is what
// came in the handshake, the client's certificate first; keys are the client's
// registered keys. Every refusal is invalid_client with the identifier of the
// requirement of RFC 8705 that is not met.
func (v *Verifier) Verify(client *fapi.Client, keys *jose.KeySet, presented []*x509.Certificate) *oauth.Error {
	if len(presented) == 0 {
		return oauth.Refuse(oauth.InvalidClient, "RFC8705-2", "no certificate was presented in the TLS handshake")
	}
	switch client.AuthMethod() {
	case oauth.AuthTLSClient:
		return v.verifyIssued(client, presented)
	case oauth.AuthSelfSignedTLS:
		return v.verifySelfSigned(keys, presented[0])
	}
	return oauth.Refuse(oauth.InvalidClient, "OIDCR-2", "the client is registered for %s, not for mutual TLS", client.AuthMethod())
}
