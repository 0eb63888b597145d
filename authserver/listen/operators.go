package listen

import (
	"crypto/x509"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Operators are the callers of the private listener that may register clients.
type Operators struct {
	// free are believed whichever installation they say that they are.
	free Names
	// bound are the installations that each name may act for.
	bound map[string][]string
}

// OperatorsOf are those that the listener's configuration lists.
func OperatorsOf(listener config.PrivateListener) Operators {
	return Operators{listener.AllowedClientSANs, listener.BoundClientSANs}
}

// In tells whether the owner of the certificate is one of them.
func (o Operators) In(caller *x509.Certificate) bool {
	installations := o.Installations(caller)
	return installations.Any || len(installations.Named) > 0
}

// Installations are those that the owner of the certificate may act for: a
// certificate with several names may do what each of them may.
func (o Operators) Installations(caller *x509.Certificate) registration.Installations {
	installations := registration.Installations{Any: o.free.In(caller)}
	for name, bound := range o.bound {
		if (Names{name}).In(caller) {
			installations.Named = append(installations.Named, bound...)
		}
	}
	return installations
}
