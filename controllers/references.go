package controllers

import (
	"context"
	"fmt"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// referenceError says why a Secret or ConfigMap that the spec names, or its entry,
// was not read. Every other error is a cluster's that does not answer.
type referenceError struct {
	reason, message string
	unwatched       bool // as a verdict's
}

func (e *referenceError) Error() string { return e.message }

// secretEntry reads one entry of a Secret in the application's own namespace.
func (r *Reconciler) secretEntry(ctx context.Context, application *v1alpha1.FAPIApplication, reference v1alpha1.SecretReference) ([]byte, error) {
	secret, err := r.labeledSecret(ctx, application, reference.Name)
	if err != nil {
		return nil, err
	}
	entry, present := secret.Data[reference.Key]
	if !present {
		return nil, missingEntry("Secret", reference.Name, reference.Key)
	}
	return entry, nil
}

// labeledSecret reads the metadata first, so that a Secret without the label
// stays unread; it may be gone by the time that the Secret is read.
func (r *Reconciler) labeledSecret(ctx context.Context, application *v1alpha1.FAPIApplication, name string) (*corev1.Secret, error) {
	metadata, secret := &metav1.PartialObjectMetadata{}, &corev1.Secret{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	for _, object := range []client.Object{metadata, secret} {
		err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: application.Namespace, Name: name}, object)
		switch {
		case apierrors.IsNotFound(err):
			return nil, missingSecret(name)
		case err != nil:
			return nil, fmt.Errorf("read Secret %s: %w", name, err)
		case !isLabeled(object):
			return nil, unlabeledSecret(application, name)
		}
	}
	return secret, nil
}

// missingSecret: one that is made without the label comes unseen.
func missingSecret(name string) error {
	return &referenceError{
		reason:    v1alpha1.ReasonReferenceNotFound,
		message:   fmt.Sprintf("Secret %s is not there; make it with the label %s", name, v1alpha1.ApplicationLabel),
		unwatched: true,
	}
}

func unlabeledSecret(application *v1alpha1.FAPIApplication, name string) error {
	return &referenceError{
		reason: v1alpha1.ReasonReferenceNotLabeled,
		message: fmt.Sprintf("Secret %s lacks the label %s, so nothing of it is read: kubectl label secret %s --namespace %s %s=%s puts it on",
			name, v1alpha1.ApplicationLabel, name, application.Namespace, v1alpha1.ApplicationLabel, application.Name),
		unwatched: true,
	}
}

func missingEntry(kind, name, entry string) error {
	return &referenceError{reason: v1alpha1.ReasonReferenceNotFound, message: fmt.Sprintf("entry %s of %s %s is not there", entry, kind, name)}
}

// configMapEntry reads one entry of a ConfigMap in the application's own namespace.
func (r *Reconciler) configMapEntry(ctx context.Context, namespace string, reference v1alpha1.ConfigMapReference) ([]byte, error) {
	configMap := &corev1.ConfigMap{}
	err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: namespace, Name: reference.Name}, configMap)
	switch {
	case apierrors.IsNotFound(err):
		return nil, &referenceError{reason: v1alpha1.ReasonReferenceNotFound, message: fmt.Sprintf("ConfigMap %s is not there", reference.Name)}
	case err != nil:
		return nil, fmt.Errorf("read ConfigMap %s: %w", reference.Name, err)
	}
	if entry, present := configMap.Data[reference.Key]; present {
		return []byte(entry), nil
	}
	if entry, present := configMap.BinaryData[reference.Key]; present {
		return entry, nil
	}
	return nil, missingEntry("ConfigMap", reference.Name, reference.Key)
}

// sentence is the error for a person to read.
func sentence(err error) string {
	first, size := utf8.DecodeRuneInString(err.Error())
	return string(unicode.ToUpper(first)) + err.Error()[size:] + "."
}
