package resource

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Protect serves next only requests that Admit admits, and answers all others.
// The access token is in the request's context: FromContext.
func (g *Guard) Protect(next http.Handler, scope ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		access, err := g.Admit(r, scope...)
		if err != nil {
			refusal := oauth.AsError(err)
			g.Record(r, refusal)
			refuse(w, refusal)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), accessTokenKey{}, access)))
	})
}

type accessTokenKey struct{}

// FromContext gives the access token that Protect has admitted the request with.
func FromContext(ctx context.Context) (token.AccessToken, bool) {
	access, admitted := ctx.Value(accessTokenKey{}).(token.AccessToken)
	return access, admitted
}

// refuse answers in JSON, as the authorization server's own endpoints do.
func refuse(w http.ResponseWriter, refusal *oauth.Error) {
	header := w.Header()
	status := Challenge(header, refusal)
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{ // A sender who has gone reads no answer.
		oauth.ParamError: string(refusal.Code), oauth.ParamErrorDescription: refusal.ErrorDescription(),
	})
}

// Challenge gives the status of a refused resource request, and tells the client
// in WWW-Authenticate which scheme to use and what was wrong (RFC 6750, 3; RFC
// 9449, 7.1). A resource answers a wrong proof with 401, where the token endpoint
// says 400.
func Challenge(header http.Header, refusal *oauth.Error) int {
	switch refusal.Code {
	case oauth.InvalidDPoPProof, oauth.UseDPoPNonce:
		header.Set("WWW-Authenticate", challenge(oauth.TokenTypeDPoP, refusal))
		return http.StatusUnauthorized
	case oauth.InvalidToken, oauth.InsufficientScope:
		header.Add("WWW-Authenticate", challenge(oauth.TokenTypeDPoP, refusal))
		header.Add("WWW-Authenticate", challenge(oauth.TokenTypeBearer, refusal))
	}
	return refusal.Code.Status()
}

func challenge(scheme string, refusal *oauth.Error) string {
	text := scheme + ` error="` + string(refusal.Code) + `", error_description="` + refusal.ErrorDescription() + `"`
	if scheme != oauth.TokenTypeDPoP {
		return text
	}
	var algorithms []string
	for _, algorithm := range jose.SignatureAlgorithms() {
		algorithms = append(algorithms, string(algorithm))
	}
	return text + `, algs="` + strings.Join(algorithms, " ") + `"`
}
