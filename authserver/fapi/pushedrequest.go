package fapi

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// PushedRequest is what is known of a pushed authorization request once its
// client is authenticated and its request object, if any, is opened.
type PushedRequest struct {
	Client *Client
	// Parameters are the form's, or the request object's claims (RFC 9101, 6.3:
	// parameters outside the object do not count).
	Parameters oauth.Form
	// Signed tells whether the parameters come from a verified request object.
	Signed bool
	// ProofJKT is the thumbprint of the DPoP proof sent along; "" without one.
	ProofJKT string
	// Resources are the resource indicators that the server issues tokens for.
	Resources []string
	// HintedSubject is whom the id_token_hint is about; "" without one.
	HintedSubject string
	// HintFault is why the id_token_hint is not believed; nil without one.
	HintFault error
}

// pushedFormRules holds for the form itself, also where a request object in it has
// the parameters.
var pushedFormRules = []Rule[PushedRequest]{
	{
		ID: "RFC6749-3.1", Clause: "RFC 6749, 3.1", Code: oauth.InvalidRequest,
		Demand: "no parameter is sent more than once",
		Remedy: "send each parameter once", Member: "*",
		Holds: func(r PushedRequest) bool { return len(r.Parameters.Duplicates()) == 0 },
	},
	{
		ID: "PAR-2.1", Clause: "RFC 9126, 2.1", Code: oauth.InvalidRequest,
		Demand: "request_uri is not sent to the pushed authorization request endpoint",
		Remedy: "push the parameters themselves", Member: oauth.ParamRequestURI,
		Holds: func(r PushedRequest) bool { return !r.Parameters.Has(oauth.ParamRequestURI) },
	},
}

