package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"
)

// generatedRSABits is the size of the RSA keys that are made here: FAPI 2.0's least, since PS256 keys rotate and their
// cost is felt. Our own choice.
const generatedRSABits = 2048

// SigningKey signs JWTs with one algorithm. The private part stays behind a crypto.Signer, so that it may live in a
// key management service. It is safe for concurrent use when its signer is.
type SigningKey struct {
	algorithm SignatureAlgorithm
	signer    crypto.Signer
	public    PublicKey
	opaque    opaqueSigner
}

// GenerateSigningKey makes a new key (P-256, Ed25519, or RSA of 2048 bits) whose kid is its RFC 7638 thumbprint.
func GenerateSigningKey(alg SignatureAlgorithm) (*SigningKey, error) {
	signer, err := generateSigner(alg)
	if err != nil {
		return nil, fmt.Errorf("generate signing key: %w", err)
	}
	return NewSigningKey(signer, alg, "")
}

func generateSigner(alg SignatureAlgorithm) (crypto.Signer, error) {
	switch alg {
	case PS256:
		return rsa.GenerateKey(rand.Reader, generatedRSABits)
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return nil, fmt.Errorf("%w: use one of %q", ErrAlgorithm, SignatureAlgorithms())
}

// NewSigningKey wraps a signer. An empty keyID stands for the key's RFC 7638 thumbprint.
// Errors: ErrAlgorithm, and ErrUnsupportedKey when the signer's key does not fit alg or is too small.
func NewSigningKey(signer crypto.Signer, alg SignatureAlgorithm, keyID string) (*SigningKey, error) {
	if _, known := ParseSignatureAlgorithm(string(alg)); !known {
		return nil, fmt.Errorf("signing key: %w: use one of %q", ErrAlgorithm, SignatureAlgorithms())
	}
	public, err := publicHalf(signer.Public(), keyID, useSignature, string(alg))
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	if !public.CanVerify(alg) {
		return nil, fmt.Errorf("signing key: %w: the key does not fit %s", ErrUnsupportedKey, alg)
	}
	opaque := opaqueSigner{algorithm: alg, signer: signer, public: &gojose.JSONWebKey{Key: public.jwk.Key}}
	return &SigningKey{algorithm: alg, signer: signer, public: public, opaque: opaque}, nil
}

// publicHalf makes the JWK under which a key of ours is published.
func publicHalf(key crypto.PublicKey, keyID, use, alg string) (PublicKey, error) {
	jwk := gojose.JSONWebKey{Key: key, KeyID: keyID, Use: use, Algorithm: alg}
	public, err := newPublicKey(jwk, nil)
	if err != nil || keyID != "" {
		return public, err
	}
	jwk.KeyID = public.Thumbprint()
	return newPublicKey(jwk, nil)
}

// Public returns the key to publish, with kid, alg and use "sig".
func (k *SigningKey) Public() PublicKey { return k.public }

// Algorithm returns the one algorithm of the key.
func (k *SigningKey) Algorithm() SignatureAlgorithm { return k.algorithm }

// KeyID returns the key's kid.
func (k *SigningKey) KeyID() string { return k.public.KeyID() }

// String names the key without showing it.
func (k *SigningKey) String() string { return "signing key " + k.KeyID() }

// GoString names the key without showing it.
func (k *SigningKey) GoString() string { return k.String() }

// Sign writes a JWT in compact serialization with the headers alg, kid and, unless it is empty, typ. Claims are
// anything that encoding/json writes as an object.
func (k *SigningKey) Sign(typ string, claims any) (string, error) {
	options := (&gojose.SignerOptions{}).WithHeader("kid", k.KeyID())
	return k.sign(typ, claims, options)
}

// SignWithEmbeddedKey writes a JWT whose jwk header carries the bare public key, without kid: a DPoP proof
// (RFC 9449, 4.2).
func (k *SigningKey) SignWithEmbeddedKey(typ string, claims any) (string, error) {
	return k.sign(typ, claims, &gojose.SignerOptions{EmbedJWK: true})
}

func (k *SigningKey) sign(typ string, claims any, options *gojose.SignerOptions) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("sign JWT: write claims: %w", err)
	}
	if payload[0] != '{' {
		return "", fmt.Errorf("sign JWT: %w: claims are a JSON object", ErrMalformed)
	}
	if typ != "" {
		options.WithType(gojose.ContentType(typ))
	}
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(k.algorithm), Key: k.opaque}, options)
	if err != nil {
		return "", fmt.Errorf("sign JWT with %s: %w", k, err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign JWT with %s: %w", k, err)
	}
	return jws.CompactSerialize()
}
