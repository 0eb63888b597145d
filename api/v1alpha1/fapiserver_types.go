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
// +kubebuilder:printcolumn:name="Self-test",type=string,JSONPath=`.status.selfTest.result`
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

	// Whether the certificate that a client presents reaches the server.
	// Absent: nobody has looked.
	//
	// +optional
	SelfTest *SelfTestStatus `json:"selfTest,omitempty"`

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

// SelfTestStatus is what came of presenting a certificate where clients do.
type SelfTestStatus struct {
	// Whether that very certificate reached the server.
	//
	// +required
	Result SelfTestResult `json:"result"`

	// What happened, in a word.
	//
	// +required
	Reason SelfTestReason `json:"reason"`

	// What happened, and what to do about it.
	//
	// +optional
	Message string `json:"message,omitempty"`

	// When result or reason last changed.
	//
	// +required
	LastTransitionTime metav1.Time `json:"lastTransitionTime"`
}

// SelfTestResult is the verdict of a self-test.
//
// +kubebuilder:validation:Enum=Passed;Failed
type SelfTestResult string

const (
	// SelfTestPassed means that the certificate of a client reaches the server.
	SelfTestPassed SelfTestResult = "Passed"
	// SelfTestFailed means that it does not, or that nobody knows.
	SelfTestFailed SelfTestResult = "Failed"
)

// SelfTestReason says why a self-test passed or failed.
//
// +kubebuilder:validation:Enum=CertificateArrived;NoCertificateArrived;AnotherCertificateArrived;CertificateRefused;UntrustedCertificate;UnexpectedAnswer;Unreachable
type SelfTestReason string

const (
	// SelfTestCertificateArrived means that the server got the certificate that was presented.
	SelfTestCertificateArrived SelfTestReason = "CertificateArrived"
	// SelfTestNoCertificateArrived means that the server got none: something on the way ends TLS.
	SelfTestNoCertificateArrived SelfTestReason = "NoCertificateArrived"
	// SelfTestAnotherCertificateArrived means that the server got another one: something on the way ends TLS and presents its own.
	SelfTestAnotherCertificateArrived SelfTestReason = "AnotherCertificateArrived"
	// SelfTestCertificateRefused means that something on the way refused the certificate.
	SelfTestCertificateRefused SelfTestReason = "CertificateRefused"
	// SelfTestUntrustedCertificate means that what answers has a certificate of an unknown authority, or for another name.
	SelfTestUntrustedCertificate SelfTestReason = "UntrustedCertificate"
	// SelfTestUnexpectedAnswer means that something answers that is not the server.
	SelfTestUnexpectedAnswer SelfTestReason = "UnexpectedAnswer"
	// SelfTestUnreachable means that nothing answers.
	SelfTestUnreachable SelfTestReason = "Unreachable"
)
