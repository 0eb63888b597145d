// Package admin is the private listener's API with which administrators list
// grants and end them, and list the server's keys and drop one. openapi.yaml
// describes it. Every call leaves an audit record; no answer and no record holds
// a credential.
package admin

import (
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Path is below which the API lies.
const Path = "/administration/"

// Handler serves everything below Path. All fields are required.
type Handler struct {
	Store store.Administration
	// Keys are the server's own.
	Keys *keys.Ring
	// Callers are the administrators.
	Callers endpoint.Callers
	Now     func() time.Time
	// Log gets an audit record of every call, refused ones included.
	Log *slog.Logger
	// Count counts a request that was refused.
	Count func(r *http.Request, err error)

	once sync.Once
	mux  *http.ServeMux
}

// ServeHTTP answers a request of the API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.once.Do(h.route)
	h.mux.ServeHTTP(w, r)
}

// The operations, as the document and the audit records name them.
const (
	listGrants            = "listGrants"
	revokeGrant           = "revokeGrant"
	revokeGrantsOfSubject = "revokeGrantsOfSubject"
	revokeGrantsOfClient  = "revokeGrantsOfClient"
	listKeys              = "listKeys"
	dropKey               = "dropKey"
	unknownOperation      = "unknown"
)

func (h *Handler) route() {
	h.mux = http.NewServeMux()
	h.mux.Handle("GET "+Path+"grants", h.serve(listGrants, h.list))
	h.mux.Handle("DELETE "+Path+"grants/{grant_id}", h.serve(revokeGrant, h.revokeGrant))
	h.mux.Handle("DELETE "+Path+"subjects/{sub}/grants", h.serve(revokeGrantsOfSubject, h.revokeSubject))
	h.mux.Handle("DELETE "+Path+"clients/{client_id}/grants", h.serve(revokeGrantsOfClient, h.revokeClient))
	h.mux.Handle("GET "+Path+"keys", h.serve(listKeys, h.listKeys))
	h.mux.Handle("DELETE "+Path+"keys/{kid}", h.serve(dropKey, h.dropKey))
	for _, path := range []string{"grants", "keys"} {
		h.mux.Handle(Path+path, h.serve(unknownOperation, methodNotAllowed("GET, HEAD")))
	}
	for _, path := range []string{"grants/{grant_id}", "subjects/{sub}/grants", "clients/{client_id}/grants", "keys/{kid}"} {
		h.mux.Handle(Path+path, h.serve(unknownOperation, methodNotAllowed("DELETE")))
	}
	h.mux.Handle("/", h.serve(unknownOperation, unknownEndpoint))
}

// action does what an administrator asks for. Its error is a *endpoint.Refusal,
// or something unforeseen; its answer then tells what was done before.
type action func(r *http.Request) (answer, error)

// answer is what the caller is told, and what the audit record counts of it.
type answer interface{ counts() []any }

// serve runs the action for an administrator, records the call, and answers.
func (h *Handler) serve(operation string, do action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := h.act(r, do)
		h.audit(r, operation, answer, err)
		h.Count(r, err)
		endpoint.WriteOutcome(w, h.Log, endpoint.Reply{Status: http.StatusOK, Body: answer}, err)
	})
}

func (h *Handler) act(r *http.Request, do action) (answer, error) {
	if err := h.Callers.Admit(r, "listeners.private.administratorSANs"); err != nil {
		return nil, err
	}
	return do(r)
}

func methodNotAllowed(allow string) action {
	return func(r *http.Request) (answer, error) {
		_, err := endpoint.MethodNotAllowed(allow)(r)
		return nil, err
	}
}

func unknownEndpoint(*http.Request) (answer, error) {
	return nil, endpoint.Refuse(http.StatusNotFound, registration.UnknownEndpoint,
		"administration has %[1]sgrants, %[1]sgrants/{grant_id}, %[1]ssubjects/{sub}/grants, %[1]sclients/{client_id}/grants, %[1]skeys and %[1]skeys/{kid}", Path)
}
