package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FAPIApplication declares an OAuth 2.0 or OpenID Connect client of a FAPI 2.0 authorization server. What is not FAPI is
// refused when the resource is applied, with the clause that it breaks; what is accepted is registered at the server, and
// status says with which effective settings.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=fapiapplications,singular=fapiapplication,shortName=fapiapp,categories=fapi,scope=Namespaced
// +kubebuilder:metadata:labels="servicebinding.io/provisioned-service=true"
// +kubebuilder:printcolumn:name="Client ID",type=string,JSONPath=`.status.clientID`
// +kubebuilder:printcolumn:name="Method",type=string,JSONPath=`.spec.clientAuthentication.method`
// +kubebuilder:printcolumn:name="Sender constraint",type=string,JSONPath=`.status.effective.senderConstraint`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Profile",type=string,priority=1,JSONPath=`.status.profile`
// +kubebuilder:printcolumn:name="Certificate expiry",type=string,priority=1,JSONPath=`.status.certificate.notAfter`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must have at most 63 characters, so that the default client identifier, labels and the names of Secrets fit"
type FAPIApplication struct {
	metav1.TypeMeta `json:",inline"`

	// Standard object metadata. The name has at most 63 characters.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// What the client is and may do. Nothing is ever written here by the
	// operator: what is stated is what stays.
	//
	// +required
	Spec FAPIApplicationSpec `json:"spec"`

	// What the operator and the authorization server made of it. Written by the
	// operator only.
	//
	// +optional
	// +default={"observedGeneration":-1}
	Status FAPIApplicationStatus `json:"status,omitempty"`
}

// FAPIApplicationList is a list of FAPIApplications.
//
// +kubebuilder:object:root=true
type FAPIApplicationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []FAPIApplication `json:"items"`
}

