package integration

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// An operator whose name the server binds to other installations than its own is told
// so in each status, and goes on by itself when the server's configuration is mended.
func TestAnOperatorThatIsNotItsInstallationSaysSo(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.server.bind("elsewhere")
	b.create(t, "planner", dpopSpec)
	waiting := b.awaitCondition(t, "planner", v1alpha1.ConditionRegistered, v1alpha1.ReasonInstallationNotAllowed)
	requireCondition(t, waiting, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonInstallationNotAllowed)
	if message := messageOf(waiting, v1alpha1.ConditionReady); !strings.Contains(message, "installation "+installation) || !strings.Contains(message, "boundClientSANs") {
		t.Errorf("the status says %q", message)
	}
	b.requireNoClient(t, "planner")

	b.server.bind(installation)
	b.awaitReady(t, "planner")

	b.server.bind("elsewhere")
	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.ClientName = "Planner 2" })
	b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonInstallationNotAllowed)
	b.delete(t, "planner")
	kept := b.awaitCondition(t, "planner", v1alpha1.ConditionRegistered, v1alpha1.ReasonDeletionFailed)
	if message := messageOf(kept, v1alpha1.ConditionRegistered); !strings.Contains(message, "boundClientSANs") {
		t.Errorf("the status says %q", message)
	}
	b.requireOwner(t, kept.Status.ClientID, ownerOf(b.namespace, "planner"))

	b.server.bind(installation)
	b.awaitGone(t, "planner")
	b.requireNoClient(t, "planner")
}

// A bound operator takes no client of another installation, policy or not, unless the
// server binds it to both.
func TestABoundOperatorTakesNoClientOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.server.bind(installation)
	previous := registration.Owner{Installation: "old-cluster", Namespace: "bank", Name: "planner"}
	b.keepFor(t, previous, registration.Metadata{ClientID: b.namespace + ".planner"})
	b.keepFor(t, previous, registration.Metadata{ClientID: b.namespace + ".shop"})
	b.bound(t, v1alpha1.FAPIPolicySpec{AdoptableOwners: []string{"old-cluster/bank/*"}})
	for _, name := range []string{"planner", "shop"} {
		b.create(t, name, dpopSpec)
		b.annotate(t, name, v1alpha1.AdoptFromAnnotation, previous.String())
		b.awaitOwnership(t, name, "an installation that the authorization server does not let this operator act for")
		if message := messageOf(b.get(t, name), v1alpha1.ConditionStalled); message == "" || strings.Contains(message, "old-cluster") {
			t.Errorf("the status says %q", message)
		}
		b.requireOwner(t, b.namespace+"."+name, previous)
	}
	b.delete(t, "shop")
	b.awaitGone(t, "shop")
	b.requireOwner(t, b.namespace+".shop", previous)

	b.server.bind(installation, "old-cluster")
	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.ClientName = "Planner 2" })
	b.awaitReady(t, "planner")
	b.requireOwner(t, b.namespace+".planner", ownerOf(b.namespace, "planner"))
}
