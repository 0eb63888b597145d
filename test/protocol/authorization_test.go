package protocol

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestAuthorizationResponse is what of the request must come back, and how.
func TestAuthorizationResponse(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "auth-client", keyAndDPoP).Client
	for module, change := range map[string]func(*fapitest.Authorization){
		"ensure-authorization-request-without-state-success":      func(a *fapitest.Authorization) { a.State = "" },
		"ensure-authorization-request-with-long-state":            func(a *fapitest.Authorization) { a.State = strings.Repeat("s", 1000) },
		"ensure-authorization-request-without-nonce-success":      func(a *fapitest.Authorization) { a.Nonce = "" },
		"ensure-authorization-request-with-64-char-nonce-success": func(a *fapitest.Authorization) { a.Nonce = strings.Repeat("n", 64) },
		"ensure-authorization-request-with-long-nonce":            func(a *fapitest.Authorization) { a.Nonce = strings.Repeat("n", 384) },
		"state-with-every-kind-of-character":                      func(a *fapitest.Authorization) { a.State = "a b&c=d+e%20f#g\"<é>" },
		"ensure-other-scope-order-succeeds":                       func(a *fapitest.Authorization) { a.Scope = "accounts openid" },
		"without-openid":                                          func(a *fapitest.Authorization) { a.Scope = "accounts" },
	} {
		t.Run(module, func(t *testing.T) {
			authorization := client.NewAuthorization()
			change(authorization)
			if _, err := client.Push(t.Context(), authorization); err != nil {
				t.Fatal(err)
			}
			callback, err := client.Authorize(t.Context(), authorization, server.Person)
			if err != nil {
				t.Fatal(err)
			}
			if authorization.State == "" && callback.Query.Has(oauth.ParamState) {
				t.Error("the response has a state, the request had none")
			}
			for name := range callback.Query {
				if name != oauth.ParamCode && name != oauth.ParamState && name != oauth.ParamIss {
					t.Errorf("the response has the parameter %s", name)
				}
			}
			tokens, err := client.Redeem(t.Context(), authorization, callback.Code)
			if err != nil {
				t.Fatal(err)
			}
			if wantsID := strings.Contains(authorization.Scope, "openid"); wantsID != (tokens.IDToken != "") {
				t.Errorf("scope %q and ID token %q", authorization.Scope, tokens.IDToken)
			}
		})
	}
}

// TestParametersBesideTheRequestURI: what stands in the query does not count.
func TestParametersBesideTheRequestURI(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "auth-client", keyAndDPoP).Client
	for module, change := range map[string]func(url.Values){
		"ensure-different-state-inside-and-outside-request-object": setting(oauth.ParamState, "another"),
		"ensure-different-nonce-inside-and-outside-request-object": setting(oauth.ParamNonce, "another"),
		"redirect-uri-outside": setting(oauth.ParamRedirectURI, "https://thief.example/callback"),
		"scope-outside":        setting(oauth.ParamScope, "payments"),
	} {
		t.Run(module, func(t *testing.T) {
			flow(t, server, client.With(fapitest.Misbehave{AuthorizationQuery: change}))
		})
	}
	t.Run("state-only-outside-request-object-not-used", func(t *testing.T) {
		outside := client.With(fapitest.Misbehave{AuthorizationQuery: setting(oauth.ParamState, "outside")})
		authorization := outside.NewAuthorization()
		authorization.State = ""
		if _, err := outside.Push(t.Context(), authorization); err != nil {
			t.Fatal(err)
		}
		if _, err := outside.Authorize(t.Context(), authorization, server.Person); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAuthorizationRequestRefused: nothing is redirected on data that nobody has verified.
func TestAuthorizationRequestRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "auth-client", keyAndDPoP).Client
	server.Register(t, "other-client", keyAndDPoP)
	for module, change := range map[string]func(url.Values){
		"par-attempt-to-use-request_uri-for-different-client": setting(oauth.ParamClientID, "other-client"),
		"client-unknown":        setting(oauth.ParamClientID, "nobody"),
		"client_id-left-out":    removing(oauth.ParamClientID),
		"request_uri-left-out":  removing(oauth.ParamRequestURI),
		"request_uri-unknown":   setting(oauth.ParamRequestURI, oauth.RequestURIPrefix+strings.Repeat("A", 43)),
		"request_uri-elsewhere": setting(oauth.ParamRequestURI, "https://thief.example/request"),
		"request_uri-repeated":  repeating(oauth.ParamRequestURI),
		"ensure-unsigned-authorization-request-without-using-par-fails": func(query url.Values) {
			query.Del(oauth.ParamRequestURI)
			query.Set(oauth.ParamResponseType, "code")
			query.Set(oauth.ParamRedirectURI, client.RedirectURI)
			query.Set(oauth.ParamScope, "openid")
			query.Set(oauth.ParamCodeChallenge, strings.Repeat("A", 43))
			query.Set(oauth.ParamCodeChallengeMethod, "S256")
		},
	} {
		t.Run(module, func(t *testing.T) {
			misbehaving := client.With(fapitest.Misbehave{AuthorizationQuery: change})
			_, err := misbehaving.Authorize(t.Context(), push(t, misbehaving), server.Person)
			wantErrorPage(t, err)
		})
	}
}

