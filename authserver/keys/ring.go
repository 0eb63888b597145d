package keys

import (
	"fmt"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// The uses of a key (RFC 7517, 4.2).
const (
	useSignature  = "sig"
	useEncryption = "enc"
)

// Ring is the server's keys at one time. It never changes, so it is safe for
// concurrent use, and a later one can take its place at once.
type Ring struct {
	signers        map[jose.SignatureAlgorithm]*jose.SigningKey
	decryptionKeys []*jose.DecryptionKey
	publicKeys     []jose.PublicKey
}

// Signer gives the key that signs with the algorithm; nil when the algorithm is
// none of jose.SignatureAlgorithms.
func (r *Ring) Signer(alg jose.SignatureAlgorithm) *jose.SigningKey { return r.signers[alg] }

// PublicKeys is the set to publish: every key, with kid, use and alg.
func (r *Ring) PublicKeys() *jose.KeySet { return jose.NewKeySet(r.publicKeys...) }

// DecryptionKeys are the keys that clients may have encrypted to.
func (r *Ring) DecryptionKeys() []*jose.DecryptionKey { return slices.Clone(r.decryptionKeys) }

func newRing(rows []store.ServerKey, keyEncryptionKeys KeyEncryptionKeys) (*Ring, error) {
	r := &Ring{signers: map[jose.SignatureAlgorithm]*jose.SigningKey{}}
	for _, row := range rows {
		if err := r.add(row, keyEncryptionKeys); err != nil {
			return nil, fmt.Errorf("open server key %s: %w", row.ID, err)
		}
	}
	return r, nil
}

func (r *Ring) add(row store.ServerKey, keyEncryptionKeys KeyEncryptionKeys) error {
	privateJWK, err := keyEncryptionKeys.open(row)
	if err != nil {
		return err
	}
	switch row.Use {
	case useSignature:
		return r.addSigningKey(row, privateJWK)
	case useEncryption:
		return r.addDecryptionKey(row, privateJWK)
	}
	return fmt.Errorf("its use %q is not known to this version of the server", row.Use)
}

// addSigningKey keeps the oldest key of each algorithm as its signer: the one
// that every replica publishes already.
func (r *Ring) addSigningKey(row store.ServerKey, privateJWK []byte) error {
	key, err := jose.ParsePrivateSigningKey(privateJWK)
	if err != nil {
		return err
	}
	if string(key.Algorithm()) != row.Algorithm {
		return ErrMisplaced
	}
	if r.signers[key.Algorithm()] == nil {
		r.signers[key.Algorithm()] = key
	}
	r.publicKeys = append(r.publicKeys, key.Public())
	return nil
}

func (r *Ring) addDecryptionKey(row store.ServerKey, privateJWK []byte) error {
	key, err := jose.ParsePrivateDecryptionKey(privateJWK)
	if err != nil {
		return err
	}
	if key.Public().Algorithm() != row.Algorithm {
		return ErrMisplaced
	}
	r.decryptionKeys = append(r.decryptionKeys, key)
	r.publicKeys = append(r.publicKeys, key.Public())
	return nil
}