// pushedRequestRules holds for every pushed authorization request.
var pushedRequestRules = slices.Concat(pushedFormRules, []Rule[PushedRequest]{
	{
		ID: "FAPI2-MS-FINAL-5.3.1-1", Clause: "FAPI 2.0 Message Signing, 5.3.1-1", Code: oauth.InvalidRequest,
		Demand: "this client's requests are signed: the parameters are in a request object",
		Remedy: "send the parameters in a signed request object, in the parameter request", Member: oauth.ParamRequest,
		Holds: func(r PushedRequest) bool { return r.Signed || !r.Client.RequiresSignedRequests() },
	},
	{
		ID: "PAR-3", Clause: "RFC 9126, 3; RFC 9101, 5", Code: oauth.InvalidRequest,
		Demand: "client_id is that of the authenticated client",
		Remedy: "state the authenticated client's client_id", Member: oauth.ParamClientID,
		Holds: func(r PushedRequest) bool {
			stated := r.Parameters.Get(oauth.ParamClientID)
			return stated == r.Client.ID() || stated == "" && !r.Signed
		},
	},
	{
		ID: "RFC6749-4.1.2.1", Clause: "RFC 6749, 4.1.2.1", Code: oauth.UnauthorizedClient,
		Demand: "the client is registered for the grant type authorization_code",
		Remedy: "register authorization_code in grant_types", Member: oauth.ParamResponseType,
		Holds: func(r PushedRequest) bool { return r.Client.MayUseGrant(oauth.GrantAuthorizationCode) },
	},
	{
		ID: "RFC6749-3.1.1", Clause: "RFC 6749, 3.1.1", Code: oauth.InvalidRequest,
		Demand: "response_type is present",
		Remedy: "send response_type=code", Member: oauth.ParamResponseType,
		Holds: func(r PushedRequest) bool { return r.Parameters.Has(oauth.ParamResponseType) },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.2-1", Clause: "FAPI 2.0 Security Profile, 5.3.2.2-1", Code: oauth.UnsupportedResponseType,
		Demand: "response_type is code",
		Remedy: "send response_type=code", Member: oauth.ParamResponseType,
		Holds: func(r PushedRequest) bool {
			return r.Parameters.Get(oauth.ParamResponseType) == oauth.ResponseTypeCode
		},
	},
	{
		ID: "LOCAL-RESPONSE-MODE", Clause: "our own policy; JARM, 2.3", Code: oauth.InvalidRequest,
		Demand: "response_mode is query, jwt or query.jwt",
		Remedy: "send response_mode=jwt for a signed response, or leave it out", Member: oauth.ParamResponseMode,
		Holds: func(r PushedRequest) bool {
			switch r.Parameters.Get(oauth.ParamResponseMode) {
			case "", oauth.ResponseModeQuery, oauth.ResponseModeJWT, oauth.ResponseModeQueryJWT:
				return true
			}
			return false
		},
	},
	{
		ID: "FAPI2-MS-FINAL-5.3.3", Clause: "FAPI 2.0 Message Signing, 5.3.3", Code: oauth.InvalidRequest,
		Demand: "the response mode is one that the client registered in response_modes",
		Remedy: "send response_mode=jwt if the client registered jwt, or register query", Member: oauth.ParamResponseMode,
		Holds: usesRegisteredResponseMode,
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.2-6", Clause: "FAPI 2.0 Security Profile, 5.3.2.2-6", Code: oauth.InvalidRequest,
		Demand: "redirect_uri is in the pushed request",
		Remedy: "send one of the client's redirect_uris", Member: oauth.ParamRedirectURI,
		Holds: func(r PushedRequest) bool { return r.Parameters.Has(oauth.ParamRedirectURI) },
	},
	{
		ID: "RFC9700-4.1.3", Clause: "RFC 9700, 4.1.3", Code: oauth.InvalidRequest,
		Demand: "redirect_uri is one that the client registered, compared as a string",
		Remedy: "register this redirect_uri, to the letter", Member: oauth.ParamRedirectURI,
		Holds: func(r PushedRequest) bool {
			return r.Client.RegisteredRedirectURI(r.Parameters.Get(oauth.ParamRedirectURI))
		},
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.2-5", Clause: "FAPI 2.0 Security Profile, 5.3.2.2-5", Code: oauth.InvalidRequest,
		Demand: "PKCE is used with code_challenge_method S256",
		Remedy: "send code_challenge, and code_challenge_method=S256", Member: oauth.ParamCodeChallengeMethod,
		Holds: func(r PushedRequest) bool {
			return r.Parameters.Has(oauth.ParamCodeChallenge) &&
				r.Parameters.Get(oauth.ParamCodeChallengeMethod) == oauth.CodeChallengeMethodS256
		},
	},
	{
		ID: "RFC7636-4.2", Clause: "RFC 7636, 4.2", Code: oauth.InvalidRequest,
		Demand: "code_challenge is the base64url SHA-256 of the verifier: 43 characters",
		Remedy: "send BASE64URL(SHA256(code_verifier)) without padding", Member: oauth.ParamCodeChallenge,
		Holds: func(r PushedRequest) bool {
			return isSHA256Base64URL(r.Parameters.Get(oauth.ParamCodeChallenge))
		},
	},
	{
		ID: "RFC6749-3.3", Clause: "RFC 6749, 3.3; RFC 9396, 3", Code: oauth.InvalidScope,
		Demand: "scope is stated unless authorization_details is, and holds only values that the client registered",
		Remedy: "send scope values from the client's registered scope", Member: oauth.ParamScope,
		Holds: func(r PushedRequest) bool {
			scope := oauth.SpaceSeparated(r.Parameters.Get(oauth.ParamScope))
			stated := len(scope) > 0 || r.Parameters.Has(oauth.ParamAuthorizationDetails)
			return stated && within(scope, r.Client.Scopes())
		},
	},
	{
		ID: "RFC8707-2", Clause: "RFC 8707, 2", Code: oauth.InvalidTarget,
		Demand: "resource is one that this server issues tokens for",
		Remedy: "leave resource out, or send one from the server's documentation", Member: oauth.ParamResource,
		Holds: func(r PushedRequest) bool { return within(r.Parameters.All(oauth.ParamResource), r.Resources) },
	},
	{
		ID: "LOCAL-STATE-LENGTH", Clause: "our own limit, beside FAPI 2.0 Security Profile, 5.3.2.2, note 4", Code: oauth.InvalidRequest,
		Demand: "state has at most 4096 characters",
		Remedy: "send a shorter state, such as 43 characters of base64url", Member: oauth.ParamState,
		Holds: func(r PushedRequest) bool { return len(r.Parameters.Get(oauth.ParamState)) <= MaxStateLength },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.2-14", Clause: "FAPI 2.0 Security Profile, 5.3.2.2-14", Code: oauth.InvalidRequest,
		Demand: "nonce has at most 512 characters",
		Remedy: "send a shorter nonce; 64 characters always work", Member: oauth.ParamNonce,
		Holds: func(r PushedRequest) bool { return len(r.Parameters.Get(oauth.ParamNonce)) <= MaxNonceLength },
	},
	{
		ID: "LOCAL-HINTS-LENGTH", Clause: "our own limit", Code: oauth.InvalidRequest,
		Demand: "scope, resource, login_hint, acr_values and ui_locales have at most 8192 characters together",
		Remedy: "send each value once, and shorter ones", Member: oauth.ParamLoginHint,
		Holds: func(r PushedRequest) bool { return r.hintsLength() <= MaxHintsLength },
	},
	{
		ID: "OIDCC-3.1.2.1", Clause: "OpenID Connect Core, 3.1.2.1", Code: oauth.InvalidRequest,
		Demand: "prompt holds none alone, or some of login, consent and select_account",
		Remedy: "send prompt=login, or prompt=consent, or leave it out", Member: oauth.ParamPrompt,
		Holds: func(r PushedRequest) bool { return validPrompt(r.Parameters.Get(oauth.ParamPrompt)) },
	},
	{
		ID: "OIDCC-3.1.2.1-MAX-AGE", Clause: "OpenID Connect Core, 3.1.2.1", Code: oauth.InvalidRequest,
		Demand: "max_age is a whole number of seconds, not negative",
		Remedy: "send max_age as decimal digits, or leave it out", Member: oauth.ParamMaxAge,
		Holds: func(r PushedRequest) bool {
			maxAge := r.Parameters.Get(oauth.ParamMaxAge)
			return maxAge == "" || isWholeNumber.MatchString(maxAge)
		},
	},
	{
		ID: "OIDCC-3.1.2.1-ID-TOKEN-HINT", Clause: "OpenID Connect Core, 3.1.2.1", Code: oauth.InvalidRequest,
		Demand: "id_token_hint is an ID token that this server signed for the client with a key that it still publishes; it may have expired",
		Remedy: "send the signed ID token itself, decrypted, or leave id_token_hint out", Member: oauth.ParamIDTokenHint,
		Holds: func(r PushedRequest) bool { return r.HintFault == nil },
	},
	{
		ID: "OIDCC-5.5", Clause: "OpenID Connect Core, 5.5; the size is our own limit", Code: oauth.InvalidRequest,
		Demand: fmt.Sprintf("claims is a JSON object in which userinfo and id_token ask for claims, each by null or an object; "+
			"it has at most %d characters and %d levels, and no member twice", MaxClaimsLength, MaxClaimsDepth),
		Remedy: `send claims such as {"id_token":{"email":null}}, or leave it out`, Member: oauth.ParamClaims,
		Holds: func(r PushedRequest) bool {
			_, err := ParseClaimsRequest(r.ClaimsParameter())
			return err == nil
		},
	},
	{
		ID: "RFC9449-10", Clause: "RFC 9449, 10", Code: oauth.InvalidRequest,
		Demand: "dpop_jkt is the base64url SHA-256 thumbprint of a key: 43 characters",
		Remedy: "send the RFC 7638 thumbprint of the DPoP key", Member: oauth.ParamDPoPJKT,
		Holds: func(r PushedRequest) bool {
			jkt := r.Parameters.Get(oauth.ParamDPoPJKT)
			return jkt == "" || isSHA256Base64URL(jkt)
		},
	},
	{
		ID: "RFC9449-10.1", Clause: "RFC 9449, 10.1", Code: oauth.InvalidDPoPProof,
		Demand: "dpop_jkt, where it is sent beside a DPoP proof, names the proof's key",
		Remedy: "send one of the two, or the same key in both", Member: oauth.ParamDPoPJKT,
		Holds: func(r PushedRequest) bool {
			jkt := r.Parameters.Get(oauth.ParamDPoPJKT)
			return jkt == "" || r.ProofJKT == "" || jkt == r.ProofJKT
		},
	},
})

