package fapi

import (
	"slices"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// authorizationQueryRules holds for what a browser brings to the authorization endpoint.
var authorizationQueryRules = []Rule[oauth.Form]{
	{
		ID: "RFC6749-3.1-QUERY", Clause: "RFC 6749, 3.1", Code: oauth.InvalidRequest,
		Demand: "client_id and request_uri are sent once",
		Remedy: "send client_id and request_uri, each once", Member: oauth.ParamClientID,
		Holds: func(query oauth.Form) bool {
			return !slices.ContainsFunc(query.Duplicates(), func(name string) bool {
				return name == oauth.ParamClientID || name == oauth.ParamRequestURI
			})
		},
	},
	{
		ID: "PAR-4-CLIENT-ID", Clause: "RFC 9126, 4", Code: oauth.InvalidRequest,
		Demand: "client_id is present",
		Remedy: "send client_id beside request_uri", Member: oauth.ParamClientID,
		Holds: func(query oauth.Form) bool { return query.Has(oauth.ParamClientID) },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.2-3", Clause: "FAPI 2.0 Security Profile, 5.3.2.2-3", Code: oauth.InvalidRequest,
		Demand: "the authorization request was pushed, and is named by its request_uri",
		Remedy: "push the request to the pushed authorization request endpoint first, then send its request_uri", Member: oauth.ParamRequestURI,
		Holds: func(query oauth.Form) bool {
			return strings.HasPrefix(query.Get(oauth.ParamRequestURI), oauth.RequestURIPrefix)
		},
	},
}

// AuthorizationRequest is what was found for an authorization request's query.
type AuthorizationRequest struct {
	// Client is the one that client_id names; nil when there is none.
	Client *Client
	// RequestFound tells whether request_uri names a request that this client
	// pushed, that has not expired and was not used.
	RequestFound bool
	// RedirectURI is the found request's.
	RedirectURI string
}

// authorizationRequestRules holds when a pushed request is taken up, and again
// when it is completed.
var authorizationRequestRules = []Rule[AuthorizationRequest]{
	{
		ID: "RFC6749-4.1.2.1", Clause: "RFC 6749, 4.1.2.1", Code: oauth.UnauthorizedClient,
		Demand: "client_id names a registered client that is not suspended",
		Remedy: "register the client, or end its suspension", Member: oauth.ParamClientID,
		Holds: func(r AuthorizationRequest) bool { return r.Client != nil && !r.Client.Suspended() },
	},
	{
		ID: "PAR-4", Clause: "RFC 9126, 4; FAPI 2.0 Security Profile, 5.3.2.2, note 3", Code: oauth.InvalidRequestURI,
		Demand: "request_uri names a request that this client pushed, that has not expired, and that was not used before",
		Remedy: "start again from the application", Member: oauth.ParamRequestURI,
		Holds: func(r AuthorizationRequest) bool { return r.RequestFound },
	},
	{
		ID: "RFC6749-4.1.2.1-GRANT-TYPE", Clause: "RFC 6749, 4.1.2.1", Code: oauth.UnauthorizedClient,
		Demand: "the client is still registered for the grant type authorization_code",
		Remedy: "register authorization_code in grant_types", Member: oauth.ParamResponseType,
		Holds: func(r AuthorizationRequest) bool { return r.Client.MayUseGrant(oauth.GrantAuthorizationCode) },
	},
	{
		ID: "RFC9700-4.1.3", Clause: "RFC 9700, 4.1.3", Code: oauth.InvalidRequest,
		Demand: "the request's redirect_uri is still one that the client registered: nothing is sent to one that was withdrawn",
		Remedy: "start again with a registered redirect_uri", Member: oauth.ParamRedirectURI,
		Holds: func(r AuthorizationRequest) bool { return r.Client.RegisteredRedirectURI(r.RedirectURI) },
	},
}

// CheckAuthorizationRequest refuses a request_uri that may not be used.
func CheckAuthorizationRequest(r AuthorizationRequest) *oauth.Error {
	return firstBroken(authorizationRequestRules, r)
}

// CheckAuthorizationQuery refuses what comes to the authorization endpoint
// without naming a pushed request.
func CheckAuthorizationQuery(query oauth.Form) *oauth.Error {
	return firstBroken(authorizationQueryRules, query)
}
