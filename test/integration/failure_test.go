package integration

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/controllers"
)

// serverFaults are the answers that prove nothing. A 404 is among them: it is
// a proxy's, and not the registration API's own.
var serverFaults = map[string]fault{
	"401":                    answer(http.StatusUnauthorized),
	"403":                    answer(http.StatusForbidden),
	"404 of a proxy":         answer(http.StatusNotFound),
	"500":                    answer(http.StatusInternalServerError),
	"503":                    answer(http.StatusServiceUnavailable),
	"200 with another body":  answer(http.StatusOK),
	"connection cut":         cut,
	"500 to a write":         onWrites(answer(http.StatusInternalServerError)),
	"answer to a write lost": onWrites(cutAfterwards),
}

func TestFailedRegistrationIsNotReadyUntilTheServerConfirms(t *testing.T) {
	t.Parallel()
	for name, fault := range serverFaults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBank(t)
			b.server.faults.set(fault)
			b.create(t, "planner", dpopSpec)
			waiting := b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonServerUnavailable)
			requireCondition(t, waiting, v1alpha1.ConditionRegistered, metav1.ConditionFalse, v1alpha1.ReasonServerUnavailable)
			requireCondition(t, waiting, v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonServerUnavailable)
			b.requireQuietRetries(t, "planner")

			b.server.faults.set(nil)
			b.awaitReady(t, "planner")
			if revision := b.server.revision(t); revision != 1 {
				t.Errorf("the store is at revision %d, want one registration", revision)
			}
		})
	}
}

// requireQuietRetries: trying again writes no status that says the same again.
func (b *bank) requireQuietRetries(t *testing.T, name string) {
	t.Helper()
	before := b.get(t, name).ResourceVersion
	tries := b.server.faults.count(registerClient)
	b.eventually(t, "it is tried again", func(context.Context) error {
		if b.server.faults.count(registerClient) < tries+4 {
			return errNotYet
		}
		return nil
	})
	if after := b.get(t, name); after.ResourceVersion != before {
		t.Errorf("the application was written to while nothing changed: %+v", after.Status.Conditions)
	}
}

func TestServerThatGivesNoAnswerIsGivenUpOnAndAskedAgain(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.server.faults.set(hang)
	b.create(t, "planner", dpopSpec)
	b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonServerUnavailable)
	b.server.faults.set(nil)
	b.awaitReady(t, "planner")
}

func TestServerThatIsDownIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.server.stop(t)
	b.create(t, "planner", dpopSpec)
	b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonServerUnavailable)
	b.server.start(t)
	b.awaitReady(t, "planner")
}

func TestFinalizerStaysUntilTheDeletionIsProven(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"401", "404 of a proxy", "500", "connection cut", "200 with another body"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBank(t)
			b.create(t, "planner", dpopSpec)
			b.awaitReady(t, "planner")
			b.server.faults.set(serverFaults[name])
			b.delete(t, "planner")
			held := b.awaitCondition(t, "planner", v1alpha1.ConditionRegistered, v1alpha1.ReasonDeletionFailed)
			requireCondition(t, held, v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
			if !controllerutil.ContainsFinalizer(held, controllers.Finalizer) {
				t.Error("the finalizer went although nothing proves the deletion")
			}
			b.server.faults.set(nil)
			b.awaitGone(t, "planner")
			b.requireNoClient(t, "planner")
		})
	}
}

// The answer is lost; asking again proves that there is no such client.
func TestDeletionWhoseAnswerIsLostIsProvenByAbsence(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	b.server.faults.set(cutAfterwards)
	b.delete(t, "planner")
	b.awaitCondition(t, "planner", v1alpha1.ConditionRegistered, v1alpha1.ReasonDeletionFailed)
	b.requireNoClient(t, "planner")
	b.server.faults.set(nil)
	b.awaitGone(t, "planner")
}

func (b *bank) requireNoClient(t *testing.T, name string) {
	t.Helper()
	if record, err := b.server.client(t, b.namespace+"."+name); err == nil {
		t.Errorf("the store still holds %+v", record)
	}
}

func (b *bank) requireClient(t *testing.T, clientID string) {
	t.Helper()
	if _, err := b.server.client(t, clientID); err != nil {
		t.Errorf("the store does not hold %s: %v", clientID, err)
	}
}

