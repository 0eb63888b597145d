package clientmetadata

import (
	"slices"
	"strings"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// bindingEntries are the entries of a binding that may have another name. A
// projected binding has a type under this name (Service Binding for Kubernetes,
// Workload Projection), and the provider goes with it.
var bindingEntries = []string{
	v1alpha1.BindingIssuer, v1alpha1.BindingMetadataURL,
	v1alpha1.BindingAuthorizationEndpoint, v1alpha1.BindingPAREndpoint, v1alpha1.BindingTokenEndpoint, v1alpha1.BindingUserinfoEndpoint,
	v1alpha1.BindingRevocationEndpoint, v1alpha1.BindingIntrospectionEndpoint, v1alpha1.BindingJWKSURI,
	v1alpha1.BindingClientID, v1alpha1.BindingAuthMethod, v1alpha1.BindingAuthSigningAlg, v1alpha1.BindingSenderConstraint,
	v1alpha1.BindingKeySecret, v1alpha1.BindingKeyJWKEntry, v1alpha1.BindingKeyPEMEntry, v1alpha1.BindingDecryptionKeysEntry,
	v1alpha1.BindingCertificateSecret, v1alpha1.BindingCertificateEntry, v1alpha1.BindingCertificateKeyEntry,
	v1alpha1.BindingCA,
}

// BindingEntryName is the name that the entry has in the application's binding.
func BindingEntryName(spec *v1alpha1.FAPIApplicationSpec, entry string) string {
	if stated, renamed := read(spec).binding.Entries[entry]; renamed {
		return string(stated)
	}
	return entry
}

func renamesKnownEntries(application *v1alpha1.FAPIApplication) bool {
	for entry := range read(&application.Spec).binding.Entries {
		if !slices.Contains(bindingEntries, entry) {
			return false
		}
	}
	return true
}

func bindingNamesDiffer(application *v1alpha1.FAPIApplication) bool {
	seen := map[string]bool{v1alpha1.BindingType: true, v1alpha1.BindingProvider: true}
	for _, entry := range bindingEntries {
		name := BindingEntryName(&application.Spec, entry)
		if seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

// wellKnownNamesFit: of the names to which the specification gives a meaning, uri
// takes a URI and username a client identifier; what the others ask for is in no binding.
func wellKnownNamesFit(application *v1alpha1.FAPIApplication) bool {
	for entry, name := range read(&application.Spec).binding.Entries {
		switch name {
		case "host", "port", "password", "certificates", "private-key":
			return false
		case "uri":
			if !holdsURI(entry) {
				return false
			}
		case "username":
			if entry != v1alpha1.BindingClientID {
				return false
			}
		}
	}
	return true
}

func holdsURI(entry string) bool {
	return entry == v1alpha1.BindingIssuer || entry == v1alpha1.BindingMetadataURL || entry == v1alpha1.BindingJWKSURI || strings.HasSuffix(entry, "-endpoint")
}
