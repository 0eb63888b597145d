package fapi

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// identifiesNoPerson: subjects of people begin with a character that this
// syntax does not have (FAPI 2.0 Security Profile, 6.7). The schema of a
// FAPIApplication has the same syntax.
var identifiesNoPerson = clientID.has(matches(fmt.Sprintf(`^[A-Za-z0-9][A-Za-z0-9._-]{%d,%d}$`, ClientIDMinLength-1, ClientIDMaxLength-1)))

// readable refuses control and formatting characters, the ones that turn the
// direction of writing among them, and text that is all blank: what is left are
// letters, marks, numbers, punctuation, symbols and the ASCII space.
func readable(maxLength int) Form {
	return Every{AtMostCharacters(maxLength), matches(`^[\pL\pM\pN\pP\pS ]*$`), matches(`[^ ]`)}
}

// webURI is an absolute https URI with a host and without user information.
var webURI = Every{AtMostCharacters(MaxURILength), uriText, matches(`^(?i:http)[sS]://[^/?#@:][^/?#@]*([/?#]|$)`)}

// uriText is made of characters that are legal in a URI (RFC 3986, 2).
var uriText = matches(`^[!#-;=?-\[\]_a-z~]*$`)

// isParsedWithHost is what no regular expression says of a webURI.
func isParsedWithHost(_ *candidate, uri string) bool {
	parsed, err := url.Parse(uri)
	return err == nil && parsed.Hostname() != ""
}

var listChecks = slices.Concat(
	shortSet(contacts),
	shortSet(grantTypes),
	shortSet(responseTypes),
	shortSet(list{"response_modes", func(c *candidate) []string { return c.ResponseModes }}),
	shortSet(redirectURIs),
	shortSet(list{scope.name, func(c *candidate) []string { return oauth.SpaceSeparated(c.Scope) }}),
	demand(authorizationDetailsTypes.name, authorizationDetailsTypes.isShortSet()),
	shortSet(allowedOrigins),
	shortSet(introspectionResources),
	shortSet(list{"fapi_operator_revoked_key_ids", func(c *candidate) []string { return c.RevokedKeyIDs }}),
)

// shortSet is for lists that the schema of a FAPIApplication keeps short: nobody
// else has to say it again.
func shortSet(list list) []check { return on(list.name, list.isShortSet().holds) }

func isShortSet(list []string) bool {
	return len(list) <= MaxListEntries && len(slices.Compact(slices.Sorted(slices.Values(list)))) == len(list)
}
