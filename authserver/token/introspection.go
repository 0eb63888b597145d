package token

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Introspection is what is told of a token (RFC 7662, 2.2). The zero value says
// that it is not active, and nothing more.
type Introspection struct {
	Active bool `json:"active"`
	// TokenType is that of the token response; empty for a refresh token.
	TokenType string `json:"token_type,omitempty"`
	*accessTokenClaims
}

// Introspection tells of an active access token.
func (t AccessToken) Introspection() Introspection {
	claims := t.claims()
	return Introspection{Active: true, TokenType: t.Confirmation.TokenType(), accessTokenClaims: &claims}
}

// IntrospectRefreshToken tells of an active refresh token and its grant.
func IntrospectRefreshToken(refresh store.RefreshToken, grant store.Grant, scope []string) Introspection {
	return Introspection{Active: true, accessTokenClaims: &accessTokenClaims{
		ClientID: refresh.ClientID, Subject: grant.Authentication.Subject, Scope: strings.Join(scope, " "),
		IssuedAt: date(grant.CreatedAt), ExpiresAt: date(refresh.ExpiresAt),
	}}
}

// introspectionClaims is RFC 9701, 5. There are no sub and exp, so that the JWT
// can never pass for an access token (RFC 9701, 8.1).
type introspectionClaims struct {
	Issuer        string           `json:"iss"`
	Audience      string           `json:"aud"`
	IssuedAt      jose.NumericDate `json:"iat"`
	Introspection Introspection    `json:"token_introspection"`
}

// IntrospectionResponse signs the answer for the client that asked (FAPI 2.0
// Message Signing, 5.5.1; RFC 9701, 5) with introspection_signed_response_alg, or
// ES256 where it registered none, and encrypts it to one of the client's keys if
// it registered introspection_encrypted_response_alg.
func (m *Minter) IntrospectionResponse(client *fapi.Client, keys *jose.KeySet, told Introspection) (string, error) {
	metadata := client.Metadata()
	claims := introspectionClaims{Issuer: m.Issuer, Audience: client.ID(), IssuedAt: jose.NewNumericDate(m.Now().Truncate(time.Second)), Introspection: told}
	algorithm := cmp.Or(metadata.IntrospectionSignedResponseAlg, registration.DefaultSigningAlg)
	wanted := encryption{metadata.IntrospectionEncryptedResponseAlg, metadata.IntrospectionEncryptedResponseEnc}
	minted, err := m.signFor(keys, oauth.TypeIntrospection, algorithm, wanted, claims)
	if err != nil {
		return "", fmt.Errorf("mint introspection response for %s: %w", client.ID(), err)
	}
	return minted, nil
}
