package clientmetadata_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func application(t *testing.T, spec string) *v1alpha1.FAPIApplication {
	t.Helper()
	application := &v1alpha1.FAPIApplication{ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "app"}}
	if err := yaml.UnmarshalStrict([]byte(spec), &application.Spec); err != nil {
		t.Fatal(err)
	}
	return application
}

func TestLeastSpecMeansLeastMetadata(t *testing.T) {
	t.Parallel()
	got := clientmetadata.FromApplication(application(t, `{grantTypes: [client_credentials], clientAuthentication: {method: private_key_jwt}}`), clientmetadata.Resolved{})
	want := registration.Metadata{ClientID: "bank.app", GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "private_key_jwt"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

func TestManagedCertificateGivesNameAndIssuer(t *testing.T) {
	t.Parallel()
	resolved := clientmetadata.Resolved{TrustAnchors: "anchors", CertificateURI: clientmetadata.CertificateURI("cluster", "bank.app")}
	got := clientmetadata.FromApplication(application(t, `
grantTypes: [client_credentials]
clientAuthentication: {method: tls_client_auth}
mutualTLS: {certificate: {issuerRef: {name: ca}}}`), resolved)
	if got.TLSClientAuthSANURI != "urn:fapi-operator:cluster:bank.app" || got.TLSClientAuthTrustAnchors != "anchors" {
		t.Errorf("name %q, anchors %q", got.TLSClientAuthSANURI, got.TLSClientAuthTrustAnchors)
	}
}

// A member that is not resolved yet breaks no rule; once it is, it is judged.
func TestUnresolvedKeysAreJudgedOnceTheyAreKnown(t *testing.T) {
	t.Parallel()
	app := application(t, `
grantTypes: [client_credentials]
clientAuthentication: {method: private_key_jwt}
keys: {source: SecretRef, secretRef: {name: keys, key: jwks.json}}`)
	if findings := clientmetadata.Judge(app, clientmetadata.Resolved{}, fapi.Limits{}); len(findings) > 0 {
		t.Errorf("unresolved keys are refused: %v", findings)
	}
	findings := clientmetadata.Judge(app, clientmetadata.Resolved{JWKS: []byte(`{"keys":[]}`)}, fapi.Limits{})
	if len(findings) != 1 || findings[0].Rule != "OIDCC-9" || findings[0].Path.String() != "spec.keys" {
		t.Errorf("an empty set is found to break %v", findings)
	}
}

func TestClientIDBelongsToItsNamespace(t *testing.T) {
	t.Parallel()
	for clientID, admitted := range map[string]bool{"": true, "bank.other": true, "bank": false, "bank2.app": false, "banks.app": false, "other.bank.app": false} {
		app := application(t, `{grantTypes: [client_credentials], clientAuthentication: {method: private_key_jwt}, keys: {source: Managed}}`)
		app.Spec.ClientID = clientID
		findings := clientmetadata.Judge(app, clientmetadata.Resolved{}, fapi.Limits{})
		refused := slices.ContainsFunc(findings, func(f clientmetadata.Finding) bool { return f.Rule == "LOCAL-CLIENT-ID-NAMESPACE" })
		if refused == admitted {
			t.Errorf("%q in namespace bank: %v", clientID, findings)
		}
	}
}

func TestFindingSaysWhereWhyAndWhatInstead(t *testing.T) {
	t.Parallel()
	app := application(t, `{clientID: other.app, grantTypes: [client_credentials], clientAuthentication: {method: private_key_jwt}, keys: {source: Managed}}`)
	findings := clientmetadata.Judge(app, clientmetadata.Resolved{}, fapi.Limits{})
	if len(findings) != 1 {
		t.Fatalf("findings %v, want one", findings)
	}
	for _, part := range []string{"spec.clientID: ", "(LOCAL-CLIENT-ID-NAMESPACE; our own choice)", "leave clientID out"} {
		if !strings.Contains(findings[0].String(), part) {
			t.Errorf("%q lacks %q", findings[0], part)
		}
	}
}
