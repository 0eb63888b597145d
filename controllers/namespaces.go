package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// isSelected tells whether the labels of a namespace are those of the namespaces that
// are served. One that the cache does not know yet is not: it brings its applications.
func (r *Reconciler) isSelected(ctx context.Context, name string) (bool, error) {
	if r.NamespaceSelector == nil {
		return true, nil
	}
	namespace, err := readNamespace(ctx, r.Kube, name)
	if err != nil {
		return false, client.IgnoreNotFound(fmt.Errorf("read the labels of namespace %s: %w", name, err))
	}
	return r.selects(namespace), nil
}

// isBeingDeleted tells whether the namespace is known to be.
func (r *Reconciler) isBeingDeleted(ctx context.Context, name string) bool {
	namespace, err := readNamespace(ctx, r.Uncached, name)
	return err == nil && !namespace.DeletionTimestamp.IsZero()
}

// readNamespace reads the metadata alone.
func readNamespace(ctx context.Context, from client.Reader, name string) (*metav1.PartialObjectMetadata, error) {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return namespace, from.Get(ctx, client.ObjectKey{Name: name}, namespace)
}

func (r *Reconciler) selects(namespace client.Object) bool {
	return r.NamespaceSelector.Matches(labels.Set(namespace.GetLabels()))
}

// whenSelected has the applications of a namespace reconciled as soon as it is served.
func (r *Reconciler) whenSelected() (handler.EventHandler, predicate.Predicate) {
	enqueue := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, namespace client.Object) []reconcile.Request {
		return r.affected(ctx, "Namespace", anyApplication, client.InNamespace(namespace.GetName()))
	})
	return enqueue, predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return r.selects(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool { return r.selects(e.ObjectNew) && !r.selects(e.ObjectOld) },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
	}
}

// isForAnother tells whether another operator lets the application go: one that has
// registered it at another server, and serves its namespace as this one does not.
// This operator lets go of its own, wherever they are: those that its server was last
// known to hold, of which a server that does not answer can tell nothing.
func (r *Reconciler) isForAnother(ctx context.Context, application *v1alpha1.FAPIApplication) (bool, error) {
	registered := application.Status.Registration
	if selected, err := r.isSelected(ctx, application.Namespace); err != nil || selected || registered == nil {
		return false, err
	}
	if held, _ := r.held.client(application.Status.ClientID); held.Owner == r.owner(application) && held.issuer == registered.Issuer {
		return false, nil
	}
	page, err := r.Registrar.List(ctx, "", 1)
	countCall("list", err)
	return err == nil && page.Issuer != registered.Issuer, err
}
