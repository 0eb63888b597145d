package controlplane

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// certificateLifetime is how long issued certificates are valid: a year, since
// every start issues new ones.
const certificateLifetime = 365 * 24 * time.Hour

// Files in the layout's pki folder.
const (
	caCertificateFile = "ca.crt"
	caKeyFile         = "ca.key"
	servingCertFile   = "apiserver.crt"
	servingKeyFile    = "apiserver.key"
	// serviceAccountKeyFile signs and verifies service-account tokens.
	serviceAccountKeyFile = "service-account.key"
)

// authority is the cluster's certificate authority.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// credential is a certificate with its key, both PEM.
type credential struct{ certificate, key []byte }

// openAuthority reads the folder's authority, or makes one that lives ten years.
func openAuthority(files layout) (*authority, error) {
	keyFile := files.pkiFile(caKeyFile)
	if _, _, err := keyutil.LoadOrGenerateKeyFile(keyFile); err != nil {
		return nil, fmt.Errorf("open the authority's key: %w", err)
	}
	parsed, err := keyutil.PrivateKeyFromFile(keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the authority's key %s: %w", keyFile, err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("read the authority's key %s: a %T can't sign", keyFile, parsed)
	}
	certificate, err := openAuthorityCertificate(files.pkiFile(caCertificateFile), key)
	if err != nil {
		return nil, err
	}
	return &authority{certificate: certificate, key: key}, nil
}

func openAuthorityCertificate(file string, key crypto.Signer) (*x509.Certificate, error) {
	certificates, err := cert.CertsFromFile(file)
	switch {
	case err == nil:
		return certificates[0], nil
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	certificate, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "control plane"}, key)
	if err != nil {
		return nil, fmt.Errorf("create the authority's certificate: %w", err)
	}
	if err := cert.WriteCert(file, pemCertificate(certificate.Raw)); err != nil {
		return nil, fmt.Errorf("write the authority's certificate: %w", err)
	}
	return certificate, nil
}

func (a *authority) pem() []byte { return pemCertificate(a.certificate.Raw) }

// issueClient issues the certificate of a user and its groups.
func (a *authority) issueClient(user string, groups ...string) (credential, error) {
	return a.issue(x509.Certificate{
		Subject:     pkix.Name{CommonName: user, Organization: groups},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// issueServing issues the certificate of a server on this machine.
func (a *authority) issueServing(names ...string) (credential, error) {
	return a.issue(x509.Certificate{
		Subject:     pkix.Name{CommonName: names[0]},
		DNSNames:    names,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

func (a *authority) issue(template x509.Certificate) (credential, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return credential{}, fmt.Errorf("generate a key: %w", err)
	}
	now := time.Now()
	template.NotBefore, template.NotAfter = now.Add(-time.Minute), now.Add(certificateLifetime)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, &template, a.certificate, key.Public(), a.key)
	if err != nil {
		return credential{}, fmt.Errorf("issue a certificate for %s: %w", template.Subject, err)
	}
	keyPEM, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return credential{}, fmt.Errorf("encode a key: %w", err)
	}
	return credential{certificate: pemCertificate(der), key: keyPEM}, nil
}

func pemCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der})
}

// writePKI writes what kube-apiserver reads from files.
func writePKI(files layout, ca *authority) error {
	if _, _, err := keyutil.LoadOrGenerateKeyFile(files.pkiFile(serviceAccountKeyFile)); err != nil {
		return fmt.Errorf("open the service accounts' key: %w", err)
	}
	serving, err := ca.issueServing("localhost", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{servingCertFile: serving.certificate, servingKeyFile: serving.key} {
		if err := os.WriteFile(files.pkiFile(name), content, 0o600); err != nil {
			return fmt.Errorf("write kube-apiserver's certificate: %w", err)
		}
	}
	return nil
}
