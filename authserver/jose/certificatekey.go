package jose

import (
	"crypto/x509"

	gojose "github.com/go-jose/go-jose/v4"
)

// PublicKeyOf returns the certificate's key with the certificate as x5c (RFC 7517, 4.7). Its kid is the certificate's
// thumbprint, which two certificates for one key do not share.
// Errors: ErrUnsupportedKey.
func PublicKeyOf(certificate *x509.Certificate) (PublicKey, error) {
	return newPublicKey(gojose.JSONWebKey{
		Key:          certificate.PublicKey,
		KeyID:        CertificateThumbprint(certificate),
		Certificates: []*x509.Certificate{certificate},
	}, nil)
}