func TestWaiverLetsTheApplicationGoAndIsRecorded(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	b.server.stop(t)
	b.delete(t, "planner")
	b.awaitCondition(t, "planner", v1alpha1.ConditionRegistered, v1alpha1.ReasonDeletionFailed)
	b.Kubectl(t, "annotate", "--namespace", b.namespace, "fapiapp/planner", controllers.AbandonAnnotation+"=true")
	b.awaitGone(t, "planner")
	b.awaitEvent(t, "planner", "Abandoned")
	b.requireClient(t, b.namespace+".planner")
	b.server.start(t)
}

func TestRetainedClientStaysRegistered(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec+"deletionPolicy: Retain\n")
	b.awaitReady(t, "planner")
	b.delete(t, "planner")
	b.awaitGone(t, "planner")
	b.awaitEvent(t, "planner", v1alpha1.ReasonRetained)
	b.requireClient(t, b.namespace+".planner")
}

func TestClientOfAnotherOwnerIsLeftUntouched(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	clientID := b.namespace + ".planner"
	other := registration.Owner{Installation: "elsewhere", Namespace: b.namespace, Name: "planner"}
	before, _, err := b.server.store.PutClient(t.Context(), store.ClientWrite{Owner: other, Generation: 1, Metadata: registration.Metadata{ClientID: clientID}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	b.create(t, "planner", dpopSpec)
	stalled := b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonOwnedByAnother)
	requireCondition(t, stalled, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonOwnedByAnother)
	if message := messageOf(stalled, v1alpha1.ConditionRegistered); !strings.Contains(message, other.String()) {
		t.Errorf("the message names no owner: %s", message)
	}
	b.delete(t, "planner")
	b.awaitGone(t, "planner")
	if after, err := b.server.client(t, clientID); err != nil || after.Revision != before.Revision {
		t.Errorf("the other owner's client is %+v (%v)", after, err)
	}
}

func messageOf(application *v1alpha1.FAPIApplication, condition string) string {
	if found := meta.FindStatusCondition(application.Status.Conditions, condition); found != nil {
		return found.Message
	}
	return ""
}

// The server's verdict wins, and is final until the spec changes.
func TestRejectionByTheServerIsFinalUntilTheSpecChanges(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{MaxAccessTokenLifetime: 5 * time.Minute})
	b.resync = time.Second
	b.startOperator(t)
	b.create(t, "planner", strings.Replace(dpopSpec, "senderConstraint: DPoP", "senderConstraint: DPoP, lifetime: 30m", 1))
	b.create(t, "witness", dpopSpec)
	rejected := b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonRejectedByServer)
	requireCondition(t, rejected, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRejectedByServer)
	message := messageOf(rejected, v1alpha1.ConditionRegistered)
	if !strings.Contains(message, "LOCAL-ACCESS-TOKEN-LIFETIME") || !strings.Contains(message, "spec.accessToken.lifetime") {
		t.Errorf("the message names neither rule nor field: %s", message)
	}

	b.awaitReady(t, "witness")
	b.awaitComparisons(t, 3)
	tries := b.server.faults.count(registerClient)
	b.awaitComparisons(t, 3)
	if got := b.server.faults.count(registerClient) - tries; got != 0 {
		t.Errorf("the refused registration was tried %d times more", got)
	}
	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) {
		a.Spec.AccessToken.Lifetime = &metav1.Duration{Duration: time.Minute}
	})
	b.awaitReady(t, "planner")
}

func TestApplicationThatWasNeverAcceptedGoesAtOnce(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	b.create(t, "refused", `{grantTypes: [password], clientAuthentication: {method: none}}`)
	b.startOperator(t)
	refused := b.awaitCondition(t, "refused", v1alpha1.ConditionReady, v1alpha1.ReasonRefused)
	requireCondition(t, refused, v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonRefused)
	if calls := b.server.faults.count(readClient) + b.server.faults.count(registerClient); len(refused.Finalizers) != 0 || calls != 0 {
		t.Errorf("finalizers %v and %d requests about the client, want none before acceptance", refused.Finalizers, calls)
	}
	b.server.stop(t)
	b.delete(t, "refused")
	b.awaitGone(t, "refused")
	b.server.start(t)
}

