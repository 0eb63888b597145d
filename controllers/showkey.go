package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// showManagedKey brings the Secret that the application mounts up to date, now
// that the server holds every key of the keyring. It shows no key before that,
// and each one whole: a write replaces all entries or none.
func (r *Reconciler) showManagedKey(ctx context.Context, p *passage) verdict {
	ring := p.keyring
	if ring == nil {
		return holds("", "")
	}
	before, known := ring.current, p.status.Keys.Managed.DeepCopy()
	if ring.next != nil {
		ring.promote(p.now, clientmetadata.KeyOverlap(&p.application.Spec), p.application.Annotations[v1alpha1.RotateKeyAnnotation])
	}
	if err := r.writeKeySecret(ctx, p, ring); err != nil {
		return p.keysNotShown(err)
	}
	p.noteKeyring()
	r.tellKeys(p, before, known)
	if ring.staged != nil {
		if err := r.discardStaged(ctx, ring); err != nil {
			return p.keysNotShown(err)
		}
	}
	return holds("", "")
}

// keysNotShown puts the failure where the keys' condition is, which held as long
// as only the registration was waited for.
func (p *passage) keysNotShown(err error) verdict {
	v := unknown(err)
	p.set(v1alpha1.ConditionKeysReady, v)
	return v
}

// tellKeys records what became of the key that the Secret showed before, and of
// those that the status does not know as revoked.
func (r *Reconciler) tellKeys(p *passage, before *jose.SigningKey, known *v1alpha1.ManagedKeysStatus) {
	ring := p.keyring
	for _, kid := range ring.revoked {
		if known == nil || !slices.Contains(known.Revoked, kid) {
			r.event(p, corev1.EventTypeWarning, v1alpha1.ReasonKeyRevoked, v1alpha1.ConditionKeysReady, fmt.Sprintf("The authorization server holds key %s no more, and has ended every grant and token of the client.", kid))
		}
	}
	if before != nil && before != ring.current {
		r.event(p, corev1.EventTypeNormal, v1alpha1.ReasonKeyRotated, v1alpha1.ConditionKeysReady, fmt.Sprintf("Secret %s shows key %s in place of key %s; the authorization server holds it.", ring.secret.Name, ring.current.KeyID(), before.KeyID()))
	}
}

// writeKeySecret writes the Secret when it does not show the keyring. The
// resource version guards it against whoever has written since it was read.
func (r *Reconciler) writeKeySecret(ctx context.Context, p *passage, ring *keyring) error {
	data, err := ring.entries(p.now)
	if err != nil {
		return err
	}
	if ring.secret != nil && ring.shows(data) {
		return nil
	}
	wanted, err := r.keySecret(p.application, ring, data)
	if err != nil {
		return err
	}
	if ring.secret == nil {
		err = r.Kube.Create(ctx, wanted, client.FieldOwner(FieldManager))
	} else {
		err = r.Kube.Update(ctx, wanted, client.FieldOwner(FieldManager))
	}
	if err != nil {
		return fmt.Errorf("show the keys in Secret %s: %w", wanted.Name, err)
	}
	ring.secret, ring.shown = wanted, ring.state()
	return nil
}

// keySecret is the Secret as it is to be. What others have added to it stays.
func (r *Reconciler) keySecret(application *v1alpha1.FAPIApplication, ring *keyring, data map[string][]byte) (*corev1.Secret, error) {
	state, err := json.Marshal(ring.state())
	if err != nil {
		return nil, err
	}
	secret := ring.secret.DeepCopy()
	if secret == nil {
		if secret, err = r.newSecretFor(application, ManagedKeySecretName(application), corev1.SecretTypeOpaque, map[string][]byte{}); err != nil {
			return nil, err
		}
	}
	maps.Copy(secret.Data, data)
	if data[v1alpha1.DecryptionJWKSEntry] == nil {
		delete(secret.Data, v1alpha1.DecryptionJWKSEntry)
	}
	annotateKeyState(secret, string(state))
	return secret, nil
}

func annotateKeyState(secret *corev1.Secret, state string) {
	if secret.Annotations == nil {
		secret.Annotations = map[string]string{}
	}
	secret.Annotations[KeyStateAnnotation] = state
}

// entries are what the Secret is to show, all of it derived from the keys.
func (k *keyring) entries(now metav1.Time) (map[string][]byte, error) {
	jwk, err := k.current.MarshalPrivate()
	if err != nil {
		return nil, err
	}
	pem, err := k.current.MarshalPrivatePEM()
	if err != nil {
		return nil, err
	}
	decryption, err := encodeDecryptionKeys(k.decryption)
	if err != nil {
		return nil, err
	}
	public, err := json.Marshal(jose.NewKeySet(k.public(now)...))
	return map[string][]byte{v1alpha1.PrivateJWKEntry: jwk, v1alpha1.PrivatePEMEntry: pem, v1alpha1.PublicJWKSEntry: public, v1alpha1.DecryptionJWKSEntry: decryption}, err
}

// shows tells whether the Secret has these entries, and says the same of its keys.
func (k *keyring) shows(entries map[string][]byte) bool {
	if !equality.Semantic.DeepEqual(k.shown, k.state()) {
		return false
	}
	for name, content := range entries {
		if !bytes.Equal(k.secret.Data[name], content) {
			return false
		}
	}
	return true
}
