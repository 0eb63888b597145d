package fapitest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// TokenResponse is RFC 6749, 5.1 with OpenID Connect Core, 3.1.3.3.
type TokenResponse struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
	// AuthorizationDetails is RFC 9396, 7; nil without any.
	AuthorizationDetails json.RawMessage `json:"authorization_details"`
	// Header is the response's.
	Header http.Header `json:"-"`
	// IDClaims are the ID token's claims, verified; nil without an ID token.
	IDClaims map[string]any `json:"-"`
}

// Redeem exchanges the code for tokens (RFC 6749, 4.1.3).
func (c *Client) Redeem(ctx context.Context, authorization *Authorization, code string) (TokenResponse, error) {
	tokens, err := c.requestTokens(ctx, url.Values{
		oauth.ParamGrantType: {oauth.GrantAuthorizationCode}, oauth.ParamCode: {code},
		oauth.ParamRedirectURI: {authorization.RedirectURI}, oauth.ParamCodeVerifier: {authorization.CodeVerifier},
	})
	if err != nil {
		return tokens, err
	}
	return tokens, c.readIDToken(ctx, &tokens, authorization)
}

// Refresh gets a new access token (RFC 6749, 6). Without scope the granted one stays.
func (c *Client) Refresh(ctx context.Context, refreshToken, scope string) (TokenResponse, error) {
	form := url.Values{oauth.ParamGrantType: {oauth.GrantRefreshToken}, oauth.ParamRefreshToken: {refreshToken}}
	if scope != "" {
		form.Set(oauth.ParamScope, scope)
	}
	return c.requestTokens(ctx, form)
}

// ClientCredentials gets an access token for the client itself (RFC 6749, 4.4).
func (c *Client) ClientCredentials(ctx context.Context, scope string) (TokenResponse, error) {
	form := url.Values{oauth.ParamGrantType: {oauth.GrantClientCredentials}}
	if scope != "" {
		form.Set(oauth.ParamScope, scope)
	}
	return c.requestTokens(ctx, form)
}

func (c *Client) requestTokens(ctx context.Context, form url.Values) (TokenResponse, error) {
	var tokens TokenResponse
	err := c.withNonce(func() (err error) {
		tokens, err = c.requestTokensOnce(ctx, maps.Clone(form))
		return err
	})
	if err != nil {
		return TokenResponse{}, err
	}
	return tokens, c.checkTokens(tokens)
}

func (c *Client) requestTokensOnce(ctx context.Context, form url.Values) (TokenResponse, error) {
	request, err := c.prepare(ctx, StepToken, http.MethodPost, "")
	if err != nil {
		return TokenResponse{}, err
	}
	if err := c.authenticate(form); err != nil {
		return TokenResponse{}, err
	}
	apply(c.Misbehave.TokenForm, form)
	request.form = form
	var tokens TokenResponse
	tokens.Header, err = c.callWithHeader(ctx, request, http.StatusOK, &tokens)
	return tokens, err
}

func (c *Client) checkTokens(tokens TokenResponse) error {
	wanted := oauth.TokenTypeBearer
	if !c.bindsToCertificate() {
		wanted = oauth.TokenTypeDPoP
	}
	switch {
	case tokens.AccessToken == "":
		return mustBeRefused("the token response has no access_token")
	case !strings.EqualFold(tokens.TokenType, wanted):
		return mustBeRefused("token_type is %q and not %s", tokens.TokenType, wanted)
	case tokens.ExpiresIn <= 0:
		return mustBeRefused("expires_in is %d", tokens.ExpiresIn)
	case !strings.Contains(tokens.Header.Get("Cache-Control"), "no-store"): // RFC 6749, 5.1
		return mustBeRefused("the token response may be cached")
	}
	return nil
}

// maxIDTokenLifetime is what this client takes for plausible.
const maxIDTokenLifetime = time.Hour

// readIDToken verifies the ID token (OpenID Connect Core, 3.1.3.7).
func (c *Client) readIDToken(ctx context.Context, tokens *TokenResponse, authorization *Authorization) error {
	if tokens.IDToken == "" {
		return nil
	}
	verified, err := c.openSigned(ctx, tokens.IDToken)
	if err != nil {
		return mustBeRefused("the ID token: %v", err)
	}
	if err := c.checkEnvelope(verified, maxIDTokenLifetime); err != nil {
		return err
	}
	if err := verified.Claims(&tokens.IDClaims); err != nil {
		return mustBeRefused("the ID token: %v", err)
	}
	nonce, _ := tokens.IDClaims[oauth.ParamNonce].(string)
	if nonce != authorization.Nonce {
		return mustBeRefused("the nonce of the ID token is another one's")
	}
	if subject, _ := tokens.IDClaims["sub"].(string); subject == "" {
		return mustBeRefused("the ID token has no sub")
	}
	return nil
}

// AccessTokenClaims reads an access token as a resource server would (RFC 9068),
// its signature verified. A client has no business in it; a test has.
func (c *Client) AccessTokenClaims(ctx context.Context, accessToken string) (map[string]any, error) {
	verified, err := c.verify(ctx, accessToken)
	if err != nil {
		return nil, err
	}
	if !verified.TypeIs(oauth.TypeAccessToken) {
		return nil, mustBeRefused("the access token's typ is %q", verified.Type())
	}
	var claims map[string]any
	return claims, verified.Claims(&claims)
}

// Confirmation is what the access token is bound to, when the client is what it should be.
func (c *Client) Confirmation() oauth.Confirmation {
	if c.bindsToCertificate() {
		return oauth.Confirmation{X5TS256: jose.CertificateThumbprint(c.Certificate.Leaf)}
	}
	return oauth.Confirmation{JKT: c.DPoPKey.Public().Thumbprint()}
}

// Revoke revokes a token (RFC 7009).
func (c *Client) Revoke(ctx context.Context, token string) error {
	return c.withNonce(func() error { return c.revokeOnce(ctx, token) })
}

func (c *Client) revokeOnce(ctx context.Context, token string) error {
	request, err := c.prepare(ctx, StepRevoke, http.MethodPost, "")
	if err != nil {
		return err
	}
	form := url.Values{oauth.ParamToken: {token}}
	if err := c.authenticate(form); err != nil {
		return err
	}
	request.form = form
	response, err := c.send(ctx, request)
	if err == nil && response.status != http.StatusOK {
		return c.judged(readError(StepRevoke, response))
	}
	return err
}
