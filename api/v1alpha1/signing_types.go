package v1alpha1

// MessageSigning says which parts of FAPI 2.0 Message Signing the client conforms to. Each part stands alone.
type MessageSigning struct {
	// Required: every authorization request is a signed request object, pushed
	// (FAPI 2.0 Message Signing, 5.3.1; RFC 9101, 10.5:
	// require_signed_request_object).
	// Absent: signed and plain requests are both accepted.
	//
	// +optional
	Requests MessageSigningRequirement `json:"requests,omitempty"`

	// Required: every authorization response is a signed JWT (FAPI 2.0 Message
	// Signing, 5.4.1; JARM), so that the client's response_modes hold jwt alone.
	// Absent: the client asks for a signed or plain response with each request.
	//
	// +optional
	Responses MessageSigningRequirement `json:"responses,omitempty"`

	// Required: every answer of the introspection endpoint is a signed JWT (FAPI
	// 2.0 Message Signing, 5.5.1; RFC 9701, 6: introspection_signed_response_alg).
	// Absent: the client asks for a signed answer with the Accept header of each
	// request.
	//
	// +optional
	Introspection MessageSigningRequirement `json:"introspection,omitempty"`
}

// MessageSigningRequirement says that a kind of message must be signed.
//
// +kubebuilder:validation:Enum=Required
type MessageSigningRequirement string

// MessageSigningRequired refuses messages that are not signed.
const MessageSigningRequired MessageSigningRequirement = "Required"

// RequestObject holds the algorithms of the request objects that the client sends (RFC 9101).
type RequestObject struct {
	// Algorithm with which the client signs (request_object_signing_alg), one of
	// PS256, ES256 and EdDSA (FAPI 2.0 Security Profile, 5.4.1-1).
	// Absent: ES256.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SigningAlg string `json:"signingAlg,omitempty"`

	// Algorithm with which the client encrypts the content key to the server
	// (request_object_encryption_alg), one of RSA-OAEP, RSA-OAEP-256, ECDH-ES,
	// ECDH-ES+A128KW and ECDH-ES+A256KW. RSA1_5 is refused (RFC 8725, 3.2).
	// Absent: request objects are not encrypted.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	EncryptionAlg string `json:"encryptionAlg,omitempty"`

	// Algorithm with which the client encrypts the content
	// (request_object_encryption_enc), one of A128GCM, A256GCM, A128CBC-HS256 and
	// A256CBC-HS512. It needs encryptionAlg.
	// Absent: A128CBC-HS256 where encryptionAlg is set.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	EncryptionEnc string `json:"encryptionEnc,omitempty"`
}

// SignedResponse holds the algorithms of a signed message that the server makes for the client.
type SignedResponse struct {
	// Algorithm with which the server signs (authorization_signed_response_alg,
	// id_token_signed_response_alg, introspection_signed_response_alg), one of PS256, ES256 and EdDSA (FAPI 2.0
	// Security Profile, 5.4.1-1).
	// Absent: ES256.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SignedResponseAlg string `json:"signedResponseAlg,omitempty"`

	// Algorithm with which the server encrypts the content key to the client
	// (authorization_encrypted_response_alg, id_token_encrypted_response_alg,
	// introspection_encrypted_response_alg), one of RSA-OAEP, RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW and ECDH-ES+A256KW.
	// It needs a key of the client for encryption. RSA1_5 is refused (RFC 8725,
	// 3.2).
	// Absent: not encrypted.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	EncryptedResponseAlg string `json:"encryptedResponseAlg,omitempty"`

	// Algorithm with which the server encrypts the content
	// (authorization_encrypted_response_enc, id_token_encrypted_response_enc,
	// introspection_encrypted_response_enc), one of A128GCM, A256GCM, A128CBC-HS256 and A256CBC-HS512. It needs
	// encryptedResponseAlg.
	// Absent: A128CBC-HS256 where encryptedResponseAlg is set.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	EncryptedResponseEnc string `json:"encryptedResponseEnc,omitempty"`
}

// Introspection makes the client a resource server that may ask about access tokens (RFC 7662).
type Introspection struct {
	// Resource identifiers for which this client is the resource server: it may
	// introspect access tokens whose aud contains one of them, each a URI without
	// fragment (RFC 8707, 2).
	// Absent: it may introspect the tokens alone that were issued to it.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=128
	// +kubebuilder:validation:items:MaxLength=2048
	Resources []string `json:"resources,omitempty"`

	// Algorithms of the signed answers (RFC 9701). Where one is stated, every
	// answer is signed.
	// Absent: answers are signed with ES256 where the request or messageSigning
	// asks for it, and not encrypted.
	//
	// +optional
	Response *SignedResponse `json:"response,omitempty"`
}

// UserinfoResponse holds the algorithms of the userinfo endpoint's answers for the client.
type UserinfoResponse struct {
	// Algorithm with which the server signs (userinfo_signed_response_alg), one of
	// PS256, ES256 and EdDSA (FAPI 2.0 Security Profile, 5.4.1-1).
	// Absent: the answer is plain JSON, or signed with ES256 where it is encrypted.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	SignedResponseAlg string `json:"signedResponseAlg,omitempty"`

	// Algorithm with which the server encrypts the content key to the client
	// (userinfo_encrypted_response_alg), one of RSA-OAEP, RSA-OAEP-256, ECDH-ES,
	// ECDH-ES+A128KW and ECDH-ES+A256KW. It needs a key of the client for
	// encryption. RSA1_5 is refused (RFC 8725, 3.2).
	// Absent: not encrypted.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	EncryptedResponseAlg string `json:"encryptedResponseAlg,omitempty"`

	// Algorithm with which the server encrypts the content
	// (userinfo_encrypted_response_enc), one of A128GCM, A256GCM, A128CBC-HS256 and
	// A256CBC-HS512. It needs encryptedResponseAlg.
	// Absent: A128CBC-HS256 where encryptedResponseAlg is set.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	EncryptedResponseEnc string `json:"encryptedResponseEnc,omitempty"`
}
