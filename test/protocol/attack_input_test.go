package protocol

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// Whatever a stranger sends is refused as bad input: it is no failure of the
// server, is never cached, and no web page may read the answer.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthTLSClient})
	assertion := func(text string) string {
		return url.Values{
			oauth.ParamGrantType: {oauth.GrantClientCredentials}, oauth.ParamClientAssertionType: {oauth.ClientAssertionTypeJWT},
			oauth.ParamClientAssertion: {text},
		}.Encode()
	}
	bodies := map[string]string{
		"nothing":                  "",
		"broken escape":            "%zz",
		"semicolons":               "a=1;b=2",
		"a thousand parameters":    strings.Repeat("a=b&", 1000),
		"more bytes than are read": "a=" + strings.Repeat("a", oauth.MaxFormBytes),
		"not UTF-8":                "client_id=%ff%fe&grant_type=%00",
		"empty assertion":          assertion(""),
		"only dots":                assertion("..") + "&client_id=bank.app",
		"five empty parts":         assertion("...."),
		"alg none":                 assertion("eyJhbGciOiJub25lIn0.e30."),
		"deep JSON":                assertion(strings.Repeat("W1tb", 8000) + ".e30.AAAA"),
		"unknown client, no key":   "client_id=" + strings.Repeat("x", 4000) + "&grant_type=client_credentials",
		"another's client_id":      "client_id=bank.app&grant_type=client_credentials",
		"client_id twice":          "client_id=bank.app&client_id=other.app&grant_type=client_credentials",
	}
	for _, path := range []string{"/par", "/token", "/revoke"} {
		for name, body := range bodies {
			t.Run(path+" "+name, func(t *testing.T) {
				t.Parallel()
				wantHarmless(t, client, server.Issuer+path, body)
			})
		}
	}
	for _, query := range []string{
		"", "client_id=bank.app", "client_id=bank.app&request_uri=https://evil.example/object",
		"client_id=bank.app&request_uri=" + oauth.RequestURIPrefix, "client_id=%ff&request_uri=%00", "client_id=a&client_id=b",
		"response_type=code&client_id=bank.app&redirect_uri=https://evil.example", "%zz",
	} {
		t.Run("/authorize "+query, func(t *testing.T) {
			t.Parallel()
			wantPage(t, client, server.Issuer+"/authorize?"+query)
		})
	}
}

// wantHarmless posts a form as a page of another site would.
func wantHarmless(t *testing.T, client *fapitest.Registered, address, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", "https://evil.example")
	response, err := client.HTTP(false).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // Only the header counts.
	if response.StatusCode != http.StatusBadRequest && response.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d", response.StatusCode)
	}
	if response.Header.Get("Cache-Control") != "no-store" || response.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("header %v", response.Header)
	}
}

// wantPage asks for a page that leads nowhere.
func wantPage(t *testing.T, client *fapitest.Registered, address string) {
	t.Helper()
	browser := client.NewBrowser()
	defer browser.Close()
	page, err := browser.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if page.Status != http.StatusBadRequest || page.Callback != nil || !page.Has("error") || page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, callback %v: %s", page.Status, page.Callback, page.Text())
	}
}

// What is kept of a request is bounded, however much a client sends.
func TestOversizedHints(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	for name, value := range map[string]string{
		oauth.ParamLoginHint: strings.Repeat("a", 10_000), oauth.ParamACRValues: strings.Repeat("a ", 5_000),
		oauth.ParamUILocales: strings.Repeat("en ", 5_000), oauth.ParamScope: strings.Repeat("openid ", 2_000),
	} {
		big := client.With(fapitest.Misbehave{Parameters: setting(name, value)})
		_, err := big.Push(t.Context(), big.NewAuthorization())
		wantRefusal(t, err, []int{http.StatusBadRequest}, oauth.InvalidRequest)
	}
}

// Whoever has seen a request_uri cannot fill the store by opening it again and again.
func TestRequestURIOpenedTooOften(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	authorization := push(t, client.Client)
	browser := client.NewBrowser()
	defer browser.Close()
	for range store.MaxInteractions {
		if page := openAuthorization(t, client.Client, browser, authorization); !page.Has("login") {
			t.Fatalf("no login page: %s", page.Text())
		}
	}
	if page := openAuthorization(t, client.Client, browser, authorization); page.Status != http.StatusBadRequest || !page.Has("error") {
		t.Errorf("status %d: %s", page.Status, page.Text())
	}
}

// A stranger's text becomes neither a metric's label nor a log's secret.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true})
	authorization, secret := code(t, server, client.Client)
	wrong := client.With(fapitest.Misbehave{TokenForm: func(form url.Values) {
		form.Set(oauth.ParamCodeVerifier, strings.Repeat("guess", 10))
	}})
	wantRefusal(t, errorOf(wrong.Redeem(t.Context(), authorization, secret)), []int{http.StatusBadRequest}, oauth.InvalidGrant)
	tokens, err := client.Redeem(t.Context(), authorization, secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Redeem(t.Context(), authorization, secret); err == nil {
		t.Error("the code was redeemed twice")
	}
	stranger := client.With(fapitest.Misbehave{TokenForm: func(form url.Values) {
		form.Set(oauth.ParamGrantType, "marked-by-a-stranger")
	}, Header: func(header http.Header) { header.Set("User-Agent", "marked-by-a-stranger") }})
	if _, err := stranger.ClientCredentials(t.Context(), ""); err == nil {
		t.Error("an unknown grant type was served")
	}
	for name, text := range map[string]string{
		"code": secret, "code_verifier": authorization.CodeVerifier, "request_uri": authorization.Pushed.RequestURI,
		"state": authorization.State, "access token": tokens.AccessToken, "refresh token": tokens.RefreshToken,
		"ID token": tokens.IDToken, "password": server.Person.Password,
	} {
		if strings.Contains(server.Log(), text) {
			t.Errorf("the %s is in the log", name)
		}
	}
	if strings.Contains(metrics(t, server), "marked-by-a-stranger") {
		t.Error("a stranger's text is in the metrics")
	}
}

func metrics(t *testing.T, server *fapitest.Server) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.HealthURL+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // All that counts has been read by then.
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
