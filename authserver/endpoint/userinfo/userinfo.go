// Package userinfo is the userinfo endpoint (OpenID Connect Core, 5.3): a
// protected resource of the server's own.
package userinfo

import (
	"context"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/resource"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Handler serves the endpoint.
type Handler struct {
	// Guard admits access tokens that are meant for the server itself.
	Guard     *resource.Guard
	Responder *endpoint.Responder
	Clients   endpoint.Clients
	Grants    store.Grants
	// Claims gives all that is known of a person, by the names of OpenID Connect Core, 5.1.
	Claims func(ctx context.Context, subject string) (map[string]any, error)
	// Minter signs answers for clients that ask for it; Keys gives the keys that they are encrypted to.
	Minter *token.Minter
	Keys   endpoint.ClientKeys
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.serve(w, r); err != nil {
		refusal := oauth.AsError(err)
		h.Responder.RefuseWith(w, r, resource.Challenge(w.Header(), refusal), refusal)
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) error {
	access, err := h.Guard.Admit(r, oauth.ScopeOpenID)
	if err != nil {
		return err
	}
	client, err := h.Clients.Client(r.Context(), access.ClientID)
	if err != nil {
		return err
	}
	if refusal := endpoint.AllowOrigin(w, r, client); refusal != nil {
		return refusal
	}
	claims, err := h.released(r.Context(), access)
	if err != nil {
		return err
	}
	return h.answer(w, r, client, claims)
}