// FAPIApplicationSpec is what a person wrote. Field names are those of RFC 7591 client metadata in camelCase. A value that
// FAPI fixes may be left out; stating another one is refused.
//
// +kubebuilder:validation:XValidation:rule="has(self.clientID) == has(oldSelf.clientID) && (!has(self.clientID) || self.clientID == oldSelf.clientID)",message="clientID cannot be added, changed or removed: delete the FAPIApplication and create another one",fieldPath=".clientID"
// +kubebuilder:validation:XValidation:rule="has(self.serverClassName) == has(oldSelf.serverClassName) && (!has(self.serverClassName) || self.serverClassName == oldSelf.serverClassName)",message="serverClassName cannot be added, changed or removed: delete the FAPIApplication and create another one",fieldPath=".serverClassName"
type FAPIApplicationSpec struct {
	// Name of the client that people read on the consent page (RFC 7591, 2:
	// client_name).
	// Absent: the client identifier is shown.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=256
	ClientName string `json:"clientName,omitempty"`

	// URL of a page about the client (RFC 7591, 2: client_uri).
	// Absent: no link is shown.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	ClientURI string `json:"clientURI,omitempty"`

	// URL of the client's logo (RFC 7591, 2: logo_uri).
	// Absent: no logo is shown.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	LogoURI string `json:"logoURI,omitempty"`

	// URL of the page that says how the client uses people's data (RFC 7591, 2:
	// policy_uri).
	// Absent: no link is shown.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	PolicyURI string `json:"policyURI,omitempty"`

	// URL of the client's terms of service (RFC 7591, 2: tos_uri).
	// Absent: no link is shown.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	TOSURI string `json:"tosURI,omitempty"`

	// Ways to reach the people responsible for the client, usually e-mail
	// addresses (RFC 7591, 2: contacts).
	// Absent: nobody is named.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=320
	Contacts []string `json:"contacts,omitempty"`

	// Kind of the client: web, or native for an application on a person's device
	// (OpenID Connect Registration, 2: application_type). Only a native client
	// may use an http redirect URI, on a loopback address (FAPI 2.0 Security
	// Profile, 5.3.2.2-8).
	// Absent: web.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ApplicationType string `json:"applicationType,omitempty"`

	// Identifier under which the client is registered (RFC 6749, 2.2: client_id),
	// 3 to 128 letters, digits, dots, hyphens and underscores, starting with a
	// letter or digit. An identifier that does not begin with the namespace and a
	// dot is refused unless a policy allows it. Immutable: it cannot be added,
	// changed or removed later.
	// Absent: <namespace>.<name> of this resource.
	//
	// +optional
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9._-]*$`
	ClientID string `json:"clientID,omitempty"`

	// Which installation registers this client: a DNS label, matched against the
	// class that an operator serves, as ingressClassName is. An operator leaves
	// resources of other classes alone. Immutable: it cannot be added, changed or
	// removed later.
	// Absent: the installation that serves resources without a class.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	ServerClassName string `json:"serverClassName,omitempty"`

	// Grants that the client may use at the token endpoint (RFC 7591, 2:
	// grant_types): authorization_code, refresh_token, client_credentials. The
	// password grant is refused (FAPI 2.0 Security Profile, 5.3.2.1-2), and so is
	// implicit, whose tokens leave the authorization endpoint (5.3.2.2-1).
	//
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=256
	GrantTypes []string `json:"grantTypes"`

	// Response types that the client may ask for at the authorization endpoint
	// (RFC 7591, 2: response_types). FAPI fixes code (FAPI 2.0 Security Profile,
	// 5.3.2.2-1).
	// Absent: code with the authorization_code grant, none without it.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=256
	ResponseTypes []string `json:"responseTypes,omitempty"`

	// Where the authorization response may be sent (RFC 7591, 2: redirect_uris):
	// absolute URIs, compared as exact strings, https, or http on a loopback
	// address for a native client (FAPI 2.0 Security Profile, 5.3.2.2-8; RFC
	// 8252, 7.3).
	// Absent: none, which the authorization_code grant does not allow.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=2048
	RedirectURIs []string `json:"redirectURIs,omitempty"`

	// Origins (scheme, host and port, such as https://app.example.com) whose
	// scripts may call the server for this client (CORS). Never for the
	// authorization endpoint (FAPI 2.0 Security Profile, 5.2.3-3). A FAPI client
	// is confidential and rarely needs one, so admission warns.
	// Absent: none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=512
	AllowedOrigins []string `json:"allowedOrigins,omitempty"`

	// Scope values that the client may ask for, one an item (RFC 7591, 2: scope);
	// openid makes it an OpenID Connect client. Least privilege is recommended
	// (FAPI 2.0 Security Profile, 5.3.2.1-14).
	// Absent: the client may ask for none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=256
	Scopes []string `json:"scopes,omitempty"`

	// Types of authorization_details that the client may ask for (RFC 9396, 10:
	// authorization_details_types). The server's configuration declares each of
	// them with its schema.
	// Absent: the client may ask for none.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=256
	AuthorizationDetailsTypes []string `json:"authorizationDetailsTypes,omitempty"`

	// Proof Key for Code Exchange (RFC 7636).
	// Absent: required with S256, as FAPI fixes.
	//
	// +optional
	PKCE *PKCE `json:"pkce,omitempty"`

	// Pushed authorization requests (RFC 9126).
	// Absent: required, as FAPI fixes.
	//
	// +optional
	PushedAuthorizationRequests *PushedAuthorizationRequests `json:"pushedAuthorizationRequests,omitempty"`

	// How the client authenticates at the server (FAPI 2.0 Security Profile,
	// 5.3.2.1-6).
	//
	// +required
	ClientAuthentication ClientAuthentication `json:"clientAuthentication"`

	// The client's public keys. Required by private_key_jwt, by
	// self_signed_tls_client_auth, by signed request objects and by encrypted
	// responses.
	// Absent: the client has none.
	//
	// +optional
	Keys *Keys `json:"keys,omitempty"`

	// The client's mutual TLS certificate, when the operator takes care of it.
	// Absent: the operator issues none, and a client that uses mutual TLS brings
	// its own.
	//
	// +optional
	MutualTLS *MutualTLS `json:"mutualTLS,omitempty"`

	// Which messages must be signed, after FAPI 2.0 Message Signing.
	// Absent: the Security Profile alone.
	//
	// +optional
	MessageSigning *MessageSigning `json:"messageSigning,omitempty"`

	// Algorithms of the request objects that the client sends (RFC 9101).
	// Absent: ES256 where it signs, not encrypted.
	//
	// +optional
	RequestObject *RequestObject `json:"requestObject,omitempty"`

	// Algorithms of the signed authorization responses that the client gets
	// (JARM).
	// Absent: ES256 where responses are signed, not encrypted.
	//
	// +optional
	AuthorizationResponse *SignedResponse `json:"authorizationResponse,omitempty"`

	// Algorithms of the ID tokens that the client gets (OpenID Connect).
	// Absent: ES256, not encrypted.
	//
	// +optional
	IDToken *SignedResponse `json:"idToken,omitempty"`

	// What the client may ask the introspection endpoint, and how it is answered.
	// Absent: the client may introspect the tokens that were issued to it.
	//
	// +optional
	Introspection *Introspection `json:"introspection,omitempty"`

	// Algorithms of the answers that the client gets at the userinfo endpoint
	// (OpenID Connect Core, 5.3.2).
	// Absent: plain JSON.
	//
	// +optional
	Userinfo *UserinfoResponse `json:"userinfo,omitempty"`

	// The access tokens that the client gets.
	// Absent: bound to its certificate, valid for 5 minutes.
	//
	// +optional
	AccessToken *AccessToken `json:"accessToken,omitempty"`

	// A Secret that tells software of the client how to reach the server, for it to
	// mount.
	// Absent: none is made.
	//
	// +optional
	Binding *Binding `json:"binding,omitempty"`

	// What becomes of the registered client when this resource is deleted: Delete
	// removes it from the server, and the resource stays until that is confirmed;
	// Retain leaves it registered.
	// Absent: Delete.
	//
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`

	// True stops the client: it stays registered, and the server refuses every
	// request that it makes.
	// Absent: false.
	//
	// +optional
	Suspended *bool `json:"suspended,omitempty"`
}

