package fapitest

import (
	"context"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// UserInfo asks who the person is (OpenID Connect Core, 5.3).
func (c *Client) UserInfo(ctx context.Context, accessToken string) (map[string]any, error) {
	var claims map[string]any
	err := c.withNonce(func() error {
		request, err := c.prepare(ctx, StepUserinfo, http.MethodGet, accessToken)
		if err != nil {
			return err
		}
		request.header.Set("Authorization", c.scheme()+" "+accessToken)
		return c.callJSON(ctx, request, http.StatusOK, &claims)
	})
	return claims, err
}

func (c *Client) scheme() string {
	if c.bindsToCertificate() {
		return oauth.TokenTypeBearer
	}
	return oauth.TokenTypeDPoP
}

// Flow does the whole dance: pushed request, login and consent, code, tokens.
func (c *Client) Flow(ctx context.Context, person Person) (*Authorization, TokenResponse, error) {
	authorization := c.NewAuthorization()
	if _, err := c.Push(ctx, authorization); err != nil {
		return authorization, TokenResponse{}, err
	}
	callback, err := c.Authorize(ctx, authorization, person)
	if err != nil {
		return authorization, TokenResponse{}, err
	}
	tokens, err := c.Redeem(ctx, authorization, callback.Code)
	return authorization, tokens, err
}
