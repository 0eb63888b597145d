package mtls

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// verifySelfSigned is self_signed_tls_client_auth: the very certificate that the
// client registered, whoever signed it (RFC 8705, 2.2).
func (v *Verifier) verifySelfSigned(keys *jose.KeySet, presented *x509.Certificate) *oauth.Error {
	if !isRegistered(keys, presented) {
		return oauth.Refuse(oauth.InvalidClient, "RFC8705-2.2.2", "the certificate is not among the x5c members of the client's registered keys")
	}
	if !validAt(presented, v.Now()) {
		return oauth.Refuse(oauth.InvalidClient, "RFC8705-2.2", "the certificate is not valid now: it is valid from %s to %s",
			presented.NotBefore.UTC().Format(time.RFC3339), presented.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// isRegistered compares digests, all of them, so that its time tells nothing. The
// first certificate of an x5c is the one of the key (RFC 7517, 4.7).
func isRegistered(keys *jose.KeySet, presented *x509.Certificate) bool {
	wanted := sha256.Sum256(presented.Raw)
	found := 0
	for _, key := range keys.Keys() {
		chain := key.Certificates()
		if len(chain) == 0 {
			continue
		}
		digest := sha256.Sum256(chain[0].Raw)
		found |= subtle.ConstantTimeCompare(wanted[:], digest[:])
	}
	return found == 1
}

func validAt(certificate *x509.Certificate, now time.Time) bool {
	return !now.Before(certificate.NotBefore) && !now.After(certificate.NotAfter)
}
