package fapitest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// mediaTypeIntrospection is RFC 9701, 4.
const mediaTypeIntrospection = "application/token-introspection+jwt"

// Introspect asks what a token is (RFC 7662).
func (c *Client) Introspect(ctx context.Context, token string) (map[string]any, error) {
	response, err := c.introspect(ctx, token, "application/json")
	if err != nil {
		return nil, err
	}
	var told map[string]any
	if err := json.Unmarshal(response.body, &told); err != nil {
		return nil, mustBeRefused("introspection answers what is not JSON: %v", err)
	}
	return told, nil
}

// IntrospectSigned asks for a signed answer, and checks it (RFC 9701, 5).
func (c *Client) IntrospectSigned(ctx context.Context, token string) (map[string]any, error) {
	response, err := c.introspect(ctx, token, mediaTypeIntrospection)
	if err != nil {
		return nil, err
	}
	if contentType := response.header.Get("Content-Type"); contentType != mediaTypeIntrospection {
		return nil, mustBeRefused("the Content-Type is %q", contentType)
	}
	verified, err := c.openSigned(ctx, string(response.body))
	if err != nil {
		return nil, mustBeRefused("the signed introspection response: %v", err)
	}
	return c.readIntrospection(verified)
}

func (c *Client) introspect(ctx context.Context, token, accept string) (answer, error) {
	request, err := c.prepare(ctx, StepIntrospect, http.MethodPost, "")
	if err != nil {
		return answer{}, err
	}
	request.form = url.Values{oauth.ParamToken: {token}}
	if err := c.authenticate(request.form); err != nil {
		return answer{}, err
	}
	request.header.Set("Accept", accept)
	response, err := c.send(ctx, request)
	if err == nil && response.status != http.StatusOK {
		return answer{}, c.judged(readError(StepIntrospect, response))
	}
	return response, err
}

func (c *Client) readIntrospection(verified *jose.VerifiedJWT) (map[string]any, error) {
	var claims struct {
		Issuer        string            `json:"iss"`
		Audience      *jose.Audience    `json:"aud"`
		IssuedAt      *jose.NumericDate `json:"iat"`
		Introspection map[string]any    `json:"token_introspection"`
	}
	if err := verified.Claims(&claims); err != nil {
		return nil, mustBeRefused("the introspection response: %v", err)
	}
	switch {
	case !verified.TypeIs("token-introspection+jwt"):
		return nil, mustBeRefused("typ of the introspection response is %q", verified.Type())
	case claims.Issuer != c.Issuer || claims.Audience == nil || !claims.Audience.Contains(c.ClientID):
		return nil, mustBeRefused("the introspection response is another issuer's, or for another client")
	case claims.IssuedAt == nil || claims.Introspection == nil:
		return nil, mustBeRefused("the introspection response has no iat or no token_introspection")
	case verified.Has("sub") || verified.Has("exp"):
		return nil, mustBeRefused("the introspection response could pass for an access token")
	}
	return claims.Introspection, nil
}
