package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// keyring is every managed key of an application: the one that its Secret shows,
// those that it showed before and that are still registered, and the one that
// waits for its registration. The two Secrets are all that is remembered of it,
// so that it survives the operator, and a status that is lost.
type keyring struct {
	secret *corev1.Secret // the one that the application mounts; nil: there is none
	staged *corev1.Secret // the one that holds the next key; nil: there is none

	current *jose.SigningKey
	next    *jose.SigningKey
	former  []formerKey

	decryption     []decryptionKey // the newest first
	nextDecryption []decryptionKey // beside next, without their times

	created metav1.Time // since when the Secret shows the current key
	rotated string      // the value of v1alpha1.RotateKeyAnnotation that was acted on
	revoked []string    // kid of keys that somebody else may have
	shown   keyState    // what the Secret says of its keys
}

// formerKey is a key that another one has replaced.
type formerKey struct {
	public jose.PublicKey
	until  metav1.Time // when it leaves the registration
}

// keyState is what the Secret says of its keys beside the keys themselves.
type keyState struct {
	Created    metav1.Time              `json:"created"`
	Former     []v1alpha1.FormerKey     `json:"former,omitempty"`
	Decryption []v1alpha1.DecryptionKey `json:"decryption,omitempty"`
	RotateKey  string                   `json:"rotateKey,omitempty"`
	Revoked    []string                 `json:"revoked,omitempty"`
}

// open reads the Secret that the application mounts. One without a state is of a
// key that has never been replaced.
func (k *keyring) open() (err error) {
	if k.current, err = jose.ParsePrivateSigningKey(k.secret.Data[v1alpha1.PrivateJWKEntry]); err != nil {
		return err
	}
	state := keyState{Created: k.secret.CreationTimestamp}
	if stated := k.secret.Annotations[KeyStateAnnotation]; stated != "" {
		if err := json.Unmarshal([]byte(stated), &state); err != nil {
			return fmt.Errorf("annotation %s is not what the operator wrote", KeyStateAnnotation)
		}
	}
	k.created, k.rotated, k.revoked, k.shown = state.Created, state.RotateKey, state.Revoked, state
	if err := k.openFormer(state.Former); err != nil {
		return err
	}
	k.decryption, err = openDecryptionKeys(k.secret.Data[v1alpha1.DecryptionJWKSEntry], state.Decryption)
	return err
}

// openNext reads the Secret in which the next keys wait. One that cannot be read
// was never shown, and makes room for another.
func (k *keyring) openNext() {
	next, err := jose.ParsePrivateSigningKey(k.staged.Data[v1alpha1.PrivateJWKEntry])
	if err != nil {
		return
	}
	decryption, err := parseDecryptionKeys(k.staged.Data[v1alpha1.DecryptionJWKSEntry])
	if err == nil {
		k.next, k.nextDecryption = next, decryption
	}
}

// openFormer finds the public halves, which the Secret shows beside the current key's.
func (k *keyring) openFormer(stated []v1alpha1.FormerKey) error {
	if len(stated) == 0 {
		return nil
	}
	shown, err := jose.ParseKeySet(k.secret.Data[v1alpha1.PublicJWKSEntry])
	if err != nil {
		return fmt.Errorf("entry %s: %w", v1alpha1.PublicJWKSEntry, err)
	}
	for _, former := range stated {
		for _, public := range shown.Keys() {
			if public.KeyID() == former.KeyID {
				k.former = append(k.former, formerKey{public, former.RegisteredUntil})
			}
		}
	}
	return nil
}

// currentKeyID is empty where there is no current key.
func (k *keyring) currentKeyID() string {
	if k.current == nil {
		return ""
	}
	return k.current.KeyID()
}

// retire leaves out the keys whose overlap is over.
func (k *keyring) retire(now metav1.Time) {
	k.former = slices.DeleteFunc(k.former, func(former formerKey) bool { return isReached(now, &former.until) })
	k.decryption = slices.DeleteFunc(k.decryption, func(key decryptionKey) bool { return isReached(now, key.until) })
}

// isReached tells whether the moment is now or was before; nil is never.
func isReached(now metav1.Time, moment *metav1.Time) bool {
	return moment != nil && !now.Time.Before(moment.Time)
}

// registered are the keys that the server is to hold.
func (k *keyring) registered(now metav1.Time) *jose.KeySet {
	keys := k.public(now)
	if k.next != nil {
		keys = append(keys, k.next.Public())
	}
	sortByKeyID(keys)
	return jose.NewKeySet(keys...)
}

