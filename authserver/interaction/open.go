package interaction

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// maxPageFormBytes is far above a username, a password and a token; our own choice.
const maxPageFormBytes = 16 << 10

// open finds what every page needs: the interaction and a client that may still ask.
func (p *Pages) open(r *http.Request) (visit, *fapi.Client, error) {
	v, err := p.visitOf(r)
	if err != nil {
		return visit{}, nil, err
	}
	client, err := p.Clients.Client(r.Context(), v.interaction.Request.ClientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return visit{}, nil, err
	}
	facts := fapi.AuthorizationRequest{Client: client, RequestFound: true, RedirectURI: v.interaction.Request.RedirectURI}
	if refusal := fapi.CheckAuthorizationRequest(facts); refusal != nil {
		return visit{}, nil, refusal
	}
	return v, client, nil
}

// crossOrigin refuses posts that another site has caused, as far as the browser tells.
var crossOrigin = http.NewCrossOriginProtection()

// readForm gives a posted form that carries the page's token; else errStaleForm.
func readForm(w http.ResponseWriter, r *http.Request, token string) (url.Values, error) {
	if crossOrigin.Check(r) != nil {
		return nil, errStaleForm
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxPageFormBytes)
	if err := r.ParseForm(); err != nil {
		return nil, fapi.CheckPageVisit(fapi.PageVisit{InTime: true, Browser: true, Open: true}).WithCause(err)
	}
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get(tokenField)), []byte(token)) != 1 {
		return nil, errStaleForm
	}
	return r.PostForm, nil
}

// tokenField carries the form's token. The templates name it too, like the other fields.
const tokenField = "token"
