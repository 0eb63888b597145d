package endpoint

import (
	"context"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Origins tells whether some active client lists a web origin.
type Origins interface {
	OriginListed(ctx context.Context, origin string) (bool, error)
}

// Preflight answers CORS preflights for origins that some active client lists.
// Which client will ask is not known yet; the request itself is let through for
// the authenticated client's own origins alone (AllowOrigin). Credentials mode
// is never allowed. It must not wrap the authorization endpoint
// (FAPI 2.0 Security Profile, 5.2.3-3).
func (p *Responder) Preflight(origins Origins, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			next.ServeHTTP(w, r)
			return
		}
		origin := r.Header.Get("Origin")
		listed, err := origins.OriginListed(r.Context(), origin)
		if err != nil {
			p.Refuse(w, r, oauth.AsError(err))
			return
		}
		if listed {
			answerPreflight(w.Header(), origin)
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func answerPreflight(header http.Header, origin string) {
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Methods", "GET, POST")
	header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
	// Ten minutes, in seconds: our own choice; a withdrawn origin is refused at the request at once.
	header.Set("Access-Control-Max-Age", "600")
}

// AllowOrigin lets a browser read the response if the client lists its origin,
// and refuses the request otherwise, before anything is done for it. Requests
// without an Origin are not a browser's and pass.
func AllowOrigin(w http.ResponseWriter, r *http.Request, client *fapi.Client) *oauth.Error {
	origin := r.Header.Get("Origin")
	if refusal := fapi.CheckOrigin(fapi.BrowserRequest{Origin: origin, Client: client}); refusal != nil || origin == "" {
		return refusal
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate")
	return nil
}
