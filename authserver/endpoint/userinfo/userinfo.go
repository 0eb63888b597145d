// Package userinfo is the userinfo endpoint (OpenID Connect Core, 5.3): a
// protected resource of the server's own.
package userinfo

import (
	"context"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/resource"
)

// Handler serves the endpoint.
type Handler struct {
	// Guard admits access tokens that are meant for the server itself.
	Guard     *resource.Guard
	Responder *endpoint.Responder
	Clients   endpoint.Clients
	// Claims gives all that is known of a person, by the names of OpenID Connect Core, 5.1.
	Claims func(ctx context.Context, subject string) (map[string]any, error)
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	claims, err := h.claims(w, r)
	if err != nil {
		refusal := oauth.AsError(err)
		h.Responder.RefuseWith(w, r, resource.Challenge(w.Header(), refusal), refusal)
		return
	}
	h.Responder.JSON(w, http.StatusOK, claims)
}

func (h *Handler) claims(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	access, err := h.Guard.Admit(r, oauth.ScopeOpenID)
	if err != nil {
		return nil, err
	}
	client, err := h.Clients.Client(r.Context(), access.ClientID)
	if err != nil {
		return nil, err
	}
	if refusal := endpoint.AllowOrigin(w, r, client); refusal != nil {
		return nil, refusal
	}
	return h.released(r.Context(), access)
}
