package register

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// reply is an answer that is no error.
type reply struct {
	status int
	// revision becomes the ETag; 0 for answers that are not about one client.
	revision int64
	body     any
}

// refusal is an error that the caller can do something about.
type refusal struct {
	status int
	allow  string // the Allow header of a 405
	body   registration.Refusal
}

func (e *refusal) Error() string { return string(e.body.Code) + ": " + e.body.Description }

// refuse makes a refusal; the description is shown to the caller.
func refuse(status int, code oauth.ErrorCode, format string, arguments ...any) *refusal {
	return &refusal{status: status, body: registration.Refusal{Code: code, Description: fmt.Sprintf(format, arguments...)}}
}

func malformed(format string, arguments ...any) *refusal {
	return refuse(http.StatusBadRequest, oauth.InvalidRequest, format, arguments...)
}

func methodNotAllowed(allow string) action {
	return func(r *http.Request) (reply, error) {
		refused := refuse(http.StatusMethodNotAllowed, registration.MethodNotAllowed, "%s is not allowed here; allowed are %s", r.Method, allow)
		refused.allow = allow
		return reply{}, refused
	}
}

func unknownEndpoint(*http.Request) (reply, error) {
	return reply{}, refuse(http.StatusNotFound, registration.UnknownEndpoint, "the registration API has /clients and /clients/{client_id}")
}

// refused turns a store's verdict into the answer about the client. Anything
// else is unforeseen and stays as it is.
func refused(err error, clientID string) error {
	if owned, ok := errors.AsType[*store.OwnedByAnotherError](err); ok {
		conflict := refuse(http.StatusConflict, registration.OwnedByAnother, "the client belongs to %s", owned.Owner)
		conflict.body.Owner = &owned.Owner
		return conflict
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		absent := refuse(http.StatusNotFound, registration.ClientNotFound, "there is no such client")
		absent.body.ClientID = clientID
		return absent
	case errors.Is(err, store.ErrPreconditionFailed):
		return refuse(http.StatusPreconditionFailed, registration.PreconditionFailed, "the client is not in the state that If-Match or If-None-Match names; read it again")
	}
	return err
}

// serve runs the action and writes its answer.
func (h *Handler) serve(do action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := do(r)
		switch refused, ok := errors.AsType[*refusal](err); {
		case err == nil:
			h.write(w, answer)
		case ok:
			h.auditRefusal(r, refused)
			if refused.allow != "" {
				w.Header().Set("Allow", refused.allow)
			}
			h.write(w, reply{status: refused.status, body: refused.body})
		default:
			h.Log.ErrorContext(r.Context(), "registration request failed", "method", r.Method, "caller", caller(r), "cause", err)
			h.write(w, reply{status: http.StatusInternalServerError, body: registration.Refusal{Code: oauth.ServerError}})
		}
	})
}

func (h *Handler) write(w http.ResponseWriter, answer reply) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if answer.revision != 0 {
		header.Set("ETag", entityTag(answer.revision))
	}
	if answer.body == nil {
		w.WriteHeader(answer.status)
		return
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(answer.status)
	if err := json.NewEncoder(w).Encode(answer.body); err != nil {
		h.Log.Warn("the answer was not sent whole", "cause", err)
	}
}

func entityTag(revision int64) string { return strconv.Quote(strconv.FormatInt(revision, 10)) }
