package registration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeMetadataReadsEveryRegisteredForm(t *testing.T) {
	t.Parallel()
	got, err := DecodeMetadata([]byte(`{
		"client_id": "bank.app",
		"grant_types": [],
		"redirect_uris": ["https://app.example.com/cb"],
		"jwks": {"keys": []},
		"dpop_bound_access_tokens": false,
		"fapi_operator_access_token_lifetime": 300,
		"policy_uri": null
	}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Metadata{
		ClientID:              "bank.app",
		GrantTypes:            []string{},
		RedirectURIs:          []string{"https://app.example.com/cb"},
		JWKS:                  []byte(`{"keys": []}`),
		DPoPBoundAccessTokens: new(false),
		AccessTokenLifetime:   new(int64(300)),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestDecodeRefusesWhatIsNotExactlyExpected(t *testing.T) {
	t.Parallel()
	nested := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	tests := []struct {
		name     string
		document string
		says     string
	}{
		{"nothing", "", "empty"},
		{"white space", " \n\t", "empty"},
		{"a list", `[]`, "an object is expected"},
		{"a string", `"client_id"`, "an object is expected"},
		{"cut off", `{"client_id":"bank`, "EOF"},
		{"an unknown member", `{"client_id":"a-1","redirect_uri":"https://a.example"}`, "redirect_uri"},
		{"an unknown member that differs in case", `{"Client_ID":"a-1"}`, "Client_ID"},
		{"a member stated twice", `{"client_id":"a-1","client_id":"b-2"}`, "duplicate"},
		{"a member stated twice inside the keys", `{"jwks":{"keys":[],"keys":[]}}`, "duplicate"},
		{"a number for a string", `{"client_id":7}`, "client_id"},
		{"a string for a list", `{"redirect_uris":"https://a.example"}`, "redirect_uris"},
		{"a string for a boolean", `{"dpop_bound_access_tokens":"true"}`, "dpop_bound_access_tokens"},
		{"a fraction of a second", `{"fapi_operator_access_token_lifetime":1.5}`, "fapi_operator_access_token_lifetime"},
		{"more than a number holds", `{"fapi_operator_access_token_lifetime":9223372036854775808}`, "fapi_operator_access_token_lifetime"},
		{"another document after it", `{} {}`, "after top-level"},
		{"text that is not UTF-8", "{\"client_name\":\"\xff\"}", "UTF-8"},
		{"half of a surrogate pair", `{"client_name":"\ud800"}`, "surrogate"},
		{"nesting without end", `{"jwks":` + nested + `}`, "depth"},
		{"too many bytes", `{"client_name":"` + strings.Repeat("a", MaxBytes) + `"}`, fmt.Sprint(MaxBytes)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := DecodeMetadata([]byte(test.document))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error does not say %q: %v", test.says, err)
			}
		})
	}
}

// A key or a password that stands in the wrong place must not reach a log.
func TestDecodeErrorsEchoNoValue(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		`{"dpop_bound_access_tokens":"secret-value"}`,
		`{"client_id":{"k":"secret-value"}}`,
		`{"fapi_operator_access_token_lifetime":"secret-value"}`,
		`{"fapi_operator_access_token_lifetime":1.5e77}`,
		`{"redirect_uris":["a"],"jwks":secret-value}`,
		`{"client_id":"a-1"} secret-value`,
	} {
		_, err := DecodeMetadata([]byte(document))
		if err == nil || strings.Contains(err.Error(), "secret-value") || strings.Contains(err.Error(), "1.5e77") {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func TestDecodeTakesTheLargestDocument(t *testing.T) {
	t.Parallel()
	document := `{"client_name":"` + strings.Repeat("a", MaxBytes-18) + `"}`
	if len(document) != MaxBytes {
		t.Fatalf("the document has %d bytes", len(document))
	}
	if _, err := DecodeMetadata([]byte(document)); err != nil {
		t.Error(err)
	}
}

func FuzzDecodeMetadata(f *testing.F) {
	f.Add([]byte(`{"client_id":"bank.app","jwks":{"keys":[{"kty":"EC"}]},"dpop_bound_access_tokens":true}`))
	f.Add([]byte(`{"grant_types":[],"fapi_operator_access_token_lifetime":-1}`))
	f.Add([]byte(`{"jwks":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		metadata, err := DecodeMetadata(data)
		if err != nil {
			return
		}
		encoded, err := metadata.Encode()
		if err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		again, err := DecodeMetadata(encoded)
		if err != nil {
			t.Fatalf("what was encoded cannot be decoded: %v\n%s", err, encoded)
		}
		encodedAgain, err := again.Encode()
		if err != nil || string(encodedAgain) != string(encoded) {
			t.Fatalf("the canonical form is not stable (%v):\n%s\n%s", err, encoded, encodedAgain)
		}
		filled := metadata.WithDefaults()
		if diff := cmp.Diff(filled, filled.WithDefaults()); diff != "" {
			t.Fatalf("defaults are not stable:\n%s", diff)
		}
	})
}
