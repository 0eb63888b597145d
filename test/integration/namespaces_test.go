package integration

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/controllers"
)

const noFAPI = `{grantTypes: [password], clientAuthentication: {method: none}}`

func (b *bank) labelNamespace(t *testing.T, label string) {
	t.Helper()
	b.Kubectl(t, "label", "namespace", b.namespace, label)
}

// openSelectingBank serves its namespace as long as that has the label fapi=yes,
// which it has.
func openSelectingBank(t *testing.T) *bank {
	t.Helper()
	b := openBranch(t, fapi.Limits{})
	b.selected = map[string]string{"fapi": "yes"}
	b.labelNamespace(t, "fapi=yes")
	b.startOperator(t)
	return b
}

// What is not served is neither judged nor touched, but for what the operator has to
// let go; and a namespace that gets the label is served at once.
func TestNamespacesAreServedAsLongAsTheyAreSelected(t *testing.T) {
	t.Parallel()
	b := openSelectingBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")

	b.labelNamespace(t, "fapi-")
	b.eventually(t, "admission leaves the namespace alone", func(context.Context) error { return b.dryRun(t, noFAPI) })
	b.create(t, "refused", noFAPI)
	b.create(t, "later", dpopSpec)
	b.createRegisteredElsewhere(t, "theirs")
	b.delete(t, "theirs")
	b.server.faults.set(cut)
	b.delete(t, "planner")
	b.awaitCondition(t, "planner", v1alpha1.ConditionRegistered, v1alpha1.ReasonDeletionFailed)
	b.server.faults.set(nil)
	b.awaitGone(t, "planner")
	b.requireNoClient(t, "planner")
	for _, name := range []string{"refused", "later"} {
		if left := b.get(t, name); len(left.Finalizers) > 0 || len(left.Status.Conditions) > 0 {
			t.Errorf("%s, in a namespace that is not served, has finalizers %v and conditions %v", name, left.Finalizers, left.Status.Conditions)
		}
	}
	theirs := b.get(t, "theirs") // else it is gone
	b.change(t, theirs.Name, func(a *v1alpha1.FAPIApplication) { a.Finalizers = nil })

	b.labelNamespace(t, "fapi=yes")
	b.awaitReady(t, "later")
	b.awaitCondition(t, "refused", v1alpha1.ConditionAccepted, v1alpha1.ReasonRefused)
}

// createRegisteredElsewhere creates what another installation has registered.
func (b *bank) createRegisteredElsewhere(t *testing.T, name string) {
	t.Helper()
	application := b.application(name, dpopSpec)
	controllerutil.AddFinalizer(application, controllers.Finalizer)
	if err := b.kube.Create(t.Context(), application); err != nil {
		t.Fatal(err)
	}
	application.Status.Registration = &v1alpha1.RegistrationStatus{Issuer: "https://auth.elsewhere.example", LastRegistered: new(metav1.Now())}
	if err := b.kube.Status().Update(t.Context(), application); err != nil {
		t.Fatal(err)
	}
}
