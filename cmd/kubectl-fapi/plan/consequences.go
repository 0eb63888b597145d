package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// comparison is what consequences are derived from.
type comparison struct {
	before, after side
	grants        Grants
}

// change is a difference in one member.
type change struct {
	comparison
	removed, added []string
}

// consequences say what no longer works when a member changes. A member that is
// not here breaks nothing: names and links that people read.
var consequences = map[string]func(change) []string{
	"redirect_uris": func(c change) []string {
		return each(c.removed, "authorization requests that name the redirect URI %s are refused")
	},
	"scope": func(c change) []string {
		var breaks []string
		for _, scope := range c.removed {
			held := c.count(func(grant Grant) bool { return slices.Contains(grant.Scopes, scope) })
			breaks = append(breaks, fmt.Sprintf("the scope %s cannot be asked for, and no access token has it from the next refresh on: %s", scope, held))
		}
		return breaks
	},
	"authorization_details_types": func(c change) []string {
		var breaks []string
		for _, name := range c.removed {
			held := c.count(func(grant Grant) bool { return slices.Contains(grant.DetailsTypes, name) })
			breaks = append(breaks, fmt.Sprintf("authorization_details of the type %s cannot be asked for: %s", name, held))
		}
		return breaks
	},
	"grant_types": func(c change) []string {
		var breaks []string
		for _, grantType := range c.removed {
			switch grantType {
			case oauth.GrantAuthorizationCode:
				breaks = append(breaks, "people can no longer log in at this client")
			case oauth.GrantRefreshToken:
				breaks = append(breaks, "refresh tokens are refused, and people log in again when an access token ends: "+c.count(func(Grant) bool { return true }))
			default:
				breaks = append(breaks, "token requests with the grant type "+grantType+" are refused")
			}
		}
		return breaks
	},
	"token_endpoint_auth_method": func(c change) []string {
		return each(c.removed, "the client is refused where it still authenticates by %s: change it at the same time")
	},
	"token_endpoint_auth_signing_alg": func(c change) []string {
		return each(c.removed, "client assertions that are signed with %s are refused")
	},
	"request_object_signing_alg": func(c change) []string {
		return each(c.removed, "request objects that are signed with %s are refused")
	},
	"request_object_encryption_alg": func(c change) []string { return each(c.added, "request objects are encrypted with %s alone") },
	"request_object_encryption_enc": func(c change) []string {
		return each(c.added, "the content of encrypted request objects is encrypted with %s alone")
	},
	"require_signed_request_object": func(c change) []string {
		return when(c.added, "true", "authorization requests that are not signed are refused")
	},
	"response_modes": func(c change) []string {
		return when(c.added, oauth.ResponseModeJWT, "authorization responses are signed JWTs alone: the client must read them")
	},
	"jwks": func(c change) []string {
		return each(c.removed, "what is signed with the key %s is refused, and nothing is encrypted to it")
	},
	"jwks_uri": func(c change) []string {
		return each(c.removed, "what is signed with keys that stand at %s alone is refused")
	},
	"tls_client_auth_subject_dn":                 otherCertificate,
	"tls_client_auth_san_dns":                    otherCertificate,
	"tls_client_auth_san_uri":                    otherCertificate,
	"tls_client_auth_san_ip":                     otherCertificate,
	"tls_client_auth_san_email":                  otherCertificate,
	memberAnchors:                                otherAuthority,
	"fapi_operator_tls_client_auth_trust_bundle": otherAuthority,
	"dpop_bound_access_tokens": func(c change) []string {
		return when(c.added, "true", "token requests without a DPoP proof are refused; access tokens of before stay bound to the certificate until they end")
	},
	"tls_client_certificate_bound_access_tokens": func(c change) []string {
		return when(c.added, "true", "token requests without the client's certificate are refused; access tokens of before stay bound to the DPoP key until they end")
	},
	"authorization_signed_response_alg":    otherAlgorithm("authorization responses in JWT form are signed"),
	"authorization_encrypted_response_alg": otherAlgorithm("authorization responses in JWT form are encrypted"),
	"authorization_encrypted_response_enc": otherAlgorithm("the content of authorization responses is encrypted"),
	"id_token_signed_response_alg":         otherAlgorithm("ID tokens are signed"),
	"id_token_encrypted_response_alg":      otherAlgorithm("ID tokens are encrypted"),
	"id_token_encrypted_response_enc":      otherAlgorithm("the content of ID tokens is encrypted"),
	"userinfo_signed_response_alg":         otherAlgorithm("userinfo answers are signed"),
	"userinfo_encrypted_response_alg":      otherAlgorithm("userinfo answers are encrypted"),
	"userinfo_encrypted_response_enc":      otherAlgorithm("the content of userinfo answers is encrypted"),
	"introspection_signed_response_alg":    otherAlgorithm("introspection answers are signed"),
	"introspection_encrypted_response_alg": otherAlgorithm("introspection answers are encrypted"),
	"introspection_encrypted_response_enc": otherAlgorithm("the content of introspection answers is encrypted"),
	"fapi_operator_introspection_resources": func(c change) []string {
		return each(c.removed, "access tokens for %s are inactive to this client when it introspects them")
	},
	"fapi_operator_allowed_origins": func(c change) []string {
		return each(c.removed, "scripts of %s can no longer call the server in a browser")
	},
	"fapi_operator_suspended": func(c change) []string {
		return when(c.added, "true", "every request of the client is refused, and its access tokens end for good: "+c.count(func(Grant) bool { return true }))
	},
	"fapi_operator_access_token_lifetime": func(c change) []string {
		if *c.after.metadata.AccessTokenLifetime >= *c.before.metadata.AccessTokenLifetime {
			return nil
		}
		return each(c.added, "a client that counts on longer lifetimes than %s seconds must refresh earlier")
	},
	"client_id": func(c change) []string {
		return each(c.removed, "the client %s would be another one, which the API server refuses: delete the application and create another")
	},
}

func (c comparison) breaks(member string, removed, added []string) []string {
	says, known := consequences[member]
	if !known {
		return nil
	}
	return says(change{c, removed, added})
}

func otherCertificate(c change) []string {
	return each(c.added, "a certificate is refused unless it names %s")
}

func otherAuthority(change) []string {
	return []string{"a certificate is refused unless one of the authorities of after has issued it"}
}

// otherAlgorithm tells of what the client has to be able to read.
func otherAlgorithm(what string) func(change) []string {
	return func(c change) []string {
		if len(c.added) == 0 {
			return []string{what + " with " + strings.Join(c.removed, "") + " no longer"}
		}
		return each(c.added, what+" with %s: the client must be able to read that")
	}
}

func each(values []string, sentence string) []string {
	var sentences []string
	for _, value := range values {
		sentences = append(sentences, fmt.Sprintf(sentence, value))
	}
	return sentences
}

func when(values []string, value, sentence string) []string {
	if !slices.Contains(values, value) {
		return nil
	}
	return []string{sentence}
}

// count says how many grants are touched, where somebody counted.
func (c comparison) count(touched func(Grant) bool) string {
	if !c.grants.Counted {
		return "how many grants in force that touches was not asked"
	}
	number := 0
	for _, grant := range c.grants.Grants {
		if touched(grant) {
			number++
		}
	}
	return fmt.Sprintf("%d of %d grants in force are touched", number, len(c.grants.Grants))
}
