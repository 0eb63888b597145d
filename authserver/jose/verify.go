package jose

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
	gojson "github.com/go-jose/go-jose/v4/json"
)

// maxCandidates bounds the keys that one token can make us try. Our own choice.
const maxCandidates = 8

// VerifiedJWT is a JWT whose signature has been verified. What it says has not been judged.
type VerifiedJWT struct {
	Header
	payload []byte
	claims  map[string]json.RawMessage
	key     PublicKey
}

// Verify checks the signature with the keys of the set that have the token's kid (all, if it has none) and fit its
// algorithm by kty, crv, use, key_ops and alg (FAPI 2.0 Security Profile, 5.4.3), eight at the most.
// Errors: ErrNoKey when no key fits, so that fetching the set again may help; ErrSignature when keys fit and none of
// them signed this.
func (t *UnverifiedJWT) Verify(keys *KeySet) (*VerifiedJWT, error) {
	var candidates []PublicKey
	for _, key := range keys.all() {
		if key.CanVerify(t.algorithm) && (t.keyID == "" || t.keyID == key.KeyID()) {
			candidates = append(candidates, key)
		}
	}
	if len(candidates) > maxCandidates {
		return nil, fmt.Errorf("JWT: %w: more than %d keys fit; give each its own kid", ErrNoKey, maxCandidates)
	}
	return t.verifyWithAny(candidates)
}

// VerifyWithEmbeddedKey checks the signature with the key of the "jwk" header (DPoP: RFC 9449, 4.3). It proves that
// the sender has that key; Key().Thumbprint() names it.
// Errors: ErrNoKey, ErrSignature.
func (t *UnverifiedJWT) VerifyWithEmbeddedKey() (*VerifiedJWT, error) {
	if t.embedded == nil || !t.embedded.CanVerify(t.algorithm) {
		return nil, fmt.Errorf("JWT: %w: no jwk header with a key for the algorithm", ErrNoKey)
	}
	return t.verifyWithAny([]PublicKey{*t.embedded})
}

func (t *UnverifiedJWT) verifyWithAny(candidates []PublicKey) (*VerifiedJWT, error) {
	if len(candidates) == 0 {
		return nil, fmt.Errorf("JWT: %w its kid and algorithm", ErrNoKey)
	}
	for _, key := range candidates {
		if _, err := t.jws.Verify(key.verificationKey()); err == nil {
			return &VerifiedJWT{Header: t.Header, payload: t.payload, claims: t.claims, key: key}, nil
		}
	}
	return nil, fmt.Errorf("JWT: %w", ErrSignature)
}

func (k PublicKey) verificationKey() any {
	if public, isEd25519 := k.jwk.Key.(ed25519.PublicKey); isEd25519 {
		return ed25519Verifier(public)
	}
	return k.jwk.Key
}

// ed25519Verifier verifies under both names of the algorithm; go-jose knows EdDSA alone.
type ed25519Verifier ed25519.PublicKey

// VerifyPayload implements go-jose's OpaqueVerifier.
func (v ed25519Verifier) VerifyPayload(payload, signature []byte, alg gojose.SignatureAlgorithm) error {
	if !slices.Contains(headerNames(EdDSA), alg) || !ed25519.Verify(ed25519.PublicKey(v), payload, signature) {
		return ErrSignature
	}
	return nil
}

// Key returns the key that verified the signature.
func (t *VerifiedJWT) Key() PublicKey { return t.key }

// Raw returns the claims as they were signed.
func (t *VerifiedJWT) Raw() []byte { return slices.Clone(t.payload) }

// Has reports whether the claim is present, whatever its value.
func (t *VerifiedJWT) Has(claim string) bool {
	_, present := t.claims[claim]
	return present
}

// Claims decodes the claims into a struct or map. Names match exactly, in case too; claims that into does not name are
// ignored, as RFC 7519, 4 demands; a claim of another type than into's is ErrMalformed. Use pointers to tell an absent
// claim from an empty one, and Audience and NumericDate for those two. Types with an UnmarshalJSON of their own decode
// by their own rules; json.Number is not supported.
func (t *VerifiedJWT) Claims(into any) error {
	if err := gojson.Unmarshal(t.payload, into); err != nil {
		return fmt.Errorf("JWT claims: %w: %s", ErrMalformed, t.mistypedClaim(into))
	}
	return nil
}

// mistypedClaim names the claim that does not decode. Only claims that into names can fail, so no name of the
// sender's making reaches the message.
func (t *VerifiedJWT) mistypedClaim(into any) string {
	target := reflect.TypeOf(into)
	if target == nil || target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Struct {
		return "the claims do not decode"
	}
	for name, value := range t.claims {
		single, err := json.Marshal(map[string]json.RawMessage{name: value})
		if err == nil && gojson.Unmarshal(single, reflect.New(target.Elem()).Interface()) != nil {
			return fmt.Sprintf("%q is not of the type that its specification gives it", name)
		}
	}
	return "a claim is not of the type that its specification gives it"
}
