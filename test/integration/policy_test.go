package integration

import (
	"context"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// bound applies a policy to the bank's namespace.
func (b *bank) bound(t *testing.T, bounds v1alpha1.FAPIPolicySpec) *v1alpha1.FAPIPolicy {
	t.Helper()
	bounds.Namespaces = []string{b.namespace}
	policy := &v1alpha1.FAPIPolicy{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}, Spec: bounds}
	if err := b.kube.Create(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.kube.Delete(context.Background(), policy); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	return policy
}

func TestPolicyRefusesAtAdmissionByItsName(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.bound(t, v1alpha1.FAPIPolicySpec{Scopes: []string{"payments"}})
	b.eventually(t, "the policy bounds", func(context.Context) error {
		err := b.dryRun(t, dpopSpec)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "LOCAL-POLICY-SCOPE; FAPIPolicy "+b.namespace) {
			return errNotYet
		}
		return nil
	})
}

// What is registered stays registered: whoever narrows a policy has not decided to
// cut off a client that people use.
func TestNarrowerPolicyIsToldAndCutsNobodyOff(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	policy := b.bound(t, v1alpha1.FAPIPolicySpec{RedirectHosts: []string{"*.partner.example"}})

	refused := b.awaitCondition(t, "planner", v1alpha1.ConditionAccepted, v1alpha1.ReasonRefused)
	requireCondition(t, refused, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefused)
	if message := messageOf(refused, v1alpha1.ConditionAccepted); !strings.Contains(message, "FAPIPolicy "+policy.Name) {
		t.Errorf("the message names no policy: %s", message)
	}
	b.requireClient(t, b.namespace+".planner")

	if err := b.kube.Delete(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	b.awaitReady(t, "planner")
}

func TestForeignClientIdentifierIsRegisteredWhereAPolicyAllowsIt(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.bound(t, v1alpha1.FAPIPolicySpec{ForeignClientIDs: []string{"legacy-*"}})
	spec := dpopSpec + "clientID: legacy-" + b.namespace + "\n"
	b.eventually(t, "the policy allows", func(context.Context) error { return b.dryRun(t, spec) })
	b.create(t, "planner", spec)
	b.awaitReady(t, "planner")
	b.requireClient(t, "legacy-"+b.namespace)
}
