package protocol

import (
	"encoding/json"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// encryptionKey finds the server's published key for the algorithm.
func encryptionKey(t *testing.T, server *fapitest.Server, client *fapitest.Client, algorithm jose.KeyManagementAlgorithm) jose.PublicKey {
	t.Helper()
	_, body := get(t, client, server.Issuer+"/jwks")
	set, err := jose.ParseKeySet(body)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys() {
		if key.CanEncrypt(algorithm) {
			return key
		}
	}
	t.Fatalf("the server publishes no key for %s", algorithm)
	return jose.PublicKey{}
}

// TestEncryptedRequestObject: signed, then encrypted to the server (RFC 9101, 6.1),
// by every algorithm that is offered.
func TestEncryptedRequestObject(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	for _, algorithm := range jose.KeyManagementAlgorithms() {
		for _, encryption := range jose.ContentEncryptions() {
			t.Run(string(algorithm)+","+string(encryption), func(t *testing.T) {
				t.Parallel()
				profile := keyAndDPoP
				profile.Signed = true
				profile.Change = func(m *registration.Metadata) {
					m.RequestObjectEncryptionAlg, m.RequestObjectEncryptionEnc = string(algorithm), string(encryption)
				}
				client := server.Register(t, clientIDFor(t), profile)
				encrypting := client.With(fapitest.Misbehave{SignRequestObject: encrypted(t, server, client, algorithm, encryption)})
				if _, _, err := encrypting.Flow(t.Context(), server.Person); err != nil {
					t.Fatalf("an encrypted request object: %v", err)
				}
				_, err := client.Push(t.Context(), client.NewAuthorization())
				wantRefusal(t, err, badRequest, oauth.InvalidRequestObject)
			})
		}
	}
}

// encrypted signs as the client does, and encrypts what it signed.
func encrypted(t *testing.T, server *fapitest.Server, client *fapitest.Registered, algorithm jose.KeyManagementAlgorithm, encryption jose.ContentEncryption) func(fapitest.Claims) (string, error) {
	key := encryptionKey(t, server, client.Client, algorithm)
	return func(claims fapitest.Claims) (string, error) {
		signed, err := client.SigningKey.Sign(oauth.TypeRequestObject, claims)
		if err != nil {
			return "", err
		}
		return jose.Encrypt([]byte(signed), oauth.TypeRequestObject, key, algorithm, encryption)
	}
}

// clientIDFor makes a client_id of the test's name.
func clientIDFor(t *testing.T) string {
	t.Helper()
	id := []byte("bank.")
	for _, c := range []byte(t.Name()) {
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			id = append(id, c|0x20)
		}
	}
	return string(id)
}

// TestEncryptedResponses: a client that registered encryption gets the ID token
// and the authorization response as a JWE that it alone can open, with the
// signed JWT inside.
func TestEncryptedResponses(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	private, err := jose.GenerateDecryptionKey(jose.ECDHESA256KW)
	if err != nil {
		t.Fatal(err)
	}
	profile := keyAndDPoP
	profile.JARM = true
	profile.Change = func(m *registration.Metadata) {
		m.JWKS = withKey(t, m.JWKS, private.Public())
		m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc = string(jose.ECDHESA256KW), string(jose.A256GCM)
		m.AuthorizationEncryptedResponseAlg, m.AuthorizationEncryptedResponseEnc = string(jose.ECDHESA256KW), string(jose.A256GCM)
	}
	client := server.Register(t, "bank.encrypting", profile)
	client.DecryptionKey = private
	if _, _, err := client.Flow(t.Context(), server.Person); err != nil {
		t.Fatal(err)
	}
	blind := client.With(fapitest.Misbehave{})
	blind.DecryptionKey = nil
	if _, _, err := blind.Flow(t.Context(), server.Person); err == nil {
		t.Error("the responses are readable without the key")
	}
}

// withKey adds a public key to a key set.
func withKey(t *testing.T, set json.RawMessage, key jose.PublicKey) json.RawMessage {
	t.Helper()
	parsed, err := jose.ParseKeySet(set)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(jose.NewKeySet(append(parsed.Keys(), key)...))
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}
