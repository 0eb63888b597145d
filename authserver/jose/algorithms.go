package jose

import "slices"

// SignatureAlgorithm is a JWS "alg" value (RFC 7518, 3.1).
type SignatureAlgorithm string

// The signature algorithms of FAPI 2.0 Security Profile, 5.4.1. EdDSA means Ed25519 alone.
const (
	PS256 SignatureAlgorithm = "PS256"
	ES256 SignatureAlgorithm = "ES256"
	EdDSA SignatureAlgorithm = "EdDSA"
)

// ed25519Alias is EdDSA's fully specified name (RFC 9864, 2.2). It is understood in tokens and keys that come in, and
// reported as EdDSA.
const ed25519Alias = "Ed25519"

// SignatureAlgorithms returns the closed set, in the order in which metadata lists it.
func SignatureAlgorithms() []SignatureAlgorithm {
	return []SignatureAlgorithm{PS256, ES256, EdDSA}
}

// ParseSignatureAlgorithm reports whether s is exactly the name of an algorithm of the closed set.
func ParseSignatureAlgorithm(s string) (SignatureAlgorithm, bool) {
	return parseName(s, SignatureAlgorithms())
}

// signatureAlgorithmOfHeader reads a JWS "alg" header or a JWK "alg" member, where the alias of RFC 9864 may stand.
func signatureAlgorithmOfHeader(s string) (SignatureAlgorithm, bool) {
	if s == ed25519Alias {
		return EdDSA, true
	}
	return ParseSignatureAlgorithm(s)
}

// KeyManagementAlgorithm is a JWE "alg" value (RFC 7518, 4.1).
type KeyManagementAlgorithm string

// The key management algorithms that are supported. RSA1_5 is out (RFC 8725, 3.2); so is everything symmetric.
const (
	RSAOAEP      KeyManagementAlgorithm = "RSA-OAEP"
	RSAOAEP256   KeyManagementAlgorithm = "RSA-OAEP-256"
	ECDHES       KeyManagementAlgorithm = "ECDH-ES"
	ECDHESA128KW KeyManagementAlgorithm = "ECDH-ES+A128KW"
	ECDHESA256KW KeyManagementAlgorithm = "ECDH-ES+A256KW"
)

// KeyManagementAlgorithms returns the closed set, in the order in which metadata lists it.
func KeyManagementAlgorithms() []KeyManagementAlgorithm {
	return []KeyManagementAlgorithm{RSAOAEP, RSAOAEP256, ECDHES, ECDHESA128KW, ECDHESA256KW}
}

// ParseKeyManagementAlgorithm reports whether s is exactly the name of an algorithm of the closed set.
func ParseKeyManagementAlgorithm(s string) (KeyManagementAlgorithm, bool) {
	return parseName(s, KeyManagementAlgorithms())
}

// keyType returns the kty of the keys that an algorithm encrypts to.
func (alg KeyManagementAlgorithm) keyType() string {
	switch alg {
	case RSAOAEP, RSAOAEP256:
		return keyTypeRSA
	case ECDHES, ECDHESA128KW, ECDHESA256KW:
		return keyTypeEC
	}
	return ""
}

// ContentEncryption is a JWE "enc" value (RFC 7518, 5.1).
type ContentEncryption string

// The content encryption algorithms that are supported.
const (
	A128GCM      ContentEncryption = "A128GCM"
	A256GCM      ContentEncryption = "A256GCM"
	A128CBCHS256 ContentEncryption = "A128CBC-HS256"
	A256CBCHS512 ContentEncryption = "A256CBC-HS512"
)

// ContentEncryptions returns the closed set, in the order in which metadata lists it.
func ContentEncryptions() []ContentEncryption {
	return []ContentEncryption{A128GCM, A256GCM, A128CBCHS256, A256CBCHS512}
}

// ParseContentEncryption reports whether s is exactly the name of an algorithm of the closed set.
func ParseContentEncryption(s string) (ContentEncryption, bool) {
	return parseName(s, ContentEncryptions())
}

// tagBytes is the one legal length of the authentication tag (RFC 7518, 5.2.3, 5.2.5 and 5.3).
func (enc ContentEncryption) tagBytes() int {
	if enc == A256CBCHS512 {
		return 32
	}
	return 16
}

func parseName[T ~string](s string, set []T) (T, bool) {
	if name := T(s); slices.Contains(set, name) {
		return name, true
	}
	return "", false
}
