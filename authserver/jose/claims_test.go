package jose_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

type assertion struct {
	Issuer   *string           `json:"iss"`
	Audience *jose.Audience    `json:"aud"`
	Expires  *jose.NumericDate `json:"exp"`
	Nested   *struct {
		Thumbprint string `json:"jkt"`
	} `json:"cnf"`
}

func verifiedClaims(t testing.TB, payload string) *jose.VerifiedJWT {
	t.Helper()
	verified, err := parse(t, rawToken(`{"alg":"ES256"}`, payload, p256Key())).Verify(parseSet(t, jwkOf(&p256Key().PublicKey)))
	if err != nil {
		t.Fatal(err)
	}
	return verified
}

func TestClaimsDecodeWithAbsenceVisible(t *testing.T) {
	t.Parallel()
	verified := verifiedClaims(t, `{"iss":"","aud":["a","b"],"exp":1700000000.5,"cnf":{"jkt":"t"},"unknown":{"x":[1]}}`)
	var got assertion
	if err := verified.Claims(&got); err != nil {
		t.Fatal(err)
	}
	if got.Issuer == nil || *got.Issuer != "" {
		t.Error("an empty iss reads as absent")
	}
	if diff := cmp.Diff([]string{"a", "b"}, got.Audience.Values()); diff != "" {
		t.Error(diff)
	}
	if want := time.Unix(1_700_000_000, 500_000_000); !got.Expires.Time().Equal(want) || got.Expires.IsIntegral() {
		t.Errorf("exp is %v, want %v with a fraction", got.Expires.Time(), want)
	}
	if got.Nested == nil || got.Nested.Thumbprint != "t" {
		t.Error("cnf.jkt is lost")
	}
	if !verified.Has("unknown") || verified.Has("nbf") || verified.Has("ISS") {
		t.Error("Has does not tell present from absent")
	}

	var absent assertion
	if err := verifiedClaims(t, `{}`).Claims(&absent); err != nil {
		t.Fatal(err)
	}
	if absent.Issuer != nil || absent.Audience != nil || absent.Expires != nil {
		t.Error("absent claims read as present")
	}
}

func TestClaimNamesMatchInCase(t *testing.T) {
	t.Parallel()
	var got assertion
	if err := verifiedClaims(t, `{"ISS":"attacker","Aud":"x","EXP":9999999999,"cnf":{"JKT":"x"}}`).Claims(&got); err != nil {
		t.Fatal(err)
	}
	if got.Issuer != nil || got.Audience != nil || got.Expires != nil || got.Nested.Thumbprint != "" {
		t.Error("a claim in another case was taken for the registered one")
	}
}

func TestClaimOfAnotherTypeIsNamed(t *testing.T) {
	t.Parallel()
	const secret = "77001177"
	for claim, payload := range map[string]string{
		"iss": `{"iss":` + secret + `,"aud":"x"}`,
		"exp": `{"iss":"x","exp":"` + secret + `"}`,
		"aud": `{"aud":{"` + secret + `":1}}`,
		"cnf": `{"cnf":"` + secret + `"}`,
	} {
		var into assertion
		err := verifiedClaims(t, payload).Claims(&into)
		if !errors.Is(err, jose.ErrMalformed) || !strings.Contains(err.Error(), `"`+claim+`"`) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want ErrMalformed that names the claim and shows no value", claim, err)
		}
	}
	var notAStruct []string
	if err := verifiedClaims(t, `{}`).Claims(&notAStruct); !errors.Is(err, jose.ErrMalformed) {
		t.Errorf("into a slice: error %v, want ErrMalformed", err)
	}
	if err := verifiedClaims(t, `{}`).Claims(nil); !errors.Is(err, jose.ErrMalformed) {
		t.Errorf("into nil: error %v, want ErrMalformed", err)
	}
}

func TestAudienceRemembersItsForm(t *testing.T) {
	t.Parallel()
	cases := []struct {
		raw    string
		single bool
		values []string
		ok     bool
	}{
		{`"a"`, true, []string{"a"}, true},
		{`""`, true, []string{""}, true},
		{`["a"]`, false, []string{"a"}, true},
		{`["a","b"]`, false, []string{"a", "b"}, true},
		{`[]`, false, nil, true},
		{`null`, false, nil, false},
		{`1`, false, nil, false},
		{`[1]`, false, nil, false},
		{`["a",null]`, false, nil, false},
		{`[["a"]]`, false, nil, false},
		{`{}`, false, nil, false},
	}
	for _, tc := range cases {
		var got jose.Audience
		err := json.Unmarshal([]byte(`{"aud":`+tc.raw+`}`), &struct {
			Audience *jose.Audience `json:"aud"`
		}{&got})
		if tc.raw == `null` { // encoding/json itself makes nil of it
			err = got.UnmarshalJSON([]byte(tc.raw))
		}
		if (err == nil) != tc.ok {
			t.Errorf("%s: error %v, want success %t", tc.raw, err, tc.ok)
			continue
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(tc.values, got.Values()); diff != "" || got.IsSingleString() != tc.single {
			t.Errorf("%s: single %t\n%s", tc.raw, got.IsSingleString(), diff)
		}
		if written := string(must(json.Marshal(got))); written != tc.raw {
			t.Errorf("%s is written %s", tc.raw, written)
		}
	}
	if !jose.SingleAudience("a").Contains("a") || jose.AudienceList("a", "b").Contains("A") {
		t.Error("Contains does not compare as strings")
	}
}

func TestNumericDateTakesNumbersOnly(t *testing.T) {
	t.Parallel()
	accepted := map[string]struct {
		want    time.Time
		written string
	}{
		`0`:               {time.Unix(0, 0), `0`},
		`1700000000`:      {time.Unix(1_700_000_000, 0), `1700000000`},
		`1700000000.25`:   {time.Unix(1_700_000_000, 250_000_000), `1700000000.25`},
		`1.7e9`:           {time.Unix(1_700_000_000, 0), `1700000000`},
		`253402300799`:    {time.Unix(253402300799, 0), `253402300799`},
		`1700000000.0000`: {time.Unix(1_700_000_000, 0), `1700000000`},
	}
	for raw, tc := range accepted {
		var got jose.NumericDate
		if err := json.Unmarshal([]byte(raw), &got); err != nil || !got.Time().Equal(tc.want) {
			t.Errorf("%s: %v, error %v, want %v", raw, got.Time(), err, tc.want)
		}
		if written := string(must(json.Marshal(got))); written != tc.written {
			t.Errorf("%s is written %s, want %s", raw, written, tc.written)
		}
	}
	for _, raw := range []string{`"1700000000"`, `-1`, `-0.5`, `253402300800`, `1e300`, `1e400`, `null`, `true`, `[1]`, `{}`, `NaN`, `Infinity`} {
		var got jose.NumericDate
		if err := got.UnmarshalJSON([]byte(raw)); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: error %v, want ErrMalformed", raw, err)
		}
	}
	if date := jose.NewNumericDate(time.Unix(1_700_000_000, 999)); !date.IsIntegral() || date.Time().Unix() != 1_700_000_000 {
		t.Error("NewNumericDate does not cut to whole seconds")
	}
}
