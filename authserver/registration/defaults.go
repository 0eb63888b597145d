package registration

import (
	"cmp"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// DefaultSigningAlg signs where a client states nothing: ES256 costs a
// thirty-fifth of PS256 (our own choice among FAPI 2.0 Security Profile, 5.4.1-1).
const DefaultSigningAlg = "ES256"

// DefaultContentEncryption is the default of every *_encrypted_response_enc and
// request_object_encryption_enc (OpenID Connect Dynamic Client Registration, 2).
const DefaultContentEncryption = "A128CBC-HS256"

// DefaultAccessTokenLifetime is 5 minutes, in seconds; our own choice.
const DefaultAccessTokenLifetime int64 = 300

// WithDefaults fills in what the client left out. It is the one place for
// defaults; whatever FAPI fixes gets FAPI's value, and a stated value stays.
// The authentication method has no default: RFC 7591's would be a shared secret.
func (m Metadata) WithDefaults() Metadata {
	m.defaultFlow()
	m.defaultSenderConstraint()
	m.defaultSignatures()
	m.defaultEncryption()
	if m.AccessTokenLifetime == nil {
		m.AccessTokenLifetime = new(DefaultAccessTokenLifetime)
	}
	if m.Suspended == nil {
		m.Suspended = new(false)
	}
	return m
}

func (m *Metadata) defaultFlow() {
	m.ApplicationType = cmp.Or(m.ApplicationType, oauth.ApplicationWeb)
	if !slices.Contains(m.GrantTypes, oauth.GrantAuthorizationCode) {
		return
	}
	if m.ResponseTypes == nil {
		m.ResponseTypes = []string{oauth.ResponseTypeCode}
	}
	if m.PKCERequired == nil {
		m.PKCERequired = new(true)
	}
	m.CodeChallengeMethod = cmp.Or(m.CodeChallengeMethod, oauth.CodeChallengeMethodS256)
	if m.RequirePushedAuthorizationRequests == nil {
		m.RequirePushedAuthorizationRequests = new(true)
	}
}

// defaultSenderConstraint binds tokens to the certificate unless DPoP is stated.
func (m *Metadata) defaultSenderConstraint() {
	if m.DPoPBoundAccessTokens == nil {
		m.DPoPBoundAccessTokens = new(false)
	}
	if m.TLSClientCertificateBoundAccessTokens == nil {
		m.TLSClientCertificateBoundAccessTokens = new(!*m.DPoPBoundAccessTokens)
	}
}

func (m *Metadata) defaultSignatures() {
	if m.TokenEndpointAuthMethod == oauth.AuthPrivateKeyJWT {
		m.TokenEndpointAuthSigningAlg = cmp.Or(m.TokenEndpointAuthSigningAlg, DefaultSigningAlg)
	}
	if m.RequireSignedRequestObject == nil {
		m.RequireSignedRequestObject = new(false)
	}
	if *m.RequireSignedRequestObject {
		m.RequestObjectSigningAlg = cmp.Or(m.RequestObjectSigningAlg, DefaultSigningAlg)
	}
	if m.IntrospectionEncryptedResponseAlg != "" {
		m.IntrospectionSignedResponseAlg = cmp.Or(m.IntrospectionSignedResponseAlg, DefaultSigningAlg)
	}
	if slices.Contains(m.GrantTypes, oauth.GrantAuthorizationCode) {
		m.AuthorizationSignedResponseAlg = cmp.Or(m.AuthorizationSignedResponseAlg, DefaultSigningAlg)
		m.IDTokenSignedResponseAlg = cmp.Or(m.IDTokenSignedResponseAlg, DefaultSigningAlg)
	}
	// What the server encrypts it also signs, so that nobody else can have written it.
	if m.UserinfoEncryptedResponseAlg != "" {
		m.UserinfoSignedResponseAlg = cmp.Or(m.UserinfoSignedResponseAlg, DefaultSigningAlg)
	}
}

func (m *Metadata) defaultEncryption() {
	m.RequestObjectEncryptionEnc = defaultEnc(m.RequestObjectEncryptionAlg, m.RequestObjectEncryptionEnc)
	m.AuthorizationEncryptedResponseEnc = defaultEnc(m.AuthorizationEncryptedResponseAlg, m.AuthorizationEncryptedResponseEnc)
	m.IDTokenEncryptedResponseEnc = defaultEnc(m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc)
	m.IntrospectionEncryptedResponseEnc = defaultEnc(m.IntrospectionEncryptedResponseAlg, m.IntrospectionEncryptedResponseEnc)
	m.UserinfoEncryptedResponseEnc = defaultEnc(m.UserinfoEncryptedResponseAlg, m.UserinfoEncryptedResponseEnc)
}

func defaultEnc(alg, enc string) string {
	if alg == "" {
		return enc
	}
	return cmp.Or(enc, DefaultContentEncryption)
}
