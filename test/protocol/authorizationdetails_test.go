package protocol

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// Elements as RFC 9396, 2 writes them.
const (
	accountInformation = `{"type":"account_information","actions":["list_accounts","read_balances"],"locations":["https://api.bank.example/accounts"]}`
	paymentInitiation  = `{"type":"payment_initiation","instructedAmount":{"currency":"EUR","amount":"123.50"},"creditorName":"Merchant A",` +
		`"creditorAccount":{"iban":"DE02100100109307118603"},"remittanceInformationUnstructured":"Ref Number Merchant"}`
)

func details(elements ...string) string { return "[" + strings.Join(elements, ",") + "]" }

// authorize gets tokens for the details, and the consent page that was shown.
func authorize(t *testing.T, server *fapitest.Server, client *fapitest.Client, authorization *fapitest.Authorization) (fapitest.TokenResponse, *fapitest.Page) {
	t.Helper()
	callback, page := consent(t, server, client, authorization)
	tokens, err := client.Redeem(t.Context(), authorization, callback.Code)
	if err != nil {
		t.Fatal(err)
	}
	return tokens, page
}

func consent(t *testing.T, server *fapitest.Server, client *fapitest.Client, authorization *fapitest.Authorization) (fapitest.Callback, *fapitest.Page) {
	t.Helper()
	if _, err := client.Push(t.Context(), authorization); err != nil {
		t.Fatal(err)
	}
	address, err := client.AuthorizationURL(t.Context(), authorization)
	if err != nil {
		t.Fatal(err)
	}
	browser := client.NewBrowser()
	defer browser.Close()
	page, err := browser.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := server.Person.LogIn(t.Context(), browser, page)
	if err != nil {
		t.Fatal(err)
	}
	decided, err := server.Person.Decide(t.Context(), browser, shown)
	if err != nil {
		t.Fatal(err)
	}
	if decided.Callback == nil {
		t.Fatalf("want an authorization response, got: %s", decided.Text())
	}
	callback, err := client.ReadCallback(t.Context(), authorization, decided.Callback)
	if err != nil {
		t.Fatal(err)
	}
	return callback, shown
}

func asking(client *fapitest.Client, text string) *fapitest.Authorization {
	authorization := client.NewAuthorization()
	authorization.Details = text
	return authorization
}

// wantDetails demands the details in the response and, the same, in the access token.
func wantDetails(t *testing.T, client *fapitest.Client, tokens fapitest.TokenResponse, want string) {
	t.Helper()
	claims, err := client.AccessTokenClaims(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	claim, present := claims[oauth.ParamAuthorizationDetails]
	if want == "" {
		if present || tokens.AuthorizationDetails != nil {
			t.Fatalf("want no authorization_details, got %s and %v", tokens.AuthorizationDetails, claim)
		}
		return
	}
	wanted := decoded(t, want)
	if got := decoded(t, string(tokens.AuthorizationDetails)); !reflect.DeepEqual(got, wanted) {
		t.Errorf("the response says %v, want %v", got, wanted)
	}
	if !reflect.DeepEqual(claim, wanted) {
		t.Errorf("the access token says %v, want %v", claim, wanted)
	}
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return value
}

// TestAuthorizationDetails is the plan's authorization_request_type rar, with all
// the ways to send a request and to bind a token.
func TestAuthorizationDetails(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for name, profile := range map[string]fapitest.Profile{
		"pkjwt-dpop": keyAndDPoP,
		"pkjwt-mtls": keyAndMTLS,
		"mtls-mtls":  {AuthMethod: oauth.AuthTLSClient},
		"mtls-dpop":  {AuthMethod: oauth.AuthTLSClient, DPoP: true},
		"signed":     {AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Signed: true},
		"jarm":       {AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, JARM: true},
		"message":    {AuthMethod: oauth.AuthPrivateKeyJWT, Signed: true, JARM: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := server.Register(t, "rar-"+name, profile).Client
			asked := details(accountInformation, paymentInitiation)
			tokens, page := authorize(t, server, client, asking(client, asked))
			wantDetails(t, client, tokens, asked)
			wantBound(t, client, tokens.AccessToken)
			wantUserInfo(t, client, tokens.AccessToken)
			for _, want := range []string{
				"Read your accounts", "List accounts Read balances", "https://api.bank.example/accounts", "Make this payment",
				"Amount 123.50 EUR", "To Merchant A", "Account › IBAN DE02100100109307118603", "Reference Ref Number Merchant",
			} {
				if !strings.Contains(page.Text(), want) {
					t.Errorf("the consent page does not say %q: %s", want, page.Text())
				}
			}
		})
	}
}

