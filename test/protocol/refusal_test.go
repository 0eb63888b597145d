package protocol

import (
	"net/url"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestRefusalsOnPagesAreRecorded: what people's browsers are refused is told to
// the operator too, in the log and in the metrics, with the rule.
func TestRefusalsOnPagesAreRecorded(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "page-client", keyAndDPoP)
	t.Run("request_uri-opened-too-often", func(t *testing.T) {
		authorization := push(t, client.Client)
		browser := client.NewBrowser()
		defer browser.Close()
		for range store.MaxInteractions {
			openAuthorization(t, client.Client, browser, authorization)
		}
		_, err := client.AuthorizeWith(t.Context(), browser, authorization, server.Person)
		wantErrorPage(t, err)
	})
	t.Run("form-too-long", func(t *testing.T) {
		authorization := push(t, client.Client)
		browser := client.NewBrowser()
		defer browser.Close()
		writer := server.Person
		writer.Username = strings.Repeat("a", 1<<20)
		_, err := client.AuthorizeWith(t.Context(), browser, authorization, writer)
		wantErrorPage(t, err)
	})
	t.Run("client-suspended-while-the-person-is-asked", func(t *testing.T) {
		authorization := push(t, client.Client)
		browser := client.NewBrowser()
		defer browser.Close()
		page := openConsent(t, server, client.Client, browser, authorization)
		suspended := client.Metadata
		suspended.Suspended = new(true)
		server.Put(t, suspended)
		shown, err := server.Person.Decide(t.Context(), browser, page)
		if err != nil {
			t.Fatal(err)
		}
		wantErrorPage(t, client.JudgePage(shown))
		server.Put(t, client.Metadata)
	})
}

// TestRefusalNamesItsRule: the rule that a request breaks is the one that the refusal names.
func TestRefusalNamesItsRule(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "refused-client", keyAndDPoP).Client
	for rule, misbehave := range map[oauth.RuleID]fapitest.Misbehave{
		"FAPI2-SP-FINAL-5.3.2.2-5": {PushForm: removing(oauth.ParamCodeChallenge)},
		"FAPI2-SP-FINAL-5.3.2.2-1": {PushForm: setting(oauth.ParamResponseType, "token")},
		"FAPI2-SP-FINAL-5.3.2.1-3": {PushForm: func(form url.Values) {
			form.Del(oauth.ParamClientAssertion)
			form.Del(oauth.ParamClientAssertionType)
		}},
		"FAPI2-SP-FINAL-5.3.2.1-8": {Assertion: claim("aud", server.Issuer+"/token")},
		"PAR-2.1":                  {PushForm: setting(oauth.ParamRequestURI, oauth.RequestURIPrefix+"x")},
		"RFC9449-4.3-9":            {Proof: claim("htu", "https://elsewhere.example/par")},
		"RFC9449-4.3-11":           {Proof: shift(-2*fapi.DPoPProofWindow, "iat")},
	} {
		t.Run(string(rule), func(t *testing.T) {
			misbehaving := client.With(misbehave)
			_, err := misbehaving.Push(t.Context(), misbehaving.NewAuthorization())
			if refusal := wantRefusal(t, err, badRequestUnauthorized); refusal.Rule() != rule {
				t.Errorf("want %s, got: %v", rule, refusal.Error())
			}
		})
	}
}
