package controllers

import (
	"context"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// errReferenceNotFound: a Secret or ConfigMap that the spec names is not there, or its entry.
var errReferenceNotFound = errors.New("is not there")

// secretEntry reads one entry of a Secret in the application's own namespace.
func (r *Reconciler) secretEntry(ctx context.Context, namespace string, reference v1alpha1.SecretReference) ([]byte, error) {
	secret := &corev1.Secret{}
	if err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: namespace, Name: reference.Name}, secret); err != nil {
		return nil, describeMissing(err, "Secret", reference.Name)
	}
	entry, present := secret.Data[reference.Key]
	if !present {
		return nil, fmt.Errorf("entry %s of Secret %s %w", reference.Key, reference.Name, errReferenceNotFound)
	}
	return entry, nil
}

// configMapEntry reads one entry of a ConfigMap in the application's own namespace.
func (r *Reconciler) configMapEntry(ctx context.Context, namespace string, reference v1alpha1.ConfigMapReference) ([]byte, error) {
	configMap := &corev1.ConfigMap{}
	if err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: namespace, Name: reference.Name}, configMap); err != nil {
		return nil, describeMissing(err, "ConfigMap", reference.Name)
	}
	if entry, present := configMap.Data[reference.Key]; present {
		return []byte(entry), nil
	}
	if entry, present := configMap.BinaryData[reference.Key]; present {
		return entry, nil
	}
	return nil, fmt.Errorf("entry %s of ConfigMap %s %w", reference.Key, reference.Name, errReferenceNotFound)
}

func describeMissing(err error, kind, name string) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("%s %s %w", kind, name, errReferenceNotFound)
	}
	return fmt.Errorf("read %s %s: %w", kind, name, err)
}

// sentence is the error for a person to read.
func sentence(err error) string {
	first, size := utf8.DecodeRuneInString(err.Error())
	return string(unicode.ToUpper(first)) + err.Error()[size:] + "."
}
