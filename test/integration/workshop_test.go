package integration

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registrar"
	"github.com/fapi-operator/fapi-operator/controllers"
)

// workshop is a bank whose operator walks when a test tells it to, and whose
// clock a test sets. Its clients are those of the API server and of the server.
type workshop struct {
	*bank
	reconciler *controllers.Reconciler
	clock      time.Time

	mutex     sync.Mutex
	kubeFault kubeFault
}

// kubeFault stands around each call of the operator to the API server: verb,
// object (nil with a status), its name, and what makes the call.
type kubeFault func(verb string, object client.Object, name string, do func() error) error

func openWorkshop(t *testing.T) *workshop {
	t.Helper()
	w := &workshop{bank: openBranch(t, fapi.Limits{}), clock: time.Now().UTC().Truncate(time.Second)}
	server, err := registrar.New(w.server.registrar)
	if err != nil {
		t.Fatal(err)
	}
	kube, err := client.NewWithWatch(w.asOperator(t), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	disturbed := interceptor.NewClient(kube, w.interceptions())
	w.reconciler = &controllers.Reconciler{
		Kube: disturbed, Uncached: disturbed, Events: &events.FakeRecorder{},
		Registrar: server, Installation: installation, Resync: w.resync, Now: w.now,
	}
	return w
}

func (w *workshop) interceptions() interceptor.Funcs {
	return interceptor.Funcs{
		Get: func(ctx context.Context, kube client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			return w.call("get", object, key.Name, func() error { return kube.Get(ctx, key, object, options...) })
		},
		List: func(ctx context.Context, kube client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			return w.call("list", nil, fmt.Sprintf("%T", list), func() error { return kube.List(ctx, list, options...) })
		},
		Create: func(ctx context.Context, kube client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return w.call("create", object, object.GetName(), func() error { return kube.Create(ctx, object, options...) })
		},
		Update: func(ctx context.Context, kube client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return w.call("update", object, object.GetName(), func() error { return kube.Update(ctx, object, options...) })
		},
		Delete: func(ctx context.Context, kube client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return w.call("delete", object, object.GetName(), func() error { return kube.Delete(ctx, object, options...) })
		},
		Patch: func(ctx context.Context, kube client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return w.call("patch", object, object.GetName(), func() error { return kube.Patch(ctx, object, patch, options...) })
		},
		SubResourceApply: func(ctx context.Context, kube client.Client, subResource string, object runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
			return w.call("apply", nil, subResource, func() error { return kube.SubResource(subResource).Apply(ctx, object, options...) })
		},
	}
}

func (w *workshop) call(verb string, object client.Object, name string, do func() error) error {
	if w.kubeFault == nil {
		return do()
	}
	return w.kubeFault(verb, object, name, do)
}

func (w *workshop) now() time.Time {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.clock
}

func (w *workshop) advance(by time.Duration) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.clock = w.clock.Add(by)
}

func (w *workshop) reconcile(t *testing.T, name string) (ctrl.Result, error) {
	t.Helper()
	return w.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: name}})
}

// walk is a reconciliation that succeeds; it tells when the next one is asked for.
func (w *workshop) walk(t *testing.T, name string) time.Duration {
	t.Helper()
	result, err := w.reconcile(t, name)
	if err != nil {
		t.Fatal(err)
	}
	return result.RequeueAfter
}

func (b *bank) annotate(t *testing.T, name, annotation, value string) {
	t.Helper()
	b.change(t, name, func(a *v1alpha1.FAPIApplication) {
		if a.Annotations == nil {
			a.Annotations = map[string]string{}
		}
		a.Annotations[annotation] = value
	})
}

func (w *workshop) loseStatus(t *testing.T, name string) {
	t.Helper()
	application := w.get(t, name)
	application.Status = v1alpha1.FAPIApplicationStatus{}
	if err := w.kube.Status().Update(t.Context(), application); err != nil {
		t.Fatal(err)
	}
}
