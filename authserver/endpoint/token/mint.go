package token

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// accessToken mints an access token that is bound to what the client has
// proven. grant is nil with client credentials.
func (h *Handler) accessToken(r request, subject string, what allowed, grant *store.Grant) (response, error) {
	details, err := fapi.EncodeAuthorizationDetails(what.details)
	if err != nil {
		return response{}, err
	}
	lifetime := r.client().AccessTokenLifetime()
	content := token.AccessToken{
		Subject: subject, ClientID: r.client().ID(), Scope: what.scope, AuthorizationDetails: details,
		Audience: h.audience(what.scope, grant), Confirmation: r.facts.Confirmation, ExpiresAt: r.now.Add(lifetime),
		ClientEpoch: r.client().Epoch(),
	}
	if grant != nil {
		content.GrantID = grant.ID
		content.AuthTime = grant.Authentication.Time
		content.ACR = grant.Authentication.ACR
	}
	signed, _, err := h.Minter.AccessToken(content)
	if err != nil {
		return response{}, err
	}
	return response{
		AccessToken: signed, TokenType: r.facts.Confirmation.TokenType(),
		ExpiresIn: int(lifetime / time.Second), Scope: strings.Join(what.scope, " "), AuthorizationDetails: details,
	}, nil
}

// audience is what the person's request named (RFC 8707), or the default
// resource; with openid also the server itself, whose userinfo endpoint is a
// protected resource (OpenID Connect Core, 5.3).
func (h *Handler) audience(scope []string, grant *store.Grant) []string {
	audience := []string{h.DefaultResource}
	if grant != nil && len(grant.Request.Resource) > 0 {
		audience = slices.Clone(grant.Request.Resource)
	}
	if slices.Contains(scope, oauth.ScopeOpenID) {
		audience = append(audience, h.Issuer)
	}
	return audience
}

func (h *Handler) idToken(ctx context.Context, r request, grant store.Grant) (string, error) {
	keys, err := endpoint.EncryptionKeys(ctx, h.Keys, r.client(), r.client().Metadata().IDTokenEncryptedResponseAlg)
	if err != nil {
		return "", err
	}
	person, err := h.person(ctx, grant)
	if err != nil {
		return "", err
	}
	login := grant.Authentication
	return h.Minter.IDToken(r.client(), keys, token.IDToken{
		Subject: login.Subject, Nonce: grant.Request.Nonce, AuthTime: login.Time, ACR: login.ACR, AMR: login.AMR, Person: person,
	})
}

// person is what the claims parameter asks to have in the ID token. What scope
// asks for is at userinfo, since there is an access token (OpenID Connect Core, 5.4).
func (h *Handler) person(ctx context.Context, grant store.Grant) (map[string]any, error) {
	wanted, err := fapi.ParseClaimsRequest(grant.Request.Claims)
	if err != nil || len(wanted.IDToken) == 0 {
		return nil, err
	}
	known, err := h.Claims(ctx, grant.Authentication.Subject)
	if err != nil {
		return nil, err
	}
	return wanted.IDToken.Of(known), nil
}
