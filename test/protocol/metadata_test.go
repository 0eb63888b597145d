package protocol

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// Registered metadata members (RFC 8414, 2 and 7.1.2, and what has been added
// since), by the JSON type of their values. A member that is not here is one that
// no client knows, and that the conformance suite warns of.
var (
	uriMembers = []string{
		"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint", "service_documentation",
		"op_policy_uri", "op_tos_uri", "revocation_endpoint", "introspection_endpoint", "userinfo_endpoint", "end_session_endpoint",
		"check_session_iframe", "pushed_authorization_request_endpoint", "backchannel_authentication_endpoint",
		"device_authorization_endpoint", "grant_management_endpoint", "authorization_challenge_endpoint", "challenge_endpoint",
		"global_token_revocation_endpoint", "status_list_aggregation_endpoint", "signed_jwks_uri",
	}
	booleanMembers = []string{
		"claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported",
		"require_request_uri_registration", "frontchannel_logout_supported", "frontchannel_logout_session_supported",
		"backchannel_logout_supported", "backchannel_logout_session_supported", "require_pushed_authorization_requests",
		"backchannel_user_code_parameter_supported", "tls_client_certificate_bound_access_tokens",
		"authorization_response_iss_parameter_supported", "require_signed_request_object", "grant_management_action_required",
		"client_id_metadata_document_supported",
	}
	listMembers = []string{
		"scopes_supported", "response_types_supported", "response_modes_supported", "grant_types_supported",
		"token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported", "ui_locales_supported",
		"revocation_endpoint_auth_methods_supported", "revocation_endpoint_auth_signing_alg_values_supported",
		"introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
		"code_challenge_methods_supported", "subject_types_supported", "id_token_signing_alg_values_supported",
		"id_token_encryption_alg_values_supported", "id_token_encryption_enc_values_supported",
		"userinfo_signing_alg_values_supported", "userinfo_encryption_alg_values_supported",
		"userinfo_encryption_enc_values_supported", "request_object_signing_alg_values_supported",
		"request_object_encryption_alg_values_supported", "request_object_encryption_enc_values_supported",
		"display_values_supported", "claim_types_supported", "claims_supported", "claims_locales_supported",
		"acr_values_supported", "dpop_signing_alg_values_supported", "authorization_details_types_supported",
		"backchannel_token_delivery_modes_supported", "backchannel_authentication_request_signing_alg_values_supported",
		"authorization_signing_alg_values_supported", "authorization_encryption_alg_values_supported",
		"authorization_encryption_enc_values_supported", "introspection_signing_alg_values_supported",
		"introspection_encryption_alg_values_supported", "introspection_encryption_enc_values_supported",
		"prompt_values_supported", "grant_management_actions_supported", "protected_resources",
	}
)

// TestMetadataDocument is section 2.1 on the document's form, at both addresses.
func TestMetadataDocument(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "discovering", keyAndDPoP).Client
	for _, wellKnown := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		response, body := get(t, client, server.Issuer+wellKnown)
		var document map[string]any
		if err := json.Unmarshal(body, &document); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v", wellKnown, response.StatusCode, err)
		}
		t.Run("types"+wellKnown, func(t *testing.T) { wantRegisteredMembers(t, document) })
		t.Run("issuer"+wellKnown, func(t *testing.T) { wantIssuer(t, document, server.Issuer) })
		t.Run("values"+wellKnown, func(t *testing.T) { wantKnownValues(t, document) })
		t.Run("aliases"+wellKnown, func(t *testing.T) { wantAliases(t, server, document) })
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.Issuer+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, _ := do(t, client, request, false); response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("POST %s is answered %d", path, response.StatusCode)
		}
	}
}

func wantRegisteredMembers(t *testing.T, document map[string]any) {
	t.Helper()
	for member, value := range document {
		switch typed := value.(type) {
		case string:
			if address, err := url.Parse(typed); !slices.Contains(uriMembers, member) || err != nil || address.Scheme != "https" || address.Host == "" {
				t.Errorf("%s is %q", member, typed)
			}
		case bool:
			if !slices.Contains(booleanMembers, member) {
				t.Errorf("%s is a boolean", member)
			}
		case []any:
			if !slices.Contains(listMembers, member) || len(typed) == 0 || slices.ContainsFunc(typed, isNoText) {
				t.Errorf("%s is %v", member, typed)
			}
		default:
			if _, isObject := value.(map[string]any); !isObject || member != "mtls_endpoint_aliases" {
				t.Errorf("%s is %v", member, value)
			}
		}
	}
}

func isNoText(value any) bool {
	text, isText := value.(string)
	return !isText || text == ""
}

// wantIssuer: the issuer is the address without its well-known part (RFC 8414, 2, 3.3).
func wantIssuer(t *testing.T, document map[string]any, want string) {
	t.Helper()
	stated, _ := document["issuer"].(string)
	issuer, err := url.Parse(stated)
	if stated != want || err != nil || issuer.Scheme != "https" || issuer.Host == "" || issuer.User != nil ||
		issuer.RawQuery != "" || issuer.ForceQuery || issuer.Fragment != "" {
		t.Errorf("issuer is %q, want %q", stated, want)
	}
}

