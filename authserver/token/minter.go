// Package token mints and verifies the JWTs that the server signs: access tokens
// (RFC 9068), ID tokens (OpenID Connect Core, 2), authorization responses (JARM) and userinfo (OpenID Connect Core, 5.3.2).
package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Minter signs tokens. It is safe for concurrent use.
type Minter struct {
	// Issuer is the server's issuer identifier.
	Issuer string
	// Signer gives the key that signs now with the algorithm; nil when there is none.
	Signer func(jose.SignatureAlgorithm) *jose.SigningKey
	Now    func() time.Time
}

func (m *Minter) sign(algorithm jose.SignatureAlgorithm, typ string, claims any) (string, error) {
	key := m.Signer(algorithm)
	if key == nil {
		return "", fmt.Errorf("the server has no signing key for %q", algorithm)
	}
	return key.Sign(typ, claims)
}

// encryption is how a client wants a JWT encrypted; the zero value is not at all.
type encryption struct {
	algorithm string // JWE alg
	content   string // JWE enc
}

// signFor signs a JWT with the algorithm that the client registered, and
// encrypts it to one of the client's keys where it registered that (nested JWT:
// RFC 7519, 5.2). typ is the media type of the signed JWT.
func (m *Minter) signFor(keys *jose.KeySet, typ, algorithm string, wanted encryption, claims any) (string, error) {
	registered, known := jose.ParseSignatureAlgorithm(algorithm)
	if !known {
		return "", fmt.Errorf("the client registered no signature algorithm: %q", algorithm)
	}
	signed, err := m.sign(registered, typ, claims)
	if err != nil || wanted == (encryption{}) {
		return signed, err
	}
	return wanted.encrypt(signed, keys)
}

func (e encryption) encrypt(signed string, keys *jose.KeySet) (string, error) {
	algorithm, algorithmKnown := jose.ParseKeyManagementAlgorithm(e.algorithm)
	content, contentKnown := jose.ParseContentEncryption(e.content)
	if !algorithmKnown || !contentKnown {
		return "", fmt.Errorf("the client registered an encryption that is not supported: alg %q, enc %q", e.algorithm, e.content)
	}
	candidates := keys.Keys()
	chosen := slices.IndexFunc(candidates, func(key jose.PublicKey) bool { return key.CanEncrypt(algorithm) })
	if chosen < 0 {
		return "", errors.New("no key of the client fits " + e.algorithm)
	}
	return jose.Encrypt([]byte(signed), oauth.TypeJWT, candidates[chosen], algorithm, content)
}
