package fapi

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi/vectors"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func vectorNamed(t *testing.T, name string) registration.Metadata {
	t.Helper()
	all := vectors.Registration()
	i := slices.IndexFunc(all, func(vector vectors.Vector) bool { return vector.Name == name })
	if i < 0 {
		t.Fatalf("there is no vector %s", name)
	}
	return metadataOf(t, all[i])
}

func admitted(t *testing.T, metadata registration.Metadata) *Client {
	t.Helper()
	client, violations := AdmitClient(metadata, vectorLimits)
	if client == nil {
		t.Fatalf("not admitted: %v", violations)
	}
	return client
}

func TestAdmittedClientCarriesDefaults(t *testing.T) {
	t.Parallel()
	client := admitted(t, vectorNamed(t, "private-key-jwt-mutual-tls"))
	if client.UsesDPoP() || client.Suspended() || client.RequiresSignedRequests() || client.RequiresJARM() {
		t.Errorf("defaults: DPoP %v, suspended %v, signed requests %v, JARM %v, want none of them",
			client.UsesDPoP(), client.Suspended(), client.RequiresSignedRequests(), client.RequiresJARM())
	}
	if got, want := client.AccessTokenLifetime(), 5*time.Minute; got != want {
		t.Errorf("access tokens live %v, want %v", got, want)
	}
	if got := client.Metadata().TokenEndpointAuthSigningAlg; got != "ES256" {
		t.Errorf("assertions are signed with %q, want ES256", got)
	}
	if client.Keys().Len() != 1 || client.TrustAnchors() != nil {
		t.Errorf("%d keys and %d trust anchors, want 1 and none", client.Keys().Len(), len(client.TrustAnchors()))
	}
}

func TestAdmittedClientCarriesItsOwnTrustAnchors(t *testing.T) {
	t.Parallel()
	client := admitted(t, vectorNamed(t, "tls-client-auth-two-anchors"))
	if got := len(client.TrustAnchors()); got != 2 {
		t.Errorf("%d trust anchors, want 2", got)
	}
}

func TestMessageSigningIsRequiredOfWhoRegistersIt(t *testing.T) {
	t.Parallel()
	client := admitted(t, vectorNamed(t, "message-signing"))
	if !client.RequiresSignedRequests() || !client.RequiresJARM() {
		t.Errorf("signed requests %v, JARM %v, want both", client.RequiresSignedRequests(), client.RequiresJARM())
	}
}

func TestAccessTokenLifetimeFollowsTheInstallation(t *testing.T) {
	t.Parallel()
	metadata := vectorNamed(t, "private-key-jwt-mutual-tls")
	tests := []struct {
		name     string
		lifetime int64
		limit    time.Duration
		admitted bool
	}{
		{"below the smallest", 29, 0, false},
		{"the smallest", 30, 0, true},
		{"the largest by default", 3600, 0, true},
		{"above the largest by default", 3601, 0, false},
		{"above what this installation allows", 601, 10 * time.Minute, false},
		{"what this installation allows", 7200, 2 * time.Hour, true},
		{"negative", -300, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			metadata := metadata
			metadata.AccessTokenLifetime = &test.lifetime
			client, violations := AdmitClient(metadata, Limits{MaxAccessTokenLifetime: test.limit})
			if (client != nil) != test.admitted {
				t.Errorf("admitted %v, want %v: %v", client != nil, test.admitted, violations)
			}
		})
	}
}

// At admission the server's bundles are not known; the server itself knows them.
func TestTrustBundleIsJudgedWhereBundlesAreKnown(t *testing.T) {
	t.Parallel()
	metadata := vectorNamed(t, "trust-bundle-unknown")
	tests := []struct {
		name     string
		bundles  []string
		admitted bool
	}{
		{"not known here", nil, true},
		{"none configured", []string{}, false},
		{"another one configured", []string{"example-roots"}, false},
		{"configured", []string{"another-bank"}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, violations := AdmitClient(metadata, Limits{TrustBundles: test.bundles})
			if (client != nil) != test.admitted {
				t.Errorf("admitted %v, want %v: %v", client != nil, test.admitted, violations)
			}
		})
	}
}

