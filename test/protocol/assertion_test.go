package protocol

import (
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

func claim(name string, value any) func(fapitest.Claims) {
	return func(claims fapitest.Claims) { claims[name] = value }
}

func withoutClaim(name string) func(fapitest.Claims) {
	return func(claims fapitest.Claims) { delete(claims, name) }
}

// shift moves time claims, which are in seconds.
func shift(by time.Duration, names ...string) func(fapitest.Claims) {
	return func(claims fapitest.Claims) {
		for _, name := range names {
			claims[name] = claims[name].(int64) + int64(by/time.Second)
		}
	}
}

// TestClientAssertion is section 2.8, at PAR and at the token endpoint alike.
func TestClientAssertion(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := keyAndDPoP
	profile.Algorithm = jose.PS256
	client := server.Register(t, "assertion-client", profile)
	other := server.Register(t, "other-client", keyAndDPoP)
	key := client.Signer
	header := func(alg string) map[string]any {
		return map[string]any{"alg": alg, "kid": client.SigningKey.KeyID()}
	}
	refused := map[string]fapitest.Misbehave{
		"ensure-signed-client-assertion-with-RS256-fails": {SignAssertion: fapitest.Forgery{Header: header("RS256"), Key: key}.Sign},
		"alg-none":                            {SignAssertion: fapitest.Forgery{Header: header("none")}.Sign},
		"signature-corrupted":                 {SignAssertion: fapitest.Forgery{Header: header("PS256"), Key: key, Corrupt: true}.Sign},
		"two-parts":                           {SignAssertion: fapitest.Forgery{Header: header("PS256"), Key: key, Parts: 2}.Sign},
		"alg-not-the-registered-one":          {SignAssertion: fapitest.Forgery{Header: header("ES256"), Key: other.Signer}.Sign},
		"ensure-client-id-in-token-endpoint":  {SignAssertion: fapitest.Forgery{Header: header("PS256"), Key: fapitest.NewSigner(t, jose.PS256)}.Sign},
		"typ-of-another-JWT":                  {SignAssertion: fapitest.Forgery{Header: map[string]any{"alg": "PS256", "typ": "at+jwt"}, Key: key}.Sign},
		"ensure-client-assertion-with-no-sub": {Assertion: withoutClaim("sub")},
		"iss-other":                           {Assertion: claim("iss", "other-client")},
		"sub-and-iss-other":                   {Assertion: func(claims fapitest.Claims) { claims["iss"], claims["sub"] = "other-client", "other-client" }},
		"ensure-client-assertion-with-exp-is-5-minutes-in-past-fails": {Assertion: shift(-6*time.Minute, "exp", "iat", "nbf")},
		"no-exp":      {Assertion: withoutClaim("exp")},
		"exp-too-far": {Assertion: shift(24*time.Hour, "exp")},
		"no-jti":      {Assertion: withoutClaim("jti")},
		"jti-reused":  {Assertion: claim("jti", "the-same")},
		"ensure-client-assertion-with-wrong-aud-fails": {Assertion: claim("aud", "https://elsewhere.example")},
		"no-aud":                                        {Assertion: withoutClaim("aud")},
		"par-test-array-as-audience-fails":              {Assertion: claim("aud", []string{server.Issuer, server.Issuer + "/token"})},
		"array-of-issuer-alone":                         {Assertion: claim("aud", []string{server.Issuer})},
		"par-test-par-endpoint-url-as-audience-fails":   {Assertion: claim("aud", server.Issuer+"/par")},
		"par-test-token-endpoint-url-as-audience-fails": {Assertion: claim("aud", server.Issuer+"/token")},
		"issuer-with-slash":                             {Assertion: claim("aud", server.Issuer+"/")},
		"par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails": {Assertion: shift(62*time.Second, "iat", "nbf", "exp")},
		"ensure-client-assertion-in-token-endpoint": {
			PushForm: removing(oauth.ParamClientAssertion), TokenForm: removing(oauth.ParamClientAssertion),
		},
		"assertion-and-secret": {
			PushForm: setting(oauth.ParamClientSecret, "x"), TokenForm: setting(oauth.ParamClientSecret, "x"),
		},
		"client_id-other": {
			PushForm: setting(oauth.ParamClientID, "other-client"), TokenForm: setting(oauth.ParamClientID, "other-client"),
		},
		"assertion-repeated": {
			PushForm: repeating(oauth.ParamClientAssertion), TokenForm: repeating(oauth.ParamClientAssertion),
		},
		"assertion-type-other": {
			PushForm: setting(oauth.ParamClientAssertionType, "x"), TokenForm: setting(oauth.ParamClientAssertionType, "x"),
		},
	}
	used := client.With(fapitest.Misbehave{Assertion: claim("jti", "the-same")})
	push(t, used)
	for module, misbehave := range refused {
		t.Run(module, func(t *testing.T) {
			misbehaving := client.With(misbehave)
			_, err := misbehaving.Push(t.Context(), misbehaving.NewAuthorization())
			wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient, oauth.InvalidRequest)
			_, err = misbehaving.ClientCredentials(t.Context(), "accounts")
			wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient, oauth.InvalidRequest)
		})
	}
	for module, misbehave := range map[string]fapitest.Misbehave{
		"par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted": {Assertion: shift(10*time.Second, "iat", "nbf")},
		"without-iat-and-nbf":         {Assertion: func(claims fapitest.Claims) { delete(claims, "iat"); delete(claims, "nbf") }},
		"unknown-claim":               {Assertion: claim("unknown", map[string]any{"a": 1})},
		"client_id-left-to-assertion": {TokenForm: removing(oauth.ParamClientID)},
	} {
		t.Run(module, func(t *testing.T) {
			behaving := client.With(misbehave)
			push(t, behaving)
			if _, err := behaving.ClientCredentials(t.Context(), "accounts"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestClientAssertionRS256IsInvalidClient: the suite takes no other code for it.
func TestClientAssertionRS256IsInvalidClient(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := keyAndDPoP
	profile.Algorithm = jose.PS256
	client := server.Register(t, "rs256-client", profile)
	forged := client.With(fapitest.Misbehave{SignAssertion: fapitest.Forgery{
		Header: map[string]any{"alg": "RS256", "kid": client.SigningKey.KeyID()}, Key: client.Signer,
	}.Sign})
	_, err := forged.ClientCredentials(t.Context(), "accounts")
	wantRefusal(t, err, badRequestUnauthorized, oauth.InvalidClient)
}
