package fapitest

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Callback is the authorization response.
type Callback struct {
	Code             string
	State            string
	Iss              string
	Error            oauth.ErrorCode
	ErrorDescription string
	// Query is the callback's query as it came; with JARM it holds the response alone.
	Query url.Values
	// Response is the JARM response's claims; nil without JARM.
	Response map[string]any
}

// maxResponseLifetime of a JARM response: JARM, 2.1 recommends 10 minutes at the most.
const maxResponseLifetime = 10 * time.Minute

// ReadCallback checks and reads the address that the browser was sent back to.
func (c *Client) ReadCallback(ctx context.Context, authorization *Authorization, address *url.URL) (Callback, error) {
	callback := Callback{Query: address.Query()}
	if address.Fragment != "" {
		return callback, mustBeRefused("the authorization response has a fragment")
	}
	parameters := callback.Query
	if c.WantsJARM {
		claims, err := c.openResponse(ctx, parameters)
		if err != nil {
			return callback, err
		}
		callback.Response = claims
		parameters = texts(claims)
	}
	callback.Code, callback.State = parameters.Get(oauth.ParamCode), parameters.Get(oauth.ParamState)
	callback.Iss = parameters.Get(oauth.ParamIss)
	callback.Error = oauth.ErrorCode(parameters.Get(oauth.ParamError))
	callback.ErrorDescription = parameters.Get(oauth.ParamErrorDescription)
	return callback, c.checkCallback(authorization, callback)
}

func (c *Client) checkCallback(authorization *Authorization, callback Callback) error {
	switch {
	case c.Misbehave.SkipChecks:
	case callback.Iss != c.Issuer: // RFC 9207, 2.4
		return mustBeRefused("iss of the authorization response is %q", callback.Iss)
	case callback.State != authorization.State:
		return mustBeRefused("state of the authorization response is another one's")
	case callback.Code == "" && callback.Error == "":
		return mustBeRefused("the authorization response has neither code nor error")
	}
	if callback.Error == "" {
		return nil
	}
	refused := &CallbackError{Callback: callback}
	if err := refused.check(); err != nil {
		return err
	}
	return c.judged(refused)
}

// openResponse verifies a JARM response (JARM, 2.4).
func (c *Client) openResponse(ctx context.Context, query url.Values) (map[string]any, error) {
	if query.Has(oauth.ParamCode) || query.Has(oauth.ParamError) || query.Has(oauth.ParamIss) {
		return nil, mustBeRefused("a signed response has parameters outside the JWT")
	}
	verified, err := c.openSigned(ctx, query.Get(oauth.ParamResponse))
	if err != nil {
		return nil, mustBeRefused("the signed authorization response: %v", err)
	}
	if err := c.checkEnvelope(verified, maxResponseLifetime); err != nil {
		return nil, err
	}
	var claims map[string]any
	return claims, verified.Claims(&claims)
}

// openSigned verifies what the server signed for this client, after decrypting it
// where the client asked for encryption (RFC 7519, 5.2): it then takes nothing else.
func (c *Client) openSigned(ctx context.Context, compact string) (*jose.VerifiedJWT, error) {
	if c.DecryptionKey == nil {
		return c.verify(ctx, compact)
	}
	signed, err := jose.Decrypt(compact, []*jose.DecryptionKey{c.DecryptionKey}, jose.KeyManagementAlgorithms(), jose.ContentEncryptions())
	if err != nil {
		return nil, err
	}
	return c.verify(ctx, string(signed))
}

// verify checks a JWT's signature with the server's published keys.
func (c *Client) verify(ctx context.Context, compact string) (*jose.VerifiedJWT, error) {
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		return nil, err
	}
	if unverified.KeyID() == "" {
		return nil, errors.New("it names no kid")
	}
	for _, refresh := range []bool{false, true} {
		keys, err := c.serverKeys(ctx, refresh)
		if err != nil {
			return nil, err
		}
		verified, err := unverified.Verify(keys)
		if !errors.Is(err, jose.ErrNoKey) {
			return verified, err
		}
	}
	return nil, jose.ErrNoKey
}

// checkEnvelope checks issuer, audience and lifetime of a JWT for this client.
func (c *Client) checkEnvelope(verified *jose.VerifiedJWT, longest time.Duration) error {
	var envelope struct {
		Issuer    string            `json:"iss"`
		Audience  *jose.Audience    `json:"aud"`
		ExpiresAt *jose.NumericDate `json:"exp"`
	}
	if err := verified.Claims(&envelope); err != nil {
		return mustBeRefused("the claims: %v", err)
	}
	now := c.Now()
	switch {
	case envelope.Issuer != c.Issuer:
		return mustBeRefused("iss of the JWT is %q", envelope.Issuer)
	case envelope.Audience == nil || !envelope.Audience.Contains(c.ClientID):
		return mustBeRefused("the JWT is not for this client")
	case envelope.ExpiresAt == nil || !now.Before(envelope.ExpiresAt.Time()):
		return mustBeRefused("the JWT has no exp, or has expired")
	case envelope.ExpiresAt.Time().After(now.Add(longest)):
		return mustBeRefused("the JWT lives longer than %s", longest)
	}
	return nil
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
