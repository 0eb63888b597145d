package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// writeStatus writes the status once, and only when it says something new. An
// application that went in the meantime needs none.
func (r *Reconciler) writeStatus(ctx context.Context, p *passage) error {
	if equality.Semantic.DeepEqual(p.application.Status, p.status) {
		return nil
	}
	configuration, err := statusConfiguration("FAPIApplication", p.application, &p.status)
	if err != nil {
		return err
	}
	err = r.Kube.Status().Apply(ctx, configuration, client.FieldOwner(FieldManager), client.ForceOwnership)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("write the status of %s/%s: %w", p.application.Namespace, p.application.Name, err)
	}
	return nil
}

// statusConfiguration carries the object's UID, so that the status of a deleted
// object never lands on its successor.
func statusConfiguration(kind string, object client.Object, status any) (runtime.ApplyConfiguration, error) {
	encoded, err := runtime.DefaultUnstructuredConverter.ToUnstructured(status)
	if err != nil {
		return nil, fmt.Errorf("encode the status: %w", err)
	}
	metadata := map[string]any{"name": object.GetName(), "uid": string(object.GetUID())}
	if object.GetNamespace() != "" {
		metadata["namespace"] = object.GetNamespace()
	}
	return client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       kind,
		"metadata":   metadata,
		"status":     encoded,
	}}), nil
}
