package mtls

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// anchorsOf gives this client's anchors: its own, which were parsed when it was
// admitted, or the bundle that it names. They are never pooled with another's.
func (v *Verifier) anchorsOf(client *fapi.Client) (*x509.CertPool, error) {
	if own := client.TrustAnchors(); len(own) > 0 {
		pool := x509.NewCertPool()
		for _, anchor := range own {
			pool.AddCert(anchor)
		}
		return pool, nil
	}
	name := client.Metadata().TLSClientAuthTrustBundle
	bundle := v.Bundles[name]
	if bundle == nil { // x509 would take the system's roots for nil
		return nil, fmt.Errorf("the configuration has no trust bundle %q", name)
	}
	return bundle, nil
}

// ParseAnchors reads a bundle: concatenated PEM certificates, of which there must
// be at least one. Anything else between them is an error, since a damaged block
// would otherwise be a missing anchor that nobody notices.
func ParseAnchors(text string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	found := 0
	rest := []byte(text)
	for strings.TrimSpace(string(rest)) != "" {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("trust anchors: after %d certificates there is something that is no PEM block CERTIFICATE", found)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("trust anchors: certificate %d: %w", found+1, err)
		}
		pool.AddCert(certificate)
		found++
	}
	if found == 0 {
		return nil, errors.New("trust anchors: there is no certificate")
	}
	return pool, nil
}
