package registrar

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// maxAnswerBytes bounds an answer: a record is hardly larger than the largest
// registration, a page of 500 summaries smaller. Our own choice.
const maxAnswerBytes = 2 * registration.MaxBytes

func readBounded(body io.Reader) ([]byte, error) {
	read, err := io.ReadAll(io.LimitReader(body, maxAnswerBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if len(read) > maxAnswerBytes {
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswerBytes)
	}
	return read, nil
}

// judge decodes a success into into, and turns everything else into an error.
// Members that it does not know are skipped: the server may be newer.
func judge(response *http.Response, body []byte, clientID string, into any) error {
	ours := isJSON(response)
	switch {
	case into == nil && response.StatusCode == http.StatusNoContent:
		return nil
	case into != nil && ours && (response.StatusCode == http.StatusOK || response.StatusCode == http.StatusCreated):
		if err := json.Unmarshal(body, into); err != nil {
			return fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		return nil
	}
	var refusal registration.Refusal
	if !ours || json.Unmarshal(body, &refusal) != nil {
		return fmt.Errorf("the server answered %s, not in the form of the registration API", response.Status)
	}
	return refused(response, refusal, clientID)
}

func isJSON(response *http.Response) bool {
	mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

// refused gives the refusal its type. Status and error code must both say it:
// a 404 of a proxy, or of another version's path, proves nothing.
func refused(response *http.Response, refusal registration.Refusal, clientID string) error {
	switch status := response.StatusCode; {
	case status == http.StatusNotFound && refusal.Code == registration.ClientNotFound && refusal.ClientID == clientID && clientID != "":
		return registration.ErrNotFound
	case status == http.StatusConflict && refusal.Code == registration.OwnedByAnother && refusal.Owner != nil:
		return &registration.OwnedByAnotherError{Owner: *refusal.Owner}
	case status == http.StatusForbidden && refusal.Code == registration.InstallationNotAllowed:
		return registration.ErrInstallationNotAllowed
	case status == http.StatusForbidden && refusal.Code == registration.OwnedByOtherInstallation:
		return registration.ErrOwnedByOtherInstallation
	case status == http.StatusPreconditionFailed && refusal.Code == registration.PreconditionFailed:
		return registration.ErrPreconditionFailed
	case status == http.StatusUnprocessableEntity && isRejection(refusal.Code) && len(refusal.Violations) > 0:
		return &registration.RejectedError{Violations: refusal.Violations}
	}
	return fmt.Errorf("the server answered %s: %s %s", response.Status, refusal.Code, refusal.Description)
}

func isRejection(code oauth.ErrorCode) bool {
	return code == oauth.InvalidClientMetadata || code == oauth.InvalidRedirectURI
}
