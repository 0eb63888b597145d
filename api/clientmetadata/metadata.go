package clientmetadata

import (
	"encoding/json"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Resolved is what a spec refers to or is bound by, as far as it is known. Admission
// makes no request and knows only the certificate's name and the policies.
type Resolved struct {
	// Policies bound the application (PoliciesFor its namespace).
	Policies []v1alpha1.FAPIPolicy
	// JWKS are the public keys from a Secret, a ConfigMap or the operator, and
	// the key of a registered certificate. Nil: not known, or stated in the spec.
	JWKS json.RawMessage
	// RevokedKeyIDs are the kid of keys that the operator made and a person revoked.
	RevokedKeyIDs []string
	// TrustAnchors are CA certificates in PEM, from a ConfigMap or of the managed
	// certificate's issuer. Empty: not known, or stated in the spec.
	TrustAnchors string
	// CertificateURI is the name in the managed certificate (CertificateURI).
	CertificateURI string
}

// FromApplication gives the metadata that the application means. Stated values
// stay as they are, for the rule book to judge.
func FromApplication(application *v1alpha1.FAPIApplication, resolved Resolved) registration.Metadata {
	spec := read(&application.Spec)
	metadata := registration.Metadata{ClientID: ClientID(application)}
	for _, row := range table {
		if row.set != nil {
			row.set(&metadata, spec)
		}
	}
	if resolved.JWKS != nil {
		metadata.JWKS = resolved.JWKS
	}
	metadata.RevokedKeyIDs = resolved.RevokedKeyIDs
	if resolved.TrustAnchors != "" {
		metadata.TLSClientAuthTrustAnchors = resolved.TrustAnchors
	}
	if DerivesMatcher(&application.Spec) && application.Spec.ClientAuthentication.TLS == nil {
		metadata.TLSClientAuthSANURI = resolved.CertificateURI
	}
	return metadata
}

// pending names the members that the application states but whose content is
// not resolved yet.
func pending(application *v1alpha1.FAPIApplication, resolved Resolved) []string {
	spec := &application.Spec
	var members []string
	if resolved.JWKS == nil && (ReadsKeys(spec) || RegistersCertificate(spec)) {
		members = append(members, memberJWKS)
	}
	derivesAnchors := DerivesMatcher(spec) && spec.ClientAuthentication.TLS == nil
	if resolved.TrustAnchors == "" && (derivesAnchors || read(spec).anchors.ConfigMapRef != nil) {
		members = append(members, memberTrustAnchors)
	}
	return members
}
