package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// farewell is what an event tells of an application that goes.
type farewell struct{ kind, reason, note string }

// end lets the application go once its client is gone, or a person has waived
// the proof of that.
func (r *Reconciler) end(ctx context.Context, p *passage) error {
	if !controllerutil.ContainsFinalizer(p.application, Finalizer) {
		return nil
	}
	if another, err := r.isForAnother(ctx, p.application); err != nil || another {
		return err
	}
	farewell, err := r.unregister(ctx, p)
	if err != nil {
		return errors.Join(err, r.keep(ctx, p, err))
	}
	if err := r.discardCertificate(ctx, p.application); err != nil {
		return err
	}
	if err := patchFinalizer(ctx, r.Kube, p.application, controllerutil.RemoveFinalizer); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("remove the finalizer: %w", err))
	}
	ctrl.LoggerFrom(ctx).Info("the application goes", "clientID", p.clientID, "reason", farewell.reason)
	r.event(p, farewell.kind, farewell.reason, "Delete", farewell.note)
	return nil
}

// unregister removes the client from the server. A client that belongs to
// somebody else is not this application's to remove.
func (r *Reconciler) unregister(ctx context.Context, p *passage) (farewell, error) {
	if p.application.Annotations[AbandonAnnotation] == "true" {
		return farewell{corev1.EventTypeWarning, "Abandoned", fmt.Sprintf("Annotation %s: client %s may still be registered at the authorization server, and nobody manages it.", AbandonAnnotation, p.clientID)}, nil
	}
	if p.application.Spec.DeletionPolicy == v1alpha1.DeletionPolicyRetain {
		return farewell{corev1.EventTypeNormal, v1alpha1.ReasonRetained, fmt.Sprintf("Client %s stays registered at the authorization server, as deletionPolicy asks.", p.clientID)}, nil
	}
	err := r.Registrar.Delete(ctx, p.clientID, p.owner)
	countCall("delete", err)
	var owned *registration.OwnedByAnotherError
	switch {
	case err == nil, errors.Is(err, registration.ErrNotFound):
		r.held.forget(p.clientID)
		return farewell{corev1.EventTypeNormal, "Deleted", fmt.Sprintf("The authorization server holds no client %s any more.", p.clientID)}, nil
	case errors.Is(err, registration.ErrOwnedByOtherInstallation):
		return farewell{corev1.EventTypeNormal, "Deleted", fmt.Sprintf("Client %s was never this application's: it belongs to another installation and is left untouched.", p.clientID)}, nil
	case errors.As(err, &owned):
		return farewell{corev1.EventTypeNormal, "Deleted", fmt.Sprintf("Client %s was never this application's: it belongs to %s and is left untouched.", p.clientID, owned.Owner)}, nil
	}
	return farewell{}, err
}

// keep says why the application is still there.
func (r *Reconciler) keep(ctx context.Context, p *passage, cause error) error {
	p.set(v1alpha1.ConditionRegistered, fails(v1alpha1.ReasonDeletionFailed, "The authorization server has not confirmed that the client is gone; it is asked again: "+lasting(cause)))
	p.summarize()
	if err := r.writeStatus(ctx, p); err != nil {
		return err
	}
	r.tell(p)
	return nil
}
