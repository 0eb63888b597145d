package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"
)

// DecryptionKey is a private key that content is encrypted to. It is safe for concurrent use.
type DecryptionKey struct {
	private gojose.JSONWebKey
	public  PublicKey
}

// GenerateDecryptionKey makes a new key (P-256, or RSA of 2048 bits) for one algorithm; its kid is its RFC 7638
// thumbprint.
func GenerateDecryptionKey(alg KeyManagementAlgorithm) (*DecryptionKey, error) {
	private, err := generateForKeyType(alg.keyType())
	if err != nil {
		return nil, fmt.Errorf("generate decryption key: %w", err)
	}
	return newDecryptionKey(gojose.JSONWebKey{Key: private, Algorithm: string(alg)})
}

func generateForKeyType(keyType string) (crypto.PrivateKey, error) {
	switch keyType {
	case keyTypeRSA:
		return rsa.GenerateKey(rand.Reader, generatedRSABits)
	case keyTypeEC:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, fmt.Errorf("%w: use one of %q", ErrAlgorithm, KeyManagementAlgorithms())
}

// ParsePrivateDecryptionKey reads a private JWK of type RSA or EC, as MarshalPrivate writes it. Without alg it serves
// every algorithm of its type. Its errors quote nothing of it.
// Errors: ErrMalformed, ErrUnsupportedKey.
func ParsePrivateDecryptionKey(raw []byte) (*DecryptionKey, error) {
	jwk, err := parsePrivateJWK(raw)
	if err != nil {
		return nil, fmt.Errorf("private decryption key: %w", err)
	}
	return newDecryptionKey(jwk)
}

func newDecryptionKey(jwk gojose.JSONWebKey) (*DecryptionKey, error) {
	if jwk.Use != "" && jwk.Use != useEncryption {
		return nil, fmt.Errorf("private decryption key: %w: its use is not %q", ErrUnsupportedKey, useEncryption)
	}
	public, err := publicHalf(jwk.Public().Key, jwk.KeyID, useEncryption, jwk.Algorithm)
	if err != nil {
		return nil, fmt.Errorf("private decryption key: %w", err)
	}
	key := &DecryptionKey{private: jwk, public: public}
	for _, alg := range KeyManagementAlgorithms() {
		if public.CanEncrypt(alg) {
			return key, nil
		}
	}
	return nil, fmt.Errorf("private decryption key: %w: it fits none of %q", ErrUnsupportedKey, KeyManagementAlgorithms())
}

// Public returns the key to publish, with kid, alg and use "enc".
func (k *DecryptionKey) Public() PublicKey { return k.public }

// KeyID returns the key's kid.
func (k *DecryptionKey) KeyID() string { return k.public.KeyID() }

// MarshalPrivate writes the private JWK for encrypted storage.
func (k *DecryptionKey) MarshalPrivate() ([]byte, error) {
	jwk := k.public.jwk
	jwk.Key = k.private.Key
	return marshalPrivate(jwk)
}

// String names the key without showing it.
func (k *DecryptionKey) String() string { return "decryption key " + k.KeyID() }

// GoString names the key without showing it.
func (k *DecryptionKey) GoString() string { return k.String() }
