package protocol

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TestACR: what the login was worth stands in both tokens, also after a refresh,
// and in the server's metadata.
func TestACR(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	access, err := client.AccessTokenClaims(t.Context(), tokens.AccessToken)
	if err != nil || access["acr"] != fapitest.PasswordACR || tokens.IDClaims["acr"] != fapitest.PasswordACR {
		t.Errorf("acr is %v in the access token, %v in the ID token: %v", access["acr"], tokens.IDClaims["acr"], err)
	}
	refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	if access, err = client.AccessTokenClaims(t.Context(), refreshed.AccessToken); err != nil || access["acr"] != fapitest.PasswordACR {
		t.Errorf("acr is %v after a refresh: %v", access["acr"], err)
	}
	_, body := get(t, client, server.Issuer+"/.well-known/openid-configuration")
	var document struct {
		ACRValues []string `json:"acr_values_supported"`
		Claims    []string `json:"claims_supported"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(document.ACRValues, []string{fapitest.PasswordACR}) || !slices.Contains(document.Claims, "acr") {
		t.Errorf("the metadata says %+v", document)
	}
}

// TestACRValuesAreVoluntary is oidcc-ensure-request-with-acr-values-succeeds: the
// ID token says what the login was, whatever was asked for (OpenID Connect Core, 5.5.1.1).
func TestACRValuesAreVoluntary(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	for _, values := range []string{fapitest.PasswordACR, "urn:example:acr:high", "urn:example:acr:high " + fapitest.PasswordACR} {
		asked := client.With(fapitest.Misbehave{Parameters: setting(oauth.ParamACRValues, values)})
		if idToken, _ := claimsOf(t, server, asked); idToken["acr"] != fapitest.PasswordACR {
			t.Errorf("acr_values %s gives acr %v", values, idToken["acr"])
		}
	}
}

// TestEssentialACR is test-essential-acr-sca-claim: an essential acr is met, or
// there is no code (OpenID Connect Core, 5.5.1.1). A voluntary one is no demand.
func TestEssentialACR(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	const met, unmet = fapitest.PasswordACR, "urn:example:acr:high"
	for _, request := range []string{
		`"essential":true,"value":"` + met + `"`,
		`"essential":true,"values":["` + unmet + `","` + met + `"]`,
		`"essential":true`,
		`"essential":false,"value":"` + unmet + `"`,
		`"values":["` + unmet + `"]`,
	} {
		if idToken, _ := claimsOf(t, server, askingClaims(client, `{"id_token":{"acr":{`+request+`}}}`)); idToken["acr"] != met {
			t.Errorf("%s gives acr %v", request, idToken["acr"])
		}
	}
	for _, request := range []string{
		`"essential":true,"value":"` + unmet + `"`,
		`"essential":true,"values":["` + unmet + `"]`,
		`"essential":true,"values":[]`,
	} {
		refusedCallback(t, askingClaims(client, `{"id_token":{"acr":{`+request+`}}}`), server.Person, oauth.UnmetAuthenticationRequirements)
	}
}