func TestSecretOfSomebodyElseIsLeftUntouched(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	before := w.createSecret(t, "planner-keys", corev1.SecretTypeOpaque)
	w.create(t, "planner", dpopSpec)
	if again := w.walk(t, "planner"); again <= 0 || again > time.Minute {
		t.Errorf("looked at again after %v, want it within a minute: nothing watches the Secret", again)
	}
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionKeysReady, metav1.ConditionFalse, v1alpha1.ReasonOwnedByAnother)
	if after := w.secret(t, "planner-keys"); after.ResourceVersion != before.ResourceVersion {
		t.Error("the Secret was written to")
	}
	if err := w.kube.Delete(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	w.walk(t, "planner")
	requireCondition(t, w.get(t, "planner"), v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
}

// A person who stops a client in an emergency does not wait for what the spec names.
func TestSuspensionReachesTheServerWhileTheSpecCannotBeRegistered(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.writeSecret(t, "app-keys", "jwks.json", publicSet(t, newKey(t)))
	b.create(t, "app", merge(t, dpopSpec, keysFromSecret))
	b.awaitReady(t, "app")
	if err := b.kube.Delete(t.Context(), b.secret(t, "app-keys")); err != nil {
		t.Fatal(err)
	}
	b.awaitCondition(t, "app", v1alpha1.ConditionReady, v1alpha1.ReasonReferenceNotFound)
	b.change(t, "app", func(a *v1alpha1.FAPIApplication) { a.Spec.Suspended = new(true) })
	b.eventually(t, "the server holds a suspended client", func(context.Context) error {
		record, err := b.server.client(t, b.namespace+".app")
		if err == nil && (record.Metadata.Suspended == nil || !*record.Metadata.Suspended) {
			err = errNotYet
		}
		return err
	})

	b.writeSecret(t, "app-keys", "jwks.json", publicSet(t, newKey(t)))
	b.awaitCondition(t, "app", v1alpha1.ConditionReady, v1alpha1.ReasonSuspended)
	b.change(t, "app", func(a *v1alpha1.FAPIApplication) { a.Spec.Suspended = nil })
	b.awaitReady(t, "app")
}

func TestNamespaceDeletionWaitsForTheServerAndNoLonger(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	b.server.stop(t)
	b.Kubectl(t, "delete", "namespace", b.namespace, "--wait=false")
	b.awaitCondition(t, "planner", v1alpha1.ConditionRegistered, v1alpha1.ReasonDeletionFailed)
	b.server.start(t)
	b.Kubectl(t, "wait", "--for=delete", "namespace/"+b.namespace, "--timeout=3m")
	b.requireNoClient(t, "planner")
}

// A namespace that is deleted may lose the operator's Role before its applications
// are let go; where it stays, what cert-manager left there is to be deleted first.
func TestNamespaceDeletionPassesWithoutTheOperatorsRole(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	b.awaitReady(t, "planner")
	b.takeCertificatesFromOperator(t)
	b.delete(t, "planner")
	b.eventually(t, "the operator has tried again", func(context.Context) error {
		if b.server.faults.count(deleteClient) < 2 {
			return errNotYet
		}
		return nil
	})
	b.requireNoClient(t, "planner")
	if finalizers := b.get(t, "planner").Finalizers; !slices.Contains(finalizers, controllers.Finalizer) {
		t.Errorf("the application has the finalizers %v, though nobody has looked for its Certificate", finalizers)
	}
	b.Kubectl(t, "delete", "namespace", b.namespace, "--timeout=3m")
}

// takeCertificatesFromOperator leaves the operator its rights on all but Certificates,
// and waits until the API server knows.
func (b *bank) takeCertificatesFromOperator(t *testing.T) {
	t.Helper()
	b.loseRightsOn(t, "certificates")
	b.eventually(t, "the operator has lost its rights", func(ctx context.Context) error {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:               b.operatorUser(),
			ResourceAttributes: &authorizationv1.ResourceAttributes{Group: "cert-manager.io", Resource: "certificates", Verb: "get", Namespace: b.namespace},
		}}
		if err := b.kube.Create(ctx, review); err != nil || !review.Status.Allowed {
			return err
		}
		return errNotYet
	})
}
