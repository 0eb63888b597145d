package protocol

import (
	"errors"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// loggedIn is a browser whose person logged in two minutes ago, and when that was.
func loggedIn(t *testing.T, server *fapitest.Server, client *fapitest.Client) (browser *fapitest.Browser, authTime float64) {
	t.Helper()
	browser = client.NewBrowser()
	t.Cleanup(browser.Close)
	authTime = authTimeOf(t, server, client, browser)
	server.Clock.Advance(2 * time.Minute)
	return browser, authTime
}

// authTimeOf authorizes in the browser, and gives the ID token's auth_time.
func authTimeOf(t *testing.T, server *fapitest.Server, client *fapitest.Client, browser *fapitest.Browser) float64 {
	t.Helper()
	authorization := push(t, client)
	callback, err := client.AuthorizeWith(t.Context(), browser, authorization, server.Person)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := client.Redeem(t.Context(), authorization, callback.Code)
	if err != nil {
		t.Fatal(err)
	}
	authTime, _ := tokens.IDClaims["auth_time"].(float64)
	return authTime
}

// TestPromptLoginAndMaxAge is oidcc-prompt-login, oidcc-max-age-1 and
// oidcc-max-age-10000: auth_time tells whether the person has logged in anew.
func TestPromptLoginAndMaxAge(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	for name, test := range map[string]struct {
		parameters map[string]string
		anew       bool
	}{
		"nothing":               {nil, false},
		"prompt=login":          {map[string]string{oauth.ParamPrompt: "login"}, true},
		"prompt=select_account": {map[string]string{oauth.ParamPrompt: "select_account"}, true},
		"prompt=consent":        {map[string]string{oauth.ParamPrompt: "consent"}, false},
		"prompt=login consent":  {map[string]string{oauth.ParamPrompt: "login consent"}, true},
		"max_age=0":             {map[string]string{oauth.ParamMaxAge: "0"}, true},
		"max_age=1":             {map[string]string{oauth.ParamMaxAge: "1"}, true},
		"max_age=119":           {map[string]string{oauth.ParamMaxAge: "119"}, true},
		"max_age=120":           {map[string]string{oauth.ParamMaxAge: "120"}, false},
		"max_age=10000":         {map[string]string{oauth.ParamMaxAge: "10000"}, false},
		"display=popup":         {map[string]string{"display": "popup"}, false},
		"claims_locales=se":     {map[string]string{"claims_locales": "se"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			browser, before := loggedIn(t, server, client)
			after := authTimeOf(t, server, with(client, test.parameters), browser)
			if anew := after > before; anew != test.anew || before == 0 {
				t.Errorf("auth_time was %.0f and is %.0f", before, after)
			}
		})
	}
}

// TestPromptNoneLoggedIn is oidcc-prompt-none-logged-in: whoever is logged in has
// still to consent, and who logged in too long ago has to log in.
func TestPromptNoneLoggedIn(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	browser, _ := loggedIn(t, server, client)
	for maxAge, want := range map[string]oauth.ErrorCode{"": oauth.ConsentRequired, "10000": oauth.ConsentRequired, "60": oauth.LoginRequired} {
		silent := with(client, map[string]string{oauth.ParamPrompt: "none", oauth.ParamMaxAge: maxAge})
		_, err := silent.AuthorizeWith(t.Context(), browser, push(t, silent), server.Person)
		if refused, ok := errors.AsType[*fapitest.CallbackError](err); !ok || refused.Callback.Error != want {
			t.Errorf("max_age %q: want %s, got: %v", maxAge, want, err)
		}
	}
}

// TestMalformedPromptAndMaxAge are refused where they are pushed.
func TestMalformedPromptAndMaxAge(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	for _, parameters := range []map[string]string{
		{oauth.ParamPrompt: "none login"}, {oauth.ParamPrompt: "sometimes"},
		{oauth.ParamMaxAge: "-1"}, {oauth.ParamMaxAge: "1.5"}, {oauth.ParamMaxAge: "soon"}, {oauth.ParamMaxAge: "99999999999999999999"},
	} {
		asked := with(client, parameters)
		_, err := asked.Push(t.Context(), asked.NewAuthorization())
		wantRefusal(t, err, badRequest, oauth.InvalidRequest)
	}
}
