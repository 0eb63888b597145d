package fapi

import (
	"crypto/x509"
	"slices"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Client is a client that the rule book has admitted. AdmitClient alone makes one.
type Client struct {
	metadata registration.Metadata // with defaults filled in
	keys     *jose.KeySet          // nil when the keys are at jwks_uri, or there are none
	// trustAnchors are nil when a bundle of the server vouches, or nobody has to.
	trustAnchors []*x509.Certificate
	epoch        int64
}

// InEpoch is the client in an epoch of its registration: another one begins when
// it is registered anew or suspended, and access tokens of before are refused.
func (c *Client) InEpoch(epoch int64) *Client {
	other := *c
	other.epoch = epoch
	return &other
}

// Epoch is that of InEpoch; 0 without one.
func (c *Client) Epoch() int64 { return c.epoch }

// ID is the client_id.
func (c *Client) ID() string { return c.metadata.ClientID }

// Name is what people see: the client_name, or the client_id without one.
func (c *Client) Name() string {
	if c.metadata.ClientName != "" {
		return c.metadata.ClientName
	}
	return c.metadata.ClientID
}

// Metadata is the registered metadata with every default filled in.
func (c *Client) Metadata() registration.Metadata { return c.metadata }

// Keys is the key set registered by value; nil without one.
func (c *Client) Keys() *jose.KeySet { return c.keys }

// TrustAnchors are the certificate authorities that the client registered by
// value for tls_client_auth; nil without them. They vouch for this client alone.
func (c *Client) TrustAnchors() []*x509.Certificate { return slices.Clone(c.trustAnchors) }

// AuthMethod is the token_endpoint_auth_method.
func (c *Client) AuthMethod() string { return c.metadata.TokenEndpointAuthMethod }

// UsesDPoP tells whether access tokens are bound to a DPoP key; otherwise they
// are bound to the client's certificate.
func (c *Client) UsesDPoP() bool { return *c.metadata.DPoPBoundAccessTokens }

// Suspended clients are refused everywhere.
func (c *Client) Suspended() bool { return *c.metadata.Suspended }

// MayUseGrant tells whether the client is registered for the grant type.
func (c *Client) MayUseGrant(grantType string) bool {
	return slices.Contains(c.metadata.GrantTypes, grantType)
}

// RegisteredRedirectURI tells whether uri is registered, compared as a string
// (RFC 9700, 2.1). The port of a native client's loopback address alone may
// differ: the client learns it only when it listens (RFC 8252, 7.3, by way of
// FAPI 2.0 Security Profile, 5.3.2.2-8).
func (c *Client) RegisteredRedirectURI(uri string) bool {
	if slices.Contains(c.metadata.RedirectURIs, uri) {
		return true
	}
	portless, loopback := withoutLoopbackPort(uri)
	return loopback && c.metadata.ApplicationType == oauth.ApplicationNative &&
		slices.ContainsFunc(c.metadata.RedirectURIs, func(registered string) bool {
			other, loopback := withoutLoopbackPort(registered)
			return loopback && other == portless
		})
}

// withoutLoopbackPort works on the text, so that no parser can disagree with the
// exact comparison of everything else.
func withoutLoopbackPort(uri string) (portless string, loopback bool) {
	for _, origin := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, found := strings.CutPrefix(uri, origin)
		if !found {
			continue
		}
		if port, stated := strings.CutPrefix(rest, ":"); stated {
			rest = strings.TrimLeft(port, "0123456789")
		}
		return origin + rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	return "", false
}

// Scopes are the scope values that the client may ask for.
func (c *Client) Scopes() []string { return oauth.SpaceSeparated(c.metadata.Scope) }

// MayUseAuthorizationDetails tells whether the client is registered for the type
// of authorization details (RFC 9396, 10).
func (c *Client) MayUseAuthorizationDetails(detailsType string) bool {
	return slices.Contains(c.metadata.AuthorizationDetailsTypes, detailsType)
}

// RequiresSignedRequests tells whether pushed requests must be signed
// (FAPI 2.0 Message Signing, 5.3.1).
func (c *Client) RequiresSignedRequests() bool { return *c.metadata.RequireSignedRequestObject }

// RequiresJARM tells whether responses must be signed (FAPI 2.0 Message
// Signing, 5.4.1): response_modes holds jwt forms only.
func (c *Client) RequiresJARM() bool {
	if len(c.metadata.ResponseModes) == 0 {
		return false
	}
	return !slices.ContainsFunc(c.metadata.ResponseModes, func(mode string) bool {
		return mode != oauth.ResponseModeJWT && mode != oauth.ResponseModeQueryJWT
	})
}

// AllowsOrigin tells whether the client lists the web origin for CORS.
func (c *Client) AllowsOrigin(origin string) bool {
	return slices.Contains(c.metadata.AllowedOrigins, origin)
}

// MayIntrospect tells whether an access token that was issued to the client
// issuedTo, for the resources of audience, is any of this client's business: its
// own, or one that is meant for a resource that it serves (RFC 7662, 2.2, 4).
func (c *Client) MayIntrospect(issuedTo string, audience []string) bool {
	return issuedTo == c.ID() || slices.ContainsFunc(audience, func(resource string) bool {
		return slices.Contains(c.metadata.IntrospectionResources, resource)
	})
}

// AccessTokenLifetime is how long this client's access tokens live.
func (c *Client) AccessTokenLifetime() time.Duration {
	return time.Duration(*c.metadata.AccessTokenLifetime) * time.Second
}
