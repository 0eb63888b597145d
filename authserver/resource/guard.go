// Package resource protects the endpoints of a resource server with the access
// tokens of a FAPI 2.0 authorization server (FAPI 2.0 Security Profile, 5.3.4):
// sent in the header alone, valid, not revoked, meant for this resource, wide
// enough in scope, and presented by the client that they are bound to.
//
// New makes a Guard from an issuer's published metadata; Protect wraps a handler
// with it. The authorization server's own userinfo endpoint is such a resource.
package resource

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Guard admits requests to one protected resource. It is safe for concurrent use.
type Guard struct {
	// Issuer is whose access tokens are accepted; Resource is what their aud must
	// contain (RFC 9068, 4).
	Issuer   string
	Resource string
	// Verify gives what an access token says, once signature, type, issuer and
	// expiry are verified. An error that is an *oauth.Error says that this could
	// not be found out; any other, that the token is not to be believed.
	Verify func(ctx context.Context, compact string) (token.AccessToken, error)
	// Revocation tells whether a verified access token is still good.
	Revocation Revocation
	// Proof verifies the request's DPoP proof for the access token, which is bound to
	// the key of the thumbprint boundTo, and gives the thumbprint of the proof's
	// key; "" where none was sent. It is asked only for a token that is bound to a key.
	Proof func(r *http.Request, accessToken, boundTo string) (jkt string, refusal *oauth.Error)
	// Record tells the operator of a refusal by Protect.
	Record func(r *http.Request, refusal *oauth.Error)
	Now    func() time.Time
}

// Revocation tells whether a verified access token is still good (FAPI 2.0
// Security Profile, 5.3.4-3). With an error nothing is known, and the request is
// not served.
type Revocation interface {
	Active(ctx context.Context, compact string, access token.AccessToken) (bool, error)
}

// Admit gives the request's access token if the request may be served: the token
// must cover every value of scope. A refusal is an *oauth.Error for Refuse; any
// other error means that it could not be found out.
func (g *Guard) Admit(r *http.Request, scope ...string) (token.AccessToken, error) {
	facts, presented := g.facts(r, scope)
	access, err := g.Verify(r.Context(), presented)
	if _, unknown := errors.AsType[*oauth.Error](err); unknown {
		return token.AccessToken{}, err
	}
	if facts.Fault = err; err != nil {
		return token.AccessToken{}, fapi.CheckResourceRequest(facts)
	}
	if err := g.learn(r, presented, access, &facts); err != nil {
		return token.AccessToken{}, err
	}
	if refusal := fapi.CheckResourceRequest(facts); refusal != nil {
		return token.AccessToken{}, refusal
	}
	return access, nil
}

// facts are what the request says before its token is verified.
func (g *Guard) facts(r *http.Request, scope []string) (fapi.ResourceRequest, string) {
	query, _ := url.ParseQuery(r.URL.RawQuery) // What cannot be parsed holds no parameter that anybody reads.
	scheme, presented, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return fapi.ResourceRequest{
		TokenInQuery: query.Has(paramAccessToken), TokenInBody: hasTokenInBody(r),
		Authorizations: len(r.Header.Values("Authorization")), Scheme: scheme,
		Issuer: g.Issuer, Resource: g.Resource, Scope: scope, Now: g.Now(),
	}, strings.TrimSpace(presented)
}

// learn adds what the verified token says, whether it was revoked, and what the
// sender has proven to hold.
func (g *Guard) learn(r *http.Request, presented string, access token.AccessToken, facts *fapi.ResourceRequest) error {
	facts.Token = fapi.ResourceToken{
		Issuer: access.Issuer, Audience: access.Audience, ExpiresAt: access.ExpiresAt,
		Scope: access.Scope, Confirmation: access.Confirmation,
	}
	active, err := g.Revocation.Active(r.Context(), presented, access)
	if err != nil {
		return err
	}
	facts.Active = active
	if certificates := mtls.PeerCertificates(r); len(certificates) > 0 {
		facts.Proven.X5TS256 = jose.CertificateThumbprint(certificates[0])
	}
	return g.learnProof(r, presented, access.Confirmation.JKT, facts)
}

// learnProof leaves a proof unread that proves nothing, since the token is bound
// to a certificate.
func (g *Guard) learnProof(r *http.Request, presented, boundTo string, facts *fapi.ResourceRequest) error {
	if boundTo == "" {
		return nil
	}
	jkt, refusal := g.Proof(r, presented, boundTo)
	if refusal != nil {
		return refusal
	}
	facts.Proven.JKT = jkt
	return nil
}

// paramAccessToken is where RFC 6750, 2.2 and 2.3 would put a token that FAPI
// wants in the header alone.
const paramAccessToken = "access_token"

// hasTokenInBody looks into a form's body, as far as forms are read here, and
// leaves every body to the handler as it came.
func hasTokenInBody(r *http.Request) bool {
	if mediaType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded") {
		return false
	}
	start, err := io.ReadAll(io.LimitReader(r.Body, oauth.MaxFormBytes))
	r.Body = body{io.MultiReader(bytes.NewReader(start), failing{err}, r.Body), r.Body}
	form, _ := url.ParseQuery(string(start)) // What is no form has no parameter that anybody reads.
	return form.Has(paramAccessToken)
}

// body is a body of which a part was read and put back.
type body struct {
	io.Reader
	io.Closer
}

// failing repeats the error that ended a body too early, if one did.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
