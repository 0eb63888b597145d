package registration

import (
	"encoding/json"
)

// Metadata is a client's registered metadata. A nil slice, nil pointer or empty
// string means that the member was left out; a stated value is kept as it was
// written, so that the rule book in authserver/fapi, and nothing before it,
// judges it. Members that start with fapi_operator_ are ours: no registered
// member says the same.
type Metadata struct {
	ClientID        string   `json:"client_id,omitempty"`        // RFC 7591, 3.2.1
	ClientName      string   `json:"client_name,omitempty"`      // RFC 7591, 2
	ClientURI       string   `json:"client_uri,omitempty"`       // RFC 7591, 2
	LogoURI         string   `json:"logo_uri,omitempty"`         // RFC 7591, 2
	PolicyURI       string   `json:"policy_uri,omitempty"`       // RFC 7591, 2
	TOSURI          string   `json:"tos_uri,omitempty"`          // RFC 7591, 2
	Contacts        []string `json:"contacts,omitempty"`         // RFC 7591, 2
	ApplicationType string   `json:"application_type,omitempty"` // OpenID Connect Dynamic Client Registration, 2

	GrantTypes    []string `json:"grant_types,omitempty"`    // RFC 7591, 2
	ResponseTypes []string `json:"response_types,omitempty"` // RFC 7591, 2
	ResponseModes []string `json:"response_modes,omitempty"` // FAPI 2.0 Message Signing, 5.3.3
	RedirectURIs  []string `json:"redirect_uris,omitempty"`  // RFC 7591, 2
	Scope         string   `json:"scope,omitempty"`          // RFC 7591, 2; space-separated

	AuthorizationDetailsTypes []string `json:"authorization_details_types,omitempty"` // RFC 9396, 10

	TokenEndpointAuthMethod     string `json:"token_endpoint_auth_method,omitempty"`      // RFC 7591, 2
	TokenEndpointAuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"` // OpenID Connect Dynamic Client Registration, 2
	TLSClientAuthSubjectDN      string `json:"tls_client_auth_subject_dn,omitempty"`      // RFC 8705, 2.1.2; RFC 4514 text
	TLSClientAuthSANDNS         string `json:"tls_client_auth_san_dns,omitempty"`         // RFC 8705, 2.1.2
	TLSClientAuthSANURI         string `json:"tls_client_auth_san_uri,omitempty"`         // RFC 8705, 2.1.2
	TLSClientAuthSANIP          string `json:"tls_client_auth_san_ip,omitempty"`          // RFC 8705, 2.1.2
	TLSClientAuthSANEmail       string `json:"tls_client_auth_san_email,omitempty"`       // RFC 8705, 2.1.2

	JWKS    json.RawMessage `json:"jwks,omitempty"`     // RFC 7591, 2; public keys only
	JWKSURI string          `json:"jwks_uri,omitempty"` // RFC 7591, 2

	TLSClientCertificateBoundAccessTokens *bool `json:"tls_client_certificate_bound_access_tokens,omitempty"` // RFC 8705, 3.4
	DPoPBoundAccessTokens                 *bool `json:"dpop_bound_access_tokens,omitempty"`                   // RFC 9449, 5.2
	UseMTLSEndpointAliases                *bool `json:"use_mtls_endpoint_aliases,omitempty"`                  // FAPI 2.0 Security Profile, 5.2.2.1.1
	RequirePushedAuthorizationRequests    *bool `json:"require_pushed_authorization_requests,omitempty"`      // RFC 9126, 6
	RequireSignedRequestObject            *bool `json:"require_signed_request_object,omitempty"`              // RFC 9101, 10.5

	RequestObjectSigningAlg           string `json:"request_object_signing_alg,omitempty"`           // OpenID Connect Dynamic Client Registration, 2
	RequestObjectEncryptionAlg        string `json:"request_object_encryption_alg,omitempty"`        // OpenID Connect Dynamic Client Registration, 2
	RequestObjectEncryptionEnc        string `json:"request_object_encryption_enc,omitempty"`        // OpenID Connect Dynamic Client Registration, 2
	AuthorizationSignedResponseAlg    string `json:"authorization_signed_response_alg,omitempty"`    // JARM, 3
	AuthorizationEncryptedResponseAlg string `json:"authorization_encrypted_response_alg,omitempty"` // JARM, 3
	AuthorizationEncryptedResponseEnc string `json:"authorization_encrypted_response_enc,omitempty"` // JARM, 3
	IDTokenSignedResponseAlg          string `json:"id_token_signed_response_alg,omitempty"`         // OpenID Connect Dynamic Client Registration, 2
	IDTokenEncryptedResponseAlg       string `json:"id_token_encrypted_response_alg,omitempty"`      // OpenID Connect Dynamic Client Registration, 2
	IDTokenEncryptedResponseEnc       string `json:"id_token_encrypted_response_enc,omitempty"`      // OpenID Connect Dynamic Client Registration, 2

	IntrospectionSignedResponseAlg    string `json:"introspection_signed_response_alg,omitempty"`    // RFC 9701, 6
	IntrospectionEncryptedResponseAlg string `json:"introspection_encrypted_response_alg,omitempty"` // RFC 9701, 6
	IntrospectionEncryptedResponseEnc string `json:"introspection_encrypted_response_enc,omitempty"` // RFC 9701, 6

	// UserinfoSignedResponseAlg asks for a signed answer at userinfo; without it the answer is plain JSON.
	UserinfoSignedResponseAlg    string `json:"userinfo_signed_response_alg,omitempty"`    // OpenID Connect Dynamic Client Registration, 2
	UserinfoEncryptedResponseAlg string `json:"userinfo_encrypted_response_alg,omitempty"` // OpenID Connect Dynamic Client Registration, 2
	UserinfoEncryptedResponseEnc string `json:"userinfo_encrypted_response_enc,omitempty"` // OpenID Connect Dynamic Client Registration, 2

	// PKCERequired and CodeChallengeMethod state what FAPI fixes, so that another value can be refused.
	PKCERequired        *bool  `json:"fapi_operator_pkce_required,omitempty"`
	CodeChallengeMethod string `json:"fapi_operator_code_challenge_method,omitempty"`
	// AllowedOrigins are the web origins (RFC 6454) that CORS answers.
	AllowedOrigins []string `json:"fapi_operator_allowed_origins,omitempty"`
	// IntrospectionResources are the resource indicators (RFC 8707) for which this
	// client is the resource server: it may introspect access tokens that are meant for them.
	IntrospectionResources []string `json:"fapi_operator_introspection_resources,omitempty"`
	// AccessTokenLifetime is in seconds.
	AccessTokenLifetime *int64 `json:"fapi_operator_access_token_lifetime,omitempty"`
	// RevokedKeyIDs are the kid of keys that somebody else may have. A kid that is
	// new in the list ends every grant and access token that the client has.
	RevokedKeyIDs []string `json:"fapi_operator_revoked_key_ids,omitempty"`
	// TLSClientAuthTrustAnchors holds this client's own CA certificates, PEM, concatenated.
	TLSClientAuthTrustAnchors string `json:"fapi_operator_tls_client_auth_trust_anchors,omitempty"`
	// TLSClientAuthTrustBundle names a bundle of the server's configuration instead.
	TLSClientAuthTrustBundle string `json:"fapi_operator_tls_client_auth_trust_bundle,omitempty"`
	// Suspended clients stay registered and are refused everywhere.
	Suspended *bool `json:"fapi_operator_suspended,omitempty"`
}
