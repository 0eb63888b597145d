package fapitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Forgery writes JWTs that no library should write: any header, any algorithm
// (none and RS256 included), any key.
type Forgery struct {
	// Header is the JOSE header, whole.
	Header map[string]any
	// Key signs; nil leaves the signature empty. An ECDSA key signs as ES256, an
	// Ed25519 one as EdDSA, and an RSA one as PS256 unless the header says RS256.
	Key crypto.Signer
	// Corrupt turns a bit of the signature.
	Corrupt bool
	// Parts is how many parts of the compact serialization are sent; 0 means all three.
	Parts int
}

// Sign writes the JWT.
func (f Forgery) Sign(claims Claims) (string, error) {
	header, err := json.Marshal(f.Header)
	if err != nil {
		return "", fmt.Errorf("encode the header: %w", err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode the claims: %w", err)
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	if f.Parts == 2 {
		return input, nil
	}
	signature, err := f.signature([]byte(input))
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	if f.Corrupt {
		signature[len(signature)/2] ^= 1
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (f Forgery) signature(input []byte) ([]byte, error) {
	digest := sha256.Sum256(input)
	switch key := f.Key.(type) {
	case nil:
		return nil, nil
	case ed25519.PrivateKey:
		return ed25519.Sign(key, input), nil
	case *rsa.PrivateKey:
		if f.Header["alg"] == "RS256" {
			return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
		}
		return rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			return nil, err
		}
		joined := make([]byte, 64)
		r.FillBytes(joined[:32])
		s.FillBytes(joined[32:])
		return joined, nil
	}
	return nil, fmt.Errorf("no signature for a key of type %T", f.Key)
}
