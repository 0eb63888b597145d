//go:build pkcs11

package pkcs11

import (
	"crypto"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/miekg/pkcs11"
)

// signer signs with a key in the token. It implements crypto.Signer for SHA-256,
// and for Ed25519 without a hash.
type signer struct {
	token   *token
	id      []byte
	keyType *keyType
	public  crypto.PublicKey
}

// Public implements crypto.Signer.
func (k *signer) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer.
func (k *signer) Sign(_ io.Reader, input []byte, options crypto.SignerOpts) (signature []byte, err error) {
	mechanism, err := k.mechanism(options)
	if err != nil {
		return nil, err
	}
	err = k.token.use(func(s session) error {
		signature, err = s.sign(k.id, mechanism, input)
		return err
	})
	if err != nil {
		return nil, k.token.failed(fmt.Sprintf("sign with the key %x", k.id), err)
	}
	if k.keyType.signature == pkcs11.CKM_ECDSA {
		return inASN1(signature)
	}
	return signature, nil
}

var errOptions = errors.New("the key signs SHA-256 digests (RSA with PSS, and a salt as long as the digest), or messages with Ed25519")

func (k *signer) mechanism(options crypto.SignerOpts) (*pkcs11.Mechanism, error) {
	switch k.keyType.signature {
	case pkcs11.CKM_RSA_PKCS_PSS:
		pss, isPSS := options.(*rsa.PSSOptions)
		if !isPSS || pss.Hash != crypto.SHA256 || (pss.SaltLength != rsa.PSSSaltLengthEqualsHash && pss.SaltLength != crypto.SHA256.Size()) {
			return nil, errOptions
		}
		parameters := pkcs11.NewPSSParams(pkcs11.CKM_SHA256, pkcs11.CKG_MGF1_SHA256, uint(crypto.SHA256.Size()))
		return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_PSS, parameters), nil
	case pkcs11.CKM_ECDSA:
		if options.HashFunc() != crypto.SHA256 {
			return nil, errOptions
		}
	case ckmEdDSA:
		if options.HashFunc() != crypto.Hash(0) {
			return nil, errOptions
		}
	}
	return pkcs11.NewMechanism(k.keyType.signature, nil), nil
}

// sign looks for the key once more where its handle is of no use any more.
func (s session) sign(id []byte, mechanism *pkcs11.Mechanism, input []byte) ([]byte, error) {
	signature, err := s.trySign(id, mechanism, input)
	if isGone(err) {
		s.handles.Delete(string(id))
		return s.trySign(id, mechanism, input)
	}
	return signature, err
}

func (s session) trySign(id []byte, mechanism *pkcs11.Mechanism, input []byte) ([]byte, error) {
	key, err := s.privateKey(id)
	if err != nil {
		return nil, err
	}
	if err := s.module.SignInit(s.handle, []*pkcs11.Mechanism{mechanism}, key); err != nil {
		return nil, err
	}
	return s.module.Sign(s.handle, input)
}

// inASN1 writes the two numbers of a token's ECDSA signature, one half each
// (PKCS #11, CKM_ECDSA), as crypto.Signer has them.
func inASN1(signature []byte) ([]byte, error) {
	half := len(signature) / 2
	if half == 0 || len(signature)%2 != 0 {
		return nil, errors.New("the token's ECDSA signature is no pair of numbers")
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])})
}
