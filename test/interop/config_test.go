package interop

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// world is the configuration of flow.mjs.
type world struct {
	Issuer string `json:"issuer"`
	// Authority is the certificate that vouches for the server, in PEM.
	Authority string `json:"authority"`
	Person    person `json:"person"`
	// Stranger is a certificate that no client has.
	Stranger certificate       `json:"stranger"`
	Clients  map[string]client `json:"clients"`
}

type person struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// certificate and its private key, in PEM.
type certificate struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// client is what a library is told of a client. Its keys are private JWKs.
type client struct {
	ClientID      string          `json:"clientId"`
	RedirectURI   string          `json:"redirectUri"`
	Scope         string          `json:"scope"`
	AuthMethod    string          `json:"authMethod"`
	SignsRequests bool            `json:"signsRequests"`
	JARM          bool            `json:"jarm"`
	SigningKey    json.RawMessage `json:"signingKey,omitempty"`
	// ProofKey is what access tokens are bound to; without it, to the Certificate.
	ProofKey      json.RawMessage `json:"proofKey,omitempty"`
	DecryptionKey json.RawMessage `json:"decryptionKey,omitempty"`
	// ContentEncryption is the enc of what DecryptionKey opens.
	ContentEncryption jose.ContentEncryption `json:"contentEncryption,omitempty"`
	Certificate       *certificate           `json:"certificate,omitempty"`
	// Metadata is what of the client's metadata the libraries go by.
	Metadata map[string]any `json:"metadata"`
}

// writeWorld writes the configuration of flow.mjs to a file that only its owner
// may read, and gives its path.
func writeWorld(t *testing.T, server *fapitest.Server, clients map[string]*fapitest.Registered) string {
	t.Helper()
	stranger := fapitest.SelfSigned(t, "stranger", fapitest.NewSigner(t, jose.ES256), server.Clock.Now())
	configured := world{
		Issuer: server.Issuer, Authority: string(server.Authority.PEM()),
		Person:   person{server.Person.Username, server.Person.Password},
		Stranger: *encodeCertificate(t, &stranger), Clients: map[string]client{},
	}
	for name, registered := range clients {
		configured.Clients[name] = describe(t, registered)
	}
	encoded, err := json.Marshal(configured)
	if err != nil {
		t.Fatal(err)
	}
	return testca.WriteFile(t, t.TempDir(), "config.json", encoded)
}

func describe(t *testing.T, registered *fapitest.Registered) client {
	t.Helper()
	described := client{
		ClientID: registered.ClientID, RedirectURI: registered.RedirectURI, Scope: registered.Scope,
		AuthMethod: registered.AuthMethod, SignsRequests: registered.SignsRequests, JARM: registered.WantsJARM,
		SigningKey: privateJWK(t, registered.SigningKey), Metadata: clientMetadata(registered),
	}
	if registered.DPoPKey != nil {
		described.ProofKey = privateJWK(t, registered.DPoPKey)
	}
	if registered.DecryptionKey != nil {
		described.DecryptionKey = privateJWK(t, registered.DecryptionKey)
		described.ContentEncryption = jose.ContentEncryption(registered.Metadata.IDTokenEncryptedResponseEnc)
	}
	if registered.Certificate != nil {
		described.Certificate = encodeCertificate(t, registered.Certificate)
	}
	return described
}

// clientMetadata is what the libraries go by: without an algorithm they take what
// OpenID Connect has as default, which FAPI forbids.
func clientMetadata(registered *fapitest.Registered) map[string]any {
	algorithm := registered.SigningKey.Algorithm()
	metadata := map[string]any{
		"id_token_signed_response_alg":      algorithm,
		"authorization_signed_response_alg": algorithm,
		"use_mtls_endpoint_aliases":         registered.Certificate != nil,
	}
	if signed := registered.Metadata.IntrospectionSignedResponseAlg; signed != "" {
		metadata["introspection_signed_response_alg"] = signed
	}
	return metadata
}

// privateKey is a jose.SigningKey or jose.DecryptionKey.
type privateKey interface{ MarshalPrivate() ([]byte, error) }

func privateJWK(t *testing.T, key privateKey) json.RawMessage {
	t.Helper()
	encoded, err := key.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func encodeCertificate(t *testing.T, pair *tls.Certificate) *certificate {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return &certificate{
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		Key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	}
}
