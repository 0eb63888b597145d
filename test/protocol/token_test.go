package protocol

import (
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestTokenRequestRefused is section 2.7. A request that is refused uses no code up.
func TestTokenRequestRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "token-client", keyAndDPoP).Client
	proof := []oauth.ErrorCode{oauth.InvalidRequest, oauth.InvalidGrant, oauth.InvalidDPoPProof}
	authorization, issued := code(t, server, client)
	for _, test := range []struct {
		module    string
		misbehave fapitest.Misbehave
		codes     []oauth.ErrorCode
	}{
		{"ensure-pkce-code-verifier-required", fapitest.Misbehave{TokenForm: removing(oauth.ParamCodeVerifier)}, []oauth.ErrorCode{oauth.InvalidGrant}},
		{"incorrect-pkce-code-verifier-rejected", fapitest.Misbehave{TokenForm: setting(oauth.ParamCodeVerifier, oauth.NewSecret().Reveal())}, []oauth.ErrorCode{oauth.InvalidGrant}},
		{"redirect-uri-other", fapitest.Misbehave{TokenForm: setting(oauth.ParamRedirectURI, "https://other.example")}, []oauth.ErrorCode{oauth.InvalidGrant}},
		{"code-unknown", fapitest.Misbehave{TokenForm: setting(oauth.ParamCode, oauth.NewSecret().Reveal())}, []oauth.ErrorCode{oauth.InvalidGrant}},
		{"code-left-out", fapitest.Misbehave{TokenForm: removing(oauth.ParamCode)}, []oauth.ErrorCode{oauth.InvalidGrant, oauth.InvalidRequest}},
		{"code-repeated", fapitest.Misbehave{TokenForm: repeating(oauth.ParamCode)}, []oauth.ErrorCode{oauth.InvalidRequest}},
		{"grant-type-left-out", fapitest.Misbehave{TokenForm: removing(oauth.ParamGrantType)}, []oauth.ErrorCode{oauth.InvalidRequest}},
		{"grant-type-password", fapitest.Misbehave{TokenForm: setting(oauth.ParamGrantType, "password")}, []oauth.ErrorCode{oauth.UnsupportedGrantType}},
		{"ensure-holder-of-key-required", fapitest.Misbehave{Header: func(header http.Header) { header.Del("DPoP") }}, proof},
		{"ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt", fapitest.Misbehave{SignProof: otherKey(t)}, proof},
	} {
		t.Run(test.module, func(t *testing.T) {
			_, err := client.With(test.misbehave).Redeem(t.Context(), authorization, issued)
			wantRefusal(t, err, badRequest, test.codes...)
		})
	}
	if _, err := client.Redeem(t.Context(), authorization, issued); err != nil {
		t.Errorf("a refused request has used the code up: %v", err)
	}
}

// TestTokenEndpointMismatchedDPoPJKT is ensure-token-endpoint-fails-with-mismatched-dpop-jkt.
func TestTokenEndpointMismatchedDPoPJKT(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "token-client", keyAndDPoP).Client
	named := fapitest.NewKey(t, jose.ES256).Public().Thumbprint()
	authorization := client.NewAuthorization()
	pushing := client.With(fapitest.Misbehave{
		PushForm: setting(oauth.ParamDPoPJKT, named), Header: func(header http.Header) { header.Del("DPoP") },
	})
	if _, err := pushing.Push(t.Context(), authorization); err != nil {
		t.Fatal(err)
	}
	callback, err := client.Authorize(t.Context(), authorization, server.Person)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Redeem(t.Context(), authorization, callback.Code)
	wantRefusal(t, err, badRequest, oauth.InvalidRequest, oauth.InvalidGrant, oauth.InvalidDPoPProof)
}

// TestCodeIsBoundToClient is ensure-authorization-code-is-bound-to-client; the
// stranger's attempt leaves the owner's code alone.
func TestCodeIsBoundToClient(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "token-client", keyAndMTLS).Client
	stranger := server.Register(t, "stranger", keyAndMTLS).Client
	authorization, issued := code(t, server, client)
	_, err := stranger.Redeem(t.Context(), authorization, issued)
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	tokens, err := client.Redeem(t.Context(), authorization, issued)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stranger.Redeem(t.Context(), authorization, issued)
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	wantUserInfo(t, client, tokens.AccessToken)
	_, err = stranger.Refresh(t.Context(), tokens.RefreshToken, "")
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	if err := stranger.Revoke(t.Context(), tokens.RefreshToken); err != nil {
		t.Fatal(err)
	}
	if err := stranger.Revoke(t.Context(), tokens.AccessToken); err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, client, tokens.AccessToken)
}

