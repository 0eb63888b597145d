package store

import (
	"encoding/json"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// AuthorizationRequest is an authorization request whose parameters the rule
// book has accepted.
type AuthorizationRequest struct {
	ClientID      string   `json:"client_id"`
	RedirectURI   string   `json:"redirect_uri"`
	ResponseMode  string   `json:"response_mode,omitempty"` // query or jwt
	Scope         []string `json:"scope,omitempty"`
	State         string   `json:"state,omitempty"`
	Nonce         string   `json:"nonce,omitempty"`
	CodeChallenge string   `json:"code_challenge"`
	DPoPJKT       string   `json:"dpop_jkt,omitempty"`
	Claims        string   `json:"claims,omitempty"` // JSON text
	Prompt        []string `json:"prompt,omitempty"`
	MaxAge        *int64   `json:"max_age,omitempty"` // seconds
	ACRValues     []string `json:"acr_values,omitempty"`
	LoginHint     string   `json:"login_hint,omitempty"`
	// HintedSubject is whom the id_token_hint is about; "" without one.
	HintedSubject string   `json:"hinted_subject,omitempty"`
	UILocales     []string `json:"ui_locales,omitempty"`
	Resource      []string `json:"resource,omitempty"`
	// AuthorizationDetails is an array of elements (RFC 9396, 2), each of which
	// conforms to its type; nil without any.
	AuthorizationDetails json.RawMessage `json:"authorization_details,omitempty"`
}

// PushedRequest is an authorization request under its request_uri's digest.
type PushedRequest struct {
	URI       oauth.Digest
	Request   AuthorizationRequest
	ExpiresAt time.Time
}

// Authentication says who logged in, when and how.
type Authentication struct {
	Subject string    `json:"sub"`
	Time    time.Time `json:"auth_time"`
	ACR     string    `json:"acr,omitempty"`
	AMR     []string  `json:"amr,omitempty"` // RFC 8176
}

// Interaction is a person's visit to the authorization endpoint.
type Interaction struct {
	// ID is the digest of the secret in the interaction's cookie.
	ID oauth.Digest
	// RequestURI is the digest of the request_uri to consume at the end.
	RequestURI oauth.Digest
	Request    AuthorizationRequest
	// Authentication is nil until the person has logged in.
	Authentication *Authentication
	ExpiresAt      time.Time
}

// Session is a browser's login.
type Session struct {
	ID             oauth.Digest
	Authentication Authentication
	ExpiresAt      time.Time
}

// Grant is what a person granted to a client.
type Grant struct {
	ID             string
	Request        AuthorizationRequest
	Authentication Authentication
	// Scope is what was granted, possibly less than was asked.
	Scope     []string
	CreatedAt time.Time
	// ExpiresAt is when the grant and all that hangs on it may be forgotten.
	ExpiresAt time.Time
}

// Code is an authorization code.
type Code struct {
	Digest    oauth.Digest
	GrantID   string
	ClientID  string
	ExpiresAt time.Time
	Used      bool
}

// RefreshToken belongs to a client, not to a key or certificate: both may be
// renewed during its life (RFC 8705, 7.1).
type RefreshToken struct {
	Digest    oauth.Digest
	GrantID   string
	ClientID  string
	ExpiresAt time.Time
}

// ServerKey is one of the server's own keys, encrypted.
type ServerKey struct {
	ID string
	// Use is sig or enc (RFC 7517, 4.2).
	Use       string
	Algorithm string
	// Sealed is the private JWK, encrypted by the keys package.
	Sealed    []byte
	CreatedAt time.Time
}
