package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// claimsOf is what a grant lets the client know: in the ID token, and at userinfo.
func claimsOf(t *testing.T, server *fapitest.Server, client *fapitest.Client) (idToken, userinfo map[string]any) {
	t.Helper()
	_, tokens, err := client.Flow(t.Context(), server.Person)
	if err != nil {
		t.Fatal(err)
	}
	userinfo, err = client.UserInfo(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.IDClaims["sub"] != userinfo["sub"] {
		t.Errorf("the ID token is about %v, userinfo about %v", tokens.IDClaims["sub"], userinfo["sub"])
	}
	return tokens.IDClaims, userinfo
}

// personal leaves out what is about the token, and not about the person.
func personal(claims map[string]any) map[string]any {
	person := maps.Clone(claims)
	maps.DeleteFunc(person, func(name string, _ any) bool { return !slices.Contains(interaction.ClaimNames(), name) })
	return person
}

// refusedCallback runs an authorization that must come back to the client with the code.
func refusedCallback(t *testing.T, client *fapitest.Client, person fapitest.Person, want oauth.ErrorCode) {
	t.Helper()
	_, err := client.Authorize(t.Context(), push(t, client), person)
	refused, ok := errors.AsType[*fapitest.CallbackError](err)
	if !ok || refused.Callback.Error != want {
		t.Fatalf("want %s, got: %v", want, err)
	}
}

func askingClaims(client *fapitest.Client, claims string) *fapitest.Client {
	return client.With(fapitest.Misbehave{Parameters: setting(oauth.ParamClaims, claims)})
}

// TestClaimsParameterIdentityClaims is test-claims-parameter-identity-claims: all
// of claims_supported is asked for in both places, in several forms, among members
// and claims that nobody knows.
func TestClaimsParameterIdentityClaims(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	forms := []string{`null`, `{}`, `{"essential":true}`, `{"essential":false}`, `{"purpose":"test"}`}
	for _, signed := range []bool{false, true} {
		profile := keyAndDPoP
		profile.Signed = signed
		client := server.Register(t, fmt.Sprintf("claims-%t", signed), profile).Client
		supported := supportedClaims(t, server, client)
		var members []string
		for i, name := range append(supported, "kXv8q1Zb0n") {
			members = append(members, fmt.Sprintf("%q:%s", name, forms[i%len(forms)]))
		}
		object := "{" + strings.Join(members, ",") + "}"
		claims := fmt.Sprintf(`{"id_token":%s,"userinfo":%s,"T9wQn3aXc2":{"a":null}}`, object, object)
		client = client.With(fapitest.Misbehave{Parameters: setting(oauth.ParamClaims, claims), RequestObject: func(object fapitest.Claims) {
			object[oauth.ParamClaims] = json.RawMessage(claims) // RFC 9101, 4: a structure, not its text.
		}})
		idToken, userinfo := claimsOf(t, server, client)
		for _, name := range interaction.ClaimNames() {
			if !slices.Contains(supported, name) {
				t.Errorf("claims_supported lacks %s", name)
			}
			if idToken[name] == nil || userinfo[name] == nil {
				t.Errorf("%s: %v in the ID token, %v at userinfo", name, idToken[name], userinfo[name])
			}
		}
		if diff := cmp.Diff(personal(idToken), personal(userinfo)); diff != "" {
			t.Errorf("ID token and userinfo differ:\n%s", diff)
		}
		if idToken["kXv8q1Zb0n"] != nil || userinfo["kXv8q1Zb0n"] != nil {
			t.Error("an unknown claim was invented")
		}
		if _, typed := idToken["updated_at"].(float64); !typed || idToken["phone_number_verified"] != false {
			t.Errorf("updated_at is %v, phone_number_verified %v", idToken["updated_at"], idToken["phone_number_verified"])
		}
	}
}

func supportedClaims(t *testing.T, server *fapitest.Server, client *fapitest.Client) []string {
	t.Helper()
	_, body := get(t, client, server.Issuer+"/.well-known/openid-configuration")
	var document struct {
		Parameter bool     `json:"claims_parameter_supported"`
		Claims    []string `json:"claims_supported"`
	}
	if err := json.Unmarshal(body, &document); err != nil {
		t.Fatal(err)
	}
	if !document.Parameter {
		t.Error("claims_parameter_supported is not true")
	}
	return document.Claims
}

// TestNothingGoesOutUnasked: each claim goes where it was asked for, and what was
// not asked for stays.
func TestNothingGoesOutUnasked(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	none := map[string]any{}
	for name, ask := range map[string]struct {
		scope, claims     string
		idToken, userinfo map[string]any
	}{
		"nothing":     {"openid accounts", "", none, none},
		"ID token":    {"openid accounts", `{"id_token":{"email":null}}`, map[string]any{"email": "alice@bank.example"}, none},
		"userinfo":    {"openid accounts", `{"userinfo":{"email":null}}`, none, map[string]any{"email": "alice@bank.example"}},
		"other value": {"openid accounts", `{"userinfo":{"email":{"value":"bob@bank.example"}}}`, none, none},
		"its own": {
			"openid accounts", `{"id_token":{"iss":{"value":"https://thief.example"},"aud":{"value":"thief"},"exp":{"value":1}}}`, none, none,
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked := askingClaims(client, ask.claims)
			asked.Scope = ask.scope
			idToken, userinfo := claimsOf(t, server, asked)
			if diff := cmp.Diff(ask.idToken, personal(idToken)); diff != "" {
				t.Errorf("ID token (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(ask.userinfo, personal(userinfo)); diff != "" {
				t.Errorf("userinfo (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("beside scope", func(t *testing.T) {
		asked := askingClaims(client, `{"userinfo":{"email":null}}`)
		asked.Scope = "openid profile"
		idToken, userinfo := claimsOf(t, server, asked)
		if len(personal(idToken)) > 0 || userinfo["name"] != "Alice Example" || userinfo["email"] == nil || userinfo["address"] != nil {
			t.Errorf("ID token %v, userinfo %v", idToken, userinfo)
		}
	})
	t.Run("denied", func(t *testing.T) {
		person := server.Person
		person.Denies = true
		refusedCallback(t, askingClaims(client, `{"id_token":{"email":null}}`), person, oauth.AccessDenied)
	})
	t.Run("refreshed", func(t *testing.T) {
		asked := askingClaims(client, `{"userinfo":{"email":null}}`)
		_, tokens, err := asked.Flow(t.Context(), server.Person)
		if err != nil {
			t.Fatal(err)
		}
		refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
		if err != nil {
			t.Fatal(err)
		}
		if claims, err := client.UserInfo(t.Context(), refreshed.AccessToken); err != nil || claims["email"] == nil {
			t.Errorf("userinfo after a refresh: %v, %v", claims, err)
		}
	})
}

// TestMalformedClaimsParameterIsRefused, and has no meaning without openid.
func TestMalformedClaimsParameterIsRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	for _, claims := range []string{
		`email`, `null`, `["email"]`, `{"userinfo":["email"]}`, `{"id_token":{"email":"yes"}}`,
		`{"id_token":{"email":null,"email":{"essential":true}}}`, `{"id_token":{"sub":{"value":"~a","value":"~b"}}}`,
		`{"a":` + strings.Repeat(`[`, fapi.MaxClaimsDepth) + strings.Repeat(`]`, fapi.MaxClaimsDepth) + `}`,
		`{"id_token":{"` + strings.Repeat("a", fapi.MaxClaimsLength) + `":null}}`,
	} {
		asked := askingClaims(client, claims)
		_, err := asked.Push(t.Context(), asked.NewAuthorization())
		wantRefusal(t, err, badRequest, oauth.InvalidRequest)
	}
	_, err := client.With(fapitest.Misbehave{PushForm: func(form url.Values) {
		form[oauth.ParamClaims] = []string{`{}`, `{"id_token":{"email":null}}`}
	}}).Push(t.Context(), client.NewAuthorization())
	wantRefusal(t, err, badRequest, oauth.InvalidRequest)
	plain := askingClaims(client, `email`)
	plain.Scope = "accounts"
	if _, _, err := plain.Flow(t.Context(), server.Person); err != nil {
		t.Errorf("an OAuth request with a parameter that it does not know: %v", err)
	}
}

// TestSubjectOfTheClaimsParameter: nobody but the person who is asked for gets in
// (OpenID Connect Core, 3.1.2.2).
func TestSubjectOfTheClaimsParameter(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "bank.app", keyAndDPoP).Client
	alice := subjectOf(t, server, client)
	for _, member := range []string{"id_token", "userinfo"} {
		wanted := askingClaims(client, fmt.Sprintf(`{%q:{"sub":{"value":%q}}}`, member, alice))
		if idToken, _ := claimsOf(t, server, wanted); idToken["sub"] != alice {
			t.Errorf("sub is %v", idToken["sub"])
		}
		refusedCallback(t, wanted, server.Other, oauth.LoginRequired)
	}
	wanted := askingClaims(client, fmt.Sprintf(`{"id_token":{"sub":{"value":%q}}}`, alice))
	browser := client.NewBrowser()
	defer browser.Close()
	if _, err := client.AuthorizeWith(t.Context(), browser, push(t, client), server.Other); err != nil {
		t.Fatal(err)
	}
	silent := wanted.With(fapitest.Misbehave{Parameters: func(form url.Values) {
		wanted.Misbehave.Parameters(form)
		form.Set(oauth.ParamPrompt, "none")
	}})
	_, err := silent.AuthorizeWith(t.Context(), browser, push(t, silent), server.Person)
	if refused, ok := errors.AsType[*fapitest.CallbackError](err); !ok || refused.Callback.Error != oauth.LoginRequired {
		t.Errorf("Bob's session and prompt=none: want login_required, got: %v", err)
	}
	if _, err := wanted.AuthorizeWith(t.Context(), browser, push(t, wanted), server.Person); err != nil {
		t.Errorf("Alice after Bob in one browser: %v", err)
	}
}

// subjectOf is the sub of the server's Person.
func subjectOf(t *testing.T, server *fapitest.Server, client *fapitest.Client) string {
	t.Helper()
	idToken, _ := claimsOf(t, server, client)
	subject, _ := idToken["sub"].(string)
	return subject
}
