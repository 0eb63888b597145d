package integration

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

var resource = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "anything"}

// apiServerFailures are the ways in which a call of the API server may fail. One that
// says that an object is not there is an answer, and no failure.
var apiServerFailures = map[string]breaker{
	"not done":      {err: apierrors.NewInternalError(errors.New("etcd is away"))},
	"answer lost":   {done: true},
	"conflict":      {err: apierrors.NewConflict(resource, "it", errors.New("somebody wrote before"))},
	"already there": {done: true, err: apierrors.NewAlreadyExists(resource, "it")},
}

// Whichever call of the operator fails, and however, in the life of a client whose
// keys are of a Secret, the status is true, and the next walks bring about what the
// spec means.
func TestWhicheverCallFailsTheStatusIsTrueAndConverges(t *testing.T) {
	t.Parallel()
	for name, failure := range apiServerFailures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := openWorkshop(t)
			w.writeSecret(t, "app-keys", "jwks.json", publicSet(t, newKey(t)))
			failure.place(w)
			for at := 1; w.livesThrough(t, &failure, at); at++ {
				if at == 100 {
					t.Fatal("the calls have no end")
				}
			}
		})
	}
}

// livesThrough has the call of that number fail at every step of a client's life; it
// tells whether any step had so many calls.
func (w *workshop) livesThrough(t *testing.T, b *breaker, at int) (failed bool) {
	t.Helper()
	name := fmt.Sprintf("planner-%d", at)
	for step, take := range []func(){
		func() { w.create(t, name, merge(t, dpopSpec, keysFromSecret)) },
		func() {
			w.change(t, name, func(a *v1alpha1.FAPIApplication) { a.Spec.RedirectURIs = []string{"https://app.example.com/second"} })
		},
		func() { w.change(t, name, func(a *v1alpha1.FAPIApplication) { a.Spec.Suspended = new(true) }) },
		func() {
			if err := w.kube.Delete(t.Context(), w.get(t, name)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		take()
		b.at, b.calls = at, 0
		_, err := w.reconcile(t, name)
		failed = failed || b.calls >= at
		w.requireTrueStatus(t, name, fmt.Sprintf("call %d of step %d", at, step+1))
		b.at = 0
		if err != nil {
			w.walk(t, name)
		}
		w.walk(t, name)
		w.requireConverged(t, name, fmt.Sprintf("after call %d of step %d", at, step+1))
	}
	return failed
}

// requireTrueStatus: what is said to be registered is what the server holds, and an
// application does not go before its client.
func (w *workshop) requireTrueStatus(t *testing.T, name, when string) {
	t.Helper()
	held, err := w.server.client(t, w.namespace+"."+name)
	application := &v1alpha1.FAPIApplication{}
	if w.kube.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, application) != nil {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: the application is gone, and its client is held: %v", when, err)
		}
		return
	}
	registered := meta.FindStatusCondition(application.Status.Conditions, v1alpha1.ConditionRegistered)
	if registered == nil || registered.Status != "True" || registered.ObservedGeneration != application.Generation {
		return
	}
	if err != nil || !slices.Equal(held.Metadata.RedirectURIs, application.Spec.RedirectURIs) || isSuspended(held) != isMeantSuspended(application) {
		t.Errorf("%s: the status says Registered, and the server holds %+v (%v)", when, held.Metadata, err)
	}
	if isMeantSuspended(application) && meta.IsStatusConditionTrue(application.Status.Conditions, v1alpha1.ConditionReady) {
		t.Errorf("%s: a suspended client is Ready", when)
	}
}

func isSuspended(held store.ClientRecord) bool {
	return held.Metadata.Suspended != nil && *held.Metadata.Suspended
}

func isMeantSuspended(application *v1alpha1.FAPIApplication) bool {
	return application.Spec.Suspended != nil && *application.Spec.Suspended
}

// requireConverged: it is registered as it is now, or it is gone.
func (w *workshop) requireConverged(t *testing.T, name, when string) {
	t.Helper()
	w.requireTrueStatus(t, name, when)
	application := &v1alpha1.FAPIApplication{}
	err := w.kube.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, application)
	switch {
	case apierrors.IsNotFound(err):
		return
	case err != nil:
		t.Fatal(err)
	case !application.DeletionTimestamp.IsZero():
		t.Errorf("%s: the application does not go", when)
	}
	registered := meta.FindStatusCondition(application.Status.Conditions, v1alpha1.ConditionRegistered)
	if registered == nil || registered.Status != "True" || registered.ObservedGeneration != application.Generation {
		t.Errorf("%s: it is not registered: %+v", when, registered)
	}
}
