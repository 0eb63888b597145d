package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

func TestPrivatePEMIsTheSameKey(t *testing.T) {
	t.Parallel()
	for _, alg := range jose.SignatureAlgorithms() {
		key, err := jose.GenerateSigningKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		text, err := key.MarshalPrivatePEM()
		if err != nil {
			t.Fatal(err)
		}
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "PRIVATE KEY" || len(rest) > 0 {
			t.Fatalf("%s: not one PKCS #8 key in PEM", alg)
		}
		signer, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		read, err := jose.NewSigningKey(signer.(crypto.Signer), alg, "")
		if err != nil || read.KeyID() != key.KeyID() {
			t.Errorf("%s: %v became %v (%v)", alg, key, read, err)
		}
	}
}

// RFC 8705, 2.2.2: a client's certificate is registered as x5c of its key.
func TestPublicKeyOfACertificateCarriesIt(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	key, err := jose.PublicKeyOf(certificate)
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(jose.NewKeySet(key))
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.ParseKeySet(document)
	if err != nil || set.Len() != 1 || len(set.Keys()[0].Certificates()) != 1 || !set.Keys()[0].Certificates()[0].Equal(certificate) {
		t.Errorf("%s is read back as %v (%v)", document, set, err)
	}
	if key.KeyID() != jose.CertificateThumbprint(certificate) {
		t.Errorf("kid %q, want the certificate's thumbprint", key.KeyID())
	}
}
