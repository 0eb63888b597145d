package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FAPIServer tells what the authorization server of one installation is and serves, replica by replica. The operator makes
// it and writes its status; there is nothing to state in it. Deleted, it is made anew.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=fapiservers,singular=fapiserver,categories=fapi,scope=Cluster
// +kubebuilder:printcolumn:name="Issuer",type=string,JSONPath=`.status.issuer`
// +kubebuilder:printcolumn:name="Replicas",type=integer,JSONPath=`.status.readyReplicas`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Revision",type=integer,priority=1,JSONPath=`.status.revision`
// +kubebuilder:printcolumn:name="Next key",type=string,priority=1,JSONPath=`.status.nextKeyAt`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type FAPIServer struct {
	metav1.TypeMeta `json:",inline"`

	// Standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What the replicas of the authorization server told. Written by the operator
	// only, and only when it changes.
	//
	// +optional
	Status FAPIServerStatus `json:"status,omitempty"`
}

// FAPIServerList is a list of FAPIServers.
//
// +kubebuilder:object:root=true
type FAPIServerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []FAPIServer `json:"items"`
}

// FAPIServerStatus is what the replicas told when they were last asked.
type FAPIServerStatus struct {
	// Issuer identifier that the server serves: an https URL.
	// Absent: no replica has told.
	//
	// +optional
	Issuer string `json:"issuer,omitempty"`

	// Where clients with a certificate come (RFC 8705, 5).
	// Absent: no replica has told.
	//
	// +optional
	MTLSBaseURL string `json:"mtlsBaseURL,omitempty"`

	// How many replicas are ready and have answered.
	//
	// +optional
	ReadyReplicas int32 `json:"readyReplicas"`

	// The replicas that are ready, by name.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	Replicas []ReplicaStatus `json:"replicas,omitempty"`

	// The lowest revision that a ready replica serves: every one of them knows
	// every registration up to it.
	// Absent: there is no ready replica, or one has not answered.
	//
	// +optional
	Revision *int64 `json:"revision,omitempty"`

	// The server's own keys, public facts alone: by use and algorithm, oldest first.
	//
	// +optional
	// +listType=map
	// +listMapKey=keyID
	Keys []ServerKeyStatus `json:"keys,omitempty"`

	// When the server makes its next key. It takes over an hour later.
	// Absent: no replica has told.
	//
	// +optional
	NextKeyAt *metav1.Time `json:"nextKeyAt,omitempty"`

	// Ready and RevisionsAgree.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// ReplicaStatus is what one ready replica told of itself.
type ReplicaStatus struct {
	// Name of the pod; where there is none, the address.
	//
	// +required
	Name string `json:"name"`

	// Where the replica was asked: address and port.
	//
	// +optional
	Address string `json:"address,omitempty"`

	// Version of the program.
	// Absent: it has not answered.
	//
	// +optional
	Version string `json:"version,omitempty"`

	// Version of the store's schema that the program works with.
	// Absent: it has not answered.
	//
	// +optional
	SchemaVersion int64 `json:"schemaVersion,omitempty"`

	// Revision that the replica serves: it knows every registration up to it.
	// Absent: it has not answered.
	//
	// +optional
	Revision *int64 `json:"revision,omitempty"`

	// Why there is no answer.
	// Absent: there is one.
	//
	// +optional
	Message string `json:"message,omitempty"`
}

// ServerKeyStatus is one of the server's own keys.
type ServerKeyStatus struct {
	// Key identifier (RFC 7517, 4.5: kid).
	//
	// +required
	KeyID string `json:"keyID"`

	// What the key is for: sig or enc (RFC 7517, 4.2: use).
	//
	// +optional
	Use string `json:"use,omitempty"`

	// Algorithm that the key is for (RFC 7517, 4.4: alg).
	//
	// +optional
	Algorithm string `json:"algorithm,omitempty"`

	// How far the key has come: next, current or previous.
	//
	// +optional
	State string `json:"state,omitempty"`

	// When the key was made.
	//
	// +optional
	CreatedAt metav1.Time `json:"createdAt,omitempty"`
}
