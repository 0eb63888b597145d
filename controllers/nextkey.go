package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

// followsAnnotation on the Secret of the next key names the key that it is to
// replace, so that it replaces no other: empty for the first.
const followsAnnotation = "fapi-operator.io/follows"

// stageKey makes the next key and keeps it where the application does not look.
// Of two operators that do so at once, as when a leader is slow to end, one
// creates the Secret, and the other finds it. Who creates it looks again whether
// the other has replaced the key already.
func (r *Reconciler) stageKey(ctx context.Context, p *passage, ring *keyring) error {
	key, err := generateKey(clientmetadata.ManagedSigningAlg(&p.application.Spec))
	if err != nil {
		return err
	}
	decryption, err := generateDecryptionKeys(clientmetadata.ManagedEncryptionAlgs(&p.application.Spec))
	if err != nil {
		return err
	}
	data, err := encodeNextKeys(key, decryption)
	if err != nil {
		return err
	}
	secret, err := r.newSecretFor(p.application, NextKeySecretName(p.application), corev1.SecretTypeOpaque, data)
	if err != nil {
		return err
	}
	secret.Immutable = new(true)
	secret.Annotations = map[string]string{followsAnnotation: ring.currentKeyID()}
	if err := r.Kube.Create(ctx, secret, client.FieldOwner(FieldManager)); err != nil {
		return fmt.Errorf("keep the next key in Secret %s: %w", secret.Name, err)
	}
	ring.staged, ring.next, ring.nextDecryption = secret, key, decryption
	return r.seeSame(ctx, p.application, ring)
}

// seeSame fails when the Secret is another than was read.
func (r *Reconciler) seeSame(ctx context.Context, application *v1alpha1.FAPIApplication, ring *keyring) error {
	secret, v := r.secretMadeFor(ctx, application, ManagedKeySecretName(application))
	if v.retry != nil {
		return v.retry
	}
	if secret == nil && ring.secret == nil || secret != nil && ring.secret != nil && secret.ResourceVersion == ring.secret.ResourceVersion {
		return nil
	}
	return fmt.Errorf("secret %s has changed since it was read", ManagedKeySecretName(application))
}

func encodeNextKeys(key *jose.SigningKey, decryption []decryptionKey) (map[string][]byte, error) {
	jwk, err := key.MarshalPrivate()
	if err != nil {
		return nil, err
	}
	set, err := encodeDecryptionKeys(decryption)
	data := map[string][]byte{v1alpha1.PrivateJWKEntry: jwk}
	if set != nil {
		data[v1alpha1.DecryptionJWKSEntry] = set
	}
	return data, err
}

func generateKey(algorithm string) (*jose.SigningKey, error) {
	alg, known := jose.ParseSignatureAlgorithm(algorithm)
	if !known {
		return nil, fmt.Errorf("no key is made for algorithm %q", algorithm)
	}
	return jose.GenerateSigningKey(alg)
}

// discardUnfit removes next keys that are next no longer.
func (r *Reconciler) discardUnfit(ctx context.Context, p *passage, ring *keyring) error {
	if ring.staged == nil || p.isFit(ring) {
		return nil
	}
	return r.discardStaged(ctx, ring)
}

// isFit tells whether the next key can still be: it replaces the current one, it was
// not revoked, and the spec has not come to ask for other algorithms.
func (p *passage) isFit(ring *keyring) bool {
	spec := &p.application.Spec
	return ring.next != nil &&
		ring.staged.Annotations[followsAnnotation] == ring.currentKeyID() &&
		!ring.isRevoked(ring.next.KeyID()) &&
		string(ring.next.Algorithm()) == clientmetadata.ManagedSigningAlg(spec) &&
		ring.nextFits(clientmetadata.ManagedEncryptionAlgs(spec))
}

// discardStaged deletes the Secret in which the next key has waited.
func (r *Reconciler) discardStaged(ctx context.Context, ring *keyring) error {
	if err := r.deleteRead(ctx, "Secret", ring.staged); err != nil {
		return err
	}
	ring.staged, ring.next, ring.nextDecryption = nil, nil, nil
	return nil
}

// keepDecryptionKeys adds a key to the Secret where the spec has come to have
// responses encrypted: before the server holds it, since the server encrypts to it
// from then on. Those that the spec needs no more are kept for an overlap.
func (r *Reconciler) keepDecryptionKeys(ctx context.Context, p *passage, ring *keyring) error {
	if ring.secret == nil {
		return nil
	}
	wanted := clientmetadata.ManagedEncryptionAlgs(&p.application.Spec)
	overlap := clientmetadata.KeyOverlap(&p.application.Spec)
	ring.supersede(func(key decryptionKey) bool { return !slices.Contains(wanted, key.algorithm()) }, metav1.NewTime(p.now.Add(overlap)))
	added, err := generateDecryptionKeys(ring.lacks(wanted))
	if err != nil || len(added) == 0 {
		return err
	}
	ring.decryption = append(begin(added, p.now), ring.decryption...)
	return r.writeKeySecret(ctx, p, ring)
}
