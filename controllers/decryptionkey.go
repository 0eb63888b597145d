package controllers

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// decryptionKey is a private key that responses are encrypted to. It changes the
// other way round than a signing key: the application must have it before the
// server encrypts to it. So the Secret shows it an overlap before it is registered
// in place of the former one, and the former one an overlap longer.
type decryptionKey struct {
	private *jose.DecryptionKey
	from    metav1.Time  // since when it is registered
	until   *metav1.Time // when it leaves the Secret; nil: when another one takes its place
}

func (k decryptionKey) id() string        { return k.private.KeyID() }
func (k decryptionKey) algorithm() string { return k.private.Public().Algorithm() }

func generateDecryptionKeys(algorithms []string) ([]decryptionKey, error) {
	var keys []decryptionKey
	for _, algorithm := range algorithms {
		private, err := jose.GenerateDecryptionKey(jose.KeyManagementAlgorithm(algorithm))
		if err != nil {
			return nil, err
		}
		keys = append(keys, decryptionKey{private: private})
	}
	return keys, nil
}

// begin gives keys the moment at which they are registered.
func begin(keys []decryptionKey, from metav1.Time) []decryptionKey {
	begun := slices.Clone(keys)
	for i := range begun {
		begun[i].from = from
	}
	return begun
}

// encryptedTo are the public halves that the server is to encrypt to: for each
// algorithm the one that was last to begin, so that it has no choice.
func (k *keyring) encryptedTo(now metav1.Time) []jose.PublicKey {
	keys := k.decryption
	if k.current == nil || k.isCompromised() {
		keys = slices.Concat(begin(k.nextDecryption, now), keys)
	}
	chosen := map[string]decryptionKey{}
	for _, key := range keys {
		best, known := chosen[key.algorithm()]
		if !k.isRevoked(key.id()) && (!known || isRather(key, best, now)) {
			chosen[key.algorithm()] = key
		}
	}
	var public []jose.PublicKey
	for _, key := range chosen {
		public = append(public, key.private.Public())
	}
	return public
}

// isRather prefers, of keys that have begun, the latest, and of others the earliest;
// of two with the same moment neither, so that the newer one stays, which comes first.
func isRather(key, other decryptionKey, now metav1.Time) bool {
	switch begun := isReached(now, &key.from); {
	case begun != isReached(now, &other.from):
		return begun
	case begun:
		return other.from.Before(&key.from)
	default:
		return key.from.Before(&other.from)
	}
}

// promoteDecryption shows the next decryption keys. They take the place of the
// others when applications have had the overlap to read them: at once only where
// nobody uses the others, or nobody must.
func (k *keyring) promoteDecryption(now metav1.Time, overlap time.Duration) {
	from := metav1.NewTime(now.Add(overlap))
	if k.current == nil || k.isCompromised() {
		from = now
	}
	k.supersede(func(decryptionKey) bool { return true }, metav1.NewTime(from.Add(overlap)))
	k.decryption = append(begin(k.nextDecryption, from), k.decryption...)
	k.nextDecryption = nil
}

// supersede says until when keys are kept that go.
func (k *keyring) supersede(goes func(decryptionKey) bool, until metav1.Time) {
	for i := range k.decryption {
		if k.decryption[i].until == nil && goes(k.decryption[i]) {
			k.decryption[i].until = new(until)
		}
	}
}

// lacks lists the algorithms for which there is no decryption key that stays.
func (k *keyring) lacks(algorithms []string) []string {
	return slices.DeleteFunc(slices.Clone(algorithms), func(algorithm string) bool {
		return slices.ContainsFunc(k.decryption, func(key decryptionKey) bool {
			return key.until == nil && key.algorithm() == algorithm
		})
	})
}

// nextFits tells whether the next decryption keys are for these algorithms, sorted.
func (k *keyring) nextFits(algorithms []string) bool {
	var made []string
	for _, key := range k.nextDecryption {
		made = append(made, key.algorithm())
	}
	slices.Sort(made)
	return slices.Equal(made, algorithms)
}

func (k *keyring) decryptionKeys() []v1alpha1.DecryptionKey {
	var keys []v1alpha1.DecryptionKey
	for _, key := range k.decryption {
		keys = append(keys, v1alpha1.DecryptionKey{KeyID: key.id(), Algorithm: key.algorithm(), RegisteredFrom: key.from, KeptUntil: key.until})
	}
	return keys
}

// privateKeySet is a JWK Set of private keys, as an application reads it.
type privateKeySet struct {
	Keys []json.RawMessage `json:"keys"`
}

// encodeDecryptionKeys gives nil where there is none.
func encodeDecryptionKeys(keys []decryptionKey) ([]byte, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	var set privateKeySet
	for _, key := range keys {
		jwk, err := key.private.MarshalPrivate()
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jwk)
	}
	return json.Marshal(set)
}

// parseDecryptionKeys reads what encodeDecryptionKeys wrote.
func parseDecryptionKeys(raw []byte) ([]decryptionKey, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var set privateKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("entry %s is no JWK Set", v1alpha1.DecryptionJWKSEntry)
	}
	var keys []decryptionKey
	for _, jwk := range set.Keys {
		private, err := jose.ParsePrivateDecryptionKey(jwk)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", v1alpha1.DecryptionJWKSEntry, err)
		}
		keys = append(keys, decryptionKey{private: private})
	}
	return keys, nil
}

// openDecryptionKeys gives each key the times that the state has for it. A key
// without them is none of the operator's, and is left out.
func openDecryptionKeys(raw []byte, states []v1alpha1.DecryptionKey) ([]decryptionKey, error) {
	parsed, err := parseDecryptionKeys(raw)
	var keys []decryptionKey
	for _, key := range parsed {
		known := slices.IndexFunc(states, func(state v1alpha1.DecryptionKey) bool { return state.KeyID == key.id() })
		if known >= 0 {
			keys = append(keys, decryptionKey{key.private, states[known].RegisteredFrom, states[known].KeptUntil})
		}
	}
	return keys, err
}
