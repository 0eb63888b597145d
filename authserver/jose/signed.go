package jose

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
)

// MaxSignedBytes bounds a compact JWS. Our own choice: the largest real ones, request objects with
// authorization_details, stay under 20 KiB.
const MaxSignedBytes = 64 << 10

// Header is what a JOSE header says, for the members that callers judge. The kid of an unverified token is only a
// hint.
type Header struct {
	algorithm SignatureAlgorithm
	keyID     string
	typ       string
}

// Algorithm returns the signature algorithm; the alg "Ed25519" (RFC 9864) is reported as EdDSA.
func (h Header) Algorithm() SignatureAlgorithm { return h.algorithm }

// KeyID returns "kid", or "" when absent.
func (h Header) KeyID() string { return h.keyID }

// Type returns "typ" as sent, or "" when absent.
func (h Header) Type() string { return h.typ }

// TypeIs compares "typ" with a media type the way RFC 7515, 4.1.9 does: without case, and with "application/" left out
// where no other slash follows.
func (h Header) TypeIs(mediaType string) bool {
	return h.typ != "" && shortMediaType(h.typ) == shortMediaType(mediaType)
}

func shortMediaType(mediaType string) string {
	lower := strings.ToLower(mediaType)
	if subtype, cut := strings.CutPrefix(lower, "application/"); cut && !strings.Contains(subtype, "/") {
		return subtype
	}
	return lower
}

// UnverifiedJWT is a parsed JWS compact JWT (RFC 7519) whose signature nobody has checked yet.
type UnverifiedJWT struct {
	Header
	jws      *gojose.JSONWebSignature
	payload  []byte
	claims   map[string]json.RawMessage
	embedded *PublicKey
}

// ParseSigned reads a JWT in JWS compact serialization. Header and claims are strict JSON objects without repeated
// members; crit, b64 and zip are refused; jku, x5u and x5c are ignored, since keys come from the caller alone.
// Algorithms outside the closed set stay refused even when allowed names them.
// Errors: ErrMalformed, ErrAlgorithm; for the key of the jwk header also ErrPrivateKey and ErrUnsupportedKey.
func ParseSigned(compact string, allowed []SignatureAlgorithm) (*UnverifiedJWT, error) {
	parts, err := splitCompact(compact, 3, MaxSignedBytes)
	if err != nil {
		return nil, fmt.Errorf("JWT: %w", err)
	}
	members, err := readHeader(parts[0])
	if err != nil {
		return nil, fmt.Errorf("JWT header: %w", err)
	}
	jwt := &UnverifiedJWT{payload: parts[1]}
	if jwt.Header, err = signatureHeader(members, allowed); err != nil {
		return nil, fmt.Errorf("JWT header: %w", err)
	}
	if jwt.embedded, err = embeddedKey(members); err != nil {
		return nil, fmt.Errorf("JWT header jwk: %w", err)
	}
	if jwt.claims, err = readObject(jwt.payload); err != nil {
		return nil, fmt.Errorf("JWT claims: %w", err)
	}
	jwt.jws, err = gojose.ParseSignedCompact(compact, headerNames(jwt.algorithm))
	if err != nil { // go-jose's errors may quote the header
		return nil, fmt.Errorf("JWT header: %w: a member has a wrong type", ErrMalformed)
	}
	return jwt, nil
}

// splitCompact decodes the parts of a compact serialization. It takes only the one canonical encoding of each, so that
// no token has a twin that differs in its text (RFC 7515, 2: no line breaks, no padding).
func splitCompact(compact string, parts, maxBytes int) ([][]byte, error) {
	if len(compact) > maxBytes {
		return nil, fmt.Errorf("%w: larger than %d bytes", ErrMalformed, maxBytes)
	}
	if found := strings.Count(compact, ".") + 1; found != parts {
		return nil, fmt.Errorf("%w: %d parts; the compact serialization has %d", ErrMalformed, found, parts)
	}
	decoded := make([][]byte, parts)
	for i, part := range strings.Split(compact, ".") {
		var err error
		decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || strings.ContainsAny(part, "\r\n") {
			return nil, fmt.Errorf("%w: part %d is not base64url", ErrMalformed, i+1)
		}
	}
	return decoded, nil
}

// refusedHeaders change how a token is processed: crit (RFC 7515, 4.1.11) has nothing that is understood here, b64
// (RFC 7797) changes what is signed, zip (RFC 7516, 4.1.3) inflates.
var refusedHeaders = []string{"crit", "b64", "zip"}

func readHeader(raw []byte) (map[string]json.RawMessage, error) {
	members, err := readObject(raw)
	if err != nil {
		return nil, err
	}
	for _, name := range refusedHeaders {
		if _, present := members[name]; present {
			return nil, fmt.Errorf("%w: %q is not supported", ErrMalformed, name)
		}
	}
	return members, nil
}

func signatureHeader(members map[string]json.RawMessage, allowed []SignatureAlgorithm) (Header, error) {
	name, err := stringMember(members, "alg")
	if err != nil {
		return Header{}, err
	}
	algorithm, known := signatureAlgorithmOfHeader(name)
	if !known || !slices.Contains(allowed, algorithm) {
		return Header{}, fmt.Errorf("%w: sign with one of %q", ErrAlgorithm, allowed)
	}
	keyID, err := stringMember(members, "kid")
	if err != nil {
		return Header{}, err
	}
	typ, err := stringMember(members, "typ")
	return Header{algorithm: algorithm, keyID: keyID, typ: typ}, err
}

func embeddedKey(members map[string]json.RawMessage) (*PublicKey, error) {
	raw, present := members["jwk"]
	if !present {
		return nil, nil
	}
	key, err := parsePublicJWK(raw)
	if err != nil {
		return nil, err
	}
	return &key, nil
}

// headerNames returns the alg values that stand for an algorithm.
func headerNames(algorithm SignatureAlgorithm) []gojose.SignatureAlgorithm {
	if algorithm == EdDSA {
		return []gojose.SignatureAlgorithm{gojose.EdDSA, ed25519Alias}
	}
	return []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(algorithm)}
}

// EmbeddedKey returns the public key of the "jwk" header, or nil when absent. Anybody can put a key there: it proves
// possession (DPoP), never identity.
func (t *UnverifiedJWT) EmbeddedKey() *PublicKey { return t.embedded }

// UnverifiedClaims returns a claim whose value is a string, or "" when it is absent or something else.
//
// Danger: anybody can have written it. It is for finding the keys to verify with (iss, sub, client_id), and for
// nothing else.
func (t *UnverifiedJWT) UnverifiedClaims(name string) string {
	value, err := stringMember(t.claims, name)
	if err != nil {
		return ""
	}
	return value
}
