// Package token is the token endpoint (RFC 6749, 3.2): authorization codes,
// refresh tokens and client credentials become sender-constrained access tokens.
package token

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/authorizationdetails"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Handler serves the endpoint.
type Handler struct {
	Front     *endpoint.Front
	Responder *endpoint.Responder
	Grants    store.Grants
	Minter    *token.Minter
	// AuthorizationDetails are the types of authorization details that are supported.
	AuthorizationDetails *authorizationdetails.Types
	// Keys gives the keys that ID tokens are encrypted to.
	Keys endpoint.ClientKeys
	// Issuer is the server's issuer identifier; DefaultResource is the audience of
	// access tokens for which no resource was named.
	Issuer          string
	DefaultResource string
	// RefreshTokenLifetime is how long a refresh token lives from its issuance.
	RefreshTokenLifetime time.Duration
	// KnowsPerson tells whether the subject is still a person who may log in.
	KnowsPerson func(subject string) bool
	// Claims gives all that is known of a person, by the names of OpenID Connect Core, 5.1.
	Claims func(ctx context.Context, subject string) (map[string]any, error)
	Now    func() time.Time
}

// response is RFC 6749, 5.1 with OpenID Connect Core, 3.1.3.3 and RFC 9396, 7.
type response struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`

	AuthorizationDetails json.RawMessage `json:"authorization_details,omitempty"`
}

// grants maps a grant type to what serves it. Each is called with a request
// that has passed the rules for all token requests; none can skip them.
var grants = map[string]func(*Handler, context.Context, request) (response, error){
	oauth.GrantAuthorizationCode: (*Handler).redeemCode,
	oauth.GrantRefreshToken:      (*Handler).refresh,
	oauth.GrantClientCredentials: (*Handler).clientCredentials,
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	issued, err := h.issue(w, r)
	if err != nil {
		h.Responder.Refuse(w, r, oauth.AsError(err))
		return
	}
	h.Responder.JSON(w, http.StatusOK, issued)
}

// request is a token request that has passed the rules for all grants.
type request struct {
	facts fapi.TokenRequest
	now   time.Time
}

func (r request) client() *fapi.Client         { return r.facts.Client }
func (r request) parameter(name string) string { return r.facts.Parameters.Get(name) }

func (h *Handler) issue(w http.ResponseWriter, r *http.Request) (response, error) {
	accepted, refusal := h.Front.Accept(w, r)
	if refusal != nil {
		return response{}, refusal
	}
	facts := fapi.TokenRequest{
		Client: accepted.Caller.Client, Parameters: accepted.Form, Confirmation: accepted.Confirmation(),
	}
	if refusal := fapi.CheckTokenRequest(facts); refusal != nil {
		return response{}, refusal
	}
	serve := grants[accepted.Form.Get(oauth.ParamGrantType)]
	return serve(h, r.Context(), request{facts: facts, now: h.Now()})
}
