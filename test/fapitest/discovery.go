package fapitest

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// Metadata is what a client needs of the server's metadata (RFC 8414, 2).
type Metadata struct {
	Issuer                string            `json:"issuer"`
	AuthorizationEndpoint string            `json:"authorization_endpoint"`
	PAREndpoint           string            `json:"pushed_authorization_request_endpoint"`
	TokenEndpoint         string            `json:"token_endpoint"`
	UserinfoEndpoint      string            `json:"userinfo_endpoint"`
	RevocationEndpoint    string            `json:"revocation_endpoint"`
	IntrospectionEndpoint string            `json:"introspection_endpoint"`
	JWKSURI               string            `json:"jwks_uri"`
	MTLSEndpointAliases   map[string]string `json:"mtls_endpoint_aliases"`
	ResponseTypes         []string          `json:"response_types_supported"`
	CodeChallengeMethods  []string          `json:"code_challenge_methods_supported"`
}

// Endpoint members of the metadata; they name the steps of the dance too.
const (
	StepDiscovery = "openid-configuration"
	StepJWKS      = "jwks_uri"
	StepPush      = "pushed_authorization_request_endpoint"
	StepAuthorize = "authorization_endpoint"
	StepToken     = "token_endpoint"
	StepUserinfo  = "userinfo_endpoint"
	StepRevoke    = "revocation_endpoint"

	StepIntrospect = "introspection_endpoint"
)

// Discover reads the server's metadata, once.
func (c *Client) Discover(ctx context.Context) (Metadata, error) {
	c.mu.Lock()
	known := c.metadata
	c.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	var found Metadata
	request := call{step: StepDiscovery, method: http.MethodGet, url: c.Issuer + "/.well-known/openid-configuration"}
	if err := c.callJSON(ctx, request, http.StatusOK, &found); err != nil {
		return Metadata{}, fmt.Errorf("discover the server: %w", err)
	}
	if err := c.checkMetadata(found); err != nil {
		return Metadata{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.metadata = &found
	return found, nil
}

func (c *Client) checkMetadata(found Metadata) error {
	switch {
	case found.Issuer != c.Issuer: // RFC 8414, 3.3
		return mustBeRefused("the metadata's issuer is %q and not %q", found.Issuer, c.Issuer)
	case !slices.Contains(found.ResponseTypes, "code"), !slices.Contains(found.CodeChallengeMethods, "S256"):
		return mustBeRefused("the server supports neither or only one of response type code and S256")
	}
	return nil
}

// Learn fetches what the server publishes, if that is not known yet, so that a
// later step needs nothing else.
func (c *Client) Learn(ctx context.Context) error {
	_, err := c.serverKeys(ctx, false)
	return err
}

// serverKeys fetches the server's key set: again when a key is not found in it.
func (c *Client) serverKeys(ctx context.Context, refresh bool) (*jose.KeySet, error) {
	c.mu.Lock()
	known := c.keys
	c.mu.Unlock()
	if known != nil && !refresh {
		return known, nil
	}
	metadata, err := c.Discover(ctx)
	if err != nil {
		return nil, err
	}
	response, err := c.send(ctx, call{step: StepJWKS, method: http.MethodGet, url: metadata.JWKSURI})
	if err != nil {
		return nil, err
	}
	fetched, err := jose.ParseKeySet(response.body)
	if err != nil {
		return nil, mustBeRefused("the server's keys: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = fetched
	return fetched, nil
}

// endpoint gives the address to call, and whether the certificate is presented
// there. A certificate goes to the alias alone (RFC 8705, 5): where the client
// authenticates by it, and where tokens get or prove their binding.
func (c *Client) endpoint(metadata Metadata, step string) (string, bool) {
	bound := c.bindsToCertificate() && (step == StepToken || step == StepUserinfo)
	authenticated := c.authenticatesByTLS() && step != StepUserinfo
	if bound || authenticated {
		return metadata.MTLSEndpointAliases[step], true
	}
	return map[string]string{
		StepPush: metadata.PAREndpoint, StepToken: metadata.TokenEndpoint,
		StepUserinfo: metadata.UserinfoEndpoint, StepRevoke: metadata.RevocationEndpoint,
		StepIntrospect: metadata.IntrospectionEndpoint,
	}[step], false
}

// prepare makes the call to an endpoint: its address and its DPoP proof.
func (c *Client) prepare(ctx context.Context, step, method, accessToken string) (call, error) {
	metadata, err := c.Discover(ctx)
	if err != nil {
		return call{}, err
	}
	address, mutual := c.endpoint(metadata, step)
	header, err := c.proofHeader(method, address, accessToken)
	return call{step: step, method: method, url: address, header: header, mutual: mutual}, err
}
