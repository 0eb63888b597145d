package interaction

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// amrPassword is the authentication method "pwd" (RFC 8176, 2).
const amrPassword = "pwd"

// loginPage is what login.html shows.
type loginPage struct {
	Action     string
	Token      string
	ClientName string
	Username   string
	Problem    string
}

// showLogin also serves somebody who is logged in and wants another account.
func (p *Pages) showLogin(w http.ResponseWriter, r *http.Request) {
	v, client, err := p.open(r)
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	p.renderLogin(w, r, http.StatusOK, v, client, v.interaction.Request.LoginHint, "")
}

func (p *Pages) acceptLogin(w http.ResponseWriter, r *http.Request) {
	v, client, err := p.open(r)
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	form, err := readForm(w, r, v.loginToken())
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	user, err := p.logIn(r, form)
	if err != nil {
		p.refuseLogin(w, r, v, client, form.Get("username"), err)
		return
	}
	authentication := p.authentication(user)
	refusal, err := v.unfit(authentication)
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	if refusal != nil {
		p.Log.InfoContext(r.Context(), "another person is asked for", "sub", user.Subject, "client_id", client.ID())
		p.finish(w, r, Outcome{Interaction: v.interaction, Error: refusal})
		return
	}
	if err := p.recordLogin(w, r, v, authentication); err != nil {
		p.renderFailure(w, r, err)
		return
	}
	p.Log.InfoContext(r.Context(), "logged in", "sub", user.Subject, "client_id", client.ID())
	p.redirect(w, r, consentPath, v.handle)
}

// authentication is the login of now.
func (p *Pages) authentication(user User) store.Authentication {
	return store.Authentication{Subject: user.Subject, Time: p.Now().UTC(), ACR: p.PasswordACR, AMR: []string{amrPassword}}
}

// unfit is why the visit's request cannot be answered on this login; nil when it can.
func (v visit) unfit(authentication store.Authentication) (*oauth.Error, error) {
	claims, err := fapi.ParseClaimsRequest(v.interaction.Request.Claims)
	if err != nil {
		return nil, err
	}
	return unfit(authentication, v.interaction.Request, claims), nil
}

// logIn checks the password, if the budgets of source and username allow another try.
func (p *Pages) logIn(r *http.Request, form url.Values) (User, error) {
	source, username := p.source(r), form.Get("username")
	if wait := p.Throttle.attempt(source, username, p.Now()); wait > 0 {
		return User{}, &throttledError{wait}
	}
	user, err := p.Users.Authenticate(r.Context(), username, form.Get("password"))
	if err == nil {
		p.Throttle.forgive(source, username)
	}
	return user, err
}

func (p *Pages) source(r *http.Request) string {
	if p.Source != nil {
		return p.Source(r)
	}
	return peerSource(r)
}

// throttledError says how long to wait before the next try.
type throttledError struct{ wait time.Duration }

func (e *throttledError) seconds() int { return int(math.Ceil(e.wait.Seconds())) }

func (e *throttledError) Error() string {
	return fmt.Sprintf("too many logins have failed; wait %d seconds", e.seconds())
}

// recordLogin ties the login to the interaction and begins a session.
func (p *Pages) recordLogin(w http.ResponseWriter, r *http.Request, v visit, authentication store.Authentication) error {
	now := authentication.Time
	err := p.Interactions.AuthenticateInteraction(r.Context(), v.interaction.ID, authentication, now)
	if errors.Is(err, store.ErrNotFound) {
		return whyGone(v.handle, now, errAnswered)
	}
	if err != nil {
		return err
	}
	return p.renewSession(w, r, authentication)
}

// refuseLogin shows the form again. A 4xx status also keeps password managers
// from saving what did not work. The typed name is not logged: it may be a
// password in the wrong field.
func (p *Pages) refuseLogin(w http.ResponseWriter, r *http.Request, v visit, client *fapi.Client, username string, err error) {
	spoken := speak(r, v.interaction.Request.UILocales)
	throttled, isThrottled := errors.AsType[*throttledError](err)
	switch {
	case errors.Is(err, ErrWrongCredentials):
		p.Record(r, fapi.CheckLogin(fapi.Login{WithinBudget: true}))
		p.Log.WarnContext(r.Context(), "login refused", "source", p.source(r), "client_id", client.ID())
		p.renderLogin(w, r, http.StatusForbidden, v, client, username, spoken.WrongCredentials)
	case isThrottled:
		p.Record(r, fapi.CheckLogin(fapi.Login{}))
		p.Log.WarnContext(r.Context(), "login throttled", "source", p.source(r), "client_id", client.ID())
		w.Header().Set("Retry-After", fmt.Sprint(throttled.seconds()))
		p.renderLogin(w, r, http.StatusTooManyRequests, v, client, username, fmt.Sprintf(spoken.Throttled, throttled.seconds()))
	default:
		p.renderFailure(w, r, &oauth.Error{Code: oauth.TemporarilyUnavailable, Cause: err})
	}
}

func (p *Pages) renderLogin(w http.ResponseWriter, r *http.Request, status int, v visit, client *fapi.Client, username, problem string) {
	request := v.interaction.Request
	p.render(w, r, status, loginFormAction(request), loginTemplate, speak(r, request.UILocales), loginPage{
		Action:     p.address(loginPath, v.handle),
		Token:      v.loginToken(),
		ClientName: client.Name(),
		Username:   username,
		Problem:    problem,
	})
}

// loginFormAction lets the login lead to the client where the request asks for a
// person: the answer to another one's login is a refusal (OpenID Connect Core,
// 3.1.2.2).
func loginFormAction(request store.AuthorizationRequest) string {
	claims, err := fapi.ParseClaimsRequest(request.Claims)
	if err == nil && (claims.NamesSubject() || request.HintedSubject != "") {
		return formActionAnyTarget
	}
	return formActionSelf
}