// TestAuthorizationDetailsAlone: scope may be left out beside them (RFC 9396, 3).
func TestAuthorizationDetailsAlone(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "rar-alone", keyAndDPoP).Client
	authorization := asking(client, details(paymentInitiation))
	authorization.Scope = ""
	tokens, page := authorize(t, server, client, authorization)
	wantDetails(t, client, tokens, details(paymentInitiation))
	if tokens.Scope != "" || tokens.IDToken != "" {
		t.Errorf("a request without scope got %q and the ID token %q", tokens.Scope, tokens.IDToken)
	}
	if strings.Contains(page.Text(), "be able to") {
		t.Errorf("the consent page speaks of scopes: %s", page.Text())
	}
	refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
	if err != nil {
		t.Fatal(err)
	}
	wantDetails(t, client, refreshed, details(paymentInitiation))
}

// TestAuthorizationDetailsRefused is RFC 9396, 5, at the pushed request, at the
// client credentials grant, and inside a request object.
func TestAuthorizationDetailsRefused(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "rar-client", keyAndDPoP).Client
	signing := server.Register(t, "rar-signing", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, Signed: true}).Client
	changed := func(from, to string) string { return details(strings.Replace(paymentInitiation, from, to, 1)) }
	for name, test := range map[string]struct{ text, told string }{
		"unknown type":          {`[{"type":"tax_return"}]`, "RFC9396-5"},
		"second unknown":        {details(paymentInitiation, `{"type":"tax_return"}`), "authorization_details[1]"},
		"unknown member":        {changed(`"creditorName"`, `"tip":"9","creditorName"`), "/tip is not known"},
		"member of wrong type":  {changed(`"Merchant A"`, `1666`), "/creditorName is not of the type string"},
		"member of wrong value": {changed(`123.50`, `free-1666`), "/instructedAmount/amount breaks"},
		"missing member":        {changed(`"creditorName":"Merchant A",`, ``), "/creditorName is missing"},
		"no array":              {paymentInitiation, "RFC9396-2"},
		"no type":               {`[{"actions":["read_balances"]}]`, "RFC9396-2"},
		"no element":            {`[]`, "COUNT"},
		"too many":              {details(slices.Repeat([]string{`{"type":"account_information","actions":["read_balances"]}`}, fapi.MaxAuthorizationDetails+1)...), "COUNT"},
		"too long":              {changed(`Ref`, strings.Repeat("R", fapi.MaxAuthorizationDetailsLength)), "LENGTH"},
	} {
		t.Run(name, func(t *testing.T) {
			refused := map[string]error{}
			_, refused["pushed"] = client.Push(t.Context(), asking(client, test.text))
			_, refused["signed"] = signing.Push(t.Context(), asking(signing, test.text))
			_, refused["client credentials"] = client.With(fapitest.Misbehave{
				TokenForm: setting(oauth.ParamAuthorizationDetails, test.text),
			}).ClientCredentials(t.Context(), "")
			for way, err := range refused {
				refusal := wantRefusal(t, err, badRequest, oauth.InvalidAuthorizationDetails)
				if !strings.Contains(refusal.Description, test.told) || strings.Contains(refusal.Description, "1666") {
					t.Errorf("%s: the description is %q, want ...%s...", way, refusal.Description, test.told)
				}
			}
		})
	}
	for name, text := range map[string]string{
		"not JSON":             `[{`,
		"repeated member":      changed(`"creditorName"`, `"creditorName":"Merchant B","creditorName"`),
		"repeated type":        changed(`"type"`, `"type":"account_information","type"`),
		"numbers without end":  `[{"type":"payment_initiation","instructedAmount":1e999999999}]`,
		"objects without end":  `[{"type":"payment_initiation","a":` + strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500) + `}]`,
		"brackets without end": strings.Repeat("[", 2000),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Push(t.Context(), asking(client, text))
			wantRefusal(t, err, badRequest, oauth.InvalidAuthorizationDetails)
		})
	}
	t.Run("sent twice", func(t *testing.T) {
		twice := client.With(fapitest.Misbehave{PushForm: repeating(oauth.ParamAuthorizationDetails)})
		_, err := twice.Push(t.Context(), asking(twice, details(paymentInitiation)))
		wantRefusal(t, err, badRequest, oauth.InvalidRequest)
	})
	t.Run("beside the request object", func(t *testing.T) {
		beside := signing.With(fapitest.Misbehave{PushForm: setting(oauth.ParamAuthorizationDetails, details(paymentInitiation))})
		tokens, page := authorize(t, server, beside, beside.NewAuthorization())
		wantDetails(t, beside, tokens, "")
		if strings.Contains(page.Text(), "Make this payment") {
			t.Error("parameters outside of the request object count")
		}
	})
}

