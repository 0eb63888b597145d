package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Open loads the server's keys, and first makes those that are missing: one for
// each algorithm of package jose, to sign with and to decrypt with. A new key is
// in the store before it is used.
//
// Replicas that start at once agree, because a key's identifier is its place
// (its use, algorithm and number): the store keeps the first key of a place, and
// the others are thrown away unused.
func Open(ctx context.Context, kept store.ServerKeys, keyEncryptionKeys KeyEncryptionKeys, now time.Time) (*Ring, error) {
	ring, err := open(ctx, kept, keyEncryptionKeys, now)
	if err != nil {
		return nil, fmt.Errorf("open the server's keys: %w", err)
	}
	return ring, nil
}

func open(ctx context.Context, kept store.ServerKeys, keyEncryptionKeys KeyEncryptionKeys, now time.Time) (*Ring, error) {
	rows, err := kept.ServerKeys(ctx)
	if err != nil {
		return nil, err
	}
	// Before anything is made: a wrong key encryption key must not seal new keys beside the old.
	ring, err := newRing(rows, keyEncryptionKeys)
	if err != nil {
		return nil, err
	}
	missing := missingPlaces(rows)
	if len(missing) == 0 {
		return ring, nil
	}
	for _, place := range missing {
		if err := place.fill(ctx, kept, keyEncryptionKeys, now); err != nil {
			return nil, err
		}
	}
	if rows, err = kept.ServerKeys(ctx); err != nil {
		return nil, err
	}
	return newRing(rows, keyEncryptionKeys)
}

// place is where a key belongs: its use and algorithm, and how to make one.
type place struct {
	use, algorithm string
	generate       func() (privateKey, error)
}

// privateKey is a jose.SigningKey or a jose.DecryptionKey.
type privateKey interface{ MarshalPrivate() ([]byte, error) }

func missingPlaces(rows []store.ServerKey) []place {
	return slices.DeleteFunc(places(), func(p place) bool {
		return slices.ContainsFunc(rows, func(row store.ServerKey) bool {
			return row.Use == p.use && row.Algorithm == p.algorithm
		})
	})
}

// places has a key for each algorithm, none serving two (NIST SP 800-57 Part 1, 5.2).
func places() []place {
	var all []place
	for _, alg := range jose.SignatureAlgorithms() {
		all = append(all, place{useSignature, string(alg), func() (privateKey, error) { return jose.GenerateSigningKey(alg) }})
	}
	for _, alg := range jose.KeyManagementAlgorithms() {
		all = append(all, place{useEncryption, string(alg), func() (privateKey, error) { return jose.GenerateDecryptionKey(alg) }})
	}
	return all
}

// fill makes the first key of a place, unless another replica was faster.
func (p place) fill(ctx context.Context, kept store.ServerKeys, keyEncryptionKeys KeyEncryptionKeys, now time.Time) error {
	row := store.ServerKey{ID: p.use + "/" + p.algorithm + "/1", Use: p.use, Algorithm: p.algorithm, CreatedAt: now}
	key, err := p.generate()
	if err != nil {
		return err
	}
	privateJWK, err := key.MarshalPrivate()
	if err != nil {
		return fmt.Errorf("make server key %s: %w", row.ID, err)
	}
	if row.Sealed, err = keyEncryptionKeys.seal(row, privateJWK); err != nil {
		return fmt.Errorf("seal server key %s: %w", row.ID, err)
	}
	if err := kept.AddServerKey(ctx, row); err != nil && !errors.Is(err, store.ErrAlreadyExists) {
		return err
	}
	return nil
}
