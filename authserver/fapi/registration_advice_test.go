package fapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func TestAdviseNamesWhatIsUnwise(t *testing.T) {
	t.Parallel()
	twoKeysOfOneKid := func(m *registration.Metadata) {
		keys := vectorNamed(t, "keys-beside-foreign-members").JWKS
		m.JWKS = []byte(strings.ReplaceAll(string(keys), `"rsa-2026"`, `"signing-2026"`))
	}
	tests := []struct {
		name   string
		change func(*registration.Metadata)
		want   []oauth.RuleID
	}{
		{"nothing", func(*registration.Metadata) {}, nil},
		{"allowed origins", func(m *registration.Metadata) { m.AllowedOrigins = []string{"https://app.example.com"} },
			[]oauth.RuleID{"LOCAL-ADVICE-ORIGINS"}},
		{"a loopback redirect URI", func(m *registration.Metadata) {
			m.ApplicationType, m.RedirectURIs = oauth.ApplicationNative, []string{"http://127.0.0.1/cb"}
		}, []oauth.RuleID{"LOCAL-ADVICE-LOOPBACK"}},
		{"access tokens of 15 minutes", func(m *registration.Metadata) { m.AccessTokenLifetime = new(int64(900)) }, nil},
		{"access tokens of more than 15 minutes", func(m *registration.Metadata) { m.AccessTokenLifetime = new(int64(901)) },
			[]oauth.RuleID{"LOCAL-ADVICE-ACCESS-TOKEN-LIFETIME"}},
		{"two roles", func(m *registration.Metadata) {
			m.GrantTypes = append(slices.Clone(m.GrantTypes), oauth.GrantClientCredentials)
		}, []oauth.RuleID{"LOCAL-ADVICE-MIXED-GRANTS"}},
		{"two keys of one kid", twoKeysOfOneKid, []oauth.RuleID{"FAPI2-SP-FINAL-5.4.2-3"}},
		{"encrypted responses", func(m *registration.Metadata) { m.AuthorizationEncryptedResponseAlg = "RSA-OAEP-256" },
			[]oauth.RuleID{"FAPI2-MS-FINAL-6.1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			metadata := vectorNamed(t, "private-key-jwt-mutual-tls")
			test.change(&metadata)
			var got []oauth.RuleID
			for _, advice := range Advise(metadata) {
				got = append(got, advice.ID)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("advice (-want +got):\n%s", diff)
			}
		})
	}
}

// Metadata on which advice is given is admitted: advice refuses nothing.
func TestAdviceRefusesNothing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"native-loopback", "one-client-two-roles", "everything-stated", "encryption-rsa"} {
		metadata := vectorNamed(t, name)
		if len(Advise(metadata)) == 0 {
			t.Errorf("no advice on %s", name)
		}
		admitted(t, metadata)
	}
}

func TestAdviceReadsAsALine(t *testing.T) {
	t.Parallel()
	advice := Advice{ID: "LOCAL-ADVICE-X", Clause: "RFC 1, 2", Member: "jwks", Warning: "this is unwise", Remedy: "do that"}
	if got, want := advice.String(), "jwks: this is unwise (LOCAL-ADVICE-X; RFC 1, 2); do that"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
