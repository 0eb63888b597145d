package mtls

import (
	"crypto/x509"
	"net/http"
)

// PeerCertificates are the certificates that the client presented in the
// handshake, unverified; none on a listener that never asks. Behind Forwarding
// the handshake is the one with the proxy that ended the client's TLS: the
// proxy's own certificate is never among them.
func PeerCertificates(r *http.Request) []*x509.Certificate {
	if r.TLS == nil {
		return nil
	}
	return r.TLS.PeerCertificates
}
