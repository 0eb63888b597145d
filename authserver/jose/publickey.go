package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
)

// The key types that are used here (RFC 7518, 6.1; RFC 8037, 2).
const (
	keyTypeRSA = "RSA"
	keyTypeEC  = "EC"
	keyTypeOKP = "OKP"
)

// The values of "use" (RFC 7517, 4.2).
const (
	useSignature  = "sig"
	useEncryption = "enc"
)

// PublicKey is a checked public key with the metadata of its JWK (RFC 7517). It never holds private members. The zero
// value fits nothing.
type PublicKey struct {
	jwk        gojose.JSONWebKey
	keyOps     []string
	keyType    string
	curve      string
	thumbprint string
	canonical  []byte
}

// newPublicKey checks the key itself (type, size, exponent; the point was checked when it was parsed) and prepares
// everything that verification will ask for.
func newPublicKey(jwk gojose.JSONWebKey, keyOps []string) (PublicKey, error) {
	key := PublicKey{jwk: jwk, keyOps: keyOps}
	if err := key.classify(); err != nil {
		return PublicKey{}, err
	}
	digest, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: the key's parameters are not valid for its type", ErrMalformed)
	}
	key.thumbprint = base64.RawURLEncoding.EncodeToString(digest)
	key.canonical, err = canonicalJWK(jwk, keyOps)
	return key, err
}

func (k *PublicKey) classify() error {
	switch public := k.jwk.Key.(type) {
	case *rsa.PublicKey:
		k.keyType = keyTypeRSA
		return checkRSA(public)
	case *ecdsa.PublicKey:
		k.keyType, k.curve = keyTypeEC, curveName(public.Curve)
		if k.curve == "" {
			return fmt.Errorf("%w: elliptic curve; use P-256, P-384 or P-521", ErrUnsupportedKey)
		}
		return nil
	case ed25519.PublicKey:
		k.keyType, k.curve = keyTypeOKP, "Ed25519"
		return nil
	}
	return fmt.Errorf("%w: key type; use RSA, EC or OKP with Ed25519", ErrUnsupportedKey)
}

func curveName(curve elliptic.Curve) string {
	switch curve {
	case elliptic.P256():
		return "P-256"
	case elliptic.P384():
		return "P-384"
	case elliptic.P521():
		return "P-521"
	}
	return ""
}

// The bounds of an RSA key.
const (
	minRSABits = 2048 // FAPI 2.0 Security Profile, 5.4.1
	maxRSABits = 8192 // our own choice: bounds the cost of one verification

	minRSAExponent = 1<<16 + 1 // FIPS 186-5, A.1.1
	maxRSAExponent = 1<<31 - 1 // what crypto/rsa computes with
)

// go-jose refuses moduli over 4096 bits before anybody else sees them; it asks that its bound be set before it parses.
func init() {
	gojose.MaxRSAModulusBits = maxRSABits
}

func checkRSA(key *rsa.PublicKey) error {
	if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("%w: an RSA key of %d bits; use %d to %d", ErrUnsupportedKey, bits, minRSABits, maxRSABits)
	}
	if key.N.Bit(0) == 0 {
		return fmt.Errorf("%w: the RSA modulus is even", ErrMalformed)
	}
	if key.E < minRSAExponent || key.E > maxRSAExponent || key.E%2 == 0 {
		return fmt.Errorf("%w: RSA public exponent; use 65537", ErrUnsupportedKey)
	}
	return nil
}

// canonicalJWK writes public members only, numbers in their one shortest form, without x5u.
func canonicalJWK(jwk gojose.JSONWebKey, keyOps []string) ([]byte, error) {
	canonical, err := jwk.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("%w: the key cannot be written as a JWK", ErrMalformed)
	}
	if len(keyOps) == 0 {
		return canonical, nil
	}
	operations, err := json.Marshal(keyOps)
	if err != nil {
		return nil, err
	}
	canonical = append(canonical[:len(canonical)-1], `,"key_ops":`...)
	return append(append(canonical, operations...), '}'), nil
}

