package jose

import "errors"

// What can be wrong with a token or a key. Every error of this package wraps one of these, and none of them carries
// key material or any content of a token.
var (
	// ErrMalformed: not what the specification calls a JWT, JWE, JWK or JWK Set, or larger than is read here.
	ErrMalformed = errors.New("malformed")
	// ErrAlgorithm: the alg or enc header names an algorithm that is not allowed here.
	ErrAlgorithm = errors.New("algorithm not allowed")
	// ErrPrivateKey: a JWK that must be public has a private or symmetric member.
	ErrPrivateKey = errors.New("private key where a public key is expected")
	// ErrUnsupportedKey: a well-formed key of a type, curve or size that is not used here.
	ErrUnsupportedKey = errors.New("unsupported key")
	// ErrNoKey: no key at hand fits the token's kid and algorithm.
	ErrNoKey = errors.New("no key fits")
	// ErrSignature: keys fit, but the signature is not theirs.
	ErrSignature = errors.New("signature does not verify")
	// ErrDecryption: keys fit, but the content does not decrypt. It says nothing more, so that it is no oracle.
	ErrDecryption = errors.New("decryption failed")
)
