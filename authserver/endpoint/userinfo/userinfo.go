// Package userinfo is the userinfo endpoint (OpenID Connect Core, 5.3): a
// protected resource of the server's own.
package userinfo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Handler serves the endpoint.
type Handler struct {
	Front        *endpoint.Front
	Responder    *endpoint.Responder
	AccessTokens *token.Verifier
	Grants       store.Grants
	Clients      endpoint.Clients
	// Issuer is the server's issuer identifier, the audience of tokens for this endpoint.
	Issuer string
	// Claims gives all that is known of a person, by the names of OpenID Connect Core, 5.1.
	Claims func(ctx context.Context, subject string) (map[string]any, error)
	Now    func() time.Time
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	claims, err := h.claims(w, r)
	if err != nil {
		h.refuse(w, r, oauth.AsError(err))
		return
	}
	h.Responder.JSON(w, http.StatusOK, claims)
}

func (h *Handler) claims(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	access, client, err := h.admit(r)
	if err != nil {
		return nil, err
	}
	if refusal := endpoint.AllowOrigin(w, r, client); refusal != nil {
		return nil, refusal
	}
	known, err := h.Claims(r.Context(), access.Subject)
	if err != nil {
		return nil, err
	}
	claims := released(known, access.Scope)
	claims["sub"] = access.Subject
	return claims, nil
}

// admit verifies the access token and that its sender is the one it is bound to.
func (h *Handler) admit(r *http.Request) (token.AccessToken, *fapi.Client, error) {
	facts, presented := h.facts(r)
	access, fault := h.AccessTokens.Verify(presented)
	if facts.Fault = fault; fault != nil {
		return access, nil, fapi.CheckResourceRequest(facts)
	}
	client, err := h.learn(r, access, presented, &facts)
	if err != nil {
		return access, nil, err
	}
	if refusal := fapi.CheckResourceRequest(facts); refusal != nil {
		return access, nil, refusal
	}
	return access, client, nil
}

// learn adds what a verified token says, whether it was revoked, and what the
// sender has proven to hold.
func (h *Handler) learn(r *http.Request, access token.AccessToken, presented string, facts *fapi.ResourceRequest) (*fapi.Client, error) {
	facts.Token = fapi.ResourceToken{
		Issuer: access.Issuer, Audience: access.Audience, ExpiresAt: access.ExpiresAt,
		Scope: access.Scope, Confirmation: access.Confirmation,
	}
	client, err := h.Clients.Client(r.Context(), access.ClientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	active, err := h.Grants.AccessTokenActive(r.Context(), access.ID, access.GrantID)
	if err != nil {
		return nil, err
	}
	facts.Active = active && client != nil && !client.Suspended()
	proven, refusal := h.proven(r, presented)
	if refusal != nil {
		return nil, refusal
	}
	facts.Proven = proven
	return client, nil
}

// facts are what the request says before the token is verified.
func (h *Handler) facts(r *http.Request) (fapi.ResourceRequest, string) {
	query, _ := url.ParseQuery(r.URL.RawQuery)
	authorizations := r.Header.Values("Authorization")
	scheme, presented, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return fapi.ResourceRequest{
		TokenInQuery: query.Has("access_token"), TokenInBody: hasTokenInBody(r), Authorizations: len(authorizations), Scheme: scheme,
		Issuer: h.Issuer, Resource: h.Issuer, Scope: []string{oauth.ScopeOpenID}, Now: h.Now(),
	}, strings.TrimSpace(presented)
}

// hasTokenInBody reads a form's body (RFC 6750, 2.2), as far as forms are read here.
func hasTokenInBody(r *http.Request) bool {
	r.Body = http.MaxBytesReader(nil, r.Body, oauth.MaxFormBytes)
	_ = r.ParseForm() // What is no form, or too long for one, has no parameter that anybody reads.
	return r.PostForm.Has("access_token")
}

func (h *Handler) proven(r *http.Request, accessToken string) (fapi.ProvenKeys, *oauth.Error) {
	var proven fapi.ProvenKeys
	if certificates := endpoint.PeerCertificates(r); len(certificates) > 0 {
		proven.X5TS256 = jose.CertificateThumbprint(certificates[0])
	}
	jkt, refusal := h.Front.Proof(r, accessToken)
	proven.JKT = jkt
	return proven, refusal
}

// refuse tells the client which scheme and error in WWW-Authenticate (RFC 6750,
// 3; RFC 9449, 7.1).
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, refusal *oauth.Error) {
	if refusal.Code == oauth.InvalidDPoPProof {
		w.Header().Set("WWW-Authenticate", endpoint.Challenge(oauth.TokenTypeDPoP, refusal))
		h.Responder.RefuseWith(w, r, http.StatusUnauthorized, refusal)
		return
	}
	if refusal.Code == oauth.InvalidToken || refusal.Code == oauth.InsufficientScope {
		w.Header().Add("WWW-Authenticate", endpoint.Challenge(oauth.TokenTypeDPoP, refusal))
		w.Header().Add("WWW-Authenticate", endpoint.Challenge(oauth.TokenTypeBearer, refusal))
	}
	h.Responder.Refuse(w, r, refusal)
}
