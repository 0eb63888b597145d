package fapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// statedKeys is what the jwks of a candidate turns out to be.
type statedKeys struct {
	set         *jose.KeySet // nil without a jwks, or when it cannot be read
	malformed   bool
	private     bool
	shortRSA    bool
	shortEC     bool
	unsupported bool
}

// readable tells whether every key can be used, so that one may ask what the set is good for.
func (k statedKeys) readable() bool {
	return !k.malformed && !k.private && !k.shortRSA && !k.shortEC && !k.unsupported
}

func examineKeys(raw json.RawMessage) statedKeys {
	if len(raw) == 0 {
		return statedKeys{}
	}
	set, unusable, err := jose.ParseFetchedKeySet(raw)
	switch {
	case errors.Is(err, jose.ErrPrivateKey):
		return statedKeys{private: true}
	case err != nil:
		return statedKeys{malformed: true}
	}
	shortRSA, shortEC := countShortKeys(raw)
	keys := statedKeys{set: set, shortRSA: shortRSA > 0, shortEC: shortEC > 0}
	keys.unsupported = countErrors(unusable, jose.ErrUnsupportedKey) > shortRSA+shortEC
	keys.malformed = countErrors(unusable, jose.ErrMalformed) > 0
	return keys
}

func countErrors(errs []error, target error) int {
	count := 0
	for _, err := range errs {
		if errors.Is(err, target) {
			count++
		}
	}
	return count
}

// countShortKeys finds the keys that are unsupported for their size alone; their
// sizes have clauses of their own.
func countShortKeys(raw json.RawMessage) (shortRSA, shortEC int) {
	var document struct {
		Keys []struct {
			KeyType string `json:"kty"`
			Modulus string `json:"n"`
			X       string `json:"x"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		return 0, 0
	}
	for _, key := range document.Keys {
		switch {
		case key.KeyType == "RSA" && isShorter(modulusBits(key.Modulus), MinRSAKeyBits):
			shortRSA++
		case key.KeyType == "EC" && isShorter(coordinateBits(key.X), MinECKeyBits):
			shortEC++
		}
	}
	return shortRSA, shortEC
}

// isShorter says nothing of a number that is missing or cannot be read.
func isShorter(bits, minimum int) bool { return bits > 0 && bits < minimum }

func modulusBits(encoded string) int { return new(big.Int).SetBytes(decodeNumber(encoded)).BitLen() }

// coordinateBits counts whole bytes: a coordinate has the full length of its field (RFC 7518, 6.2.1.2).
func coordinateBits(encoded string) int { return 8 * len(decodeNumber(encoded)) }

func decodeNumber(encoded string) []byte {
	number, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return nil
	}
	return number
}

// keysAreStated holds where there are keys, or will be, of whatever kind.
var keysAreStated = Any{jwks.stated(), jwksURI.stated()}

func keySetIsWellFormed(c *candidate) bool { return !c.keys.malformed }
func keySetIsPublic(c *candidate) bool     { return !c.keys.private }

var keysLackPrivateMembers = KeysLack{jwks.name, jose.PrivateMembers(), func(c *candidate) json.RawMessage { return c.JWKS }}

// revokedKeysAreGone says nothing of a set that cannot be read, or is somewhere else.
func revokedKeysAreGone(c *candidate) bool {
	return !slices.ContainsFunc(c.keys.set.Keys(), func(key jose.PublicKey) bool {
		return key.KeyID() != "" && slices.Contains(c.RevokedKeyIDs, key.KeyID()) || slices.Contains(c.RevokedKeyIDs, key.Thumbprint())
	})
}

func rsaKeysAreLong(c *candidate) bool       { return !c.keys.shortRSA }
func ecKeysAreLong(c *candidate) bool        { return !c.keys.shortEC }
func keyTypesAreSupported(c *candidate) bool { return !c.keys.unsupported }

// hasKey holds where the keys are somewhere else, and where they cannot be read:
// that has rules of its own.
func (c *candidate) hasKey(fits func(jose.PublicKey) bool) bool {
	return c.JWKSURI != "" || c.isPending("jwks") || !c.keys.readable() || slices.ContainsFunc(c.keys.set.Keys(), fits)
}

// hasKeyToVerify holds for an algorithm that is refused anyhow, and for none stated.
func (c *candidate) hasKeyToVerify(algorithm string) bool {
	alg, known := jose.ParseSignatureAlgorithm(algorithm)
	return !known || c.hasKey(func(key jose.PublicKey) bool { return key.CanVerify(alg) })
}

func hasKeyForAssertions(c *candidate) bool {
	return c.TokenEndpointAuthMethod != oauth.AuthPrivateKeyJWT || c.hasKeyToVerify(c.TokenEndpointAuthSigningAlg)
}

func hasKeyForRequestObjects(c *candidate) bool { return c.hasKeyToVerify(c.RequestObjectSigningAlg) }

func hasSelfSignedCertificate(c *candidate) bool {
	return c.TokenEndpointAuthMethod != oauth.AuthSelfSignedTLS ||
		c.hasKey(func(key jose.PublicKey) bool { return len(key.Certificates()) > 0 })
}

func hasKeyToEncryptTo(c *candidate, algorithm string) bool {
	alg, known := jose.ParseKeyManagementAlgorithm(algorithm)
	return !known || c.hasKey(func(key jose.PublicKey) bool { return key.CanEncrypt(alg) })
}

func needsKeysToEncryptTo(alg member) Condition {
	return Any{Not{alg.has(keyManagementAlgorithm)}, keysAreStated}
}