// TestUserRejectsAuthentication, in both response modes and twice in one browser.
func TestUserRejectsAuthentication(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	person := server.Person
	person.Denies = true
	for name, jarm := range map[string]bool{"plain": false, "jarm": true} {
		t.Run(name, func(t *testing.T) {
			profile := keyAndDPoP
			profile.JARM = jarm
			client := server.Register(t, "denied-"+name, profile).Client
			browser := client.NewBrowser()
			defer browser.Close()
			for range 2 {
				authorization := push(t, client)
				_, err := client.AuthorizeWith(t.Context(), browser, authorization, person)
				refused, ok := errors.AsType[*fapitest.CallbackError](err)
				if !ok || refused.Callback.Error != oauth.AccessDenied {
					t.Fatalf("want access_denied, got: %v", err)
				}
			}
		})
	}
}

// TestRequestURIIsUsedOnce: at the authorization, not when a page loads
// (FAPI 2.0 Security Profile, 5.3.2.2, note 3).
func TestRequestURIIsUsedOnce(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "auth-client", keyAndDPoP).Client
	t.Run("par-ensure-reused-request-uri-prior-to-auth-completion-succeeds", func(t *testing.T) {
		authorization := push(t, client)
		browser := client.NewBrowser()
		defer browser.Close()
		address, err := client.AuthorizationURL(t.Context(), authorization)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			page, err := browser.Open(t.Context(), address)
			if err != nil || !page.Has("login") {
				t.Fatalf("want the login page, got %v, %v", page, err)
			}
		}
		if _, err := client.AuthorizeWith(t.Context(), browser, authorization, server.Person); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("par-attempt-reuse-request_uri", func(t *testing.T) {
		authorization := push(t, client)
		if _, err := client.Authorize(t.Context(), authorization, server.Person); err != nil {
			t.Fatal(err)
		}
		_, err := client.Authorize(t.Context(), authorization, server.Person)
		wantErrorPage(t, err)
	})
	t.Run("after-a-refusal", func(t *testing.T) {
		authorization := push(t, client)
		person := server.Person
		person.Denies = true
		if _, err := client.Authorize(t.Context(), authorization, person); err == nil {
			t.Fatal("the refusal became a code")
		}
		_, err := client.Authorize(t.Context(), authorization, server.Person)
		wantErrorPage(t, err)
	})
	t.Run("two-browsers-at-once", func(t *testing.T) {
		authorization := push(t, client)
		pages := make([]*fapitest.Page, 2)
		browsers := make([]*fapitest.Browser, 2)
		address, err := client.AuthorizationURL(t.Context(), authorization)
		if err != nil {
			t.Fatal(err)
		}
		for i := range pages {
			browsers[i] = client.NewBrowser()
			defer browsers[i].Close()
			if pages[i], err = browsers[i].Open(t.Context(), address); err != nil {
				t.Fatal(err)
			}
			if pages[i], err = server.Person.LogIn(t.Context(), browsers[i], pages[i]); err != nil {
				t.Fatal(err)
			}
		}
		codes := 0
		for i := range pages {
			page, err := server.Person.Decide(t.Context(), browsers[i], pages[i])
			if err != nil {
				t.Fatal(err)
			}
			if page.Callback != nil && page.Callback.Query().Has(oauth.ParamCode) {
				codes++
			}
		}
		if codes != 1 {
			t.Errorf("one request_uri gave %d codes", codes)
		}
	})
}

