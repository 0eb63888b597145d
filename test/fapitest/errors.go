package fapitest

import (
	"fmt"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// ErrorResponse is a refusal in JSON (RFC 6749, 5.2).
type ErrorResponse struct {
	// Step is the endpoint that refused, as its metadata member.
	Step string `json:"-"`
	// Path is the endpoint's.
	Path        string          `json:"-"`
	Status      int             `json:"-"`
	Header      http.Header     `json:"-"`
	Code        oauth.ErrorCode `json:"error"`
	Description string          `json:"error_description"`
	URI         string          `json:"error_uri"`

	// sent are the request's secrets.
	sent []string
}

// Error names step, status, code and description.
func (e *ErrorResponse) Error() string {
	return fmt.Sprintf("%s answers %d %s: %s", e.Step, e.Status, e.Code, e.Description)
}

// PageError is a page where an authorization response was expected.
type PageError struct{ Page *Page }

// Error tells the page's status and text.
func (e *PageError) Error() string {
	return fmt.Sprintf("the server shows a page (%d) at %s: %s", e.Page.Status, e.Page.URL.Path, e.Page.Text())
}

// CallbackError is an error in the authorization response (RFC 6749, 4.1.2.1).
type CallbackError struct{ Callback Callback }

// Error names code and description.
func (e *CallbackError) Error() string {
	return fmt.Sprintf("the authorization response says %s: %s", e.Callback.Error, e.Callback.ErrorDescription)
}

// CheckError is an answer that an honest client must refuse.
type CheckError struct{ What string }

// Error says what is wrong with the answer.
func (e *CheckError) Error() string { return "the server's answer must be refused: " + e.What }

func mustBeRefused(format string, arguments ...any) error {
	return &CheckError{What: fmt.Sprintf(format, arguments...)}
}
