package fapi

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

func (c *candidate) usesCode() bool {
	return slices.Contains(c.GrantTypes, oauth.GrantAuthorizationCode)
}

func omitsPasswordGrant(c *candidate) bool {
	return !slices.Contains(c.GrantTypes, oauth.GrantPassword)
}

func omitsImplicitGrant(c *candidate) bool {
	return !slices.Contains(c.GrantTypes, oauth.GrantImplicit)
}

func onlyCodeResponses(c *candidate) bool {
	return consistsOf(c.ResponseTypes, oauth.ResponseTypeCode)
}

// onlyKnownGrants leaves password and implicit to the rules that forbid them by name.
func onlyKnownGrants(c *candidate) bool {
	return len(c.GrantTypes) > 0 && consistsOf(c.GrantTypes, oauth.GrantAuthorizationCode, oauth.GrantRefreshToken,
		oauth.GrantClientCredentials, oauth.GrantPassword, oauth.GrantImplicit)
}

// grantsAreSupported tells whether what follows from the grant types can be judged.
func (c *candidate) grantsAreSupported() bool {
	return omitsPasswordGrant(c) && omitsImplicitGrant(c) && onlyKnownGrants(c)
}

func refreshesOnlyCodeGrants(c *candidate) bool {
	return !c.grantsAreSupported() || c.usesCode() || !slices.Contains(c.GrantTypes, oauth.GrantRefreshToken)
}

func responseTypesMatchGrants(c *candidate) bool {
	if !c.grantsAreSupported() {
		return true
	}
	if c.usesCode() {
		return len(c.ResponseTypes) > 0
	}
	return !slices.Contains(c.ResponseTypes, oauth.ResponseTypeCode)
}

func onlyKnownResponseModes(c *candidate) bool {
	return c.ResponseModes == nil || len(c.ResponseModes) > 0 &&
		consistsOf(c.ResponseModes, oauth.ResponseModeQuery, oauth.ResponseModeJWT, oauth.ResponseModeQueryJWT)
}

func consistsOf(list []string, allowed ...string) bool {
	return !slices.ContainsFunc(list, func(entry string) bool { return !slices.Contains(allowed, entry) })
}

// scopeIsWellFormed applies scope-token of RFC 6749, 3.3.
func scopeIsWellFormed(c *candidate) bool {
	if c.Scope == "" {
		return true
	}
	for value := range strings.SplitSeq(c.Scope, " ") {
		if value == "" || strings.IndexFunc(value, isNoScopeCharacter) >= 0 {
			return false
		}
	}
	return true
}

// scopeIsOffered says nothing where the server's scopes are not known, and of a
// scope that is refused for its form.
func scopeIsOffered(c *candidate) bool {
	scopes := oauth.SpaceSeparated(c.Scope)
	if c.limits.Scopes == nil || !scopeIsWellFormed(c) || !isShortSet(scopes) {
		return true
	}
	return consistsOf(scopes, append([]string{oauth.ScopeOpenID, oauth.ScopeOfflineAccess}, c.limits.Scopes...)...)
}

// introspectsKnownResources judges the form alone where the server's resources are not known.
func introspectsKnownResources(c *candidate) bool {
	return !slices.ContainsFunc(c.IntrospectionResources, func(resource string) bool {
		return !isResourceIndicator(resource) || c.limits.Resources != nil && !slices.Contains(c.limits.Resources, resource)
	})
}

// isResourceIndicator is RFC 8707, 2.
func isResourceIndicator(text string) bool {
	uri, err := url.Parse(text)
	return err == nil && uri.IsAbs() && (uri.Host != "" || uri.Opaque != "") && !hasFragment(text)
}

// authorizationDetailsTypesAreOffered says nothing where the server's types are
// not known, and of a list that is refused as one.
func authorizationDetailsTypesAreOffered(c *candidate) bool {
	return c.limits.AuthorizationDetailsTypes == nil || !isShortSet(c.AuthorizationDetailsTypes) ||
		consistsOf(c.AuthorizationDetailsTypes, c.limits.AuthorizationDetailsTypes...)
}

func isNoScopeCharacter(r rune) bool { return r < '!' || r > '~' || r == '"' || r == '\\' }

func originsAreCanonical(c *candidate) bool {
	return !slices.ContainsFunc(c.AllowedOrigins, func(origin string) bool { return !isCanonicalOrigin(origin) })
}

// isCanonicalOrigin compares with the ASCII serialization of RFC 6454, 6.2: that
// is what an Origin header holds, and it is compared as a string.
func isCanonicalOrigin(origin string) bool {
	parsed, err := url.Parse(origin)
	return err == nil && parsed.Scheme == "https" && origin == "https://"+parsed.Host &&
		isCanonicalHost(parsed.Hostname()) && isOriginPort(parsed)
}

func isCanonicalHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == "" && address.String() == host
	}
	return isDNSName(host) && host == strings.ToLower(host)
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

func accessTokenLifetimeIsBounded(c *candidate) bool {
	longest := c.limits.MaxAccessTokenLifetime
	if longest == 0 {
		longest = DefaultMaxAccessTokenLifetime
	}
	seconds := *c.AccessTokenLifetime
	return seconds >= int64(MinAccessTokenLifetime/time.Second) && seconds <= int64(longest/time.Second)
}

func pushesEveryRequest(c *candidate) bool {
	return c.RequirePushedAuthorizationRequests == nil || *c.RequirePushedAuthorizationRequests
}

func requiresPKCE(c *candidate) bool { return c.PKCERequired == nil || *c.PKCERequired }

func challengesWithS256(c *candidate) bool {
	return c.CodeChallengeMethod == "" || c.CodeChallengeMethod == oauth.CodeChallengeMethodS256
}

func hasSenderConstraint(c *candidate) bool {
	return *c.TLSClientCertificateBoundAccessTokens || *c.DPoPBoundAccessTokens
}

func hasOneSenderConstraint(c *candidate) bool {
	return !*c.TLSClientCertificateBoundAccessTokens || !*c.DPoPBoundAccessTokens
}
