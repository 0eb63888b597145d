package protocol

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// inactive is all that is told of a token that is not, or is nobody's business.
var inactive = map[string]any{"active": false}

func wantIntrospection(t *testing.T, client *fapitest.Client, token string, want map[string]any) {
	t.Helper()
	told, err := client.Introspect(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("introspection for %s (-want +got):\n%s", client.ClientID, diff)
	}
}

// A resource server learns of an access token for its resource what the token
// says, and its client too; another client learns nothing (RFC 7662, 2.2).
func TestIntrospection(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.accounts-api", fapitest.ResourceServer{})
	for name, profile := range map[string]fapitest.Profile{"dpop": keyAndDPoP, "mtls": keyAndMTLS} {
		client := server.Register(t, "bank.app-"+name, profile).Client
		stranger := server.Register(t, "other.app-"+name, keyAndDPoP).Client
		tokens := flow(t, server, client)
		want, err := client.AccessTokenClaims(t.Context(), tokens.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		want["active"], want["token_type"] = true, tokens.TokenType
		wantIntrospection(t, api.Client.Client, tokens.AccessToken, want)
		wantIntrospection(t, client, tokens.AccessToken, want)
		wantIntrospection(t, stranger, tokens.AccessToken, inactive)

		told, err := client.Introspect(t.Context(), tokens.RefreshToken)
		if err != nil {
			t.Fatal(err)
		}
		if told["active"] != true || told["client_id"] != client.ClientID || told["sub"] != want["sub"] || told["cnf"] != nil {
			t.Errorf("of the refresh token is told: %v", told)
		}
		wantIntrospection(t, api.Client.Client, tokens.RefreshToken, inactive)
		wantIntrospection(t, stranger, tokens.RefreshToken, inactive)

		if err := client.Revoke(t.Context(), tokens.RefreshToken); err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{tokens.AccessToken, tokens.RefreshToken, "garbage"} {
			wantIntrospection(t, client, token, inactive)
			wantIntrospection(t, api.Client.Client, token, inactive)
		}
	}
	if !strings.Contains(server.Log(), "RFC9701-5") || !strings.Contains(server.Log(), "RFC7662-2.2") {
		t.Error("the log does not tell why nothing was told")
	}
}

// Access tokens of a code that came twice, of a suspended client and of a
// deleted one are not active, nor is one that has expired.
func TestIntrospectionOfWhatHasEnded(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.accounts-api", fapitest.ResourceServer{})
	client := server.Register(t, "bank.app", keyAndDPoP)
	authorization, issued := code(t, server, client.Client)
	tokens, err := client.Redeem(t.Context(), authorization, issued)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Redeem(t.Context(), authorization, issued)
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	wantIntrospection(t, api.Client.Client, tokens.AccessToken, inactive)

	tokens = flow(t, server, client.Client)
	suspended := client.Metadata
	suspended.Suspended = new(true)
	server.Put(t, suspended)
	wantIntrospection(t, api.Client.Client, tokens.AccessToken, inactive)
	server.Put(t, client.Metadata)
	wantIntrospection(t, api.Client.Client, tokens.AccessToken, inactive)

	expiring := flow(t, server, client.Client)
	if told, err := api.Client.Introspect(t.Context(), expiring.AccessToken); err != nil || told["active"] != true {
		t.Fatalf("of a good token is told %v, %v", told, err)
	}
	server.Clock.Advance(time.Duration(expiring.ExpiresIn) * time.Second)
	wantIntrospection(t, api.Client.Client, expiring.AccessToken, inactive)
}

// Signed answers (RFC 9701; FAPI 2.0 Message Signing, 5.5.1): where the request
// asks for one, and always for a client that registered an algorithm.
func TestSignedIntrospection(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	tokens := flow(t, server, client)
	want, err := client.Introspect(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	for _, algorithm := range append(jose.SignatureAlgorithms(), "") {
		resourceServer := server.Register(t, "bank.api-"+strings.ToLower(string(algorithm))+"x", fapitest.Profile{
			AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Change: func(metadata *registration.Metadata) {
				fapitest.IntrospectsAccounts(metadata)
				metadata.IntrospectionSignedResponseAlg = string(algorithm)
			},
		}).Client
		told, err := resourceServer.IntrospectSigned(t.Context(), tokens.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("signed by %q (-plain +signed):\n%s", algorithm, diff)
		}
		if told, err = resourceServer.IntrospectSigned(t.Context(), "garbage"); err != nil || !cmp.Equal(told, inactive) {
			t.Errorf("of no token is told, signed by %q: %v, %v", algorithm, told, err)
		}
		if _, err := resourceServer.Introspect(t.Context(), tokens.AccessToken); (err == nil) != (algorithm == "") {
			t.Errorf("without asking for a signature, with the registered algorithm %q: %v", algorithm, err)
		}
	}
}

// Introspection authenticates like any endpoint, and refuses by name.
func TestIntrospectionRequestRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	tokens := flow(t, server, client)
	_, err := client.With(fapitest.Misbehave{SignAssertion: func(fapitest.Claims) (string, error) { return "a.b.c", nil }}).
		Introspect(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)
	_, err = client.Introspect(t.Context(), "")
	refusal := wantRefusal(t, err, badRequest, oauth.InvalidRequest)
	if !strings.Contains(refusal.Description, "RFC7662-2.1") {
		t.Errorf("the refusal does not name its rule: %v", refusal)
	}
	response, err := client.HTTP(false).Get(server.Issuer + "/introspect?token=" + tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered with %d: a token in a query ends up in logs", response.StatusCode)
	}
}

// A resource server elsewhere serves only who holds what the token is bound to
// (FAPI 2.0 Security Profile, 5.3.4), and nobody once the token is revoked.
func TestResourceServer(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for _, signed := range []bool{false, true} {
		api := server.StartAccounts(t, map[bool]string{false: "bank.api", true: "bank.signed-api"}[signed], fapitest.ResourceServer{Signed: signed})
		for name, profile := range map[string]fapitest.Profile{"dpop": keyAndDPoP, "mtls": keyAndMTLS} {
			client := server.Register(t, api.Client.ClientID+"-app-"+name, profile).Client
			tokens := flow(t, server, client)
			wantAccounts(t, client, api, tokens.AccessToken)
			wantStolenTokenRefusedAt(t, client, api, tokens.AccessToken)
			if err := client.Revoke(t.Context(), tokens.AccessToken); err != nil {
				t.Fatal(err)
			}
			wantNoAccounts(t, client, api, tokens.AccessToken, http.StatusUnauthorized, "FAPI2-SP-FINAL-5.3.4-3-REVOCATION")
		}
	}
}

func wantAccounts(t *testing.T, client *fapitest.Client, api *fapitest.Accounts, accessToken string) {
	t.Helper()
	found, err := client.GetAccounts(t.Context(), api.URL, accessToken)
	if err != nil {
		t.Fatal(err)
	}
	if holder, _ := found["holder"].(string); holder == "" {
		t.Errorf("the accounts are nobody's: %v", found)
	}
}

func wantNoAccounts(t *testing.T, client *fapitest.Client, api *fapitest.Accounts, accessToken string, status int, rule string) {
	t.Helper()
	_, err := client.GetAccounts(t.Context(), api.URL, accessToken)
	refusal := wantRefusal(t, err, []int{status})
	if !strings.Contains(refusal.Description, rule) {
		t.Errorf("want %s, got: %v", rule, refusal)
	}
	if logged := api.Log(); !strings.Contains(logged, "rule="+rule+" ") {
		t.Errorf("the resource server's log does not name %s:\n%s", rule, logged)
	}
}

func wantStolenTokenRefusedAt(t *testing.T, client *fapitest.Client, api *fapitest.Accounts, accessToken string) {
	t.Helper()
	if client.DPoPKey == nil {
		other := fapitest.SelfSigned(t, "thief", fapitest.NewSigner(t, jose.ES256), client.Now())
		wantNoAccounts(t, client.With(fapitest.Misbehave{WithoutCertificate: true}), api, accessToken, http.StatusUnauthorized, "RFC8705-3")
		wantNoAccounts(t, client.With(fapitest.Misbehave{Certificate: &other}), api, accessToken, http.StatusUnauthorized, "RFC8705-3")
		return
	}
	wantNoAccounts(t, client.With(fapitest.Misbehave{SignProof: otherKey(t)}), api, accessToken, http.StatusUnauthorized, "RFC9449-4.3-12")
	wantNoAccounts(t, client.With(fapitest.Misbehave{Header: func(header http.Header) { header.Del("DPoP") }}), api, accessToken, http.StatusUnauthorized, "RFC9449-7.1-PROOF")
}

// Audience and scope are the resource's own; the person's login at userinfo is
// not for the accounts, and payments do not show accounts.
func TestResourceServerAudienceAndScope(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.api", fapitest.ResourceServer{})
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	payments, err := client.ClientCredentials(t.Context(), "payments")
	if err != nil {
		t.Fatal(err)
	}
	wantNoAccounts(t, client, api, payments.AccessToken, http.StatusForbidden, "FAPI2-SP-FINAL-5.3.4-4")
	wantNoAccounts(t, client, api, "garbage", http.StatusUnauthorized, "FAPI2-SP-FINAL-5.3.4-3")
	idToken := flow(t, server, client).IDToken
	wantNoAccounts(t, client, api, idToken, http.StatusUnauthorized, "FAPI2-SP-FINAL-5.3.4-3")
}

// A cached answer serves for the stated time and no longer; without the cache
// revocation counts at once, and without introspection never.
func TestResourceServerRevocationCache(t *testing.T) {
	t.Parallel()
	const cacheFor = 30 * time.Second
	server := fapitest.StartServer(t)
	cached := server.StartAccounts(t, "bank.cached-api", fapitest.ResourceServer{CacheFor: cacheFor})
	unchecked := server.StartAccounts(t, "bank.unchecked-api", fapitest.ResourceServer{Unchecked: true})
	if !strings.Contains(server.Log(), "their revocation is not checked") {
		t.Error("switching revocation off was not logged")
	}
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	tokens := flow(t, server, client)
	wantAccounts(t, client, cached, tokens.AccessToken)
	if err := client.Revoke(t.Context(), tokens.AccessToken); err != nil {
		t.Fatal(err)
	}
	wantAccounts(t, client, cached, tokens.AccessToken)
	server.Clock.Advance(cacheFor)
	wantNoAccounts(t, client, cached, tokens.AccessToken, http.StatusUnauthorized, "FAPI2-SP-FINAL-5.3.4-3-REVOCATION")
	wantAccounts(t, client, unchecked, tokens.AccessToken)
}

// Where the authorization server does not answer, nothing is served (fail closed).
func TestResourceServerWithoutItsAuthorizationServer(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.api", fapitest.ResourceServer{})
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	tokens := flow(t, server, client)
	wantAccounts(t, client, api, tokens.AccessToken)
	server.Stop()
	wantNoAccounts(t, client, api, tokens.AccessToken, http.StatusServiceUnavailable, "FAPI2-SP-FINAL-5.3.4-3")
	server.Start(t)
	t.Cleanup(server.Stop)
	wantAccounts(t, client, api, tokens.AccessToken)
}

// A proof serves once, also at a resource server.
func TestResourceServerRecordedProof(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.api", fapitest.ResourceServer{})
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	tokens := flow(t, server, client)
	same := client.With(fapitest.Misbehave{Proof: func(claims fapitest.Claims) { claims["jti"] = "recorded" }})
	wantAccounts(t, same, api, tokens.AccessToken)
	wantNoAccounts(t, same, api, tokens.AccessToken, http.StatusUnauthorized, "RFC9449-11.1")
	wantNoAccounts(t, client.With(fapitest.Misbehave{Proof: func(claims fapitest.Claims) { claims["htm"] = http.MethodPut }}),
		api, tokens.AccessToken, http.StatusUnauthorized, "RFC9449-4.3-8")
	wantNoAccounts(t, client.With(fapitest.Misbehave{Proof: func(claims fapitest.Claims) { claims["htu"] = server.Issuer + "/accounts" }}),
		api, tokens.AccessToken, http.StatusUnauthorized, "RFC9449-4.3-9")
	wantNoAccounts(t, client.With(fapitest.Misbehave{Proof: func(claims fapitest.Claims) { delete(claims, "ath") }}),
		api, tokens.AccessToken, http.StatusUnauthorized, "RFC9449-4.3-12")
}
