package protocol

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// Whoever has stolen an access token cannot use it at the userinfo endpoint.
func TestStolenAccessToken(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	dpop := server.Register(t, "bank.dpop", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	bound := server.Register(t, "bank.bound", fapitest.Profile{AuthMethod: oauth.AuthTLSClient})
	thief := server.Register(t, "thief.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	tlsThief := server.Register(t, "thief.tls", fapitest.Profile{AuthMethod: oauth.AuthTLSClient})
	dpopToken := flow(t, server, dpop.Client).AccessToken
	boundToken := flow(t, server, bound.Client).AccessToken

	withHeader := func(name, value string) fapitest.Misbehave {
		return fapitest.Misbehave{Header: func(header http.Header) {
			if strings.Contains(header.Get("Content-Type"), "form") {
				return
			}
			header.Del(name)
			if value != "" {
				header.Set(name, value)
			}
		}}
	}
	atPublic := fapitest.Misbehave{Endpoint: func(address string) string {
		return strings.Replace(address, server.MTLSBaseURL, server.Issuer, 1)
	}}
	cases := []struct {
		name  string
		who   *fapitest.Client
		token string
		code  oauth.ErrorCode
	}{
		{"proof by another key", thief.Client, dpopToken, oauth.InvalidToken},
		{"no proof", dpop.With(withHeader("DPoP", "")), dpopToken, oauth.InvalidDPoPProof},
		{"DPoP-bound token as Bearer", dpop.With(withHeader("Authorization", "Bearer "+dpopToken)), dpopToken, oauth.InvalidToken},
		{"DPoP-bound token with a certificate alone", bound.Client, dpopToken, oauth.InvalidToken},
		{"proof for the token endpoint", dpop.With(fapitest.Misbehave{Proof: func(claims fapitest.Claims) { claims["htu"] = server.Issuer + "/token" }}), dpopToken, oauth.InvalidDPoPProof},
		{"proof for another token", dpop.With(fapitest.Misbehave{Proof: func(claims fapitest.Claims) { claims["ath"] = strings.Repeat("A", 43) }}), dpopToken, oauth.InvalidDPoPProof},
		{"certificate-bound token on the public listener", bound.With(atPublic), boundToken, oauth.InvalidToken},
		{"certificate-bound token with another certificate", tlsThief.Client, boundToken, oauth.InvalidToken},
		{"certificate-bound token without certificate", bound.With(fapitest.Misbehave{WithoutCertificate: true}), boundToken, oauth.InvalidToken},
		{"certificate-bound token with a proof alone", thief.Client, boundToken, oauth.InvalidToken},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantRefusal(t, errorOf(c.who.UserInfo(t.Context(), c.token)), []int{http.StatusUnauthorized}, c.code)
		})
	}
}

// A DPoP proof that was seen once is worth nothing to whoever has recorded it.
func TestRecordedProof(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	token := flow(t, server, client.Client).AccessToken
	same := client.With(fapitest.Misbehave{Proof: func(claims fapitest.Claims) { claims["jti"] = "recorded" }})
	wantUserInfo(t, same, token)
	wantRefusal(t, errorOf(same.UserInfo(t.Context(), token)), []int{http.StatusUnauthorized}, oauth.InvalidDPoPProof)
	server.Clock.Advance(30 * time.Second)
	recorded := client.With(fapitest.Misbehave{Proof: func(claims fapitest.Claims) {
		claims["jti"], claims["iat"] = "recorded", server.Clock.Now().Add(-30*time.Second).Unix()
	}})
	wantRefusal(t, errorOf(recorded.UserInfo(t.Context(), token)), []int{http.StatusUnauthorized}, oauth.InvalidDPoPProof)
}

