package token

import (
	"errors"
	"fmt"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// HintedSubject gives whom an id_token_hint is about: an ID token that this
// server signed for the client, of whatever age (OpenID Connect Core, 3.1.2.1). The
// server's other JWTs are no hint: they are of another type, or lack what every
// ID token has (OpenID Connect Core, 2).
// Errors: those of package jose, and others without a name.
func (v *Verifier) HintedSubject(compact, clientID string) (string, error) {
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		return "", fmt.Errorf("ID token hint: %w", err)
	}
	verified, err := v.verify(unverified)
	if err != nil {
		return "", fmt.Errorf("ID token hint: %w", err)
	}
	if !verified.TypeIs(oauth.TypeJWT) {
		return "", fmt.Errorf("ID token hint: typ is not %s", oauth.TypeJWT)
	}
	for _, name := range []string{"exp", "iat", "auth_time"} {
		if !verified.Has(name) {
			return "", fmt.Errorf("ID token hint: it has no %s, so it is no ID token", name)
		}
	}
	return v.subjectFor(verified, clientID)
}

func (v *Verifier) subjectFor(verified *jose.VerifiedJWT, clientID string) (string, error) {
	var claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
	}
	if err := verified.Claims(&claims); err != nil {
		return "", fmt.Errorf("ID token hint: %w", err)
	}
	if claims.Issuer != v.Issuer || claims.Audience != clientID || !IsPersonSubject(claims.Subject) {
		return "", errors.New("ID token hint: it is of another issuer, for another client, or about nobody")
	}
	return claims.Subject, nil
}
