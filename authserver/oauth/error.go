package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// RuleID names a rule the way the OpenID Foundation's conformance suite does
// (FAPI2-SP-FINAL-5.3.2.2-5, RFC9449-4.3, PAR-2.1); our own policy starts with
// LOCAL-. It is what the webhook's message, a status condition, the log and the
// metric label show.
type RuleID string

// NoRule is how metrics count an error that no rule is about: a conflict between
// writers, a method that is not served, a failure of the server. (Prometheus takes
// an empty label for one that is not there.)
const NoRule RuleID = "none"

// ErrorCode is a registered OAuth error code.
type ErrorCode string

// Error codes, each with the document that defines it.
const (
	InvalidRequest          ErrorCode = "invalid_request"           // RFC 6749, 5.2
	InvalidClient           ErrorCode = "invalid_client"            // RFC 6749, 5.2
	InvalidGrant            ErrorCode = "invalid_grant"             // RFC 6749, 5.2
	UnauthorizedClient      ErrorCode = "unauthorized_client"       // RFC 6749, 5.2
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"    // RFC 6749, 5.2
	InvalidScope            ErrorCode = "invalid_scope"             // RFC 6749, 5.2
	AccessDenied            ErrorCode = "access_denied"             // RFC 6749, 4.1.2.1
	UnsupportedResponseType ErrorCode = "unsupported_response_type" // RFC 6749, 4.1.2.1
	ServerError             ErrorCode = "server_error"              // RFC 6749, 4.1.2.1
	TemporarilyUnavailable  ErrorCode = "temporarily_unavailable"   // RFC 6749, 4.1.2.1
	InvalidToken            ErrorCode = "invalid_token"             // RFC 6750, 3.1
	InsufficientScope       ErrorCode = "insufficient_scope"        // RFC 6750, 3.1
	UnsupportedTokenType    ErrorCode = "unsupported_token_type"    // RFC 7009, 2.2.1
	InvalidRedirectURI      ErrorCode = "invalid_redirect_uri"      // RFC 7591, 3.2.2
	InvalidClientMetadata   ErrorCode = "invalid_client_metadata"   // RFC 7591, 3.2.2
	InvalidTarget           ErrorCode = "invalid_target"            // RFC 8707, 2
	InvalidRequestObject    ErrorCode = "invalid_request_object"    // RFC 9101, 7
	InvalidRequestURI       ErrorCode = "invalid_request_uri"       // RFC 9101, 7
	RequestURINotSupported  ErrorCode = "request_uri_not_supported" // OpenID Connect Core, 3.1.2.6
	LoginRequired           ErrorCode = "login_required"            // OpenID Connect Core, 3.1.2.6
	ConsentRequired         ErrorCode = "consent_required"          // OpenID Connect Core, 3.1.2.6
	InteractionRequired     ErrorCode = "interaction_required"      // OpenID Connect Core, 3.1.2.6
	InvalidDPoPProof        ErrorCode = "invalid_dpop_proof"        // RFC 9449, 5
	UseDPoPNonce            ErrorCode = "use_dpop_nonce"            // RFC 9449, 8

	InvalidAuthorizationDetails ErrorCode = "invalid_authorization_details" // RFC 9396, 5

	// OpenID Connect Core Unmet Authentication Requirements, 1
	UnmetAuthenticationRequirements ErrorCode = "unmet_authentication_requirements"
)

// statuses is the one place that maps an error code to an HTTP status. A code
// that is not in it is answered with 400 (RFC 6749, 5.2).
var statuses = map[ErrorCode]int{
	InvalidClient:          http.StatusUnauthorized,
	InvalidToken:           http.StatusUnauthorized,
	InsufficientScope:      http.StatusForbidden,
	ServerError:            http.StatusInternalServerError,
	TemporarilyUnavailable: http.StatusServiceUnavailable,
}

// Status is the HTTP status that answers the code in a direct (JSON) response.
func (c ErrorCode) Status() int {
	if status, ok := statuses[c]; ok {
		return status
	}
	return http.StatusBadRequest
}

// Error is a refusal. Description comes from the rule and may be shown to the
// client; Cause is for the log alone.
type Error struct {
	Code        ErrorCode
	Rule        RuleID
	Description string
	Cause       error
}

// Error is for the log: it names the rule and the cause.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Rule != "" {
		text += " (" + string(e.Rule) + ")"
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// ErrorDescription is the error_description that strangers may read: the
// description with its rule, in the characters that RFC 6749, 5.2 allows.
func (e *Error) ErrorDescription() string {
	if e.Description == "" {
		return ""
	}
	text := e.Description
	if e.Rule != "" {
		text += " (" + string(e.Rule) + ")"
	}
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return '\''
		}
		return c
	}, text)
}

// Unwrap gives the cause, so that errors.Is and errors.As see through.
func (e *Error) Unwrap() error { return e.Cause }

// Refuse makes an Error without a cause; the description is shown to the client.
func Refuse(code ErrorCode, rule RuleID, format string, args ...any) *Error {
	return &Error{Code: code, Rule: rule, Description: fmt.Sprintf(format, args...)}
}

// WithCause returns a copy of e that carries cause for the log.
func (e *Error) WithCause(cause error) *Error {
	copied := *e
	copied.Cause = cause
	return &copied
}

// AsError gives the Error inside err. Anything unforeseen becomes server_error
// without a description, so that nothing internal reaches a stranger.
func AsError(err error) *Error {
	if refusal, ok := errors.AsType[*Error](err); ok {
		return refusal
	}
	return &Error{Code: ServerError, Cause: err}
}
