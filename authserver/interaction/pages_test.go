package interaction

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Reload and back work until the code is issued.
func TestReloadAndBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	login := b.get(s.push())
	b.get(login.url.String()).requirePath(t, "/interaction/login")
	b.logIn(login, alice, "wrong")
	consent := b.logIn(login, alice, testPassword)
	b.get(consent.url.String()).requirePath(t, "/interaction/consent")

	again := b.get(login.url.String())
	again.requirePath(t, "/interaction/login")
	consent = b.logIn(again, alice, testPassword)
	b.decide(consent, "approve").requireAnswer(t, "code=issued")

	for _, address := range []string{login.url.String(), consent.url.String()} {
		b.get(address).requireMessage(t, http.StatusGone, "answered", "already answered")
	}
	b.decide(consent, "approve").requireMessage(t, http.StatusGone, "answered", "already answered")
	b.logIn(login, alice, testPassword).requireMessage(t, http.StatusGone, "answered", "already answered")
}

func TestAnInteractionExpires(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	login := b.get(s.push())
	s.clock.advance(fapi.InteractionLifetime - time.Second)
	consent := b.logIn(login, alice, testPassword)
	s.clock.advance(time.Second)
	b.decide(consent, "approve").requireMessage(t, http.StatusGone, "error", "took too long")
	b.get(login.url.String()).requireMessage(t, http.StatusGone, "error", "took too long")
}

func TestAnotherBrowserCannotAnswer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	consent := s.browser().consentPage()
	stranger := s.browser()
	stranger.get(consent.url.String()).requireMessage(t, http.StatusForbidden, "error", "does not belong to your browser")
	stranger.decide(consent, "approve").requireMessage(t, http.StatusForbidden, "error", "does not belong to your browser")
	stranger.get(s.server.URL+"/interaction/login?interaction=../../x").requireMessage(t, http.StatusForbidden, "error", "")
	stranger.get(s.server.URL+"/interaction/consent").requireMessage(t, http.StatusForbidden, "error", "")
}

// A form that another site posts does nothing, nor does one with another page's token.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	otherTab := b.get(s.push())
	login := b.get(s.push())
	otherBrowser := s.browser().get(s.push())
	token := func(p page) string { return attribute(p.element("token"), "value") }
	cases := []struct {
		name  string
		forge func(request *http.Request)
		token string
	}{
		{name: "no token", token: ""},
		{name: "another tab's token", token: token(otherTab)},
		{name: "another browser's token", token: token(otherBrowser)},
		{name: "cross-site", token: token(login), forge: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }},
		{name: "same-site but another origin", token: token(login), forge: func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }},
		{name: "an older browser, from another origin", token: token(login), forge: func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example")
		}},
	}
	for _, c := range cases {
		request := b.submission(login, map[string]string{"username": alice, "password": testPassword, "token": c.token})
		if c.forge != nil {
			c.forge(request)
		}
		if got := b.do(request); got.status != http.StatusForbidden || got.element("error") == nil {
			t.Errorf("%s: status %d: %s", c.name, got.status, got.text)
		}
	}
	if b.cookie(sessionCookie) != "" {
		t.Error("a forged form began a session")
	}
}

// Nobody approves in another's name because another tab has changed the account.
func TestConsentIsForTheAccountThatWasShown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	asAlice := b.consentPage()
	login := b.get(strings.Replace(asAlice.url.String(), consentPath, loginPath, 1))
	asBob := b.logIn(login, bob, testPassword)
	b.decide(asAlice, "approve").requireMessage(t, http.StatusForbidden, "error", "out of date")
	b.decide(asBob, "approve").requireAnswer(t, "code=issued")
	user, _ := s.pages.Users.BySubject(s.outcomes()[0].Interaction.Authentication.Subject)
	if user.Username != bob {
		t.Errorf("granted by %s", user.Username)
	}
}

func TestADecisionIsApproveOrDeny(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	consent := b.consentPage()
	b.decide(consent, "maybe").requireMessage(t, http.StatusForbidden, "error", "out of date")
	b.submit(consent, nil).requireMessage(t, http.StatusForbidden, "error", "out of date")
	huge := b.submit(consent, map[string]string{"decision": strings.Repeat("x", maxPageFormBytes)})
	huge.requireMessage(t, http.StatusBadRequest, "error", "too long")
	b.decide(consent, "approve").requireAnswer(t, "code=issued")
}

func TestEveryLoginRenewsTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	consent := b.consentPage()
	before := b.cookie(sessionCookie)
	b.logIn(b.get(strings.Replace(consent.url.String(), consentPath, loginPath, 1)), alice, testPassword)
	after := b.cookie(sessionCookie)
	if before == "" || before == after {
		t.Fatalf("the session's secret is not renewed")
	}
	_, err := s.store.Session(t.Context(), oauth.SecretFrom(before).Digest(), s.clock.Now())
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session before the login is still alive: %v", err)
	}
}

func TestCookiesAndHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	begun := b.get(s.push())
	login := b.get(s.server.URL + begun.header.Get("Location"))
	loggedIn := b.logIn(login, alice, testPassword)
	consent := b.get(s.server.URL + loggedIn.header.Get("Location"))

	for _, response := range []page{begun, loggedIn} {
		if response.status != http.StatusSeeOther {
			t.Errorf("%s redirects with %d, want 303", response.url.Path, response.status)
		}
		for _, cookie := range response.header.Values("Set-Cookie") {
			for _, part := range []string{"; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
				if !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, part) || strings.Contains(cookie, "Domain") {
					t.Errorf("cookie %q: want a __Host- cookie with%s", cookie, part)
				}
			}
		}
	}
	for _, shown := range []page{login, consent} {
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin",
		} {
			if got := shown.header.Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", shown.url.Path, name, got, want)
			}
		}
		if csp := shown.header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: Content-Security-Policy = %q", shown.url.Path, csp)
		}
	}
	if csp := consent.header.Get("Content-Security-Policy"); strings.Contains(csp, "form-action") {
		t.Errorf("the consent page's form-action would stop the redirect to the client: %q", csp)
	}
}

func TestConsentPageInforms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.register(registration.Metadata{
		ClientName: "<b>Shop</b>", ClientURI: "https://shop.example.com/about",
		PolicyURI: "https://shop.example.com/privacy",
	})
	s.ask(func(request *store.AuthorizationRequest) {
		request.Scope = []string{"openid", "accounts", "payments"}
		request.Claims = `{"userinfo":{"email":null},"id_token":{"email":null,"birthdate":{"essential":true},"acr":null,"unheard_of":null}}`
		request.Resource = []string{"https://api.example.com/"}
	})
	consent := s.browser().consentPage()
	for _, want := range []string{
		"<b>Shop</b>", testClientID, "Alice Example", "(alice)", "Confirm who you are", "See your accounts", "payments",
		"Your email address Your date of birth At these services https://api.example.com/", "shop.example.com", "Website", "Privacy policy",
	} {
		if !strings.Contains(consent.text, want) {
			t.Errorf("the page does not say %q: %s", want, consent.text)
		}
	}
	if strings.Contains(consent.text, "unheard_of") {
		t.Error("the page asks for what the server does not know")
	}
	if strings.Contains(consent.text, "Terms of service") {
		t.Error("the page links terms that the client has not stated")
	}
	for _, id := range []string{"approve", "deny", "switch-account"} {
		if consent.element(id) == nil {
			t.Errorf("the page has no element %s", id)
		}
	}
}

func TestDestination(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]destination{
		"https://shop.example.com:8443/cb?x=y": {Host: "shop.example.com:8443"},
		"http://127.0.0.1/cb":                  {Host: "127.0.0.1"},
		"com.example.shop:/cb":                 {Scheme: "com.example.shop"},
	} {
		if got := destinationOf(uri); got != want {
			t.Errorf("%s leads to %+v, want %+v", uri, got, want)
		}
	}
}

func TestErrorPageTellsCodeAndDescriptionButNoCause(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	recorder := httptest.NewRecorder()
	refusal := oauth.Refuse(oauth.InvalidRequestURI, "PAR-2.2-2", "the request_uri has been used").WithCause(errors.New("sql: secret detail"))
	s.pages.RenderError(recorder, httptest.NewRequest(http.MethodGet, "/authorize", http.NoBody), http.StatusBadRequest, refusal)
	body := recorder.Body.String()
	for _, want := range []string{`id="error"`, "invalid_request_uri", "PAR-2.2-2", "the request_uri has been used", "start again"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "secret detail") || recorder.Code != http.StatusBadRequest {
		t.Errorf("status %d, or the cause is shown", recorder.Code)
	}
}
