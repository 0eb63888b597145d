package interaction

import (
	"errors"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
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

// errStaleForm: a form came without the token of the page that was shown last,
// or from another site.
var errStaleForm = errors.New("the form does not belong to the page that was shown")

// renderFailure shows why a page cannot be shown, and records it. Of what is
// unforeseen the person learns that it is not their fault.
func (p *Pages) renderFailure(w http.ResponseWriter, r *http.Request, err error) {
	spoken := speak(r, nil)
	switch {
	case errors.Is(err, errAnswered):
		p.Record(r, fapi.CheckPageVisit(fapi.PageVisit{InTime: true, Browser: true}))
		p.renderNotice(w, r, http.StatusGone, spoken, answeredID, spoken.Answered)
	case errors.Is(err, errExpired):
		p.Record(r, fapi.CheckPageVisit(fapi.PageVisit{}))
		p.renderNotice(w, r, http.StatusGone, spoken, errorID, spoken.Expired)
	case errors.Is(err, errOtherBrowser):
		p.Record(r, fapi.CheckPageVisit(fapi.PageVisit{InTime: true}))
		p.renderNotice(w, r, http.StatusForbidden, spoken, errorID, spoken.OtherBrowser)
	case errors.Is(err, errStaleForm):
		p.Record(r, fapi.CheckPageVisit(fapi.PageVisit{InTime: true, Browser: true, Open: true, Readable: true}))
		p.renderNotice(w, r, http.StatusForbidden, spoken, errorID, spoken.StaleForm)
	default:
		p.renderUnforeseen(w, r, err)
	}
}

func (p *Pages) renderUnforeseen(w http.ResponseWriter, r *http.Request, err error) {
	refusal := oauth.AsError(err)
	p.Record(r, refusal)
	p.RenderError(w, r, refusal.Code.Status(), refusal)
}

// RenderError shows an error that must not be redirected to the client, because
// the redirect URI is not known to be the client's. Code, rule and description
// are shown, and what to do; the cause is not.
func (p *Pages) RenderError(w http.ResponseWriter, r *http.Request, status int, refusal *oauth.Error) {
	spoken := speak(r, nil)
	p.renderMessage(w, r, status, spoken, message{
		ID:      errorID,
		Heading: spoken.CannotComplete,
		Advice:  advice(spoken, refusal.Code),
		Code:    refusal.Code,
		Detail:  refusal.Description,
		Rule:    refusal.Rule,
	})
}

func (p *Pages) renderNotice(w http.ResponseWriter, r *http.Request, status int, spoken *words, id string, n notice) {
	p.renderMessage(w, r, status, spoken, message{ID: id, Heading: n.Heading, Description: n.Description, Advice: n.Advice})
}

func (p *Pages) renderMessage(w http.ResponseWriter, r *http.Request, status int, spoken *words, page message) {
	p.render(w, r, status, formActionNone, messageTemplate, spoken, page)
}

// advice is what a person can do about an error.
func advice(spoken *words, code oauth.ErrorCode) string {
	switch code {
	case oauth.ServerError, oauth.TemporarilyUnavailable:
		return spoken.OurFault
	case oauth.InvalidRequestURI:
		return spoken.LinkUsed + " " + spoken.StartAgain
	case oauth.InvalidClient, oauth.UnauthorizedClient:
		return spoken.NotAllowed
	}
	return spoken.StartAgain + " " + spoken.TellThem
}