// PKCE states Proof Key for Code Exchange (RFC 7636), which FAPI requires with S256.
type PKCE struct {
	// Whether every authorization request needs a code challenge. FAPI fixes true
	// (FAPI 2.0 Security Profile, 5.3.2.2-5).
	// Absent: true.
	//
	// +optional
	Required *bool `json:"required,omitempty"`

	// How the code challenge is made from the verifier (RFC 7636, 4.2). FAPI
	// fixes S256 (FAPI 2.0 Security Profile, 5.3.2.2-5); plain is refused.
	// Absent: S256.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Method string `json:"method,omitempty"`
}

// PushedAuthorizationRequests states pushed authorization requests (RFC 9126), which FAPI requires.
type PushedAuthorizationRequests struct {
	// Whether every authorization request is pushed first (RFC 9126, 6:
	// require_pushed_authorization_requests). FAPI fixes true (FAPI 2.0 Security
	// Profile, 5.3.2.2-3).
	// Absent: true.
	//
	// +optional
	Required *bool `json:"required,omitempty"`
}

// AccessToken describes the access tokens that the client gets.
type AccessToken struct {
	// What an access token is bound to, so that nobody else can use it (FAPI 2.0
	// Security Profile, 5.3.2.1-5): MutualTLS binds it to the certificate
	// presented at the token request (RFC 8705, 3), DPoP to the key of the proof
	// (RFC 9449).
	// Absent: MutualTLS.
	//
	// +optional
	SenderConstraint SenderConstraint `json:"senderConstraint,omitempty"`

	// How long an access token is valid, as a duration such as 5m or 1h. The
	// server states the longest that it allows.
	// Absent: 5 minutes.
	//
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="string(duration(self)) != ''",message="must be a duration such as 5m or 1h30m"
	Lifetime *metav1.Duration `json:"lifetime,omitempty"`
}

// SenderConstraint is a way to bind an access token to the client that asked for it.
//
// +kubebuilder:validation:Enum=MutualTLS;DPoP
type SenderConstraint string

const (
	// SenderConstraintMutualTLS binds access tokens to the client's certificate (RFC 8705, 3).
	SenderConstraintMutualTLS SenderConstraint = "MutualTLS"
	// SenderConstraintDPoP binds access tokens to the key of a DPoP proof (RFC 9449).
	SenderConstraintDPoP SenderConstraint = "DPoP"
)

// DeletionPolicy says what becomes of the registered client when its FAPIApplication is deleted.
//
// +kubebuilder:validation:Enum=Delete;Retain
type DeletionPolicy string

const (
	// DeletionPolicyDelete removes the client from the server before the resource goes.
	DeletionPolicyDelete DeletionPolicy = "Delete"
	// DeletionPolicyRetain leaves the client registered at the server.
	DeletionPolicyRetain DeletionPolicy = "Retain"
)
