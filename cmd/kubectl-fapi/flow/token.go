package flow

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Tokens is a token response (RFC 6749, 5.1; OpenID Connect Core, 3.1.3.3).
type Tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
	// Subject is the ID token's, once it is verified.
	Subject string `json:"-"`
}

// Redeem exchanges the code for tokens, and verifies the ID token (OpenID
// Connect Core, 3.1.3.7).
func (c *Client) Redeem(ctx context.Context, authorization *Authorization, code string) (Tokens, error) {
	tokens, err := c.requestTokens(ctx, url.Values{
		oauth.ParamGrantType: {oauth.GrantAuthorizationCode}, oauth.ParamCode: {code},
		oauth.ParamRedirectURI: {authorization.RedirectURI}, oauth.ParamCodeVerifier: {authorization.verifier},
	})
	if err != nil || tokens.IDToken == "" {
		return tokens, err
	}
	var claims struct {
		Subject string `json:"sub"`
		Nonce   string `json:"nonce"`
	}
	if err := c.open("the ID token", tokens.IDToken, &claims); err != nil {
		return tokens, err
	}
	if claims.Nonce != authorization.nonce {
		return tokens, wrong("the ID token answers another request: its nonce is not the one that was sent")
	}
	tokens.Subject = claims.Subject
	return tokens, nil
}

// ClientCredentials gets an access token for the client itself (RFC 6749, 4.4).
func (c *Client) ClientCredentials(ctx context.Context, scope string) (Tokens, error) {
	form := url.Values{oauth.ParamGrantType: {oauth.GrantClientCredentials}}
	if scope != "" {
		form.Set(oauth.ParamScope, scope)
	}
	return c.requestTokens(ctx, form)
}

func (c *Client) requestTokens(ctx context.Context, form url.Values) (tokens Tokens, err error) {
	answer, err := c.post(ctx, c.endpoints.Token, form, http.StatusOK)
	if err != nil {
		return tokens, err
	}
	if err := decode(answer.body, &tokens); err != nil {
		return tokens, err
	}
	switch {
	case tokens.AccessToken == "":
		return tokens, wrong("the answer has no access_token")
	case !strings.EqualFold(tokens.TokenType, c.tokenType()):
		return tokens, wrong("the token_type is %q and not %s", tokens.TokenType, c.tokenType())
	}
	return tokens, nil
}

// tokenType is how a token is shown, too. A token that is bound to a certificate
// is called Bearer (RFC 8705, 3).
func (c *Client) tokenType() string {
	if c.DPoPKey != nil {
		return oauth.TokenTypeDPoP
	}
	return oauth.TokenTypeBearer
}

// Userinfo asks who the person is, and gives the subject (OpenID Connect Core, 5.3).
func (c *Client) Userinfo(ctx context.Context, accessToken string) (subject string, err error) {
	answer, err := withNonce(func() (answer, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoints.Userinfo, nil)
		if err != nil {
			return answer{}, err
		}
		request.Header.Set("Authorization", c.tokenType()+" "+accessToken)
		if err := c.prove(request, accessToken); err != nil {
			return answer{}, err
		}
		return c.send(request, http.StatusOK)
	})
	if err != nil {
		return "", err
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if answer.mediaType == "application/jwt" { // OpenID Connect Core, 5.3.2
		err = c.open("userinfo", string(answer.body), &claims)
	} else {
		err = decode(answer.body, &claims)
	}
	return claims.Subject, err
}

// Revoke ends a token (RFC 7009).
func (c *Client) Revoke(ctx context.Context, token string) error {
	_, err := c.post(ctx, c.endpoints.Revocation, url.Values{oauth.ParamToken: {token}}, http.StatusOK)
	return err
}
