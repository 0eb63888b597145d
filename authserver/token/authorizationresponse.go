package token

import (
	"fmt"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// AuthorizationResponse signs the parameters of an authorization response for
// the client (JARM, 2.1) with authorization_signed_response_alg, and encrypts
// it to one of the client's keys if it registered
// authorization_encrypted_response_alg. iss, aud and exp are added; they must
// not be among the parameters.
func (m *Minter) AuthorizationResponse(client *fapi.Client, keys *jose.KeySet, parameters map[string]string) (string, error) {
	metadata := client.Metadata()
	claims := map[string]any{
		"iss": m.Issuer,
		"aud": client.ID(),
		"exp": jose.NewNumericDate(m.Now().Add(fapi.AuthorizationResponseLifetime)),
	}
	for name, value := range parameters {
		if _, reserved := claims[name]; reserved {
			return "", fmt.Errorf("mint authorization response for %s: parameter %s is a claim of the response itself", client.ID(), name)
		}
		claims[name] = value
	}
	wanted := encryption{metadata.AuthorizationEncryptedResponseAlg, metadata.AuthorizationEncryptedResponseEnc}
	minted, err := m.signFor(keys, oauth.TypeJWT, metadata.AuthorizationSignedResponseAlg, wanted, claims)
	if err != nil {
		return "", fmt.Errorf("mint authorization response for %s: %w", client.ID(), err)
	}
	return minted, nil
}
