package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// authority is a certificate authority of one tenant.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newCertificateKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// create signs the template with the parent, or with its own key without one.
func create(t testing.TB, template *x509.Certificate, parent *authority) authority {
	t.Helper()
	template.SerialNumber = big.NewInt(noon.Unix())
	if template.NotBefore.IsZero() {
		template.NotBefore, template.NotAfter = noon.Add(-time.Hour), noon.Add(time.Hour)
	}
	created := authority{template, newCertificateKey(t)}
	if parent == nil {
		parent = &created
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, created.key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	if created.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return created
}

func newAuthority(t testing.TB, name string, parent *authority) authority {
	t.Helper()
	return create(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, parent)
}

func (a authority) issue(t testing.TB, template *x509.Certificate) *x509.Certificate {
	t.Helper()
	return create(t, template, &a).certificate
}

func pemOf(certificates ...*x509.Certificate) string {
	var text []byte
	for _, certificate := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return string(text)
}

func admit(t testing.TB, metadata registration.Metadata) *fapi.Client {
	t.Helper()
	metadata.ClientID, metadata.GrantTypes, metadata.Scope = "team.app", []string{oauth.GrantClientCredentials}, "accounts"
	client, violations := fapi.AdmitClient(metadata, fapi.Limits{})
	if len(violations) > 0 {
		t.Fatal(violations)
	}
	return client
}

// issuedClient is registered for tls_client_auth with anchors of its own.
func issuedClient(t testing.TB, anchor authority, edit func(*registration.Metadata)) *fapi.Client {
	t.Helper()
	metadata := registration.Metadata{
		TokenEndpointAuthMethod: oauth.AuthTLSClient, TLSClientAuthTrustAnchors: pemOf(anchor.certificate),
	}
	edit(&metadata)
	return admit(t, metadata)
}

// selfSignedClient registers the certificates in the x5c of one key each.
func selfSignedClient(t testing.TB, certificates ...*x509.Certificate) *fapi.Client {
	t.Helper()
	var keys []map[string]any
	for i, certificate := range certificates {
		point, err := certificate.PublicKey.(*ecdsa.PublicKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, map[string]any{
			"kty": "EC", "crv": "P-256", "use": "sig", "kid": fmt.Sprint(i),
			"x":   base64.RawURLEncoding.EncodeToString(point[1:33]),
			"y":   base64.RawURLEncoding.EncodeToString(point[33:]),
			"x5c": []string{base64.StdEncoding.EncodeToString(certificate.Raw)},
		})
	}
	jwks, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return admit(t, registration.Metadata{TokenEndpointAuthMethod: oauth.AuthSelfSignedTLS, JWKS: jwks})
}

func verifierAt(now time.Time) *Verifier {
	return &Verifier{Now: func() time.Time { return now }}
}

func requireRule(t *testing.T, refusal *oauth.Error, rule oauth.RuleID) {
	t.Helper()
	if refusal == nil || refusal.Rule != rule || refusal.Code != oauth.InvalidClient {
		t.Errorf("refused with %v, want invalid_client (%s)", refusal, rule)
	}
}
