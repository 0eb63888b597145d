package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"

	gojose "github.com/go-jose/go-jose/v4"
)

// opaqueSigner lets go-jose sign with a crypto.Signer. go-jose's own adapter leaves the PSS salt at its greatest
// length, where RFC 7518, 3.5 demands the length of the hash.
type opaqueSigner struct {
	algorithm SignatureAlgorithm
	signer    crypto.Signer
	public    *gojose.JSONWebKey
}

// Public implements go-jose's OpaqueSigner: the key of an embedded jwk header.
func (s opaqueSigner) Public() *gojose.JSONWebKey { return s.public }

// Algs implements go-jose's OpaqueSigner.
func (s opaqueSigner) Algs() []gojose.SignatureAlgorithm {
	return []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(s.algorithm)}
}

// SignPayload implements go-jose's OpaqueSigner.
func (s opaqueSigner) SignPayload(payload []byte, _ gojose.SignatureAlgorithm) ([]byte, error) {
	digest := sha256.Sum256(payload)
	switch s.algorithm {
	case PS256:
		return s.signer.Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case ES256:
		signature, err := s.signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return joinES256(signature)
	case EdDSA:
		return s.signer.Sign(rand.Reader, payload, crypto.Hash(0))
	}
	return nil, ErrAlgorithm
}

// joinES256 turns an ASN.1 signature into the two numbers of 32 octets each of RFC 7518, 3.4.
func joinES256(signature []byte) ([]byte, error) {
	const octets = 32
	var numbers struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signature, &numbers); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("the signer's ECDSA signature is not ASN.1")
	}
	if numbers.R.Sign() <= 0 || numbers.S.Sign() <= 0 || numbers.R.BitLen() > 8*octets || numbers.S.BitLen() > 8*octets {
		return nil, fmt.Errorf("the signer's ECDSA signature is out of range")
	}
	joined := make([]byte, 2*octets)
	numbers.R.FillBytes(joined[:octets])
	numbers.S.FillBytes(joined[octets:])
	return joined, nil
}
