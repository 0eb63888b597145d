package clientmetadata_test

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

func policy(t *testing.T, bounds string) v1alpha1.FAPIPolicy {
	t.Helper()
	policy := v1alpha1.FAPIPolicy{ObjectMeta: metav1.ObjectMeta{Name: "bounds"}}
	if err := yaml.UnmarshalStrict([]byte(bounds), &policy.Spec); err != nil {
		t.Fatal(err)
	}
	return policy
}

const boundedSpec = `
grantTypes: [authorization_code]
redirectURIs: ["https://app.partner.example:8443/callback", "https://APP.partner.example/other"]
scopes: [openid, accounts]
authorizationDetailsTypes: [payment_initiation]
clientAuthentication: {method: tls_client_auth}
mutualTLS: {certificate: {issuerRef: {name: ca}}}
accessToken: {lifetime: 10m}
`

func TestEachBoundOfAPolicyHoldsAndIsBroken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		bound  string
		broken oauth.RuleID // empty when it holds
	}{
		{"", ""},
		{"redirectHosts: [app.partner.example]", ""},
		{`redirectHosts: ["*.partner.example"]`, ""},
		{`redirectHosts: ["*.Partner.EXAMPLE"]`, ""},
		{"redirectHosts: [partner.example]", "LOCAL-POLICY-REDIRECT-HOST"},
		{`redirectHosts: ["*.app.partner.example"]`, "LOCAL-POLICY-REDIRECT-HOST"},
		{`redirectHosts: ["*.artner.example"]`, "LOCAL-POLICY-REDIRECT-HOST"},
		{"redirectHosts: []", "LOCAL-POLICY-REDIRECT-HOST"},
		{"scopes: [openid, accounts, payments]", ""},
		{"scopes: [openid]", "LOCAL-POLICY-SCOPE"},
		{"scopes: []", "LOCAL-POLICY-SCOPE"},
		{"authorizationDetailsTypes: [payment_initiation]", ""},
		{"authorizationDetailsTypes: [account_information]", "LOCAL-POLICY-AUTHORIZATION-DETAILS"},
		{"maxAccessTokenLifetime: 10m", ""},
		{"maxAccessTokenLifetime: 9m59s", "LOCAL-POLICY-ACCESS-TOKEN-LIFETIME"},
		{"issuers: [{name: ca, kind: Issuer, group: cert-manager.io}]", ""},
		{"issuers: [{name: ca, kind: ClusterIssuer}]", "LOCAL-POLICY-ISSUER"},
		{"issuers: []", "LOCAL-POLICY-ISSUER"},
		{"profiles: [FAPI2 Security Profile]", ""},
		{"profiles: [FAPI2 Message Signing]", "LOCAL-POLICY-PROFILE"},
	} {
		bounds := policy(t, test.bound)
		resolved := clientmetadata.Resolved{Policies: []v1alpha1.FAPIPolicy{bounds}, CertificateURI: "urn:fapi-operator:cluster:bank.app"}
		findings := clientmetadata.Judge(application(t, boundedSpec), resolved, fapi.Limits{})
		switch {
		case test.broken == "" && len(findings) > 0:
			t.Errorf("%s: %v", test.bound, findings)
		case test.broken != "" && (len(findings) != 1 || findings[0].Rule != test.broken || findings[0].Clause != "FAPIPolicy bounds"):
			t.Errorf("%s: findings %v, want %s", test.bound, findings, test.broken)
		}
	}
}

