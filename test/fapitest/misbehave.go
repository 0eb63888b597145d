package fapitest

import (
	"crypto/tls"
	"net/http"
	"net/url"
)

// Claims are a JWT's claims before they are signed.
type Claims map[string]any

// Misbehave says where a client departs from what is right. A nil field behaves.
type Misbehave struct {
	// PushForm changes the pushed request's form, last of all.
	PushForm func(url.Values)
	// Parameters changes the authorization request's parameters, before they go
	// into the form or the request object.
	Parameters func(url.Values)
	// TokenForm changes a token request's form, last of all.
	TokenForm func(url.Values)
	// AuthorizationQuery changes the query that the browser is sent with.
	AuthorizationQuery func(url.Values)

	// Assertion, RequestObject and Proof change claims before they are signed.
	Assertion     func(Claims)
	RequestObject func(Claims)
	Proof         func(Claims)

	// SignAssertion, SignRequestObject and SignProof sign in place of the client's
	// own keys: with a Forgery's Sign, another header, algorithm or key.
	SignAssertion     func(Claims) (string, error)
	SignRequestObject func(Claims) (string, error)
	SignProof         func(Claims) (string, error)

	// Header changes any request's header, after the DPoP proof is in it.
	Header func(http.Header)
	// Endpoint sends a request elsewhere than to its endpoint; proofs still name the endpoint.
	Endpoint func(string) string
	// Certificate is presented in place of the client's own; WithoutCertificate presents none.
	Certificate        *tls.Certificate
	WithoutCertificate bool
	// NoSecondAttempt gives up where the server demands a DPoP nonce.
	NoSecondAttempt bool
	// SkipChecks believes whatever the server answers, for tests that judge it themselves.
	SkipChecks bool
}

func apply[T any](change func(T), to T) {
	if change != nil {
		change(to)
	}
}
