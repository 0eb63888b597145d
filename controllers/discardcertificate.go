package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// discardCertificate deletes what cert-manager keeps for an application that goes. By
// default cert-manager lets nobody own its Secrets, so that the garbage collector
// leaves them. The Certificate goes first, or cert-manager would write another one.
// An application that goes without what it owns (kubectl delete --cascade=orphan)
// leaves it all, whether the garbage collector has seen to that yet or not.
// A namespace that is deleted takes it all away, and may have lost the operator's
// Role by then.
func (r *Reconciler) discardCertificate(ctx context.Context, application *v1alpha1.FAPIApplication) error {
	if controllerutil.ContainsFinalizer(application, metav1.FinalizerOrphanDependents) {
		return nil
	}
	err := r.discardWhatIsLeft(ctx, application)
	if apierrors.IsForbidden(err) && r.isBeingDeleted(ctx, application.Namespace) {
		return nil
	}
	return err
}

func (r *Reconciler) discardWhatIsLeft(ctx context.Context, application *v1alpha1.FAPIApplication) error {
	certificate, err := r.ownCertificate(ctx, application)
	switch {
	case meta.IsNoMatchError(err): // cert-manager itself is gone
	case err != nil:
		return err
	case certificate != nil && !metav1.IsControlledBy(certificate, application):
		return nil
	}
	if err := r.deleteCertificate(ctx, certificate); err != nil {
		return err
	}
	return r.discardSecrets(ctx, application)
}

// discardSecrets deletes the Secrets that were made for the application and that it
// does not own.
func (r *Reconciler) discardSecrets(ctx context.Context, application *v1alpha1.FAPIApplication) error {
	secrets := &metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := r.Uncached.List(ctx, secrets, client.InNamespace(application.Namespace), client.MatchingLabels(labelsFor(application))); err != nil {
		return fmt.Errorf("list the Secrets that were made for the application: %w", err)
	}
	for i := range secrets.Items {
		secret := &secrets.Items[i]
		if metav1.IsControlledBy(secret, application) {
			continue
		}
		if err := r.deleteRead(ctx, "Secret", secret); err != nil {
			return err
		}
	}
	return nil
}