func TestPolicyBoundsWhereReferencesLead(t *testing.T) {
	t.Parallel()
	const rest = `grantTypes: [client_credentials], clientAuthentication: {method: private_key_jwt}`
	secret := func(namespace string) string {
		return `{` + rest + `, keys: {source: SecretRef, secretRef: {name: keys, key: jwks.json, namespace: ` + namespace + `}}}`
	}
	const configMap = `{` + rest + `, keys: {source: ConfigMapRef, configMapRef: {name: keys, key: jwks.json, namespace: shared}}}`
	const anchors = `{grantTypes: [client_credentials], clientAuthentication: {method: tls_client_auth, tls: {sanDNS: app.example.com, trustAnchors: {configMapRef: {name: ca, key: ca.crt, namespace: shared}}}}}`
	for _, test := range []struct {
		bound, spec string
		broken      oauth.RuleID // empty when it holds
	}{
		{"", secret("shared"), ""},
		{"referenceNamespaces: [shared]", secret("shared"), ""},
		{`referenceNamespaces: ["sh*"]`, configMap, ""},
		{"referenceNamespaces: []", secret(`""`), ""},
		{"referenceNamespaces: []", secret("bank"), ""}, // its own
		{"referenceNamespaces: []", secret("shared"), "LOCAL-POLICY-KEYS-NAMESPACE"},
		{"referenceNamespaces: [share]", configMap, "LOCAL-POLICY-KEYS-NAMESPACE"},
		{"referenceNamespaces: []", anchors, "LOCAL-POLICY-TRUST-ANCHORS-NAMESPACE"},
		{"referenceNamespaces: [shared]", anchors, ""},
	} {
		resolved := clientmetadata.Resolved{Policies: []v1alpha1.FAPIPolicy{policy(t, test.bound)}}
		findings := clientmetadata.Judge(application(t, test.spec), resolved, fapi.Limits{})
		if test.broken == "" && len(findings) > 0 || test.broken != "" && (len(findings) != 1 || findings[0].Rule != test.broken) {
			t.Errorf("%s, %s: findings %v, want %q", test.bound, test.spec, findings, test.broken)
		}
	}
}

// The default counts where nothing is stated: 5 minutes.
func TestUnstatedLifetimeIsBoundedAsWell(t *testing.T) {
	t.Parallel()
	resolved := clientmetadata.Resolved{Policies: []v1alpha1.FAPIPolicy{policy(t, "maxAccessTokenLifetime: 1m")}}
	app := application(t, `{grantTypes: [client_credentials], clientAuthentication: {method: private_key_jwt}, keys: {source: Managed}}`)
	if findings := clientmetadata.Judge(app, resolved, fapi.Limits{}); len(findings) != 1 || findings[0].Rule != "LOCAL-POLICY-ACCESS-TOKEN-LIFETIME" {
		t.Errorf("findings %v", findings)
	}
}

func TestEveryPolicyOfTheNamespaceBoundsAndNoOther(t *testing.T) {
	t.Parallel()
	all := []v1alpha1.FAPIPolicy{
		policy(t, `{namespaces: ["*"], scopes: [openid, accounts]}`),
		policy(t, `{namespaces: [bank], scopes: [openid]}`),
		policy(t, `{namespaces: ["bank-*", ban], scopes: []}`),
	}
	for namespace, want := range map[string]int{"bank": 2, "bank-a": 2, "other": 1} {
		if got := clientmetadata.PoliciesFor(namespace, all); len(got) != want {
			t.Errorf("namespace %s has %d policies, want %d", namespace, len(got), want)
		}
	}
}

func TestAPolicyMayAllowAForeignClientIdentifier(t *testing.T) {
	t.Parallel()
	app := application(t, `{clientID: legacy-7, grantTypes: [client_credentials], clientAuthentication: {method: private_key_jwt}, keys: {source: Managed}}`)
	for bounds, allowed := range map[string]bool{
		"":                               false,
		`foreignClientIDs: ["legacy-*"]`: true,
		"foreignClientIDs: [legacy-7]":   true,
		"foreignClientIDs: [legacy]":     false,
	} {
		resolved := clientmetadata.Resolved{Policies: []v1alpha1.FAPIPolicy{policy(t, bounds)}}
		findings := clientmetadata.Judge(app, resolved, fapi.Limits{})
		refused := slices.ContainsFunc(findings, func(f clientmetadata.Finding) bool { return f.Rule == "LOCAL-CLIENT-ID-NAMESPACE" })
		if refused == allowed {
			t.Errorf("%s: findings %v", bounds, findings)
		}
	}
}