// What one client signs for one purpose does not serve for another purpose, nor another client.
func TestSignedForAnotherPurpose(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Signed: true}
	client := server.Register(t, "bank.app", profile)
	other := server.Register(t, "other.app", profile)
	now := server.Clock.Now()
	sign := func(typ string, change func(fapitest.Claims)) func(fapitest.Claims) (string, error) {
		claims := fapitest.Claims{
			"iss": client.ClientID, "sub": client.ClientID, "aud": server.Issuer, "jti": oauth.NewSecret().Reveal(),
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		}
		change(claims)
		return func(fapitest.Claims) (string, error) { return client.SigningKey.Sign(typ, claims) }
	}
	none := func(fapitest.Claims) {}
	cases := []struct {
		name   string
		client *fapitest.Client
		code   oauth.ErrorCode
	}{
		{"request object as client assertion", client.With(fapitest.Misbehave{
			SignAssertion: sign(oauth.TypeRequestObject, none)}), oauth.InvalidClient},
		{"request object without typ as client assertion: it has no sub", client.With(fapitest.Misbehave{
			SignAssertion: sign("", func(claims fapitest.Claims) { delete(claims, "sub") })}), oauth.InvalidClient},
		{"DPoP proof as client assertion", client.With(fapitest.Misbehave{
			SignAssertion: sign(oauth.TypeDPoP, none)}), oauth.InvalidClient},
		{"access token type as client assertion", client.With(fapitest.Misbehave{
			SignAssertion: sign(oauth.TypeAccessToken, none)}), oauth.InvalidClient},
		{"client assertion as request object", client.With(fapitest.Misbehave{
			SignRequestObject: sign("", none)}), oauth.InvalidRequest},
		{"another client's request object", other.With(fapitest.Misbehave{
			SignRequestObject: func(claims fapitest.Claims) (string, error) {
				return client.SigningKey.Sign(oauth.TypeRequestObject, claims)
			}}), oauth.InvalidRequestObject},
		{"request object that names another client", client.With(fapitest.Misbehave{
			RequestObject: claim("client_id", "other.app")}), oauth.InvalidRequest},
		{"request object issued by another client", client.With(fapitest.Misbehave{
			RequestObject: claim("iss", "other.app")}), oauth.InvalidRequestObject},
		{"request object that hides a request_uri", client.With(fapitest.Misbehave{
			RequestObject: claim("request_uri", "https://evil.example/object")}), oauth.InvalidRequestObject},
		{"request object with a list for a parameter", client.With(fapitest.Misbehave{
			RequestObject: claim("redirect_uri", []string{client.RedirectURI, "https://evil.example"})}), oauth.InvalidRequest},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.client.Push(t.Context(), c.client.NewAuthorization())
			wantRefusal(t, err, []int{http.StatusBadRequest, http.StatusUnauthorized}, c.code)
		})
	}
}

// A certificate that was taken from the registration authenticates nobody, also
// on a TLS connection, or session, that was opened with it before.
func TestWithdrawnCertificateOnAnOpenConnection(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthSelfSignedTLS})
	successor := server.Register(t, "bank.successor", fapitest.Profile{AuthMethod: oauth.AuthSelfSignedTLS})
	if _, err := client.ClientCredentials(t.Context(), "accounts"); err != nil {
		t.Fatal(err)
	}
	client.Metadata.JWKS = successor.Metadata.JWKS
	server.Put(t, client.Metadata)
	wantRefusal(t, errorOf(client.ClientCredentials(t.Context(), "accounts")), []int{http.StatusUnauthorized}, oauth.InvalidClient)
}

// With tls_client_auth the issuer decides who the client is: whoever gets the
// client's name from an issuer that the client trusts can act as the client
// (RFC 8705, 2.1). An issuer that several tenants may ask must refuse other
// tenants' names.
func TestIssuerDecidesWhoTheClientIs(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthTLSClient})
	for uri, admitted := range map[string]bool{client.Metadata.TLSClientAuthSANURI: true, client.Metadata.TLSClientAuthSANURI + "2": false} {
		issued := server.Authority.Issue(t, testca.Leaf{URIs: []string{uri}}).TLS(t)
		impostor := client.With(fapitest.Misbehave{Certificate: &issued})
		if _, err := impostor.ClientCredentials(t.Context(), "accounts"); (err == nil) != admitted {
			t.Errorf("a certificate for %s: %v", uri, err)
		}
		impostor.Close()
	}
}

