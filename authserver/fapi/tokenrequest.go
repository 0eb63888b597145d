package fapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"regexp"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// TokenRequest is a token request whose client is authenticated.
type TokenRequest struct {
	Client     *Client
	Parameters oauth.Form
	// Confirmation is what the sender has proven to hold: a DPoP key if a proof
	// came along, a certificate if one was presented in the handshake.
	Confirmation oauth.Confirmation
}

// tokenRequestRules holds for every token request, whatever its grant.
var tokenRequestRules = []Rule[TokenRequest]{
	{
		ID: "RFC6749-3.2", Clause: "RFC 6749, 3.2", Code: oauth.InvalidRequest,
		Demand: "no parameter is sent more than once",
		Remedy: "send each parameter once", Member: "*",
		Holds: func(r TokenRequest) bool { return len(r.Parameters.Duplicates()) == 0 },
	},
	{
		ID: "RFC6749-5.2-GRANT-TYPE", Clause: "RFC 6749, 4.1.3, 4.4.2, 6", Code: oauth.InvalidRequest,
		Demand: "grant_type is present",
		Remedy: "send grant_type", Member: oauth.ParamGrantType,
		Holds: func(r TokenRequest) bool { return r.Parameters.Has(oauth.ParamGrantType) },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-2", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-2", Code: oauth.UnsupportedGrantType,
		Demand: "grant_type is authorization_code, refresh_token or client_credentials; the password grant is never accepted",
		Remedy: "use the authorization code flow", Member: oauth.ParamGrantType,
		Holds: func(r TokenRequest) bool {
			return within([]string{r.Parameters.Get(oauth.ParamGrantType)}, SupportedGrantTypes())
		},
	},
	{
		ID: "RFC6749-5.2", Clause: "RFC 6749, 5.2", Code: oauth.UnauthorizedClient,
		Demand: "the client is registered for the grant type",
		Remedy: "register the grant type in grant_types", Member: oauth.ParamGrantType,
		Holds: func(r TokenRequest) bool { return r.Client.MayUseGrant(r.Parameters.Get(oauth.ParamGrantType)) },
	},
	{
		ID: "RFC9449-5", Clause: "RFC 9449, 5; FAPI 2.0 Security Profile, 5.3.2.1-4", Code: oauth.InvalidDPoPProof,
		Demand: "this client's access tokens are bound to a DPoP key: a DPoP proof is sent with the request",
		Remedy: "send the header DPoP", Member: "DPoP",
		Holds: func(r TokenRequest) bool { return !r.Client.UsesDPoP() || r.Confirmation.JKT != "" },
	},
	{
		ID: "RFC8705-3", Clause: "RFC 8705, 3; FAPI 2.0 Security Profile, 5.3.2.1-4", Code: oauth.InvalidRequest,
		Demand: "this client's access tokens are bound to its certificate: the request is made with mutual TLS",
		Remedy: "call the endpoint in mtls_endpoint_aliases and present the client certificate", Member: "certificate",
		Holds: func(r TokenRequest) bool { return r.Client.UsesDPoP() || r.Confirmation.X5TS256 != "" },
	},
}

// SupportedGrantTypes are the grant types that the token endpoint serves.
func SupportedGrantTypes() []string {
	return []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials}
}

// CheckTokenRequest refuses a token request at the first rule that it breaks.
func CheckTokenRequest(r TokenRequest) *oauth.Error { return firstBroken(tokenRequestRules, r) }

// CodeRedemption is a token request beside the authorization request that its code came from.
type CodeRedemption struct {
	TokenRequest
	// What the code is bound to.
	ClientID      string
	RedirectURI   string
	CodeChallenge string
	DPoPJKT       string
}

// codeBindingRules hold before it is asked whether the code was used: whoever
// breaks them has no say over the code.
var codeBindingRules = []Rule[CodeRedemption]{
	{
		ID: "RFC6749-4.1.3", Clause: "RFC 6749, 4.1.3", Code: oauth.InvalidGrant,
		Demand: "the authorization code was issued to this client",
		Remedy: "redeem a code with the client that asked for it", Member: oauth.ParamCode,
		Holds: func(r CodeRedemption) bool { return r.ClientID == r.Client.ID() },
	},
}