// KeyID returns "kid", or "" when the key has none.
func (k PublicKey) KeyID() string { return k.jwk.KeyID }

// KeyType returns "kty": "RSA", "EC" or "OKP".
func (k PublicKey) KeyType() string { return k.keyType }

// Curve returns "crv": "P-256", "P-384", "P-521" or "Ed25519"; "" for RSA.
func (k PublicKey) Curve() string { return k.curve }

// Use returns "use" as stated ("sig", "enc" or another value), or "" when absent.
func (k PublicKey) Use() string { return k.jwk.Use }

// Algorithm returns "alg" as stated, or "" when absent. It may name an algorithm that is not supported; such a key is
// never chosen.
func (k PublicKey) Algorithm() string { return k.jwk.Algorithm }

// RSABits returns the size of the modulus in bits, or 0 when the key is not RSA.
func (k PublicKey) RSABits() int {
	if public, isRSA := k.jwk.Key.(*rsa.PublicKey); isRSA {
		return public.N.BitLen()
	}
	return 0
}

// Thumbprint returns the JWK SHA-256 thumbprint (RFC 7638) in base64url: the value of cnf.jkt and dpop_jkt.
func (k PublicKey) Thumbprint() string { return k.thumbprint }

// Certificates returns the chain of "x5c". The first certificate is of this key; nothing else about the chain has
// been checked.
func (k PublicKey) Certificates() []*x509.Certificate { return slices.Clone(k.jwk.Certificates) }

// JSON returns the JWK in canonical form, public members only.
func (k PublicKey) JSON() []byte { return slices.Clone(k.canonical) }

// MarshalJSON writes the JWK in canonical form, public members only.
func (k PublicKey) MarshalJSON() ([]byte, error) {
	if k.keyType == "" {
		return nil, fmt.Errorf("%w: an empty key", ErrMalformed)
	}
	return k.JSON(), nil
}

// CanVerify reports whether the key may verify signatures of alg: by kty and crv, and by use, key_ops and alg where
// they are stated (FAPI 2.0 Security Profile, 5.4.3).
func (k PublicKey) CanVerify(alg SignatureAlgorithm) bool {
	if !k.allowsUse(useSignature, "verify") || !k.typeFits(alg) {
		return false
	}
	stated, known := signatureAlgorithmOfHeader(k.jwk.Algorithm)
	return k.jwk.Algorithm == "" || (known && stated == alg)
}

func (k PublicKey) typeFits(alg SignatureAlgorithm) bool {
	switch alg {
	case PS256:
		return k.keyType == keyTypeRSA
	case ES256:
		return k.curve == "P-256"
	case EdDSA:
		return k.curve == "Ed25519"
	}
	return false
}

// CanEncrypt reports whether content may be encrypted to the key with alg, by the same members as CanVerify.
func (k PublicKey) CanEncrypt(alg KeyManagementAlgorithm) bool {
	return k.keyType != "" && k.keyType == alg.keyType() &&
		k.allowsUse(useEncryption, "encrypt", "wrapKey", "deriveKey", "deriveBits") &&
		(k.jwk.Algorithm == "" || k.jwk.Algorithm == string(alg))
}

// allowsUse applies "use" and "key_ops"; a key that states neither is for everything (RFC 7517, 4.2 and 4.3).
func (k PublicKey) allowsUse(use string, operations ...string) bool {
	if k.jwk.Use != "" && k.jwk.Use != use {
		return false
	}
	isOperation := func(op string) bool { return slices.Contains(operations, op) }
	return len(k.keyOps) == 0 || slices.ContainsFunc(k.keyOps, isOperation)
}

// CertificateThumbprint returns x5t#S256: the SHA-256 of the certificate's DER in base64url (RFC 8705, 3.1).
func CertificateThumbprint(certificate *x509.Certificate) string {
	digest := sha256.Sum256(certificate.Raw)
	return base64.RawURLEncoding.EncodeToString(digest[:])
}
