package fapi

import (
	"errors"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// RequestObject is what is known of a request object (RFC 9101). With a fault
// nothing that it says is believed.
type RequestObject struct {
	// Encrypted tells whether it came as a JWE. DecryptFault is why that could not
	// be opened, Fault why the JWT inside could not be read or verified: errors of
	// package jose.
	Encrypted    bool
	DecryptFault error
	Fault        error
	Client       *Client
	Issuer       string // the server's issuer identifier
	Now          time.Time
	Algorithm    jose.SignatureAlgorithm
	// HasType and TypeIsRequestObject tell of the "typ" header.
	HasType             bool
	TypeIsRequestObject bool
	Claims              RequestObjectClaims
	// Nested tells whether the object has a request or request_uri claim.
	Nested bool
}

// RequestObjectClaims are the claims that are not request parameters; nil when absent.
type RequestObjectClaims struct {
	Issuer    *string           `json:"iss"`
	Audience  *jose.Audience    `json:"aud"`
	IssuedAt  *jose.NumericDate `json:"iat"`
	NotBefore *jose.NumericDate `json:"nbf"`
	ExpiresAt *jose.NumericDate `json:"exp"`
}

// requestObjectRules holds for every request object at the pushed
// authorization request endpoint.
var requestObjectRules = []Rule[RequestObject]{
	{
		ID: "OIDCR-2-ENCRYPTION", Clause: "OpenID Connect Dynamic Client Registration, 2", Code: oauth.InvalidRequestObject,
		Demand: "a client that registered request_object_encryption_alg encrypts its request objects",
		Remedy: "encrypt the request object to a key of the server's jwks_uri", Member: oauth.ParamRequest,
		Holds: func(o RequestObject) bool {
			return o.Encrypted || o.Client.Metadata().RequestObjectEncryptionAlg == ""
		},
	},
	{
		ID: "RFC9101-6.1", Clause: "RFC 9101, 6.1", Code: oauth.InvalidRequestObject,
		Demand: "an encrypted request object decrypts with one of this server's keys, by the registered algorithms",
		Remedy: "encrypt to a current key of the server's jwks_uri, with request_object_encryption_alg and _enc", Member: oauth.ParamRequest,
		Holds: func(o RequestObject) bool { return o.DecryptFault == nil },
	},
	{
		ID: "FAPI2-SP-FINAL-5.4.1-1", Clause: "FAPI 2.0 Security Profile, 5.4.1-1", Code: oauth.InvalidRequestObject,
		Demand: "the request object is signed with PS256, ES256 or EdDSA",
		Remedy: "sign with the registered request_object_signing_alg", Member: "alg",
		Holds: func(o RequestObject) bool { return !errors.Is(o.Fault, jose.ErrAlgorithm) },
	},
	{
		ID: "RFC9101-6.2", Clause: "RFC 9101, 4, 6.2", Code: oauth.InvalidRequestObject,
		Demand: "the request object is a signed JWT whose signature verifies with one of the client's registered keys",
		Remedy: "sign with a registered key, and name it in kid", Member: oauth.ParamRequest,
		Holds: func(o RequestObject) bool { return o.Fault == nil },
	},
	{
		ID: "OIDCR-2", Clause: "OpenID Connect Dynamic Client Registration, 2", Code: oauth.InvalidRequestObject,
		Demand: "the request object is signed with the algorithm that the client registered",
		Remedy: "sign with request_object_signing_alg", Member: "alg",
		Holds: func(o RequestObject) bool {
			registered := o.Client.Metadata().RequestObjectSigningAlg
			return registered == "" || registered == string(o.Algorithm)
		},
	},
	{
		ID: "FAPI2-MS-FINAL-5.3.1-5", Clause: "FAPI 2.0 Message Signing, 5.3.1-5", Code: oauth.InvalidRequestObject,
		Demand: "typ, if present, is oauth-authz-req+jwt or JWT",
		Remedy: "send typ oauth-authz-req+jwt, or none", Member: "typ",
		Holds: func(o RequestObject) bool { return !o.HasType || o.TypeIsRequestObject },
	},
	{
		ID: "RFC9101-4", Clause: "RFC 9101, 4", Code: oauth.InvalidRequestObject,
		Demand: "the request object contains neither request nor request_uri",
		Remedy: "put the parameters themselves into the request object", Member: oauth.ParamRequestURI,
		Holds: func(o RequestObject) bool { return !o.Nested },
	},
	{
		ID: "RFC9101-10.2", Clause: "RFC 9101, 5, 10.2", Code: oauth.InvalidRequestObject,
		Demand: "iss, if present, is the client_id",
		Remedy: "set iss to the client_id", Member: "iss",
		Holds: func(o RequestObject) bool { return o.Claims.Issuer == nil || *o.Claims.Issuer == o.Client.ID() },
	},
	{
		ID: "FAPI2-MS-FINAL-5.3.1-2", Clause: "FAPI 2.0 Message Signing, 5.3.1-2", Code: oauth.InvalidRequestObject,
		Demand: "aud is, or is an array containing, the server's issuer identifier",
		Remedy: "set aud to the issuer of the server's metadata", Member: "aud",
		Holds: func(o RequestObject) bool { return o.Claims.Audience != nil && o.Claims.Audience.Contains(o.Issuer) },
	},
	{
		ID: "FAPI2-MS-FINAL-5.3.1-3", Clause: "FAPI 2.0 Message Signing, 5.3.1-3", Code: oauth.InvalidRequestObject,
		Demand: "nbf is present and at most 60 minutes in the past",
		Remedy: "set nbf to the current time", Member: "nbf",
		Holds: func(o RequestObject) bool {
			return o.Claims.NotBefore != nil && !o.Claims.NotBefore.Time().Before(o.Now.Add(-MaxRequestObjectAge))
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-13", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-13", Code: oauth.InvalidRequestObject,
		Demand: "iat and nbf are not in the future",
		Remedy: "set the client's clock", Member: "nbf",
		Holds: func(o RequestObject) bool {
			latest := o.Now.Add(FutureSkew)
			return !o.Claims.NotBefore.Time().After(latest) &&
				(o.Claims.IssuedAt == nil || !o.Claims.IssuedAt.Time().After(latest))
		},
	},
	{
		ID: "FAPI2-MS-FINAL-5.3.1-4", Clause: "FAPI 2.0 Message Signing, 5.3.1-4", Code: oauth.InvalidRequestObject,
		Demand: "exp is present and at most 60 minutes after nbf",
		Remedy: "set exp some minutes after nbf", Member: "exp",
		Holds: func(o RequestObject) bool {
			return o.Claims.ExpiresAt != nil &&
				!o.Claims.ExpiresAt.Time().After(o.Claims.NotBefore.Time().Add(MaxRequestObjectLifetime))
		},
	},
	{
		ID: "RFC7519-4.1.4", Clause: "RFC 7519, 4.1.4", Code: oauth.InvalidRequestObject,
		Demand: "the request object has not expired",
		Remedy: "make a new request object for each request", Member: "exp",
		Holds: func(o RequestObject) bool { return o.Now.Before(o.Claims.ExpiresAt.Time().Add(PastSkew)) },
	},
}

// CheckRequestObject refuses a request object at the first rule that it breaks.
func CheckRequestObject(o RequestObject) *oauth.Error {
	refusal := firstBroken(requestObjectRules, o)
	if refusal != nil {
		refusal.Cause = errors.Join(o.DecryptFault, o.Fault)
	}
	return refusal
}
