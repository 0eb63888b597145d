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

// secretEntry reads one entry of a Secret.
func (r *Reconciler) secretEntry(ctx context.Context, application *v1alpha1.FAPIApplication, reference v1alpha1.SecretReference) ([]byte, error) {
	secret, named := &corev1.Secret{}, secretNamed(application, reference)
	if err := r.readNamed(ctx, named, secret); err != nil {
		return nil, err
	}
	entry, present := secret.Data[reference.Key]
	if !present {
		return nil, named.lacks(reference.Key)
	}
	return entry, nil
}

// configMapEntry reads one entry of a ConfigMap.
func (r *Reconciler) configMapEntry(ctx context.Context, application *v1alpha1.FAPIApplication, reference v1alpha1.ConfigMapReference) ([]byte, error) {
	configMap, named := &corev1.ConfigMap{}, configMapNamed(application, reference)
	if err := r.readNamed(ctx, named, configMap); err != nil {
		return nil, err
	}
	if entry, present := configMap.Data[reference.Key]; present {
		return []byte(entry), nil
	}
	if entry, present := configMap.BinaryData[reference.Key]; present {
		return entry, nil
	}
	return nil, named.lacks(reference.Key)
}

// readNamed asks the metadata first, so that an object that may not be read stays
// unread; it may have changed by the time that the whole is read.
func (r *Reconciler) readNamed(ctx context.Context, named namedObject, into client.Object) error {
	for _, object := range append(named.asked(), into) {
		err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: named.namespace, Name: named.name}, object)
		switch {
		case apierrors.IsNotFound(err):
			return named.isMissing()
		case apierrors.IsForbidden(err) && named.isForeign():
			return named.isOutOfReach()
		case err != nil:
			return fmt.Errorf("read %s: %w", named, err)
		}
		if err := named.permits(object); err != nil {
			return err
		}
	}
	return nil
}

// asked is what is read before the object itself: its metadata, where that has to
// permit it. Whoever may write in the namespace of a ConfigMap has permitted it.
func (n namedObject) asked() []client.Object {
	if n.kind == "ConfigMap" && !n.isForeign() {
		return nil
	}
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(n.kind))
	return []client.Object{metadata}
}

// sentence is the error for a person to read.
func sentence(err error) string {
	first, size := utf8.DecodeRuneInString(err.Error())
	return string(unicode.ToUpper(first)) + err.Error()[size:] + "."
}
