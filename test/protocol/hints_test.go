package protocol

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// with sends more parameters along.
func with(client *fapitest.Client, parameters map[string]string) *fapitest.Client {
	return client.With(fapitest.Misbehave{Parameters: func(form url.Values) {
		for name, value := range parameters {
			form.Set(name, value)
		}
	}})
}

// TestIDTokenHint is oidcc-id-token-hint: the person of an ID token that the client
// got before, however long ago, logs in again; nobody else does.
func TestIDTokenHint(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for name, signed := range map[string]bool{"form": false, "request-object": true} {
		profile := keyAndDPoP
		profile.Signed = signed
		client := server.Register(t, "hinting."+name, profile).Client
		_, tokens, err := client.Flow(t.Context(), server.Person)
		if err != nil {
			t.Fatal(err)
		}
		server.Clock.Advance(time.Hour)
		hinting := with(client, map[string]string{oauth.ParamIDTokenHint: tokens.IDToken})
		if idToken, _ := claimsOf(t, server, hinting); idToken["sub"] != tokens.IDClaims["sub"] {
			t.Errorf("%s: the hint is about %v, the ID token about %v", name, tokens.IDClaims["sub"], idToken["sub"])
		}
		refusedCallback(t, hinting, server.Other, oauth.LoginRequired)
	}
}

// TestIDTokenHintWithoutAPage: prompt=none with a hint about somebody who is not
// logged in is login_required; the session of another person does not count.
func TestIDTokenHintWithoutAPage(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	browser := client.NewBrowser()
	defer browser.Close()
	silent := with(client, map[string]string{oauth.ParamIDTokenHint: tokens.IDToken, oauth.ParamPrompt: "none"})
	hinting := with(client, map[string]string{oauth.ParamIDTokenHint: tokens.IDToken})
	for _, step := range []struct {
		name string
		from *fapitest.Client
		as   fapitest.Person
		want oauth.ErrorCode
	}{
		{"nobody is logged in", silent, server.Person, oauth.LoginRequired},
		{"Bob logs in, for a request of his own", client, server.Other, ""},
		{"Bob's session", silent, server.Person, oauth.LoginRequired},
		{"Alice logs in in his place", hinting, server.Person, ""},
		{"Alice's session: consent alone is left to ask", silent, server.Person, oauth.ConsentRequired},
	} {
		_, err := step.from.AuthorizeWith(t.Context(), browser, push(t, step.from), step.as)
		refused, isRefused := errors.AsType[*fapitest.CallbackError](err)
		switch {
		case step.want == "" && err != nil, step.want != "" && !isRefused:
			t.Fatalf("%s: want %q, got: %v", step.name, step.want, err)
		case isRefused && refused.Callback.Error != step.want:
			t.Fatalf("%s: want %q, got %s", step.name, step.want, refused.Callback.Error)
		}
	}
}

// TestForeignIDTokenHintIsRefused where it is pushed.
func TestForeignIDTokenHintIsRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := keyAndDPoP
	profile.Change = func(m *registration.Metadata) { m.UserinfoSignedResponseAlg = string(jose.ES256) }
	client := server.Register(t, "bank.app", profile).Client
	other := server.Register(t, "bank.other", keyAndDPoP).Client
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	_, others, err := other.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := client.SigningKey.Sign(oauth.TypeJWT, tokens.IDClaims)
	if err != nil {
		t.Fatal(err)
	}
	header, rest, _ := strings.Cut(tokens.IDToken, ".")
	_, signature, _ := strings.Cut(rest, ".")
	for name, hint := range map[string]string{
		"another client's":          others.IDToken,
		"an access token":           tokens.AccessToken,
		"signed by the client":      forged,
		"another token's signature": others.IDToken[:strings.LastIndexByte(others.IDToken, '.')+1] + signature,
		"without a signature":       header + "." + strings.TrimSuffix(rest, signature),
		"no JWT":                    "alice",
	} {
		hinting := with(client, map[string]string{oauth.ParamIDTokenHint: hint})
		_, err := hinting.Push(t.Context(), hinting.NewAuthorization())
		t.Log(name)
		wantRefusal(t, err, badRequest, oauth.InvalidRequest)
	}
}

// TestLoginHint is oidcc-login-hint: the name is filled in, and binds nobody.
func TestLoginHint(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	hinting := with(client, map[string]string{oauth.ParamLoginHint: server.Person.Username})
	browser := client.NewBrowser()
	defer browser.Close()
	address, err := hinting.AuthorizationURL(t.Context(), push(t, hinting))
	if err != nil {
		t.Fatal(err)
	}
	page, err := browser.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if filledIn := page.Value("username"); filledIn != server.Person.Username {
		t.Errorf("the login page says %q", filledIn)
	}
	if _, err := hinting.Authorize(t.Context(), push(t, hinting), server.Other); err != nil {
		t.Errorf("another person than the hint's: %v", err)
	}
}

// TestUILocales is oidcc-ui-locales: pages speak a language that was asked for and
// is advertised, and any other value is no error.
func TestUILocales(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	_, body := get(t, client, server.Issuer+"/.well-known/openid-configuration")
	var document struct {
		UILocales []string `json:"ui_locales_supported"`
	}
	if err := json.Unmarshal(body, &document); err != nil || len(document.UILocales) < 2 {
		t.Fatalf("ui_locales_supported is %v: %v", document.UILocales, err)
	}
	speaks := map[string]string{"se": "en", "fr-CA fr en de": "en", "no_locale ../x": "en"}
	for _, locale := range document.UILocales {
		speaks[locale] = locale
	}
	for locales, want := range speaks {
		asked := with(client, map[string]string{oauth.ParamUILocales: locales})
		browser := client.NewBrowser()
		defer browser.Close()
		address, err := asked.AuthorizationURL(t.Context(), push(t, asked))
		if err != nil {
			t.Fatal(err)
		}
		page, err := browser.Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		if page.Lang() != want {
			t.Errorf("ui_locales %s: the page is in %s", locales, page.Lang())
		}
		if _, err := asked.Authorize(t.Context(), push(t, asked), server.Person); err != nil {
			t.Error(err)
		}
	}
}
