package token

import (
	"fmt"
	"maps"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Userinfo signs an answer of the userinfo endpoint for the client (OpenID
// Connect Core, 5.3.2) with userinfo_signed_response_alg, and encrypts it to one
// of the client's keys if it registered userinfo_encrypted_response_alg. iss and
// aud are added; they must not be among the claims.
func (m *Minter) Userinfo(client *fapi.Client, keys *jose.KeySet, claims map[string]any) (string, error) {
	metadata := client.Metadata()
	content := map[string]any{"iss": m.Issuer, "aud": client.ID()}
	for name := range content {
		if _, taken := claims[name]; taken {
			return "", fmt.Errorf("mint userinfo for %s: %s is no claim about a person", client.ID(), name)
		}
	}
	maps.Copy(content, claims)
	wanted := encryption{metadata.UserinfoEncryptedResponseAlg, metadata.UserinfoEncryptedResponseEnc}
	minted, err := m.signFor(keys, oauth.TypeJWT, metadata.UserinfoSignedResponseAlg, wanted, content)
	if err != nil {
		return "", fmt.Errorf("mint userinfo for %s: %w", client.ID(), err)
	}
	return minted, nil
}
