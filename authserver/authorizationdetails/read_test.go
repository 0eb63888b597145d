package authorizationdetails

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func client(t testing.TB, types ...string) *fapi.Client {
	t.Helper()
	admitted, violations := fapi.AdmitClient(registration.Metadata{
		ClientID: "bank.payments", GrantTypes: []string{oauth.GrantClientCredentials}, AuthorizationDetailsTypes: types,
		TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT, JWKSURI: "https://app.example.com/jwks.json", DPoPBoundAccessTokens: new(true),
	}, fapi.Limits{})
	if admitted == nil {
		t.Fatal(violations)
	}
	return admitted
}

const payment = `{"type":"payment","amount":{"value":12.50}}`

func TestWhatIsRefusedAndHowItIsTold(t *testing.T) {
	t.Parallel()
	types := paymentTypes(t)
	nested := strings.Repeat(`{"a":`, 20) + `1` + strings.Repeat(`}`, 20)
	for name, test := range map[string]struct {
		text string
		rule oauth.RuleID
		told string
	}{
		"not JSON":              {`[{`, "RFC9396-2", ""},
		"an object":             {payment, "RFC9396-2", ""},
		"null":                  {`null`, "RFC9396-2", ""},
		"two values":            {`[] []`, "RFC9396-2", ""},
		"empty":                 {`[]`, "LOCAL-AUTHORIZATION-DETAILS-COUNT", ""},
		"too many":              {`[` + strings.Repeat(payment+",", 16) + payment + `]`, "LOCAL-AUTHORIZATION-DETAILS-COUNT", ""},
		"a string as element":   {`["payment"]`, "RFC9396-2", ""},
		"null as element":       {`[null]`, "RFC9396-2", ""},
		"no type":               {`[{"amount":{}}]`, "RFC9396-2", ""},
		"type is no string":     {`[{"type":["payment"]}]`, "RFC9396-2", ""},
		"type is null":          {`[{"type":null}]`, "RFC9396-2", ""},
		"Type":                  {`[{"Type":"payment"}]`, "RFC9396-2", ""},
		"type twice":            {`[{"type":"payment","type":"other"}]`, "RFC9396-2", ""},
		"inner member twice":    {`[{"type":"payment","amount":{"value":1,"value":1000}}]`, "RFC9396-2", ""},
		"same name escaped":     {`[{"type":"payment","amount":{"value":1,"\u0076alue":1000}}]`, "RFC9396-2", ""},
		"not UTF-8":             {"[{\"type\":\"payment\",\"note\":\"\xff\"}]", "RFC9396-2", ""},
		"half a surrogate":      {`[{"type":"payment","note":"\ud800"}]`, "RFC9396-2", ""},
		"too deep":              {`[{"type":"payment","a":` + nested + `}]`, "RFC9396-2", ""},
		"huge exponent":         {`[{"type":"payment","amount":{"value":1e999999999}}]`, "RFC9396-2", ""},
		"tiny exponent":         {`[{"type":"payment","amount":{"value":1E-999999999}}]`, "RFC9396-2", ""},
		"too long":              {`[` + payment + strings.Repeat(" ", fapi.MaxAuthorizationDetailsLength) + `]`, "LOCAL-AUTHORIZATION-DETAILS-LENGTH", ""},
		"too long in a token":   {`[{"type":"payment","note":"` + strings.Repeat("<", 1000) + `"}]`, "LOCAL-AUTHORIZATION-DETAILS-LENGTH", ""},
		"unknown type":          {`[` + payment + `,{"type":"loan"}]`, "RFC9396-5", "authorization_details[1]"},
		"missing member":        {`[{"type":"payment"}]`, "RFC9396-5-SCHEMA", "authorization_details[0]: the element conforms to the definition of its type: /amount is missing"},
		"unknown member":        {`[{"type":"payment","amount":{},"tip":1}]`, "RFC9396-5-SCHEMA", "/tip is not known"},
		"unknown inner member":  {`[{"type":"payment","amount":{"a/b":1}}]`, "RFC9396-5-SCHEMA", "/amount/a~1b is not known"},
		"wrong kind of value":   {`[{"type":"payment","amount":{"value":"1666"}}]`, "RFC9396-5-SCHEMA", "/amount/value is not of the type number"},
		"value out of range":    {`[{"type":"payment","amount":{"value":-1666}}]`, "RFC9396-5-SCHEMA", "/amount/value breaks the schema's keyword exclusiveMinimum"},
		"value of wrong format": {`[{"type":"payment","amount":{},"due":"tomorrow-1666"}]`, "RFC9396-5-SCHEMA", "/due breaks the schema's keyword format"},
		"long member name":      {`[{"type":"payment","amount":{},"` + strings.Repeat("n", 200) + `":1}]`, "RFC9396-5-SCHEMA", "a member with a long name is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refusal := fapi.CheckAuthorizationDetails(types.Read(test.text, client(t, "payment")))
			if refusal == nil || refusal.Rule != test.rule || refusal.Code != oauth.InvalidAuthorizationDetails || !strings.Contains(refusal.Description, test.told) {
				t.Fatalf("got %v, want %s with %q", refusal, test.rule, test.told)
			}
			if strings.Contains(refusal.Error(), "1666") {
				t.Errorf("a value is told: %v", refusal)
			}
		})
	}
}

