package token

import (
	"context"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// clientCredentials is the client_credentials grant (RFC 6749, 4.4). The
// subject is the client itself; no person's subject looks like a client_id
// (FAPI 2.0 Security Profile, 6.3, client impersonating resource owner).
func (h *Handler) clientCredentials(_ context.Context, r request) (response, error) {
	scope, refusal := scopeOf(r, fapi.ScopesForClient(r.client()), true)
	if refusal != nil {
		return response{}, refusal
	}
	return h.accessToken(r, r.client().ID(), scope, nil)
}
