package keys

import (
	"context"
	"crypto"
	"errors"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// Custodian makes signing keys whose private halves leave it for nobody, this
// server included: a hardware security module, or a key management service. It
// signs with them. It is safe for concurrent use.
//
// Several replicas have the same custodian, and several servers may: what it does
// to a key, it does by the identifier that it gave the key.
type Custodian interface {
	// Name is what rows of the store call the custodian; it never changes.
	Name() string
	// Makes tells whether it can make keys of the algorithm, and sign with them.
	Makes(alg jose.SignatureAlgorithm) bool
	// Make makes a key. The label tells people which one it is.
	Make(ctx context.Context, alg jose.SignatureAlgorithm, label string) (id string, signer crypto.Signer, err error)
	// Find finds a key that Make has made, here or in another process.
	// Errors: ErrNotInCustody.
	Find(ctx context.Context, alg jose.SignatureAlgorithm, id string) (crypto.Signer, error)
	// Destroy ends a key for ever. A key that is not there is no error.
	Destroy(ctx context.Context, id string) error
	// List gives the identifiers of all keys that were made for this server.
	List(ctx context.Context) ([]string, error)
	// Ready tells whether the custodian answers.
	Ready(ctx context.Context) error
	// Close gives up what is held of it. No key can be used any more.
	Close() error
}

// Why a key that is in custody does not open.
var (
	// ErrNoCustodian: the configuration names no custodian, or another one.
	ErrNoCustodian = errors.New("its private half is with a custodian that the configuration does not name; configure that custodian (keys.pkcs11) until the key is gone")
	// ErrNotInCustody: the custodian has no such key.
	ErrNotInCustody = errors.New("the custodian does not have the key; restore its backup, or drop the key, and another one is made")
	// ErrAnotherKey: what the custodian has under the identifier is not the key that was made.
	ErrAnotherKey = errors.New("the custodian has another key in its place; restore its backup, or drop the key, and another one is made")
)
