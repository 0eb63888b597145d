package keys

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// safe is where the private halves of the server's keys are. Those of signing
// keys are with the custodian, where there is one, and the key's row of the store
// holds a reference. All others are in their rows. Both are sealed, so that
// whoever writes into the database can neither read a key nor put another in its
// place.
type safe struct {
	keyEncryptionKeys KeyEncryptionKeys
	// custodian is nil where all keys are in the store.
	custodian Custodian
	// inStore are algorithms whose new signing keys are kept in the store all the same.
	inStore []jose.SignatureAlgorithm
}

// private is the private half of a key, to be used: one of the two is set.
type private struct {
	signing    *jose.SigningKey
	decryption *jose.DecryptionKey
}

func (p private) public() jose.PublicKey {
	if p.signing != nil {
		return p.signing.Public()
	}
	return p.decryption.Public()
}

// reference is what the row of a key in custody holds.
type reference struct {
	Custodian string `json:"custodian"`
	Key       string `json:"key"`
	// Thumbprint is that of the public key that must be found (RFC 7638).
	Thumbprint string `json:"jkt"`
}

// check refuses a custodian that cannot make the keys that it is to keep.
func (s safe) check() error {
	for _, alg := range jose.SignatureAlgorithms() {
		if s.takesIntoCustody(place{useSignature, string(alg)}) && !s.custodian.Makes(alg) {
			return fmt.Errorf("%s makes no keys for %s; use one that does, or have the keys of %[2]s kept in the store (keys.pkcs11.algorithmsInStore)", s.custodian.Name(), alg)
		}
	}
	return nil
}

// takesIntoCustody tells where a new key of the place goes.
func (s safe) takesIntoCustody(p place) bool {
	return s.custodian != nil && p.use == useSignature && !slices.Contains(s.inStore, jose.SignatureAlgorithm(p.algorithm))
}

// fill makes the row's key, and seals into the row what it holds of it.
func (s safe) fill(ctx context.Context, row *store.ServerKey) error {
	if s.takesIntoCustody(placeOf(*row)) {
		return s.fillWithReference(ctx, row)
	}
	privateJWK, err := placeOf(*row).generate()
	if err != nil {
		return fmt.Errorf("make server key %s: %w", row.ID, err)
	}
	if row.Sealed, err = s.keyEncryptionKeys.seal(*row, sealsPrivateJWK, privateJWK); err != nil {
		return fmt.Errorf("seal server key %s: %w", row.ID, err)
	}
	return nil
}

// fillWithReference has the custodian make the key; one that does not get as far
// as a row is destroyed.
func (s safe) fillWithReference(ctx context.Context, row *store.ServerKey) error {
	id, signer, err := s.custodian.Make(ctx, jose.SignatureAlgorithm(row.Algorithm), row.ID)
	if err != nil {
		return fmt.Errorf("make server key %s in %s: %w", row.ID, s.custodian.Name(), err)
	}
	if err := s.sealReference(row, id, signer); err != nil {
		return errors.Join(fmt.Errorf("seal server key %s of %s: %w", row.ID, s.custodian.Name(), err), s.custodian.Destroy(ctx, id))
	}
	return nil
}

func (s safe) sealReference(row *store.ServerKey, id string, signer crypto.Signer) error {
	key, err := jose.NewSigningKey(signer, jose.SignatureAlgorithm(row.Algorithm), "")
	if err != nil {
		return err
	}
	if err := prove(key); err != nil {
		return err
	}
	content, err := json.Marshal(reference{s.custodian.Name(), id, key.Public().Thumbprint()})
	if err != nil {
		return err
	}
	row.Sealed, err = s.keyEncryptionKeys.seal(*row, sealsReference, content)
	return err
}

// open opens a row's key, wherever its private half is.
func (s safe) open(ctx context.Context, row store.ServerKey) (private, error) {
	kind, content, err := s.keyEncryptionKeys.open(row)
	if err != nil {
		return private{}, err
	}
	var key private
	switch {
	case kind == sealsReference && row.Use == useSignature:
		key.signing, err = s.find(ctx, row, content)
	case kind == sealsPrivateJWK && row.Use == useSignature:
		key.signing, err = jose.ParsePrivateSigningKey(content)
	case kind == sealsPrivateJWK && row.Use == useEncryption:
		key.decryption, err = jose.ParsePrivateDecryptionKey(content)
	default:
		err = fmt.Errorf("its use %q is not known to this version of the server", row.Use)
	}
	if err != nil {
		return private{}, err
	}
	if key.public().Algorithm() != row.Algorithm {
		return private{}, ErrMisplaced
	}
	return key, nil
}

// find finds a key in custody, and sees that it is the one that was made, and signs.
func (s safe) find(ctx context.Context, row store.ServerKey, content []byte) (*jose.SigningKey, error) {
	made, err := s.readReference(content)
	if err != nil {
		return nil, err
	}
	alg := jose.SignatureAlgorithm(row.Algorithm)
	signer, err := s.custodian.Find(ctx, alg, made.Key)
	if err != nil {
		return nil, err
	}
	key, err := jose.NewSigningKey(signer, alg, "")
	if err != nil {
		return nil, err
	}
	if key.Public().Thumbprint() != made.Thumbprint {
		return nil, ErrAnotherKey
	}
	return key, prove(key)
}

// readReference gives only references to keys of this custodian.
func (s safe) readReference(content []byte) (reference, error) {
	var made reference
	if err := json.Unmarshal(content, &made); err != nil {
		return reference{}, ErrTampered
	}
	if s.custodian == nil || s.custodian.Name() != made.Custodian {
		return reference{}, fmt.Errorf("%s: %w", made.Custodian, ErrNoCustodian)
	}
	return made, nil
}

// prove has a key sign something, because the public half of a key in custody
// does not show that the private half is there and belongs to it.
func prove(key *jose.SigningKey) error {
	token, err := key.Sign("custody-proof+jwt", struct{}{})
	if err != nil {
		return err
	}
	unverified, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{key.Algorithm()})
	if err != nil {
		return err
	}
	if _, err := unverified.Verify(jose.NewKeySet(key.Public())); err != nil {
		return fmt.Errorf("%w: what it signs does not verify with its public key: %w", ErrAnotherKey, err)
	}
	return nil
}

// destroy ends a private half that is with the custodian. What is in a row is gone
// with the row.
func (s safe) destroy(ctx context.Context, row store.ServerKey) error {
	if kindOf(row) != sealsReference {
		return nil
	}
	_, content, err := s.keyEncryptionKeys.open(row)
	if err != nil {
		return err
	}
	made, err := s.readReference(content)
	if err != nil {
		return err
	}
	return s.custodian.Destroy(ctx, made.Key)
}

// lister is a store of which only the keys' rows are read.
type lister interface {
	ServerKeys(ctx context.Context) ([]store.ServerKey, error)
}

// orphans are the keys in custody that no row of the store refers to: a process
// was killed between the two, or the store was restored from a backup.
func (s safe) orphans(ctx context.Context, kept lister) ([]string, error) {
	if s.custodian == nil {
		return nil, nil
	}
	// Before the rows: a key that is made meanwhile is none.
	ids, err := s.custodian.List(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := kept.ServerKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if kindOf(row) != sealsReference {
			continue
		}
		_, content, err := s.keyEncryptionKeys.open(row)
		if err != nil {
			return nil, fmt.Errorf("open server key %s: %w", row.ID, err)
		}
		if made, err := s.readReference(content); err == nil {
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == made.Key })
		}
	}
	return ids, nil
}
