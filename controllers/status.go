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
	configuration, err := statusConfiguration(p)
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
// application never lands on its successor.
func statusConfiguration(p *passage) (runtime.ApplyConfiguration, error) {
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&p.status)
	if err != nil {
		return nil, fmt.Errorf("encode the status: %w", err)
	}
	return client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(),
		"kind":       "FAPIApplication",
		"metadata": map[string]any{
			"namespace": p.application.Namespace,
			"name":      p.application.Name,
			"uid":       string(p.application.UID),
		},
		"status": status,
	}}), nil
}
