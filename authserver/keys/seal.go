package keys

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Why a sealed key does not open.
var (
	// ErrUnknownKeyEncryptionKey: none of the given keys sealed it.
	ErrUnknownKeyEncryptionKey = errors.New("sealed under a key encryption key that is not in the file; put that key back into the file, after the first line")
	// ErrMisplaced: the sealed key belongs to another row of the store.
	ErrMisplaced = errors.New("the row holds another row's sealed key; restore the store from a backup")
	// ErrTampered: the sealed key was changed after it was sealed.
	ErrTampered = errors.New("the sealed key was changed or damaged; restore the store from a backup")
)

// sealVersion is the version of the sealed form.
const sealVersion = 1

// seal is what a sealed key says openly of itself. All of it is authenticated
// with the ciphertext.
type seal struct {
	Version          int    `json:"v"`
	KeyEncryptionKey string `json:"kek"`
	ID               string `json:"id"`
	Use              string `json:"use"`
	Algorithm        string `json:"alg"`
}

// sealed is a private key as it is kept: AES-256-GCM, the nonce in front.
type sealed struct {
	seal
	Ciphertext []byte `json:"ciphertext"`
}

// seal encrypts a private JWK for the row's id, use and algorithm.
func (k KeyEncryptionKeys) seal(row store.ServerKey, privateJWK []byte) ([]byte, error) {
	if len(k.keys) == 0 {
		return nil, errors.New("there is no key encryption key")
	}
	key := k.keys[0]
	header := seal{sealVersion, key.id, row.ID, row.Use, row.Algorithm}
	additional, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	return json.Marshal(sealed{header, key.aead.Seal(nil, nil, privateJWK, additional)})
}

// open decrypts a row's private JWK. Errors: ErrUnknownKeyEncryptionKey,
// ErrMisplaced, ErrTampered.
func (k KeyEncryptionKeys) open(row store.ServerKey) ([]byte, error) {
	var kept sealed
	if err := json.Unmarshal(row.Sealed, &kept); err != nil {
		return nil, ErrTampered
	}
	if kept.Version != sealVersion {
		return nil, fmt.Errorf("sealed form %d, known is %d: a newer version of the server wrote it", kept.Version, sealVersion)
	}
	if kept.ID != row.ID || kept.Use != row.Use || kept.Algorithm != row.Algorithm {
		return nil, ErrMisplaced
	}
	key, known := k.byID(kept.KeyEncryptionKey)
	if !known {
		return nil, ErrUnknownKeyEncryptionKey
	}
	additional, err := json.Marshal(kept.seal)
	if err != nil {
		return nil, err
	}
	privateJWK, err := key.aead.Open(nil, nil, kept.Ciphertext, additional)
	if err != nil {
		return nil, ErrTampered
	}
	return privateJWK, nil
}
