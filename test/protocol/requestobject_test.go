package protocol

import (
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestRequestObject is section 2.3: signed requests of a client that must sign.
func TestRequestObject(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Signed: true, Algorithm: jose.PS256}
	client := server.Register(t, "signing-client", profile)
	other := server.Register(t, "other-client", profile)
	header := func(alg string) map[string]any {
		return map[string]any{"alg": alg, "kid": client.SigningKey.KeyID()}
	}
	for module, misbehave := range map[string]fapitest.Misbehave{
		"ensure-request-object-without-exp-fails":      {RequestObject: withoutClaim("exp")},
		"ensure-request-object-without-nbf-fails":      {RequestObject: withoutClaim("nbf")},
		"ensure-expired-request-object-fails":          {RequestObject: shift(-time.Hour, "exp")},
		"ensure-request-object-with-bad-aud-fails":     {RequestObject: claim("aud", "https://elsewhere.example")},
		"ensure-request-object-with-exp-over-60-fails": {RequestObject: shift(70*time.Minute, "exp")},
		"ensure-request-object-with-nbf-over-60-fails": {RequestObject: shift(-70*time.Minute, "nbf")},
		"nbf-in-the-future":                            {RequestObject: shift(62*time.Second, "nbf")},
		"ensure-signed-request-object-with-RS256-fails": {
			SignRequestObject: fapitest.Forgery{Header: header("RS256"), Key: client.Signer}.Sign},
		"ensure-request-object-signature-algorithm-is-not-none": {
			SignRequestObject: fapitest.Forgery{Header: header("none")}.Sign},
		"ensure-request-object-with-invalid-signature-fails": {
			SignRequestObject: fapitest.Forgery{Header: header("PS256"), Key: client.Signer, Corrupt: true}.Sign},
		"ensure-matching-key-in-authorization-request": {
			SignRequestObject: fapitest.Forgery{Header: header("PS256"), Key: other.Signer}.Sign},
		"typ-of-another-JWT": {
			SignRequestObject: fapitest.Forgery{Header: map[string]any{"alg": "PS256", "typ": "dpop+jwt"}, Key: client.Signer}.Sign},
		"par-authorization-request-containing-request_uri": {RequestObject: claim("request_uri", oauth.RequestURIPrefix+"x")},
		"request-inside-request":                           {RequestObject: claim("request", "x")},
		"iss-other":                                        {RequestObject: claim("iss", "other-client")},
	} {
		t.Run(module, func(t *testing.T) {
			misbehaving := client.With(misbehave)
			_, err := misbehaving.Push(t.Context(), misbehaving.NewAuthorization())
			wantRefusal(t, err, badRequest, oauth.InvalidRequestObject)
		})
	}
	for module, misbehave := range map[string]fapitest.Misbehave{
		"ensure-request-object-without-redirect-uri-fails": {RequestObject: withoutClaim("redirect_uri")},
		"client_id-other":    {RequestObject: claim("client_id", "other-client")},
		"client_id-left-out": {RequestObject: withoutClaim("client_id")},
	} {
		t.Run(module, func(t *testing.T) {
			misbehaving := client.With(misbehave)
			_, err := misbehaving.Push(t.Context(), misbehaving.NewAuthorization())
			wantRefusal(t, err, badRequest, oauth.InvalidRequestObject, oauth.InvalidRequest)
		})
	}
	t.Run("ensure-unsigned-request-at-par-endpoint-fails", func(t *testing.T) {
		unsigned := client.With(fapitest.Misbehave{})
		unsigned.SignsRequests = false
		_, err := unsigned.Push(t.Context(), unsigned.NewAuthorization())
		wantRefusal(t, err, badRequest, oauth.InvalidRequest)
	})
	for module, misbehave := range map[string]fapitest.Misbehave{
		"ensure-request-object-with-multiple-aud-succeeds": {
			RequestObject: claim("aud", []string{server.Issuer, "https://a.example", "https://b.example"})},
		"ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted": {RequestObject: shift(8*time.Second, "nbf")},
		"typ-left-out":     {SignRequestObject: fapitest.Forgery{Header: header("PS256"), Key: client.Signer}.Sign},
		"typ-in-long-form": {SignRequestObject: fapitest.Forgery{Header: map[string]any{"alg": "PS256", "typ": "Application/OAuth-Authz-Req+JWT"}, Key: client.Signer}.Sign},
		"parameters-outside-the-object-do-not-count": {PushForm: setting(oauth.ParamRedirectURI, "https://thief.example")},
	} {
		t.Run(module, func(t *testing.T) { flow(t, server, client.With(misbehave)) })
	}
}
