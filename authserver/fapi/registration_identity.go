package fapi

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

var clientIDSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// identifiesNoPerson: subjects of people begin with a character that this
// syntax does not have (FAPI 2.0 Security Profile, 6.7).
func identifiesNoPerson(c *candidate) bool {
	length := len(c.ClientID)
	return length >= ClientIDMinLength && length <= ClientIDMaxLength && clientIDSyntax.MatchString(c.ClientID)
}

func clientNameIsReadable(c *candidate) bool {
	return c.ClientName == "" || isReadable(c.ClientName, MaxClientNameLength)
}

func contactsAreReadable(c *candidate) bool {
	return !slices.ContainsFunc(c.Contacts, func(contact string) bool { return !isReadable(contact, MaxContactLength) })
}

// isReadable refuses control and formatting characters, the ones that turn the
// direction of writing among them, and text that is all blank.
func isReadable(text string, maxLength int) bool {
	return utf8.ValidString(text) &&
		utf8.RuneCountInString(text) <= maxLength &&
		strings.TrimSpace(text) != "" &&
		strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func isPageURI(_ *candidate, uri string) bool { return isWebURI(uri) }

// isWebURI tells whether uri is an absolute https URI with a host and without
// user information.
func isWebURI(uri string) bool {
	parsed, err := url.Parse(uri)
	return err == nil && len(uri) <= MaxURILength && isURIText(uri) &&
		parsed.Scheme == "https" && parsed.Hostname() != "" && parsed.User == nil
}

// isURIText tells whether every character is legal in a URI (RFC 3986, 2).
func isURIText(uri string) bool {
	return strings.IndexFunc(uri, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r)
	}) < 0
}

func applicationTypeIsKnown(c *candidate) bool {
	return c.ApplicationType == oauth.ApplicationWeb || c.ApplicationType == oauth.ApplicationNative
}

var listChecks = []check{
	{"contacts", func(c *candidate) bool { return isShortSet(c.Contacts) }},
	{"grant_types", func(c *candidate) bool { return isShortSet(c.GrantTypes) }},
	{"response_types", func(c *candidate) bool { return isShortSet(c.ResponseTypes) }},
	{"response_modes", func(c *candidate) bool { return isShortSet(c.ResponseModes) }},
	{"redirect_uris", func(c *candidate) bool { return isShortSet(c.RedirectURIs) }},
	{"scope", func(c *candidate) bool { return isShortSet(oauth.SpaceSeparated(c.Scope)) }},
	{"authorization_details_types", func(c *candidate) bool { return isShortSet(c.AuthorizationDetailsTypes) }},
	{"fapi_operator_allowed_origins", func(c *candidate) bool { return isShortSet(c.AllowedOrigins) }},
	{"fapi_operator_introspection_resources", func(c *candidate) bool { return isShortSet(c.IntrospectionResources) }},
	{"fapi_operator_revoked_key_ids", func(c *candidate) bool { return isShortSet(c.RevokedKeyIDs) }},
}

func isShortSet(list []string) bool {
	return len(list) <= MaxListEntries && len(slices.Compact(slices.Sorted(slices.Values(list)))) == len(list)
}
