package v1alpha1

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Keys says where the client's public keys come from: source names one of the members beside it.
//
// +kubebuilder:validation:XValidation:rule="has(self.jwks) == (self.source == 'JWKS')",message="jwks must be set with source JWKS, and only then",fieldPath=".jwks"
// +kubebuilder:validation:XValidation:rule="has(self.jwksURI) == (self.source == 'JWKSURI')",message="jwksURI must be set with source JWKSURI, and only then",fieldPath=".jwksURI"
// +kubebuilder:validation:XValidation:rule="has(self.secretRef) == (self.source == 'SecretRef')",message="secretRef must be set with source SecretRef, and only then",fieldPath=".secretRef"
// +kubebuilder:validation:XValidation:rule="has(self.configMapRef) == (self.source == 'ConfigMapRef')",message="configMapRef must be set with source ConfigMapRef, and only then",fieldPath=".configMapRef"
// +kubebuilder:validation:XValidation:rule="!has(self.managed) || self.source == 'Managed'",message="managed may be set with source Managed only",fieldPath=".managed"
type Keys struct {
	// Where the public keys come from: JWKS (by value in this resource), JWKSURI
	// (the server fetches them), SecretRef or ConfigMapRef (the operator reads
	// them), Managed (the operator makes and rotates a key
	// pair, and keeps it in a Secret of this namespace).
	//
	// +required
	Source KeySource `json:"source"`

	// With source JWKS: the JSON Web Key Set (RFC 7517, 5; RFC 7591, 2: jwks).
	// Public keys only: a set with a private member is refused. RSA keys have at
	// least 2048 bits, elliptic curve keys at least 224 (FAPI 2.0 Security
	// Profile, 5.4.1-2 and 5.4.1-3).
	// Absent: with another source.
	//
	// +optional
	// +kubebuilder:validation:Type=object
	// +mapType=atomic
	// +kubebuilder:pruning:PreserveUnknownFields
	JWKS *apiextensionsv1.JSON `json:"jwks,omitempty"`

	// With source JWKSURI: the https URL of the client's JSON Web Key Set (RFC
	// 7591, 2: jwks_uri; FAPI 2.0 Security Profile, 5.4.2-1).
	// Absent: with another source.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	JWKSURI string `json:"jwksURI,omitempty"`

	// With source SecretRef: the entry that holds a JSON Web Key Set of public
	// keys. The Secret needs the label fapi-operator.io/application.
	// Absent: with another source.
	//
	// +optional
	SecretRef *SecretReference `json:"secretRef,omitempty"`

	// With source ConfigMapRef: the entry that holds a JSON Web Key Set of public
	// keys.
	// Absent: with another source.
	//
	// +optional
	ConfigMapRef *ConfigMapReference `json:"configMapRef,omitempty"`

	// With source Managed: the key pair that the operator makes.
	// Absent: a key for ES256.
	//
	// +optional
	Managed *ManagedKeys `json:"managed,omitempty"`
}

// ManagedKeys describes the key pair with which the client signs. Where the spec has responses encrypted, the operator makes keys
// for that too, by their encryptedResponseAlg.
type ManagedKeys struct {
	// The algorithm that the key is for, one of PS256, ES256 and EdDSA (FAPI 2.0
	// Security Profile, 5.4.1-1). It must fit the algorithms with which the
	// client signs.
	// Absent: ES256.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SigningAlg string `json:"signingAlg,omitempty"`

	// When another key takes the place of this one. Each new value of the
	// annotation fapi-operator.io/rotate-key rotates besides, at once.
	// Absent: the key stays until the annotation asks for another.
	//
	// +optional
	Rotation *KeyRotation `json:"rotation,omitempty"`
}

// KeyRotation says when the operator replaces a key that it made. The next key is registered before its Secret shows it, and the
// former one stays registered beside it for a while, so that no request of the application is refused meanwhile.
type KeyRotation struct {
	// How long a key is in use, as a duration such as 720h: at least 1h.
	// Absent: time replaces no key.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="string(duration(self)) != ''",message="must be a duration such as 720h"
	Period *metav1.Duration `json:"period,omitempty"`

	// How long the former key stays registered, from the moment that the Secret
	// shows the new one, as a duration such as 24h: at least 5m, and shorter than
	// period. It is the time that the application has to take up the new key, the
	// kubelet's own delay included, which is a minute or two.
	// Absent: 1h.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="string(duration(self)) != ''",message="must be a duration such as 24h"
	Overlap *metav1.Duration `json:"overlap,omitempty"`
}

// KeySource is a place from which a client's public keys come.
//
// +kubebuilder:validation:Enum=JWKS;JWKSURI;SecretRef;ConfigMapRef;Managed
type KeySource string

const (
	// KeySourceJWKS takes the keys by value from keys.jwks.
	KeySourceJWKS KeySource = "JWKS"
	// KeySourceJWKSURI lets the server fetch the keys from keys.jwksURI.
	KeySourceJWKSURI KeySource = "JWKSURI"
	// KeySourceSecretRef reads the keys from a Secret.
	KeySourceSecretRef KeySource = "SecretRef"
	// KeySourceConfigMapRef reads the keys from a ConfigMap.
	KeySourceConfigMapRef KeySource = "ConfigMapRef"
	// KeySourceManaged lets the operator make the keys and keep them in a Secret of the same namespace.
	KeySourceManaged KeySource = "Managed"
)

// Entries of the Secret that holds a managed key.
const (
	// PrivateJWKEntry is the private key as a JWK (RFC 7517).
	PrivateJWKEntry = "private-jwk.json"
	// PrivatePEMEntry is the same key in PEM (PKCS #8, RFC 5958).
	PrivatePEMEntry = "private-key.pem"
	// PublicJWKSEntry is the public half as a JWK Set, with those of former keys that are still registered.
	PublicJWKSEntry = "jwks.json"
	// DecryptionJWKSEntry are the private keys that responses are encrypted to, as a JWK Set, the newest first; absent where no
	// response is encrypted.
	DecryptionJWKSEntry = "decryption-jwks.json"
)
