package fapi

import (
	"net/url"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// What a URI begins with (RFC 3986, 3.1 and 3.2). The names of schemes and hosts
// have no case.
var (
	anyScheme = matches(`^[A-Za-z][A-Za-z0-9+.-]*:`)
	webScheme = matches(`^(?i:http)[sS]?:`)
	http      = matches(`^(?i:http):`)
	webHost   = matches(`^(?i:http)[sS]?://([^/?#]*@)?[^/?#@:]`)
	// httpOnLoopbackAddress knows the two addresses of RFC 8252, 7.3.
	httpOnLoopbackAddress = matches(`^(?i:http)://([^/?#]*@)?(127\.0\.0\.1|\[::1\])(:[0-9]*)?([/?#]|$)`)
	httpOnLocalhost       = matches(`^(?i:http)://([^/?#]*@)?(?i:localhost)(:[0-9]*)?([/?#]|$)`)
	userInformation       = matches(`^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*@`)
	// dotSegment counts %2e and %2f as what they stand for.
	dotSegment = matches(`^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*/([^?#]*(/|%2[fF]))?(\.|%2[eE]){1,2}(/|%2[fF]|[?#]|$)`)
	fragment   = matches(`#`)
)

// absoluteURI asks for a host only of http and https: the others are refused by their scheme.
var absoluteURI = Every{anyScheme, Neither{fragment}, Either{webHost, Neither{webScheme}}}

var unambiguousURI = Every{AtMostCharacters(MaxURILength), uriText, Neither{userInformation, dotSegment}}

var isNative = applicationType.has(OneOf{oauth.ApplicationNative})

// httpOnlyOnLoopback counts localhost in, which has a rule of its own.
var httpOnlyOnLoopback = Any{
	redirectURIs.each(Neither{http}),
	All{isNative, redirectURIs.each(Either{httpOnLoopbackAddress, httpOnLocalhost, Neither{http}})},
}

// redirectURIsAreParsed is what no regular expression says of an absoluteURI.
func redirectURIsAreParsed(c *candidate) bool {
	return !slices.ContainsFunc(c.RedirectURIs, func(uri string) bool {
		parsed, err := url.Parse(uri)
		return err != nil || webScheme.fits(uri) && parsed.Hostname() == ""
	})
}
