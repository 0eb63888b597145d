package flow

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Authorization is one authorization, from the pushed request to the code.
type Authorization struct {
	RedirectURI string
	Scope       string

	state, nonce, verifier string
	requestURI             string
	// Lifetime is how long the pushed request waits for the browser.
	Lifetime time.Duration
}

// NewAuthorization makes fresh state, nonce and code verifier.
func NewAuthorization(redirectURI, scope string) *Authorization {
	return &Authorization{
		RedirectURI: redirectURI, Scope: scope,
		state: oauth.NewSecret().Reveal(), nonce: oauth.NewSecret().Reveal(), verifier: oauth.NewSecret().Reveal(),
	}
}

// Push pushes the authorization request (RFC 9126, 2).
func (c *Client) Push(ctx context.Context, authorization *Authorization) error {
	form := authorization.parameters()
	form.Set(oauth.ParamClientID, c.ClientID)
	if c.WantsSignedResponses {
		form.Set(oauth.ParamResponseMode, oauth.ResponseModeJWT)
	}
	if c.SignsRequests {
		object, err := c.requestObject(form)
		if err != nil {
			return err
		}
		form = url.Values{oauth.ParamRequest: {object}}
	}
	answer, err := c.post(ctx, c.endpoints.PAR, form, http.StatusCreated)
	if err != nil {
		return err
	}
	var pushed struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int    `json:"expires_in"`
	}
	if err := decode(answer.body, &pushed); err != nil {
		return err
	}
	authorization.requestURI, authorization.Lifetime = pushed.RequestURI, time.Duration(pushed.ExpiresIn)*time.Second
	if pushed.RequestURI == "" {
		return wrong("the answer has no request_uri")
	}
	return nil
}

func (a *Authorization) parameters() url.Values {
	form := url.Values{
		oauth.ParamResponseType:  {oauth.ResponseTypeCode},
		oauth.ParamRedirectURI:   {a.RedirectURI},
		oauth.ParamCodeChallenge: {digest(a.verifier)}, oauth.ParamCodeChallengeMethod: {oauth.CodeChallengeMethodS256},
		oauth.ParamState: {a.state}, oauth.ParamNonce: {a.nonce},
	}
	if a.Scope != "" {
		form.Set(oauth.ParamScope, a.Scope)
	}
	return form
}

// requestObject is the request as a signed JWT (RFC 9101, 4).
func (c *Client) requestObject(parameters url.Values) (string, error) {
	now := time.Now()
	claims := map[string]any{"iss": c.ClientID, "aud": c.Issuer, "nbf": now.Unix(), "exp": now.Add(assertionLifetime).Unix()}
	for name := range parameters {
		claims[name] = parameters.Get(name)
	}
	return c.SigningKey.Sign(oauth.TypeRequestObject, claims)
}

// Address is where the person's browser is sent.
func (c *Client) Address(authorization *Authorization) string {
	query := url.Values{oauth.ParamClientID: {c.ClientID}, oauth.ParamRequestURI: {authorization.requestURI}}
	return c.endpoints.Authorization + "?" + query.Encode()
}

// ReadResponse gives the code out of the address to which the browser was sent
// back, once it is certain that it answers this request.
func (c *Client) ReadResponse(authorization *Authorization, address string) (code string, err error) {
	parsed, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", wrong("what came back is no address")
	}
	response := parsed.Query()
	if signed := response.Get(oauth.ParamResponse); signed != "" {
		var claims map[string]any
		if err := c.open("the authorization response", signed, &claims); err != nil {
			return "", err
		}
		response = texts(claims)
	} else if c.WantsSignedResponses {
		return "", wrong("the authorization response is not signed")
	}
	return authorization.code(c.Issuer, response)
}

func (a *Authorization) code(issuer string, response url.Values) (string, error) {
	switch {
	case response.Get(oauth.ParamIss) != issuer: // RFC 9207, 2.4
		return "", wrong("the address is no answer of this server: its iss is %q", response.Get(oauth.ParamIss))
	case response.Get(oauth.ParamState) != a.state:
		return "", wrong("the address answers another request: its state is not the one that was sent")
	case response.Get(oauth.ParamError) != "":
		return "", &RefusedError{http.StatusSeeOther, oauth.ErrorCode(response.Get(oauth.ParamError)), response.Get(oauth.ParamErrorDescription)}
	case response.Get(oauth.ParamCode) == "":
		return "", wrong("the address has no code")
	}
	return response.Get(oauth.ParamCode), nil
}

func texts(claims map[string]any) url.Values {
	values := url.Values{}
	for name, claim := range claims {
		if text, isText := claim.(string); isText {
			values.Set(name, text)
		}
	}
	return values
}