// TestRequestURIExpiry: no grace when it has run out, and no cap on the login.
func TestRequestURIExpiry(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "auth-client", keyAndDPoP).Client
	t.Run("par-attempt-to-use-expired-request_uri", func(t *testing.T) {
		authorization := push(t, client)
		server.Clock.Advance(time.Duration(authorization.Pushed.ExpiresIn) * time.Second)
		_, err := client.Authorize(t.Context(), authorization, server.Person)
		wantErrorPage(t, err)
	})
	t.Run("the-person-may-take-minutes", func(t *testing.T) {
		authorization := push(t, client)
		browser := client.NewBrowser()
		defer browser.Close()
		address, err := client.AuthorizationURL(t.Context(), authorization)
		if err != nil {
			t.Fatal(err)
		}
		page, err := browser.Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		server.Clock.Advance(fapi.RequestURILifetime + 5*time.Minute)
		if page, err = server.Person.LogIn(t.Context(), browser, page); err != nil {
			t.Fatal(err)
		}
		server.Clock.Advance(5 * time.Minute)
		if page, err = server.Person.Decide(t.Context(), browser, page); err != nil {
			t.Fatal(err)
		}
		if page.Callback == nil {
			t.Fatalf("want an authorization response, got: %s", page.Text())
		}
		if _, err := client.ReadCallback(t.Context(), authorization, page.Callback); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLogin: a wrong password shows the form again, and 303 ends each form.
func TestLogin(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "auth-client", keyAndDPoP).Client
	browser := client.NewBrowser()
	defer browser.Close()
	address, err := client.AuthorizationURL(t.Context(), push(t, client))
	if err != nil {
		t.Fatal(err)
	}
	page, err := browser.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	wrong := server.Person
	wrong.Password = "wrong"
	if page, err = wrong.LogIn(t.Context(), browser, page); err != nil || page.Status != http.StatusForbidden || !page.Has("problem") {
		t.Fatalf("a wrong password: %v, %v", page, err)
	}
	if metrics, err := server.Metrics(); err != nil || !strings.Contains(metrics, `rule="LOCAL-LOGIN-CREDENTIALS"`) {
		t.Errorf("the wrong password is not counted: %v", err)
	}
	if page, err = server.Person.LogIn(t.Context(), browser, page); err != nil || page.RedirectStatus != http.StatusSeeOther {
		t.Fatalf("the login redirects with %v, %v", page, err)
	}
	if page, err = server.Person.Decide(t.Context(), browser, page); err != nil || page.RedirectStatus != http.StatusSeeOther {
		t.Fatalf("the decision redirects with %v, %v (FAPI 2.0 Security Profile, 5.3.2.2-10, -11)", page, err)
	}
	if page.Header.Get("Cache-Control") != "no-store" {
		t.Error("the authorization response may be cached")
	}
}

// TestPromptNone: who is not logged in is not asked.
func TestPromptNone(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "auth-client", keyAndDPoP).With(fapitest.Misbehave{PushForm: setting(oauth.ParamPrompt, "none")})
	_, err := client.Authorize(t.Context(), push(t, client), server.Person)
	refused, ok := errors.AsType[*fapitest.CallbackError](err)
	if !ok || refused.Callback.Error != oauth.LoginRequired {
		t.Fatalf("want login_required, got: %v", err)
	}
}
