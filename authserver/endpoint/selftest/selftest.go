// Package selftest tells whoever presents a certificate at the mtls listener
// which one has arrived there: what stands before the server may end TLS, and
// with it keep the certificates of clients away. It reads nothing and keeps nothing.
package selftest

import (
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// Path is the endpoint's, below the base URL of the mtls listener.
const Path = "/self-test"

// Handler serves the endpoint.
type Handler struct {
	Responder *endpoint.Responder
}

// ServeHTTP answers with the confirmation (cnf) that an access token would have
// which is bound to the certificate of this request (RFC 8705, 3.1): its member
// x5t#S256 alone, and no member when no certificate has arrived. The certificate
// is nobody's until a client is authenticated, and so it is not judged.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var arrived oauth.Confirmation
	if certificates := mtls.PeerCertificates(r); len(certificates) > 0 {
		arrived.X5TS256 = jose.CertificateThumbprint(certificates[0])
	}
	h.Responder.JSON(w, http.StatusOK, arrived)
}
