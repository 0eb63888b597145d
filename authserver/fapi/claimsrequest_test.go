package fapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseClaimsRequest(t *testing.T) {
	t.Parallel()
	for parameter, want := range map[string]ClaimsRequest{
		"":   {},
		"{}": {},
		`{"userinfo":{"email":null,"name":{"essential":true}},"id_token":{"acr":{"values":["a","b"]}}}`: {
			UserInfo: RequestedClaims{"email": {}, "name": {Essential: true}},
			IDToken:  RequestedClaims{"acr": {Values: []any{"a", "b"}}},
		},
		`{"elsewhere":[1,{"a":null}],"id_token":{"sub":{"value":"~a","reason":"theirs"},"unheard_of":null}}`: {
			IDToken: RequestedClaims{"sub": {Value: "~a"}, "unheard_of": {}},
		},
	} {
		got, err := ParseClaimsRequest(parameter)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", parameter, err, diff)
		}
	}
}

var malformedClaims = map[string]string{
	"no JSON":               "email",
	"null":                  "null",
	"a list":                `["email"]`,
	"a text":                `"email"`,
	"half an object":        `{"userinfo":{`,
	"two objects":           `{} {}`,
	"a list of claims":      `{"userinfo":["email"]}`,
	"a text for a claim":    `{"userinfo":{"email":"yes"}}`,
	"essential as text":     `{"userinfo":{"email":{"essential":"true"}}}`,
	"values that are one":   `{"id_token":{"acr":{"values":"a"}}}`,
	"a claim twice":         `{"id_token":{"sub":{"value":"~a"},"sub":null}}`,
	"a member twice":        `{"id_token":{},"id_token":{"sub":null}}`,
	"a value twice":         `{"id_token":{"sub":{"value":"~a","value":"~b"}}}`,
	"an unknown one twice":  `{"elsewhere":{"a":1,"a":2}}`,
	"not UTF-8":             "{\"userinfo\":{\"\xff\":null}}",
	"nested too deep":       `{"elsewhere":` + strings.Repeat("[", MaxClaimsDepth) + strings.Repeat("]", MaxClaimsDepth) + `}`,
	"longer than the limit": `{"userinfo":{"` + strings.Repeat("a", MaxClaimsLength) + `":null}}`,
}

func TestMalformedClaimsRequest(t *testing.T) {
	t.Parallel()
	for name, parameter := range malformedClaims {
		if got, err := ParseClaimsRequest(parameter); err == nil {
			t.Errorf("%s was read as %+v", name, got)
		}
	}
}

func FuzzParseClaimsRequest(f *testing.F) {
	f.Add(`{"userinfo":{"email":null},"id_token":{"acr":{"essential":true,"values":["a"]}}}`)
	for _, parameter := range malformedClaims {
		f.Add(parameter)
	}
	f.Fuzz(func(t *testing.T, parameter string) {
		request, err := ParseClaimsRequest(parameter)
		if err != nil {
			return
		}
		known := map[string]any{"email": "alice@bank.example"}
		for name := range request.UserInfo.Of(known) {
			if _, ok := known[name]; !ok {
				t.Errorf("%s came from nowhere", name)
			}
		}
	})
}

func TestClaimsRequestAdmits(t *testing.T) {
	t.Parallel()
	for parameter, want := range map[string]struct{ subject, acr bool }{
		``:                                                                   {true, true},
		`{"id_token":{"sub":null}}`:                                          {true, true},
		`{"id_token":{"sub":{"value":"~a"}}}`:                                {true, true},
		`{"id_token":{"sub":{"value":"~b"}}}`:                                {false, true},
		`{"userinfo":{"sub":{"value":"~b"}}}`:                                {false, true},
		`{"id_token":{"sub":{"values":["~b","~a"]}}}`:                        {true, true},
		`{"id_token":{"sub":{"values":[]}}}`:                                 {false, true},
		`{"id_token":{"sub":{"value":7}}}`:                                   {false, true},
		`{"id_token":{"acr":{"values":["high"]}}}`:                           {true, true},
		`{"id_token":{"acr":{"essential":true}}}`:                            {true, true},
		`{"id_token":{"acr":{"essential":true,"value":"low"}}}`:              {true, true},
		`{"id_token":{"acr":{"essential":true,"value":"high"}}}`:             {true, false},
		`{"id_token":{"acr":{"essential":true,"values":["high","higher"]}}}`: {true, false},
		`{"userinfo":{"acr":{"essential":true,"value":"high"}}}`:             {true, true},
	} {
		request, err := ParseClaimsRequest(parameter)
		if err != nil {
			t.Errorf("%s: %v", parameter, err)
		}
		if request.AdmitsSubject("~a") != want.subject || request.AdmitsACR("low") != want.acr {
			t.Errorf("%s: subject %t, acr %t", parameter, request.AdmitsSubject("~a"), request.AdmitsACR("low"))
		}
	}
}

func TestRequestedClaimsOfAPerson(t *testing.T) {
	t.Parallel()
	known := map[string]any{"name": "Alice", "email": "alice@bank.example", "email_verified": true, "address": map[string]any{"country": "DE"}}
	wanted := RequestedClaims{
		"name": {Value: "Bob"}, "email": {Essential: true}, "email_verified": {Value: true},
		"address": {Values: []any{map[string]any{"country": "DE"}}}, "nickname": {Essential: true},
	}
	want := map[string]any{"email": "alice@bank.example", "email_verified": true, "address": map[string]any{"country": "DE"}}
	if diff := cmp.Diff(want, wanted.Of(known)); diff != "" {
		t.Errorf("what is released (-want +got):\n%s", diff)
	}
}
