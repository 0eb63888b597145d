package registration

import (
	"errors"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// What a call of the private listener can end with, besides RejectedError and
// failures that pass.
var (
	// ErrNotFound: the server has proven that it keeps no such client. A 404
	// that is not the registration API's own is no proof.
	ErrNotFound = errors.New("the authorization server keeps no such client")
	// ErrPreconditionFailed: somebody else changed the client in the meantime.
	ErrPreconditionFailed = errors.New("the client has changed since it was read")
	// ErrInstallationNotAllowed: the server lets the caller act for other
	// installations than the one that the request names.
	ErrInstallationNotAllowed = errors.New("the authorization server does not let the caller act for the installation (listeners.private.boundClientSANs)")
	// ErrOwnedByOtherInstallation: the client belongs to an installation that the
	// caller may not act for, and which it is not told.
	ErrOwnedByOtherInstallation = errors.New("the client belongs to an installation that the caller may not act for")
)

// OwnedByAnotherError says whose the client is.
type OwnedByAnotherError struct {
	Owner Owner
}

func (e *OwnedByAnotherError) Error() string {
	return "the client belongs to " + e.Owner.String()
}

// Refusal is the body of every error that the private listener answers.
type Refusal struct {
	Code        oauth.ErrorCode `json:"error"`
	Description string          `json:"error_description,omitempty"`
	// ClientID is the client that is not there; with ClientNotFound.
	ClientID string `json:"client_id,omitempty"`
	// Owner is whose the client is; with OwnedByAnother.
	Owner *Owner `json:"owner,omitempty"`
	// Violations are every rule that the metadata breaks; with
	// invalid_client_metadata and invalid_redirect_uri.
	Violations []Violation `json:"violations,omitempty"`
}

// Error codes that only the private listener answers.
const (
	CallerNotListed oauth.ErrorCode = "caller_not_listed"
	// InstallationNotAllowed: the request names an installation that its caller may not act for.
	InstallationNotAllowed oauth.ErrorCode = "installation_not_allowed"
	// OwnedByOtherInstallation: the client belongs to an installation that the caller may not act for.
	OwnedByOtherInstallation oauth.ErrorCode = "owned_by_other_installation"
	ClientNotFound           oauth.ErrorCode = "client_not_found"
	OwnedByAnother           oauth.ErrorCode = "owned_by_another"
	PreconditionFailed       oauth.ErrorCode = "precondition_failed"
	UnknownEndpoint          oauth.ErrorCode = "unknown_endpoint"
	MethodNotAllowed         oauth.ErrorCode = "method_not_allowed"
	DocumentTooLarge         oauth.ErrorCode = "document_too_large"
	UnsupportedMediaType     oauth.ErrorCode = "unsupported_media_type"
)