// A refresh token gives no scope that was taken from the client's registration.
func TestScopeTakenFromTheClient(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	client.Scope = "openid accounts payments"
	tokens := flow(t, server, client.Client)
	authorization, unredeemed := code(t, server, client.Client)
	client.Metadata.Scope = "openid accounts"
	server.Put(t, client.Metadata)

	refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	redeemed, err := client.Redeem(t.Context(), authorization, unredeemed)
	if err != nil {
		t.Fatal(err)
	}
	for name, scope := range map[string]string{"refresh": refreshed.Scope, "code": redeemed.Scope} {
		if slices.Contains(oauth.SpaceSeparated(scope), "payments") || !slices.Contains(oauth.SpaceSeparated(scope), "accounts") {
			t.Errorf("%s: scope %q after payments was taken away", name, scope)
		}
	}
	_, err = client.Refresh(t.Context(), tokens.RefreshToken, "payments")
	wantRefusal(t, err, []int{http.StatusBadRequest}, oauth.InvalidScope)
}

// A person's answer never goes to a redirect URI, or to a client, that the
// registration does not allow any more.
func TestRegistrationChangesWhileThePersonIsAsked(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	cases := []struct {
		name   string
		change func(*registration.Metadata)
	}{
		{"redirect URI withdrawn", func(m *registration.Metadata) { m.RedirectURIs = []string{"https://elsewhere.example/callback"} }},
		{"authorization code grant withdrawn", func(m *registration.Metadata) {
			m.GrantTypes, m.ResponseTypes, m.RedirectURIs = []string{oauth.GrantClientCredentials}, nil, nil
		}},
		{"suspended", func(m *registration.Metadata) { m.Suspended = new(true) }},
	}
	for i, c := range cases {
		client := server.Register(t, "bank.app-"+string(rune('a'+i)), fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			taken, waiting := push(t, client.Client), push(t, client.Client)
			browser := client.NewBrowser()
			defer browser.Close()
			page := openConsent(t, server, client.Client, browser, waiting)
			changed := client.Metadata
			c.change(&changed)
			server.Put(t, changed)
			answered, err := server.Person.Decide(t.Context(), browser, page)
			if err != nil || answered.Callback != nil || answered.Status < http.StatusBadRequest {
				t.Errorf("the answer leads to %v (%v)", answered, err)
			}
			wantErrorPage(t, errorOf(client.Authorize(t.Context(), taken, server.Person)))
		})
	}
}

// A tenant is not registered for a scope that the server does not offer: with
// client credentials it would get tokens for it without anybody's consent.
func TestScopeThatTheServerDoesNotOffer(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "tenant.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	client.Metadata.Scope = "accounts administration"
	_, err := server.Registrar.Register(t.Context(), client.ClientID, registration.NoRevision, registration.Request{
		Owner: registration.Owner{Installation: "test", Namespace: "bank", Name: client.ClientID}, Generation: 2, Metadata: client.Metadata,
	})
	rejected, ok := errors.AsType[*registration.RejectedError](err)
	if !ok || !slices.Contains(rejected.Rules(), "LOCAL-SCOPE") {
		t.Errorf("registered for administration: %v", err)
	}
}

