package token

import (
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// allowed is what an access token lets its client do.
type allowed struct {
	scope   []string
	details []fapi.AuthorizationDetail
}

// requestedDetails are the request's authorization_details; nil without any.
func (h *Handler) requestedDetails(r request) ([]fapi.AuthorizationDetail, *oauth.Error) {
	text := r.parameter(oauth.ParamAuthorizationDetails)
	if text == "" {
		return nil, nil
	}
	details := h.AuthorizationDetails.Read(text, r.client())
	return details.Elements, fapi.CheckAuthorizationDetails(details)
}

// grantedDetails are the person's grant, or the part of it that is asked for
// (RFC 9396, 6).
func (h *Handler) grantedDetails(r request, grant store.Grant) ([]fapi.AuthorizationDetail, *oauth.Error) {
	granted := fapi.DetailsForGrant(h.AuthorizationDetails.Read(string(grant.Request.AuthorizationDetails), r.client()))
	requested, refusal := h.requestedDetails(r)
	if refusal != nil || requested == nil {
		return granted, refusal
	}
	return fapi.TakeDetails(fapi.DetailsRequest{Requested: requested, Granted: granted})
}
