package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FAPIApplicationStatus is what the operator and the server made of the spec. Its sizes are not bounded by the schema:
// the operator alone writes it, and a status that the schema refuses would leave a person without the reason.
type FAPIApplicationStatus struct {
	// Generation of the spec that this status is about.
	// -1: the operator has not looked yet. Without it kstatus, by which Flux and
	// Helm wait, would take a new object for a finished one.
	//
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// Identifier under which the client is registered, or will be (client_id).
	// Absent: not settled yet.
	//
	// +optional
	ClientID string `json:"clientID,omitempty"`

	// Profile that the settings amount to: FAPI2 Security Profile or FAPI2
	// Message Signing.
	// Absent: not accepted.
	//
	// +optional
	Profile string `json:"profile,omitempty"`

	// Settings in force, stated or not.
	// Absent: not accepted.
	//
	// +optional
	Effective *EffectiveSettings `json:"effective,omitempty"`

	// The client's certificate, when the operator takes care of it.
	// Absent: none has been issued.
	//
	// +optional
	Certificate *CertificateStatus `json:"certificate,omitempty"`

	// The client's public keys.
	// Absent: it has none, or they are not known yet.
	//
	// +optional
	Keys *KeysStatus `json:"keys,omitempty"`

	// What the server confirmed.
	// Absent: the client has not been registered.
	//
	// +optional
	Registration *RegistrationStatus `json:"registration,omitempty"`

	// The Secret that tells software of the client how to reach the server.
	// Absent: the spec asks for none, or it is not there yet.
	//
	// +optional
	Binding *BindingStatus `json:"binding,omitempty"`

	// How far the application has come: Accepted, KeysReady, CertificateReady,
	// Registered, BindingReady, and Ready as their summary; Stalled and
	// Reconciling only while they are true.
	// Absent: the operator has not looked yet.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// EffectiveSettings are the settings in force: what the spec states, and what its absences mean.
type EffectiveSettings struct {
	// Grants that the client may use.
	// Absent: none.
	//
	// +optional
	// +listType=set
	GrantTypes []string `json:"grantTypes,omitempty"`

	// Response types that the client may ask for.
	// Absent: none.
	//
	// +optional
	// +listType=set
	ResponseTypes []string `json:"responseTypes,omitempty"`

	// The client's authentication method, in the words of RFC 7591.
	//
	// +optional
	TokenEndpointAuthMethod string `json:"tokenEndpointAuthMethod,omitempty"`

	// Algorithm of the client's assertions.
	// Absent: the method uses none.
	//
	// +optional
	TokenEndpointAuthSigningAlg string `json:"tokenEndpointAuthSigningAlg,omitempty"`

	// What access tokens are bound to: MutualTLS or DPoP.
	//
	// +optional
	SenderConstraint SenderConstraint `json:"senderConstraint,omitempty"`

	// How long an access token is valid.
	//
	// +optional
	AccessTokenLifetime *metav1.Duration `json:"accessTokenLifetime,omitempty"`

	// Algorithm with which the client signs request objects.
	// Absent: it signs none.
	//
	// +optional
	RequestObjectSigningAlg string `json:"requestObjectSigningAlg,omitempty"`

	// Algorithm with which the server signs authorization responses in JWT form (JARM),
	// which the client asks for by response_mode=jwt, or always gets when messageSigning.responses is Required.
	// Absent: the client has no authorization responses.
	//
	// +optional
	AuthorizationResponseSigningAlg string `json:"authorizationResponseSigningAlg,omitempty"`

	// Algorithm with which the server signs ID tokens.
	// Absent: the client gets none.
	//
	// +optional
	IDTokenSigningAlg string `json:"idTokenSigningAlg,omitempty"`

	// Whether every authorization request must be pushed.
	//
	// +optional
	RequirePushedAuthorizationRequests bool `json:"requirePushedAuthorizationRequests"`

	// Whether every authorization request must be a signed request object.
	//
	// +optional
	RequireSignedRequestObject bool `json:"requireSignedRequestObject"`

	// How the code challenge is made.
	// Absent: the client does not use the authorization endpoint.
	//
	// +optional
	PKCEMethod string `json:"pkceMethod,omitempty"`

	// Scope values that the client may ask for.
	// Absent: none.
	//
	// +optional
	// +listType=set
	Scopes []string `json:"scopes,omitempty"`

	// Types of authorization_details that the client may ask for.
	// Absent: none.
	//
	// +optional
	// +listType=set
	AuthorizationDetailsTypes []string `json:"authorizationDetailsTypes,omitempty"`
}

// CertificateStatus is the certificate that the client presents now.
type CertificateStatus struct {
	// Name of the Secret of this namespace that holds the certificate and its
	// private key.
	//
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// When the certificate ends. It is renewed before.
	//
	// +optional
	NotAfter *metav1.Time `json:"notAfter,omitempty"`

	// Serial number of the certificate in lower-case hexadecimal.
	//
	// +optional
	SerialNumber string `json:"serialNumber,omitempty"`

	// SHA-256 thumbprint of the certificate in base64url without padding, as it
	// stands in the cnf claim of an access token (RFC 8705, 3.1: x5t#S256).
	//
	// +optional
	Thumbprint string `json:"thumbprint,omitempty"`

	// Certificates that others have replaced and that are still registered: with
	// self_signed_tls_client_auth those that the Secret showed before, with
	// tls_client_auth those that ca.crt held before.
	// Absent: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=thumbprint
	Former []FormerCertificate `json:"former,omitempty"`
}

// FormerCertificate is a certificate that another one has replaced.
type FormerCertificate struct {
	// SHA-256 thumbprint of the certificate in base64url without padding.
	//
	// +required
	Thumbprint string `json:"thumbprint"`

	// When the certificate leaves the registration.
	//
	// +required
	RegisteredUntil metav1.Time `json:"registeredUntil"`
}

// KeysStatus is the set of public keys that the client has now.
type KeysStatus struct {
	// Where the keys come from, as in the spec.
	//
	// +optional
	Source KeySource `json:"source,omitempty"`

	// Key identifiers (kid) of the set.
	// Absent: the keys have none, or the server fetches them.
	//
	// +optional
	// +listType=atomic
	KeyIDs []string `json:"keyIDs,omitempty"`

	// Name of the Secret of this namespace that holds the private keys which the
	// operator made.
	// Absent: not managed.
	//
	// +optional
	SecretName string `json:"secretName,omitempty"`

	// The keys that the operator made.
	// Absent: not managed, or not in the Secret yet.
	//
	// +optional
	Managed *ManagedKeysStatus `json:"managed,omitempty"`
}

// ManagedKeysStatus tells of the keys that the operator made.
type ManagedKeysStatus struct {
	// Key identifier (kid) of the key that the Secret shows.
	//
	// +optional
	KeyID string `json:"keyID,omitempty"`

	// Algorithm that the key is for.
	//
	// +optional
	Algorithm string `json:"algorithm,omitempty"`

	// Since when the Secret shows the key.
	//
	// +optional
	Created *metav1.Time `json:"created,omitempty"`

	// When the next key takes its place.
	// Absent: no time is set for that.
	//
	// +optional
	NextRotation *metav1.Time `json:"nextRotation,omitempty"`

	// Keys that the Secret showed before and that are still registered.
	// Absent: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=keyID
	Former []FormerKey `json:"former,omitempty"`

	// Private keys in the Secret that responses are encrypted to, the newest first.
	// Absent: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=keyID
	Decryption []DecryptionKey `json:"decryption,omitempty"`

	// Value of the annotation fapi-operator.io/rotate-key that has been acted on.
	// Absent: none.
	//
	// +optional
	RotateKey string `json:"rotateKey,omitempty"`

	// Key identifiers (kid) of the keys that the annotation
	// fapi-operator.io/revoke-key has named: none of them is registered again.
	// Absent: none.
	//
	// +optional
	// +listType=atomic
	Revoked []string `json:"revoked,omitempty"`
}

// FormerKey is a key that another one has replaced.
type FormerKey struct {
	// Key identifier (kid).
	//
	// +required
	KeyID string `json:"keyID"`

	// When the key leaves the registration.
	//
	// +required
	RegisteredUntil metav1.Time `json:"registeredUntil"`
}

// DecryptionKey is a key that responses are encrypted to.
type DecryptionKey struct {
	// Key identifier (kid).
	//
	// +required
	KeyID string `json:"keyID"`

	// Algorithm that the key is for.
	//
	// +optional
	Algorithm string `json:"algorithm,omitempty"`

	// Since when the server encrypts to it, or will: an overlap after the Secret
	// shows it.
	//
	// +required
	RegisteredFrom metav1.Time `json:"registeredFrom"`

	// When it leaves the Secret, an overlap after another key was registered in
	// its place.
	// Absent: no other key is to take its place yet.
	//
	// +optional
	KeptUntil *metav1.Time `json:"keptUntil,omitempty"`
}

// RegistrationStatus is what the server confirmed of the client.
type RegistrationStatus struct {
	// Issuer identifier of the server that holds the client: an https URL.
	//
	// +optional
	Issuer string `json:"issuer,omitempty"`

	// Revision that the server gave to the registration; it only grows.
	//
	// +optional
	Revision int64 `json:"revision,omitempty"`

	// Digest of the metadata that the server holds. A difference from what the
	// spec means is registered again.
	//
	// +optional
	ContentHash string `json:"contentHash,omitempty"`

	// When the server last confirmed a change of the registration.
	//
	// +optional
	LastRegistered *metav1.Time `json:"lastRegistered,omitempty"`
}
