package fapi

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

var (
	usesCode           = grantTypes.includes(oauth.GrantAuthorizationCode)
	omitsPasswordGrant = Not{grantTypes.includes(oauth.GrantPassword)}
	omitsImplicitGrant = Not{grantTypes.includes(oauth.GrantImplicit)}

	// onlyKnownGrants leaves password and implicit to the rules that forbid them by name.
	onlyKnownGrants = All{grantTypes.stated(), grantTypes.each(OneOf{
		oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantPassword, oauth.GrantImplicit,
	})}

	// grantsAreSupported tells whether what follows from the grant types can be judged.
	grantsAreSupported = All{omitsPasswordGrant, omitsImplicitGrant, onlyKnownGrants}

	refreshesOnlyCodeGrants = Any{Not{grantsAreSupported}, usesCode, Not{grantTypes.includes(oauth.GrantRefreshToken)}}

	responseTypesMatchGrants = Any{
		Not{grantsAreSupported},
		All{usesCode, responseTypes.stated()},
		All{Not{usesCode}, Not{responseTypes.includes(oauth.ResponseTypeCode)}},
	}
)

func onlyKnownResponseModes(c *candidate) bool {
	return c.ResponseModes == nil || len(c.ResponseModes) > 0 &&
		consistsOf(c.ResponseModes, oauth.ResponseModeQuery, oauth.ResponseModeJWT, oauth.ResponseModeQueryJWT)
}

func consistsOf(list []string, allowed ...string) bool {
	return !slices.ContainsFunc(list, func(entry string) bool { return !slices.Contains(allowed, entry) })
}

// scopeIsWellFormed applies scope-token of RFC 6749, 3.3.
var scopeIsWellFormed = scope.hasIfStated(matches(`^[!#-\[\]-~]+( [!#-\[\]-~]+)*$`))

// scopeIsOffered says nothing where the server's scopes are not known, and of a
// scope that is refused for its form.
func scopeIsOffered(c *candidate) bool {
	scopes := oauth.SpaceSeparated(c.Scope)
	if c.limits.Scopes == nil || !scopeIsWellFormed.holds(c) || !isShortSet(scopes) {
		return true
	}
	return consistsOf(scopes, append([]string{oauth.ScopeOpenID, oauth.ScopeOfflineAccess}, c.limits.Scopes...)...)
}

// introspectsKnownResources judges the form alone where the server's resources are not known.
func introspectsKnownResources(c *candidate) bool {
	return !slices.ContainsFunc(c.IntrospectionResources, func(resource string) bool {
		return !namesSomething(resource) || c.limits.Resources != nil && !slices.Contains(c.limits.Resources, resource)
	})
}

// resourceIndicator is RFC 8707, 2, as far as a regular expression says it.
var resourceIndicator = Every{anyScheme, Neither{fragment}}

func namesSomething(text string) bool {
	uri, err := url.Parse(text)
	return err == nil && (uri.Host != "" || uri.Opaque != "")
}

// authorizationDetailsTypesAreOffered says nothing where the server's types are
// not known, and of a list that is refused as one.
func authorizationDetailsTypesAreOffered(c *candidate) bool {
	return c.limits.AuthorizationDetailsTypes == nil || !isShortSet(c.AuthorizationDetailsTypes) ||
		consistsOf(c.AuthorizationDetailsTypes, c.limits.AuthorizationDetailsTypes...)
}

// httpsOrigin is what an origin begins with, and what it does not have.
var httpsOrigin = matches(`^https://[^/?#@A-Z]+$`)

func originsAreCanonical(c *candidate) bool {
	return !slices.ContainsFunc(c.AllowedOrigins, func(origin string) bool { return !isCanonicalOrigin(origin) })
}

// isCanonicalOrigin compares with the ASCII serialization of RFC 6454, 6.2: that
// is what an Origin header holds, and it is compared as a string.
func isCanonicalOrigin(origin string) bool {
	parsed, err := url.Parse(origin)
	return err == nil && origin == "https://"+parsed.Host &&
		isCanonicalHost(parsed.Hostname()) && isOriginPort(parsed)
}

func isCanonicalHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == "" && address.String() == host
	}
	return dnsName.fits(host) && host == strings.ToLower(host)
}

// isOriginPort refuses the default port, which an origin never shows.
func isOriginPort(origin *url.URL) bool {
	port := origin.Port()
	if port == "" {
		return !strings.HasSuffix(origin.Host, ":")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	return err == nil && number != 443 && strconv.FormatUint(number, 10) == port && number != 0
}

var accessTokenLifetimeIsLong = AtLeast{
	"fapi_operator_access_token_lifetime", int64(MinAccessTokenLifetime / time.Second),
	func(c *candidate) *int64 { return c.AccessTokenLifetime },
}

func accessTokenLifetimeIsAllowed(c *candidate) bool {
	longest := cmp.Or(c.limits.MaxAccessTokenLifetime, DefaultMaxAccessTokenLifetime)
	return *c.AccessTokenLifetime <= int64(longest/time.Second)
}

var pushesEveryRequest = NotFalse{
	"require_pushed_authorization_requests",
	func(c *candidate) *bool { return c.RequirePushedAuthorizationRequests },
}

var requiresPKCE = NotFalse{"fapi_operator_pkce_required", func(c *candidate) *bool { return c.PKCERequired }}

func hasSenderConstraint(c *candidate) bool {
	return *c.TLSClientCertificateBoundAccessTokens || *c.DPoPBoundAccessTokens
}

func hasOneSenderConstraint(c *candidate) bool {
	return !*c.TLSClientCertificateBoundAccessTokens || !*c.DPoPBoundAccessTokens
}
