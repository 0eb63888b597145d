package interaction

import (
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Values of the consent form's decision.
const (
	decisionApprove = "approve"
	decisionDeny    = "deny"
)

func (p *Pages) showConsent(w http.ResponseWriter, r *http.Request) {
	v, client, err := p.open(r)
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	user, loggedIn := p.userOf(v)
	if !loggedIn {
		p.redirect(w, r, loginPath, v.handle)
		return
	}
	spoken := speak(r, v.interaction.Request.UILocales)
	page, err := p.consentPage(spoken, v, client, user)
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	p.render(w, r, http.StatusOK, formActionAnyTarget, consentTemplate, spoken, page)
}

func (p *Pages) acceptDecision(w http.ResponseWriter, r *http.Request) {
	v, client, err := p.open(r)
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	user, loggedIn := p.userOf(v)
	if !loggedIn {
		p.redirect(w, r, loginPath, v.handle)
		return
	}
	form, err := readForm(w, r, v.consentToken())
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	outcome, err := decide(v, form.Get("decision"))
	if err != nil {
		p.renderFailure(w, r, err)
		return
	}
	p.Log.InfoContext(r.Context(), "consent decided", "sub", user.Subject, "client_id", client.ID(), "approved", outcome.Approved)
	p.finish(w, r, outcome)
}

// finish calls Finish; what it redirects to must not be cached or framed either.
func (p *Pages) finish(w http.ResponseWriter, r *http.Request, outcome Outcome) {
	setSecurityHeaders(w.Header(), formActionNone)
	p.Finish(w, r, outcome)
}

// userOf gives the person who has logged in for the interaction, if that person
// is still a user.
func (p *Pages) userOf(v visit) (User, bool) {
	if v.interaction.Authentication == nil {
		return User{}, false
	}
	return p.Users.BySubject(v.interaction.Authentication.Subject)
}

func decide(v visit, decision string) (Outcome, error) {
	switch decision {
	case decisionApprove:
		return Outcome{Interaction: v.interaction, Approved: true, Scope: v.interaction.Request.Scope}, nil
	case decisionDeny:
		return Outcome{
			Interaction: v.interaction,
			Error:       oauth.Refuse(oauth.AccessDenied, "RFC6749-4.1.2.1", "the person has refused the request"),
		}, nil
	}
	return Outcome{}, errStaleForm
}

func (p *Pages) consentPage(spoken *words, v visit, client *fapi.Client, user User) (consentPage, error) {
	request := v.interaction.Request
	claims, err := describeClaims(spoken, request.Claims)
	if err != nil {
		return consentPage{}, err
	}
	details, err := describeDetails(spoken, p.DetailsTypes, request.AuthorizationDetails)
	if err != nil {
		return consentPage{}, err
	}
	return consentPage{
		Action:      p.address(consentPath, v.handle),
		Token:       v.consentToken(),
		SwitchURL:   p.address(loginPath, v.handle),
		ClientName:  client.Name(),
		ClientID:    client.ID(),
		Links:       clientLinks(spoken, client.Metadata()),
		Destination: destinationOf(request.RedirectURI),
		Details:     details,
		Scopes:      p.describeScopes(spoken, request.Scope),
		Claims:      claims,
		Resources:   request.Resource,
		User:        user,
	}, nil
}
