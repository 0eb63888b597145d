package jose

import (
	"crypto"
	"crypto/ecdsa"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"
)

// MarshalPrivate writes the private JWK for encrypted storage. It fails when the private key is not in memory.
func (k *SigningKey) MarshalPrivate() ([]byte, error) {
	jwk := k.public.jwk
	jwk.Key = k.signer
	return marshalPrivate(jwk)
}

// ParsePrivateSigningKey reads a private JWK with alg, as MarshalPrivate writes it. Its errors quote nothing of it.
// Errors: ErrMalformed, ErrAlgorithm, ErrUnsupportedKey.
func ParsePrivateSigningKey(raw []byte) (*SigningKey, error) {
	jwk, err := parsePrivateJWK(raw)
	if err != nil {
		return nil, fmt.Errorf("private signing key: %w", err)
	}
	signer, isSigner := jwk.Key.(crypto.Signer)
	if !isSigner {
		return nil, fmt.Errorf("private signing key: %w: the key does not sign", ErrUnsupportedKey)
	}
	if jwk.Use != "" && jwk.Use != useSignature {
		return nil, fmt.Errorf("private signing key: %w: its use is not %q", ErrUnsupportedKey, useSignature)
	}
	algorithm, known := signatureAlgorithmOfHeader(jwk.Algorithm)
	if !known {
		return nil, fmt.Errorf("private signing key: %w: alg is one of %q", ErrAlgorithm, SignatureAlgorithms())
	}
	return NewSigningKey(signer, algorithm, jwk.KeyID)
}

func marshalPrivate(jwk gojose.JSONWebKey) ([]byte, error) {
	raw, err := jwk.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("%w: the private key is not in memory, so it cannot be written", ErrUnsupportedKey)
	}
	return raw, nil
}

// parsePrivateJWK keeps go-jose's reasons to itself: nothing of a private key may reach a log.
func parsePrivateJWK(raw []byte) (gojose.JSONWebKey, error) {
	if _, err := readObject(raw); err != nil {
		return gojose.JSONWebKey{}, err
	}
	var jwk gojose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil || !jwk.Valid() || jwk.IsPublic() {
		return gojose.JSONWebKey{}, fmt.Errorf("%w: not a private JWK of type RSA, EC or OKP", ErrMalformed)
	}
	if private, isEC := jwk.Key.(*ecdsa.PrivateKey); isEC && !halvesMatch(private) {
		return gojose.JSONWebKey{}, fmt.Errorf("%w: the private and the public half are not one key", ErrMalformed)
	}
	return jwk, nil
}

// halvesMatch computes the public half again, which go-jose does for RSA and Ed25519 but not for EC.
func halvesMatch(key *ecdsa.PrivateKey) bool {
	raw, err := key.Bytes()
	if err != nil {
		return false
	}
	computed, err := ecdsa.ParseRawPrivateKey(key.Curve, raw)
	return err == nil && computed.PublicKey.Equal(&key.PublicKey)
}
