package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// IDToken is what an ID token says beside issuer, audience and times.
type IDToken struct {
	Subject string
	// Nonce is the request's, empty when it had none.
	Nonce    string
	AuthTime time.Time
	ACR      string
	AMR      []string // RFC 8176
	// Person are claims about the person (OpenID Connect Core, 5.1) by their names.
	Person map[string]any
}

type idTokenClaims struct {
	Issuer    string           `json:"iss"`
	Subject   string           `json:"sub"`
	Audience  string           `json:"aud"`
	ExpiresAt jose.NumericDate `json:"exp"`
	IssuedAt  jose.NumericDate `json:"iat"`
	AuthTime  jose.NumericDate `json:"auth_time"`
	Nonce     string           `json:"nonce,omitempty"`
	ACR       string           `json:"acr,omitempty"`
	AMR       []string         `json:"amr,omitempty"`
}

// IDToken signs an ID token for the client (OpenID Connect Core, 2) with
// id_token_signed_response_alg, and encrypts it to one of the client's keys if
// it registered id_token_encrypted_response_alg. There is no at_hash: with the
// code flow it is optional (OpenID Connect Core, 3.1.3.6), and the access token
// is bound to its sender.
func (m *Minter) IDToken(client *fapi.Client, keys *jose.KeySet, content IDToken) (string, error) {
	if !IsPersonSubject(content.Subject) || content.AuthTime.IsZero() {
		return "", errors.New("mint ID token: the subject is no person's, or nobody logged in")
	}
	now, metadata := m.Now(), client.Metadata()
	claims := idTokenClaims{
		Issuer: m.Issuer, Subject: content.Subject, Audience: client.ID(),
		IssuedAt: jose.NewNumericDate(now), ExpiresAt: jose.NewNumericDate(now.Add(fapi.IDTokenLifetime)),
		AuthTime: jose.NewNumericDate(content.AuthTime), Nonce: content.Nonce, ACR: content.ACR, AMR: content.AMR,
	}
	wanted := encryption{metadata.IDTokenEncryptedResponseAlg, metadata.IDTokenEncryptedResponseEnc}
	withPerson, err := addClaims(claims, content.Person)
	if err != nil {
		return "", fmt.Errorf("mint ID token for %s: %w", client.ID(), err)
	}
	minted, err := m.signFor(keys, oauth.TypeJWT, metadata.IDTokenSignedResponseAlg, wanted, withPerson)
	if err != nil {
		return "", fmt.Errorf("mint ID token for %s: %w", client.ID(), err)
	}
	return minted, nil
}

// addClaims puts claims about the person beside the token's own, which none of
// them may touch.
func addClaims(own idTokenClaims, person map[string]any) (map[string]any, error) {
	encoded, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(encoded, &members); err != nil {
		return nil, err
	}
	claims := make(map[string]any, len(members)+len(person))
	for name, value := range members {
		claims[name] = value
	}
	for name, value := range person {
		if reservedInIDToken[name] {
			return nil, fmt.Errorf("%s is no claim about a person", name)
		}
		claims[name] = value
	}
	return claims, nil
}

// reservedInIDToken are the token's own claims, also those that it happens to
// leave out, and those by which it is bound or delegated (OpenID Connect Core, 2).
var reservedInIDToken = map[string]bool{
	"iss": true, "sub": true, "aud": true, "exp": true, "iat": true, "nbf": true, "jti": true, "auth_time": true, "nonce": true,
	"acr": true, "amr": true, "azp": true, "at_hash": true, "c_hash": true, "s_hash": true, "sid": true, "cnf": true,
}