// TestAuthorizationDetailsAreAllowedPerClient: a type is for those who registered it (RFC 9396, 10).
func TestAuthorizationDetailsAreAllowedPerClient(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	profile := keyAndDPoP
	profile.Change = func(metadata *registration.Metadata) {
		metadata.AuthorizationDetailsTypes = []string{fapitest.TypeAccountInformation}
	}
	client := server.Register(t, "rar-reader", profile).Client
	tokens, _ := authorize(t, server, client, asking(client, details(accountInformation)))
	wantDetails(t, client, tokens, details(accountInformation))
	_, err := client.Push(t.Context(), asking(client, details(accountInformation, paymentInitiation)))
	refusal := wantRefusal(t, err, badRequest, oauth.InvalidAuthorizationDetails)
	if !strings.Contains(refusal.Description, "RFC9396-10") || !strings.Contains(refusal.Description, "authorization_details[1]") {
		t.Errorf("the description is %q", refusal.Description)
	}
}

// TestUndeclaredTypesAreNotRegistered: the configuration says what there is.
func TestUndeclaredTypesAreNotRegistered(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	metadata := server.Register(t, "rar-eager", keyAndDPoP).Metadata
	metadata.AuthorizationDetailsTypes = []string{fapitest.TypePaymentInitiation, "tax_return"}
	_, err := server.Registrar.Register(t.Context(), metadata.ClientID, registration.NoRevision, registration.Request{
		Owner: registration.Owner{Installation: "test", Namespace: "bank", Name: metadata.ClientID}, Generation: 2, Metadata: metadata,
	})
	if err == nil || !strings.Contains(err.Error(), "LOCAL-AUTHORIZATION-DETAILS-TYPE") {
		t.Errorf("got %v", err)
	}
}