// CheckPushedForm refuses a form before the request object in it is opened.
func CheckPushedForm(form oauth.Form) *oauth.Error {
	return firstBroken(pushedFormRules, PushedRequest{Parameters: form})
}

// CheckPushedRequest refuses a pushed request at the first rule that it breaks.
func CheckPushedRequest(r PushedRequest) *oauth.Error {
	refusal := firstBroken(pushedRequestRules, r)
	if refusal != nil {
		refusal.Cause = r.HintFault
	}
	return refusal
}

func (r PushedRequest) hintsLength() int {
	length := 0
	for _, name := range []string{oauth.ParamScope, oauth.ParamResource, oauth.ParamLoginHint, oauth.ParamACRValues, oauth.ParamUILocales} {
		for _, value := range r.Parameters.All(name) {
			length += len(value)
		}
	}
	return length
}

var isWholeNumber = regexp.MustCompile(`^[0-9]{1,9}$`)

// MaxAge reads a max_age that the rules have accepted, in seconds; nil without one.
func (r PushedRequest) MaxAge() *int64 {
	seconds, err := strconv.ParseInt(r.Parameters.Get(oauth.ParamMaxAge), 10, 64)
	if err != nil {
		return nil
	}
	return &seconds
}

// ClaimsParameter is the request's claims parameter.
func (r PushedRequest) ClaimsParameter() string { return r.openID(oauth.ParamClaims) }

