package fapi

import (
	"net/url"
	"slices"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

func codeFlowHasRedirectURI(c *candidate) bool { return !c.usesCode() || len(c.RedirectURIs) > 0 }

func redirectURIsAreAbsolute(c *candidate) bool {
	return !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return !isAbsolute(uri) })
}

// isAbsolute asks for a host only of http and https: the others are refused by their scheme.
func isAbsolute(uri string) bool {
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Scheme == "" || strings.Contains(uri, "#") {
		return false
	}
	return !isWebScheme(parsed.Scheme) || parsed.Hostname() != ""
}

func isWebScheme(scheme string) bool { return scheme == "https" || scheme == "http" }

func httpOnlyOnLoopback(c *candidate) bool {
	return everyRedirectURI(c, func(uri *url.URL) bool {
		return uri.Scheme != "http" || c.ApplicationType == oauth.ApplicationNative && isLoopback(uri)
	})
}

// isLoopback counts localhost in, which has a rule of its own.
func isLoopback(uri *url.URL) bool { return isLoopbackAddress(uri.Hostname()) || isLocalhost(uri) }

// isLoopbackAddress knows the two addresses of RFC 8252, 7.3.
func isLoopbackAddress(host string) bool { return host == "127.0.0.1" || host == "::1" }

func isLocalhost(uri *url.URL) bool { return strings.EqualFold(uri.Hostname(), "localhost") }

func loopbackByAddress(c *candidate) bool {
	return c.ApplicationType != oauth.ApplicationNative || everyRedirectURI(c, func(uri *url.URL) bool {
		return uri.Scheme != "http" || !isLocalhost(uri)
	})
}

func noPrivateUseScheme(c *candidate) bool {
	return everyRedirectURI(c, func(uri *url.URL) bool { return uri.Scheme == "" || isWebScheme(uri.Scheme) })
}

func noPattern(c *candidate) bool {
	return !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return strings.Contains(uri, "*") })
}

func redirectURIsAreUnambiguous(c *candidate) bool {
	return everyRedirectURI(c, func(uri *url.URL) bool { return uri.User == nil && !hasDotSegment(uri.Path) }) &&
		!slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return len(uri) > MaxURILength || !isURIText(uri) })
}

// hasDotSegment looks at the decoded path, so that %2e counts as well.
func hasDotSegment(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(segment string) bool { return segment == "." || segment == ".." })
}

// everyRedirectURI passes over what is no URI at all: that has a rule of its own.
func everyRedirectURI(c *candidate, holds func(*url.URL) bool) bool {
	return !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool {
		parsed, err := url.Parse(uri)
		return err == nil && !holds(parsed)
	})
}
