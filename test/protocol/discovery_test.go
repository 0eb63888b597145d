package protocol

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// get reads a document of the public listener.
// answer is a response that has been read.
type answer struct {
	StatusCode int
	Header     http.Header
}

func get(t *testing.T, client *fapitest.Client, address string) (answer, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, client, request, false)
}

func do(t *testing.T, client *fapitest.Client, request *http.Request, mutual bool) (answer, []byte) {
	t.Helper()
	response, err := client.HTTP(mutual).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // All that counts has been read by then.
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header}, body
}

// TestDiscovery is discovery-end-point-verification.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "discovering", keyAndDPoP).Client
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		response, body := get(t, client, server.Issuer+path)
		mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
		if response.StatusCode != http.StatusOK || err != nil || mediaType != "application/json" {
			t.Fatalf("%s: %d %q", path, response.StatusCode, response.Header.Get("Content-Type"))
		}
		var document map[string]any
		if err := json.Unmarshal(body, &document); err != nil {
			t.Fatal(err)
		}
		checkDocument(t, server, document)
	}
}

func checkDocument(t *testing.T, server *fapitest.Server, document map[string]any) {
	t.Helper()
	for member, want := range map[string]any{
		"issuer": server.Issuer, "tls_client_certificate_bound_access_tokens": true,
		"authorization_response_iss_parameter_supported": true, "require_pushed_authorization_requests": true,
	} {
		if document[member] != want {
			t.Errorf("%s is %v and not %v", member, document[member], want)
		}
	}
	for member, want := range map[string][]string{
		"response_types_supported": {"code"}, "code_challenge_methods_supported": {"S256"}, "response_modes_supported": {"query", "jwt"},
		"grant_types_supported":                            {"authorization_code", "refresh_token", "client_credentials"},
		"token_endpoint_auth_methods_supported":            {"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"},
		"token_endpoint_auth_signing_alg_values_supported": {"PS256", "ES256", "EdDSA"},
		"dpop_signing_alg_values_supported":                {"PS256", "ES256", "EdDSA"},
		"request_object_signing_alg_values_supported":      {"PS256", "ES256", "EdDSA"},
		"id_token_signing_alg_values_supported":            {"PS256", "ES256", "EdDSA"},
		"userinfo_signing_alg_values_supported":            {"PS256", "ES256", "EdDSA"},
		"authorization_signing_alg_values_supported":       {"PS256", "ES256", "EdDSA"},
		"scopes_supported":                                 {"openid", "accounts"},
		"subject_types_supported":                          {"public"},
		"authorization_details_types_supported":            {"account_information", "payment_initiation"},
	} {
		for _, value := range want {
			if values, _ := document[member].([]any); !slices.Contains(values, any(value)) {
				t.Errorf("%s lacks %s: %v", member, value, document[member])
			}
		}
	}
	aliases, _ := document["mtls_endpoint_aliases"].(map[string]any)
	for _, member := range []string{"pushed_authorization_request_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint"} {
		address, _ := aliases[member].(string)
		if !strings.HasPrefix(address, server.MTLSBaseURL+"/") || document[member] == nil {
			t.Errorf("alias of %s: %q", member, address)
		}
	}
	if aliases["authorization_endpoint"] != nil {
		t.Error("the authorization endpoint has a mutual-TLS alias")
	}
	for member, value := range document {
		address, isText := value.(string)
		if parsed, err := url.Parse(address); isText && (err != nil || parsed.Scheme != "https") {
			t.Errorf("%s is not https: %q", member, address)
		}
	}
}

// TestJWKS: every published key is public, named, and alone under its name.
func TestJWKS(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	_, body := get(t, server.Register(t, "discovering", keyAndDPoP).Client, server.Issuer+"/jwks")
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("the key set: %v, %d keys", err, len(set.Keys))
	}
	seen := map[any]bool{}
	for _, key := range set.Keys {
		if key["kid"] == "" || key["kid"] == nil || seen[key["kid"]] || key["alg"] == nil || key["use"] == nil {
			t.Errorf("a key without kid, alg or use, or with another's kid: %v", key)
		}
		seen[key["kid"]] = true
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if key[private] != nil {
				t.Fatalf("the key set shows %s", private)
			}
		}
	}
}

// TestTLS is section 2.12, on both listeners.
func TestTLS(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for _, base := range []string{server.Issuer, server.MTLSBaseURL} {
		address := strings.TrimPrefix(base, "https://")
		handshake := func(change func(*tls.Config)) (tls.ConnectionState, error) {
			settings := &tls.Config{RootCAs: server.Authority.Pool(), Time: server.Clock.Now}
			change(settings)
			connection, err := tls.Dial("tcp", address, settings)
			if err != nil {
				return tls.ConnectionState{}, err
			}
			defer func() { _ = connection.Close() }() // Nothing was sent.
			return connection.ConnectionState(), nil
		}
		for name, change := range map[string]func(*tls.Config){
			"TLS 1.0": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 },
			"TLS 1.1": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 },
			"CBC suite": func(c *tls.Config) {
				c.MaxVersion = tls.VersionTLS12
				c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA}
			},
			"RSA key exchange": func(c *tls.Config) {
				c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}
			},
		} {
			if _, err := handshake(change); err == nil {
				t.Errorf("%s: %s was agreed", base, name)
			}
		}
		if state, err := handshake(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }); err != nil || state.Version != tls.VersionTLS12 {
			t.Errorf("%s: TLS 1.2: %v", base, err)
		}
		if state, err := handshake(func(*tls.Config) {}); err != nil || state.Version != tls.VersionTLS13 {
			t.Errorf("%s: TLS 1.3 is not preferred: %v", base, err)
		}
	}
}

// TestBrowserHeaders: no TLS stripping, and no CORS where people log in
// (FAPI 2.0 Security Profile, 5.2.3).
func TestBrowserHeaders(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	const origin = "https://app.example"
	profile := keyAndDPoP
	profile.Change = func(metadata *registration.Metadata) { metadata.AllowedOrigins = []string{origin} }
	client := server.Register(t, "browser-client", profile).Client
	preflight := func(path, origin string) answer {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, server.Issuer+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", origin)
		request.Header.Set("Access-Control-Request-Method", "POST")
		response, _ := do(t, client, request, false)
		return response
	}
	response := preflight("/token", origin)
	if response.Header.Get("Access-Control-Allow-Origin") != origin || response.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("a listed origin's preflight: %v", response.Header)
	}
	if response.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no Strict-Transport-Security")
	}
	if got := preflight("/token", "https://thief.example").Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("an unlisted origin's preflight gets %q", got)
	}
	if got := preflight("/authorize", origin).Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the authorization endpoint answers CORS: %q", got)
	}
	from := func(origin string) *fapitest.Client {
		return client.With(fapitest.Misbehave{Header: func(header http.Header) { header.Set("Origin", origin) }})
	}
	if _, err := from(origin).ClientCredentials(t.Context(), "accounts"); err != nil {
		t.Fatal(err)
	}
	if _, err := from("https://thief.example").ClientCredentials(t.Context(), "accounts"); err == nil {
		t.Error("a request of another origin was served")
	}
}
