package plan_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/plan"
)

const inForce = `
clientName: Budget
grantTypes: [authorization_code, refresh_token]
redirectURIs: ["https://a.example.com/cb", "https://b.example.com/cb"]
scopes: [openid, accounts, payments]
authorizationDetailsTypes: [payment_initiation]
clientAuthentication: {method: private_key_jwt, signingAlg: ES256}
keys: {source: Managed}
accessToken: {senderConstraint: DPoP, lifetime: 5m}
`

func application(t *testing.T, spec string) *v1alpha1.FAPIApplication {
	t.Helper()
	application := &v1alpha1.FAPIApplication{ObjectMeta: metav1.ObjectMeta{Namespace: "retail", Name: "budget"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &application.Spec); err != nil {
		t.Fatal(err)
	}
	application.Status.Keys = &v1alpha1.KeysStatus{KeyIDs: []string{"one"}}
	return application
}

var grants = plan.Grants{Counted: true, Grants: []plan.Grant{
	{Scopes: []string{"openid", "accounts"}}, {Scopes: []string{"openid", "payments"}, DetailsTypes: []string{"payment_initiation"}},
}}

// changed gives the differences of a spec in which one text stands for another.
func changed(t *testing.T, grants plan.Grants, from, to string) []plan.Difference {
	t.Helper()
	if !strings.Contains(inForce, from) {
		t.Fatalf("%q is not in the spec", from)
	}
	return plan.Compare(application(t, inForce), application(t, strings.Replace(inForce, from, to, 1)), grants)
}

func TestEachChangeSaysWhatItBreaks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		from, to string
		member   string
		breaks   string // part of the first sentence; empty: nothing
	}{
		{`, "https://b.example.com/cb"`, ``, "redirect_uris", "the redirect URI https://b.example.com/cb are refused"},
		{`, "https://b.example.com/cb"`, `, "https://b.example.com/cb", "https://c.example.com/cb"`, "redirect_uris", ""},
		{", payments]", "]", "scope", "the scope payments cannot be asked for, and no access token has it from the next refresh on: 1 of 2 grants in force are touched"},
		{", payments]", ", payments, reports]", "scope", ""},
		{"authorizationDetailsTypes: [payment_initiation]", "", "authorization_details_types", "of the type payment_initiation cannot be asked for: 1 of 2"},
		{", refresh_token]", "]", "grant_types", "refresh tokens are refused, and people log in again when an access token ends: 2 of 2"},
		{"[authorization_code, refresh_token]", "[client_credentials]", "grant_types", "people can no longer log in"},
		{"signingAlg: ES256", "signingAlg: PS256", "token_endpoint_auth_signing_alg", "assertions that are signed with ES256 are refused"},
		{"method: private_key_jwt, signingAlg: ES256", "method: self_signed_tls_client_auth", "token_endpoint_auth_method", "still authenticates by private_key_jwt"},
		{"{source: Managed}", `{source: JWKSURI, jwksURI: "https://a.example.com/jwks"}`, "jwks", "signed with the key one is refused"},
		{"senderConstraint: DPoP", "senderConstraint: MutualTLS", "tls_client_certificate_bound_access_tokens", "without the client's certificate are refused"},
		{"lifetime: 5m", "lifetime: 1m", "fapi_operator_access_token_lifetime", "lifetimes than 60 seconds must refresh earlier"},
		{"lifetime: 5m", "lifetime: 10m", "fapi_operator_access_token_lifetime", ""},
		{"clientName: Budget", "clientName: Planner", "client_name", ""},
		{"clientName: Budget", "suspended: true", "fapi_operator_suspended", "access tokens end for good: 2 of 2"},
		{"clientName: Budget", "messageSigning: {requests: Required}", "require_signed_request_object", "not signed are refused"},
		{"clientName: Budget", "messageSigning: {responses: Required}", "response_modes", "signed JWTs alone"},
		{"clientName: Budget", "idToken: {signedResponseAlg: PS256}", "id_token_signed_response_alg", "ID tokens are signed with PS256: the client must"},
		{"clientName: Budget", "clientID: retail.other", "client_id", "would be another one"},
	} {
		var found *plan.Difference
		for _, difference := range changed(t, grants, test.from, test.to) {
			if difference.Member == test.member {
				found = &difference
			}
		}
		switch {
		case found == nil:
			t.Errorf("%s: no difference in %s", test.to, test.member)
		case test.breaks == "" && len(found.Breaks) > 0:
			t.Errorf("%s: breaks %q, want nothing", test.to, found.Breaks)
		case test.breaks != "" && (len(found.Breaks) == 0 || !strings.Contains(found.Breaks[0], test.breaks)):
			t.Errorf("%s: breaks %q, want %q", test.to, found.Breaks, test.breaks)
		}
	}
}

