package fapi

import "github.com/fapi-operator/fapi-operator/authserver/oauth"

// presentedTokenRules holds for a request about the token in its form: what
// revocation and introspection have in common. id and clause are of the
// specification that demands the token, remedy says what to send it for.
func presentedTokenRules(id oauth.RuleID, clause, remedy string) []Rule[oauth.Form] {
	return []Rule[oauth.Form]{
		{
			ID: "RFC6749-3.2", Clause: "RFC 6749, 3.2", Code: oauth.InvalidRequest,
			Demand: "no parameter is sent more than once",
			Remedy: "send each parameter once", Member: "*",
			Holds: func(form oauth.Form) bool { return len(form.Duplicates()) == 0 },
		},
		{
			ID: id, Clause: clause, Code: oauth.InvalidRequest,
			Demand: "token is present",
			Remedy: remedy, Member: oauth.ParamToken,
			Holds: func(form oauth.Form) bool { return form.Has(oauth.ParamToken) },
		},
	}
}

// revocationRequestRules holds for every revocation request.
var revocationRequestRules = presentedTokenRules("RFC7009-2.1", "RFC 7009, 2.1", "send the token to revoke")

// CheckRevocationRequest refuses a revocation request at the first rule that it breaks.
func CheckRevocationRequest(form oauth.Form) *oauth.Error {
	return firstBroken(revocationRequestRules, form)
}
