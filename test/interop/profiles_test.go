package interop

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// registerAll registers a client for each way to authenticate, to bind tokens, to
// send requests and to get responses; for each algorithm; and for each encryption.
func registerAll(t *testing.T, server *fapitest.Server) map[string]*fapitest.Registered {
	t.Helper()
	clients := map[string]*fapitest.Registered{}
	for name, profile := range profiles() {
		clients[name] = server.Register(t, clientID(len(clients)), profile)
	}
	for _, algorithm := range jose.KeyManagementAlgorithms() {
		clients["encrypted by "+string(algorithm)] = registerEncrypting(t, server, clientID(len(clients)), algorithm)
	}
	return clients
}

func clientID(number int) string { return fmt.Sprintf("bank.app-%d", number) }

func profiles() map[string]fapitest.Profile {
	all := map[string]fapitest.Profile{}
	for _, method := range []string{oauth.AuthPrivateKeyJWT, oauth.AuthTLSClient, oauth.AuthSelfSignedTLS} {
		for _, dpop := range []bool{false, true} {
			for _, signed := range []bool{false, true} {
				for _, jarm := range []bool{false, true} {
					add(all, fapitest.Profile{AuthMethod: method, DPoP: dpop, Signed: signed, JARM: jarm, Algorithm: jose.ES256})
				}
			}
			for _, algorithm := range []jose.SignatureAlgorithm{jose.PS256, jose.EdDSA} {
				add(all, fapitest.Profile{AuthMethod: method, DPoP: dpop, Signed: true, JARM: true, Algorithm: algorithm})
			}
		}
	}
	return all
}

// add names the profile, and has the server sign with the client's algorithm too:
// introspection's answers to clients that sign their requests.
func add(all map[string]fapitest.Profile, profile fapitest.Profile) {
	binding, request, response := "mTLS", "plain", "plain"
	if profile.DPoP {
		binding = "DPoP"
	}
	if profile.Signed {
		request = "JAR"
	}
	if profile.JARM {
		response = "JARM"
	}
	profile.Change = func(metadata *registration.Metadata) {
		metadata.IDTokenSignedResponseAlg = string(profile.Algorithm)
		if profile.Signed {
			metadata.IntrospectionSignedResponseAlg = string(profile.Algorithm)
		}
		if profile.JARM {
			metadata.AuthorizationSignedResponseAlg = string(profile.Algorithm)
		}
	}
	all[fmt.Sprintf("%s,%s,request=%s,response=%s,%s", profile.AuthMethod, binding, request, response, profile.Algorithm)] = profile
}

// registerEncrypting registers a client whose ID tokens and authorization responses
// are encrypted to it.
func registerEncrypting(t *testing.T, server *fapitest.Server, id string, algorithm jose.KeyManagementAlgorithm) *fapitest.Registered {
	t.Helper()
	private, err := jose.GenerateDecryptionKey(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	profile := fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true, JARM: true, Change: func(m *registration.Metadata) {
		m.JWKS = withKey(t, m.JWKS, private.Public())
		m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc = string(algorithm), string(jose.A256GCM)
		m.AuthorizationEncryptedResponseAlg, m.AuthorizationEncryptedResponseEnc = string(algorithm), string(jose.A256GCM)
	}}
	client := server.Register(t, id, profile)
	client.DecryptionKey = private
	return client
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
