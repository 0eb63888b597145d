package fapitest

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// nonceSyntax is RFC 9449, 8.1: one or more NQCHAR.
var nonceSyntax = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)

// keepNonce remembers the nonce that an answer provides, whatever its status, for
// the server that provides it (RFC 9449, 8.2 and 9).
func (c *Client) keepNonce(request call, response *http.Response) error {
	provided := response.Header.Values("DPoP-Nonce")
	if len(provided) == 0 {
		return nil
	}
	if len(provided) > 1 || !nonceSyntax.MatchString(provided[0]) {
		return mustBeRefused("%s answers with DPoP-Nonce %q", request.step, provided)
	}
	server, err := url.Parse(request.url)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nonces == nil {
		c.nonces = map[string]string{}
	}
	c.nonces[server.Host] = provided[0]
	return nil
}

// nonce is the latest one that the target's server has provided; "" without one.
func (c *Client) nonce(target string) string {
	server, err := url.Parse(target)
	if err != nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nonces[server.Host]
}

// withNonce makes an attempt, and another one when the server demands the nonce
// that it has just provided. Each attempt makes its own proof and assertion.
func (c *Client) withNonce(attempt func() error) error {
	err := attempt()
	refusal, refused := errors.AsType[*ErrorResponse](err)
	if !refused || refusal.Code != oauth.UseDPoPNonce || c.Misbehave.NoSecondAttempt {
		return err
	}
	if refusal.Header.Get("DPoP-Nonce") == "" {
		return mustBeRefused("%s demands a nonce and provides none", refusal.Step)
	}
	return attempt()
}
