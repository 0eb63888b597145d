package interaction

import (
	"errors"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// message is a page that ends a visit or sends the person back.
type message struct {
	// ID is the element's id: error, or answered.
	ID          string
	Heading     string
	Description string
	Advice      string
	// Code, Detail and Rule are for the client's developer; empty where no OAuth error is meant.
	Code   oauth.ErrorCode
	Detail string
	Rule   oauth.RuleID
}

const (
	errorID    = "error"
	answeredID = "answered"
)

const startAgain = "Go back to the application and start again from there."

// answeredMessage and its siblings are what a person sees whose page has no
// interaction any more.
var (
	answeredMessage = message{
		ID:          answeredID,
		Heading:     "You have already answered this request",
		Description: "Your decision has been passed on. There is nothing more to do on this page.",
		Advice:      "You can close this page, or go back to the application.",
	}
	expiredMessage = message{
		ID:          errorID,
		Heading:     "This request took too long",
		Description: "For your safety, a request can be answered for a limited time only.",
		Advice:      startAgain,
	}
	otherBrowserMessage = message{
		ID:          errorID,
		Heading:     "This page does not belong to your browser",
		Description: "The request was opened in another browser, or cookies are switched off in this one.",
		Advice:      "Allow cookies for this site. " + startAgain,
	}
	staleFormMessage = message{
		ID:          errorID,
		Heading:     "This form is out of date",
		Description: "It was opened before something changed, or it came from another site. Nothing has been done.",
		Advice:      "Go back one page, reload it, and try again.",
	}
)

// errStaleForm: a form came without the token of the page that was shown last,
// or from another site.
var errStaleForm = errors.New("the form does not belong to the page that was shown")

// renderFailure shows why a page cannot be shown. What is unforeseen goes to the
// log, and the person learns that it is not their fault.
func (p *Pages) renderFailure(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errAnswered):
		p.renderMessage(w, r, http.StatusGone, answeredMessage)
	case errors.Is(err, errExpired):
		p.renderMessage(w, r, http.StatusGone, expiredMessage)
	case errors.Is(err, errOtherBrowser):
		p.renderMessage(w, r, http.StatusForbidden, otherBrowserMessage)
	case errors.Is(err, errStaleForm):
		p.renderMessage(w, r, http.StatusForbidden, staleFormMessage)
	default:
		p.renderUnforeseen(w, r, err)
	}
}

func (p *Pages) renderUnforeseen(w http.ResponseWriter, r *http.Request, err error) {
	refusal := oauth.AsError(err)
	if refusal.Code == oauth.ServerError {
		p.Log.ErrorContext(r.Context(), "page cannot be shown", "path", r.URL.Path, "error", err)
	}
	p.RenderError(w, r, refusal.Code.Status(), refusal)
}

// RenderError shows an error that must not be redirected to the client, because
// the redirect URI is not known to be the client's. Code, rule and description
// are shown, and what to do; the cause is not.
func (p *Pages) RenderError(w http.ResponseWriter, r *http.Request, status int, refusal *oauth.Error) {
	p.renderMessage(w, r, status, message{
		ID:      errorID,
		Heading: "This request cannot be completed",
		Advice:  advice(refusal.Code),
		Code:    refusal.Code,
		Detail:  refusal.Description,
		Rule:    refusal.Rule,
	})
}

func (p *Pages) renderMessage(w http.ResponseWriter, r *http.Request, status int, page message) {
	p.render(w, r, status, formActionNone, messageTemplate, page)
}

// advice is what a person can do about an error.
func advice(code oauth.ErrorCode) string {
	switch code {
	case oauth.ServerError, oauth.TemporarilyUnavailable:
		return "This is our fault, not yours. Please try again in a few minutes."
	case oauth.InvalidRequestURI:
		return "The link that led here has been used or is too old. " + startAgain
	case oauth.InvalidClient, oauth.UnauthorizedClient:
		return "The application is not allowed to ask for this. Please tell the people who run it."
	}
	return startAgain + " If it happens again, please tell the people who run the application what stands on this page."
}
