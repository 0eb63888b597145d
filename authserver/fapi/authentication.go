package fapi

import (
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Authentication is a login that is to answer an authorization request.
type Authentication struct {
	// Subject is who has logged in, ACR at which authentication context class; ""
	// without one.
	Subject string
	ACR     string
	// Claims is the request's claims parameter.
	Claims ClaimsRequest
	// HintedSubject is whom the request's id_token_hint is about; "" without one.
	HintedSubject string
}

var acrRules = []Rule[Authentication]{
	{
		ID: "OIDCC-5.5.1.1", Clause: "OpenID Connect Core, 5.5.1.1; OpenID Connect Core Unmet Authentication Requirements, 1",
		Code:   oauth.UnmetAuthenticationRequirements,
		Demand: "the person logs in at one of the essential acr values that the claims parameter asks for",
		Remedy: "ask for a value of acr_values_supported, or make acr voluntary", Member: oauth.ParamClaims,
		Holds: func(a Authentication) bool { return a.Claims.AdmitsACR(a.ACR) },
	},
}

// authenticationRules holds for every login, of now or of an earlier session,
// before anything is granted on it.
var authenticationRules = append([]Rule[Authentication]{
	{
		ID: "OIDCC-3.1.2.2", Clause: "OpenID Connect Core, 3.1.2.2", Code: oauth.LoginRequired,
		Demand: "the person who logs in is the one that the request asks for",
		Remedy: "leave sub and id_token_hint out to ask for whoever logs in", Member: oauth.ParamClaims,
		Holds: func(a Authentication) bool {
			return a.Claims.AdmitsSubject(a.Subject) && (a.HintedSubject == "" || a.HintedSubject == a.Subject)
		},
	},
}, acrRules...)

// CheckAuthentication refuses a login that cannot answer the request.
func CheckAuthentication(a Authentication) *oauth.Error { return firstBroken(authenticationRules, a) }

// CheckAttainable refuses a request that no login can answer, whoever logs in;
// acr is the one that a login has here.
func CheckAttainable(claims ClaimsRequest, acr string) *oauth.Error {
	return firstBroken(acrRules, Authentication{ACR: acr, Claims: claims})
}
