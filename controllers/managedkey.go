package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// KeyStateAnnotation on the Secret says what the operator has to know of its keys
// and what the keys themselves do not say: times, and what was acted on.
const KeyStateAnnotation = "fapi-operator.io/key-state"

// ManagedKeySecretName is the Secret of an application's managed key.
func ManagedKeySecretName(application *v1alpha1.FAPIApplication) string {
	return application.Name + "-keys"
}

// NextKeySecretName is the Secret in which the next key waits until the server
// has confirmed that it holds the key.
func NextKeySecretName(application *v1alpha1.FAPIApplication) string {
	return application.Name + "-next-key"
}

// keepManagedKeys finds the keys that are to be registered, and makes the next
// one where one is due. The Secret shows it only when the server holds it
// (showManagedKey).
func (r *Reconciler) keepManagedKeys(ctx context.Context, p *passage) verdict {
	p.status.Keys.Managed = p.knownKeys()
	ring, v := r.readKeyring(ctx, p)
	if ring == nil {
		return v
	}
	p.keyring = ring
	p.rememberRevoked(ring)
	ring.retire(p.now)
	p.noteKeyring()
	if v := p.revokeKey(ring); v.status != "" {
		return v
	}
	if err := r.keepNextKey(ctx, p, ring); err != nil {
		return unknown(err)
	}
	if err := r.keepDecryptionKeys(ctx, p, ring); err != nil {
		return unknown(err)
	}
	wanted := clientmetadata.ManagedSigningAlg(&p.application.Spec)
	if ring.next == nil && string(ring.current.Algorithm()) != wanted {
		return fails(v1alpha1.ReasonInvalidKeys, fmt.Sprintf("Secret %s holds a key for %s, and the spec asks for %s. Give annotation %s a new value to replace the key, or delete the Secret.", ring.secret.Name, ring.current.Algorithm(), wanted, v1alpha1.RotateKeyAnnotation))
	}
	// The public halves are derived, so that the two always fit.
	public, err := json.Marshal(ring.registered(p.now))
	if err != nil {
		return fails(v1alpha1.ReasonInvalidKeys, sentence(err))
	}
	return r.useKeySet(p, public)
}

// readKeyring reads both Secrets. Without a keyring, the verdict says why.
func (r *Reconciler) readKeyring(ctx context.Context, p *passage) (*keyring, verdict) {
	secret, v := r.secretMadeFor(ctx, p.application, ManagedKeySecretName(p.application))
	if v.status != "" {
		return nil, v
	}
	staged, v := r.secretMadeFor(ctx, p.application, NextKeySecretName(p.application))
	if v.status != "" {
		return nil, v
	}
	ring := &keyring{secret: secret, staged: staged}
	if staged != nil {
		ring.openNext()
	}
	if secret == nil {
		return ring, verdict{}
	}
	if err := ring.open(); err != nil {
		return nil, fails(v1alpha1.ReasonInvalidKeys, fmt.Sprintf("Secret %s holds no key of this operator any more: %v. Restore it, or delete it to get a new key.", secret.Name, err))
	}
	return ring, verdict{}
}

// rememberRevoked adds what the status knows of revoked keys: the Secret may have
// come back from a backup, or be gone.
func (p *passage) rememberRevoked(ring *keyring) {
	if known := p.knownKeys(); known != nil {
		for _, kid := range known.Revoked {
			ring.revoke(kid)
		}
	}
}

// secretMadeFor is nil without a verdict when there is no such Secret, which
// only the API server can say: a Secret that cannot be read is waited for.
func (r *Reconciler) secretMadeFor(ctx context.Context, application *v1alpha1.FAPIApplication, name string) (*corev1.Secret, verdict) {
	secret := &corev1.Secret{}
	err := r.Uncached.Get(ctx, client.ObjectKey{Namespace: application.Namespace, Name: name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		return nil, verdict{}
	case err != nil:
		return nil, unknown(fmt.Errorf("read Secret %s: %w", name, err))
	case !isMadeFor(application, secret):
		return nil, ownedByAnother("Secret", secret)
	}
	return secret, verdict{}
}

// knownKeys is what the status has said so far; nil: nothing.
func (p *passage) knownKeys() *v1alpha1.ManagedKeysStatus {
	if known := p.application.Status.Keys; known != nil {
		return known.Managed.DeepCopy()
	}
	return nil
}

// revokeKey gives up the key that the annotation names, if it has not been.
func (p *passage) revokeKey(ring *keyring) verdict {
	named := p.application.Annotations[v1alpha1.RevokeKeyAnnotation]
	if named != "" && ring.current != nil && !ring.isRevoked(named) && !ring.has(named, p.now) {
		return fails(v1alpha1.ReasonUnknownKey, fmt.Sprintf("Annotation %s names no key that is registered, so none was revoked. Write one of status.keys.keyIDs, or take the annotation away.", v1alpha1.RevokeKeyAnnotation))
	}
	if named != "" {
		ring.revoke(named)
	}
	p.resolved.RevokedKeyIDs = ring.revoked
	return verdict{}
}

// needsKey tells whether the current key is to be replaced, or there is none.
func (p *passage) needsKey(ring *keyring) bool {
	asked := p.application.Annotations[v1alpha1.RotateKeyAnnotation]
	return ring.current == nil || ring.isCompromised() || asked != "" && asked != ring.rotated ||
		ring.isDue(p.now, clientmetadata.KeyPeriod(&p.application.Spec))
}

// noteKeyring puts into the status what the Secret shows, and into the passage
// when time makes something to do.
func (p *passage) noteKeyring() {
	period := clientmetadata.KeyPeriod(&p.application.Spec)
	p.status.Keys.Managed = p.keyring.status(period)
	if p.keyring.secret != nil {
		p.status.Keys.SecretName = p.keyring.secret.Name
	}
	if p.keyring.current != nil {
		p.keysDue = p.keyring.nextMoment(p.now, period)
	}
}