func TestWhatStaysIsNoDifference(t *testing.T) {
	t.Parallel()
	for _, stated := range []string{"pkce: {method: S256}", "idToken: {signedResponseAlg: ES256}", "clientID: retail.budget"} {
		if differences := changed(t, grants, "clientName: Budget", "clientName: Budget\n"+stated); len(differences) > 0 {
			t.Errorf("%s, the default, is a difference: %+v", stated, differences)
		}
	}
}

func TestListsAreComparedItemByItem(t *testing.T) {
	t.Parallel()
	got := changed(t, grants, "[openid, accounts, payments]", "[payments, openid, reports]")
	want := []plan.Difference{{Member: "scope", Removed: []string{"accounts"}, Added: []string{"reports"}, Breaks: []string{
		"the scope accounts cannot be asked for, and no access token has it from the next refresh on: 1 of 2 grants in force are touched",
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGrantsThatNobodyCountedAreNotCalledNone(t *testing.T) {
	t.Parallel()
	if got := changed(t, plan.Grants{}, ", payments]", "]"); len(got) != 1 || !strings.Contains(got[0].Breaks[0], "was not asked") {
		t.Errorf("differences %+v", got)
	}
}

func TestKeyThatIsTakenOutIsNamed(t *testing.T) {
	t.Parallel()
	const one = `{kty: EC, crv: P-256, kid: "1", x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, "y": x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}`
	const two = `{kty: EC, crv: P-256, kid: "2", x: MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4, "y": 4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM}`
	with := func(keys string) *v1alpha1.FAPIApplication {
		return application(t, strings.Replace(inForce, "{source: Managed}", "{source: JWKS, jwks: {keys: ["+keys+"]}}", 1))
	}
	got := plan.Compare(with(one+", "+two), with(two), plan.Grants{})
	if len(got) != 1 || got[0].Member != "jwks" || !cmp.Equal(got[0].Removed, []string{"1"}) || len(got[0].Breaks) != 1 {
		t.Errorf("differences %+v", got)
	}
}

// Whoever adds a metadata member decides whether its change breaks something.
func TestEveryMemberIsDecidedOn(t *testing.T) {
	t.Parallel()
	harmless := map[string]bool{
		"client_name": true, "client_uri": true, "logo_uri": true, "policy_uri": true, "tos_uri": true, "contacts": true, // what people read
		"application_type": true, "response_types": true, "require_pushed_authorization_requests": true, "use_mtls_endpoint_aliases": true, // FAPI leaves one value, or another member says it
		"fapi_operator_pkce_required": true, "fapi_operator_code_challenge_method": true,
		"fapi_operator_revoked_key_ids": true, // no spec states it
	}
	metadata := reflect.TypeFor[registration.Metadata]()
	for i := range metadata.NumField() {
		member, _, _ := strings.Cut(metadata.Field(i).Tag.Get("json"), ",")
		if plan.HasConsequences(member) == harmless[member] {
			t.Errorf("%s: has consequences: %v, named harmless: %v", member, plan.HasConsequences(member), harmless[member])
		}
	}
}
