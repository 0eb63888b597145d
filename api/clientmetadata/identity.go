package clientmetadata

import (
	"strings"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// ClientID is the identifier under which the application is registered: the
// stated one, or <namespace>.<name>.
func ClientID(application *v1alpha1.FAPIApplication) string {
	if application.Spec.ClientID != "" {
		return application.Spec.ClientID
	}
	return clientIDPrefix(application) + application.Name
}

// clientIDPrefix keeps a namespace from taking another one's identifiers: no
// namespace has a dot in its name, so no prefix is the prefix of another.
func clientIDPrefix(application *v1alpha1.FAPIApplication) string { return application.Namespace + "." }

func hasIDOfItsNamespace(application *v1alpha1.FAPIApplication) bool {
	return strings.HasPrefix(ClientID(application), clientIDPrefix(application))
}

// CertificateURI is the subject alternative name of the certificate that the
// operator has issued for a client. It names the installation, since several
// installations may share an issuer.
func CertificateURI(installation, clientID string) string {
	return "urn:fapi-operator:" + installation + ":" + clientID
}
