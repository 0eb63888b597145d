package interaction

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

func TestAPersonLogsInAndAllows(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()

	login := b.get(s.push())
	login.requirePath(t, "/interaction/login")
	consent := b.logIn(login, alice, testPassword)
	consent.requirePath(t, "/interaction/consent")
	b.decide(consent, "approve").requireAnswer(t, "code=issued")

	outcome := s.outcomes()[0]
	user, _ := s.pages.Users.BySubject(outcome.Interaction.Authentication.Subject)
	if user.Username != alice || !outcome.Interaction.Authentication.Time.Equal(s.clock.Now()) {
		t.Errorf("authentication = %+v", outcome.Interaction.Authentication)
	}
	if got := strings.Join(outcome.Scope, " "); got != "openid accounts" {
		t.Errorf("granted scope = %q", got)
	}
}

func TestAPersonDenies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.decide(b.consentPage(), "deny").requireAnswer(t, "error=access_denied")
	if outcome := s.outcomes()[0]; outcome.Approved || outcome.Scope != nil {
		t.Errorf("a denial grants: %+v", outcome)
	}
}

// Which page a second request shows to somebody who has logged in at the first.
func TestPromptAndMaxAge(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		prompt []string
		maxAge *int64
		since  time.Duration // of the login
		path   string        // of the page that is shown
		answer string        // to the client, when nothing is shown
	}{
		{name: "nothing stated: the login is used again, consent is asked", path: consentPath},
		{name: "prompt=consent", prompt: []string{"consent"}, path: consentPath},
		{name: "prompt=login", prompt: []string{"login"}, path: loginPath},
		{name: "prompt=login consent", prompt: []string{"login", "consent"}, path: loginPath},
		{name: "prompt=select_account", prompt: []string{"select_account"}, path: loginPath},
		{name: "prompt=none: consent would be needed", prompt: []string{"none"}, answer: "error=consent_required"},
		{name: "prompt=none with an old login", prompt: []string{"none"}, maxAge: new(int64(60)), since: 61 * time.Second, answer: "error=login_required"},
		{name: "max_age not yet over", maxAge: new(int64(60)), since: 60 * time.Second, path: consentPath},
		{name: "max_age over", maxAge: new(int64(60)), since: 61 * time.Second, path: loginPath},
		{name: "max_age=0", maxAge: new(int64(0)), path: loginPath},
		{name: "session over", since: testSessionLifetime, path: loginPath},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			b := s.browser()
			b.decide(b.consentPage(), "approve").requireAnswer(t, "code=issued")
			s.clock.advance(c.since)
			s.ask(func(request *store.AuthorizationRequest) { request.Prompt, request.MaxAge = c.prompt, c.maxAge })
			second := b.get(s.push())
			if c.answer != "" {
				second.requireAnswer(t, c.answer)
				return
			}
			second.requirePath(t, "/interaction"+c.path)
		})
	}
}

func TestPromptNoneWithoutSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ask(func(request *store.AuthorizationRequest) { request.Prompt = []string{"none"} })
	s.browser().get(s.push()).requireAnswer(t, "error=login_required")
}

func TestPromptLoginLeadsToAFreshLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.consentPage()
	s.clock.advance(time.Minute)
	s.ask(func(request *store.AuthorizationRequest) { request.Prompt = []string{"login"} })

	b.decide(b.consentPage(), "approve").requireAnswer(t, "code=issued")
	if got := s.outcomes()[0].Interaction.Authentication.Time; !got.Equal(s.clock.Now()) {
		t.Errorf("auth_time = %v, want the second login's", got)
	}
}

// A consent page that is asked for by its address does not pass over the login.
func TestConsentNeedsALogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	s.ask(func(request *store.AuthorizationRequest) { request.Prompt = []string{"login"} })
	login := b.get(s.push())
	address := strings.Replace(login.url.String(), loginPath, consentPath, 1)
	b.get(address).requirePath(t, "/interaction/login")

	request := b.submission(login, map[string]string{"decision": "approve"})
	request.URL.Path = "/interaction/consent"
	b.do(request).requirePath(t, "/interaction/login")
	if n := len(s.outcomes()); n != 0 {
		t.Errorf("%d outcomes without a login", n)
	}
}

func TestTwoTabsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	first := b.get(s.push())
	s.ask(func(request *store.AuthorizationRequest) { request.Scope = []string{"payments"} })
	second := b.get(s.push())

	secondConsent := b.logIn(second, alice, testPassword)
	firstConsent := b.logIn(first, alice, testPassword)
	b.decide(firstConsent, "approve").requireAnswer(t, "code=issued")
	b.decide(secondConsent, "deny").requireAnswer(t, "error=access_denied")
	if got := strings.Join(s.outcomes()[0].Scope, " "); got != "openid accounts" {
		t.Errorf("the first tab granted %q", got)
	}
}

// A browser that is sent here again and again does not collect cookies without end.
func TestInteractionCookiesAreBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	var last page
	for range maxInteractionCookies + 5 {
		last = b.get(s.push())
		s.clock.advance(time.Second)
	}
	address, _ := url.Parse(s.server.URL)
	if n := len(b.client.Jar.Cookies(address)); n != maxInteractionCookies {
		t.Errorf("the browser has %d cookies, want %d", n, maxInteractionCookies)
	}
	b.logIn(last, alice, testPassword).requirePath(t, "/interaction/consent")
}

// The same request_uri may be visited twice before it is answered, in two tabs.
func TestOneRequestInTwoTabsIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	address := s.push()
	first := b.logIn(b.get(address), alice, testPassword)
	second := b.get(address)
	second.requirePath(t, "/interaction/consent")
	b.decide(second, "approve").requireAnswer(t, "code=issued")
	b.decide(first, "approve").requireMessage(t, http.StatusGone, "answered", "already answered")
	if n := len(s.outcomes()); n != 1 {
		t.Errorf("%d outcomes, want 1", n)
	}
}

func TestASuspendedClientIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	consent := b.consentPage()
	s.register(registration.Metadata{Suspended: new(true)})
	b.decide(consent, "approve").requireMessage(t, http.StatusBadRequest, "error", "unauthorized_client")
	b.get(s.push()).requireMessage(t, http.StatusBadRequest, "error", "unauthorized_client")
	if n := len(s.outcomes()); n != 0 {
		t.Errorf("%d outcomes for a suspended client", n)
	}
}

// A deletion takes the client's pushed requests along.
func TestADeletedClientGetsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	consent := b.consentPage()
	if err := s.store.DeleteClient(t.Context(), testClientID, testOwner, s.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if refused := b.decide(consent, "approve"); refused.status < 400 || refused.header.Get("Location") != "" {
		t.Errorf("status %d: %s", refused.status, refused.text)
	}
	if n := len(s.outcomes()); n != 0 {
		t.Errorf("%d outcomes for a deleted client", n)
	}
}

func TestARequestThatIsGoneCannotBegin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.browser().get(s.server.URL+"/authorize?request_uri=gone").requireMessage(t, http.StatusBadRequest, "error", "invalid_request_uri")
}

// endedMeanwhile ends each session as soon as it has been read.
type endedMeanwhile struct{ store.Sessions }

func (s endedMeanwhile) Session(ctx context.Context, id oauth.Digest, now time.Time) (store.Session, error) {
	session, err := s.Sessions.Session(ctx, id, now)
	return session, errors.Join(err, s.EndSession(ctx, id))
}

// Whoever is logged out while a request is taken up logs in again for it.
func TestASessionThatEndsWhileARequestIsTakenUpIsNone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.decide(b.consentPage(), "approve").requireAnswer(t, "code=issued")
	s.pages.Sessions = endedMeanwhile{s.store}
	login := b.get(s.push())
	login.requirePath(t, "/interaction"+loginPath)
	s.pages.Sessions = s.store
	b.decide(b.logIn(login, alice, testPassword), "approve").requireAnswer(t, "code=issued")
}
