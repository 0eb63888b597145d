// Package revoke is the revocation endpoint (RFC 7009).
package revoke

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Handler serves the endpoint.
type Handler struct {
	Front        *endpoint.Front
	Responder    *endpoint.Responder
	Grants       store.Grants
	AccessTokens *token.Verifier
	Now          func() time.Time
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.revoke(w, r); err != nil {
		h.Responder.Refuse(w, r, oauth.AsError(err))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// revoke tries the token as a refresh token and then as an access token; the
// hint would only change the order (RFC 7009, 2.1). A token that is unknown, or
// another client's, is left as it is and answered like any other (2.2).
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request) error {
	request, refusal := h.Front.Accept(w, r)
	if refusal != nil {
		return refusal
	}
	if refusal := fapi.CheckRevocationRequest(request.Form); refusal != nil {
		return refusal
	}
	presented := request.Form.Get(oauth.ParamToken)
	found, err := h.revokeRefreshToken(r.Context(), presented, request.Caller.Client)
	if err != nil || found {
		return err
	}
	return h.revokeAccessToken(r.Context(), presented, request.Caller.Client)
}

// revokeRefreshToken ends the whole grant, access tokens included (RFC 7009, 2.1).
func (h *Handler) revokeRefreshToken(ctx context.Context, presented string, client *fapi.Client) (bool, error) {
	refresh, _, err := h.Grants.RefreshToken(ctx, oauth.SecretFrom(presented).Digest(), h.Now())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil || refresh.ClientID != client.ID() {
		return true, err
	}
	return true, h.Grants.RevokeGrant(ctx, refresh.GrantID, h.Now())
}

func (h *Handler) revokeAccessToken(ctx context.Context, presented string, client *fapi.Client) error {
	access, err := h.AccessTokens.Verify(presented)
	if err != nil || access.ClientID != client.ID() {
		return nil //nolint:nilerr // a token that does not verify is none: there is nothing to revoke.
	}
	return h.Grants.RevokeAccessToken(ctx, access.ID, access.ExpiresAt)
}