// scopeToken is RFC 6749, 3.3.
var scopeToken = regexp.MustCompile(`^[!#-\[\]-~]+$`)

// wantKnownValues holds lists whose values FAPI closes: nothing weaker is offered
// (FAPI 2.0 Security Profile, 5.3.2.1, 5.4.1).
func wantKnownValues(t *testing.T, document map[string]any) {
	t.Helper()
	locales, _ := document["ui_locales_supported"].([]any)
	for _, locale := range locales {
		if tag, err := language.Parse(fmt.Sprint(locale)); err != nil || tag.String() != locale {
			t.Errorf("%v is no language tag in its canonical form: %v, %v", locale, tag, err)
		}
	}
	if len(locales) == 0 {
		t.Error("no language of the pages is named")
	}
	for member, allowed := range map[string][]string{
		"response_types_supported": {"code"}, "code_challenge_methods_supported": {"S256"},
		"response_modes_supported":                      {"query", "jwt", "query.jwt"},
		"grant_types_supported":                         fapi.SupportedGrantTypes(),
		"subject_types_supported":                       {"public", "pairwise"},
		"token_endpoint_auth_methods_supported":         {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"},
		"revocation_endpoint_auth_methods_supported":    {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"},
		"introspection_endpoint_auth_methods_supported": {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"},
	} {
		values := texts(document[member])
		if len(values) == 0 || slices.ContainsFunc(values, func(value string) bool { return !slices.Contains(allowed, value) }) {
			t.Errorf("%s is %v, want some of %v", member, values, allowed)
		}
	}
	for member := range document {
		if !strings.HasSuffix(member, "_signing_alg_values_supported") {
			continue
		}
		for _, algorithm := range texts(document[member]) {
			if !slices.Contains([]string{"PS256", "ES256", "EdDSA", "Ed25519"}, algorithm) {
				t.Errorf("%s has %s, which FAPI does not allow", member, algorithm)
			}
		}
	}
	for _, scope := range texts(document["scopes_supported"]) {
		if !scopeToken.MatchString(scope) {
			t.Errorf("scopes_supported has %q", scope)
		}
	}
}

func texts(list any) []string {
	var found []string
	values, _ := list.([]any)
	for _, value := range values {
		text, _ := value.(string)
		found = append(found, text)
	}
	return found
}

// wantAliases: an alias is an endpoint that stands at the top level too, and
// leads to the same path (RFC 8705, 5).
func wantAliases(t *testing.T, server *fapitest.Server, document map[string]any) {
	t.Helper()
	aliases, _ := document["mtls_endpoint_aliases"].(map[string]any)
	if len(aliases) == 0 || aliases["authorization_endpoint"] != nil {
		t.Fatalf("mtls_endpoint_aliases are %v", aliases)
	}
	for member, value := range aliases {
		alias, _ := value.(string)
		endpoint, _ := document[member].(string)
		if !strings.HasSuffix(member, "_endpoint") || endpoint == "" ||
			strings.TrimPrefix(alias, server.MTLSBaseURL) != strings.TrimPrefix(endpoint, server.Issuer) {
			t.Errorf("%s is %q, and its alias %q", member, endpoint, alias)
		}
	}
}

// TestPublishedKeysAreStrong: public keys alone, big enough, of types that are
// used, each the only one that its kid, kty, alg and use name.
func TestPublishedKeysAreStrong(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	response, body := get(t, server.Register(t, "discovering", keyAndDPoP).Client, server.Issuer+"/jwks")
	if response.StatusCode != http.StatusOK || !strings.HasSuffix(response.Header.Get("Content-Type"), "json") {
		t.Fatalf("the key set: %d as %q", response.StatusCode, response.Header.Get("Content-Type"))
	}
	if _, err := jose.ParseKeySet(body); err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	signing, names := map[string]int{}, map[string]bool{}
	for _, key := range set.Keys {
		if key["use"] == "sig" {
			signing[key["alg"]]++
		}
		if names[key["kid"]] || strings.TrimSpace(key["kid"]) == "" {
			t.Errorf("kid %q is blank, or another key's", key["kid"])
		}
		names[key["kid"]] = true
		if bits := keyBits(t, key); bits < map[string]int{"RSA": fapi.MinRSAKeyBits}[key["kty"]] || bits < fapi.MinECKeyBits {
			t.Errorf("the %s key %s has %d bits", key["kty"], key["kid"], bits)
		}
	}
	for _, algorithm := range jose.SignatureAlgorithms() {
		if signing[string(algorithm)] != 1 {
			t.Errorf("%d keys sign as %s", signing[string(algorithm)], algorithm)
		}
	}
}

// keyBits is the size of an RSA key's modulus or of an elliptic curve's coordinate.
func keyBits(t *testing.T, key map[string]string) int {
	t.Helper()
	member := map[string]string{"RSA": "n", "EC": "x", "OKP": "x"}[key["kty"]]
	number, err := base64.RawURLEncoding.DecodeString(key[member])
	if err != nil || member == "" {
		t.Fatalf("a key of type %q: %v", key["kty"], err)
	}
	return 8 * len(number)
}
