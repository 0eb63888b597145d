package v1alpha1

// ClientAuthentication says how the client proves to the server who it is.
type ClientAuthentication struct {
	// The client's authentication method (RFC 7591, 2:
	// token_endpoint_auth_method), one of private_key_jwt, tls_client_auth and
	// self_signed_tls_client_auth. Secrets and public clients are refused (FAPI
	// 2.0 Security Profile, 5.3.2.1-3 and 5.3.2.1-6).
	//
	// +required
	// +kubebuilder:validation:MaxLength=64
	Method string `json:"method"`

	// With private_key_jwt: the algorithm with which the client signs its
	// assertions (token_endpoint_auth_signing_alg), one of PS256, ES256 and EdDSA
	// (FAPI 2.0 Security Profile, 5.4.1-1).
	// Absent: ES256.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SigningAlg string `json:"signingAlg,omitempty"`

	// With tls_client_auth: which certificate is the client's.
	// Absent: derived from mutualTLS.certificate, which the operator then
	// manages; stating both is refused.
	//
	// +optional
	TLS *TLSClientAuthentication `json:"tls,omitempty"`
}

// TLSClientAuthentication names the client's certificate by exactly one of subject and subject alternative name
// (RFC 8705, 2.1.2), and the authorities that may have issued it.
type TLSClientAuthentication struct {
	// Subject distinguished name of the certificate, in the string form of RFC
	// 4514 (tls_client_auth_subject_dn), compared as parsed names.
	// Absent: another member names the certificate.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	SubjectDN string `json:"subjectDN,omitempty"`

	// A dNSName among the certificate's subject alternative names
	// (tls_client_auth_san_dns).
	// Absent: another member names the certificate.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SANDNS string `json:"sanDNS,omitempty"`

	// A uniformResourceIdentifier among the certificate's subject alternative
	// names (tls_client_auth_san_uri).
	// Absent: another member names the certificate.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	SANURI string `json:"sanURI,omitempty"`

	// An iPAddress among the certificate's subject alternative names, in dotted
	// or colon notation (tls_client_auth_san_ip).
	// Absent: another member names the certificate.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SANIP string `json:"sanIP,omitempty"`

	// An rfc822Name among the certificate's subject alternative names
	// (tls_client_auth_san_email).
	// Absent: another member names the certificate.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=320
	SANEmail string `json:"sanEmail,omitempty"`

	// The certificate authorities that may have issued the certificate. They
	// count for this client alone: an authority of one client never vouches for
	// another.
	// Absent: none may, which tls_client_auth does not allow.
	//
	// +optional
	TrustAnchors *TrustAnchors `json:"trustAnchors,omitempty"`
}

// TrustAnchors are certificate authorities: by value, from a ConfigMap, or a bundle that the server's configuration names.
//
// +kubebuilder:validation:XValidation:rule="[has(self.pem), has(self.configMapRef), has(self.bundle)].exists_one(stated, stated)",message="exactly one of pem, configMapRef and bundle must be set"
type TrustAnchors struct {
	// Certificates in PEM, at most 64 KiB.
	// Absent: configMapRef or bundle is set.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	PEM string `json:"pem,omitempty"`

	// A ConfigMap that holds the certificates in PEM.
	// Absent: pem or bundle is set.
	//
	// +optional
	ConfigMapRef *ConfigMapReference `json:"configMapRef,omitempty"`

	// Name of a bundle in the server's configuration.
	// Absent: pem or configMapRef is set.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Bundle string `json:"bundle,omitempty"`
}

// ConfigMapReference names one entry of a ConfigMap, in the resource's own namespace or in another one that grants it.
type ConfigMapReference struct {
	// Name of the ConfigMap.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Namespace of the ConfigMap, which has to grant it: by the annotation
	// fapi-operator.io/granted-to on it, which names this resource's namespace.
	// Absent: this resource's own.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// Key of the entry in the ConfigMap's data.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}

// SecretReference names one entry of a Secret, in the resource's own namespace or in another one that grants it. The operator reads
// Secrets with the label fapi-operator.io/application alone.
type SecretReference struct {
	// Name of the Secret.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Namespace of the Secret, which has to grant it: by the annotation
	// fapi-operator.io/granted-to on it, which names this resource's namespace.
	// Absent: this resource's own.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	Namespace string `json:"namespace,omitempty"`

	// Key of the entry in the Secret's data.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key"`
}
