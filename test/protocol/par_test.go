package protocol

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// setting, removing and repeating change a form.
func setting(name, value string) func(url.Values) {
	return func(form url.Values) { form.Set(name, value) }
}

func removing(name string) func(url.Values) {
	return func(form url.Values) { form.Del(name) }
}

func repeating(name string) func(url.Values) {
	return func(form url.Values) { form.Add(name, form.Get(name)) }
}

// TestPushedRequestRefused is section 2.2 of the suite's demands: each defect is
// refused at the pushed authorization request endpoint, with 400.
func TestPushedRequestRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "par-client", keyAndDPoP).Client
	for _, test := range []struct {
		module string
		change func(url.Values)
		codes  []oauth.ErrorCode
	}{
		{"par-ensure-pkce-required", removing(oauth.ParamCodeChallenge), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"par-plain-pkce-rejected", setting(oauth.ParamCodeChallengeMethod, "plain"), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"pkce-method-left-out", removing(oauth.ParamCodeChallengeMethod), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"pkce-challenge-too-short", setting(oauth.ParamCodeChallenge, "abc"), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"ensure-redirect-uri-in-authorization-request", removing(oauth.ParamRedirectURI), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"plain-fapi-tolerate-unregistered-redirect-uri", setting(oauth.ParamRedirectURI, "https://par-client.example/callback/other"), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"redirect-uri-of-other-case", setting(oauth.ParamRedirectURI, "https://par-client.example/Callback"), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"ensure-response-type-code-idtoken-fails", setting(oauth.ParamResponseType, "code id_token"), []oauth.ErrorCode{oauth.UnsupportedResponseType}},
		{"ensure-response-type-token-fails", setting(oauth.ParamResponseType, "token"), []oauth.ErrorCode{oauth.UnsupportedResponseType}},
		{"response-type-left-out", removing(oauth.ParamResponseType), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"response-mode-fragment", setting(oauth.ParamResponseMode, "fragment"), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"par-authorization-request-containing-request_uri-form-param", setting(oauth.ParamRequestURI, oauth.RequestURIPrefix+"x"), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"scope-not-registered", setting(oauth.ParamScope, "openid everything"), []oauth.ErrorCode{oauth.InvalidScope}},
		{"scope-left-out", removing(oauth.ParamScope), []oauth.ErrorCode{oauth.InvalidScope}},
		{"resource-unknown", setting(oauth.ParamResource, "https://elsewhere.example"), []oauth.ErrorCode{oauth.InvalidTarget}},
		{"ensure-mismatched-dpop-jkt-fails", setting(oauth.ParamDPoPJKT, strings.Repeat("A", 43)), []oauth.ErrorCode{oauth.InvalidRequest, oauth.InvalidDPoPProof}},
		{"state-repeated", repeating(oauth.ParamState), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"redirect-uri-repeated", repeating(oauth.ParamRedirectURI), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"state-too-long", setting(oauth.ParamState, strings.Repeat("s", 10_000)), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"nonce-too-long", setting(oauth.ParamNonce, strings.Repeat("n", 10_000)), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"prompt-none-with-login", setting(oauth.ParamPrompt, "none login"), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"max-age-negative", setting(oauth.ParamMaxAge, "-1"), []oauth.ErrorCode{oauth.InvalidRequest}},
		{"request-object-garbage", setting(oauth.ParamRequest, "a.b.c"), []oauth.ErrorCode{oauth.InvalidRequestObject}},
	} {
		t.Run(test.module, func(t *testing.T) {
			misbehaving := client.With(fapitest.Misbehave{PushForm: test.change})
			_, err := misbehaving.Push(t.Context(), misbehaving.NewAuthorization())
			wantRefusal(t, err, badRequest, test.codes...)
		})
	}
}

// TestPushedRequestAccepted is what must pass, to the end.
func TestPushedRequestAccepted(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "par-client", keyAndDPoP).Client
	thumbprint := client.DPoPKey.Public().Thumbprint()
	withoutProof := func(header http.Header) { header.Del("DPoP") }
	for module, misbehave := range map[string]fapitest.Misbehave{
		"ensure-dpopproof-at-par-endpoint-binding-success": {},
		"ensure-dpop-auth-code-binding-success":            {PushForm: setting(oauth.ParamDPoPJKT, thumbprint)},
		"dpop_jkt-alone":                                   {PushForm: setting(oauth.ParamDPoPJKT, thumbprint), Header: withoutProof},
		"no-dpop-at-par":                                   {Header: withoutProof},
		"ensure-other-scope-order":                         {PushForm: setting(oauth.ParamScope, "accounts openid")},
		"unknown-parameter-is-ignored":                     {PushForm: setting("unknown", "x")},
		"resource-of-the-server":                           {PushForm: setting(oauth.ParamResource, fapitest.DefaultResource)},
		"empty-parameter-counts-as-none":                   {PushForm: setting(oauth.ParamRequestURI, "")},
	} {
		t.Run(module, func(t *testing.T) {
			authorization := client.NewAuthorization()
			if _, err := client.With(misbehave).Push(t.Context(), authorization); err != nil {
				t.Fatal(err)
			}
			callback, err := client.Authorize(t.Context(), authorization, server.Person)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Redeem(t.Context(), authorization, callback.Code); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestPARAtAlias: the alias behaves as the endpoint itself, whichever the client calls.
func TestPARAtAlias(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "par-client", keyAndDPoP).Client
	atAlias := client.With(fapitest.Misbehave{Endpoint: func(string) string { return server.MTLSBaseURL + "/par" }})
	push(t, atAlias)
	named := client.With(fapitest.Misbehave{
		Endpoint: func(string) string { return server.MTLSBaseURL + "/par" },
		Proof:    func(claims fapitest.Claims) { claims["htu"] = server.MTLSBaseURL + "/par" },
	})
	push(t, named)
}
