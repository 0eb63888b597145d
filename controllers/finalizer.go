package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// protect puts the finalizer on.
func (r *Reconciler) protect(ctx context.Context, p *passage) verdict {
	err := patchFinalizer(ctx, r.Kube, p.application, controllerutil.AddFinalizer)
	if err != nil {
		return unknown(fmt.Errorf("add the finalizer: %w", err))
	}
	return holds("", "")
}

// patchFinalizer writes metadata alone, and only when it changes. The resource
// version guards the list against another writer's.
func patchFinalizer(ctx context.Context, kube client.Writer, application *v1alpha1.FAPIApplication, change func(client.Object, string) bool) error {
	changed := application.DeepCopy()
	if !change(changed, Finalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(application, client.MergeFromWithOptimisticLock{})
	return kube.Patch(ctx, changed, patch, client.FieldOwner(FieldManager))
}
