package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// keepNextKey makes the next key, where the one that is there is not enough.
func (r *Reconciler) keepNextKey(ctx context.Context, p *passage, ring *keyring) error {
	if err := r.discardUnfit(ctx, p, ring); err != nil {
		return err
	}
	if ring.next != nil || !p.needsKey(ring) {
		return nil
	}
	return r.stageKey(ctx, p, ring)
}

// stageKey makes the next key and keeps it where the application does not look.
// Of two operators that do so at once, one creates the Secret, and the other
// finds it.
func (r *Reconciler) stageKey(ctx context.Context, p *passage, ring *keyring) error {
	key, err := generateKey(clientmetadata.ManagedSigningAlg(&p.application.Spec))
	if err != nil {
		return err
	}
	jwk, err := key.MarshalPrivate()
	if err != nil {
		return err
	}
	secret, err := r.newKeySecret(p.application, NextKeySecretName(p.application), map[string][]byte{PrivateJWKEntry: jwk})
	if err != nil {
		return err
	}
	secret.Immutable = new(true)
	if err := r.Kube.Create(ctx, secret, client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("keep the next key in Secret %s: %w", secret.Name, err)
	}
	ring.staged, ring.next = secret, key
	return nil
}

func generateKey(algorithm string) (*jose.SigningKey, error) {
	alg, known := jose.ParseSignatureAlgorithm(algorithm)
	if !known {
		return nil, fmt.Errorf("no key is made for algorithm %q", algorithm)
	}
	return jose.GenerateSigningKey(alg)
}

func (r *Reconciler) newKeySecret(application *v1alpha1.FAPIApplication, name string, data map[string][]byte) (*corev1.Secret, error) {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: application.Namespace, Name: name, Labels: labelsFor(application)},
		Type:       corev1.SecretTypeOpaque,
		Data:       data,
	}
	return secret, controllerutil.SetControllerReference(application, secret, r.Kube.Scheme())
}

// discardUnfit removes a next key that is next no longer: the Secret shows it
// already, it was revoked, or the spec has come to ask for another algorithm.
func (r *Reconciler) discardUnfit(ctx context.Context, p *passage, ring *keyring) error {
	wanted := clientmetadata.ManagedSigningAlg(&p.application.Spec)
	isShown := ring.next != nil && ring.current != nil && ring.next.KeyID() == ring.current.KeyID()
	if ring.staged == nil || ring.next != nil && !isShown && !ring.isRevoked(ring.next) && string(ring.next.Algorithm()) == wanted {
		return nil
	}
	return r.discardStaged(ctx, ring)
}

// discardStaged deletes the Secret that was read, and no other of its name.
func (r *Reconciler) discardStaged(ctx context.Context, ring *keyring) error {
	err := r.Kube.Delete(ctx, ring.staged, client.Preconditions{UID: &ring.staged.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete Secret %s: %w", ring.staged.Name, err)
	}
	ring.staged, ring.next = nil, nil
	return nil
}