// codeRedemptionRules holds for every redemption of a code that was not used yet.
var codeRedemptionRules = []Rule[CodeRedemption]{
	{
		ID: "RFC6749-4.1.3-REDIRECT-URI", Clause: "RFC 6749, 4.1.3", Code: oauth.InvalidGrant,
		Demand: "redirect_uri, if present, is that of the authorization request",
		Remedy: "send the same redirect_uri in both requests", Member: oauth.ParamRedirectURI,
		Holds: func(r CodeRedemption) bool {
			uri := r.Parameters.Get(oauth.ParamRedirectURI)
			return uri == "" || uri == r.RedirectURI
		},
	},
	{
		ID: "RFC7636-4.6", Clause: "RFC 7636, 4.6; FAPI 2.0 Security Profile, 5.3.2.2-5", Code: oauth.InvalidGrant,
		Demand: "code_verifier is present and its SHA-256 is the code_challenge of the authorization request",
		Remedy: "send the code_verifier that the code_challenge was made from", Member: oauth.ParamCodeVerifier,
		Holds: func(r CodeRedemption) bool {
			return VerifiesChallenge(r.Parameters.Get(oauth.ParamCodeVerifier), r.CodeChallenge)
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-12", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-12; RFC 9449, 10", Code: oauth.InvalidGrant,
		Demand: "the DPoP proof is made with the key that the authorization request named",
		Remedy: "use one DPoP key from the pushed request to the token request", Member: "DPoP",
		Holds: func(r CodeRedemption) bool { return r.DPoPJKT == "" || r.DPoPJKT == r.Confirmation.JKT },
	},
}

// CheckCodeBinding refuses a code that is not this client's.
func CheckCodeBinding(r CodeRedemption) *oauth.Error { return firstBroken(codeBindingRules, r) }

// CheckCodeRedemption refuses a redemption at the first rule that it breaks.
func CheckCodeRedemption(r CodeRedemption) *oauth.Error { return firstBroken(codeRedemptionRules, r) }

var codeVerifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// VerifiesChallenge tells whether the S256 challenge was made from the verifier
// (RFC 7636, 4.1, 4.6), in constant time.
func VerifiesChallenge(verifier, challenge string) bool {
	if !codeVerifier.MatchString(verifier) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	computed := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(computed), []byte(challenge)) == 1
}

// ScopeRequest asks for scope out of what may be had.
type ScopeRequest struct {
	Requested []string
	Available []string
	// ForClient is true with client credentials, where no person is asked.
	ForClient bool
}

// tokenScopeRules holds for the scope parameter of token requests.
var tokenScopeRules = []Rule[ScopeRequest]{
	{
		ID: "RFC6749-6", Clause: "RFC 6749, 4.4.2, 6", Code: oauth.InvalidScope,
		Demand: "scope holds only values that were granted, or with client credentials registered",
		Remedy: "send a part of the granted scope, or leave scope out", Member: oauth.ParamScope,
		Holds: func(r ScopeRequest) bool { return within(r.Requested, r.Available) },
	},
	{
		ID: "OIDCC-3.1.2.1-OPENID", Clause: "OpenID Connect Core, 3.1.2.1", Code: oauth.InvalidScope,
		Demand: "openid and offline_access need a person: client credentials do not have them",
		Remedy: "leave openid and offline_access out", Member: oauth.ParamScope,
		Holds: func(r ScopeRequest) bool {
			return !r.ForClient || !within([]string{oauth.ScopeOpenID}, r.Requested) && !within([]string{oauth.ScopeOfflineAccess}, r.Requested)
		},
	},
}

// CheckTokenScope refuses a scope that may not be had.
func CheckTokenScope(r ScopeRequest) *oauth.Error { return firstBroken(tokenScopeRules, r) }
