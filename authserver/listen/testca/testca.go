// Package testca makes certificate authorities and certificates for tests.
package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a certificate authority. Its certificates are valid from an hour
// before to a day after the time that it was made for.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	now         time.Time
}

// Leaf says what a certificate is to carry; all of it serves servers and clients.
type Leaf struct {
	DNS      []string
	URIs     []string
	IPs      []net.IP
	RSA      bool          // an RSA key instead of P-256
	Lifetime time.Duration // two years when zero
}

// Pair is a certificate and its private key, in PEM.
type Pair struct{ Certificate, Key []byte }

// New makes an authority.
func New(t testing.TB, name string, now time.Time) *Authority {
	t.Helper()
	key := ecKey(t)
	template := template(t, now)
	template.Subject = pkix.Name{CommonName: name}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	certificate := sign(t, template, template, key.Public(), key)
	return &Authority{certificate, key, now}
}

// PEM is the authority's own certificate.
func (a *Authority) PEM() []byte { return certificatePEM(a.certificate) }

// Pool holds the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// Issue makes a certificate.
func (a *Authority) Issue(t testing.TB, leaf Leaf) Pair {
	t.Helper()
	key := ecKey(t)
	if leaf.RSA {
		key = rsaKey(t)
	}
	template := template(t, a.now)
	template.DNSNames = leaf.DNS
	template.IPAddresses = leaf.IPs
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if leaf.Lifetime != 0 {
		template.NotAfter = a.now.Add(leaf.Lifetime)
	}
	for _, text := range leaf.URIs {
		uri, err := url.Parse(text)
		check(t, err)
		template.URIs = append(template.URIs, uri)
	}
	certificate := sign(t, template, a.certificate, key.Public(), a.key)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	return Pair{certificatePEM(certificate), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})}
}

// Server issues a certificate for 127.0.0.1 and localhost.
func (a *Authority) Server(t testing.TB) Pair {
	t.Helper()
	return a.Issue(t, Leaf{DNS: []string{"localhost"}, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
}

// TLS is the pair as crypto/tls takes it.
func (p Pair) TLS(t testing.TB) tls.Certificate {
	t.Helper()
	certificate, err := tls.X509KeyPair(p.Certificate, p.Key)
	check(t, err)
	return certificate
}

// Write puts the pair into tls.crt and tls.key of the directory.
func (p Pair) Write(t testing.TB, directory string) (certificateFile, keyFile string) {
	t.Helper()
	return WriteFile(t, directory, "tls.crt", p.Certificate), WriteFile(t, directory, "tls.key", p.Key)
}

// WriteFile writes a file and gives its path.
func WriteFile(t testing.TB, directory, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(directory, name)
	check(t, os.WriteFile(path, content, 0o600))
	return path
}

func template(t testing.TB, now time.Time) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	check(t, err)
	return &x509.Certificate{
		SerialNumber: serial,
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(2, 0, 0), // further than a test moves its clock
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func sign(t testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	encoded, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	check(t, err)
	certificate, err := x509.ParseCertificate(encoded)
	check(t, err)
	return certificate
}

func ecKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func rsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	return key
}

func certificatePEM(certificate *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