// public are the keys that the server holds once nothing waits.
func (k *keyring) public(now metav1.Time) []jose.PublicKey {
	keys := k.encryptedTo(now)
	if k.current != nil && !k.isRevoked(k.current.KeyID()) {
		keys = append(keys, k.current.Public())
	}
	for _, former := range k.former {
		keys = append(keys, former.public)
	}
	sortByKeyID(keys)
	return keys
}

// sortByKeyID gives an order that does not depend on which key is in use, so that
// a registration stays the same when the next key becomes the current one.
func sortByKeyID(keys []jose.PublicKey) {
	slices.SortFunc(keys, func(a, b jose.PublicKey) int { return strings.Compare(a.KeyID(), b.KeyID()) })
}

// promote puts the next key into use. The server has confirmed that it holds it.
func (k *keyring) promote(now metav1.Time, overlap time.Duration, asked string) {
	k.promoteDecryption(now, overlap)
	if k.current != nil && !k.isRevoked(k.current.KeyID()) {
		k.former = append(k.former, formerKey{k.current.Public(), metav1.NewTime(now.Add(overlap))})
	}
	k.current, k.next, k.created = k.next, nil, now
	if asked != "" {
		k.rotated = asked
	}
}

// has tells whether the key is the current one, or registered now.
func (k *keyring) has(kid string, now metav1.Time) bool {
	return k.current != nil && k.current.KeyID() == kid || slices.Contains(keyIDs(k.registered(now)), kid)
}

// revoke gives the key up: it leaves the registration without an overlap.
func (k *keyring) revoke(kid string) {
	if slices.Contains(k.revoked, kid) {
		return
	}
	k.revoked = append(k.revoked, kid)
	k.revoked = k.revoked[max(0, len(k.revoked)-fapi.MaxListEntries):]
	k.former = slices.DeleteFunc(k.former, func(former formerKey) bool { return former.public.KeyID() == kid })
}

func (k *keyring) isRevoked(kid string) bool { return slices.Contains(k.revoked, kid) }

// isCompromised tells whether a key that is in use was revoked. Whoever had it has
// read the Secret, so that all of its keys are replaced.
func (k *keyring) isCompromised() bool {
	return k.current != nil && k.isRevoked(k.current.KeyID()) ||
		slices.ContainsFunc(k.decryption, func(key decryptionKey) bool { return key.until == nil && k.isRevoked(key.id()) })
}

// isDue tells whether the time for another key has come; period 0 is never.
func (k *keyring) isDue(now metav1.Time, period time.Duration) bool {
	return isReached(now, k.nextRotation(period))
}

func (k *keyring) nextRotation(period time.Duration) *metav1.Time {
	if period == 0 {
		return nil
	}
	return new(metav1.NewTime(k.created.Add(period)))
}

// nextMoment is when time alone makes something to do; nil: never.
func (k *keyring) nextMoment(now metav1.Time, period time.Duration) *metav1.Time {
	moments := []*metav1.Time{k.nextRotation(period)}
	for i := range k.former {
		moments = append(moments, &k.former[i].until)
	}
	for i := range k.decryption {
		moments = append(moments, k.decryption[i].until)
		if from := &k.decryption[i].from; !isReached(now, from) {
			moments = append(moments, from)
		}
	}
	return earliest(moments)
}

// earliest leaves out what is nil; it is nil where nothing is left.
func earliest(moments []*metav1.Time) *metav1.Time {
	var first *metav1.Time
	for _, moment := range moments {
		if moment != nil && (first == nil || moment.Before(first)) {
			first = moment
		}
	}
	return first
}

// state is what the Secret has to say of its keys.
func (k *keyring) state() keyState {
	return keyState{Created: k.created, Former: k.formerKeys(), Decryption: k.decryptionKeys(), RotateKey: k.rotated, Revoked: k.revoked}
}

func (k *keyring) formerKeys() []v1alpha1.FormerKey {
	var keys []v1alpha1.FormerKey
	for _, former := range k.former {
		keys = append(keys, v1alpha1.FormerKey{KeyID: former.public.KeyID(), RegisteredUntil: former.until})
	}
	return keys
}

// status is what the application's status says of the keys.
func (k *keyring) status(period time.Duration) *v1alpha1.ManagedKeysStatus {
	if k.current == nil && len(k.revoked) == 0 {
		return nil
	}
	status := &v1alpha1.ManagedKeysStatus{Former: k.formerKeys(), Decryption: k.decryptionKeys(), RotateKey: k.rotated, Revoked: slices.Clone(k.revoked)}
	if k.current != nil {
		status.KeyID, status.Algorithm = k.current.KeyID(), string(k.current.Algorithm())
		status.Created, status.NextRotation = &k.created, k.nextRotation(period)
	}
	return status
}