func TestATypeIsForClientsThatRegisteredIt(t *testing.T) {
	t.Parallel()
	refusal := fapi.CheckAuthorizationDetails(paymentTypes(t).Read(`[`+payment+`]`, client(t, "loan")))
	if refusal == nil || refusal.Rule != "RFC9396-10" {
		t.Errorf("got %v", refusal)
	}
}

func TestElementsAreKeptAsTheyWereSent(t *testing.T) {
	t.Parallel()
	details := paymentTypes(t).Read(` [ { "note":"\u00e9", "type":"payment", "amount":{"value": 0.10} }, `+payment+` ] `, client(t, "payment"))
	if refusal := fapi.CheckAuthorizationDetails(details); refusal != nil {
		t.Fatal(refusal)
	}
	encoded, err := fapi.EncodeAuthorizationDetails(details.Elements)
	if want := `[{"note":"\u00e9","type":"payment","amount":{"value":0.10}},` + payment + `]`; err != nil || string(encoded) != want {
		t.Errorf("got %s, %v, want %s", encoded, err, want)
	}
}

// Elements say the same whatever their spelling, and never where an amount differs.
func TestComparison(t *testing.T) {
	t.Parallel()
	types, payer := paymentTypes(t), client(t, "payment")
	element := func(text string) fapi.AuthorizationDetail {
		details := types.Read("["+text+"]", payer)
		if details.Fault != nil {
			t.Fatal(details.Fault)
		}
		return details.Elements[0]
	}
	for name, test := range map[string]struct {
		a, b string
		same bool
	}{
		"order of members": {payment, `{"amount":{"value":12.50},"type":"payment"}`, true},
		"escapes":          {payment, `{"\u0074ype":"payment","amount":{"value":12.50}}`, true},
		"order of items":   {`{"type":"payment","payees":[1,2]}`, `{"type":"payment","payees":[2,1]}`, false},
		"another number":   {payment, `{"type":"payment","amount":{"value":12.51}}`, false},
		"beyond a double":  {`{"type":"payment","amount":{"value":9007199254740993}}`, `{"type":"payment","amount":{"value":9007199254740992}}`, false},
		"digits of a cent": {`{"type":"payment","amount":{"value":0.1}}`, `{"type":"payment","amount":{"value":0.1000000000000000001}}`, false},
		"number or string": {`{"type":"payment","note":"1"}`, `{"type":"payment","note":1}`, false},
		"one member more":  {payment, `{"type":"payment","amount":{"value":12.50},"note":""}`, false},
	} {
		_, refusal := fapi.TakeDetails(fapi.DetailsRequest{
			Requested: []fapi.AuthorizationDetail{element(test.a)}, Granted: []fapi.AuthorizationDetail{element(test.b)},
		})
		if (refusal == nil) != test.same {
			t.Errorf("%s: got %v", name, refusal)
		}
	}
}