// TestCodeReuse is attempt-reuse-authorization-code-after-one-second: refused,
// and what the first use gave is revoked.
func TestCodeReuse(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for name, change := range map[string]func(url.Values){
		"the-same-request": nil, "without-verifier": removing(oauth.ParamCodeVerifier),
	} {
		t.Run(name, func(t *testing.T) {
			client := server.Register(t, "reuse-"+name, keyAndDPoP).Client
			authorization, issued := code(t, server, client)
			tokens, err := client.Redeem(t.Context(), authorization, issued)
			if err != nil {
				t.Fatal(err)
			}
			wantUserInfo(t, client, tokens.AccessToken)
			server.Clock.Advance(time.Second)
			_, err = client.With(fapitest.Misbehave{TokenForm: change}).Redeem(t.Context(), authorization, issued)
			wantRefusal(t, err, badRequest, oauth.InvalidGrant)
			_, err = client.UserInfo(t.Context(), tokens.AccessToken)
			wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
			_, err = client.Refresh(t.Context(), tokens.RefreshToken, "")
			wantRefusal(t, err, badRequest, oauth.InvalidGrant)
		})
	}
}

// TestCodeRace: of many that redeem one code at once, at the most one gets tokens.
func TestCodeRace(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "racing-client", keyAndDPoP).Client
	authorization, issued := code(t, server, client)
	var redeemed atomic.Int32
	var racers sync.WaitGroup
	for range 16 {
		racers.Go(func() {
			if _, err := client.With(fapitest.Misbehave{}).Redeem(t.Context(), authorization, issued); err == nil {
				redeemed.Add(1)
			}
		})
	}
	racers.Wait()
	if redeemed.Load() != 1 {
		t.Errorf("one code was redeemed %d times", redeemed.Load())
	}
}

// TestExpiry: codes, access tokens and refresh tokens, on the server's clock.
func TestExpiry(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "expiry-client", keyAndDPoP).Client
	t.Run("ensure-token-endpoint-fails-with-expired-auth-code", func(t *testing.T) {
		authorization, issued := code(t, server, client)
		server.Clock.Advance(60 * time.Second)
		_, err := client.Redeem(t.Context(), authorization, issued)
		wantRefusal(t, err, badRequest, oauth.InvalidGrant)
	})
	t.Run("code-within-its-lifetime", func(t *testing.T) {
		authorization, issued := code(t, server, client)
		server.Clock.Advance(50 * time.Second)
		if _, err := client.Redeem(t.Context(), authorization, issued); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("access-token", func(t *testing.T) {
		tokens := flow(t, server, client)
		server.Clock.Advance(time.Duration(tokens.ExpiresIn)*time.Second - time.Second)
		wantUserInfo(t, client, tokens.AccessToken)
		server.Clock.Advance(time.Second)
		_, err := client.UserInfo(t.Context(), tokens.AccessToken)
		wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
		refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
		if err != nil {
			t.Fatal(err)
		}
		wantUserInfo(t, client, refreshed.AccessToken)
	})
}

// TestRefreshRefused: scope may shrink and never grow, and the client must say who it is.
func TestRefreshRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "refresh-client", keyAndDPoP).Client
	tokens := flow(t, server, client)
	_, err := client.Refresh(t.Context(), tokens.RefreshToken, "openid payments")
	wantRefusal(t, err, badRequest, oauth.InvalidScope)
	narrowed, err := client.Refresh(t.Context(), tokens.RefreshToken, "openid")
	if err != nil || narrowed.Scope != "openid" {
		t.Fatalf("a narrowed scope: %q, %v", narrowed.Scope, err)
	}
	_, err = client.With(fapitest.Misbehave{TokenForm: removing(oauth.ParamClientAssertion)}).Refresh(t.Context(), tokens.RefreshToken, "")
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient, oauth.InvalidRequest, oauth.InvalidGrant)
	_, err = client.With(fapitest.Misbehave{Header: func(header http.Header) { header.Del("DPoP") }}).Refresh(t.Context(), tokens.RefreshToken, "")
	wantRefusal(t, err, badRequest, oauth.InvalidRequest, oauth.InvalidGrant, oauth.InvalidDPoPProof)
	_, err = client.Refresh(t.Context(), "unknown", "")
	wantRefusal(t, err, badRequest, oauth.InvalidGrant)
}

