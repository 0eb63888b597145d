package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// Entries of the Secret that holds a managed key.
const (
	// PrivateJWKEntry is the private key as a JWK (RFC 7517).
	PrivateJWKEntry = "private-jwk.json"
	// PrivatePEMEntry is the same key in PEM (PKCS #8, RFC 5958).
	PrivatePEMEntry = "private-key.pem"
	// PublicJWKSEntry is the public half as a JWK Set.
	PublicJWKSEntry = "jwks.json"
)

// ManagedKeySecretName is the Secret of an application's managed key.
func ManagedKeySecretName(application *v1alpha1.FAPIApplication) string {
	return application.Name + "-keys"
}

// keepManagedKey makes the key once, and never overwrites what is there.
func (r *Reconciler) keepManagedKey(ctx context.Context, p *passage) verdict {
	name := ManagedKeySecretName(p.application)
	secret := &corev1.Secret{}
	err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: p.application.Namespace, Name: name}, secret)
	if apierrors.IsNotFound(err) {
		secret, err = r.createManagedKey(ctx, p.application)
	}
	if err != nil {
		return unknown(fmt.Errorf("keep the managed key in Secret %s: %w", name, err))
	}
	if !isMadeFor(p.application, secret) {
		return ownedByAnother("Secret", secret)
	}
	p.status.Keys.SecretName = name
	key, err := jose.ParsePrivateSigningKey(secret.Data[PrivateJWKEntry])
	if err != nil {
		return fails(v1alpha1.ReasonInvalidKeys, fmt.Sprintf("Secret %s holds no key of this operator any more: %v. Restore it, or delete it to get a new key.", name, err))
	}
	if wanted := clientmetadata.ManagedSigningAlg(&p.application.Spec); string(key.Algorithm()) != wanted {
		return fails(v1alpha1.ReasonInvalidKeys, fmt.Sprintf("Secret %s holds a key for %s, and the spec asks for %s. Delete the Secret to get a new key.", name, key.Algorithm(), wanted))
	}
	// The public half is derived, so that the two always fit.
	public, err := json.Marshal(jose.NewKeySet(key.Public()))
	if err != nil {
		return fails(v1alpha1.ReasonInvalidKeys, sentence(err))
	}
	return r.useKeySet(p, public)
}

func (r *Reconciler) createManagedKey(ctx context.Context, application *v1alpha1.FAPIApplication) (*corev1.Secret, error) {
	data, err := generateManagedKey(clientmetadata.ManagedSigningAlg(&application.Spec))
	if err != nil {
		return nil, err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: application.Namespace,
			Name:      ManagedKeySecretName(application),
			Labels:    labelsFor(application),
		},
		Type: corev1.SecretTypeOpaque,
		Data: data,
	}
	if err := controllerutil.SetControllerReference(application, secret, r.Kube.Scheme()); err != nil {
		return nil, err
	}
	return secret, r.Kube.Create(ctx, secret, client.FieldOwner(FieldManager))
}

func generateManagedKey(algorithm string) (map[string][]byte, error) {
	alg, known := jose.ParseSignatureAlgorithm(algorithm)
	if !known {
		return nil, fmt.Errorf("no key is made for algorithm %q", algorithm)
	}
	key, err := jose.GenerateSigningKey(alg)
	if err != nil {
		return nil, err
	}
	jwk, err := key.MarshalPrivate()
	if err != nil {
		return nil, err
	}
	pem, err := key.MarshalPrivatePEM()
	if err != nil {
		return nil, err
	}
	public, err := json.Marshal(jose.NewKeySet(key.Public()))
	return map[string][]byte{PrivateJWKEntry: jwk, PrivatePEMEntry: pem, PublicJWKSEntry: public}, err
}
