package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FAPIPolicy bounds what the FAPIApplications of some namespaces may ask for. Every policy that names a namespace applies to
// it: an application must keep all of their bounds, and what breaks one is refused when it is applied. A policy that becomes
// narrower refuses the next change of an application, and is told in its status; what is registered stays registered.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:path=fapipolicies,singular=fapipolicy,scope=Cluster
// +kubebuilder:printcolumn:name="Namespaces",type=string,JSONPath=`.spec.namespaces`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type FAPIPolicy struct {
	metav1.TypeMeta `json:",inline"`

	// Standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// The bounds, and for whom.
	//
	// +required
	Spec FAPIPolicySpec `json:"spec"`
}

// FAPIPolicyList is a list of FAPIPolicies.
//
// +kubebuilder:object:root=true
type FAPIPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []FAPIPolicy `json:"items"`
}

// FAPIPolicySpec states bounds. One that is absent bounds nothing; an empty list allows nothing.
type FAPIPolicySpec struct {
	// Names of the namespaces that the policy is for. A * stands for any number of
	// characters, also none: team-* or *. Names rather than labels, which whoever
	// administers a namespace may change.
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?$`
	Namespaces []string `json:"namespaces"`

	// Client identifiers that may be stated although they do not begin with the
	// namespace and a dot: of clients that were registered elsewhere before. A *
	// stands for any number of characters. This allows, where all else bounds: one
	// policy of the namespace is enough.
	// Absent: none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9*][A-Za-z0-9._*-]*$`
	ForeignClientIDs []string `json:"foreignClientIDs,omitempty"`

	// Owners whose clients may be taken over, as installation/namespace/name. A *
	// stands for any number of characters of one part. An application takes a client
	// over when annotation fapi-operator.io/adopt-from names the owner. This allows,
	// where all else bounds: one policy of the namespace is enough.
	// Absent: none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:Pattern=`^[A-Za-z0-9*][A-Za-z0-9._*-]*(/[A-Za-z0-9*][A-Za-z0-9._*-]*){2}$`
	AdoptableOwners []string `json:"adoptableOwners,omitempty"`

	// Hosts that redirect URIs may have, without a port. *.example.com stands for
	// every name below example.com, but not for itself.
	// Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=255
	// +kubebuilder:validation:items:Pattern=`^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$`
	RedirectHosts []string `json:"redirectHosts,omitempty"`

	// Scope values that clients may have.
	// Absent: any that the server offers.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=256
	Scopes []string `json:"scopes,omitempty"`

	// Types of authorization_details that clients may have (RFC 9396).
	// Absent: any that the server offers.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=256
	AuthorizationDetailsTypes []string `json:"authorizationDetailsTypes,omitempty"`

	// How long an access token may be valid, as a duration such as 10m; where an
	// application states no lifetime, its default counts.
	// Absent: as long as the server allows.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s')",message="must be a duration of at least 1s, such as 10m"
	MaxAccessTokenLifetime *metav1.Duration `json:"maxAccessTokenLifetime,omitempty"`

	// cert-manager issuers that may sign the certificates of clients
	// (mutualTLS.certificate.issuerRef). Whoever is issued another client's name by a
	// shared issuer can pass for that client: name issuers that sign what this
	// operator asks for, and nothing else.
	// Absent: any.
	//
	// +optional
	// +kubebuilder:validation:MaxItems=64
	Issuers []IssuerReference `json:"issuers,omitempty"`

	// Names of other namespaces from which keys and trust anchors may be read, where
	// those grant it. A * stands for any number of characters, also none. An empty
	// list keeps references in their own namespace.
	// Absent: any.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?$`
	ReferenceNamespaces []string `json:"referenceNamespaces,omitempty"`

	// Profiles that applications may amount to: FAPI2 Security Profile, FAPI2
	// Message Signing.
	// Absent: either.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=2
	Profiles []Profile `json:"profiles,omitempty"`
}

// Profile is what the settings of an application amount to.
//
// +kubebuilder:validation:Enum="FAPI2 Security Profile";"FAPI2 Message Signing"
type Profile string

// The profiles of FAPI 2.0.
const (
	ProfileSecurity       Profile = "FAPI2 Security Profile"
	ProfileMessageSigning Profile = "FAPI2 Message Signing"
)
