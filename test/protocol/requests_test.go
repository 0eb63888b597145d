package protocol

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// suiteVerifier is the longest code verifier, of every unreserved character (RFC 7636, 4.1).
const suiteVerifier = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~" +
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// TestRequestShapes is section 2.0: what the suite sends without asking whether it may.
func TestRequestShapes(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	plain := server.Register(t, "plain-client", keyAndDPoP)
	signedProfile := keyAndDPoP
	signedProfile.Signed = true
	signed := server.Register(t, "signed-client", signedProfile)
	for name, shape := range map[string]struct {
		client    *fapitest.Registered
		misbehave fapitest.Misbehave
		change    func(*fapitest.Authorization)
	}{
		"par-without-duplicate-parameters": {client: plain},
		"duplicated-query-parameters": {client: plain, misbehave: fapitest.Misbehave{AuthorizationQuery: func(query url.Values) {
			query.Set(oauth.ParamResponseType, "code")
			query.Set(oauth.ParamScope, plain.Scope)
			query.Set(oauth.ParamRedirectURI, plain.RedirectURI)
		}}},
		"repeated-query-parameters": {client: plain, misbehave: fapitest.Misbehave{AuthorizationQuery: func(query url.Values) {
			query[oauth.ParamScope] = []string{"openid", "payments"}
			query[oauth.ParamState] = []string{"a", "b"}
		}}},
		"longest-verifier": {client: plain, change: func(a *fapitest.Authorization) { a.CodeVerifier = suiteVerifier }},
		"long-state-and-nonce": {client: plain, change: func(a *fapitest.Authorization) {
			a.State, a.Nonce = suiteState, suiteNonce
		}},
		"offline_access-with-prompt-consent": {client: plain, misbehave: fapitest.Misbehave{
			PushForm: setting(oauth.ParamPrompt, "consent"),
		}, change: func(a *fapitest.Authorization) { a.Scope = "openid accounts offline_access" }},
		"signed-without-client_id": {client: signed, misbehave: fapitest.Misbehave{
			PushForm: removing(oauth.ParamClientID), TokenForm: removing(oauth.ParamClientID),
		}},
		"typ-in-mixed-case-with-iat": {client: signed, misbehave: fapitest.Misbehave{
			RequestObject: func(claims fapitest.Claims) { claims["iat"] = claims["nbf"] },
			SignRequestObject: fapitest.Forgery{
				Header: map[string]any{"alg": "ES256", "kid": signed.SigningKey.KeyID(), "typ": "OautH-auThZ-REQ+jWt"}, Key: signed.Signer,
			}.Sign,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			client := shape.client.With(shape.misbehave)
			authorization := client.NewAuthorization()
			if shape.change != nil {
				shape.change(authorization)
			}
			wantTokensFor(t, server, client, authorization)
		})
	}
}

// wantTokensFor does the whole dance for the authorization, to the resource.
func wantTokensFor(t *testing.T, server *fapitest.Server, client *fapitest.Client, authorization *fapitest.Authorization) {
	t.Helper()
	if _, err := client.Push(t.Context(), authorization); err != nil {
		t.Fatal(err)
	}
	callback, err := client.Authorize(t.Context(), authorization, server.Person)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := client.Redeem(t.Context(), authorization, callback.Code)
	if err != nil {
		t.Fatal(err)
	}
	wantUserInfo(t, client, tokens.AccessToken)
}

// TestPARAtEitherAddress: a client with a certificate may push at the public
// address or at the alias, with the certificate or without; both accept and refuse alike.
func TestPARAtEitherAddress(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bound-client", keyAndMTLS).Client
	atAlias := func(misbehave fapitest.Misbehave) *fapitest.Client {
		misbehave.Endpoint = func(string) string { return server.MTLSBaseURL + "/par" }
		return client.With(misbehave)
	}
	push(t, client)
	push(t, atAlias(fapitest.Misbehave{}))
	for name, change := range map[string]func(url.Values){
		"request_uri": setting(oauth.ParamRequestURI, oauth.RequestURIPrefix+"x"), "no code_challenge": removing(oauth.ParamCodeChallenge),
	} {
		for _, at := range []*fapitest.Client{client.With(fapitest.Misbehave{PushForm: change}), atAlias(fapitest.Misbehave{PushForm: change})} {
			_, err := at.Push(t.Context(), at.NewAuthorization())
			wantRefusal(t, err, badRequest, oauth.InvalidRequest)
			t.Log(name, "is refused")
		}
	}
	for _, mutual := range []bool{false, true} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.MTLSBaseURL+"/par", nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, _ := do(t, client, request, mutual); response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("PUT is answered %d", response.StatusCode)
		}
	}
}

