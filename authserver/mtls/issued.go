package mtls

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// verifyIssued is tls_client_auth: a chain to the client's own trust anchors,
// and the registered name (RFC 8705, 2.1).
func (v *Verifier) verifyIssued(client *fapi.Client, presented []*x509.Certificate) *oauth.Error {
	anchors, err := v.anchorsOf(client)
	if err != nil {
		return oauth.Refuse(oauth.InvalidClient, "RFC8705-2.1", "the client has no usable trust anchors").WithCause(err)
	}
	if err := v.verifyChain(presented, anchors); err != nil {
		return oauth.Refuse(oauth.InvalidClient, "RFC8705-2.1",
			"the certificate does not lead to the client's trust anchors, is not valid now, or is not for client authentication").WithCause(err)
	}
	if err := matchName(client.Metadata(), presented[0]); err != nil {
		return oauth.Refuse(oauth.InvalidClient, "RFC8705-2.1.2", "the certificate does not carry the registered name").WithCause(err)
	}
	return nil
}

// verifyChain accepts certificates for TLS client authentication, for any use,
// and those that do not restrict their use.
func (v *Verifier) verifyChain(presented []*x509.Certificate, anchors *x509.CertPool) error {
	intermediates := x509.NewCertPool()
	for _, certificate := range presented[1:] {
		intermediates.AddCert(certificate)
	}
	_, err := presented[0].Verify(x509.VerifyOptions{
		Roots:         anchors,
		Intermediates: intermediates,
		CurrentTime:   v.Now(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

// matchName compares the certificate with each of the five members of RFC 8705,
// 2.1.2 that is registered; the rule book admits clients with exactly one.
func matchName(metadata registration.Metadata, certificate *x509.Certificate) error {
	expectations := []struct {
		member   string
		expected string
		matches  func(expected string, certificate *x509.Certificate) (bool, error)
	}{
		{"tls_client_auth_subject_dn", metadata.TLSClientAuthSubjectDN, matchesSubject},
		{"tls_client_auth_san_dns", metadata.TLSClientAuthSANDNS, hasDNSName},
		{"tls_client_auth_san_uri", metadata.TLSClientAuthSANURI, hasURI},
		{"tls_client_auth_san_ip", metadata.TLSClientAuthSANIP, hasIPAddress},
		{"tls_client_auth_san_email", metadata.TLSClientAuthSANEmail, hasEmailAddress},
	}
	stated := 0
	for _, expectation := range expectations {
		if expectation.expected == "" {
			continue
		}
		stated++
		matches, err := expectation.matches(expectation.expected, certificate)
		if err != nil {
			return fmt.Errorf("compare with %s: %w", expectation.member, err)
		}
		if !matches {
			return fmt.Errorf("the certificate of subject %q differs from %s", certificate.Subject, expectation.member)
		}
	}
	if stated == 0 {
		return errors.New("no name is registered for the client")
	}
	return nil
}
