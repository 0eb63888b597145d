package fapitest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Authorization is one authorization, from the pushed request to the code.
type Authorization struct {
	State        string
	Nonce        string
	CodeVerifier string
	RedirectURI  string
	Scope        string
	// Details is the text of authorization_details (RFC 9396); "" leaves it out.
	Details string
	// Pushed is the answer to the pushed request.
	Pushed PushedResponse
}

// PushedResponse is RFC 9126, 2.2.
type PushedResponse struct {
	RequestURI string `json:"request_uri"`
	// ExpiresIn is in seconds.
	ExpiresIn int `json:"expires_in"`
}

// NewAuthorization makes fresh state, nonce and code verifier.
func (c *Client) NewAuthorization() *Authorization {
	return &Authorization{
		State: oauth.NewSecret().Reveal(), Nonce: oauth.NewSecret().Reveal(),
		// Two secrets: a verifier of 86 characters, of the 43 to 128 of RFC 7636, 4.1.
		CodeVerifier: oauth.NewSecret().Reveal() + oauth.NewSecret().Reveal(),
		RedirectURI:  c.RedirectURI, Scope: c.Scope,
	}
}

// Push pushes the authorization request (RFC 9126).
func (c *Client) Push(ctx context.Context, authorization *Authorization) (PushedResponse, error) {
	if err := c.withNonce(func() error { return c.pushOnce(ctx, authorization) }); err != nil {
		return PushedResponse{}, err
	}
	return authorization.Pushed, authorization.Pushed.check()
}

func (c *Client) pushOnce(ctx context.Context, authorization *Authorization) error {
	request, err := c.prepare(ctx, StepPush, http.MethodPost, "")
	if err != nil {
		return err
	}
	if request.form, err = c.pushForm(authorization); err != nil {
		return err
	}
	return c.callJSON(ctx, request, http.StatusCreated, &authorization.Pushed)
}

// check holds FAPI 2.0 Security Profile, 5.3.2.2-12.
func (p PushedResponse) check() error {
	if p.RequestURI == "" || p.ExpiresIn <= 0 || p.ExpiresIn >= 600 {
		return mustBeRefused("request_uri %q lives %d seconds", p.RequestURI, p.ExpiresIn)
	}
	return nil
}

func (c *Client) pushForm(authorization *Authorization) (url.Values, error) {
	form := c.parameters(authorization)
	apply(c.Misbehave.Parameters, form)
	if c.SignsRequests {
		object, err := c.requestObject(form)
		if err != nil {
			return nil, fmt.Errorf("make a request object: %w", err)
		}
		form = url.Values{oauth.ParamRequest: {object}}
	}
	if err := c.authenticate(form); err != nil {
		return nil, err
	}
	apply(c.Misbehave.PushForm, form)
	return form, nil
}

func (c *Client) parameters(authorization *Authorization) url.Values {
	form := url.Values{
		oauth.ParamClientID: {c.ClientID}, oauth.ParamResponseType: {oauth.ResponseTypeCode},
		oauth.ParamRedirectURI:         {authorization.RedirectURI},
		oauth.ParamCodeChallenge:       {base64URLSHA256(authorization.CodeVerifier)},
		oauth.ParamCodeChallengeMethod: {oauth.CodeChallengeMethodS256},
	}
	for name, value := range map[string]string{
		oauth.ParamScope: authorization.Scope, oauth.ParamState: authorization.State, oauth.ParamNonce: authorization.Nonce,
		oauth.ParamAuthorizationDetails: authorization.Details,
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if c.WantsJARM {
		form.Set(oauth.ParamResponseMode, oauth.ResponseModeJWT)
	}
	return form
}

// requestObjectLifetime is short of the 60 minutes of FAPI 2.0 Message Signing, 5.3.1-4.
const requestObjectLifetime = 5 * time.Minute

func (c *Client) requestObject(parameters url.Values) (string, error) {
	now := c.Now()
	claims := Claims{"iss": c.ClientID, "aud": c.Issuer, "nbf": now.Unix(), "exp": now.Add(requestObjectLifetime).Unix()}
	for name := range parameters {
		claims[name] = parameters.Get(name)
	}
	if details := parameters.Get(oauth.ParamAuthorizationDetails); details != "" {
		claims[oauth.ParamAuthorizationDetails] = json.RawMessage(details) // RFC 9101, 4: JSON, and no text
	}
	apply(c.Misbehave.RequestObject, claims)
	if c.Misbehave.SignRequestObject != nil {
		return c.Misbehave.SignRequestObject(claims)
	}
	return c.SigningKey.Sign(oauth.TypeRequestObject, claims)
}

// AuthorizationURL is where the person's browser is sent.
func (c *Client) AuthorizationURL(ctx context.Context, authorization *Authorization) (string, error) {
	metadata, err := c.Discover(ctx)
	if err != nil {
		return "", err
	}
	query := url.Values{oauth.ParamClientID: {c.ClientID}, oauth.ParamRequestURI: {authorization.Pushed.RequestURI}}
	apply(c.Misbehave.AuthorizationQuery, query)
	return metadata.AuthorizationEndpoint + "?" + query.Encode(), nil
}

// Authorize sends the person with a browser to the authorization endpoint and
// reads the answer that comes back. A page is a *PageError, a refusal in the
// answer a *CallbackError.
func (c *Client) Authorize(ctx context.Context, authorization *Authorization, person Person) (Callback, error) {
	browser := c.NewBrowser()
	defer browser.Close()
	return c.AuthorizeWith(ctx, browser, authorization, person)
}

// AuthorizeWith is Authorize with a browser that may have been used before.
func (c *Client) AuthorizeWith(ctx context.Context, browser *Browser, authorization *Authorization, person Person) (Callback, error) {
	address, err := c.AuthorizationURL(ctx, authorization)
	if err != nil {
		return Callback{}, err
	}
	page, err := browser.Open(ctx, address)
	if err != nil {
		return Callback{}, err
	}
	if page, err = person.answer(ctx, browser, page); err != nil {
		return Callback{}, err
	}
	if page.Callback == nil {
		return Callback{}, c.JudgePage(page)
	}
	return c.ReadCallback(ctx, authorization, page.Callback)
}

// base64URLSHA256 is the form of code_challenge and ath.
func base64URLSHA256(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