// TestRefreshToken is section 2.9 on whose the token is, and on what binds it.
func TestRefreshToken(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	keyHolder := server.Register(t, "key-client", keyAndDPoP)
	bound := server.Register(t, "bound-client", keyAndMTLS)
	tlsClient := server.Register(t, "tls-client", fapitest.Profile{AuthMethod: oauth.AuthTLSClient})
	tokens := map[*fapitest.Registered]fapitest.TokenResponse{}
	for _, client := range []*fapitest.Registered{keyHolder, bound, tlsClient} {
		tokens[client] = flow(t, server, client.Client)
	}
	holderOfKey := []oauth.ErrorCode{oauth.InvalidClient, oauth.InvalidRequest, oauth.InvalidGrant, oauth.InvalidDPoPProof}
	for name, attempt := range map[string]struct {
		owner *fapitest.Registered
		by    *fapitest.Client
		codes []oauth.ErrorCode
	}{
		"another-client":                  {keyHolder, bound.Client, []oauth.ErrorCode{oauth.InvalidGrant}},
		"another-client-by-certificate":   {tlsClient, bound.Client, []oauth.ErrorCode{oauth.InvalidGrant}},
		"without-certificate":             {bound, bound.With(fapitest.Misbehave{WithoutCertificate: true}), holderOfKey},
		"without-certificate-to-be-known": {tlsClient, tlsClient.With(fapitest.Misbehave{WithoutCertificate: true}), holderOfKey},
		"another-certificate":             {tlsClient, tlsClient.With(fapitest.Misbehave{Certificate: bound.Certificate}), holderOfKey},
		"another-signing-key": {keyHolder, keyHolder.With(fapitest.Misbehave{
			SignAssertion: fapitest.Forgery{Header: map[string]any{"alg": "ES256"}, Key: bound.Signer}.Sign,
		}), []oauth.ErrorCode{oauth.InvalidClient}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := attempt.by.Refresh(t.Context(), tokens[attempt.owner].RefreshToken, "")
			wantRefusal(t, err, badRequestUnauthorized, attempt.codes...)
		})
	}
	t.Run("id-token-on-refresh", func(t *testing.T) {
		server.Clock.Advance(time.Second)
		refreshed, err := keyHolder.Refresh(t.Context(), tokens[keyHolder].RefreshToken, "")
		if err != nil {
			t.Fatal(err)
		}
		if refreshed.IDToken == "" {
			return // It is optional (OpenID Connect Core, 12.2).
		}
		wantSignedHeader(t, refreshed.IDToken)
		before, after := part(t, tokens[keyHolder].IDToken, 1), part(t, refreshed.IDToken, 1)
		for _, same := range []string{"iss", "sub", "aud", "azp", "auth_time"} {
			if before[same] != after[same] {
				t.Errorf("%s was %v and is %v", same, before[same], after[same])
			}
		}
		if before["iat"] == after["iat"] {
			t.Error("the refreshed ID token has the iat of the first one")
		}
	})
	t.Run("still-good-after-30-seconds", func(t *testing.T) {
		server.Clock.Advance(30 * time.Second)
		for range 2 {
			if _, err := keyHolder.Refresh(t.Context(), tokens[keyHolder].RefreshToken, keyHolder.Scope); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestCertificateOfAnotherClient is ensure-client-id-in-token-endpoint,
// ensure-authorization-code-is-bound-to-client and ensure-holder-of-key-required
// for clients that are known by certificates.
func TestCertificateOfAnotherClient(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for _, method := range []string{oauth.AuthTLSClient, oauth.AuthSelfSignedTLS} {
		t.Run(method, func(t *testing.T) {
			prefix := map[string]string{oauth.AuthTLSClient: "issued", oauth.AuthSelfSignedTLS: "self-made"}[method]
			client := server.Register(t, prefix+"-client", fapitest.Profile{AuthMethod: method}).Client
			other := server.Register(t, prefix+"-other", fapitest.Profile{AuthMethod: method}).Client
			authorization, issued := code(t, server, client)
			_, err := client.With(fapitest.Misbehave{Certificate: other.Certificate}).Redeem(t.Context(), authorization, issued)
			wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)
			_, err = client.With(fapitest.Misbehave{WithoutCertificate: true}).Redeem(t.Context(), authorization, issued)
			wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient, oauth.InvalidRequest)
			_, err = other.Redeem(t.Context(), authorization, issued)
			wantRefusal(t, err, badRequest, oauth.InvalidGrant)
			tokens, err := client.Redeem(t.Context(), authorization, issued)
			if err != nil {
				t.Fatalf("others' attempts have used the code up: %v", err)
			}
			_, err = client.With(fapitest.Misbehave{Certificate: other.Certificate}).UserInfo(t.Context(), tokens.AccessToken)
			wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
		})
	}
}
