package register

import (
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// installations are those that the caller may act for. Without a decision there
// are none.
func (h *Handler) installations(r *http.Request) registration.Installations {
	certificates := mtls.PeerCertificates(r)
	if h.Installations == nil || len(certificates) == 0 {
		return registration.Installations{}
	}
	return h.Installations(certificates[0])
}

// mayActFor refuses a request that is made for an owner of another installation
// than the caller's. An owner that is not stated is nobody's.
func (h *Handler) mayActFor(r *http.Request, owners ...registration.Owner) error {
	allowed := h.installations(r)
	for _, owner := range owners {
		if owner != (registration.Owner{}) && !allowed.Include(owner.Installation) {
			return endpoint.Refuse(http.StatusForbidden, registration.InstallationNotAllowed,
				"the caller may not act for installation %s; listeners.private.boundClientSANs names those that it may", owner.Installation)
		}
	}
	return nil
}

// ofOtherInstallation refuses a client without telling whose it is: that is the
// other installation's affair.
func ofOtherInstallation() error {
	return endpoint.Refuse(http.StatusForbidden, registration.OwnedByOtherInstallation,
		"the client belongs to an installation that the caller may not act for, by listeners.private.boundClientSANs")
}
