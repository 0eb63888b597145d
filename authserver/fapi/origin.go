package fapi

import "github.com/fapi-operator/fapi-operator/authserver/oauth"

// BrowserRequest is a request that came with an Origin header.
type BrowserRequest struct {
	// Origin is the header's value; empty without one: no browser sent it.
	Origin string
	Client *Client
}

// originRules holds for every request of an authenticated client.
var originRules = []Rule[BrowserRequest]{
	{
		ID: "LOCAL-ORIGIN", Clause: "our own policy, beside FAPI 2.0 Security Profile, 5.2.3-3", Code: oauth.InvalidRequest,
		Demand: "a web page calls from an origin that the client lists",
		Remedy: "add the page's origin to the client's allowed origins", Member: "Origin",
		Holds: func(r BrowserRequest) bool { return r.Origin == "" || r.Client.AllowsOrigin(r.Origin) },
	},
}

// CheckOrigin refuses a web page that the client does not list.
func CheckOrigin(r BrowserRequest) *oauth.Error { return firstBroken(originRules, r) }