// A person who was removed from the users' file grants nothing any more.
func TestPersonWhoLeft(t *testing.T) {
	t.Parallel()
	server := fapitest.Prepare(t)
	server.Start(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	tokens := flow(t, server, client.Client)
	server.Stop()
	directory := filepath.Dir(server.ConfigFile)
	users, err := os.ReadFile(filepath.Join(directory, "users.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	testca.WriteFile(t, directory, "users.yaml", bytes.ReplaceAll(users, []byte(server.Person.Username), []byte("mallory")))
	server.Start(t)
	defer server.Stop()
	_, err = client.Refresh(t.Context(), tokens.RefreshToken, "")
	wantRefusal(t, err, []int{http.StatusBadRequest}, oauth.InvalidGrant)
	_, err = client.UserInfo(t.Context(), tokens.AccessToken)
	wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
	wantIntrospection(t, client.Client, tokens.AccessToken, inactive)
}

// A browser stays logged in for as long as the configuration says (8 hours), and no longer.
func TestSessionLifetimeIsTheConfigurations(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	browser := client.NewBrowser()
	defer browser.Close()
	openConsent(t, server, client.Client, browser, push(t, client.Client))
	for _, c := range []struct {
		after time.Duration
		asks  string
	}{{8*time.Hour - time.Second, "approve"}, {time.Second, "login"}} {
		server.Clock.Advance(c.after)
		if page := openAuthorization(t, client.Client, browser, push(t, client.Client)); !page.Has(c.asks) {
			t.Errorf("%s later the browser is shown: %s", c.after, page.Text())
		}
	}
}

// A jwks_uri that does not answer costs no code to a client that encrypts nothing.
func TestUnreachableKeysCostNoCode(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{
		AuthMethod: oauth.AuthTLSClient, JARM: true,
		Change: func(m *registration.Metadata) { m.JWKSURI = "https://127.0.0.1:1/jwks.json" },
	})
	flow(t, server, client.Client)
}

// Nobody but the browser that was asked can answer, and only on the page that it was shown.
func TestForgedConsent(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	victim, attacker := client.NewBrowser(), client.NewBrowser()
	defer victim.Close()
	defer attacker.Close()
	page := openConsent(t, server, client.Client, victim, push(t, client.Client))

	cases := []struct {
		name   string
		answer func(context.Context) (*fapitest.Page, error)
	}{
		{"the address in another browser", func(ctx context.Context) (*fapitest.Page, error) {
			return attacker.Open(ctx, page.URL.String())
		}},
		{"the form from another browser", func(ctx context.Context) (*fapitest.Page, error) {
			return attacker.Click(ctx, page, "approve", nil)
		}},
		{"without the page's token", func(ctx context.Context) (*fapitest.Page, error) {
			return victim.Click(ctx, page, "approve", map[string]string{"token": ""})
		}},
		{"with a token of one's own making", func(ctx context.Context) (*fapitest.Page, error) {
			return victim.Click(ctx, page, "approve", map[string]string{"token": strings.Repeat("A", 43)})
		}},
	}
	for _, c := range cases {
		got, err := c.answer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Callback != nil || got.Status != http.StatusForbidden {
			t.Errorf("%s: status %d, callback %v", c.name, got.Status, got.Callback)
		}
	}
	for _, rule := range []string{"LOCAL-PAGE-BROWSER", "LOCAL-PAGE-FORM"} {
		if _, metrics := get(t, client.Client, server.HealthURL+"/metrics"); !strings.Contains(server.Log(), "rule="+rule+" ") ||
			!strings.Contains(string(metrics), `rule="`+rule+`"`) {
			t.Errorf("the attempts are not in log and metrics as %s", rule)
		}
	}
	if got, err := server.Person.Decide(t.Context(), victim, page); err != nil || got.Callback == nil {
		t.Errorf("the person's own answer: %v, %v", got, err)
	}
}

// openAuthorization sends the browser to the authorization endpoint.
func openAuthorization(t *testing.T, client *fapitest.Client, browser *fapitest.Browser, authorization *fapitest.Authorization) *fapitest.Page {
	t.Helper()
	address, err := client.AuthorizationURL(t.Context(), authorization)
	if err != nil {
		t.Fatal(err)
	}
	page, err := browser.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// openConsent goes as far as the consent page, through the login.
func openConsent(t *testing.T, server *fapitest.Server, client *fapitest.Client, browser *fapitest.Browser, authorization *fapitest.Authorization) *fapitest.Page {
	t.Helper()
	page, err := server.Person.LogIn(t.Context(), browser, openAuthorization(t, client, browser, authorization))
	if err != nil {
		t.Fatal(err)
	}
	if !page.Has("approve") {
		t.Fatalf("no consent page: %s", page.Text())
	}
	return page
}

// errorOf keeps the error of a call whose answer does not matter.
func errorOf[T any](_ T, err error) error { return err }
