package export

import (
	"encoding/json"
	"net/url"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// privateMembers of a JSON Web Key (RFC 7518, 6.2.2, 6.3.2 and 6.4.1; RFC 8037, 2).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// withoutSecrets takes out what opens something: private keys in a key set, and
// passwords in URLs. memberOf is the name that a registered member has in the file.
func (c *Client) withoutSecrets(memberOf func(string) string) {
	if c.Metadata.JWKS != nil {
		c.publicKeysOnly(memberOf("jwks"))
	}
	for member, field := range uriMembers(&c.Metadata) {
		if hasPassword(*field) {
			*field = ""
			c.lose(memberOf(member), "the URL holds a password")
		}
	}
	for member, field := range uriLists(&c.Metadata) {
		kept := slices.DeleteFunc(slices.Clone(*field), hasPassword)
		if len(kept) < len(*field) {
			*field = kept
			c.lose(memberOf(member), "a URL holds a password")
		}
	}
}

func uriMembers(m *registration.Metadata) map[string]*string {
	return map[string]*string{
		"client_uri": &m.ClientURI, "logo_uri": &m.LogoURI, "policy_uri": &m.PolicyURI, "tos_uri": &m.TOSURI, "jwks_uri": &m.JWKSURI,
		"tls_client_auth_san_uri": &m.TLSClientAuthSANURI,
	}
}

func uriLists(m *registration.Metadata) map[string]*[]string {
	return map[string]*[]string{
		"redirect_uris": &m.RedirectURIs, "fapi_operator_allowed_origins": &m.AllowedOrigins,
		"fapi_operator_introspection_resources": &m.IntrospectionResources,
	}
}

// hasPassword takes what cannot be read for something that may hold one, if it
// has the sign before a host.
func hasPassword(text string) bool {
	parsed, err := url.Parse(text)
	if err != nil {
		return slices.Contains([]rune(text), '@')
	}
	return parsed.User != nil
}

// publicKeysOnly keeps the public halves, and no symmetric key.
func (c *Client) publicKeysOnly(member string) {
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(c.Metadata.JWKS, &set); err != nil {
		c.Metadata.JWKS = nil
		c.lose(member, "it is no JSON Web Key Set (RFC 7517, 5)")
		return
	}
	public, hadPrivate := make([]map[string]json.RawMessage, 0, len(set.Keys)), false
	for _, key := range set.Keys {
		before := len(key)
		for name := range key {
			if slices.Contains(privateMembers, name) {
				delete(key, name)
			}
		}
		hadPrivate = hadPrivate || len(key) < before
		if string(key["kty"]) != `"oct"` && key != nil {
			public = append(public, key)
		}
	}
	if hadPrivate {
		c.lose(member, "it held private keys, which are taken out: treat them as compromised, and make others")
	}
	encoded, err := json.Marshal(map[string]any{"keys": public})
	if err != nil {
		c.Metadata.JWKS = nil
		c.lose(member, reasonUnreadable)
		return
	}
	c.Metadata.JWKS = encoded
}
