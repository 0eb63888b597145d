package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// ErrExpired means that the access token was valid once.
var ErrExpired = errors.New("the access token has expired")

// Verifier verifies the access tokens and ID tokens of one issuer. It is safe for concurrent use.
type Verifier struct {
	// Issuer is the one issuer whose access tokens are believed.
	Issuer string
	// Keys gives the issuer's public keys: those that sign, and those that
	// signed tokens that may still be valid.
	Keys func() *jose.KeySet
	// RefreshedKeys reads them again, at a bounded rate, because no known key fits;
	// nil where there is nothing to read.
	RefreshedKeys func() *jose.KeySet
	Now           func() time.Time
}

// Verify gives what the access token says, once signature, type, issuer, form
// and expiry are verified (RFC 9068, 4). Audience, revocation and the sender's
// constraint are the caller's to check. There is no leeway after expiry.
// Errors: those of package jose, ErrExpired, and others without a name.
func (v *Verifier) Verify(compact string) (AccessToken, error) {
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		return AccessToken{}, fmt.Errorf("access token: %w", err)
	}
	if !unverified.TypeIs(oauth.TypeAccessToken) {
		return AccessToken{}, fmt.Errorf("access token: typ is not %s", oauth.TypeAccessToken)
	}
	verified, err := v.verify(unverified)
	if err != nil {
		return AccessToken{}, fmt.Errorf("access token: %w", err)
	}
	var claims accessTokenClaims
	if err := verified.Claims(&claims); err != nil {
		return AccessToken{}, fmt.Errorf("access token: %w", err)
	}
	return v.judge(claims.accessToken())
}

// verify tries the keys that are known, and reads them again when none fits.
func (v *Verifier) verify(unverified *jose.UnverifiedJWT) (*jose.VerifiedJWT, error) {
	verified, err := unverified.Verify(v.Keys())
	if errors.Is(err, jose.ErrNoKey) && v.RefreshedKeys != nil {
		return unverified.Verify(v.RefreshedKeys())
	}
	return verified, err
}

func (v *Verifier) judge(token AccessToken) (AccessToken, error) {
	if token.Issuer != v.Issuer {
		return AccessToken{}, errors.New("access token: iss is another issuer")
	}
	if err := token.check(); err != nil {
		return AccessToken{}, fmt.Errorf("access token: %w", err)
	}
	if !v.Now().Before(token.ExpiresAt) {
		return AccessToken{}, ErrExpired
	}
	return token, nil
}
