package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MutualTLS is what the operator does for a client that uses mutual TLS.
type MutualTLS struct {
	// The certificate that cert-manager issues and renews for the client. Its
	// subject alternative name is a URI that the operator derives from the
	// client, and the server's matcher with it.
	//
	// +required
	Certificate ClientCertificate `json:"certificate"`
}

// ClientCertificate describes the cert-manager Certificate that the operator keeps for the client.
type ClientCertificate struct {
	// The cert-manager issuer that signs the certificate.
	//
	// +required
	IssuerRef IssuerReference `json:"issuerRef"`

	// How long a certificate is valid, as a duration such as 2160h.
	// Absent: cert-manager's default, 90 days.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="string(duration(self)) != ''",message="must be a duration such as 2160h"
	Duration *metav1.Duration `json:"duration,omitempty"`

	// How long before its end a certificate is renewed, as a duration such as
	// 360h.
	// Absent: when 33 to 42 percent of its validity are left, other ones for each
	// client, so that those that were applied together are not renewed together.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="string(duration(self)) != ''",message="must be a duration such as 360h"
	RenewBefore *metav1.Duration `json:"renewBefore,omitempty"`

	// The certificate's private key.
	// Absent: ECDSA on P-256.
	//
	// +optional
	PrivateKey *CertificatePrivateKey `json:"privateKey,omitempty"`

	// How long what a renewal replaces stays registered, as a duration such as 1h:
	// with self_signed_tls_client_auth the former certificate, from the moment
	// that the Secret shows the new one, and with tls_client_auth what ca.crt held
	// before the issuer's CA changed. It is the time that the application has to
	// take up the new certificate, the kubelet's own delay included, which is a
	// minute or two: at least 5m, and shorter than duration. 0s: it is registered
	// no longer than that, for when somebody else may have the private key.
	// Absent: 1h.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="string(duration(self)) != ''",message="must be a duration such as 1h"
	Overlap *metav1.Duration `json:"overlap,omitempty"`

	// Name of the Secret of this namespace that holds the certificate (tls.crt),
	// its private key (tls.key) and the issuer's certificate (ca.crt).
	// Absent: <name>-mtls, with the name of this resource.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	SecretName string `json:"secretName,omitempty"`
}

// IssuerReference names a cert-manager issuer.
type IssuerReference struct {
	// Name of the issuer.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Kind of the issuer: Issuer (of this namespace), ClusterIssuer, or the kind
	// of an external one.
	// Absent: Issuer.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// API group of the issuer.
	// Absent: cert-manager.io.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Group string `json:"group,omitempty"`
}

// CertificatePrivateKey describes the private key of a client's certificate.
type CertificatePrivateKey struct {
	// Algorithm of the key: ECDSA, RSA or Ed25519.
	// Absent: ECDSA.
	//
	// +optional
	Algorithm PrivateKeyAlgorithm `json:"algorithm,omitempty"`

	// Size of the key in bits: 256, 384 or 521 for ECDSA; 2048, 4096 or 8192 for
	// RSA (FAPI 2.0 Security Profile, 5.4.1-2 and 5.4.1-3, ask for at least 224
	// and 2048); not for Ed25519.
	// Absent: 256 for ECDSA, 2048 for RSA.
	//
	// +optional
	Size *int32 `json:"size,omitempty"`
}

// PrivateKeyAlgorithm is an algorithm that cert-manager makes private keys for.
//
// +kubebuilder:validation:Enum=ECDSA;RSA;Ed25519
type PrivateKeyAlgorithm string

const (
	// PrivateKeyECDSA is an elliptic curve key.
	PrivateKeyECDSA PrivateKeyAlgorithm = "ECDSA"
	// PrivateKeyRSA is an RSA key.
	PrivateKeyRSA PrivateKeyAlgorithm = "RSA"
	// PrivateKeyEd25519 is an Edwards curve key.
	PrivateKeyEd25519 PrivateKeyAlgorithm = "Ed25519"
)
