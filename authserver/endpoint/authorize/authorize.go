// Package authorize is the authorization endpoint (RFC 6749, 3.1): it takes up
// a pushed request, hands the person to login and consent, and sends the answer
// back to the client.
package authorize

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Handler serves the endpoint.
type Handler struct {
	Store     store.PushedRequests
	Clients   endpoint.Clients
	Responder *endpoint.Responder
	// Begin hands the person to login and consent.
	Begin func(http.ResponseWriter, *http.Request, store.Interaction)
	// ShowError shows a refusal as a page: nothing is redirected before the
	// redirect URI is known to be the client's (FAPI 2.0 Security Profile, 5.3.2.1-7).
	ShowError func(http.ResponseWriter, *http.Request, *oauth.Error)
	Now       func() time.Time
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	interaction, refusal := h.takeUp(r)
	if refusal != nil {
		h.Responder.Record(r, refusal)
		h.ShowError(w, r, refusal)
		return
	}
	h.Begin(w, r, interaction)
}

// takeUp finds the pushed request. Of the query only client_id and request_uri
// count: whatever else is repeated there is ignored (RFC 9126, 4; RFC 9101, 6.3).
func (h *Handler) takeUp(r *http.Request) (store.Interaction, *oauth.Error) {
	query, refusal := oauth.ParseForm(r.URL.RawQuery)
	if refusal != nil {
		return store.Interaction{}, refusal
	}
	if refusal := fapi.CheckAuthorizationQuery(query); refusal != nil {
		return store.Interaction{}, refusal
	}
	clientID := query.Get(oauth.ParamClientID)
	uri := oauth.SecretFrom(query.Get(oauth.ParamRequestURI)).Digest()
	facts, request, err := h.look(r.Context(), clientID, uri)
	if err != nil {
		return store.Interaction{}, oauth.AsError(err)
	}
	if refusal := fapi.CheckAuthorizationRequest(facts); refusal != nil {
		return store.Interaction{}, refusal
	}
	return store.Interaction{RequestURI: uri, Request: request}, nil
}

// look finds the client and the request that it pushed.
func (h *Handler) look(ctx context.Context, clientID string, uri oauth.Digest) (fapi.AuthorizationRequest, store.AuthorizationRequest, error) {
	var facts fapi.AuthorizationRequest
	client, err := h.Clients.Client(ctx, clientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return facts, store.AuthorizationRequest{}, err
	}
	facts.Client = client
	pushed, err := h.Store.PushedRequest(ctx, uri, clientID, h.Now())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return facts, store.AuthorizationRequest{}, err
	}
	facts.RequestFound, facts.RedirectURI = err == nil, pushed.Request.RedirectURI
	return facts, pushed.Request, nil
}
