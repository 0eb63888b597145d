package fapi

import "github.com/fapi-operator/fapi-operator/authserver/oauth"

// introspectionRequestRules holds for every introspection request.
var introspectionRequestRules = presentedTokenRules("RFC7662-2.1", "RFC 7662, 2.1", "send the token to introspect")

// CheckIntrospectionRequest refuses an introspection request at the first rule that it breaks.
func CheckIntrospectionRequest(form oauth.Form) *oauth.Error {
	return firstBroken(introspectionRequestRules, form)
}

// IntrospectedToken is what was found out about a token that a client asks about.
type IntrospectedToken struct {
	Client *Client
	// Active is true for a token of this server that has neither expired nor been revoked.
	Active bool
	// IssuedTo is the client that it was issued to; Audience are the resources that
	// it is for, none of a refresh token.
	IssuedTo string
	Audience []string
}

// introspectedTokenRules hold for every token of which something is told. A token
// that breaks one is answered with active false alone, so that whoever asks learns
// nothing of a token that is not theirs (RFC 7662, 2.2).
var introspectedTokenRules = []Rule[IntrospectedToken]{
	{
		ID: "RFC7662-2.2", Clause: "RFC 7662, 2.2, 4", Code: oauth.InvalidToken,
		Demand: "the token was issued by this server, has not expired and was not revoked",
		Remedy: "ask for a new access token", Member: oauth.ParamToken,
		Holds: func(t IntrospectedToken) bool { return t.Active },
	},
	{
		ID: "RFC9701-5", Clause: "RFC 9701, 5; RFC 7662, 2.2", Code: oauth.InvalidToken,
		Demand: "the token was issued to the client that asks, or is meant for a resource that it serves",
		Remedy: "register the resource in fapi_operator_introspection_resources", Member: oauth.ParamToken,
		Holds: func(t IntrospectedToken) bool { return t.Client.MayIntrospect(t.IssuedTo, t.Audience) },
	},
}

// CheckIntrospectedToken tells why nothing is told of a token.
func CheckIntrospectedToken(t IntrospectedToken) *oauth.Error {
	return firstBroken(introspectedTokenRules, t)
}
