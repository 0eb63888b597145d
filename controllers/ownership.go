package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

const managedByLabel = "app.kubernetes.io/managed-by"

// labelsFor mark what the operator makes for an application. They hold its
// name rather than its UID, so that objects restored from a backup are known again.
func labelsFor(application *v1alpha1.FAPIApplication) map[string]string {
	return map[string]string{managedByLabel: FieldManager, v1alpha1.ApplicationLabel: application.Name}
}

// isLabeled tells whether a Secret is watched, and may be read.
func isLabeled(secret metav1.Object) bool {
	_, labeled := secret.GetLabels()[v1alpha1.ApplicationLabel]
	return labeled
}

func isMadeFor(application *v1alpha1.FAPIApplication, object metav1.Object) bool {
	labels := object.GetLabels()
	return labels[managedByLabel] == FieldManager && labels[v1alpha1.ApplicationLabel] == application.Name
}

// newSecretFor is a Secret for the application, which goes with it.
func (r *Reconciler) newSecretFor(application *v1alpha1.FAPIApplication, name string, kind corev1.SecretType, data map[string][]byte) (*corev1.Secret, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: application.Namespace, Name: name, Labels: labelsFor(application)},
		Type:       kind,
		Data:       data,
	}
	return secret, controllerutil.SetControllerReference(application, secret, r.Kube.Scheme())
}

// deleteRead deletes the object that was read, and no other of its name.
func (r *Reconciler) deleteRead(ctx context.Context, kind string, object client.Object) error {
	err := r.Kube.Delete(ctx, object, client.Preconditions{UID: new(object.GetUID())})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s %s: %w", kind, object.GetName(), err)
	}
	return nil
}

func ownedByAnother(kind string, object metav1.Object) verdict {
	owner := "somebody else"
	labels := object.GetLabels()
	if other := labels[v1alpha1.ApplicationLabel]; other != "" && labels[managedByLabel] == FieldManager {
		owner = "FAPIApplication " + other
	} else if controller := metav1.GetControllerOfNoCopy(object); controller != nil {
		owner = controller.Kind + " " + controller.Name
	}
	v := fails(v1alpha1.ReasonOwnedByAnother, fmt.Sprintf("%s %s belongs to %s and is left untouched; delete it, or choose another name.", kind, object.GetName(), owner))
	v.unwatched = kind == "Secret" && !isLabeled(object)
	return v
}
