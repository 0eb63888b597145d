package token

import (
	"context"
	"errors"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// refresh is the refresh_token grant (RFC 6749, 6). The refresh token stays as
// it is: FAPI 2.0 Security Profile, 5.3.2.1-9, so a lost response loses no
// grant. It belongs to the client and not to a key, so the new access token is
// bound to whatever key or certificate the client proves now.
func (h *Handler) refresh(ctx context.Context, r request) (response, error) {
	digest := oauth.SecretFrom(r.parameter(oauth.ParamRefreshToken)).Digest()
	token, grant, err := h.Grants.RefreshToken(ctx, digest, r.now)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return response{}, err
	}
	state := fapi.RefreshState{
		Client: r.client(), Found: err == nil, ClientID: token.ClientID,
		PersonKnown: h.KnowsPerson(grant.Authentication.Subject),
	}
	if refusal := fapi.CheckRefreshState(state); refusal != nil {
		return response{}, refusal
	}
	scope, refusal := scopeOf(r, fapi.ScopesForGrant(r.client(), grant.Scope), false)
	if refusal != nil {
		return response{}, refusal
	}
	details, refusal := h.grantedDetails(r, grant)
	if refusal != nil {
		return response{}, refusal
	}
	return h.grantResponse(ctx, r, grant, allowed{scope, details}, oauth.SecretFrom(r.parameter(oauth.ParamRefreshToken)))
}

// scopeOf is the scope that is asked for, or all that may be had.
func scopeOf(r request, available []string, forClient bool) ([]string, *oauth.Error) {
	requested := oauth.SpaceSeparated(r.parameter(oauth.ParamScope))
	if len(requested) == 0 {
		return available, nil
	}
	refusal := fapi.CheckTokenScope(fapi.ScopeRequest{Requested: requested, Available: available, ForClient: forClient})
	return requested, refusal
}
