package token

import (
	"context"
	"errors"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// redeemCode is the authorization_code grant (RFC 6749, 4.1.3).
func (h *Handler) redeemCode(ctx context.Context, r request) (response, error) {
	digest := oauth.SecretFrom(r.parameter(oauth.ParamCode)).Digest()
	code, grant, err := h.Grants.Code(ctx, digest, r.now)
	if errors.Is(err, store.ErrNotFound) {
		return response{}, fapi.CheckCodeState(fapi.CodeState{})
	}
	if err != nil {
		return response{}, err
	}
	details, err := h.checkCode(r, code, grant)
	if err != nil {
		return response{}, err
	}
	refresh, secret := h.newRefreshToken(r, grant)
	err = h.Grants.RedeemCode(ctx, digest, refresh, r.now)
	if errors.Is(err, store.ErrAlreadyUsed) || errors.Is(err, store.ErrNotFound) {
		return response{}, fapi.CheckCodeState(fapi.CodeState{Found: true, Used: true})
	}
	if err != nil {
		return response{}, err
	}
	return h.grantResponse(ctx, r, grant, allowed{fapi.ScopesForGrant(r.client(), grant.Scope), details}, secret)
}

// checkCode applies the rules to a code before it is redeemed, so that a
// request that fails them does not use it up, and gives the authorization details
// that the code stands for. A used code is not checked any further: redeeming it
// again revokes its grant, whatever else the request says.
func (h *Handler) checkCode(r request, code store.Code, grant store.Grant) ([]fapi.AuthorizationDetail, error) {
	facts := fapi.CodeRedemption{
		TokenRequest: r.facts, ClientID: code.ClientID, RedirectURI: grant.Request.RedirectURI,
		CodeChallenge: grant.Request.CodeChallenge, DPoPJKT: grant.Request.DPoPJKT,
	}
	if refusal := fapi.CheckCodeBinding(facts); refusal != nil {
		return nil, refusal
	}
	if code.Used {
		return nil, nil
	}
	if refusal := fapi.CheckCodeRedemption(facts); refusal != nil {
		return nil, refusal
	}
	details, refusal := h.grantedDetails(r, grant)
	if refusal != nil {
		return nil, refusal
	}
	return details, nil
}

// newRefreshToken makes a refresh token for a client that is registered for the
// grant; nil otherwise.
func (h *Handler) newRefreshToken(r request, grant store.Grant) (*store.RefreshToken, oauth.Secret) {
	if !r.client().MayUseGrant(oauth.GrantRefreshToken) {
		return nil, oauth.Secret{}
	}
	secret := oauth.NewSecret()
	return &store.RefreshToken{
		Digest: secret.Digest(), GrantID: grant.ID, ClientID: r.client().ID(), ExpiresAt: r.now.Add(h.RefreshTokenLifetime),
	}, secret
}

// grantResponse mints what a person's grant allows.
func (h *Handler) grantResponse(ctx context.Context, r request, grant store.Grant, what allowed, refresh oauth.Secret) (response, error) {
	access, err := h.accessToken(r, grant.Authentication.Subject, what, &grant)
	if err != nil {
		return response{}, err
	}
	access.RefreshToken = refresh.Reveal()
	if slices.Contains(what.scope, oauth.ScopeOpenID) {
		access.IDToken, err = h.idToken(ctx, r, grant)
	}
	return access, err
}
