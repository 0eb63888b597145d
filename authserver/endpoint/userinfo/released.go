package userinfo

import (
	"context"
	"errors"
	"maps"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// claimsOfScope says which claims a scope value asks for (OpenID Connect Core, 5.4).
var claimsOfScope = map[string][]string{
	"profile": {
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
		"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// released picks what the person let the client know with this access token: by
// scope, and by the claims parameter (OpenID Connect Core, 5.5).
func (h *Handler) released(ctx context.Context, access token.AccessToken) (map[string]any, error) {
	wanted, err := h.requested(ctx, access)
	if err != nil {
		return nil, err
	}
	known, err := h.Claims(ctx, access.Subject)
	if err != nil {
		return nil, err
	}
	claims := ofScope(known, access.Scope)
	maps.Copy(claims, wanted.UserInfo.Of(known))
	claims["sub"] = access.Subject
	return claims, nil
}

// requested is what the claims parameter of the grant asked for.
func (h *Handler) requested(ctx context.Context, access token.AccessToken) (fapi.ClaimsRequest, error) {
	grant, err := h.Grants.Grant(ctx, access.GrantID)
	if errors.Is(err, store.ErrNotFound) {
		return fapi.ClaimsRequest{}, oauth.Refuse(oauth.InvalidToken, "RFC6750-3.1", "the access token's grant has ended").WithCause(err)
	}
	if err != nil {
		return fapi.ClaimsRequest{}, err
	}
	return fapi.ParseClaimsRequest(grant.Request.Claims)
}

func ofScope(known map[string]any, scope []string) map[string]any {
	claims := map[string]any{}
	for _, value := range scope {
		for _, name := range claimsOfScope[value] {
			if claim, ok := known[name]; ok {
				claims[name] = claim
			}
		}
	}
	return claims
}
