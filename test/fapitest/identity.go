package fapitest

import (
	"crypto/tls"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Identity is who a client is: what was registered, and its private half.
type Identity struct {
	ClientID    string
	RedirectURI string
	// Scope is what the client asks for, space-separated.
	Scope string
	// AuthMethod is the token_endpoint_auth_method.
	AuthMethod string
	// SigningKey signs client assertions and request objects; nil for a client that signs nothing.
	SigningKey *jose.SigningKey
	// Certificate is presented at the mutual-TLS endpoints; nil for a client without one.
	Certificate *tls.Certificate
	// DPoPKey is what access tokens are bound to; nil binds them to the Certificate.
	DPoPKey *jose.SigningKey
	// DecryptionKey opens ID tokens, authorization responses and signed userinfo,
	// which are then encrypted to it; nil expects them signed alone.
	DecryptionKey *jose.DecryptionKey
	// WantsSignedUserinfo expects a JWT at userinfo in place of JSON (OpenID Connect Core, 5.3.2).
	WantsSignedUserinfo bool
	// SignsRequests pushes request objects (FAPI 2.0 Message Signing, 5.3.1).
	SignsRequests bool
	// WantsJARM asks for signed responses (FAPI 2.0 Message Signing, 5.4.1).
	WantsJARM bool
}

// authenticatesByTLS tells whether the certificate is the client's authentication.
func (i Identity) authenticatesByTLS() bool { return i.AuthMethod != oauth.AuthPrivateKeyJWT }

// bindsToCertificate tells whether access tokens are bound to the certificate.
func (i Identity) bindsToCertificate() bool { return i.DPoPKey == nil }
