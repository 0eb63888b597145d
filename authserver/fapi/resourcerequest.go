package fapi

import (
	"crypto/subtle"
	"slices"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// ResourceRequest is a request to a protected resource, and what was found out about its access token.
type ResourceRequest struct {
	// TokenInQuery and TokenInBody tell whether an access_token parameter was sent there.
	TokenInQuery bool
	TokenInBody  bool
	// Authorizations is the number of Authorization header fields; Scheme is the
	// first one's authentication scheme, as sent.
	Authorizations int
	Scheme         string
	// Fault is why the access token is not to be believed (signature, type,
	// issuer, expiry); nil when it was verified.
	Fault error
	// Token is the access token's content; zero with Fault.
	Token ResourceToken
	// Issuer is whose access tokens are accepted, and Resource the resource
	// identifier that they must be meant for.
	Issuer   string
	Resource string
	// Active is false when the access token or its grant was revoked.
	Active bool
	// Proven is what the sender has proven to hold: the key of a DPoP proof, if
	// one came along, and the certificate of the TLS handshake, if there was one.
	Proven ProvenKeys
	// Scope lists the scope values that the resource needs.
	Scope []string
	Now   time.Time
}

// ResourceToken is what the rules need of an access token.
type ResourceToken struct {
	Issuer       string
	Audience     []string
	ExpiresAt    time.Time
	Scope        []string
	Confirmation oauth.Confirmation
}

// ProvenKeys are thumbprints of keys that the sender has proven to hold; empty without proof.
type ProvenKeys struct {
	JKT     string // RFC 7638, SHA-256, base64url
	X5TS256 string // RFC 8705, 3.1
}

// resourceRequestRules holds for every request with an access token (FAPI 2.0 Security Profile, 5.3.4).
var resourceRequestRules = []Rule[ResourceRequest]{
	{
		ID: "FAPI2-SP-FINAL-5.3.4-2", Clause: "FAPI 2.0 Security Profile, 5.3.4-2", Code: oauth.InvalidRequest,
		Demand: "an access token is never sent in the query",
		Remedy: "send it in the Authorization header", Member: "access_token",
		Holds: func(r ResourceRequest) bool { return !r.TokenInQuery },
	},
	{
		ID: "LOCAL-TOKEN-IN-HEADER-ALONE", Clause: "our own policy, beside RFC 6750, 2", Code: oauth.InvalidRequest,
		Demand: "an access token is sent in one Authorization header, and nowhere else",
		Remedy: "send it in the Authorization header", Member: "access_token",
		Holds: func(r ResourceRequest) bool { return !r.TokenInBody && r.Authorizations <= 1 },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.4-1", Clause: "FAPI 2.0 Security Profile, 5.3.4-1; RFC 6750, 2.1; RFC 9449, 7.1", Code: oauth.InvalidToken,
		Demand: "the request has an access token in the Authorization header, with the scheme Bearer or DPoP",
		Remedy: "send Authorization: DPoP or Authorization: Bearer with the access token", Member: "Authorization",
		Holds: func(r ResourceRequest) bool {
			return r.hasScheme(oauth.TokenTypeBearer) || r.hasScheme(oauth.TokenTypeDPoP)
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.4-3", Clause: "FAPI 2.0 Security Profile, 5.3.4-3", Code: oauth.InvalidToken,
		Demand: "the access token is valid: signed by this issuer, unaltered and not expired",
		Remedy: "ask for a new access token", Member: "Authorization",
		Holds: func(r ResourceRequest) bool { return r.Fault == nil },
	},
	{
		ID: "RFC9068-4-ISS", Clause: "RFC 9068, 4", Code: oauth.InvalidToken,
		Demand: "iss of the access token is the issuer that the resource trusts",
		Remedy: "ask for an access token at the resource's own authorization server", Member: "iss",
		Holds: func(r ResourceRequest) bool { return r.Token.Issuer == r.Issuer },
	},
	{
		ID: "RFC9068-4-AUD", Clause: "RFC 9068, 4", Code: oauth.InvalidToken,
		Demand: "aud of the access token contains the resource's identifier",
		Remedy: "ask for an access token for this resource", Member: "aud",
		Holds: func(r ResourceRequest) bool { return slices.Contains(r.Token.Audience, r.Resource) },
	},
	{
		ID: "RFC9068-4-EXP", Clause: "RFC 9068, 4; FAPI 2.0 Security Profile, 5.3.4-3", Code: oauth.InvalidToken,
		Demand: "the access token has not expired",
		Remedy: "ask for a new access token", Member: "exp",
		Holds: func(r ResourceRequest) bool { return r.Now.Before(r.Token.ExpiresAt) },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.4-3-REVOCATION", Clause: "FAPI 2.0 Security Profile, 5.3.4-3", Code: oauth.InvalidToken,
		Demand: "the access token was not revoked",
		Remedy: "ask for a new authorization", Member: "Authorization",
		Holds: func(r ResourceRequest) bool { return r.Active },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.4-5", Clause: "FAPI 2.0 Security Profile, 5.3.4-5", Code: oauth.InvalidToken,
		Demand: "the access token is bound to a DPoP key or to a certificate",
		Remedy: "ask for a sender-constrained access token", Member: "cnf",
		Holds: func(r ResourceRequest) bool { return !r.Token.Confirmation.IsZero() },
	},
	{
		ID: "RFC9449-7.1", Clause: "RFC 9449, 7.1, 7.2", Code: oauth.InvalidToken,
		Demand: "an access token that is bound to a DPoP key is sent with the scheme DPoP, one that is bound to a certificate with Bearer",
		Remedy: "use the token_type of the token response as scheme", Member: "Authorization",
		Holds: func(r ResourceRequest) bool { return r.hasScheme(r.Token.Confirmation.TokenType()) },
	},
	{
		ID: "RFC9449-7.1-PROOF", Clause: "RFC 9449, 7.1", Code: oauth.InvalidDPoPProof,
		Demand: "a DPoP proof comes with an access token that is bound to a DPoP key",
		Remedy: "send a proof in the DPoP header", Member: "DPoP",
		Holds: func(r ResourceRequest) bool { return r.Token.Confirmation.JKT == "" || r.Proven.JKT != "" },
	},
	{
		ID: "RFC9449-4.3-12", Clause: "RFC 9449, 4.3-12; FAPI 2.0 Security Profile, 5.3.4-5", Code: oauth.InvalidToken,
		Demand: "the key of the DPoP proof is the one that the access token is bound to",
		Remedy: "sign the proof with the key of the token request", Member: "DPoP",
		Holds: func(r ResourceRequest) bool { return sameThumbprint(r.Token.Confirmation.JKT, r.Proven.JKT) },
	},
	{
		ID: "RFC8705-3", Clause: "RFC 8705, 3; FAPI 2.0 Security Profile, 5.3.4-5", Code: oauth.InvalidToken,
		Demand: "the certificate of the TLS handshake is the one that the access token is bound to",
		Remedy: "present the certificate of the token request", Member: "cnf",
		Holds: func(r ResourceRequest) bool {
			return sameThumbprint(r.Token.Confirmation.X5TS256, r.Proven.X5TS256)
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.4-4", Clause: "FAPI 2.0 Security Profile, 5.3.4-4; RFC 6750, 3.1", Code: oauth.InsufficientScope,
		Demand: "the scope of the access token covers the request",
		Remedy: "ask for the scope that the resource needs", Member: oauth.ParamScope,
		Holds: func(r ResourceRequest) bool { return within(r.Scope, r.Token.Scope) },
	},
}

// CheckResourceRequest refuses a request at the first rule that it breaks; the
// refusal's cause is the Fault.
func CheckResourceRequest(r ResourceRequest) *oauth.Error {
	refusal := firstBroken(resourceRequestRules, r)
	if refusal == nil || r.Fault == nil {
		return refusal
	}
	return refusal.WithCause(r.Fault)
}

// hasScheme compares without case (RFC 9110, 11.1).
func (r ResourceRequest) hasScheme(scheme string) bool { return strings.EqualFold(r.Scheme, scheme) }

// sameThumbprint holds where nothing is demanded.
func sameThumbprint(demanded, proven string) bool {
	return demanded == "" || subtle.ConstantTimeCompare([]byte(demanded), []byte(proven)) == 1
}
