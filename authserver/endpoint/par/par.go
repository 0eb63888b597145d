// Package par is the pushed authorization request endpoint (RFC 9126), the one
// door for authorization requests (FAPI 2.0 Security Profile, 5.3.2.2-2).
package par

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/authorizationdetails"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Handler serves the endpoint.
type Handler struct {
	Front          *endpoint.Front
	Responder      *endpoint.Responder
	RequestObjects *RequestObjects
	Store          store.PushedRequests
	// AuthorizationDetails are the types of authorization details that are supported.
	AuthorizationDetails *authorizationdetails.Types
	// HintedSubject gives whom an ID token for the client is about.
	HintedSubject func(idToken, clientID string) (string, error)
	// Resources are the resource indicators that tokens are issued for.
	Resources []string
	Now       func() time.Time
}

// response is RFC 9126, 2.2.
type response struct {
	RequestURI string `json:"request_uri"`
	// ExpiresIn is in seconds.
	ExpiresIn int `json:"expires_in"`
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pushed, refusal := h.push(w, r)
	if refusal != nil {
		h.Responder.Refuse(w, r, refusal)
		return
	}
	h.Responder.JSON(w, http.StatusCreated, pushed)
}

func (h *Handler) push(w http.ResponseWriter, r *http.Request) (response, *oauth.Error) {
	request, refusal := h.Front.Accept(w, r)
	if refusal != nil {
		return response{}, refusal
	}
	parameters, signed, refusal := h.parameters(r.Context(), request)
	if refusal != nil {
		return response{}, refusal
	}
	facts := fapi.PushedRequest{
		Client: request.Caller.Client, Parameters: parameters, Signed: signed,
		ProofJKT: request.ProofJKT, Resources: h.Resources,
	}
	if hint := facts.IDTokenHint(); hint != "" {
		facts.HintedSubject, facts.HintFault = h.HintedSubject(hint, facts.Client.ID())
	}
	if refusal := fapi.CheckPushedRequest(facts); refusal != nil {
		return response{}, refusal
	}
	details, refusal := h.authorizationDetails(facts)
	if refusal != nil {
		return response{}, refusal
	}
	return h.keep(r.Context(), authorizationRequest(facts, details))
}

// authorizationDetails are what the request asks for beside scope (RFC 9396, 3);
// nil when it has none. They are read last, since schemas cost most.
func (h *Handler) authorizationDetails(facts fapi.PushedRequest) (json.RawMessage, *oauth.Error) {
	if !facts.Parameters.Has(oauth.ParamAuthorizationDetails) {
		return nil, nil
	}
	details := h.AuthorizationDetails.Read(facts.Parameters.Get(oauth.ParamAuthorizationDetails), facts.Client)
	if refusal := fapi.CheckAuthorizationDetails(details); refusal != nil {
		return nil, refusal
	}
	encoded, err := fapi.EncodeAuthorizationDetails(details.Elements)
	if err != nil {
		return nil, oauth.AsError(err)
	}
	return encoded, nil
}

// parameters are the request object's where one was sent, the form's otherwise.
func (h *Handler) parameters(ctx context.Context, request endpoint.Request) (oauth.Form, bool, *oauth.Error) {
	if !request.Form.Has(oauth.ParamRequest) {
		return request.Form, false, nil
	}
	if refusal := fapi.CheckPushedForm(request.Form); refusal != nil {
		return oauth.Form{}, false, refusal
	}
	parameters, refusal := h.RequestObjects.Open(ctx, request.Form.Get(oauth.ParamRequest), request.Caller.Client)
	return parameters, true, refusal
}

// authorizationRequest reads parameters that the rule book has accepted.
func authorizationRequest(facts fapi.PushedRequest, details json.RawMessage) store.AuthorizationRequest {
	p := facts.Parameters
	jkt := p.Get(oauth.ParamDPoPJKT)
	if jkt == "" {
		jkt = facts.ProofJKT
	}
	return store.AuthorizationRequest{
		ClientID:      facts.Client.ID(),
		RedirectURI:   p.Get(oauth.ParamRedirectURI),
		ResponseMode:  facts.ResponseMode(),
		Scope:         oauth.SpaceSeparated(p.Get(oauth.ParamScope)),
		State:         p.Get(oauth.ParamState),
		Nonce:         p.Get(oauth.ParamNonce),
		CodeChallenge: p.Get(oauth.ParamCodeChallenge),
		DPoPJKT:       jkt,
		Claims:        facts.ClaimsParameter(),
		HintedSubject: facts.HintedSubject,
		Prompt:        oauth.SpaceSeparated(p.Get(oauth.ParamPrompt)),
		MaxAge:        facts.MaxAge(),
		ACRValues:     oauth.SpaceSeparated(p.Get(oauth.ParamACRValues)),
		LoginHint:     p.Get(oauth.ParamLoginHint),
		UILocales:     oauth.SpaceSeparated(p.Get(oauth.ParamUILocales)),
		Resource:      p.All(oauth.ParamResource),

		AuthorizationDetails: details,
	}
}

// keep stores the request under the digest of a fresh request_uri.
func (h *Handler) keep(ctx context.Context, request store.AuthorizationRequest) (response, *oauth.Error) {
	reference := oauth.NewSecret()
	uri := oauth.RequestURIPrefix + reference.Reveal()
	err := h.Store.PushRequest(ctx, store.PushedRequest{
		URI: oauth.SecretFrom(uri).Digest(), Request: request, ExpiresAt: h.Now().Add(fapi.RequestURILifetime),
	})
	if err != nil {
		return response{}, oauth.AsError(err)
	}
	return response{RequestURI: uri, ExpiresIn: int(fapi.RequestURILifetime / time.Second)}, nil
}