func TestRedirectURIsAreComparedExactly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		application string
		registered  string
		requested   string
		want        bool
	}{
		{"the same", oauth.ApplicationWeb, "https://app.example.com/cb?a=1", "https://app.example.com/cb?a=1", true},
		{"another query", oauth.ApplicationWeb, "https://app.example.com/cb", "https://app.example.com/cb?a=1", false},
		{"another case", oauth.ApplicationWeb, "https://app.example.com/cb", "https://app.example.com/CB", false},
		{"another port on the network", oauth.ApplicationWeb, "https://app.example.com/cb", "https://app.example.com:8443/cb", false},
		{"another port on the loopback address", oauth.ApplicationNative, "http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", true},
		{"another port on the IPv6 loopback address", oauth.ApplicationNative, "http://[::1]:80/cb", "http://[::1]:49152/cb", true},
		{"another path on the loopback address", oauth.ApplicationNative, "http://127.0.0.1/cb", "http://127.0.0.1:49152/cc", false},
		{"another loopback address", oauth.ApplicationNative, "http://127.0.0.1/cb", "http://[::1]/cb", false},
		{"the loopback name", oauth.ApplicationNative, "http://127.0.0.1/cb", "http://localhost/cb", false},
		{"user information in place of a port", oauth.ApplicationNative, "http://127.0.0.1/cb", "http://127.0.0.1:80@evil.example/cb", false},
		{"a longer host name", oauth.ApplicationNative, "http://127.0.0.1/cb", "http://127.0.0.1.evil.example/cb", false},
		{"a longer host name after the port", oauth.ApplicationNative, "http://127.0.0.1/cb", "http://127.0.0.1:80.evil.example/cb", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			metadata := vectorNamed(t, "private-key-jwt-mutual-tls")
			metadata.ApplicationType, metadata.RedirectURIs = test.application, []string{test.registered}
			if got := admitted(t, metadata).RegisteredRedirectURI(test.requested); got != test.want {
				t.Errorf("registered %s, requested %s: %v, want %v", test.registered, test.requested, got, test.want)
			}
		})
	}
}

// What a violation says is fixed text: nothing of the registration is repeated,
// so that no key that was sent by mistake reaches a log or an event.
func TestViolationsEchoNothing(t *testing.T) {
	t.Parallel()
	metadata := vectorNamed(t, "private-key-jwt-mutual-tls")
	metadata.JWKS = json.RawMessage(`{"keys":[{"kty":"oct","kid":"secret-kid","k":"secret-material"}]}`)
	metadata.JWKSURI = "http://secret-host.example/"
	metadata.RedirectURIs = []string{"http://secret-host.example/*"}
	_, violations := AdmitClient(metadata, Limits{})
	if len(violations) != 5 {
		t.Errorf("%d violations, want 5: %v", len(violations), violations)
	}
	if text := (&registration.RejectedError{Violations: violations}).Error(); strings.Contains(text, "secret-") {
		t.Errorf("the refusal repeats what was registered: %s", text)
	}
}

func FuzzAdmitClient(f *testing.F) {
	for _, vector := range vectors.Registration() {
		f.Add([]byte(vector.Metadata))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		metadata, err := registration.DecodeMetadata(data)
		if err != nil {
			return
		}
		Advise(metadata)
		client, violations := AdmitClient(metadata, vectorLimits)
		if (client == nil) == (len(violations) == 0) {
			t.Fatalf("client %v with the violations %v", client, violations)
		}
		if client != nil {
			requireFAPI(t, client)
		}
	})
}

// requireFAPI states again, in other words than the rules, what no admitted client may be.
func requireFAPI(t *testing.T, client *Client) {
	t.Helper()
	metadata := client.Metadata()
	if strings.Contains(client.AuthMethod(), "secret") || client.AuthMethod() == "none" || client.AuthMethod() == "" {
		t.Errorf("admitted with the method %q", client.AuthMethod())
	}
	if client.UsesDPoP() == *metadata.TLSClientCertificateBoundAccessTokens {
		t.Error("admitted without exactly one sender constraint")
	}
	for _, uri := range metadata.RedirectURIs {
		if !strings.HasPrefix(strings.ToLower(uri), "https://") && !strings.HasPrefix(strings.ToLower(uri), "http://127.0.0.1") && !strings.HasPrefix(strings.ToLower(uri), "http://[::1]") {
			t.Errorf("admitted with the redirect URI %q", uri)
		}
	}
	for _, key := range client.Keys().Keys() {
		if strings.Contains(string(key.JSON()), `"d":`) {
			t.Error("admitted with a private key")
		}
	}
}