// TestAuthorizationDetailsAtTheTokenEndpoint is RFC 9396, 6: the same or less.
func TestAuthorizationDetailsAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	registered := server.Register(t, "rar-token", keyAndDPoP)
	client := registered.Client
	asked := details(accountInformation, paymentInitiation)
	with := func(text string) *fapitest.Client {
		return client.With(fapitest.Misbehave{TokenForm: setting(oauth.ParamAuthorizationDetails, text)})
	}
	tokens, _ := authorize(t, server, client, asking(client, asked))
	reordered := `{"instructedAmount": {"amount":"123.50", "currency":"\u0045UR"}, "creditorName":"Merchant A", "type":"payment_initiation",
		"remittanceInformationUnstructured":"Ref Number Merchant", "creditorAccount":{"iban":"DE02100100109307118603"}}`

	for name, test := range map[string]struct{ text, want string }{
		"nothing asked":   {"", asked},
		"the same":        {asked, asked},
		"another order":   {details(paymentInitiation, accountInformation), details(paymentInitiation, accountInformation)},
		"a part":          {details(paymentInitiation), details(paymentInitiation)},
		"spelt otherwise": {details(reordered), details(paymentInitiation)},
	} {
		t.Run("refresh/"+name, func(t *testing.T) {
			refreshed, err := with(test.text).Refresh(t.Context(), tokens.RefreshToken, "")
			if err != nil {
				t.Fatal(err)
			}
			wantDetails(t, client, refreshed, test.want)
		})
	}
	refused := map[string]string{
		"another amount": details(strings.Replace(paymentInitiation, "123.50", "1123.50", 1)),
		"one more":       details(paymentInitiation, paymentInitiation),
		"less inside":    details(strings.Replace(accountInformation, `,"read_balances"`, ``, 1)),
		"not conforming": details(`{"type":"payment_initiation"}`),
		"not JSON":       `[`,
		"none":           `[]`,
	}
	for name, text := range refused {
		t.Run("refresh/"+name, func(t *testing.T) {
			_, err := with(text).Refresh(t.Context(), tokens.RefreshToken, "")
			wantRefusal(t, err, badRequest, oauth.InvalidAuthorizationDetails)
		})
		t.Run("code/"+name, func(t *testing.T) {
			authorization := asking(client, asked)
			callback, _ := consent(t, server, client, authorization)
			_, err := with(text).Redeem(t.Context(), authorization, callback.Code)
			wantRefusal(t, err, badRequest, oauth.InvalidAuthorizationDetails)
			redeemed, err := with(details(accountInformation)).Redeem(t.Context(), authorization, callback.Code)
			if err != nil {
				t.Fatalf("the refusal has used the code up: %v", err)
			}
			wantDetails(t, client, redeemed, details(accountInformation))
			refreshed, err := client.Refresh(t.Context(), redeemed.RefreshToken, "")
			if err != nil {
				t.Fatal(err)
			}
			wantDetails(t, client, refreshed, asked)
			_, err = with(text).Redeem(t.Context(), authorization, callback.Code)
			wantRefusal(t, err, badRequest, oauth.InvalidGrant)
			_, err = client.Refresh(t.Context(), redeemed.RefreshToken, "")
			wantRefusal(t, err, badRequest, oauth.InvalidGrant)
		})
	}
	t.Run("a grant without any", func(t *testing.T) {
		plain, _ := authorize(t, server, client, client.NewAuthorization())
		wantDetails(t, client, plain, "")
		_, err := with(details(accountInformation)).Refresh(t.Context(), plain.RefreshToken, "")
		wantRefusal(t, err, badRequest, oauth.InvalidAuthorizationDetails)
	})
	t.Run("a type that was taken away", func(t *testing.T) {
		metadata := registered.Metadata
		metadata.AuthorizationDetailsTypes = []string{fapitest.TypeAccountInformation}
		putAgain(t, server, metadata)
		refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken, "")
		if err != nil {
			t.Fatal(err)
		}
		wantDetails(t, client, refreshed, details(accountInformation))
		_, err = with(details(paymentInitiation)).Refresh(t.Context(), tokens.RefreshToken, "")
		wantRefusal(t, err, badRequest, oauth.InvalidAuthorizationDetails)
	})
}

