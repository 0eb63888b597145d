package v1alpha1

// Binding describes the Secret that tells software of the client how to reach the server, after the Service Binding specification
// for Kubernetes. It holds no private key, and says where the keys are.
type Binding struct {
	// Name of the Secret of this namespace.
	// Absent: <name>-binding, with the name of this resource.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	SecretName string `json:"secretName,omitempty"`

	// Other names for entries of the Secret, by the names that they have
	// otherwise: issuer, metadata-url, authorization-endpoint,
	// pushed-authorization-request-endpoint, token-endpoint, userinfo-endpoint,
	// revocation-endpoint, introspection-endpoint, jwks-uri, client-id,
	// token-endpoint-auth-method, token-endpoint-auth-signing-alg,
	// sender-constraint, key-secret, key-jwk-entry, key-pem-entry,
	// decryption-keys-entry, certificate-secret, certificate-entry,
	// certificate-key-entry, ca.crt. The entries type and provider keep their
	// names.
	// Absent: every entry has the name that is listed here.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=32
	Entries map[string]EntryName `json:"entries,omitempty"`
}

// EntryName is the name of an entry of a Secret.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=253
// +kubebuilder:validation:Pattern=`^(\.?[-_a-zA-Z0-9])[-._a-zA-Z0-9]*$`
type EntryName string

// Entries of the Secret of a binding. An entry that the client does not need is left out.
const (
	// BindingType is what the binding is for (Service Binding for Kubernetes, Provisioned Service).
	BindingType = "type"
	// BindingProvider is who has made it.
	BindingProvider = "provider"
	// BindingIssuer is the server's issuer identifier.
	BindingIssuer = "issuer"
	// BindingMetadataURL is where the server publishes its metadata.
	BindingMetadataURL = "metadata-url"
	// BindingAuthorizationEndpoint is where people's browsers are sent.
	BindingAuthorizationEndpoint = "authorization-endpoint"
	// BindingPAREndpoint takes authorization requests (RFC 9126).
	BindingPAREndpoint = "pushed-authorization-request-endpoint"
	// BindingTokenEndpoint is where this client gets tokens.
	BindingTokenEndpoint = "token-endpoint"
	// BindingUserinfoEndpoint tells an OpenID Connect client of a person.
	BindingUserinfoEndpoint = "userinfo-endpoint"
	// BindingRevocationEndpoint revokes tokens (RFC 7009).
	BindingRevocationEndpoint = "revocation-endpoint"
	// BindingIntrospectionEndpoint tells of tokens (RFC 7662).
	BindingIntrospectionEndpoint = "introspection-endpoint"
	// BindingJWKSURI has the server's public keys.
	BindingJWKSURI = "jwks-uri"
	// BindingClientID is the client identifier.
	BindingClientID = "client-id"
	// BindingAuthMethod is how the client authenticates.
	BindingAuthMethod = "token-endpoint-auth-method"
	// BindingAuthSigningAlg is the algorithm of the client's assertions.
	BindingAuthSigningAlg = "token-endpoint-auth-signing-alg"
	// BindingSenderConstraint is what access tokens are bound to: MutualTLS or DPoP.
	BindingSenderConstraint = "sender-constraint"
	// BindingKeySecret names the Secret of the managed key, and the three others entries of it.
	BindingKeySecret           = "key-secret"
	BindingKeyJWKEntry         = "key-jwk-entry"
	BindingKeyPEMEntry         = "key-pem-entry"
	BindingDecryptionKeysEntry = "decryption-keys-entry"
	// BindingCertificateSecret names the Secret of the managed certificate, and the two others entries of it.
	BindingCertificateSecret   = "certificate-secret"
	BindingCertificateEntry    = "certificate-entry"
	BindingCertificateKeyEntry = "certificate-key-entry"
	// BindingCA are the authorities that may have issued the server's certificate, in PEM.
	BindingCA = "ca.crt"
)

// BindingStatus is a reference to a Secret of this namespace, as controllers of the Service Binding specification read it.
type BindingStatus struct {
	// Name of the Secret.
	//
	// +optional
	Name string `json:"name,omitempty"`
}
