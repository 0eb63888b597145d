//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const sharedHead = `
apiVersion: fapi-operator.io/v1alpha1
kind: FAPIApplication
metadata: {name: shared}
`

// What two managers say of one application.
const (
	teamsFields = sharedHead + `
spec:
  clientName: Shared
  grantTypes: [authorization_code]
  redirectURIs: ["https://app.example.com/callback"]
  scopes: [openid]
  clientAuthentication: {method: private_key_jwt}
  keys: {source: Managed}
  accessToken: {senderConstraint: DPoP}
`
	platformsFields = sharedHead + `
spec:
  scopes: [accounts]
  accessToken: {lifetime: 2m}
`
	disputedField = sharedHead + `
spec: {clientName: Another name}
`
)

// applyAs applies a manifest by server-side apply, in a field manager's name.
func applyAs(t *testing.T, manager, manifest string) error {
	t.Helper()
	_, err := tryKubectl(t, manifest, "apply", "--server-side", "--validate=strict", "--field-manager="+manager, "--namespace", samplesNamespace, "-f", "-")
	return err
}

// twoFieldManagers share an application: each has fields of its own, a field of the
// other's is a conflict, and the operator never stands between them.
func twoFieldManagers(t *testing.T) {
	if err := applyAs(t, "team", teamsFields); err != nil {
		t.Fatal(err)
	}
	await(t, samplesNamespace, "fapiapplication/shared", "condition=Ready")
	if err := applyAs(t, "platform", platformsFields); err != nil {
		t.Fatalf("fields of one's own: %v", err)
	}
	await(t, samplesNamespace, "fapiapplication/shared", "jsonpath={.status.effective.accessTokenLifetime}=2m0s")
	wantShared(t, `Shared ["openid","accounts"]`)

	err := applyAs(t, "platform", disputedField)
	if err == nil || !strings.Contains(err.Error(), `conflict with "team": .spec.clientName`) {
		t.Errorf("the other's field: %v", err)
	}
	// The operator has written its status meanwhile.
	if err := applyAs(t, "team", teamsFields); err != nil {
		t.Errorf("applied again: %v", err)
	}
	wantShared(t, `Shared ["openid","accounts"]`)
	wantNothingOfOperatorsInSpec(t)
	kubectl(t, "delete", "fapiapplication", "shared", "--namespace", samplesNamespace, "--wait", waitPatience)
}

// wantShared compares what both said, together.
func wantShared(t *testing.T, want string) {
	t.Helper()
	if got := kubectl(t, "get", "fapiapplication", "shared", "--namespace", samplesNamespace, "-o", "jsonpath={.spec.clientName} {.spec.scopes}"); got != want {
		t.Errorf("the application is %s, want %s", got, want)
	}
}

// wantNothingOfOperatorsInSpec asks managedFields who owns what.
func wantNothingOfOperatorsInSpec(t *testing.T) {
	t.Helper()
	shared := decode[metav1.PartialObjectMetadata](t, kubectl(t, "get", "fapiapplication", "shared", "--namespace", samplesNamespace, "--show-managed-fields", "-o", "json"))
	owners := map[string][]string{}
	for _, entry := range shared.ManagedFields {
		for part := range decode[map[string]any](t, entry.FieldsV1.GetRawString()) {
			owners[part] = append(owners[part], entry.Manager)
		}
	}
	want := map[string][]string{"f:metadata": {"fapi-operator"}, "f:spec": {"platform", "team"}, "f:status": {"fapi-operator"}}
	for part := range owners {
		slices.Sort(owners[part])
	}
	if !maps.EqualFunc(owners, want, slices.Equal) {
		t.Errorf("the fields' owners are %v, want %v", owners, want)
	}
}
