package controllers

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// bindingType is what software looks for a binding by, and bindingProvider which of
// that type this is (Service Binding for Kubernetes, Provisioned Service).
const (
	bindingType     = "oauth2"
	bindingProvider = "fapi-operator"
)

// bindingData is what the Secret is to hold, under the names that the spec gives. It
// leaves out what this client does not need.
func (p *passage) bindingData(published publication) map[string][]byte {
	data := map[string][]byte{}
	for _, entries := range []map[string]string{p.serverEntries(published), p.clientEntries(), p.keyEntries(), p.certificateEntries()} {
		for entry, value := range entries {
			if value != "" {
				data[clientmetadata.BindingEntryName(&p.application.Spec, entry)] = []byte(value)
			}
		}
	}
	return data
}

// serverEntries say where this client finds what.
func (p *passage) serverEntries(published publication) map[string]string {
	endpoints := published.endpoints
	if presentsCertificate(p.status.Effective) {
		endpoints = endpoints.ForCertificates()
	}
	entries := map[string]string{
		v1alpha1.BindingIssuer:                published.issuer,
		v1alpha1.BindingMetadataURL:           published.metadataURL,
		v1alpha1.BindingTokenEndpoint:         endpoints.Token,
		v1alpha1.BindingRevocationEndpoint:    endpoints.Revocation,
		v1alpha1.BindingIntrospectionEndpoint: endpoints.Introspection,
		v1alpha1.BindingJWKSURI:               endpoints.JWKSURI,
		v1alpha1.BindingCA:                    published.authorities,
	}
	if len(p.status.Effective.ResponseTypes) > 0 {
		entries[v1alpha1.BindingAuthorizationEndpoint] = endpoints.Authorization
		entries[v1alpha1.BindingPAREndpoint] = endpoints.PAR
	}
	if slices.Contains(p.status.Effective.Scopes, oauth.ScopeOpenID) {
		entries[v1alpha1.BindingUserinfoEndpoint] = endpoints.Userinfo
	}
	return entries
}

// presentsCertificate: to authenticate, or to have tokens bound to it.
func presentsCertificate(effective *v1alpha1.EffectiveSettings) bool {
	return effective.SenderConstraint == v1alpha1.SenderConstraintMutualTLS ||
		effective.TokenEndpointAuthMethod == oauth.AuthTLSClient || effective.TokenEndpointAuthMethod == oauth.AuthSelfSignedTLS
}

// clientEntries say who the client is, and how it proves that.
func (p *passage) clientEntries() map[string]string {
	return map[string]string{
		v1alpha1.BindingType:             bindingType,
		v1alpha1.BindingProvider:         bindingProvider,
		v1alpha1.BindingClientID:         p.clientID,
		v1alpha1.BindingAuthMethod:       p.status.Effective.TokenEndpointAuthMethod,
		v1alpha1.BindingAuthSigningAlg:   p.status.Effective.TokenEndpointAuthSigningAlg,
		v1alpha1.BindingSenderConstraint: string(p.status.Effective.SenderConstraint),
	}
}

// keyEntries say where the key is that the operator makes.
func (p *passage) keyEntries() map[string]string {
	if p.keyring == nil {
		return nil
	}
	entries := map[string]string{
		v1alpha1.BindingKeySecret:   ManagedKeySecretName(p.application),
		v1alpha1.BindingKeyJWKEntry: v1alpha1.PrivateJWKEntry,
		v1alpha1.BindingKeyPEMEntry: v1alpha1.PrivatePEMEntry,
	}
	if len(clientmetadata.ManagedEncryptionAlgs(&p.application.Spec)) > 0 {
		entries[v1alpha1.BindingDecryptionKeysEntry] = v1alpha1.DecryptionJWKSEntry
	}
	return entries
}

// certificateEntries say where the certificate is that cert-manager issues.
func (p *passage) certificateEntries() map[string]string {
	if !clientmetadata.HasManagedCertificate(&p.application.Spec) {
		return nil
	}
	return map[string]string{
		v1alpha1.BindingCertificateSecret:   CertificateSecretName(p.application),
		v1alpha1.BindingCertificateEntry:    corev1.TLSCertKey,
		v1alpha1.BindingCertificateKeyEntry: corev1.TLSPrivateKeyKey,
	}
}
