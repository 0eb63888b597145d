package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"path/filepath"
	"time"
)

// authority issues the certificates of the server, the operator and its webhook.
// It is made once, so that a browser has to be told to trust it only once.
type authority struct{ tls.Certificate }

const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	// leafLifetime is short: every run issues new ones.
	leafLifetime = 30 * 24 * time.Hour
)

// openAuthority reads the folder's authority, or makes one.
func openAuthority(f folder) (*authority, error) {
	certificate, err := tls.LoadX509KeyPair(f.caFile(), f.file("ca.key"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeAuthority(f)
	case err != nil:
		return nil, fmt.Errorf("read the demo's certificate authority; delete %s to have a new one: %w", f.caFile(), err)
	}
	return &authority{certificate}, nil
}

func makeAuthority(f folder) (*authority, error) {
	template := newTemplate("fapi-operator demo CA", authorityLifetime)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	certificate, key, err := issue(template, nil)
	if err != nil {
		return nil, err
	}
	// The certificate comes last: with it, the authority is complete.
	if err := errors.Join(f.write(key, "ca.key"), f.write(certificate, filepath.Base(f.caFile()))); err != nil {
		return nil, err
	}
	return openAuthority(f)
}

// pem is the authority's certificate.
func (a *authority) pem() []byte { return certificatePEM(a.Leaf.Raw) }

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Leaf)
	return pool
}

// writeServing issues a server's certificate into a folder, as tls.crt and tls.key.
func (a *authority) writeServing(f folder, name string, addresses ...net.IP) error {
	template := newTemplate("localhost", leafLifetime)
	template.DNSNames, template.IPAddresses = []string{"localhost"}, addresses
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return a.write(f, name, template)
}

// writeClient issues a client's certificate into a folder, as tls.crt and tls.key.
func (a *authority) writeClient(f folder, name, uri string) error {
	parsed, err := url.Parse(uri)
	if err != nil {
		return fmt.Errorf("issue a certificate: %w", err)
	}
	template := newTemplate(name, leafLifetime)
	template.URIs = []*url.URL{parsed}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.write(f, name, template)
}

func (a *authority) write(f folder, name string, template *x509.Certificate) error {
	certificate, key, err := issue(template, a)
	if err != nil {
		return err
	}
	return errors.Join(f.write(certificate, name, "tls.crt"), f.write(key, name, "tls.key"))
}

func newTemplate(name string, lifetime time.Duration) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

// serialNumber is random and positive (RFC 5280, 4.1.2.2).
func serialNumber() *big.Int {
	bytes := make([]byte, 16)
	_, _ = rand.Read(bytes) // crypto/rand.Read never fails; it ends the process instead.
	bytes[0] = bytes[0]&0x7f | 0x40
	return new(big.Int).SetBytes(bytes)
}

// issue makes a key and a certificate for it, both PEM; without an authority the
// certificate signs itself.
func issue(template *x509.Certificate, by *authority) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	parent, signer := template, any(private)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, private.Public(), signer)
	if err != nil {
		return nil, nil, fmt.Errorf("issue a certificate for %s: %w", template.Subject, err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode a key: %w", err)
	}
	return certificatePEM(der), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
