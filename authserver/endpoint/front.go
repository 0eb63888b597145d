package endpoint

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/clientauth"
	"github.com/fapi-operator/fapi-operator/authserver/dpop"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Front stands before every endpoint that authenticates clients.
type Front struct {
	Authenticator *clientauth.Authenticator
	DPoP          *dpop.Verifier
	// BaseURLs are the public and the mutual-TLS base URL, without a trailing
	// slash. A DPoP proof's htu is compared with them and never with the Host
	// header, which a proxy may have changed.
	BaseURLs []string
}

// Request is a request whose client is authenticated.
type Request struct {
	Form   oauth.Form
	Caller clientauth.Caller
	// ProofJKT is the thumbprint of the DPoP key that the sender has proven to hold; "" without a proof.
	ProofJKT string
}

// Confirmation is what a token for this request is bound to, by the client's registration.
func (r Request) Confirmation() oauth.Confirmation {
	if r.Caller.Client.UsesDPoP() {
		return oauth.Confirmation{JKT: r.ProofJKT}
	}
	return oauth.Confirmation{X5TS256: r.Caller.CertificateThumbprint()}
}

// Accept reads the form, authenticates the client, lets its origin pass, and
// verifies the DPoP proof where one was sent.
func (f *Front) Accept(w http.ResponseWriter, r *http.Request) (Request, *oauth.Error) {
	form, refusal := ReadForm(w, r)
	if refusal != nil {
		return Request{}, refusal
	}
	caller, refusal := f.Authenticator.Authenticate(r.Context(), form, mtls.PeerCertificates(r), r.Header.Get("Authorization"))
	if refusal != nil {
		return Request{}, refusal
	}
	if refusal := AllowOrigin(w, r, caller.Client); refusal != nil {
		return Request{}, refusal
	}
	jkt, refusal := f.Proof(r, "", "")
	if refusal != nil {
		return Request{}, refusal
	}
	return Request{Form: form, Caller: caller, ProofJKT: jkt}, nil
}

// Proof verifies the request's DPoP proof and gives its key's thumbprint; ""
// when no proof was sent. With an access token the proof must name it (ath), and
// is remembered only if it is by the key that the token is bound to.
func (f *Front) Proof(r *http.Request, accessToken, boundTo string) (string, *oauth.Error) {
	return f.DPoP.VerifyRequest(r, f.BaseURLs, accessToken, boundTo)
}

// ProvideNonce puts a fresh DPoP nonce on whatever answers a request with a DPoP
// proof, so that a client which keeps up never needs a second attempt (RFC 9449,
// 8.2). One place sets the header, before anything is judged: no answer has two,
// and none with use_dpop_nonce goes without.
func (f *Front) ProvideNonce(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if nonces := f.DPoP.Nonces; nonces != nil && len(r.Header.Values("DPoP")) > 0 {
			w.Header().Set("DPoP-Nonce", nonces.Fresh())
		}
		next.ServeHTTP(w, r)
	})
}

// ReadForm reads an application/x-www-form-urlencoded body, duplicates kept.
func ReadForm(w http.ResponseWriter, r *http.Request) (oauth.Form, *oauth.Error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return oauth.Form{}, oauth.Refuse(oauth.InvalidRequest, "RFC6749-3.2", "the Content-Type is not application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, oauth.MaxFormBytes))
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return oauth.Form{}, oauth.Refuse(oauth.InvalidRequest, "LOCAL-FORM-SIZE", "the request has more than %d bytes", tooLarge.Limit)
	}
	if err != nil {
		return oauth.Form{}, oauth.Refuse(oauth.InvalidRequest, "RFC6749-3.2", "the request ended before its body did").WithCause(err)
	}
	return oauth.ParseForm(string(body))
}

// Methods serves only the given methods; any other gets a JSON error with 405.
func (p *Responder) Methods(next http.Handler, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, method := range methods {
			if r.Method == method {
				next.ServeHTTP(w, r)
				return
			}
		}
		refusal := oauth.Refuse(oauth.InvalidRequest, "LOCAL-METHOD", "this endpoint does not serve the method")
		for _, method := range methods {
			w.Header().Add("Allow", method)
		}
		p.RefuseWith(w, r, http.StatusMethodNotAllowed, refusal)
	})
}
