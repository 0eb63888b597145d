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
		if c.WantsSignedUserinfo {
			claims, err = c.signedUserInfo(ctx, request)
			return err
		}
		return c.callJSON(ctx, request, http.StatusOK, &claims)
	})
	return claims, err
}

// signedUserInfo verifies a JWT about the person (OpenID Connect Core, 5.3.4).
func (c *Client) signedUserInfo(ctx context.Context, request call) (map[string]any, error) {
	response, err := c.send(ctx, request)
	if err != nil {
		return nil, err
	}
	if response.status != http.StatusOK {
		return nil, readError(request.step, response)
	}
	if mediaType := response.header.Get("Content-Type"); mediaType != "application/jwt" {
		return nil, mustBeRefused("signed userinfo comes as %q", mediaType)
	}
	verified, err := c.openSigned(ctx, string(response.body))
	if err != nil {
		return nil, mustBeRefused("signed userinfo: %v", err)
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return nil, mustBeRefused("signed userinfo: %v", err)
	}
	if claims["iss"] != c.Issuer || claims["aud"] != c.ClientID {
		return nil, mustBeRefused("signed userinfo is of %v for %v", claims["iss"], claims["aud"])
	}
	return claims, nil
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