// IDTokenHint is the request's id_token_hint.
func (r PushedRequest) IDTokenHint() string { return r.openID(oauth.ParamIDTokenHint) }

// openID gives a parameter of OpenID Connect; "" for a request without the scope
// value openid, where it has no meaning (OpenID Connect Core, 3.1.2.1).
func (r PushedRequest) openID(parameter string) string {
	if !slices.Contains(oauth.SpaceSeparated(r.Parameters.Get(oauth.ParamScope)), oauth.ScopeOpenID) {
		return ""
	}
	return r.Parameters.Get(parameter)
}

// ResponseMode is query, or jwt for either spelling of it (JARM, 2.3.4: jwt
// means query.jwt for the response type code).
func (r PushedRequest) ResponseMode() string { return responseMode(r.Parameters) }

func responseMode(parameters oauth.Form) string {
	switch parameters.Get(oauth.ParamResponseMode) {
	case oauth.ResponseModeJWT, oauth.ResponseModeQueryJWT:
		return oauth.ResponseModeJWT
	}
	return oauth.ResponseModeQuery
}

// usesRegisteredResponseMode: absent response_modes means any that the server
// supports; jwt and query.jwt are one mode for the response type code.
func usesRegisteredResponseMode(r PushedRequest) bool {
	registered := r.Client.Metadata().ResponseModes
	if len(registered) == 0 {
		return true
	}
	if responseMode(r.Parameters) == oauth.ResponseModeJWT {
		return slices.Contains(registered, oauth.ResponseModeJWT) || slices.Contains(registered, oauth.ResponseModeQueryJWT)
	}
	return slices.Contains(registered, oauth.ResponseModeQuery)
}

func validPrompt(prompt string) bool {
	values := oauth.SpaceSeparated(prompt)
	if slices.Contains(values, "none") {
		return len(values) == 1
	}
	return within(values, []string{"login", "consent", "select_account"})
}

// within tells whether each value is among the allowed ones.
func within(values, allowed []string) bool {
	return !slices.ContainsFunc(values, func(value string) bool { return !slices.Contains(allowed, value) })
}

func isSHA256Base64URL(text string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(raw) == 32
}
