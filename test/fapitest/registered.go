package fapitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Profile is the way in which a client uses FAPI.
type Profile struct {
	// AuthMethod is the token_endpoint_auth_method.
	AuthMethod string
	// DPoP binds access tokens to a DPoP key in place of the certificate.
	DPoP bool
	// Signed requires signed requests, JARM signed responses.
	Signed bool
	JARM   bool
	// Algorithm signs whatever the client signs; ES256 when empty.
	Algorithm jose.SignatureAlgorithm
	// Change changes the metadata before it is registered.
	Change func(*registration.Metadata)
}

// Registered is a client that is registered, with its private keys at hand for
// forgeries.
type Registered struct {
	*Client
	Metadata registration.Metadata
	// Signer is behind SigningKey, ProofSigner behind DPoPKey.
	Signer      crypto.Signer
	ProofSigner crypto.Signer
}

// Register makes a client's keys and registers it.
func (s *Server) Register(t testing.TB, clientID string, profile Profile) *Registered {
	t.Helper()
	client := s.newClient(t, clientID, profile)
	if profile.Change != nil {
		profile.Change(&client.Metadata)
	}
	s.Put(t, client.Metadata)
	return client
}

// Put registers metadata, or registers it anew.
func (s *Server) Put(t testing.TB, metadata registration.Metadata) {
	t.Helper()
	_, err := s.Registrar.Register(t.Context(), metadata.ClientID, registration.NoRevision, registration.Request{
		Owner: registration.Owner{Installation: "test", Namespace: "bank", Name: metadata.ClientID}, Generation: 1, Metadata: metadata,
	})
	if err != nil {
		t.Fatalf("register %s: %v", metadata.ClientID, err)
	}
}

func (s *Server) newClient(t testing.TB, clientID string, profile Profile) *Registered {
	t.Helper()
	if profile.Algorithm == "" {
		profile.Algorithm = jose.ES256
	}
	client := &Registered{Client: &Client{
		Identity: Identity{
			ClientID: clientID, RedirectURI: "https://" + clientID + ".example/callback", Scope: "openid accounts",
			AuthMethod: profile.AuthMethod, SignsRequests: profile.Signed, WantsJARM: profile.JARM,
		},
		Issuer: s.Issuer, Roots: s.Authority.Pool(), Now: s.Clock.Now, Judge: s.judge,
	}}
	client.Signer = NewSigner(t, profile.Algorithm)
	client.SigningKey = wrap(t, client.Signer, profile.Algorithm)
	if profile.DPoP {
		client.ProofSigner = NewSigner(t, profile.Algorithm)
		client.DPoPKey = wrap(t, client.ProofSigner, profile.Algorithm)
	}
	if profile.AuthMethod != oauth.AuthPrivateKeyJWT || !profile.DPoP {
		certificate := s.clientCertificate(t, client, profile)
		client.Certificate = &certificate
	}
	client.Metadata = s.metadata(t, client, profile)
	t.Cleanup(client.Close)
	return client
}

// clientURI is the name in an issued client certificate.
func clientURI(clientID string) string { return "urn:example:client:" + clientID }

func (s *Server) clientCertificate(t testing.TB, client *Registered, profile Profile) tls.Certificate {
	t.Helper()
	if profile.AuthMethod == oauth.AuthTLSClient {
		return s.Authority.Issue(t, testca.Leaf{URIs: []string{clientURI(client.ClientID)}}).TLS(t)
	}
	return SelfSigned(t, client.ClientID, client.Signer, s.Clock.Now())
}

func (s *Server) metadata(t testing.TB, client *Registered, profile Profile) registration.Metadata {
	t.Helper()
	metadata := registration.Metadata{
		ClientID: client.ClientID, ClientName: "Client " + client.ClientID,
		GrantTypes:    []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials},
		ResponseTypes: []string{oauth.ResponseTypeCode}, RedirectURIs: []string{client.RedirectURI},
		Scope: "openid accounts payments offline_access profile", TokenEndpointAuthMethod: profile.AuthMethod,
		AuthorizationDetailsTypes: []string{TypeAccountInformation, TypePaymentInitiation},
	}
	if profile.AuthMethod == oauth.AuthPrivateKeyJWT {
		metadata.TokenEndpointAuthSigningAlg = string(profile.Algorithm)
	}
	if profile.AuthMethod == oauth.AuthTLSClient {
		metadata.TLSClientAuthSANURI = clientURI(client.ClientID)
		metadata.TLSClientAuthTrustAnchors = string(s.Authority.PEM())
	}
	if profile.AuthMethod != oauth.AuthTLSClient || profile.Signed {
		metadata.JWKS = keySet(t, client, profile)
	}
	if profile.DPoP {
		metadata.DPoPBoundAccessTokens = new(true)
	}
	if profile.Signed {
		metadata.RequireSignedRequestObject, metadata.RequestObjectSigningAlg = new(true), string(profile.Algorithm)
	}
	if profile.JARM {
		metadata.ResponseModes = []string{oauth.ResponseModeJWT}
	}
	return metadata
}

// keySet is the client's public key, with its certificate where that is how the
// client authenticates.
func keySet(t testing.TB, client *Registered, profile Profile) json.RawMessage {
	t.Helper()
	var key map[string]any
	if err := json.Unmarshal(client.SigningKey.Public().JSON(), &key); err != nil {
		t.Fatal(err)
	}
	if profile.AuthMethod == oauth.AuthSelfSignedTLS {
		key["x5c"] = []string{base64.StdEncoding.EncodeToString(client.Certificate.Certificate[0])}
	}
	encoded, err := json.Marshal(map[string]any{"keys": []any{key}})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// NewSigner makes a private key for the algorithm.
func NewSigner(t testing.TB, algorithm jose.SignatureAlgorithm) crypto.Signer {
	t.Helper()
	var signer crypto.Signer
	var err error
	switch algorithm {
	case jose.PS256:
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	case jose.EdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func wrap(t testing.TB, signer crypto.Signer, algorithm jose.SignatureAlgorithm) *jose.SigningKey {
	t.Helper()
	key, err := jose.NewSigningKey(signer, algorithm, "")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// NewKey makes a signing key.
func NewKey(t testing.TB, algorithm jose.SignatureAlgorithm) *jose.SigningKey {
	t.Helper()
	return wrap(t, NewSigner(t, algorithm), algorithm)
}

// SelfSigned makes a certificate that vouches for itself, valid for a day.
func SelfSigned(t testing.TB, name string, key crypto.Signer, now time.Time) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
