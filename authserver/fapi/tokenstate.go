package fapi

import (
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// CodeState is what the store says of an authorization code.
type CodeState struct {
	// Found: the code exists and has not expired.
	Found bool
	Used  bool
}

// codeStateRules holds for every authorization code that is redeemed.
var codeStateRules = []Rule[CodeState]{
	{
		ID: "FAPI2-SP-FINAL-5.3.2.1-11", Clause: "FAPI 2.0 Security Profile, 5.3.2.1-11; RFC 6749, 4.1.2", Code: oauth.InvalidGrant,
		Demand: "the authorization code is known, and is redeemed within its lifetime of less than 60 seconds",
		Remedy: "redeem the code at once", Member: oauth.ParamCode,
		Holds: func(s CodeState) bool { return s.Found },
	},
	{
		ID: "FAPI2-SP-FINAL-5.3.2.2-9", Clause: "FAPI 2.0 Security Profile, 5.3.2.2-9", Code: oauth.InvalidGrant,
		Demand: "the authorization code was not used before; its tokens are revoked now",
		Remedy: "redeem a code once, and start again", Member: oauth.ParamCode,
		Holds: func(s CodeState) bool { return !s.Used },
	},
}

// CheckCodeState refuses a code that cannot be redeemed any more.
func CheckCodeState(s CodeState) *oauth.Error { return firstBroken(codeStateRules, s) }

// RefreshState is what the store says of a refresh token.
type RefreshState struct {
	Client *Client
	// Found: the token exists, and has neither expired nor been revoked.
	Found bool
	// ClientID is the client that it was issued to.
	ClientID string
	// PersonKnown: who granted it is still a person who may log in.
	PersonKnown bool
}

// refreshRules holds for every refresh token that is used.
var refreshRules = []Rule[RefreshState]{
	{
		ID: "RFC6749-5.2-REFRESH", Clause: "RFC 6749, 5.2, 6", Code: oauth.InvalidGrant,
		Demand: "the refresh token is known, has not expired and was not revoked",
		Remedy: "ask the person again", Member: oauth.ParamRefreshToken,
		Holds: func(s RefreshState) bool { return s.Found },
	},
	{
		ID: "RFC6749-10.4", Clause: "RFC 6749, 10.4", Code: oauth.InvalidGrant,
		Demand: "the refresh token was issued to this client",
		Remedy: "use a refresh token with the client that got it", Member: oauth.ParamRefreshToken,
		Holds: func(s RefreshState) bool { return s.ClientID == s.Client.ID() },
	},
	{
		ID: "LOCAL-PERSON", Clause: "our own policy, beside RFC 6749, 5.2", Code: oauth.InvalidGrant,
		Demand: "the person who granted this may still log in here",
		Remedy: "ask for a new authorization", Member: oauth.ParamRefreshToken,
		Holds: func(s RefreshState) bool { return s.PersonKnown },
	},
}

// CheckRefreshState refuses a refresh token that the client may not use.
func CheckRefreshState(s RefreshState) *oauth.Error { return firstBroken(refreshRules, s) }

// ScopesForGrant are the granted scopes for which the client is still
// registered: a grant may outlive a scope that was taken from its client.
func ScopesForGrant(client *Client, granted []string) []string {
	return slices.DeleteFunc(slices.Clone(granted), func(scope string) bool {
		return !slices.Contains(client.Scopes(), scope)
	})
}

// ScopesForClient are the registered scopes that need no person.
func ScopesForClient(client *Client) []string {
	var scopes []string
	for _, scope := range client.Scopes() {
		if scope != oauth.ScopeOpenID && scope != oauth.ScopeOfflineAccess {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}
