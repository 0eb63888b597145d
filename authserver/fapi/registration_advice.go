package fapi

import (
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Advice tells of something that is allowed but unwise. It refuses nothing.
type Advice struct {
	ID oauth.RuleID
	// Clause cites the document that recommends otherwise.
	Clause string
	// Member is the metadata member it is about, as its JSON name.
	Member string
	// Warning says in a sentence what is unwise; Remedy what to write instead.
	Warning string
	Remedy  string
}

// String is the advice in a line.
func (a Advice) String() string {
	return a.Member + ": " + a.Warning + " (" + string(a.ID) + "; " + a.Clause + "); " + a.Remedy
}

// registrationAdvice is what is recommended to a client's registration.
var registrationAdvice = expand([]memberRule{
	{
		ID:     "LOCAL-ADVICE-ORIGINS",
		Clause: "FAPI 2.0 Security Profile, 5.3.2.1-3",
		Demand: "a confidential client calls the server from its own server; scripts in a browser cannot keep its credentials",
		Remedy: "leave the allowed origins out unless a browser really calls the token endpoint",
		Checks: on("fapi_operator_allowed_origins", func(c *candidate) bool { return len(c.AllowedOrigins) == 0 }),
	},
	{
		ID:     "LOCAL-ADVICE-LOOPBACK",
		Clause: "RFC 8252, 7.2 and 8.1",
		Demand: "any program on the device may listen on a loopback address",
		Remedy: "prefer an https redirect URI that the application claims",
		Checks: demand(redirectURIs.name, redirectURIs.each(Neither{httpOnLoopbackAddress})),
	},
	{
		ID:     "LOCAL-ADVICE-ACCESS-TOKEN-LIFETIME",
		Clause: "FAPI 2.0 Security Profile, 6.1",
		Demand: "access tokens that live longer than 15 minutes are harder to revoke",
		Remedy: "shorten the lifetime, and let the client refresh",
		Checks: on("fapi_operator_access_token_lifetime", accessTokensAreShortLived),
	},
	{
		ID:     "LOCAL-ADVICE-MIXED-GRANTS",
		Clause: "FAPI 2.0 Security Profile, 6.7 and 5.3.3.1-13",
		Demand: "one client acts both for people (authorization_code) and for itself (client_credentials)",
		Remedy: "register a client for each, with the scopes that each needs",
		Checks: on("grant_types", actsInOneRole),
	},
	{
		ID:     "FAPI2-SP-FINAL-5.4.2-3",
		Clause: "FAPI 2.0 Security Profile, 5.4.2-3 and 5.4.3; RFC 7517, 4.5",
		Demand: "several keys of the jwks have the same kid",
		Remedy: "give every key a kid of its own",
		Checks: on("jwks", keyIDsDiffer),
	},
	{
		ID:     "FAPI2-MS-FINAL-6.1",
		Clause: "FAPI 2.0 Message Signing, 6.1",
		Demand: "an authorization response holds nothing confidential, and its encryption costs interoperability",
		Remedy: "leave authorization_encrypted_response_alg out",
		Checks: on(authorizationEncryptionAlg.name, func(c *candidate) bool { return c.AuthorizationEncryptedResponseAlg == "" }),
	},
})

// Advise tells of everything in the metadata that is allowed but unwise, in a
// fixed order. Metadata that breaks rules may be advised on as well.
func Advise(metadata registration.Metadata) []Advice {
	var advice []Advice
	for _, broken := range allBroken(registrationAdvice, examine(metadata, Limits{})) {
		advice = append(advice, Advice{broken.Rule, broken.Clause, broken.Member, broken.Demand, broken.Remedy})
	}
	return advice
}

// RegistrationAdvice lists what is recommended to a client's registration.
func RegistrationAdvice() []RuleText { return ruleTexts("client registration", registrationAdvice) }

func accessTokensAreShortLived(c *candidate) bool {
	return *c.AccessTokenLifetime <= int64(AdvisedAccessTokenLifetime/time.Second)
}

func actsInOneRole(c *candidate) bool {
	return !usesCode.holds(c) || !slices.Contains(c.GrantTypes, oauth.GrantClientCredentials)
}

func keyIDsDiffer(c *candidate) bool {
	seen := map[string]bool{}
	for _, key := range c.keys.set.Keys() {
		if seen[key.KeyID()] && key.KeyID() != "" {
			return false
		}
		seen[key.KeyID()] = true
	}
	return true
}