// Two payments that look alike are two: what was granted once is not had twice.
func TestEachElementIsTakenAsOftenAsItWasGranted(t *testing.T) {
	t.Parallel()
	types, payer := paymentTypes(t), client(t, "payment")
	read := func(count int) []fapi.AuthorizationDetail {
		return types.Read("["+strings.TrimSuffix(strings.Repeat(payment+",", count), ",")+"]", payer).Elements
	}
	taken, refusal := fapi.TakeDetails(fapi.DetailsRequest{Requested: read(1), Granted: read(2)})
	if refusal != nil || len(taken) != 1 {
		t.Errorf("one of two: %d, %v", len(taken), refusal)
	}
	_, refusal = fapi.TakeDetails(fapi.DetailsRequest{Requested: read(2), Granted: read(1)})
	if refusal == nil || refusal.Rule != "RFC9396-6" {
		t.Errorf("two of one: %v", refusal)
	}
}

// What was granted is given no more once the type is gone, the client may not
// use it, or the schema refuses it.
func TestGrantedElementsAreJudgedAgain(t *testing.T) {
	t.Parallel()
	const granted = `[` + payment + `]`
	stricter, err := load(t, strings.Replace(paymentSchema, `"exclusiveMinimum": 0`, `"maximum": 10`, 1))
	if err != nil {
		t.Fatal(err)
	}
	none, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		details fapi.AuthorizationDetails
		left    int
	}{
		"nothing changed": {paymentTypes(t).Read(granted, client(t, "payment")), 1},
		"client's type":   {paymentTypes(t).Read(granted, client(t)), 0},
		"server's type":   {none.Read(granted, client(t, "payment")), 0},
		"schema":          {stricter.Read(granted, client(t, "payment")), 0},
		"nothing granted": {paymentTypes(t).Read("", client(t, "payment")), 0},
	} {
		if left := fapi.DetailsForGrant(test.details); len(left) != test.left {
			t.Errorf("%s: %d elements are left, want %d", name, len(left), test.left)
		}
	}
}

// No number makes a schema's arithmetic take long.
func TestNumbersAreCheap(t *testing.T) {
	t.Parallel()
	types, payer := paymentTypes(t), client(t, "payment")
	begun := time.Now()
	for _, number := range []string{"1e308", "1e-308", "-1.5E+300", strings.Repeat("9", 3000), "1e0000000000000000000300"} {
		_ = types.Read(fmt.Sprintf(`[{"type":"payment","amount":{"value":%s}}]`, number), payer)
	}
	if elapsed := time.Since(begun); elapsed > 5*time.Second {
		t.Errorf("five numbers took %s", elapsed)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`[` + payment + `]`)
	f.Add(`[{"type":"payment","payees":[{"iban":"x"}],"due":"2026-01-01","note":"\u202e<"}]`)
	f.Add(`[{"type":"loan","a":[[[[1e308]]]]}, {"type":""}]`)
	types, payer := paymentTypes(f), client(f, "payment")
	f.Fuzz(func(t *testing.T, text string) {
		details := types.Read(text, payer)
		if details.Fault != nil && details.Elements != nil {
			t.Fatal("elements of a text that could not be read")
		}
		if fapi.CheckAuthorizationDetails(details) != nil {
			return
		}
		encoded, err := fapi.EncodeAuthorizationDetails(details.Elements)
		if err != nil || !json.Valid(encoded) || len(encoded) > fapi.MaxAuthorizationDetailsLength {
			t.Fatalf("what was accepted cannot be given: %s, %v", encoded, err)
		}
		again := types.Read(string(encoded), payer)
		taken, refusal := fapi.TakeDetails(fapi.DetailsRequest{Requested: again.Elements, Granted: details.Elements})
		if refusal != nil || len(taken) != len(details.Elements) {
			t.Fatalf("what was given is not what was granted: %s, %v", encoded, refusal)
		}
	})
}
