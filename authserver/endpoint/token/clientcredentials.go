package token

import (
	"context"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// clientCredentials is the client_credentials grant (RFC 6749, 4.4). The
// subject is the client itself; no person's subject looks like a client_id
// (FAPI 2.0 Security Profile, 6.3, client impersonating resource owner).
func (h *Handler) clientCredentials(_ context.Context, r request) (response, error) {
	details, refusal := h.requestedDetails(r)
	if refusal != nil {
		return response{}, refusal
	}
	if refusal := fapi.CheckClientDetails(details); refusal != nil {
		return response{}, refusal
	}
	scope, refusal := scopeOf(r, fapi.ScopesForClient(r.client()), true)
	if refusal != nil {
		return response{}, refusal
	}
	if details != nil && r.parameter(oauth.ParamScope) == "" {
		// Who says by authorization_details what it needs gets no more (least
		// privilege: FAPI 2.0 Security Profile, 5.3.2.1-14).
		scope = nil
	}
	return h.accessToken(r, r.client().ID(), allowed{scope, details}, nil)
}
