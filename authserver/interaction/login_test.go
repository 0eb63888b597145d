package interaction

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// A wrong password and an unknown name get the same answer.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	login := b.get(s.push())
	for _, c := range []struct{ name, username, password string }{
		{"wrong password", alice, "wrong"},
		{"empty password", alice, ""},
		{"unknown name", "mallory", testPassword},
		{"no name", "", ""},
		{"a name that is markup", `"><script>`, "x"},
	} {
		refused := b.logIn(login, c.username, c.password)
		refused.requireMessage(t, http.StatusForbidden, "problem", "The username or the password is wrong.")
		if refused.url.Path != "/interaction/login" || attribute(refused.element("username"), "value") != c.username {
			t.Errorf("%s: the form does not come back with the name: %s", c.name, refused.text)
		}
		if attribute(refused.element("password"), "value") != "" {
			t.Errorf("%s: the password is sent back", c.name)
		}
	}
	if b.cookie(sessionCookie) != "" {
		t.Error("a refused login began a session")
	}
	b.logIn(login, alice, testPassword).requirePath(t, "/interaction/consent")
}

// Guessing is slowed down for a name, whether or not it exists, and the right
// password does not help until the wait is over.
func TestGuessingAPasswordIsThrottled(t *testing.T) {
	t.Parallel()
	for _, username := range []string{alice, "mallory"} {
		t.Run(username, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.browser()
			login := b.get(s.push())
			for range usernameBurst {
				b.logIn(login, username, "wrong").requireMessage(t, http.StatusForbidden, "problem", "wrong")
			}
			throttled := b.logIn(login, username, testPassword)
			throttled.requireMessage(t, http.StatusTooManyRequests, "problem", "try again in 60 seconds")
			if got := throttled.header.Get("Retry-After"); got != "60" {
				t.Errorf("Retry-After = %q", got)
			}
			b.logIn(login, bob, testPassword).requirePath(t, "/interaction/consent")
			s.clock.advance(usernameEvery)
			if again := b.logIn(login, username, testPassword); again.status == http.StatusTooManyRequests {
				t.Errorf("still throttled after the wait: %s", again.text)
			}
		})
	}
}

func TestLoginPageForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ask(func(request *store.AuthorizationRequest) { request.LoginHint = "alice@example.com" })
	login := s.browser().get(s.push())
	if got := attribute(login.element("username"), "value"); got != "alice@example.com" {
		t.Errorf("username = %q, want login_hint", got)
	}
	for id, want := range map[string]string{"username": "username", "password": "current-password"} {
		if got := attribute(login.element(id), "autocomplete"); got != want {
			t.Errorf("autocomplete of %s = %q", id, got)
		}
	}
	if login.element("login") == nil || !strings.Contains(login.text, "The Shop asks you to log in") {
		t.Errorf("the page lacks its button or the client's name: %s", login.text)
	}
}

// A request that asks for Alice ends with Bob's login, and begins no session of his.
func TestAnotherPersonThanIsAskedForLogsIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ask(func(request *store.AuthorizationRequest) {
		request.Claims = `{"id_token":{"sub":{"value":"` + derivedSubject(alice) + `"}}}`
	})
	b := s.browser()
	login := b.get(s.push())
	if policy := login.header.Get("Content-Security-Policy"); strings.Contains(policy, "form-action") {
		t.Errorf("browsers would hold the refusal back: %s", policy)
	}
	b.logIn(login, bob, testPassword).requireAnswer(t, "error=login_required")
	if b.cookie(sessionCookie) != "" {
		t.Error("the refused login began a session")
	}
	b.logIn(b.get(s.push()), alice, testPassword).requirePath(t, "/interaction/consent")
}

// Nobody types a password for a request that no login can answer.
func TestEssentialACRIsRefusedBeforeTheLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.pages.PasswordACR = "urn:example:acr:password"
	essential := func(acr string) {
		s.ask(func(request *store.AuthorizationRequest) {
			request.Claims = `{"id_token":{"acr":{"essential":true,"values":["` + acr + `"]}}}`
		})
	}
	essential("urn:example:acr:high")
	s.browser().get(s.push()).requireAnswer(t, "error=unmet_authentication_requirements")
	essential(s.pages.PasswordACR)
	b := s.browser()
	b.decide(b.consentPage(), "approve").requireAnswer(t, "code=issued")
	if acr := s.outcomes()[1].Interaction.Authentication.ACR; acr != s.pages.PasswordACR {
		t.Errorf("acr %q", acr)
	}
}