func putAgain(t *testing.T, server *fapitest.Server, metadata registration.Metadata) {
	t.Helper()
	_, err := server.Registrar.Register(t.Context(), metadata.ClientID, registration.NoRevision, registration.Request{
		Owner: registration.Owner{Installation: "test", Namespace: "bank", Name: metadata.ClientID}, Generation: 2, Metadata: metadata,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestClientCredentialsWithAuthorizationDetails: nobody is asked, and what is
// asked for is all that is given.
func TestClientCredentialsWithAuthorizationDetails(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "rar-machine", keyAndMTLS).Client
	asking := client.With(fapitest.Misbehave{TokenForm: setting(oauth.ParamAuthorizationDetails, details(accountInformation))})
	for scope, want := range map[string]string{"": "", "accounts": "accounts"} {
		tokens, err := asking.ClientCredentials(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		wantDetails(t, client, tokens, details(accountInformation))
		wantBound(t, client, tokens.AccessToken)
		if tokens.Scope != want {
			t.Errorf("scope %q gave %q", scope, tokens.Scope)
		}
	}
	tokens, err := client.ClientCredentials(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	wantDetails(t, client, tokens, "")
	paying := client.With(fapitest.Misbehave{TokenForm: setting(oauth.ParamAuthorizationDetails, details(paymentInitiation))})
	_, err = paying.ClientCredentials(t.Context(), "")
	if refusal := wantRefusal(t, err, badRequest, oauth.InvalidAuthorizationDetails); !strings.Contains(refusal.Description, "LOCAL-AUTHORIZATION-DETAILS-PERSON") {
		t.Errorf("a payment without a person is refused for another reason: %v", refusal)
	}
}

// TestConsentPageHidesNothing: whatever a schema lets pass is shown, and as it is.
func TestConsentPageHidesNothing(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "rar-hostile", keyAndDPoP).Client
	huge := strings.Repeat("x", 3000) + "END"
	for name, test := range map[string]struct{ value, shown string }{
		"HTML":            {`</dd></dl><script>alert(1)</script><b>`, `</dd></dl><script>alert(1)</script><b>`},
		"entities":        {`&lt;&amp;&#x202e;`, `&lt;&amp;&#x202e;`},
		"template":        {`{{.Token}}`, `{{.Token}}`},
		"bidi override":   {"Merchant \u202eBTNAHCREM", "Merchant ⟨U+202E⟩BTNAHCREM"},
		"isolates":        {"\u2067x\u2069", "⟨U+2067⟩x⟨U+2069⟩"},
		"invisible":       {"A\u200b\u3164B", "A⟨U+200B⟩⟨U+3164⟩B"},
		"line breaks":     {"A\r\nAmount\n1 EUR", "A⟨U+000D⟩⟨U+000A⟩Amount⟨U+000A⟩1 EUR"},
		"huge":            {huge, huge},
		"right to left":   {"متجر", "متجر"},
		"other languages": {"Müller & Söhne, 株式会社", "Müller & Söhne, 株式会社"},
	} {
		t.Run(name, func(t *testing.T) {
			quoted, err := json.Marshal(test.value)
			if err != nil {
				t.Fatal(err)
			}
			text := details(strings.Replace(paymentInitiation, `"Merchant A"`, string(quoted), 1))
			tokens, page := authorize(t, server, client, asking(client, text))
			wantDetails(t, client, tokens, text)
			if want := fmt.Sprintf("To %s Account", test.shown); !strings.Contains(page.Text(), want) {
				t.Errorf("the consent page does not say %q: %s", want, page.Text())
			}
		})
	}
}

// TestAccessTokenFitsAHeader: with the most that can be granted it stays below the
// 8 KB that HTTP servers commonly take for one header field.
func TestAccessTokenFitsAHeader(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	client := server.Register(t, "rar-longest", keyAndDPoP).Client
	room := fapi.MaxAuthorizationDetailsLength - len(details(paymentInitiation))
	text := details(strings.Replace(paymentInitiation, "Ref", strings.Repeat("R", room)+"Ref", 1))
	tokens, _ := authorize(t, server, client, asking(client, text))
	if size := len("Authorization: DPoP ") + len(tokens.AccessToken); size > 8<<10 {
		t.Errorf("the header field has %d bytes", size)
	}
	wantUserInfo(t, client, tokens.AccessToken)
}
