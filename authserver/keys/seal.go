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

// kind is what is sealed. It is the version of the sealed form, so that a program
// which does not know a kind says so.
type kind int

const (
	sealsPrivateJWK kind = 1
	sealsReference  kind = 2
)

// seal is what a sealed key says openly of itself. All of it is authenticated
// with the ciphertext.
type seal struct {
	Kind             kind   `json:"v"`
	KeyEncryptionKey string `json:"kek"`
	ID               string `json:"id"`
	Use              string `json:"use"`
	Algorithm        string `json:"alg"`
}

// sealed is a key as it is kept: AES-256-GCM, the nonce in front.
type sealed struct {
	seal
	Ciphertext []byte `json:"ciphertext"`
}

// seal encrypts content of a kind for the row's id, use and algorithm.
func (k KeyEncryptionKeys) seal(row store.ServerKey, kind kind, content []byte) ([]byte, error) {
	if len(k.keys) == 0 {
		return nil, errors.New("there is no key encryption key")
	}
	key := k.keys[0]
	header := seal{kind, key.id, row.ID, row.Use, row.Algorithm}
	additional, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	return json.Marshal(sealed{header, key.aead.Seal(nil, nil, content, additional)})
}

// open decrypts what a row holds. Errors: ErrUnknownKeyEncryptionKey,
// ErrMisplaced, ErrTampered.
func (k KeyEncryptionKeys) open(row store.ServerKey) (kind, []byte, error) {
	var kept sealed
	if err := json.Unmarshal(row.Sealed, &kept); err != nil {
		return 0, nil, ErrTampered
	}
	if kept.Kind != sealsPrivateJWK && kept.Kind != sealsReference {
		return 0, nil, fmt.Errorf("sealed form %d, known are %d and %d: a newer version of the server wrote it", kept.Kind, sealsPrivateJWK, sealsReference)
	}
	if kept.ID != row.ID || kept.Use != row.Use || kept.Algorithm != row.Algorithm {
		return 0, nil, ErrMisplaced
	}
	key, known := k.byID(kept.KeyEncryptionKey)
	if !known {
		return 0, nil, ErrUnknownKeyEncryptionKey
	}
	additional, err := json.Marshal(kept.seal)
	if err != nil {
		return 0, nil, err
	}
	content, err := key.aead.Open(nil, nil, kept.Ciphertext, additional)
	if err != nil {
		return 0, nil, ErrTampered
	}
	return kept.Kind, content, nil
}

// kindOf reads what a row says that it holds; zero when it cannot be read.
func kindOf(row store.ServerKey) kind {
	var kept sealed
	if err := json.Unmarshal(row.Sealed, &kept); err != nil {
		return 0
	}
	return kept.Kind
}
