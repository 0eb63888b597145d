package fapi

import "github.com/fapi-operator/fapi-operator/authserver/oauth"

// revocationRequestRules holds for every revocation request.
var revocationRequestRules = []Rule[oauth.Form]{
	{
		ID: "RFC6749-3.2", Clause: "RFC 6749, 3.2", Code: oauth.InvalidRequest,
		Demand: "no parameter is sent more than once",
		Remedy: "send each parameter once", Member: "*",
		Holds: func(form oauth.Form) bool { return len(form.Duplicates()) == 0 },
	},
	{
		ID: "RFC7009-2.1", Clause: "RFC 7009, 2.1", Code: oauth.InvalidRequest,
		Demand: "token is present",
		Remedy: "send the token to revoke", Member: oauth.ParamToken,
		Holds: func(form oauth.Form) bool { return form.Has(oauth.ParamToken) },
	},
}

// CheckRevocationRequest refuses a revocation request at the first rule that it breaks.
func CheckRevocationRequest(form oauth.Form) *oauth.Error {
	return firstBroken(revocationRequestRules, form)
}
