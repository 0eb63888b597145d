package clientmetadata_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

func TestEntriesOfABindingGetFitNames(t *testing.T) {
	t.Parallel()
	for entries, want := range map[string][]string{
		`{}`:                          nil,
		`{token-endpoint: TOKEN_URL}`: nil,
		`{issuer: issuer-uri, jwks-uri: jwk-set-uri, ca.crt: ca-certificates}`: nil,
		`{issuer: client-id, client-id: issuer}`:                               nil,
		`{token-endpoint: uri, client-id: username}`:                           nil,
		`{type: kind}`:                              {"LOCAL-BINDING-ENTRY"},
		`{provider: by}`:                            {"LOCAL-BINDING-ENTRY"},
		`{token_endpoint: token}`:                   {"LOCAL-BINDING-ENTRY"},
		`{issuer: client-id}`:                       {"LOCAL-BINDING-NAME"},
		`{issuer: same, client-id: same}`:           {"LOCAL-BINDING-NAME"},
		`{issuer: type}`:                            {"LOCAL-BINDING-NAME"},
		`{ca.crt: certificates}`:                    {"LOCAL-BINDING-WELL-KNOWN"},
		`{client-id: uri}`:                          {"LOCAL-BINDING-WELL-KNOWN"},
		`{issuer: username}`:                        {"LOCAL-BINDING-WELL-KNOWN"},
		`{key-secret: private-key, issuer: ca.crt}`: {"LOCAL-BINDING-NAME", "LOCAL-BINDING-WELL-KNOWN"},
	} {
		app := application(t, `
grantTypes: [client_credentials]
clientAuthentication: {method: private_key_jwt}
keys: {source: Managed}
binding: {entries: `+entries+`}`)
		var broken []string
		for _, finding := range clientmetadata.Judge(app, clientmetadata.Resolved{}, fapi.Limits{}) {
			broken = append(broken, string(finding.Rule))
			if finding.Path.String() != "spec.binding.entries" {
				t.Errorf("%s: %s", entries, finding)
			}
		}
		if diff := cmp.Diff(want, broken); diff != "" {
			t.Errorf("%s (-want +got):\n%s", entries, diff)
		}
	}
}