// TestMutualTLSRefused: who shows no certificate, or another's, gets no token.
func TestMutualTLSRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	foreign := testca.New(t, "another tenant's authority", server.Clock.Now())
	for _, method := range []string{oauth.AuthTLSClient, oauth.AuthSelfSignedTLS} {
		t.Run(method, func(t *testing.T) {
			name := map[string]string{oauth.AuthTLSClient: "issued", oauth.AuthSelfSignedTLS: "self-signed"}[method]
			client := server.Register(t, name, fapitest.Profile{AuthMethod: method}).Client
			other := server.Register(t, "other-"+name, fapitest.Profile{AuthMethod: method}).Client
			impostor := foreign.Issue(t, testca.Leaf{URIs: []string{"urn:example:client:" + name}}).TLS(t)
			selfMade := fapitest.SelfSigned(t, name, fapitest.NewSigner(t, jose.ES256), server.Clock.Now())
			for thief, misbehave := range map[string]fapitest.Misbehave{
				"without certificate":                     {WithoutCertificate: true},
				"another client's certificate":            {Certificate: other.Certificate},
				"another authority's with the right name": {Certificate: &impostor},
				"self-made": {Certificate: &selfMade},
			} {
				misbehaving := client.With(misbehave)
				_, err := misbehaving.ClientCredentials(t.Context(), "accounts")
				wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient, oauth.InvalidRequest)
				_, err = misbehaving.Push(t.Context(), misbehaving.NewAuthorization())
				wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient, oauth.InvalidRequest)
				t.Log(thief, "is refused")
			}
		})
	}
	t.Run("private_key_jwt without certificate", func(t *testing.T) {
		client := server.Register(t, "bound", keyAndMTLS).Client
		_, err := client.With(fapitest.Misbehave{WithoutCertificate: true}).ClientCredentials(t.Context(), "accounts")
		wantRefusal(t, err, badRequest, oauth.InvalidRequest, oauth.InvalidClient, oauth.InvalidGrant)
	})
}

// TestTenantsAuthorityIsItsOwn: a tenant whose own CA issues another tenant's
// name is refused, and its own name from it is not.
func TestTenantsAuthorityIsItsOwn(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	own := testca.New(t, "the tenant's own authority", server.Clock.Now())
	victim := server.Register(t, "victim", fapitest.Profile{AuthMethod: oauth.AuthTLSClient}).Client
	tenant := server.Register(t, "tenant", fapitest.Profile{
		AuthMethod: oauth.AuthTLSClient,
		Change:     func(metadata *registration.Metadata) { metadata.TLSClientAuthTrustAnchors = string(own.PEM()) },
	}).Client
	issue := func(name string) fapitest.Misbehave {
		certificate := own.Issue(t, testca.Leaf{URIs: []string{"urn:example:client:" + name}}).TLS(t)
		return fapitest.Misbehave{Certificate: &certificate}
	}
	if _, err := tenant.With(issue("tenant")).ClientCredentials(t.Context(), "accounts"); err != nil {
		t.Fatal(err)
	}
	_, err := victim.With(issue("victim")).ClientCredentials(t.Context(), "accounts")
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)
}

// TestCertificateRenewal: a renewed certificate ends no grant (RFC 8705, 7.1).
func TestCertificateRenewal(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "renewing", fapitest.Profile{AuthMethod: oauth.AuthTLSClient}).Client
	tokens := flow(t, server, client)
	renewed := server.Authority.Issue(t, testca.Leaf{URIs: []string{"urn:example:client:renewing"}}).TLS(t)
	after := client.With(fapitest.Misbehave{Certificate: &renewed})
	refreshed, err := after.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, after, refreshed.AccessToken)
	_, err = after.UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
}

// TestSuspendedClient: a suspension takes effect at once, everywhere.
func TestSuspendedClient(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "suspended", keyAndDPoP)
	tokens := flow(t, server, client.Client)
	authorization := push(t, client.Client)
	client.Metadata.Suspended = new(true)
	server.Put(t, client.Metadata)
	_, err := client.UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
	_, err = client.Refresh(t.Context(), tokens.RefreshToken, "")
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)
	_, err = client.Authorize(t.Context(), authorization, server.Person)
	wantErrorPage(t, err)
}
